#include "mail/own_rules.h"

#include <stdlib.h>

#include "core/literals.h"
#include "mail/checks.h"

enum kind {
	KIND_HEADER,
	KIND_RAW_HEADER,
	KIND_SUBJECT,
	KIND_BODY,
	KIND_RAW_BODY,
	KIND_URL,
	KIND_ATTACHMENT,
	KINDS
};

/* Once that many were given up, the others get few steps: a message costs seconds at
 * most, whatever its rules are. */
#define STEPS_WHEN_LATE 10000

struct rule {
	unsigned symbol;
	bool is_found; /* looked for only where the finder has marked it */
	struct pw_pattern *pattern;
};

/* Rules that look at the same texts. */
struct target {
	enum kind kind;
	struct pw_str field;
	struct rule *rules;
	size_t count, room;
	struct pw_finder *finder; /* of words that rules need; marks by place in rules */
};

struct pw_own_rules {
	struct pw_arena *arena; /* names of fields */
	struct target *targets;
	size_t count, room;
	size_t rule_count, bytes;
};

/* ---- making */

enum pw_status pw_own_rules_new(struct pw_own_rules **out)
{
	PW_AUTO(pw_own_rules_free) struct pw_own_rules *rules = calloc(1, sizeof(*rules));
	enum pw_status r;

	if (rules == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_new(&rules->arena, 0)) != PW_OK)
		return r;
	*out = PW_TAKE(rules);
	return PW_OK;
}

void pw_own_rules_free(struct pw_own_rules **rules)
{
	struct pw_own_rules *all = *rules;

	if (all == NULL)
		return;
	for (size_t t = 0; t < all->count; t++) {
		for (size_t i = 0; i < all->targets[t].count; i++)
			pw_pattern_free(&all->targets[t].rules[i].pattern);
		free(all->targets[t].rules);
		pw_finder_free(&all->targets[t].finder);
	}
	free(all->targets);
	pw_arena_free(&all->arena);
	free(all);
	*rules = NULL;
}

size_t pw_own_rules_count(const struct pw_own_rules *rules)
{
	return rules->rule_count;
}

/* Room for one more. */
static enum pw_status grow(void **at, size_t *room, size_t count, size_t size)
{
	size_t more = *room == 0 ? 8 : *room * 2;
	void *grown;

	if (count < *room)
		return PW_OK;
	if ((grown = reallocarray(*at, more, size)) == NULL)
		return PW_ERR_NOMEM;
	*at = grown;
	*room = more;
	return PW_OK;
}

static enum pw_status find_target(struct target **out, struct pw_own_rules *rules,
                                  enum kind kind, struct pw_str field)
{
	void *grown = rules->targets;
	enum pw_status r;

	for (size_t i = 0; i < rules->count; i++)
		if (rules->targets[i].kind == kind &&
		    pw_str_eq_nocase(rules->targets[i].field, field)) {
			*out = &rules->targets[i];
			return PW_OK;
		}
	if ((r = grow(&grown, &rules->room, rules->count, sizeof(**out))) != PW_OK)
		return r;
	rules->targets = grown;
	*out = &rules->targets[rules->count];
	**out = (struct target){ .kind = kind };
	if ((r = pw_finder_new(&(*out)->finder)) != PW_OK)
		return r;
	rules->count++; /* from now on the set frees it */
	return pw_arena_copy(rules->arena, field, &(*out)->field);
}

static enum pw_status read_kind(enum kind *out, const struct pw_own_rule *rule,
                                struct pw_buf *why_out)
{
	static const struct pw_str words[KINDS] = {
		[KIND_HEADER] = { "header", 6 },
		[KIND_RAW_HEADER] = { "raw header", 10 },
		[KIND_SUBJECT] = { "subject", 7 },
		[KIND_BODY] = { "body", 4 },
		[KIND_RAW_BODY] = { "raw body", 8 },
		[KIND_URL] = { "url", 3 },
		[KIND_ATTACHMENT] = { "attachment", 10 },
	};
	int kind = 0;

	while (kind < KINDS && !pw_str_eq(rule->kind, words[kind]))
		kind++;
	if (kind == KINDS)
		pw_buf_puts(why_out, PW_STR("no such kind"));
	else if (kind == KIND_HEADER && rule->field.len == 0)
		pw_buf_puts(why_out, PW_STR("which field of the header?"));
	else {
		*out = (enum kind)kind;
		return PW_OK;
	}
	return PW_ERR_SYNTAX;
}

static enum pw_status find_symbol(unsigned *out, const struct pw_own_rules *rules,
                                  const struct pw_weights *weights, struct pw_str name,
                                  struct pw_buf *why_out)
{
	if (rules->rule_count == PW_OWN_RULES_MAX ||
	    pw_weights_find(weights, name, out) != PW_OK) {
		pw_buf_printf(why_out, "more than %d symbols", PW_OWN_SYMBOLS_MAX);
		return PW_ERR_LIMIT;
	}
	if (*out >= PW_SYMBOLS)
		return PW_OK;
	pw_buf_puts(why_out, PW_STR("a built-in symbol has that name"));
	return PW_ERR_SYNTAX;
}

static enum pw_status keep(struct pw_own_rules *rules, enum kind kind,
                           struct pw_str field, struct rule *rule,
                           const struct pw_literals *literals, struct pw_buf *why_out)
{
	size_t size = pw_pattern_size(rule->pattern);
	struct target *target;
	void *grown;
	enum pw_status r;

	if (rules->bytes + size > PW_OWN_RULES_BYTES_MAX) {
		pw_buf_puts(why_out, PW_STR("all rules together are too large"));
		return PW_ERR_LIMIT;
	}
	if ((r = find_target(&target, rules, kind, field)) != PW_OK)
		return r;
	grown = target->rules;
	if ((r = grow(&grown, &target->room, target->count, sizeof(*rule))) != PW_OK)
		return r;
	target->rules = grown;
	if (literals->count > 0 &&
	    (r = pw_finder_add(target->finder, literals, target->count)) != PW_OK)
		return r;
	rule->is_found = literals->count > 0;
	target->rules[target->count++] = *rule;
	rules->rule_count++;
	rules->bytes += size;
	return PW_OK;
}

enum pw_status pw_own_rules_add(struct pw_own_rules *rules, struct pw_weights *weights,
                                const struct pw_own_rule *rule, struct pw_buf *why_out)
{
	struct rule made = { 0 };
	struct pw_literals literals;
	enum kind kind = KINDS;
	enum pw_status r;

	if ((r = read_kind(&kind, rule, why_out)) != PW_OK ||
	    (r = find_symbol(&made.symbol, rules, weights, rule->name, why_out)) !=
	            PW_OK ||
	    (r = pw_pattern_new(&made.pattern, rule->pattern, rule->flags, why_out)) !=
	            PW_OK)
		return r;
	pw_literals_of(&literals, rule->pattern, rule->flags);
	r = keep(rules, kind, kind == KIND_HEADER ? rule->field : PW_STR(""), &made,
	         &literals, why_out);
	if (r == PW_OK)
		weights->symbols[made.symbol].is_of_rule = true;
	else
		pw_pattern_free(&made.pattern);
	return r;
}

/* ---- looking */

struct run {
	const struct pw_check *check;
	struct pw_matching *matching;
	const struct target *target;
	size_t given_up; /* of all targets */
};

static void note_limit(struct run *run, unsigned symbol)
{
	struct pw_rules_limited *limited = run->check->limited;

	run->given_up++;
	if (limited == NULL)
		return;
	limited->total++;
	for (size_t i = 0; i < limited->count; i++)
		if (limited->at[i] == symbol)
			return;
	if (limited->count < PW_RULES_LIMITED_MAX)
		limited->at[limited->count++] = symbol;
}

static void try_rule(struct run *run, const struct rule *rule, struct pw_str text)
{
	int64_t steps = run->given_up < PW_RULES_LIMITED_MAX ? pw_match_steps(text.len)
	                                                     : STEPS_WHEN_LATE;
	struct pw_str found;

	if (pw_hits_has(run->check->hits, rule->symbol))
		return;
	switch (pw_pattern_match(rule->pattern, run->matching, text, steps, &found)) {
	case PW_MATCH_YES:
		pw_hits_add(run->check->hits, rule->symbol, 1000,
		            pw_str_sub(found, 0, PW_OWN_EVIDENCE_MAX));
		break;
	case PW_MATCH_LIMIT:
		note_limit(run, rule->symbol);
		break;
	case PW_MATCH_NO:
		break;
	}
}

static void look(struct run *run, struct pw_str text)
{
	const struct target *target = run->target;
	bool marks[PW_OWN_RULES_MAX] = { false };

	pw_finder_look(target->finder, text, marks);
	for (size_t i = 0; i < target->count; i++)
		if (marks[i] || !target->rules[i].is_found)
			try_rule(run, &target->rules[i], text);
}

/* ---- the texts of each kind */

static void look_at_header(struct run *run)
{
	const struct pw_message *m = run->check->message;

	for (size_t i = 0; i < m->field_count; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf decoded = { 0 };
		struct pw_str text;

		if (!pw_str_eq_nocase(m->fields[i].name, run->target->field))
			continue;
		pw_decode_words(&decoded, m->fields[i].text, NULL);
		/* what is found is shown: it has to last */
		if (pw_arena_copy(run->check->arena, pw_buf_str(&decoded), &text) ==
		    PW_OK)
			look(run, text);
	}
}

static void look_at_raw_header(struct run *run)
{
	const struct pw_message *m = run->check->message;
	PW_AUTO(pw_buf_done) struct pw_buf all = { 0 };
	struct pw_str text;

	for (size_t i = 0; i < m->field_count; i++) {
		pw_buf_puts(&all, m->fields[i].name);
		pw_buf_putc(&all, ':');
		pw_buf_puts(&all, m->fields[i].value);
		pw_buf_puts(&all, PW_STR("\r\n"));
	}
	if (pw_arena_copy(run->check->arena, pw_buf_str(&all), &text) == PW_OK)
		look(run, text);
}

static void look_at_subject(struct run *run)
{
	look(run, run->check->message->subject);
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* So that words are found however the lines are broken. */
static void look_at_body(struct run *run)
{
	struct pw_str text = run->check->message->text;
	char *at = pw_arena_alloc(run->check->arena, text.len + 1);
	size_t len = 0;

	if (at == NULL)
		return;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_blank(text.at[i]))
			at[len++] = text.at[i];
		else if (len > 0 && at[len - 1] != ' ')
			at[len++] = ' ';
	}
	if (len > 0 && at[len - 1] == ' ')
		len--;
	look(run, (struct pw_str){ at, len });
}

static void look_at_raw_body(struct run *run)
{
	look(run, pw_buf_str(&run->check->message->body));
}

static void look_at_urls(struct run *run)
{
	const struct pw_links *links = &run->check->message->links;

	for (size_t i = 0; i < links->count; i++)
		look(run, links->at[i].url);
}

static void look_at_attachments(struct run *run)
{
	const struct pw_message *m = run->check->message;

	for (size_t i = 0; i < m->part_count; i++) {
		const struct pw_part *part = &m->parts[i];

		if (part->name.len > 0)
			look(run, part->name);
		if (part->other_name.len > 0)
			look(run, part->other_name);
		for (size_t k = 0; part->archive != NULL && k < part->archive->count; k++)
			look(run, part->archive->entries[k].name);
	}
}

void pw_check_own_rules(const struct pw_check *check)
{
	static void (*const texts[KINDS])(struct run * run) = {
		[KIND_HEADER] = look_at_header,
		[KIND_RAW_HEADER] = look_at_raw_header,
		[KIND_SUBJECT] = look_at_subject,
		[KIND_BODY] = look_at_body,
		[KIND_RAW_BODY] = look_at_raw_body,
		[KIND_URL] = look_at_urls,
		[KIND_ATTACHMENT] = look_at_attachments,
	};
	const struct pw_own_rules *rules = check->own_rules;
	PW_AUTO(pw_matching_free) struct pw_matching *matching = NULL;
	struct run run = { .check = check };

	if (rules == NULL || rules->count == 0 || pw_matching_new(&matching) != PW_OK)
		return;
	run.matching = matching;
	for (size_t t = 0; t < rules->count; t++) {
		run.target = &rules->targets[t];
		texts[run.target->kind](&run);
	}
}

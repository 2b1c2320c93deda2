#include "policyd/rule_row.h"

/* The columns of RULES_SQL; those of RULES_EXEMPTION_SQL begin at COLUMN_AUTHENTICATED.
 */
enum column {
	COLUMN_ID,
	COLUMN_KEY,
	COLUMN_WHO,
	COLUMN_UNIT,
	COLUMN_KIND,
	COLUMN_LIMIT,
	COLUMN_PERIOD_S,
	COLUMN_BURST,
	COLUMN_ACTION,
	COLUMN_CODE,
	COLUMN_TEXT,
	COLUMN_BLOCK_S,
	COLUMN_DRY_RUN,
	COLUMN_ON_OUTAGE,
	COLUMN_STRICT,
	COLUMN_PRIORITY,
	COLUMN_INHERIT,
	COLUMN_PREFIX4,
	COLUMN_PREFIX6,
	COLUMN_TELL,
	COLUMN_AUTHENTICATED,
	COLUMN_LOGIN,
	COLUMN_SENDER,
	COLUMN_CLIENT,
	COLUMN_CLIENT_NAME,
	COLUMN_RECIPIENT,
	COLUMN_CONTEXT,
	COLUMN_PORT,
	COLUMNS,
};
_Static_assert(COLUMNS == RULES_COLUMNS, "the columns of the statement");
_Static_assert(COLUMNS - COLUMN_AUTHENTICATED == RULES_EXEMPTION_COLUMNS,
               "those of the exemptions");

/* ---- single columns */

static const char *const words[RULE_WORDS] = {
	[WORD_LOGIN] = "login",
	[WORD_LOGIN_DOMAIN] = "login_domain",
	[WORD_SENDER] = "sender",
	[WORD_SENDER_DOMAIN] = "sender_domain",
	[WORD_RECIPIENT] = "recipient",
	[WORD_RECIPIENT_DOMAIN] = "recipient_domain",
	[WORD_CLIENT] = "client",
	[WORD_CLIENT_NAME] = "client_name",
	[WORD_CONTEXT] = "policy_context",
	[WORD_PORT] = "server_port",
	[WORD_SERVER] = "server",
};
static const char *const kinds[RULE_KINDS] = { "bucket", "window" };
static const char *const units[RULE_UNITS] = { "messages", "recipients", "bytes" };
static const char *const actions[RULE_ACTIONS] = { "defer", "reject", "hold", "block" };
static const char *const outages[RULE_OUTAGES] = { "share", "open", "closed" };
static const char *const tells[RULE_TELLS] = { "nobody", "user", "admin", "both" };

/* Place of a word in a list of names; -1 = it is none of them. */
static int place_of(struct pw_str text, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (pw_str_eq(text, pw_str_from(names[i])))
			return i;
	return -1;
}

#define READ_NAME(text, names, out)                                                      \
	do {                                                                             \
		int place_ = place_of(text, names, PW_LEN(names));                       \
                                                                                         \
		if (place_ < 0)                                                          \
			return PW_ERR_SYNTAX;                                            \
		*(out) = (unsigned int)place_;                                           \
	} while (0)

/* SQL NULL is the smallest. */
static enum pw_status read_number(struct pw_str text, int64_t min, int64_t max,
                                  int64_t *out)
{
	*out = min;
	return text.at == NULL ? PW_OK : pw_str_to_int64(text, min, max, out);
}

static bool is_true(struct pw_str text)
{
	return pw_str_eq(text, PW_STR("t"));
}

static enum pw_status read_key(struct catalog_rule *rule, struct pw_str text)
{
	while (text.len > 0) {
		struct pw_str word = pw_str_cut(&text, ' ');

		if (rule->word_count == RULE_KEY_WORDS_MAX)
			return PW_ERR_RANGE;
		READ_NAME(word, words, &rule->words[rule->word_count]);
		rule->word_count++;
	}
	return rule->word_count > 0 ? PW_OK : PW_ERR_SYNTAX;
}

/* limit_count, period_s, burst; a limit of 0 is none, a burst of NULL the limit. */
static enum pw_status read_rate(struct catalog_rule *rule, const struct pw_str *fields)
{
	int64_t limit, period_s, burst;
	enum pw_status r;

	if ((r = read_number(fields[COLUMN_LIMIT], 0, PW_RATE_COUNT_MAX, &limit)) !=
	            PW_OK ||
	    (r = read_number(fields[COLUMN_PERIOD_S], 1, PW_RATE_PERIOD_MAX_US / 1000000,
	                     &period_s)) != PW_OK ||
	    (r = read_number(fields[COLUMN_BURST], 0, PW_RATE_COUNT_MAX, &burst)) !=
	            PW_OK)
		return r;
	rule->is_unlimited = limit == 0;
	if (burst == 0 || rule->kind == RULE_WINDOW)
		burst = limit;
	rule->rate = (struct pw_rate){ limit, period_s * 1000000, burst };
	return rule->is_unlimited || pw_rate_valid(&rule->rate) ? PW_OK : PW_ERR_RANGE;
}

static enum pw_status read_numbers(struct catalog_rule *rule, const struct pw_str *fields)
{
	int64_t block_s, prefix4, prefix6;
	enum pw_status r;

	if ((r = read_number(fields[COLUMN_ID], INT64_MIN, INT64_MAX, &rule->id)) !=
	            PW_OK ||
	    (r = read_number(fields[COLUMN_BLOCK_S], 0, PW_RATE_PERIOD_MAX_US / 1000000,
	                     &block_s)) != PW_OK ||
	    (r = read_number(fields[COLUMN_PREFIX4], 0, 32, &prefix4)) != PW_OK ||
	    (r = read_number(fields[COLUMN_PREFIX6], 0, 128, &prefix6)) != PW_OK)
		return r;
	rule->block_us = block_s * 1000000;
	rule->prefix4 = (uint8_t)prefix4;
	rule->prefix6 = (uint8_t)prefix6;
	return read_rate(rule, fields);
}

static enum pw_status read_names(struct catalog_rule *rule, const struct pw_str *fields)
{
	READ_NAME(fields[COLUMN_UNIT], units, &rule->unit);
	READ_NAME(fields[COLUMN_KIND], kinds, &rule->kind);
	READ_NAME(fields[COLUMN_ACTION], actions, &rule->action);
	READ_NAME(fields[COLUMN_ON_OUTAGE], outages, &rule->on_outage);
	READ_NAME(fields[COLUMN_TELL], tells, &rule->tell);
	rule->is_dry_run = is_true(fields[COLUMN_DRY_RUN]);
	rule->is_strict = is_true(fields[COLUMN_STRICT]);
	rule->inherits = is_true(fields[COLUMN_INHERIT]);
	return read_key(rule, fields[COLUMN_KEY]);
}

/* ---- patterns */

/* An address, "@domain" or "@.suffix", whose '@' goes; "<>" is the null sender. */
static enum pw_status read_pattern(struct rule_pattern *out, struct pw_arena *arena,
                                   struct pw_str text)
{
	out->form = FORM_EXACT;
	if (text.len == 0) {
		out->form = FORM_ANY;
	} else if (pw_str_eq(text, PW_STR("<>"))) {
		out->form = FORM_NULL;
	} else if (pw_str_starts(text, PW_STR("@."))) {
		out->form = FORM_SUFFIX;
		text = pw_str_sub(text, 1, text.len);
	} else if (text.at[0] == '@') {
		out->form = FORM_DOMAIN;
	}
	return pw_arena_copy(arena, text, &out->text);
}

/* A host name and all below it; the dot before it may be missing. */
static enum pw_status read_suffix(struct rule_pattern *out, struct pw_arena *arena,
                                  struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf dotted = { 0 };

	if (text.len == 0)
		return PW_OK;
	out->form = FORM_SUFFIX;
	if (text.at[0] != '.')
		pw_buf_putc(&dotted, '.');
	pw_buf_put_lower(&dotted, text);
	if (pw_buf_status(&dotted) != PW_OK)
		return pw_buf_status(&dotted);
	return pw_arena_copy(arena, pw_buf_str(&dotted), &out->text);
}

enum pw_status rule_row_when(struct rule_when *out, struct pw_arena *arena,
                             const struct pw_str *fields)
{
	const struct pw_str *f = fields - COLUMN_AUTHENTICATED;
	struct pw_str is_authenticated = f[COLUMN_AUTHENTICATED];
	enum pw_status r = PW_OK;

	*out = (struct rule_when){ .is_authenticated = -1 };
	if (is_authenticated.len > 0)
		out->is_authenticated = is_true(is_authenticated);
	if (f[COLUMN_CLIENT].len > 0)
		r = pw_net_parse(&out->client, f[COLUMN_CLIENT]);
	if (r != PW_OK ||
	    (r = read_pattern(&out->login, arena, f[COLUMN_LOGIN])) != PW_OK ||
	    (r = read_pattern(&out->sender, arena, f[COLUMN_SENDER])) != PW_OK ||
	    (r = read_pattern(&out->recipient, arena, f[COLUMN_RECIPIENT])) != PW_OK ||
	    (r = read_suffix(&out->client_name, arena, f[COLUMN_CLIENT_NAME])) != PW_OK ||
	    (r = read_number(f[COLUMN_PORT], 0, 65535, &out->port)) != PW_OK)
		return r;
	return pw_arena_copy(arena, f[COLUMN_CONTEXT], &out->context);
}

/* ---- whose rule it is */

struct pw_ip rule_row_mask(struct pw_ip ip, uint8_t bits)
{
	for (size_t i = 0; i < sizeof(ip.bytes); i++) {
		size_t first = i * 8;

		if (first >= bits)
			ip.bytes[i] = 0;
		else if (bits - first < 8)
			ip.bytes[i] &= (uint8_t)(0xff << (8 - (bits - first)));
	}
	return ip;
}

/* The nearer a `who` is, the more. */
static int64_t nearness(const struct rule_row *row)
{
	switch (row->who.form) {
	case FORM_EXACT:
		return 2000;
	case FORM_DOMAIN:
		return 1000;
	case FORM_SUFFIX:
		return (int64_t)row->who.text.len;
	case FORM_NET:
		return 1 + row->net.bits;
	case FORM_ANY:
	case FORM_NULL:
		break;
	}
	return 0;
}

static enum pw_status read_net(struct rule_row *row, struct pw_str text)
{
	row->who.form = FORM_NET;
	return pw_net_parse(&row->net, text);
}

static enum pw_status read_exact(struct rule_row *row, struct pw_arena *arena,
                                 struct pw_str text)
{
	row->who.form = FORM_EXACT;
	return pw_arena_copy(arena, text, &row->who.text);
}

static enum pw_status read_who(struct rule_row *row, struct pw_arena *arena,
                               struct pw_str text)
{
	row->who = (struct rule_pattern){ FORM_ANY, PW_STR("*") };
	if (pw_str_eq(text, PW_STR("*")))
		return PW_OK;
	if (text.len == 0)
		return PW_ERR_SYNTAX;
	switch (row->rule.words[0]) {
	case WORD_LOGIN:
	case WORD_SENDER:
	case WORD_RECIPIENT:
		return read_pattern(&row->who, arena, text);
	case WORD_LOGIN_DOMAIN:
	case WORD_SENDER_DOMAIN:
	case WORD_RECIPIENT_DOMAIN:
		return text.at[0] == '@' ? read_pattern(&row->who, arena, text)
		                         : PW_ERR_SYNTAX;
	case WORD_CLIENT:
		return read_net(row, text);
	case WORD_CLIENT_NAME:
		return read_suffix(&row->who, arena, text);
	case WORD_CONTEXT:
	case WORD_PORT:
		return read_exact(row, arena, text);
	case WORD_SERVER:
	case RULE_WORDS:
		break;
	}
	return PW_ERR_SYNTAX;
}

enum pw_status rule_row_read(struct rule_row *out, struct pw_arena *arena,
                             const struct pw_str *fields)
{
	struct catalog_rule *rule = &out->rule;
	int64_t priority = 0;
	enum pw_status r;

	*out = (struct rule_row){ .rule = { .id = 0 } };
	if ((r = read_names(rule, fields)) != PW_OK ||
	    (r = read_numbers(rule, fields)) != PW_OK ||
	    (r = read_who(out, arena, fields[COLUMN_WHO])) != PW_OK ||
	    (r = rule_row_when(&rule->when, arena, fields + COLUMN_AUTHENTICATED)) !=
	            PW_OK ||
	    (r = pw_arena_copy(arena, fields[COLUMN_CODE], &rule->code)) != PW_OK ||
	    (r = pw_arena_copy(arena, fields[COLUMN_TEXT], &rule->text)) != PW_OK)
		return r;
	if (out->who.form == FORM_NULL)
		return PW_ERR_SYNTAX;
	if (fields[COLUMN_PRIORITY].len > 0 &&
	    (r = pw_str_to_int64(fields[COLUMN_PRIORITY], -1000, 1000, &priority)) !=
	            PW_OK)
		return r;
	rule->rank = priority * 10000 + nearness(out);
	return PW_OK;
}

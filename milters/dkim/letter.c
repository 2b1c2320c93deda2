#include "dkim/letter.h"

#include <stdlib.h>
#include <string.h>

#include "core/canon.h"
#include "io/resolver.h"

#define NO_DEADLINE INT64_MAX

struct field {
	struct pw_str name, value;
	struct field *next;
};

struct record {
	struct pw_str name, text, value; /* value: of the field */
};

struct letter {
	struct pw_resolver resolver; /* first: its questions come back here */
	struct pw_arena *arena;
	struct field *first, **last;
	struct pw_buf body;
	struct record records[LETTER_KEYS_MAX];
	size_t count;
	struct pw_str id;
};

struct ticket {
	struct pw_dns_ticket base;
	const struct letter *letter;
	struct pw_buf name;
};

static enum pw_status ask(struct pw_resolver *resolver,
                          const struct pw_dns_question *question,
                          struct pw_dns_ticket **out)
{
	struct ticket *ticket = calloc(1, sizeof(*ticket));

	if (!ticket)
		return PW_ERR_NOMEM;
	ticket->base.kind = resolver->kind;
	ticket->letter = (const struct letter *)resolver;
	pw_buf_puts(&ticket->name, question->name);
	if (pw_buf_status(&ticket->name) != PW_OK) {
		free(ticket);
		return PW_ERR_NOMEM;
	}
	*out = &ticket->base;
	return PW_OK;
}

static enum pw_status wait_for(struct pw_dns_ticket *base, int64_t deadline_ms,
                               struct pw_arena *arena, struct pw_dns_answer *out)
{
	const struct ticket *ticket = (const struct ticket *)base;
	struct pw_dns_answer answer = { .rcode = PW_DNS_NXDOMAIN };

	(void)deadline_ms;
	for (size_t i = 0; i < ticket->letter->count && answer.count == 0; i++) {
		const struct record *record = &ticket->letter->records[i];
		struct pw_dns_record *copy;

		if (!pw_str_eq_nocase(record->name, pw_buf_str(&ticket->name)))
			continue;
		if (!(copy = pw_arena_alloc(arena, sizeof(*copy))))
			return PW_ERR_NOMEM;
		copy->text = record->text;
		answer = (struct pw_dns_answer){ .rcode = PW_DNS_OK,
			                         .records = copy,
			                         .count = 1 };
	}
	*out = answer;
	return PW_OK;
}

static void drop(struct pw_dns_ticket *base)
{
	struct ticket *ticket = (struct ticket *)base;

	pw_buf_done(&ticket->name);
	free(ticket);
}

static const struct pw_resolver_kind own_keys = { .ask = ask,
	                                          .wait = wait_for,
	                                          .drop = drop };

enum pw_status letter_new(struct letter **out)
{
	struct letter *letter = calloc(1, sizeof(*letter));
	enum pw_status r;

	if (!letter)
		return PW_ERR_NOMEM;
	/* what verifying takes comes on top */
	if ((r = pw_arena_new(&letter->arena, 3 * LETTER_BYTES_MAX)) != PW_OK) {
		free(letter);
		return r;
	}
	letter->resolver.kind = &own_keys;
	letter->last = &letter->first;
	pw_buf_init(&letter->body, LETTER_BYTES_MAX);
	*out = letter;
	return PW_OK;
}

void letter_free(struct letter **letter)
{
	if (!*letter)
		return;
	pw_buf_done(&(*letter)->body);
	pw_arena_free(&(*letter)->arena);
	free(*letter);
	*letter = NULL;
}

enum pw_status letter_header(struct letter *letter, struct pw_str name,
                             struct pw_str value)
{
	struct field *field = pw_arena_alloc(letter->arena, sizeof(*field));
	enum pw_status r;

	if (!field || pw_arena_used(letter->arena) > LETTER_BYTES_MAX)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_copy(letter->arena, name, &field->name)) != PW_OK ||
	    (r = pw_arena_copy(letter->arena, value, &field->value)) != PW_OK)
		return r;
	*letter->last = field;
	letter->last = &field->next;
	return PW_OK;
}

enum pw_status letter_body(struct letter *letter, struct pw_str chunk)
{
	pw_buf_puts(&letter->body, chunk);
	return pw_buf_status(&letter->body) == PW_OK ? PW_OK : PW_ERR_NOMEM;
}

enum pw_status letter_signature(struct letter *letter, struct pw_str value,
                                struct pw_str domain, struct pw_str selector,
                                const struct pw_dkim_key *key)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct record *record = &letter->records[letter->count];
	enum pw_status r;

	if (letter->count == LETTER_KEYS_MAX)
		return PW_ERR_LIMIT;
	pw_buf_printf(&name, "%.*s._domainkey.%.*s", PW_FMT(selector), PW_FMT(domain));
	if ((r = pw_buf_status(&name)) != PW_OK ||
	    (r = pw_dkim_key_record(key, &text)) != PW_OK ||
	    (r = pw_arena_copy(letter->arena, pw_buf_str(&name), &record->name)) !=
	            PW_OK ||
	    (r = pw_arena_copy(letter->arena, pw_buf_str(&text), &record->text)) !=
	            PW_OK ||
	    (r = pw_arena_copy(letter->arena, value, &record->value)) != PW_OK)
		return r;
	letter->count++;
	return PW_OK;
}

enum pw_status letter_name(struct letter *letter, const char *id)
{
	return pw_arena_copy(letter->arena, pw_str_from(id), &letter->id);
}

const char *letter_id(const struct letter *letter)
{
	return letter->id.len > 0 ? letter->id.at : NULL;
}

static enum pw_status feed(struct pw_dkim *dkim, const struct letter *letter)
{
	enum pw_status r;

	for (size_t i = 0; i < letter->count; i++) {
		PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

		pw_buf_putc(&value, ' ');
		pw_buf_puts(&value, letter->records[i].value);
		if ((r = pw_buf_status(&value)) != PW_OK ||
		    (r = pw_dkim_header(dkim, PW_STR("DKIM-Signature"),
		                        pw_buf_str(&value))) != PW_OK)
			return r;
	}
	for (const struct field *field = letter->first; field; field = field->next)
		if ((r = pw_dkim_header(dkim, field->name, field->value)) != PW_OK)
			return r;
	if ((r = pw_dkim_eoh(dkim, PW_STR(""))) != PW_OK)
		return r;
	return pw_dkim_body(dkim, pw_buf_str(&letter->body));
}

/* libopendkim wants a From that it can read, and looks at so many fields and signatures.
 */
static enum letter_result judge(const struct pw_dkim_verdict *verdict)
{
	static const char *const unread[] = { "From missing or unreadable",
		                              "too many header fields" };

	if (verdict->result == PW_DKIM_PASS || verdict->result == PW_DKIM_POLICY)
		return LETTER_FINE;
	if (verdict->result == PW_DKIM_NEUTRAL)
		return LETTER_UNDECIDED;
	for (size_t i = 0; i < PW_LEN(unread); i++)
		if (strcmp(verdict->reason, unread[i]) == 0)
			return LETTER_UNDECIDED;
	return LETTER_BROKEN;
}

enum pw_status letter_verify(struct letter_verdict *out, struct letter *letter,
                             struct pw_dkim_lib *lib, int64_t now_ms)
{
	PW_AUTO(pw_dkim_free) struct pw_dkim *dkim = NULL;
	const struct pw_dkim_verdict *verdicts;
	size_t count;
	enum pw_status r;

	if ((r = pw_dkim_new(&dkim, lib, &letter->resolver, letter->arena, now_ms)) !=
	            PW_OK ||
	    (r = feed(dkim, letter)) != PW_OK ||
	    (r = pw_dkim_eom(dkim, NO_DEADLINE, &verdicts, &count)) != PW_OK)
		return r;
	*out = (struct letter_verdict){ .result = LETTER_FINE, .reason = "" };
	for (size_t i = 0; i < letter->count && i < count; i++) { /* ours are on top */
		enum letter_result result = judge(&verdicts[i]);

		if (result == LETTER_FINE || out->result == LETTER_BROKEN)
			continue;
		*out = (struct letter_verdict){ result, verdicts[i].reason,
			                        verdicts[i].domain,
			                        verdicts[i].selector };
	}
	return PW_OK;
}

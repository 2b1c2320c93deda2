#include "mail/arc.h"

#include <string.h>

#include "core/taglist.h"
#include "mail/arc_crypto.h"
#include "mail/dkim_check.h"

/* A signature to be looked at. */
struct job {
	struct pw_arc_signature says;
	struct pw_dns_ticket *ticket;
};

struct pw_arc {
	struct pw_resolver *resolver;
	struct pw_arena *arena;
	int64_t now_s;
	struct pw_arc_field *fields; /* all of the header, for h= */
	size_t count, room, bytes;
	bool is_cut; /* there were more */
	struct pw_arc_chain chain;
	const char *failure; /* static text; NULL = none so far */
	struct job message;  /* the newest set's */
	struct job seals[PW_ARC_SETS_MAX];
	struct pw_arc_body *body;
};

enum pw_status pw_arc_new(struct pw_arc **out, struct pw_resolver *resolver,
                          struct pw_arena *arena, int64_t now_ms)
{
	struct pw_arc *arc = pw_arena_alloc(arena, sizeof(*arc));

	if (arc == NULL)
		return PW_ERR_NOMEM;
	arc->resolver = resolver;
	arc->arena = arena;
	arc->now_s = now_ms / 1000;
	*out = arc;
	return PW_OK;
}

static void drop_questions(struct pw_arc *arc)
{
	pw_dns_drop(&arc->message.ticket);
	for (size_t i = 0; i < PW_ARC_SETS_MAX; i++)
		pw_dns_drop(&arc->seals[i].ticket);
}

void pw_arc_free(struct pw_arc **arc)
{
	if (*arc == NULL)
		return;
	drop_questions(*arc);
	pw_arc_body_free(&(*arc)->body);
	*arc = NULL; /* its memory is the arena's */
}

static enum pw_status grow(struct pw_arc *arc)
{
	size_t room = arc->room == 0 ? 32 : arc->room * 2;
	struct pw_arc_field *more = pw_arena_array(arc->arena, room, sizeof(*more));

	if (more == NULL)
		return PW_ERR_NOMEM;
	if (arc->count > 0)
		memcpy(more, arc->fields, arc->count * sizeof(*more));
	arc->fields = more;
	arc->room = room;
	return PW_OK;
}

enum pw_status pw_arc_header(struct pw_arc *arc, struct pw_str name, struct pw_str value)
{
	enum pw_arc_kind kind;
	struct pw_arc_field *field;
	enum pw_status r;
	bool is_ours = pw_arc_kind_of(name, &kind);

	if (arc->count == PW_ARC_FIELDS_MAX ||
	    name.len + value.len > PW_ARC_HEADER_MAX - arc->bytes) {
		arc->failure = "header too large";
		arc->is_cut = true;
		if (is_ours && arc->chain.count == 0)
			arc->chain.count = 1; /* there is a chain, to be failed */
		return PW_OK;
	}
	if (arc->count == arc->room && (r = grow(arc)) != PW_OK)
		return r;
	field = &arc->fields[arc->count];
	if ((r = pw_arena_copy(arc->arena, name, &field->name)) != PW_OK ||
	    (r = pw_arena_copy(arc->arena, value, &field->value)) != PW_OK)
		return r;
	arc->count++;
	arc->bytes += name.len + value.len;
	if (is_ours)
		pw_arc_chain_add(&arc->chain, kind, field->name, field->value);
	return PW_OK;
}

const struct pw_arc_field *pw_arc_fields(const struct pw_arc *arc, size_t *count_out)
{
	*count_out = arc->count;
	return arc->is_cut ? NULL : arc->fields;
}

static bool is_there(const struct pw_arc *arc)
{
	return arc->chain.count > 0 || arc->chain.broken != NULL;
}

static void fail(struct pw_arc *arc, const char *why)
{
	if (arc->failure == NULL)
		arc->failure = why;
}

static enum pw_status begin(struct pw_arc *arc, struct job *job, enum pw_arc_kind kind,
                            unsigned set)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	struct pw_dns_question question = { .type = PW_DNS_TXT };
	const char *why = pw_arc_signature_read(
		&job->says, kind, arc->chain.sets[set].fields[kind].value, arc->now_s);

	if (why != NULL) {
		fail(arc, why);
		return PW_OK;
	}
	pw_buf_printf(&name, "%.*s._domainkey.%.*s", PW_FMT(job->says.selector),
	              PW_FMT(job->says.domain));
	if (pw_buf_status(&name) != PW_OK)
		return pw_buf_status(&name);
	question.name = pw_buf_str(&name);
	if (!pw_dns_name_is_valid(question.name)) {
		fail(arc, "name of the key is too long");
		return PW_OK;
	}
	return pw_dns_ask(arc->resolver, &question, &job->ticket);
}

enum pw_status pw_arc_eoh(struct pw_arc *arc)
{
	unsigned last = arc->chain.count - 1;
	enum pw_status r;

	if (!is_there(arc))
		return PW_OK;
	if (arc->failure == NULL)
		arc->failure = pw_arc_chain_check(&arc->chain);
	if (arc->failure != NULL)
		return PW_OK;
	if ((r = begin(arc, &arc->message, PW_ARC_MESSAGE, last)) != PW_OK)
		return r;
	for (unsigned i = 0; i <= last && arc->failure == NULL; i++)
		if ((r = begin(arc, &arc->seals[i], PW_ARC_SEAL, i)) != PW_OK)
			return r;
	if (arc->failure != NULL) {
		drop_questions(arc);
		return PW_OK;
	}
	return pw_arc_body_new(&arc->body, arc->message.says.is_body_simple,
	                       arc->message.says.body_max);
}

void pw_arc_add_body(struct pw_arc *arc, struct pw_str chunk)
{
	if (arc->body != NULL)
		pw_arc_body_add(arc->body, chunk);
}

static enum pw_status check_body(struct pw_arc *arc)
{
	PW_AUTO(pw_buf_done) struct pw_buf have = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf want = { 0 };
	size_t line_max;
	bool has_stray;
	enum pw_status r = pw_arc_body_end(arc->body, &have, &line_max, &has_stray);

	if (r != PW_OK && r != PW_ERR_RANGE)
		return r;
	pw_tag_put_packed(&want, arc->message.says.body_hash);
	if (r == PW_ERR_RANGE || !pw_str_eq(pw_buf_str(&have), pw_buf_str(&want)))
		fail(arc, "body hash mismatch");
	return pw_buf_status(&want);
}

static enum pw_status check_job(struct pw_arc *arc, struct job *job,
                                const struct pw_buf *data, const char *mismatch,
                                int64_t deadline_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf record = { 0 };
	struct pw_dkim_public key;
	struct pw_dns_answer answer;
	const char *reason;
	enum pw_status r;

	if ((r = pw_buf_status(data)) != PW_OK ||
	    (r = pw_dns_wait(&job->ticket, deadline_ms, arc->arena, &answer)) != PW_OK)
		return r;
	r = pw_dkim_check_key(&key, &record, &reason, &answer, job->says.algorithm);
	if (r == PW_ERR_NOMEM)
		return r;
	if (r != PW_OK || key.weakness != NULL) {
		fail(arc, r != PW_OK ? reason : key.weakness);
		return PW_OK;
	}
	r = pw_arc_check(pw_buf_str(&record), job->says.algorithm, pw_buf_str(data),
	                 job->says.signature);
	if (r == PW_ERR_CRYPTO)
		fail(arc, mismatch);
	return r == PW_ERR_NOMEM ? r : PW_OK;
}

static enum pw_status check_message(struct pw_arc *arc, int64_t deadline_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };
	const struct pw_arc_signature *says = &arc->message.says;
	enum pw_status r;

	r = pw_arc_put_signed(
		&data, arc->fields, arc->count,
		&arc->chain.sets[arc->chain.count - 1].fields[PW_ARC_MESSAGE],
		says->names, says->is_header_simple);
	if (r != PW_OK)
		return r;
	return check_job(arc, &arc->message, &data, "message signature mismatch",
	                 deadline_ms);
}

static enum pw_status check_seals(struct pw_arc *arc, int64_t deadline_ms)
{
	enum pw_status r = PW_OK;

	for (unsigned i = arc->chain.count; i > 0 && arc->failure == NULL && r == PW_OK;
	     i--) {
		PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };

		pw_arc_put_sealed(&data, &arc->chain, i, false);
		r = check_job(arc, &arc->seals[i - 1], &data, "seal mismatch",
		              deadline_ms);
	}
	return r;
}

static bool covers_from(const struct pw_arc_signature *says)
{
	struct pw_str names = says->names, one;

	while (pw_tag_next_item(&names, &one))
		if (pw_str_eq_nocase(one, PW_STR("From")))
			return says->body_max == INT64_MAX;
	return false;
}

enum pw_status pw_arc_end(struct pw_arc *arc, int64_t deadline_ms,
                          struct pw_arc_verdict *out)
{
	enum pw_status r = PW_OK;

	if (arc->body != NULL && (r = check_body(arc)) != PW_OK)
		return r;
	if (arc->body != NULL && arc->failure == NULL &&
	    ((r = check_message(arc, deadline_ms)) != PW_OK ||
	     (r = check_seals(arc, deadline_ms)) != PW_OK))
		return r;
	*out = (struct pw_arc_verdict){ .reason = "", .chain = &arc->chain };
	if (!is_there(arc))
		return PW_OK;
	out->result = arc->failure != NULL ? PW_ARC_FAIL : PW_ARC_PASS;
	out->reason = arc->failure != NULL ? arc->failure : "";
	out->covers_from = arc->failure == NULL && covers_from(&arc->message.says);
	return PW_OK;
}

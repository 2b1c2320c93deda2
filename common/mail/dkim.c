#include "mail/dkim.h"

#include <opendkim/dkim.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "core/canon.h"
#include "core/taglist.h"
#include "mail/arc_crypto.h"
#include "mail/dkim_check.h"
#include "mail/dkim_header.h"
#include "mail/dkim_key.h"

#define SIGNATURE_START 8                  /* bytes of b= for header.b */
#define DRAFTS_UNTIL_S INT64_C(1177977600) /* May 2007: RFC 4871 asks for v= */

/* libopendkim writes one slot beyond an array of as many slots as there are header fields
 * when h= uses every one of them up (dkim_canon_selecthdrs). A field that no h= can name,
 * because blanks are taken out of h= before it is looked at, keeps one slot free. */
#define GUARD_FIELD "Postward Guard:"

/* p= of a key that libopendkim has no room for, so that it looks at the body all the
 * same: that of RFC 8463 A.2, as good a number as any. */
#define STAND_IN                                                                         \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5" \
	"bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3" \
	"rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"

struct pw_dkim_lib {
	DKIM_LIB *handle;
};

/* One DKIM-Signature. */
struct field {
	struct pw_dkim_verdict verdict;
	bool is_decided;  /* verdict.result stands, whatever libopendkim says */
	bool is_in_lib;   /* libopendkim made a handle for it */
	bool is_selected; /* one of those to verify */
	bool is_draft;    /* made when v= was not known, see judge_draft */
	bool is_wide;     /* the header is our own work, see STAND_IN */
	DKIM_SIGINFO *sig;
	struct pw_dns_ticket *ticket;
	struct pw_str body_hash, canon, length; /* bh=, c=, l= */
	struct pw_arc_body *body;               /* our own work, where is_draft */
	struct pw_str record; /* key for libopendkim, NUL-terminated; empty = none */
	const char *weakness;
};

struct pw_dkim {
	struct pw_dkim_lib *lib;
	struct pw_resolver *resolver;
	struct pw_arena *arena;
	DKIM *handle;
	int64_t now_s;
	struct field *fields[PW_DKIM_FIELDS_MAX];
	size_t count;
	size_t headers;
	const char *malformed; /* why nothing of this message can be verified */
	bool has_work;         /* libopendkim wants the body */
	const struct pw_arc_field *header; /* lent; NULL = not */
	size_t header_count;
	char tail[2]; /* last bytes of the body */
	bool has_body;
};

static const char *const result_texts[PW_DKIM_RESULTS] = {
	[PW_DKIM_NONE] = "none",           [PW_DKIM_PASS] = "pass",
	[PW_DKIM_FAIL] = "fail",           [PW_DKIM_POLICY] = "policy",
	[PW_DKIM_NEUTRAL] = "neutral",     [PW_DKIM_TEMPERROR] = "temperror",
	[PW_DKIM_PERMERROR] = "permerror",
};

const char *pw_dkim_result_text(enum pw_dkim_result result)
{
	return result_texts[result];
}

static void decide(struct field *field, enum pw_dkim_result result, const char *reason)
{
	field->verdict.result = result;
	field->verdict.reason = reason;
	field->is_decided = true;
}

/* libopendkim's handles are the readable signatures in the order of the message. Those
 * that were not selected are set aside. */
static DKIM_CBSTAT prescreen(DKIM *handle, DKIM_SIGINFO **sigs, int count)
{
	struct pw_dkim *dkim = dkim_get_user_context(handle);
	int n = 0;

	for (size_t i = 0; i < dkim->count; i++) {
		struct field *field = dkim->fields[i];

		if (!field->is_in_lib || n == count)
			continue;
		field->sig = sigs[n++];
		if (!field->is_selected || field->is_draft)
			dkim_sig_ignore(field->sig);
	}
	return DKIM_CBSTAT_CONTINUE;
}

/* The record for libopendkim: the key's own, or that with a stand-in as key. */
static void put_record(struct pw_buf *out, const struct field *field)
{
	struct pw_str rest = field->record, tag;

	if (!field->is_wide) {
		pw_buf_puts(out, field->record);
		return;
	}
	while (rest.at != NULL) {
		tag = pw_str_trim(pw_str_cut(&rest, ';'));
		if (rest.at == NULL) /* p= is the last */
			break;
		pw_buf_puts(out, tag);
		pw_buf_puts(out, PW_STR("; "));
	}
	pw_buf_puts(out, PW_STR("p=" STAND_IN));
}

/* The keys were fetched before dkim_eom. */
static DKIM_CBSTAT key_lookup(DKIM *handle, DKIM_SIGINFO *sig, u_char *buf, size_t size)
{
	struct pw_dkim *dkim = dkim_get_user_context(handle);
	PW_AUTO(pw_buf_done) struct pw_buf record = { 0 };

	for (size_t i = 0; i < dkim->count; i++) {
		const struct field *field = dkim->fields[i];

		if (field->sig != sig || field->record.len == 0)
			continue;
		put_record(&record, field);
		if (pw_buf_status(&record) != PW_OK || record.len >= size)
			return DKIM_CBSTAT_NOTFOUND;
		memcpy(buf, pw_buf_text(&record), record.len + 1);
		return DKIM_CBSTAT_CONTINUE;
	}
	return DKIM_CBSTAT_NOTFOUND;
}

enum pw_status pw_dkim_lib_new(struct pw_dkim_lib **out, int64_t clock_shift_s)
{
	struct pw_dkim_lib *lib = calloc(1, sizeof(*lib));
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC; /* nothing before dkim_eom */
	unsigned bits = 0;                           /* key sizes are our business */
	uint64_t drift = PW_DKIM_DRIFT_S +
	                 (uint64_t)(clock_shift_s < 0 ? -clock_shift_s : clock_shift_s);

	if (!lib)
		return PW_ERR_NOMEM;
	if (!(lib->handle = dkim_init(NULL, NULL))) {
		free(lib);
		return PW_ERR_NOMEM;
	}
	if (dkim_options(lib->handle, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
	                 sizeof(flags)) != DKIM_STAT_OK ||
	    dkim_options(lib->handle, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits,
	                 sizeof(bits)) != DKIM_STAT_OK ||
	    dkim_options(lib->handle, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift,
	                 sizeof(drift)) != DKIM_STAT_OK ||
	    dkim_set_prescreen(lib->handle, prescreen) != DKIM_STAT_OK ||
	    dkim_set_key_lookup(lib->handle, key_lookup) != DKIM_STAT_OK) {
		pw_dkim_lib_free(&lib);
		return PW_ERR_CRYPTO;
	}
	*out = lib;
	return PW_OK;
}

void pw_dkim_lib_free(struct pw_dkim_lib **lib)
{
	if (!*lib)
		return;
	dkim_close((*lib)->handle);
	free(*lib);
	*lib = NULL;
}

static enum pw_status feed_header(struct pw_dkim *dkim, struct pw_str field,
                                  DKIM_STAT *stat_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_buf_puts(&text, field);
	if (pw_buf_status(&text) != PW_OK)
		return pw_buf_status(&text);
	*stat_out = dkim_header(dkim->handle, (u_char *)text.at, text.len);
	return *stat_out == DKIM_STAT_NORESOURCE || *stat_out == DKIM_STAT_INTERNAL
	               ? PW_ERR_NOMEM
	               : PW_OK;
}

enum pw_status pw_dkim_new(struct pw_dkim **out, struct pw_dkim_lib *lib,
                           struct pw_resolver *resolver, struct pw_arena *arena,
                           int64_t now_ms)
{
	static const u_char id[] = "postward";
	struct pw_dkim *dkim = pw_arena_alloc(arena, sizeof(*dkim));
	DKIM_STAT stat;
	enum pw_status r;

	if (!dkim)
		return PW_ERR_NOMEM;
	dkim->lib = lib;
	dkim->resolver = resolver;
	dkim->arena = arena;
	dkim->now_s = now_ms / 1000;
	if (!(dkim->handle = dkim_verify(lib->handle, id, NULL, &stat)))
		return PW_ERR_NOMEM;
	(void)dkim_set_user_context(dkim->handle, dkim);
	if ((r = feed_header(dkim, PW_STR(GUARD_FIELD), &stat)) != PW_OK) {
		pw_dkim_free(&dkim);
		return r;
	}
	*out = dkim;
	return PW_OK;
}

void pw_dkim_free(struct pw_dkim **dkim)
{
	if (!*dkim)
		return;
	for (size_t i = 0; i < (*dkim)->count; i++) {
		pw_dns_drop(&(*dkim)->fields[i]->ticket);
		pw_arc_body_free(&(*dkim)->fields[i]->body);
	}
	(void)dkim_free((*dkim)->handle);
	*dkim = NULL; /* its memory is the arena's */
}

static struct pw_str or_empty(struct pw_str s)
{
	return s.at != NULL ? s : PW_STR("");
}

static enum pw_status put_identity(struct pw_dkim *dkim, struct pw_dkim_verdict *verdict,
                                   struct pw_str identity)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	if (identity.at != NULL) {
		verdict->identity = identity;
		return PW_OK;
	}
	pw_buf_putc(&text, '@');
	pw_buf_puts(&text, verdict->domain);
	return pw_arena_copy(dkim->arena, pw_buf_str(&text), &verdict->identity);
}

static enum pw_status put_start(struct pw_dkim *dkim, struct pw_dkim_verdict *verdict,
                                struct pw_str signature)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_tag_put_packed(&text, signature);
	return pw_arena_copy(dkim->arena,
	                     pw_str_sub(pw_buf_str(&text), 0, SIGNATURE_START),
	                     &verdict->signature_start);
}

static bool is_of_draft_times(const struct pw_taglist *tags)
{
	int64_t made;

	return pw_str_to_int64(pw_taglist_get(tags, PW_STR("t")), 0, DRAFTS_UNTIL_S - 1,
	                       &made) == PW_OK;
}

static enum pw_status read_signature(struct pw_dkim *dkim, struct field *field,
                                     struct pw_str value)
{
	struct pw_dkim_verdict *verdict = &field->verdict;
	struct pw_taglist tags;
	const char *reason;
	enum pw_status r;

	verdict->reason = "";
	if (pw_taglist_parse(&tags, value) != PW_OK) {
		decide(field, PW_DKIM_PERMERROR, "signature is not a tag list");
		return PW_OK;
	}
	verdict->domain = or_empty(pw_taglist_get(&tags, PW_STR("d")));
	verdict->selector = or_empty(pw_taglist_get(&tags, PW_STR("s")));
	verdict->algorithm = or_empty(pw_taglist_get(&tags, PW_STR("a")));
	field->body_hash = or_empty(pw_taglist_get(&tags, PW_STR("bh")));
	field->canon = pw_taglist_get(&tags, PW_STR("c"));
	field->length = pw_taglist_get(&tags, PW_STR("l"));
	verdict->has_length = field->length.at != NULL;
	if ((r = put_identity(dkim, verdict, pw_taglist_get(&tags, PW_STR("i")))) !=
	            PW_OK ||
	    (r = put_start(dkim, verdict, pw_taglist_get(&tags, PW_STR("b")))) != PW_OK)
		return r;
	reason = pw_dkim_check_signature(&tags, dkim->now_s);
	field->is_draft = reason != NULL && strcmp(reason, PW_DKIM_NO_VERSION) == 0 &&
	                  is_of_draft_times(&tags);
	if (reason != NULL && !field->is_draft)
		decide(field, PW_DKIM_PERMERROR, reason);
	return PW_OK;
}

static enum pw_status add_signature(struct pw_dkim *dkim, struct pw_str value,
                                    bool in_lib)
{
	struct field *field = pw_arena_alloc(dkim->arena, sizeof(*field));
	struct pw_str copy;
	enum pw_status r;

	if (!field)
		return PW_ERR_NOMEM;
	if ((r = pw_arena_copy(dkim->arena, value, &copy)) != PW_OK ||
	    (r = read_signature(dkim, field, copy)) != PW_OK)
		return r;
	field->is_in_lib = in_lib;
	if (!in_lib && !field->is_decided && (!field->is_draft || dkim->malformed))
		decide(field, PW_DKIM_PERMERROR,
		       dkim->malformed ? dkim->malformed : "signature cannot be read");
	dkim->fields[dkim->count++] = field;
	return PW_OK;
}

enum pw_status pw_dkim_header(struct pw_dkim *dkim, struct pw_str name,
                              struct pw_str value)
{
	PW_AUTO(pw_buf_done) struct pw_buf field = { 0 };
	bool is_signature =
		pw_str_eq_nocase(pw_str_trim_wsp(name), PW_STR("DKIM-Signature"));
	DKIM_STAT stat;
	enum pw_status r;

	if (is_signature && dkim->count == PW_DKIM_FIELDS_MAX)
		return PW_OK;
	if (++dkim->headers > PW_DKIM_HEADERS_MAX)
		dkim->malformed = "too many header fields";
	if (pw_str_find(name, '\0') < name.len || pw_str_find(value, '\0') < value.len)
		dkim->malformed = "NUL in the header"; /* C strings would end there */
	if (dkim->malformed)
		return is_signature ? add_signature(dkim, value, false) : PW_OK;
	pw_canon_header_simple(&field, name, value);
	if ((r = pw_buf_status(&field)) != PW_OK)
		return r;
	r = feed_header(dkim, pw_str_sub(pw_buf_str(&field), 0, field.len - 2), &stat);
	if (r != PW_OK || !is_signature)
		return r;
	return add_signature(dkim, value, stat == DKIM_STAT_OK);
}

/* Equal, or one is below the other: what DMARC may count. */
static bool is_aligned(struct pw_str a, struct pw_str b)
{
	struct pw_str shorter = a.len < b.len ? a : b, longer = a.len < b.len ? b : a;

	if (shorter.len == 0 || !pw_str_ends_nocase(longer, shorter))
		return false;
	return longer.len == shorter.len ||
	       longer.at[longer.len - shorter.len - 1] == '.';
}

static void select_fields(struct pw_dkim *dkim, struct pw_str from_domain)
{
	size_t selected = 0;

	for (int round = 0; round < 2;
	     round++) { /* aligned ones first, then the others */
		for (size_t i = 0; i < dkim->count; i++) {
			struct field *field = dkim->fields[i];

			if (field->is_decided || field->is_selected ||
			    (round == 0 &&
			     !is_aligned(field->verdict.domain, from_domain)))
				continue;
			if (selected++ < PW_DKIM_SIGNATURES_MAX)
				field->is_selected = true;
			else
				decide(field, PW_DKIM_NEUTRAL, "too many signatures");
		}
	}
}

static enum pw_status ask_key(struct pw_dkim *dkim, struct field *field)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };
	struct pw_dns_question question = { .type = PW_DNS_TXT };

	pw_buf_printf(&name, "%.*s._domainkey.%.*s", PW_FMT(field->verdict.selector),
	              PW_FMT(field->verdict.domain));
	if (pw_buf_status(&name) != PW_OK)
		return pw_buf_status(&name);
	question.name = pw_buf_str(&name);
	if (!pw_dns_name_is_valid(question.name)) {
		decide(field, PW_DKIM_PERMERROR, "name of the key is too long");
		return PW_OK;
	}
	return pw_dns_ask(dkim->resolver, &question, &field->ticket);
}

static void decide_all(struct pw_dkim *dkim, const char *reason)
{
	for (size_t i = 0; i < dkim->count; i++)
		if (!dkim->fields[i]->is_decided)
			decide(dkim->fields[i], PW_DKIM_PERMERROR, reason);
}

/* libopendkim finds nothing to do: what is our own work stays. */
static void decide_others(struct pw_dkim *dkim, const char *reason)
{
	for (size_t i = 0; i < dkim->count; i++)
		if (!dkim->fields[i]->is_decided && !dkim->fields[i]->is_draft)
			decide(dkim->fields[i], PW_DKIM_PERMERROR, reason);
}

/* What a draft's signature says of the body: c= and l=. */
static enum pw_status begin_body(struct field *field)
{
	struct pw_str canon = field->canon, body;
	int64_t body_max = INT64_MAX;

	(void)pw_str_cut(&canon, '/'); /* of the header; alone: the body is simple */
	body = canon.at != NULL ? canon : PW_STR("simple");
	if (field->verdict.has_length &&
	    pw_str_to_int64(field->length, 0, INT64_MAX, &body_max) != PW_OK)
		return PW_OK;
	return pw_arc_body_new(&field->body, pw_str_eq_nocase(body, PW_STR("simple")),
	                       body_max);
}

static enum pw_status begin_bodies(struct pw_dkim *dkim)
{
	enum pw_status r = PW_OK;

	for (size_t i = 0; i < dkim->count && r == PW_OK; i++)
		if (dkim->fields[i]->is_draft && dkim->fields[i]->is_selected)
			r = begin_body(dkim->fields[i]);
	return r;
}

enum pw_status pw_dkim_eoh(struct pw_dkim *dkim, struct pw_str from_domain)
{
	enum pw_status r;
	DKIM_STAT stat;

	if (dkim->malformed)
		decide_all(dkim, dkim->malformed);
	select_fields(dkim, from_domain);
	for (size_t i = 0; i < dkim->count; i++)
		if (dkim->fields[i]->is_selected &&
		    (r = ask_key(dkim, dkim->fields[i])) != PW_OK)
			return r;
	if (dkim->malformed || dkim->count == 0)
		return PW_OK;
	if ((r = begin_bodies(dkim)) != PW_OK)
		return r;
	stat = dkim_eoh(dkim->handle);
	dkim->has_work = stat == DKIM_STAT_OK;
	if (stat == DKIM_STAT_SYNTAX)
		decide_all(dkim, "From missing or unreadable");
	else if (stat != DKIM_STAT_OK)
		decide_others(dkim, "header cannot be verified");
	return PW_OK;
}

enum pw_status pw_dkim_body(struct pw_dkim *dkim, struct pw_str chunk)
{
	PW_AUTO(pw_buf_done) struct pw_buf copy = { 0 };
	DKIM_STAT stat;

	for (size_t i = 0; i < dkim->count; i++)
		if (dkim->fields[i]->body != NULL)
			pw_arc_body_add(dkim->fields[i]->body, chunk);
	if (!dkim->has_work || chunk.len == 0)
		return PW_OK;
	pw_buf_puts(&copy, chunk); /* the interface does not promise to leave it alone */
	if (pw_buf_status(&copy) != PW_OK)
		return pw_buf_status(&copy);
	dkim->tail[0] = copy.len > 1 ? copy.at[copy.len - 2] : dkim->tail[1];
	dkim->tail[1] = copy.at[copy.len - 1];
	dkim->has_body = true;
	stat = dkim_body(dkim->handle, (u_char *)copy.at, copy.len);
	return stat == DKIM_STAT_OK ? PW_OK : PW_ERR_NOMEM;
}

/* A body without line end at its end gets one (RFC 6376 3.4.3, 3.4.4); libopendkim would
 * refuse it. */
static enum pw_status end_body(struct pw_dkim *dkim)
{
	if (!dkim->has_body || (dkim->tail[0] == '\r' && dkim->tail[1] == '\n'))
		return PW_OK;
	return pw_dkim_body(dkim, PW_STR("\r\n"));
}

static enum pw_status fetch_key(struct pw_dkim *dkim, struct field *field,
                                int64_t deadline_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf record = { 0 };
	struct pw_dkim_public key;
	struct pw_dns_answer answer;
	const char *reason;
	enum pw_status r;

	if ((r = pw_dns_wait(&field->ticket, deadline_ms, dkim->arena, &answer)) != PW_OK)
		return r;
	r = pw_dkim_check_key(&key, &record, &reason, &answer, field->verdict.algorithm);
	if (r == PW_ERR_NOMEM)
		return r;
	if (r != PW_OK && field->is_draft) {
		decide(field, PW_DKIM_PERMERROR, PW_DKIM_NO_VERSION);
		return PW_OK;
	}
	if (r != PW_OK) {
		decide(field, r == PW_ERR_AWAY ? PW_DKIM_TEMPERROR : PW_DKIM_PERMERROR,
		       reason);
		return PW_OK;
	}
	field->is_wide = key.bits > PW_DKIM_RSA_BITS_MAX;
	field->verdict.key_bits = key.bits;
	field->verdict.is_test_key = key.is_test;
	field->weakness = key.weakness;
	return pw_arena_copy(dkim->arena, pw_buf_str(&record), &field->record);
}

void pw_dkim_lend_header(struct pw_dkim *dkim, const struct pw_arc_field *fields,
                         size_t count)
{
	dkim->header = fields;
	dkim->header_count = count;
}

/* Under the stand-in the signature is wrong, so libopendkim does not compare by itself.
 */
static enum pw_status put_body_hash(struct pw_buf *out, struct field *field)
{
	size_t header_len, body_len;
	void *header, *body;
	bool has_stray;

	if (field->body != NULL)
		return pw_arc_body_end(field->body, out, &body_len, &has_stray);
	if (dkim_sig_gethashes(field->sig, &header, &header_len, &body, &body_len) ==
	    DKIM_STAT_OK)
		pw_base64_put(out, PW_BASE64, body, body_len);
	return pw_buf_status(out);
}

/* Do body and header fit the signature? A verdict, once.
 *
 * Errors  PW_ERR_NOMEM; PW_ERR_CRYPTO */
static enum pw_status check_by_own(struct pw_dkim *dkim, size_t nth,
                                   const char **mismatch_out)
{
	struct field *field = dkim->fields[nth];
	PW_AUTO(pw_buf_done) struct pw_buf want = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf have = { 0 };
	enum pw_status r = put_body_hash(&have, field);

	if (r != PW_OK && r != PW_ERR_RANGE)
		return r;
	pw_tag_put_packed(&want, field->body_hash);
	if ((r = pw_buf_status(&want)) != PW_OK)
		return r;
	*mismatch_out = "body hash mismatch";
	if (!pw_str_eq(pw_buf_str(&have), pw_buf_str(&want)))
		return PW_OK;
	r = pw_dkim_check_header(dkim->header, dkim->header_count, nth, field->record);
	*mismatch_out = r == PW_OK ? NULL : "signature mismatch";
	return r == PW_ERR_NOMEM ? r : PW_OK;
}

/* A signature without v= is permerror (RFC 6376 6.1.1: ignored with PERMFAIL). In mail
 * that is older than the tag, an archive's, that tells nothing: what does not fit is
 * fail. */
static enum pw_status judge_draft(struct pw_dkim *dkim, size_t nth)
{
	const char *mismatch = NULL;
	enum pw_status r = PW_OK;

	if (dkim->header != NULL && dkim->fields[nth]->body != NULL)
		r = check_by_own(dkim, nth, &mismatch);
	if (mismatch != NULL)
		decide(dkim->fields[nth], PW_DKIM_FAIL, mismatch);
	else
		decide(dkim->fields[nth], PW_DKIM_PERMERROR, PW_DKIM_NO_VERSION);
	return r;
}

static const char *why_not_wide(const struct pw_dkim *dkim, const struct field *field)
{
	int error = dkim_sig_geterror(field->sig);
	const char *text = dkim_sig_geterrorstr(error);

	if (dkim->header == NULL)
		return "key too large";
	if (field->weakness)
		return field->weakness;
	if (error != DKIM_SIGERROR_BADSIG) /* as it must be under the stand-in */
		return text ? text : "signature not usable";
	return NULL;
}

static enum pw_status judge_wide(struct pw_dkim *dkim, size_t nth)
{
	struct field *field = dkim->fields[nth];
	const char *reason = why_not_wide(dkim, field);
	enum pw_status r;

	if (reason != NULL) {
		decide(field, PW_DKIM_PERMERROR, reason);
		return PW_OK;
	}
	if ((r = check_by_own(dkim, nth, &reason)) != PW_OK)
		return r;
	if (reason == NULL)
		decide(field, PW_DKIM_PASS, "");
	else
		decide(field, PW_DKIM_FAIL, reason);
	return PW_OK;
}

/* What libopendkim found out about a signature it was left to judge. */
static void judge_plain(struct field *field)
{
	bool has_passed = (dkim_sig_getflags(field->sig) & DKIM_SIGFLAG_PASSED) != 0;
	int error = dkim_sig_geterror(field->sig);
	int body = dkim_sig_getbh(field->sig);

	if (has_passed && body == DKIM_SIGBH_MATCH && error == DKIM_SIGERROR_OK) {
		if (field->weakness)
			decide(field, PW_DKIM_POLICY, field->weakness);
		else
			decide(field, PW_DKIM_PASS, "");
	} else if (error != DKIM_SIGERROR_BADSIG) {
		const char *text = dkim_sig_geterrorstr(error);

		decide(field, PW_DKIM_PERMERROR, text ? text : "signature not usable");
	} else if (body == DKIM_SIGBH_MISMATCH) {
		decide(field, PW_DKIM_FAIL, "body hash mismatch");
	} else {
		decide(field, PW_DKIM_FAIL, "signature mismatch");
	}
}

static enum pw_status judge(struct pw_dkim *dkim, size_t nth)
{
	struct field *field = dkim->fields[nth];

	if (field->is_decided)
		return PW_OK;
	if (field->is_draft)
		return judge_draft(dkim, nth);
	if (field->sig && field->is_wide)
		return judge_wide(dkim, nth);
	if (field->sig)
		judge_plain(field);
	else
		decide(field, PW_DKIM_PERMERROR, "signature cannot be read");
	return PW_OK;
}

enum pw_status pw_dkim_eom(struct pw_dkim *dkim, int64_t deadline_ms,
                           const struct pw_dkim_verdict **verdicts_out, size_t *count_out)
{
	struct pw_dkim_verdict *verdicts =
		pw_arena_array(dkim->arena, dkim->count + 1, sizeof(*verdicts));
	enum pw_status r;

	if (!verdicts)
		return PW_ERR_NOMEM;
	for (size_t i = 0; i < dkim->count; i++)
		if (dkim->fields[i]->ticket &&
		    (r = fetch_key(dkim, dkim->fields[i], deadline_ms)) != PW_OK)
			return r;
	if ((r = end_body(dkim)) != PW_OK)
		return r;
	if (dkim->has_work)
		(void)dkim_eom(dkim->handle,
		               NULL); /* each signature has its own result */
	for (size_t i = 0; i < dkim->count; i++) {
		if ((r = judge(dkim, i)) != PW_OK)
			return r;
		verdicts[i] = dkim->fields[i]->verdict;
	}
	*verdicts_out = verdicts;
	*count_out = dkim->count;
	return PW_OK;
}

enum pw_dkim_result pw_dkim_overall(const struct pw_dkim_verdict *verdicts, size_t count)
{
	static const enum pw_dkim_result order[] = {
		PW_DKIM_PASS, PW_DKIM_TEMPERROR, PW_DKIM_POLICY,
		PW_DKIM_FAIL, PW_DKIM_PERMERROR, PW_DKIM_NEUTRAL,
	};

	for (size_t o = 0; o < PW_LEN(order); o++)
		for (size_t i = 0; i < count; i++)
			if (verdicts[i].result == order[o])
				return order[o];
	return PW_DKIM_NONE;
}

#include "mail/arc_chain.h"

#include "core/ascii.h"
#include "core/canon.h"
#include "core/taglist.h"
#include "mail/dkim_check.h"

static const char *const field_names[PW_ARC_KINDS] = {
	[PW_ARC_RESULTS] = "ARC-Authentication-Results",
	[PW_ARC_MESSAGE] = "ARC-Message-Signature",
	[PW_ARC_SEAL] = "ARC-Seal",
};

static const char *const result_texts[] = {
	[PW_ARC_NONE] = "none",
	[PW_ARC_PASS] = "pass",
	[PW_ARC_FAIL] = "fail",
};

bool pw_arc_kind_of(struct pw_str name, enum pw_arc_kind *out)
{
	name = pw_str_trim_wsp(name);
	for (size_t i = 0; i < PW_ARC_KINDS; i++) {
		if (pw_str_eq_nocase(name, pw_str_from(field_names[i]))) {
			*out = (enum pw_arc_kind)i;
			return true;
		}
	}
	return false;
}

const char *pw_arc_field_name(enum pw_arc_kind kind)
{
	return field_names[kind];
}

const char *pw_arc_result_text(enum pw_arc_result result)
{
	return result_texts[result];
}

static struct pw_str get(const struct pw_taglist *tags, const char *name)
{
	return pw_taglist_get(tags, pw_str_from(name));
}

/* instance = 1*2DIGIT, 1..50 (RFC 8617 4.2.1); 0: it is none. */
static unsigned read_instance(struct pw_str text)
{
	int64_t n;

	if (text.len == 0 || text.len > 2 || !pw_is_digit(text.at[0]) ||
	    pw_str_to_int64(text, 1, PW_ARC_SETS_MAX, &n) != PW_OK)
		return 0;
	return (unsigned)n;
}

/* "i=1; authres-payload" (RFC 8617 4.1.1): i= comes first. */
static unsigned results_instance(struct pw_str value)
{
	struct pw_str rest = value, text;

	text = pw_str_cut(&rest, ';');
	if (rest.at == NULL ||
	    !pw_str_eq(pw_str_trim(pw_str_cut(&text, '=')), PW_STR("i")))
		return 0;
	return read_instance(pw_str_trim(text));
}

static bool read_cv(enum pw_arc_result *out, struct pw_str text)
{
	for (size_t i = 0; i < PW_LEN(result_texts); i++) {
		if (pw_str_eq(text, pw_str_from(result_texts[i]))) {
			*out = (enum pw_arc_result)i;
			return true;
		}
	}
	return false;
}

static void break_chain(struct pw_arc_chain *chain, const char *why)
{
	if (chain->broken == NULL)
		chain->broken = why;
}

static unsigned learn_tags(struct pw_arc_chain *chain, struct pw_arc_set *facts,
                           enum pw_arc_kind kind, struct pw_str value)
{
	struct pw_taglist tags;

	if (pw_taglist_parse(&tags, value) != PW_OK) {
		break_chain(chain, "a field is not a tag list");
		return 0;
	}
	if (kind == PW_ARC_SEAL) {
		facts->domain = get(&tags, "d");
		if (!read_cv(&facts->cv, get(&tags, "cv")))
			break_chain(chain, "cv= missing or unknown");
	}
	return read_instance(get(&tags, "i"));
}

void pw_arc_chain_add(struct pw_arc_chain *chain, enum pw_arc_kind kind,
                      struct pw_str name, struct pw_str value)
{
	struct pw_arc_set facts = { 0 }, *set;
	unsigned instance = kind == PW_ARC_RESULTS
	                            ? results_instance(value)
	                            : learn_tags(chain, &facts, kind, value);

	if (instance == 0) {
		break_chain(chain, "i= missing or not 1 to 50");
		return;
	}
	if (instance > chain->count)
		chain->count = instance;
	set = &chain->sets[instance - 1];
	if (set->fields[kind].value.at != NULL) {
		break_chain(chain, "two fields of one kind and instance");
		return;
	}
	set->fields[kind] = (struct pw_arc_field){ name, value };
	if (kind == PW_ARC_SEAL) {
		set->cv = facts.cv;
		set->domain = facts.domain;
	}
}

const char *pw_arc_chain_check(const struct pw_arc_chain *chain)
{
	if (chain->count > 0 && chain->sets[chain->count - 1].cv == PW_ARC_FAIL)
		return "the last seal says cv=fail"; /* step 2 */
	if (chain->broken != NULL)
		return chain->broken;
	for (unsigned i = 0; i < chain->count; i++) { /* step 3 */
		const struct pw_arc_set *set = &chain->sets[i];

		for (size_t kind = 0; kind < PW_ARC_KINDS; kind++)
			if (set->fields[kind].value.at == NULL)
				return "a set is not complete";
		if (set->cv != (i == 0 ? PW_ARC_NONE : PW_ARC_PASS))
			return "a seal has the wrong cv=";
	}
	return NULL;
}

/* h=: no seal may be named (RFC 8617 4.1.2). */
static bool names_ok(struct pw_str names)
{
	struct pw_str one;
	size_t count = 0;

	if (names.at == NULL)
		return false;
	while (pw_tag_next_item(&names, &one))
		if (pw_str_eq_nocase(one, PW_STR("ARC-Seal")) ||
		    ++count > PW_ARC_NAMES_MAX)
			return false;
	return true;
}

static bool canon_one(struct pw_str text, bool *is_simple)
{
	*is_simple = pw_str_eq(text, PW_STR("simple"));
	return *is_simple || pw_str_eq(text, PW_STR("relaxed"));
}

/* "header/body"; without body that is simple (RFC 6376 3.5). Without c= both are relaxed:
 * so the test suite of ARC and other verifiers have it. */
static bool canon_ok(struct pw_arc_signature *out, struct pw_str c)
{
	if (c.at == NULL)
		return true;
	out->is_body_simple = true;
	if (!canon_one(pw_str_cut(&c, '/'), &out->is_header_simple))
		return false;
	return c.at == NULL || canon_one(c, &out->is_body_simple);
}

static bool number_ok(struct pw_str text, int64_t *out)
{
	return text.at == NULL || (text.len > 0 && pw_is_digit(text.at[0]) &&
	                           pw_str_to_int64(text, 0, INT64_MAX, out) == PW_OK);
}

static const char *check_message(struct pw_arc_signature *out,
                                 const struct pw_taglist *tags, int64_t now_s)
{
	int64_t until = INT64_MAX;

	out->names = get(tags, "h");
	out->body_hash = get(tags, "bh");
	out->body_max = INT64_MAX;
	if (!names_ok(out->names))
		return "h= missing, too long or with ARC-Seal";
	if (!pw_dkim_is_base64(out->body_hash))
		return "bh= missing or not base64";
	if (!canon_ok(out, get(tags, "c")))
		return "c= unknown";
	if (!number_ok(get(tags, "l"), &out->body_max))
		return "l= is not a length";
	if (!number_ok(get(tags, "x"), &until))
		return "x= is not a time";
	return now_s > until ? "signature expired" : NULL;
}

const char *pw_arc_signature_read(struct pw_arc_signature *out, enum pw_arc_kind kind,
                                  struct pw_str value, int64_t now_s)
{
	struct pw_taglist tags;
	int64_t made = 0;

	*out = (struct pw_arc_signature){ 0 };
	if (pw_taglist_parse(&tags, value) != PW_OK)
		return "a field is not a tag list";
	out->algorithm = get(&tags, "a");
	out->domain = get(&tags, "d");
	out->selector = get(&tags, "s");
	out->signature = get(&tags, "b");
	if (!pw_str_eq(out->algorithm, PW_STR("rsa-sha256")) &&
	    !pw_str_eq(out->algorithm, PW_STR("ed25519-sha256")))
		return "a= missing or unknown";
	if (!pw_dkim_is_name(out->domain))
		return "d= missing or not a domain";
	if (!pw_dkim_is_name(out->selector))
		return "s= missing or not a selector";
	if (!pw_dkim_is_base64(out->signature))
		return "b= missing or not base64";
	if (!number_ok(get(&tags, "t"), &made))
		return "t= is not a time";
	if (made > now_s + PW_DKIM_DRIFT_S)
		return "signature from the future";
	if (kind == PW_ARC_MESSAGE)
		return check_message(out, &tags, now_s);
	return get(&tags, "h").at != NULL ? "a seal with h=" : NULL; /* RFC 8617 4.1.3 */
}

/* The value without that of its b= tag (RFC 6376 3.5). */
static void put_without_signature(struct pw_buf *out, struct pw_str value)
{
	bool is_first = true;

	while (value.at != NULL) {
		struct pw_str spec = pw_str_cut(&value, ';');
		size_t equals = pw_str_find(spec, '=');

		if (!is_first)
			pw_buf_putc(out, ';');
		is_first = false;
		if (equals < spec.len &&
		    pw_str_eq(pw_str_trim(pw_str_sub(spec, 0, equals)), PW_STR("b")))
			spec.len = equals + 1;
		pw_buf_puts(out, spec);
	}
}

/* Its own field: b= empty, and no line end behind it. */
static void put_own(struct pw_buf *out, const struct pw_arc_field *field, bool is_simple)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

	put_without_signature(&value, field->value);
	if (pw_buf_status(&value) != PW_OK)
		out->status = pw_buf_status(&value);
	if (is_simple)
		pw_canon_header_simple(out, field->name, pw_buf_str(&value));
	else
		pw_canon_header_relaxed(out, field->name, pw_buf_str(&value));
	if (pw_buf_status(out) == PW_OK)
		pw_buf_truncate(out, out->len - 2);
}

void pw_arc_put_sealed(struct pw_buf *out, const struct pw_arc_chain *chain,
                       unsigned instance, bool is_alone)
{
	for (unsigned i = is_alone ? instance : 1; i <= instance; i++) {
		const struct pw_arc_field *fields = chain->sets[i - 1].fields;

		for (size_t kind = 0; kind < PW_ARC_KINDS; kind++) {
			if (i == instance && kind == PW_ARC_SEAL)
				put_own(out, &fields[kind], false);
			else
				pw_canon_header_relaxed(out, fields[kind].name,
				                        fields[kind].value);
		}
	}
}

/* The last field of that name not taken yet. */
static const struct pw_arc_field *take_last(const struct pw_arc_field *fields,
                                            size_t count, bool *is_taken,
                                            const struct pw_arc_field *own,
                                            struct pw_str name)
{
	for (size_t i = count; i-- > 0;) {
		if (is_taken[i] || fields[i].value.at == own->value.at ||
		    !pw_str_eq_nocase(pw_str_trim_wsp(fields[i].name), name))
			continue;
		is_taken[i] = true;
		return &fields[i];
	}
	return NULL;
}

enum pw_status pw_arc_put_signed(struct pw_buf *out, const struct pw_arc_field *fields,
                                 size_t count, const struct pw_arc_field *own,
                                 struct pw_str names, bool is_simple)
{
	bool is_taken[PW_ARC_FIELDS_MAX] = { false };
	const struct pw_arc_field *field;
	struct pw_str name;

	if (count > PW_ARC_FIELDS_MAX)
		return PW_ERR_LIMIT;
	for (size_t n = 0; pw_tag_next_item(&names, &name); n++) {
		if (n == PW_ARC_NAMES_MAX)
			return PW_ERR_LIMIT;
		if (!(field = take_last(fields, count, is_taken, own, name)))
			continue;
		if (is_simple)
			pw_canon_header_simple(out, field->name, field->value);
		else
			pw_canon_header_relaxed(out, field->name, field->value);
	}
	put_own(out, own, is_simple);
	return pw_buf_status(out);
}

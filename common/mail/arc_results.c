#include "mail/arc_results.h"

#include "core/authres.h"
#include "core/authres_read.h"

void pw_arc_put_results(struct pw_buf *out, const struct pw_arc_field *fields,
                        size_t count, struct pw_str authserv_id)
{
	struct pw_str id, rest;
	bool is_first = true;

	for (size_t i = 0; i < count; i++) {
		if (!pw_str_eq_nocase(pw_str_trim_wsp(fields[i].name),
		                      PW_STR("Authentication-Results")) ||
		    !pw_authres_is_from(fields[i].value, authserv_id) ||
		    !pw_authres_open(fields[i].value, &id, &rest))
			continue;
		if (is_first)
			pw_buf_puts(out, id);
		is_first = false;
		pw_buf_puts(out, PW_STR("; "));
		pw_buf_puts(out, pw_str_trim(rest));
	}
}

static bool read_cv(enum pw_arc_result *out, struct pw_str text)
{
	static const enum pw_arc_result all[] = { PW_ARC_NONE, PW_ARC_PASS, PW_ARC_FAIL };

	for (size_t i = 0; i < PW_LEN(all); i++) {
		if (pw_str_eq_nocase(text, pw_str_from(pw_arc_result_text(all[i])))) {
			*out = all[i];
			return true;
		}
	}
	return false;
}

bool pw_arc_results_chain(struct pw_str results, enum pw_arc_result *cv_out,
                          unsigned *sets_out)
{
	struct pw_authres_item item;
	struct pw_str id, rest, sets;
	int64_t n = 0;

	if (!pw_authres_open(results, &id, &rest))
		return false;
	while (pw_authres_next(&rest, &item)) {
		if (!pw_str_eq_nocase(item.method, PW_STR("arc")))
			continue;
		sets = pw_authres_property(&item, PW_STR(PW_ARC_SETS_PROPERTY));
		if (sets.at != NULL &&
		    pw_str_to_int64(sets, 0, PW_ARC_SETS_MAX, &n) != PW_OK)
			return false;
		*sets_out = (unsigned)n;
		return read_cv(cv_out, item.result);
	}
	return false;
}

/* Does a set say dmarc=pass for that author? */
static bool says_pass(const struct pw_arc_set *set, struct pw_str author)
{
	struct pw_str rest = set->fields[PW_ARC_RESULTS].value, id;
	struct pw_authres_item item;

	(void)pw_str_cut(&rest, ';'); /* i= */
	if (rest.at == NULL || !pw_authres_open(rest, &id, &rest))
		return false;
	while (pw_authres_next(&rest, &item))
		if (pw_str_eq_nocase(item.method, PW_STR("dmarc")))
			return pw_str_eq_nocase(item.result, PW_STR("pass")) &&
			       pw_str_eq_nocase(
				       pw_authres_property(&item, PW_STR("header.from")),
				       author);
	return false;
}

unsigned pw_arc_vouched(const struct pw_arc_chain *chain, struct pw_str author,
                        bool (*is_trusted)(const void *user, struct pw_str domain),
                        const void *user)
{
	for (unsigned i = chain->count; i > 0; i--) {
		const struct pw_arc_set *set = &chain->sets[i - 1];

		if (!is_trusted(user, set->domain))
			return 0; /* who knows what it did to the message */
		if (says_pass(set, author))
			return i;
	}
	return 0;
}

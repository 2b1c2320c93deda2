#include "mail/dkim_header.h"

#include "core/ascii.h"
#include "core/taglist.h"
#include "mail/arc_crypto.h"

static const struct pw_arc_field *find(const struct pw_arc_field *fields, size_t count,
                                       size_t nth)
{
	for (size_t i = 0; i < count; i++)
		if (pw_str_eq_nocase(pw_str_trim_wsp(fields[i].name),
		                     PW_STR("DKIM-Signature")) &&
		    nth-- == 0)
			return &fields[i];
	return NULL;
}

/* c= of the header; without it simple (RFC 6376 3.5). */
static bool is_simple(const struct pw_taglist *tags)
{
	struct pw_str c = pw_taglist_get(tags, PW_STR("c"));

	return c.at == NULL ||
	       pw_str_eq_nocase(pw_str_trim(pw_str_cut(&c, '/')), PW_STR("simple"));
}

static struct pw_str algorithm(const struct pw_taglist *tags)
{
	static const struct pw_str known[] = { { "rsa-sha256", 10 },
		                               { "ed25519-sha256", 14 } };
	struct pw_str a = pw_taglist_get(tags, PW_STR("a"));

	for (size_t i = 0; i < PW_LEN(known); i++)
		if (pw_str_eq_nocase(a, known[i]))
			return known[i];
	return PW_STR("");
}

enum pw_status pw_dkim_check_header(const struct pw_arc_field *fields, size_t count,
                                    size_t nth, struct pw_str record)
{
	const struct pw_arc_field *own = fields != NULL ? find(fields, count, nth) : NULL;
	PW_AUTO(pw_buf_done) struct pw_buf data = { 0 };
	struct pw_taglist tags;
	enum pw_status r;

	if (own == NULL || pw_taglist_parse(&tags, own->value) != PW_OK ||
	    algorithm(&tags).len == 0)
		return PW_ERR_CRYPTO;
	r = pw_arc_put_signed(&data, fields, count, own,
	                      pw_taglist_get(&tags, PW_STR("h")), is_simple(&tags));
	if (r != PW_OK)
		return r == PW_ERR_NOMEM ? r : PW_ERR_CRYPTO;
	return pw_arc_check(record, algorithm(&tags), pw_buf_str(&data),
	                    pw_taglist_get(&tags, PW_STR("b")));
}

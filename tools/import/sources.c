#include "tools/import/sources.h"

#include "core/pairs.h"
#include "tools/input.h"

static const struct import_source sources[] = {
	{ "postfixadmin", import_read_tables },
	{ "mailcow", import_read_tables },
	{ "docker-mailserver", import_read_mailserver },
	{ "passwd-file", import_read_passwd },
};

const struct import_source *import_find_source(struct pw_str name)
{
	for (size_t i = 0; i < PW_LEN(sources); i++)
		if (pw_str_eq(name, pw_str_from(sources[i].name)))
			return &sources[i];
	return NULL;
}

enum pw_status import_read_file(struct pw_buf *out, const char *path,
                                struct pw_buf *why_out)
{
	const char *why = "";
	enum pw_status r;

	out->max = IMPORT_FILE_MAX;
	r = tool_read_regular(out, path, IMPORT_FILE_MAX, &why);
	if (r != PW_OK)
		pw_buf_printf(why_out, "%s: %s", path, why);
	return r;
}

/* Destinations that are no addresses but words to the system they come from. */
static const char *why_no_destination(struct pw_str to)
{
	struct pw_str domain = pw_str_sub(to, pw_str_rfind(to, '@') + 1, to.len);

	if (to.len > 0 && (to.at[0] == '|' || to.at[0] == '/' || to.at[0] == ':'))
		return "leads to a program or file: write a Sieve script for that";
	if (pw_str_find(to, '@') == to.len)
		return "leads to a local account, which there is none of here";
	if (pw_str_find(to, '#') < to.len &&
	    pw_str_starts_nocase(domain, PW_STR("autoreply.")))
		return "is an answer for absence: write a Sieve script (vacation) for "
		       "that";
	if (pw_str_eq_nocase(domain, PW_STR("localhost")))
		return "leads to localhost: discarding and learning have no address here";
	return NULL;
}

static bool is_whole_domain(struct pw_str s)
{
	return s.len > 1 && s.at[0] == '@';
}

static void add_destination(struct import_plan *plan, struct import_place place,
                            struct pw_str source, struct pw_str to,
                            struct pw_str is_enabled)
{
	bool is_domain = is_whole_domain(source) && is_whole_domain(to);
	const char *why = is_whole_domain(to) ? NULL : why_no_destination(to);
	struct import_row *row;

	if (is_whole_domain(to) && !is_domain)
		why = "leads one address to a whole domain";
	if (why != NULL) {
		import_skip(plan, place, source, why);
		return;
	}
	row = is_domain ? import_add(plan, IMPORT_ALIAS_DOMAIN, place,
	                             pw_str_sub(source, 1, source.len),
	                             pw_str_sub(to, 1, to.len))
	                : import_add(plan, IMPORT_ALIAS, place, source, to);
	if (row != NULL)
		row->values[is_domain ? ALIAS_DOMAIN_ENABLED : ALIAS_ENABLED] =
			is_enabled;
}

/* An address that leads to itself and nowhere else is a mailbox, which such systems list
 * as an alias too. */
static bool is_only_itself(struct pw_str source, struct pw_str list)
{
	struct pw_str to, more;

	return pw_list_next(&list, &to) && pw_str_eq_nocase(source, to) &&
	       !pw_list_next(&list, &more);
}

void import_alias_list(struct import_plan *plan, struct import_place place,
                       struct pw_str source, struct pw_str list, struct pw_str is_enabled)
{
	struct pw_str to;
	bool is_empty = true;

	source = pw_str_trim(source);
	if (is_only_itself(source, list))
		return;
	for (; pw_list_next(&list, &to); is_empty = false)
		add_destination(plan, place, source, to, is_enabled);
	if (is_empty)
		import_skip(plan, place, source, "leads nowhere");
}

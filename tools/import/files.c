/* docker-mailserver's files and Dovecot's passwd-file. */
#include <limits.h>
#include <string.h>

#include "core/pairs.h"
#include "core/passwd_file.h"
#include "core/quota_text.h"
#include "tools/import/sources.h"
#include "tools/import/value.h"

/* Cut the next line off; false at the end. */
static bool next_line(struct pw_str *rest, unsigned int *line, struct pw_str *out)
{
	if (rest->len == 0)
		return false;
	*out = pw_str_trim(pw_str_cut(rest, '\n'));
	++*line;
	return true;
}

static bool is_silent(struct pw_str line)
{
	return line.len == 0 || line.at[0] == '#';
}

static void take_quota_rule(struct import_plan *plan, struct import_row *user,
                            struct pw_str rule)
{
	struct pw_quota_rule got;

	if (pw_quota_rule_parse(&got, rule) != PW_OK) {
		import_skip(plan, user->place, user->values[USER_EMAIL],
		            "its quota rule cannot be read");
		return;
	}
	if (got.bytes >= 0)
		import_set_quota(plan, user, got.bytes);
	if (got.messages >= 0)
		user->values[USER_QUOTA_MESSAGES] = import_number(plan, got.messages);
}

static void set_size(struct import_plan *plan, struct import_place place,
                     struct import_row *user, struct pw_str size)
{
	int64_t bytes;

	if (pw_size_parse(size, 1, &bytes) == PW_OK)
		import_set_quota(plan, user, bytes);
	else
		import_skip(plan, place, user->values[USER_EMAIL],
		            "its quota cannot be read");
}

static void take_quota_size(struct import_plan *plan, struct import_row *user,
                            struct pw_str size)
{
	set_size(plan, user->place, user, size);
}

static void take_nologin(struct import_plan *plan, struct import_row *user,
                         struct pw_str value)
{
	(void)plan, (void)value; /* the word alone counts, whatever its value */
	user->values[USER_ENABLED] = import_bool(false);
}

static void take_nets(struct import_plan *plan, struct import_row *user,
                      struct pw_str value)
{
	user->values[USER_NETS] = import_copy(plan, value);
}

static const struct extra {
	const char *name; /* userdb_ before it or not */
	void (*take)(struct import_plan *plan, struct import_row *user,
	             struct pw_str value);
} extras[] = {
	{ "quota_rule", take_quota_rule },
	{ "quota_storage_size", take_quota_size }, /* Dovecot 2.4 */
	{ "nologin", take_nologin },
	{ "allow_nets", take_nets },
};

static void take_extras(struct import_plan *plan, struct import_row *user,
                        struct pw_str fields)
{
	struct pw_str name, value;

	while (pw_passwd_next_extra(&fields, &name, &value)) {
		if (pw_str_starts(name, PW_STR("userdb_")))
			name = pw_str_sub(name, sizeof("userdb_") - 1, name.len);
		for (size_t i = 0; i < PW_LEN(extras); i++)
			if (pw_str_eq(name, pw_str_from(extras[i].name)))
				extras[i].take(plan, user, value);
	}
}

static struct import_row *add_user(struct import_plan *plan, struct import_place place,
                                   struct pw_str name, const char *domain)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };

	pw_buf_puts(&address, name);
	if (domain != NULL && pw_str_find(name, '@') == name.len) {
		pw_buf_putc(&address, '@');
		pw_buf_puts(&address, pw_str_from(domain));
	}
	return import_add(plan, IMPORT_USER, place, pw_buf_str(&address),
	                  (struct pw_str){ NULL, 0 });
}

/* name|hash|extra fields */
static void take_accounts(struct import_plan *plan, struct import_place place,
                          struct pw_str bytes)
{
	struct import_row *user;
	struct pw_str line, name, hash;

	while (next_line(&bytes, &place.line, &line)) {
		if (is_silent(line))
			continue;
		name = pw_str_cut(&line, '|');
		hash = pw_str_cut(&line, '|');
		if ((user = add_user(plan, place, name, NULL)) == NULL)
			continue;
		take_extras(plan, user, line);
		import_set_password(plan, user, hash);
	}
}

static void take_virtual(struct import_plan *plan, struct import_place place,
                         struct pw_str bytes)
{
	struct pw_pairs pairs = { .rest = bytes,
		                  .next_line = 1,
		                  .has_continued_lines = true };
	struct pw_pair pair;

	while (pw_pairs_next(&pairs, &pair)) {
		place.line = pair.line;
		import_alias_list(plan, place, pair.name, pair.value,
		                  (struct pw_str){ NULL, 0 });
	}
}

/* name:size */
static void take_quotas(struct import_plan *plan, struct import_place place,
                        struct pw_str bytes)
{
	struct import_row *user;
	struct pw_str line, name;

	while (next_line(&bytes, &place.line, &line)) {
		if (is_silent(line))
			continue;
		name = pw_str_cut(&line, ':');
		if ((user = import_find_user(plan, name)) != NULL)
			set_size(plan, place, user, line);
		else
			import_skip(plan, place, name, "has a quota but no mailbox");
	}
}

/* What has no counterpart is said line by line, by its name up to end: the rest may be
 * secret. */
static void refuse_lines(struct import_plan *plan, struct import_place place,
                         struct pw_str bytes, char end, const char *why)
{
	struct pw_str line;

	while (next_line(&bytes, &place.line, &line))
		if (!is_silent(line))
			import_skip(plan, place, pw_str_cut(&line, end), why);
}

static void take_regexp(struct import_plan *plan, struct import_place place,
                        struct pw_str bytes)
{
	refuse_lines(plan, place, bytes, ' ',
	             "is a pattern; an alias is an address, or @domain for all of it");
}

static void take_masters(struct import_plan *plan, struct import_place place,
                         struct pw_str bytes)
{
	refuse_lines(plan, place, bytes, '|',
	             "is a master user: INSERT INTO mail.master_users makes one");
}

/* In the order in which they are read, whatever the order they are given in. */
static const struct part {
	const char *name;
	void (*take)(struct import_plan *plan, struct import_place place,
	             struct pw_str bytes);
} parts[] = {
	{ "postfix-accounts.cf", take_accounts }, { "postfix-virtual.cf", take_virtual },
	{ "dovecot-quotas.cf", take_quotas },     { "postfix-regexp.cf", take_regexp },
	{ "dovecot-masters.cf", take_masters },
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_known_part(const char *path)
{
	for (size_t i = 0; i < PW_LEN(parts); i++)
		if (strcmp(base_name(path), parts[i].name) == 0)
			return true;
	return false;
}

static enum pw_status read_part(struct import_plan *plan, const struct part *part,
                                const char *path, struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_wipe) struct pw_buf bytes = { 0 };
	enum pw_status r = import_read_file(&bytes, path, why_out);

	if (r != PW_OK)
		return r;
	part->take(plan, (struct import_place){ path, 0 }, pw_buf_str(&bytes));
	return plan->status;
}

enum pw_status import_read_mailserver(struct import_plan *plan,
                                      const struct import_order *order,
                                      struct pw_buf *why_out)
{
	enum pw_status r;

	for (size_t i = 0; i < order->count; i++) {
		if (is_known_part(order->files[i]))
			continue;
		pw_buf_printf(why_out,
		              "%s: files are known by their names: postfix-accounts.cf, "
		              "postfix-virtual.cf, dovecot-quotas.cf, postfix-regexp.cf, "
		              "dovecot-masters.cf",
		              order->files[i]);
		return PW_ERR_SYNTAX;
	}
	for (size_t p = 0; p < PW_LEN(parts); p++)
		for (size_t i = 0; i < order->count; i++)
			if (strcmp(base_name(order->files[i]), parts[p].name) == 0 &&
			    (r = read_part(plan, &parts[p], order->files[i], why_out)) !=
			            PW_OK)
				return r;
	return PW_OK;
}

static void take_passwd_line(struct import_plan *plan, struct import_place place,
                             struct pw_str line, const char *domain)
{
	struct pw_passwd_entry entry;
	struct import_row *user;
	enum pw_status r = pw_passwd_parse(&entry, line);

	if (r == PW_ERR_SYNTAX)
		import_skip(plan, place, PW_STR("line"), "has no user name");
	if (r != PW_OK || (user = add_user(plan, place, entry.user, domain)) == NULL)
		return;
	if (entry.gecos.len > 0)
		user->values[USER_NAME] = import_words(
			plan, pw_str_sub(entry.gecos, 0, pw_str_find(entry.gecos, ',')));
	take_extras(plan, user, entry.extra);
	import_set_password(plan, user, entry.password);
}

enum pw_status import_read_passwd(struct import_plan *plan,
                                  const struct import_order *order,
                                  struct pw_buf *why_out)
{
	enum pw_status r;

	for (size_t i = 0; i < order->count; i++) {
		PW_AUTO(pw_buf_wipe) struct pw_buf bytes = { 0 };
		struct import_place place = { order->files[i], 0 };
		struct pw_str rest, line;

		if ((r = import_read_file(&bytes, place.file, why_out)) != PW_OK)
			return r;
		rest = pw_buf_str(&bytes);
		while (next_line(&rest, &place.line, &line))
			take_passwd_line(plan, place, line, order->domain);
	}
	return plan->status;
}

#include "tools/setup/wish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/address.h"
#include "core/conf.h"
#include "core/ip.h"
#include "io/file.h"
#include "tools/settings_file.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)

/* clang-format off */
static const struct role {
	const char *name;
	enum setup_role role;
} roles[] = {
	{ "single", SETUP_SINGLE },
	{ "edge",   SETUP_EDGE   },
	{ "inner",  SETUP_INNER  },
};

#define LOCAL (SETUP_SINGLE | SETUP_INNER)
#define VPN (SETUP_EDGE | SETUP_INNER)
#define ALL (SETUP_SINGLE | SETUP_EDGE | SETUP_INNER)

/* What there is to answer; roles: where it matters; asked: on a terminal. */
static const struct answer {
	const char *name;
	size_t offset;
	unsigned int roles, asked;
	const char *question;
} answers[] = {
	{ "role",           offsetof(struct setup_wish, role_name), ALL, ALL,
	  "Role of this host: single, edge or inner" },
	{ "domain",         offsetof(struct setup_wish, domain), ALL, ALL,
	  "Domain whose mail it takes" },
	{ "hostname",       offsetof(struct setup_wish, hostname), ALL, ALL,
	  "Full name of this host" },
	{ "admin",          offsetof(struct setup_wish, admin), LOCAL, LOCAL,
	  "Mailbox of the administrator" },
	{ "listen_private", offsetof(struct setup_wish, listen), ALL, VPN,
	  "Address of this host on the VPN" },
	{ "peer",           offsetof(struct setup_wish, peer), VPN, VPN,
	  "Address of the other host on the VPN" },
	{ "certificate",    offsetof(struct setup_wish, certificate), ALL, 0, NULL },
	{ "key",            offsetof(struct setup_wish, key), ALL, 0, NULL },
	{ "database",       offsetof(struct setup_wish, database), LOCAL, 0, NULL },
	{ "fallback",       offsetof(struct setup_wish, fallback), SETUP_EDGE, 0, NULL },
	{ "postscreen",     offsetof(struct setup_wish, postscreen), SETUP_EDGE, 0, NULL },
	{ "tables",         offsetof(struct setup_wish, tables), LOCAL, 0, NULL },
};
/* clang-format on */

static const char **field(struct setup_wish *wish, const struct answer *answer)
{
	return (const char **)(void *)((char *)wish + answer->offset);
}

static const char *copy(struct pw_arena *arena, struct pw_str text)
{
	struct pw_str out;

	return pw_arena_copy(arena, text, &out) == PW_OK ? out.at : NULL;
}

static void take_pair(struct setup_wish *wish, const struct pw_conf_pair *pair)
{
	for (size_t i = 0; i < PW_LEN(answers); i++) {
		const char **at = field(wish, &answers[i]);

		if (pw_str_eq(pair->name, pw_str_from(answers[i].name)) && *at == NULL &&
		    pair->value.len > 0)
			*at = pair->value.at; /* the arena ends it with NUL */
	}
}

enum pw_status setup_wish_remember(struct setup_wish *wish, struct pw_arena *arena,
                                   struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct setup_wish earlier = { 0 };
	struct pw_conf_pair pair;
	struct pw_conf conf;
	enum pw_status r = pw_file_read(&text, SETUP_CONF, FILE_MAX_BYTES);

	if (r == PW_ERR_NOTFOUND)
		return PW_OK;
	if (r != PW_OK)
		return r;
	pw_conf_init(&conf, pw_buf_str(&text));
	while ((r = pw_conf_next(&conf, arena, &pair)) == PW_OK)
		take_pair(&earlier, &pair);
	if (r != PW_ERR_NOTFOUND) {
		pw_buf_printf(why, "%s:%u: %s", SETUP_CONF, conf.line,
		              pw_conf_why(&conf));
		return r;
	}
	/* a certificate and its key go together */
	if (wish->certificate != NULL || wish->key != NULL)
		earlier.certificate = earlier.key = NULL;
	/* another domain has other names */
	if (wish->domain != NULL && earlier.domain != NULL &&
	    strcmp(wish->domain, earlier.domain) != 0)
		earlier.admin = NULL;
	for (size_t i = 0; i < PW_LEN(answers); i++)
		if (*field(wish, &answers[i]) == NULL)
			*field(wish, &answers[i]) = *field(&earlier, &answers[i]);
	return PW_OK;
}

static const char *join(struct pw_arena *arena, const char *first, const char *second)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_buf_printf(&text, "%s%s", first, second);
	return pw_buf_status(&text) == PW_OK ? copy(arena, pw_buf_str(&text)) : NULL;
}

static bool is_full_name(const char *name)
{
	struct pw_str s = pw_str_from(name);

	return pw_domain_is_valid(s) && pw_str_find(s, '.') < s.len &&
	       !pw_str_ends_nocase(s, PW_STR(".localdomain")) &&
	       !pw_str_eq_nocase(s, PW_STR("localhost.localdomain"));
}

void setup_wish_guess(struct setup_wish *wish, struct pw_arena *arena,
                      const char *myhostname)
{
	if (wish->role_name == NULL)
		wish->role_name = "single";
	if (wish->hostname == NULL && is_full_name(myhostname))
		wish->hostname = copy(arena, pw_str_from(myhostname));
	if (wish->hostname == NULL && wish->domain != NULL)
		wish->hostname = join(arena, "mail.", wish->domain);
	if (wish->admin == NULL && wish->domain != NULL)
		wish->admin = join(arena, "postmaster@", wish->domain);
	if (wish->database == NULL) {
		PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

		settings_file_value_of(&value, "/etc/postward/postward.conf", "database",
		                       SETUP_DATABASE);
		wish->database = copy(arena, pw_buf_str(&value));
	}
}

static bool ask_one(const struct answer *answer, const char **out, struct pw_arena *arena)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	(void)fprintf(stderr, "%s%s%s%s: ", answer->question, *out != NULL ? " [" : "",
	              *out != NULL ? *out : "", *out != NULL ? "]" : "");
	len = getline(&line, &room, stdin);
	if (len > 0) {
		struct pw_str text = pw_str_trim((struct pw_str){ line, (size_t)len });

		if (text.len > 0)
			*out = copy(arena, text);
	}
	free(line);
	return len > 0;
}

static enum setup_role role_of(const char *name)
{
	for (size_t i = 0; name != NULL && i < PW_LEN(roles); i++)
		if (strcmp(name, roles[i].name) == 0)
			return roles[i].role;
	return 0;
}

bool setup_wish_ask(struct setup_wish *wish, struct pw_arena *arena,
                    const char *myhostname)
{
	struct setup_wish given = *wish;

	for (size_t i = 0; i < PW_LEN(answers); i++) {
		const char **at = field(wish, &answers[i]);
		unsigned int role = role_of(wish->role_name);

		if (answers[i].asked == 0 || *at != NULL ||
		    (i > 0 && (answers[i].asked & role) == 0))
			continue;
		setup_wish_guess(wish, arena, myhostname);
		if (!ask_one(&answers[i], at, arena))
			return false;
		/* a guess that depends on this answer is made anew */
		for (size_t j = i + 1; j < PW_LEN(answers); j++)
			*field(wish, &answers[j]) = *field(&given, &answers[j]);
	}
	return true;
}

static enum pw_status refuse(struct pw_buf *why, const char *option, const char *what,
                             const char *value)
{
	pw_buf_printf(why, "%s: %s: %s", option, what, value);
	return PW_ERR_CONFIG;
}

static enum pw_status check_name(const char **name, const char *option,
                                 struct pw_arena *arena, struct pw_buf *why)
{
	struct pw_str lower;
	enum pw_status r = pw_arena_copy_lower(arena, pw_str_from(*name), &lower);

	if (r != PW_OK)
		return r;
	*name = lower.at;
	if (lower.len > 0 && lower.at[lower.len - 1] == '.')
		return refuse(why, option, "no dot at the end", *name);
	for (size_t i = 0; i < lower.len; i++)
		if ((unsigned char)lower.at[i] > 127)
			return refuse(why, option, "write it as DNS has it (xn--...)",
			              *name);
	if (!is_full_name(*name))
		return refuse(why, option, "not a full domain name", *name);
	return PW_OK;
}

static enum pw_status check_address(const char **address, const char *option,
                                    struct pw_arena *arena, struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_ip ip;

	if (*address == NULL)
		return PW_OK;
	if (pw_ip_parse(&ip, pw_str_from(*address)) != PW_OK)
		return refuse(why, option, "not an IP address", *address);
	pw_ip_put(&text, ip);
	if ((*address = copy(arena, pw_buf_str(&text))) == NULL)
		return PW_ERR_NOMEM;
	if (pw_str_starts(pw_buf_str(&text), PW_STR("127.")) ||
	    strcmp(*address, "::1") == 0 || strcmp(*address, "::") == 0 ||
	    strcmp(*address, "0.0.0.0") == 0)
		return refuse(why, option, "not an address of a network", *address);
	return PW_OK;
}

/* The administrator's mailbox is one of the domain. */
static enum pw_status check_admin(struct setup_wish *wish, struct pw_arena *arena,
                                  struct pw_buf *why)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_mailbox mailbox;

	if (pw_address_parse(&mailbox, arena, pw_str_from(wish->admin)) != PW_OK)
		return refuse(why, "--admin", "not a mail address", wish->admin);
	if (!pw_str_eq(mailbox.domain, pw_str_from(wish->domain)))
		return refuse(why, "--admin", "not an address of the domain",
		              wish->admin);
	pw_address_put(&text, &mailbox);
	wish->admin = copy(arena, pw_buf_str(&text));
	return wish->admin != NULL ? PW_OK : PW_ERR_NOMEM;
}

static enum pw_status check_files(const struct setup_wish *wish, struct pw_buf *why)
{
	const char *const files[] = { wish->certificate, wish->key };
	const char *const options[] = { "--cert", "--key" };

	if ((wish->certificate == NULL) != (wish->key == NULL))
		return refuse(why, "--cert and --key", "give both or none",
		              "one is given");
	for (size_t i = 0; i < PW_LEN(files); i++) {
		if (files[i] == NULL)
			continue;
		if (files[i][0] != '/' || strpbrk(files[i], " \t\r\n'\"#$<>{}") != NULL)
			return refuse(why, options[i], "not a plain absolute path",
			              files[i]);
		if (access(files[i], R_OK) != 0)
			return refuse(why, options[i], "cannot be read", files[i]);
	}
	return PW_OK;
}

static bool is_word(const char *value, const char *wanted)
{
	return value != NULL && strcmp(value, wanted) == 0;
}

bool setup_wish_queues(const struct setup_wish *wish)
{
	return is_word(wish->fallback, "queue");
}

bool setup_wish_screens(const struct setup_wish *wish)
{
	return is_word(wish->postscreen, "yes");
}

bool setup_wish_asks_sql(const struct setup_wish *wish)
{
	return is_word(wish->tables, "pgsql");
}

/* What is not for every role. */
static enum pw_status check_words(const struct setup_wish *wish, struct pw_buf *why)
{
	const struct {
		const char *option, *value, *one, *other, *what;
		unsigned int roles;
		const char *whose;
	} words[] = {
		{ "--fallback", wish->fallback, "queue", "defer", "queue or defer",
		  SETUP_EDGE, "only for the role edge" },
		{ "--postscreen", wish->postscreen, "yes", "no", "yes or no", SETUP_EDGE,
		  "only for the role edge" },
		{ "--tables", wish->tables, "socketmap", "pgsql", "socketmap or pgsql",
		  LOCAL, "only for the roles single and inner" },
	};

	for (size_t i = 0; i < PW_LEN(words); i++) {
		if (words[i].value == NULL)
			continue;
		if ((words[i].roles & wish->role) == 0)
			return refuse(why, words[i].option, words[i].whose,
			              words[i].value);
		if (!is_word(words[i].value, words[i].one) &&
		    !is_word(words[i].value, words[i].other))
			return refuse(why, words[i].option, words[i].what,
			              words[i].value);
	}
	return PW_OK;
}

static bool is_missing(const struct setup_wish *wish, struct pw_buf *why)
{
	const char *what = NULL;

	if (role_of(wish->role_name) == 0)
		what = "--role: single, edge or inner";
	else if (wish->domain == NULL)
		what = "--domain is missing: whose mail does this host take?";
	else if (wish->role == SETUP_SINGLE)
		return false;
	else if (wish->listen == NULL)
		what = "--listen-private is missing: this host's address on the VPN";
	else if (wish->peer == NULL)
		what = "--peer is missing: the other host's address on the VPN";
	if (what != NULL)
		pw_buf_puts(why, pw_str_from(what));
	return what != NULL;
}

enum pw_status setup_wish_check(struct setup_wish *wish, struct pw_arena *arena,
                                struct pw_buf *why, bool *is_usage_out)
{
	enum pw_status r;

	wish->role = role_of(wish->role_name);
	if ((*is_usage_out = is_missing(wish, why)))
		return PW_ERR_CONFIG;
	if ((r = check_name(&wish->domain, "--domain", arena, why)) != PW_OK ||
	    (r = check_name(&wish->hostname, "--hostname", arena, why)) != PW_OK ||
	    (r = check_address(&wish->listen, "--listen-private", arena, why)) != PW_OK ||
	    (r = check_address(&wish->peer, "--peer", arena, why)) != PW_OK ||
	    (r = check_admin(wish, arena, why)) != PW_OK ||
	    (r = check_files(wish, why)) != PW_OK ||
	    (r = check_words(wish, why)) != PW_OK)
		return r;
	if (wish->peer != NULL && wish->role == SETUP_SINGLE)
		return refuse(why, "--peer", "only for the roles edge and inner",
		              wish->peer);
	if (wish->peer != NULL && strcmp(wish->peer, wish->listen) == 0)
		return refuse(why, "--peer", "the same as --listen-private", wish->peer);
	return PW_OK;
}

void setup_wish_print(struct pw_buf *out, const struct setup_wish *wish)
{
	struct setup_wish all = *wish;

	pw_buf_puts(out, PW_STR("# What postwardctl setup was told; a further run asks "
	                        "for nothing of it.\n"));
	for (size_t i = 0; i < PW_LEN(answers); i++) {
		const char *value = *field(&all, &answers[i]);

		if (value != NULL && (answers[i].roles & wish->role) != 0)
			pw_buf_printf(out, "%s = %s\n", answers[i].name, value);
	}
}

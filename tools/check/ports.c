#include "tools/check/ports.h"

#include <string.h>

#include "core/ascii.h"
#include "core/origin.h"
#include "io/file.h"
#include "tools/addresses.h"

#define FILE_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define STATE_LISTEN "0A"

/* ---- /proc/net/tcp ---- */

static bool read_hex(struct pw_str text, uint32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < text.len; i++) {
		int value = pw_hex_value(text.at[i]);

		if (value < 0)
			return false;
		*out = *out << 4 | (uint32_t)value;
	}
	return text.len > 0 && text.len <= 8;
}

/* "0100007F:0019": words of four bytes as the processor holds them. */
static bool read_local(struct listener *out, struct pw_str text)
{
	struct pw_str address = pw_str_cut(&text, ':');
	uint32_t words[4], port;
	size_t count = address.len / 8;

	if ((address.len != 8 && address.len != 32) || !read_hex(text, &port))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!read_hex(pw_str_sub(address, i * 8, 8), &words[i]))
			return false;
	out->port = port;
	return pw_ip_from_bytes(&out->ip, words, count * sizeof(words[0])) == PW_OK;
}

static struct pw_str next_word(struct pw_str *rest)
{
	*rest = pw_str_trim_wsp(*rest);
	return pw_str_cut(rest, ' ');
}

/* slot: local remote state ... */
void listeners_parse(struct listeners *out, struct pw_str text)
{
	while (text.len > 0 && out->count < LISTENERS_MAX) {
		struct pw_str line = pw_str_cut(&text, '\n'), local;

		(void)next_word(&line);
		local = next_word(&line);
		(void)next_word(&line);
		if (pw_str_eq(next_word(&line), PW_STR(STATE_LISTEN)) &&
		    read_local(&out->at[out->count], local))
			out->count++;
	}
}

/* ---- judging ---- */

enum reach {
	REACH_NONE,
	REACH_LOOPBACK,
	REACH_PRIVATE,
	REACH_PUBLIC,
};

static bool is_any(struct pw_ip ip)
{
	static const uint8_t zero[16];

	return memcmp(ip.bytes, zero, sizeof(zero)) == 0;
}

/* Every address is public where the host has a public one. */
static enum reach reach_of(const struct listener *l, bool has_public_address)
{
	if (is_any(l->ip))
		return has_public_address ? REACH_PUBLIC : REACH_PRIVATE;
	switch (pw_origin_kind(pw_ip_unmap(l->ip))) {
	case PW_ORIGIN_LOOPBACK:
		return REACH_LOOPBACK;
	case PW_ORIGIN_PRIVATE:
		return REACH_PRIVATE;
	case PW_ORIGIN_PUBLIC:
		return REACH_PUBLIC;
	case PW_ORIGIN_MISSING:
	case PW_ORIGIN_RESERVED:
	default:
		return REACH_NONE;
	}
}

/* How far a port reaches at most. */
static enum reach reach_of_port(const struct listeners *all, unsigned int port)
{
	enum reach most = REACH_NONE;

	for (size_t i = 0; i < all->count; i++) {
		enum reach reach = reach_of(&all->at[i], all->has_public_address);

		if (all->at[i].port == port && reach > most)
			most = reach;
	}
	return most;
}

/* When a port may be public. */
enum leave {
	LEAVE_PUBLIC,
	LEAVE_USERS, /* not where a private network was given for what users and we need;
	              * an edge passes it on to the inner host */
	LEAVE_INTERNAL, /* never */
	LEAVE_OURS,     /* never, and setup gives it its address */
};

/* clang-format off */
static const struct port {
	unsigned int port;
	const char *what;
	unsigned int needed; /* by these roles */
	enum leave leave;
	const char *cure;    /* where it does not listen */
} ports[] = {
	{ 25,    "SMTP",                     CHECK_ANY,       LEAVE_PUBLIC,   "postwardctl setup" },
	{ 465,   "submission under TLS",     0,               LEAVE_PUBLIC,   "" },
	{ 587,   "submission",               CHECK_MAILBOXES, LEAVE_PUBLIC,   "postwardctl setup" },
	{ 993,   "IMAP under TLS",           CHECK_MAILBOXES, LEAVE_USERS,    "systemctl restart dovecot" },
	{ 143,   "IMAP",                     0,               LEAVE_USERS,    "" },
	{ 110,   "POP3",                     0,               LEAVE_USERS,    "" },
	{ 995,   "POP3 under TLS",           0,               LEAVE_USERS,    "" },
	{ 4190,  "ManageSieve",              0,               LEAVE_USERS,    "" },
	{ 24,    "LMTP",                     0,               LEAVE_OURS,     "" },
	{ 2525,  "what the inner host sends", CHECK_EDGE,     LEAVE_OURS,     "postwardctl setup" },
	{ 10465, "submission through the edge", 0,            LEAVE_OURS,     "" },
	{ 10587, "submission through the edge", 0,            LEAVE_OURS,     "" },
	{ 10027, "mail that is to be held",  0,               LEAVE_OURS,     "" },
	{ 10028, "the list of bans",         0,               LEAVE_OURS,     "" },
	{ 10993, "IMAP through the edge",    0,               LEAVE_OURS,     "" },
	{ 10995, "POP3 through the edge",    0,               LEAVE_OURS,     "" },
	{ 14190, "ManageSieve through the edge", 0,           LEAVE_OURS,     "" },
	{ 5432,  "PostgreSQL",               0,               LEAVE_INTERNAL, "" },
	{ 6432,  "PgBouncer",                0,               LEAVE_INTERNAL, "" },
	{ 6379,  "Redis",                    0,               LEAVE_INTERNAL, "" },
	{ 11332, "rspamd",                   0,               LEAVE_INTERNAL, "" },
	{ 11333, "rspamd",                   0,               LEAVE_INTERNAL, "" },
	{ 11334, "rspamd",                   0,               LEAVE_INTERNAL, "" },
	{ 8891,  "a milter",                 0,               LEAVE_INTERNAL, "" },
	{ 10023, "a policy service",         0,               LEAVE_INTERNAL, "" },
	{ 10025, "a content filter's way back", 0,            LEAVE_INTERNAL, "" },
};
/* clang-format on */

static bool may_be_public(const struct port *p, enum check_role role, bool has_private)
{
	switch (p->leave) {
	case LEAVE_PUBLIC:
		return role != CHECK_INNER;
	case LEAVE_USERS:
		return role == CHECK_EDGE || (role != CHECK_INNER && !has_private);
	case LEAVE_INTERNAL:
	case LEAVE_OURS:
	default:
		return false;
	}
}

static void cure_public(struct check_report *report, const struct port *p,
                        struct pw_str listen_private)
{
	struct pw_str address =
		listen_private.len > 0 ? listen_private : PW_STR("127.0.0.1");

	if (p->port == 5432)
		check_cure(
			report,
			"sudo -u postgres psql -c \"ALTER SYSTEM SET listen_addresses = "
			"'localhost%s%.*s'\" && systemctl restart postgresql",
			listen_private.len > 0 ? "," : "", PW_FMT(listen_private));
	else if (p->leave == LEAVE_INTERNAL)
		check_cure(report,
		           "nft add rule inet filter input tcp dport %u ip daddr != "
		           "%.*s drop",
		           p->port, PW_FMT(address));
	else
		check_cure(report, "postwardctl setup");
}

void judge_ports(struct check_report *report, const struct listeners *all,
                 enum check_role role, struct pw_str listen_private)
{
	for (size_t i = 0; i < PW_LEN(ports); i++) {
		const struct port *p = &ports[i];
		enum reach reach = reach_of_port(all, p->port);

		if (reach == REACH_PUBLIC &&
		    !may_be_public(p, role, listen_private.len > 0)) {
			check_error(
				report,
				"port %u (%s) is open to everybody, unless a firewall "
				"stands before it",
				p->port, p->what);
			cure_public(report, p, listen_private);
		} else if ((p->needed & role) != 0 && reach <= REACH_LOOPBACK) {
			check_error(report,
			            "%s listens on port %u (%s) that others can reach",
			            reach == REACH_NONE ? "nobody" : "only loopback",
			            p->port, p->what);
			check_cure(report, "%s", p->cure);
		}
	}
}

void check_ports(struct check_report *report, const struct check_context *context)
{
	static struct listeners all; /* a check has its process to itself */
	static const char *const files[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	struct pw_ip own[ADDRESSES_MAX];

	for (size_t i = 0; i < PW_LEN(files); i++) {
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
		enum pw_status r = pw_file_read(&text, files[i], FILE_BYTES_MAX);

		if (r == PW_OK)
			listeners_parse(&all, pw_buf_str(&text));
		else if (i == 0) {
			check_blind(report, "%s: %s", files[i], pw_status_text(r));
			return;
		}
	}
	all.has_public_address = addresses_public(own, ADDRESSES_MAX) > 0;
	judge_ports(report, &all, context->role, context->listen_private);
}

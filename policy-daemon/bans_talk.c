/* The edge host's list of banned clients: said to whoever may have it, at once and whole;
 * nothing is heard. Networks that guess passwords first, then bans of SQL. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/nets.h"
#include "core/origin.h"
#include "io/clock.h"
#include "io/log.h"
#include "policyd/daemon.h"

/* Lists being read at once: each is some megabytes at most. */
#define READERS_MAX 4

struct bans {
	struct pw_nets peers;
	size_t readers;
	bool is_stranger_told;
};

/* ---- who may have it */

static struct pw_ip peer_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} address = { .room = { 0 } };
	socklen_t len = sizeof(address);
	struct pw_ip ip = { .family = PW_IP_NONE };

	if (getpeername(fd, &address.any, &len) != 0)
		return ip;
	if ((address.any.sa_family == AF_INET &&
	     pw_ip_from_bytes(&ip, &address.v4.sin_addr, 4) == PW_OK) ||
	    (address.any.sa_family == AF_INET6 &&
	     pw_ip_from_bytes(&ip, &address.v6.sin6_addr, 16) == PW_OK))
		return pw_ip_unmap(ip);
	return ip;
}

static bool is_peer(const struct bans *bans, const struct pw_net *net)
{
	for (size_t i = 0; i < bans->peers.count; i++)
		if (pw_ban_overlaps(&bans->peers.nets[i], net))
			return true;
	return false;
}

static void tell_stranger(struct bans *bans, struct pw_ip ip)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	pw_count(&numbers, NUMBER_ban_strangers, 1);
	if (bans->is_stranger_told)
		return;
	bans->is_stranger_told = true;
	pw_ip_put(&text, ip);
	pw_log(PW_LOG_WARNING, "", PW_KV("event", "bans_refused"),
	       PW_KV("client", pw_buf_str(&text)), PW_KV_END);
}

static bool talk_admits(void *arg, int fd)
{
	struct daemon *daemon = arg;
	struct pw_net net = { .ip = peer_of(fd) };

	net.bits = net.ip.family == PW_IP_V4 ? 32 : 128;
	if (net.ip.family != PW_IP_NONE && is_peer(daemon->bans, &net))
		return daemon->bans->readers < READERS_MAX;
	tell_stranger(daemon->bans, net.ip);
	return false;
}

/* ---- the list */

static bool may_be_banned(const struct daemon *daemon, const struct pw_net *net)
{
	return pw_origin_kind(net->ip) == PW_ORIGIN_PUBLIC && !is_peer(daemon->bans, net);
}

static void put_ban(const struct daemon *daemon, struct pw_buf *out,
                    const struct pw_ban *ban, size_t *count)
{
	struct pw_net usual = pw_ban_net(ban->net.ip);

	if (*count >= PW_BANLIST_MAX || ban->seconds <= 0 ||
	    usual.bits != ban->net.bits || !may_be_banned(daemon, &ban->net))
		return;
	pw_ban_put(out, ban);
	++*count;
}

static size_t put_list(const struct daemon *daemon, struct pw_buf *out)
{
	const struct catalog *catalog = daemon->world.catalog;
	int64_t now_ms = pw_clock_mono_ms(), now_wall_ms = pw_clock_wall_ms();
	const struct catalog_ban *row = catalog != NULL ? catalog_bans(catalog) : NULL;
	const void *pos = NULL;
	struct pw_ban ban;
	size_t count = 0;

	while (guard_next_refused(daemon->guard, catalog, &pos, &ban, now_ms))
		put_ban(daemon, out, &ban, &count);
	for (; row != NULL; row = row->next) {
		ban = (struct pw_ban){ row->net,
			               (row->until_ms - now_wall_ms + 999) / 1000 };
		if (ban.seconds > PW_BANLIST_SECONDS_MAX)
			ban.seconds = PW_BANLIST_SECONDS_MAX;
		put_ban(daemon, out, &ban, &count);
	}
	pw_banlist_put_end(out, count);
	return count;
}

static void *talk_open(void *arg, struct pw_buf *out)
{
	struct daemon *daemon = arg;

	/* nothing is known yet: an empty list would end all bans there */
	if (daemon->world.catalog == NULL)
		return NULL;
	pw_count_set(&numbers, NUMBER_bans, (int64_t)put_list(daemon, out));
	if (pw_buf_status(out) != PW_OK)
		return NULL;
	pw_count(&numbers, NUMBER_ban_lists, 1);
	daemon->bans->readers++;
	return daemon->bans;
}

static void talk_close(void *arg, void *session)
{
	struct bans *bans = session;

	(void)arg;
	bans->readers--;
}

static ssize_t talk_eat(void *arg, void *session, struct pw_str bytes, struct pw_buf *out)
{
	(void)arg;
	(void)session;
	(void)bytes;
	(void)out;
	return SERVER_CLOSE;
}

static const struct server_protocol bans_protocol = {
	.input_max = 1,
	.open = talk_open,
	.eat = talk_eat,
	.close = talk_close,
	.name = "bans",
	.is_greeting_alone = true,
	.admits = talk_admits,
};

/* ---- life */

enum pw_status bans_open(struct daemon *daemon, struct pw_buf *why_out)
{
	const struct settings *set = daemon->settings;
	struct pw_str bad;
	enum pw_status r;

	if (set->bans_listen[0] == '\0')
		return PW_OK;
	if ((daemon->bans = calloc(1, sizeof(*daemon->bans))) == NULL)
		return PW_ERR_NOMEM;
	r = pw_nets_parse(&daemon->bans->peers, pw_str_from(set->bans_peers), &bad);
	if (r != PW_OK)
		return r; /* settings_check has said why */
	daemon->bans_protocol = bans_protocol;
	daemon->bans_protocol.arg = daemon;
	return server_listen(daemon->server, pw_str_from(set->bans_listen),
	                     &daemon->bans_protocol, why_out);
}

void bans_close(struct daemon *daemon)
{
	free(daemon->bans);
	daemon->bans = NULL;
}

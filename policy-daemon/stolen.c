#include "policyd/stolen.h"

#include <stdlib.h>
#include <string.h>

#include "policyd/lru.h"

/* A busiest hour loses a 486th every hour: half of it in 336 hours, two weeks. */
#define FADE 486
/* After so many hours nothing is left of it. */
#define FADED_HOURS 10000
/* Busiest hours are kept in thousandths, so that small ones fade too. */
#define MILLI 1000
#define BUSIEST_MAX INT64_C(1000000000)

struct seen {
	struct pw_net net;
	int64_t at_ms;
};

struct login {
	struct lru_entry entry;
	struct seen networks[STOLEN_NETWORKS_MAX + 1];
	size_t network_count;
	int64_t hour, messages; /* in that hour; 0 = none yet */
	int64_t busiest_milli;
	int64_t quiet_until_ms[STOLEN_WHYS];
	bool looks_stolen; /* this hour */
	bool is_news;      /* busiest_milli, for stolen_tell_busiest */
};

struct stolen {
	struct lru *logins;
};

enum pw_status stolen_new(struct stolen **out, const uint8_t seed[16])
{
	PW_AUTO(stolen_free) struct stolen *stolen = calloc(1, sizeof(*stolen));
	enum pw_status r;

	if (stolen == NULL)
		return PW_ERR_NOMEM;
	if ((r = lru_new(&stolen->logins, seed, STOLEN_LOGINS_MAX,
	                 sizeof(struct login))) != PW_OK)
		return r;
	*out = PW_TAKE(stolen);
	return PW_OK;
}

void stolen_free(struct stolen **stolen)
{
	if (*stolen == NULL)
		return;
	lru_free(&(*stolen)->logins);
	free(*stolen);
	*stolen = NULL;
}

/* Is it time to say so? Then it is quiet for a while. */
static bool may_alarm(struct login *login, enum stolen_why why, int64_t now_ms)
{
	if (now_ms < login->quiet_until_ms[why])
		return false;
	login->quiet_until_ms[why] = now_ms + STOLEN_QUIET_MS;
	return true;
}

/* ---- networks */

/* Put the network first; a full list loses its last, the one not seen for longest. */
static void note_network(struct login *login, const struct pw_net *net, int64_t now_ms)
{
	size_t at = 0;

	while (at < login->network_count &&
	       !pw_ip_eq(login->networks[at].net.ip, net->ip))
		at++;
	if (at == login->network_count && at <= STOLEN_NETWORKS_MAX)
		login->network_count++;
	if (at > STOLEN_NETWORKS_MAX)
		at = STOLEN_NETWORKS_MAX;
	memmove(&login->networks[1], &login->networks[0],
	        at * sizeof(login->networks[0]));
	login->networks[0] = (struct seen){ *net, now_ms };
}

/* Those of the window; they stand first. */
static size_t networks_within(const struct login *login, int64_t window_ms,
                              int64_t now_ms)
{
	size_t count = 0;

	while (count < login->network_count &&
	       now_ms - login->networks[count].at_ms < window_ms)
		count++;
	return count;
}

bool stolen_note_client(struct stolen *stolen, struct stolen_alarm *out,
                        const struct stolen_rule *rule, struct pw_str login_name,
                        struct pw_ip client, int64_t now_ms)
{
	struct pw_net net = pw_net_of_client(client);
	struct login *login;
	size_t count;

	if (rule->networks == 0 || client.family == PW_IP_NONE ||
	    (login = lru_use(stolen->logins, login_name)) == NULL)
		return false;
	note_network(login, &net, now_ms);
	count = networks_within(login, rule->window_ms, now_ms);
	if ((int64_t)count <= rule->networks ||
	    !may_alarm(login, STOLEN_NETWORKS, now_ms))
		return false;
	*out = (struct stolen_alarm){ .why = STOLEN_NETWORKS,
		                      .count = (int64_t)count,
		                      .limit = rule->networks,
		                      .network_count = count };
	for (size_t i = 0; i < count; i++)
		out->networks[i] = login->networks[i].net;
	return true;
}

/* ---- volume */

static void fade(int64_t *busiest_milli, int64_t hours)
{
	if (hours >= FADED_HOURS)
		*busiest_milli = 0;
	for (int64_t i = 0; i<hours && * busiest_milli> 0; i++)
		*busiest_milli -= *busiest_milli / FADE;
}

/* The hour before is over. */
static void turn_hour(struct login *login, int64_t hour)
{
	if (login->hour == hour)
		return;
	if (login->hour != 0)
		fade(&login->busiest_milli, hour - login->hour);
	if (!login->looks_stolen && login->messages * MILLI > login->busiest_milli)
		login->busiest_milli = login->messages * MILLI;
	login->is_news = login->messages > 0;
	login->hour = hour;
	login->messages = 0;
	login->looks_stolen = false;
}

bool stolen_note_message(struct stolen *stolen, struct stolen_alarm *out,
                         const struct stolen_rule *rule, struct pw_str login_name,
                         int64_t now_ms)
{
	struct login *login = lru_use(stolen->logins, login_name);
	int64_t limit, busiest;

	if (login == NULL)
		return false;
	turn_hour(login, now_ms / STOLEN_HOUR_MS + 1);
	login->messages += login->messages < BUSIEST_MAX;
	busiest = login->busiest_milli / MILLI;
	limit = busiest * rule->factor > rule->messages ? busiest * rule->factor
	                                                : rule->messages;
	if (rule->messages == 0 || login->messages <= limit)
		return false;
	login->looks_stolen = true;
	if (!may_alarm(login, STOLEN_VOLUME, now_ms))
		return false;
	*out = (struct stolen_alarm){ .why = STOLEN_VOLUME,
		                      .count = login->messages,
		                      .limit = limit,
		                      .busiest = busiest };
	out->network_count = networks_within(login, rule->window_ms, now_ms);
	for (size_t i = 0; i < out->network_count; i++)
		out->networks[i] = login->networks[i].net;
	return true;
}

void stolen_set_busiest(struct stolen *stolen, struct pw_str login_name, int64_t busiest,
                        int64_t age_ms, int64_t now_ms)
{
	int64_t milli = busiest < BUSIEST_MAX ? busiest * MILLI : BUSIEST_MAX * MILLI;
	struct login *login;

	if (busiest <= 0 || (login = lru_use(stolen->logins, login_name)) == NULL)
		return;
	fade(&milli, age_ms > 0 ? age_ms / STOLEN_HOUR_MS : 0);
	if (login->hour == 0)
		login->hour = now_ms / STOLEN_HOUR_MS + 1;
	if (milli > login->busiest_milli)
		login->busiest_milli = milli;
}

bool stolen_tell_busiest(struct stolen *stolen, struct pw_str login_name,
                         int64_t *busiest_out)
{
	struct login *login = lru_find(stolen->logins, login_name);

	if (login == NULL || !login->is_news)
		return false;
	login->is_news = false;
	*busiest_out = login->busiest_milli / MILLI;
	return true;
}

size_t stolen_count(const struct stolen *stolen)
{
	return lru_count(stolen->logins);
}

#include "policyd/expiry.h"

void expiry_rebase(struct expiry *expiry, const struct catalog *catalog,
                   int64_t now_wall_ms)
{
	const struct catalog_login *login;
	struct pw_str name;
	size_t pos = 0;

	if (expiry->seen_ms == 0)
		expiry->seen_ms = now_wall_ms - EXPIRY_BEFORE_MS;
	expiry->next_ms = INT64_MAX;
	while ((login = catalog_next_login(catalog, &pos, &name)) != NULL)
		if (login->expires_ms > expiry->seen_ms &&
		    login->expires_ms < expiry->next_ms)
			expiry->next_ms = login->expires_ms;
}

static bool has_come(const struct expiry *expiry, const struct catalog_login *login,
                     int64_t now_wall_ms)
{
	return login->expires_ms > expiry->seen_ms && login->expires_ms <= now_wall_ms;
}

void expiry_look(struct expiry *expiry, const struct catalog *catalog,
                 void (*found)(void *arg, struct pw_str login), void *arg,
                 int64_t now_wall_ms)
{
	const struct catalog_login *login;
	struct pw_str name;
	size_t pos = 0;

	if (now_wall_ms < expiry->next_ms)
		return;
	while ((login = catalog_next_login(catalog, &pos, &name)) != NULL)
		if (has_come(expiry, login, now_wall_ms))
			found(arg, name);
	expiry->seen_ms = now_wall_ms;
	expiry_rebase(expiry, catalog, now_wall_ms);
}

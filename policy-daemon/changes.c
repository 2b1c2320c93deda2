/* What follows from a login that may do less than before: its open sessions end. */
#include "io/clock.h"
#include "policyd/daemon.h"

void changes_end_sessions(struct daemon *daemon, struct pw_str login, struct pw_str why)
{
	standing_note_change(daemon->standing, login, pw_str_eq(why, PW_STR("deleted")),
	                     pw_clock_mono_ms());
	chores_kick(daemon->chores, login, why);
}

/* The first catalog, which may be the copy on disk, only says where to begin. */
void changes_follow(struct daemon *daemon)
{
	const struct catalog_change *change = catalog_changes(daemon->world.catalog);
	int64_t seen = daemon->change_seen;

	for (; change != NULL; change = change->next) {
		bool takes = !pw_str_eq(change->why, PW_STR("changed"));

		if (daemon->has_catalog && change->generation > seen && takes)
			changes_end_sessions(daemon, change->login, change->why);
		daemon->change_seen = change->generation;
	}
	daemon->has_catalog = true;
	expiry_rebase(&daemon->expiry, daemon->world.catalog, pw_clock_wall_ms());
}

static void on_expired(void *arg, struct pw_str login)
{
	changes_end_sessions(arg, login, PW_STR("expired"));
}

void changes_tick(struct daemon *daemon)
{
	if (daemon->world.catalog != NULL)
		expiry_look(&daemon->expiry, daemon->world.catalog, on_expired, daemon,
		            pw_clock_wall_ms());
}

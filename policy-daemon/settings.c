#include "policyd/settings.h"

#include "core/nets.h"

static const struct pw_setting rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "policyd/settings.def"
#undef PW
};

static bool check_bans(const struct settings *set, struct pw_buf *why_out)
{
	struct pw_nets peers = { 0 };
	struct pw_str bad = { NULL, 0 };
	enum pw_status r;

	if (set->bans_listen[0] == '\0')
		return why_out->len == 0;
	r = pw_nets_parse(&peers, pw_str_from(set->bans_peers), &bad);
	if (r == PW_ERR_LIMIT)
		pw_buf_printf(why_out, "bans_peers: more than %d\n", PW_NETS_MAX);
	else if (r != PW_OK)
		pw_buf_printf(why_out, "bans_peers: no address and no network: %.*s\n",
		              PW_FMT(bad));
	else if (peers.count == 0)
		pw_buf_puts(why_out, PW_STR("bans_peers: name the edge host, the list is "
		                            "not for everybody\n"));
	return why_out->len == 0;
}

static bool settings_check(const void *settings, struct pw_buf *why_out)
{
	const struct settings *set = settings;

	if (set->auth_policy_listen[0] != '\0' &&
	    !pw_str_starts(pw_str_from(set->auth_policy_listen), PW_STR("unix:")) &&
	    set->auth_policy_key[0] == '\0')
		pw_buf_puts(why_out,
		            PW_STR("auth_policy_key: needed unless it is a "
		                   "unix socket, or anybody may report logins\n"));
	return check_bans(set, why_out);
}

const struct pw_settings_schema settings_schema = {
	.program = "postward-policyd",
	.purpose = "Policy server for Postfix: limits, quotas, sender ownership; blocks "
		   "who guesses passwords.",
	.rows = rows,
	.count = PW_LEN(rows),
	.size = sizeof(struct settings),
	.check = settings_check,
};

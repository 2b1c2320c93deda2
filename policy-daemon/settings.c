#include "policyd/settings.h"

#include "core/nets.h"

static const struct pw_setting rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "policyd/settings.def"
#undef PW
};

static bool settings_check(const void *settings, struct pw_buf *why_out)
{
	const struct settings *set = settings;
	struct pw_nets peers = { 0 };
	struct pw_str bad = { NULL, 0 };
	enum pw_status r;

	if (set->bans_listen[0] == '\0')
		return true;
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

const struct pw_settings_schema settings_schema = {
	.program = "postward-policyd",
	.purpose = "Policy server for Postfix: limits, quotas, sender ownership; blocks "
		   "who guesses passwords.",
	.rows = rows,
	.count = PW_LEN(rows),
	.size = sizeof(struct settings),
	.check = settings_check,
};

#include "policyd/settings.h"

#include "core/ip.h"

static const struct pw_setting rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "policyd/settings.def"
#undef PW
};

static bool settings_check(const void *settings, struct pw_buf *why_out)
{
	const struct settings *set = settings;
	struct pw_str rest = pw_str_trim(pw_str_from(set->bans_peers)), word;
	struct pw_net net;

	if (set->bans_listen[0] == '\0')
		return true;
	if (rest.len == 0) {
		pw_buf_puts(why_out, PW_STR("bans_peers: name the edge host, the list is "
		                            "not for everybody\n"));
		return false;
	}
	for (; rest.len > 0; rest = pw_str_trim(rest)) {
		word = pw_str_cut(&rest, ' ');
		if (pw_net_parse(&net, word) == PW_OK)
			continue;
		pw_buf_printf(why_out, "bans_peers: no address and no network: %.*s\n",
		              PW_FMT(word));
		return false;
	}
	return true;
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

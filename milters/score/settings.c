#include "score/settings.h"

#include <stdlib.h>

#include "core/base.h"

static const struct pw_setting rows[] = {
#define PW(...) PW_SETTING_ROW(struct settings, __VA_ARGS__)
#include "score/settings.def"
#undef PW
};

const struct pw_settings_schema settings_schema = {
	.program = "postward-score",
	.purpose = "Milter that verifies, scores and records messages.",
	.rows = rows,
	.count = PW_LEN(rows),
	.size = sizeof(struct settings),
};

enum pw_status derived_new(void **out, const void *settings, struct pw_buf *why_out)
{
	const struct settings *set = settings;
	struct derived *derived = calloc(1, sizeof(*derived));
	struct pw_str bad = { NULL, 0 };
	enum pw_status r;

	if (derived == NULL)
		return PW_ERR_NOMEM;
	r = pw_nets_parse(&derived->edges, pw_str_from(set->trusted_edges), &bad);
	if (r != PW_OK) {
		pw_buf_printf(why_out, "trusted_edges: %s: %.*s", pw_status_text(r),
		              PW_FMT(bad));
		free(derived);
		return PW_ERR_CONFIG;
	}
	if (set->clamav_socket[0] != '\0' &&
	    pw_dial_parse(&derived->clamd, pw_str_from(set->clamav_socket)) != PW_OK) {
		pw_buf_printf(why_out,
		              "clamav_socket: not unix:/PATH or inet:ADDRESS:PORT: %s",
		              set->clamav_socket);
		free(derived);
		return PW_ERR_CONFIG;
	}
	*out = derived;
	return PW_OK;
}

void derived_free(void **derived)
{
	free(*derived);
	*derived = NULL;
}

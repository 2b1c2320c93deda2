/* Settings of postward-score; the table is settings.def. */
#pragma once

#include "core/nets.h"
#include "io/dial.h"
#include "io/settings.h"

enum { DMARC_REJECT, DMARC_REJECT_DRY_RUN, DMARC_REJECT_SCORE };
enum { SELF_TEACHING_OFF, SELF_TEACHING_ON };
enum { REPUTATION_OFF, REPUTATION_ON };
enum { ON_FAILURE_DEFER, ON_FAILURE_ACCEPT };
enum { SANDBOX_YES, SANDBOX_NO };

struct settings {
	struct pw_settings_common common;
#define PW PW_SETTING_FIELD
#include "score/settings.def"
#undef PW
};

extern const struct pw_settings_schema settings_schema;

/* One generation, made at start and at each reload. */
struct derived {
	struct pw_nets edges; /* trusted_edges */
	struct pw_dial clamd;  /* clamav_socket; len 0 = none */
};

/* For struct kit_live_hooks.
 *
 * Errors  PW_ERR_CONFIG (with why), PW_ERR_NOMEM */
PW_MUST_CHECK enum pw_status derived_new(void **out, const void *set,
                                         struct pw_buf *why_out);
void derived_free(void **derived);

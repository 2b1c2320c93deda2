/* Settings of postward-origin and what is computed from them. */
#pragma once

#include <sys/types.h>

#include "core/ip.h"
#include "core/nets.h"
#include "core/stamp_key.h"
#include "io/settings.h"
#include "origin/engine/gate.h"
#include "origin/engine/target.h"

struct settings {
	struct pw_settings_common common;
#define PW PW_SETTING_FIELD
#include "origin/settings.def"
#undef PW
};

extern const struct pw_settings_schema settings_schema;

/* The words of the settings role, fallback and carry. */
enum { ROLE_EDGE, ROLE_INNER };
enum { FALLBACK_DEFER, FALLBACK_QUEUE };
enum { CARRY_XCLIENT, CARRY_STAMP };

/* One generation, made at start and at each reload. */
struct derived {
	struct upstream_target target;
	struct gate gate;
	struct pw_stamp_keys keys; /* of stamp_keys */
	struct pw_nets edges;      /* trusted_edges */
	char name[256];            /* trace_name or the host's */
	uid_t mail_owner;          /* (uid_t)-1 = nobody of that name */
};

/* For struct kit_live_hooks. inner is looked up, the addresses of our interfaces are
 * read, the pool is opened.
 *
 * Errors  PW_ERR_CONFIG (with why), PW_ERR_NOMEM, PW_ERR_IO */
PW_MUST_CHECK enum pw_status derived_new(void **out, const void *set,
                                         struct pw_buf *why_out);
void derived_free(void **derived);

/* Verdicts as JSON, the same from every subcommand that gives them. */
#pragma once

#include "mail/auth.h"
#include "tools/json.h"

/* {"result", "explanation", "lookups", "domain", "term"} */
struct json_object *tool_spf_json(const struct pw_spf_outcome *outcome);
/* [{"domain", "selector", "algorithm", "result", "reason", "key_bits", "length_used"}] */
struct json_object *tool_dkim_json(const struct pw_dkim_verdict *verdicts, size_t count);
/* {"result", "policy", "disposition", "alignment": ["spf", "dkim"], "domain"} */
struct json_object *tool_arc_json(const struct pw_arc_verdict *verdict);
struct json_object *tool_dmarc_json(const struct pw_dmarc_outcome *outcome);
/* {"result": "none", "reason"}: what was not looked at, and why. */
struct json_object *tool_none_json(const char *reason);

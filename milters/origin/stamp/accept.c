#include "origin/stamp/accept.h"

#include "core/base.h"

/* Classes of failures: what is done about them. */
enum class {
	CLASS_NONE,
	CLASS_CLOCK,  /* clock or rotation of keys: it will come right */
	CLASS_FORGED, /* as if somebody had made it up: it will not */
};

enum finding {
	FOUND_SEVERAL,
	FOUND_NOT_FIRST,
	FOUND_BROKEN,
	FOUND_UNKNOWN_KEY,
	FOUND_KEY_TIME,
	FOUND_MAC,
	FOUND_TIME,
	FOUND_SENDER,
	FOUND_RECIPIENT,
	FOUND_DIGEST,
	FOUND_NOTHING,
};

/* clang-format off */
static const struct {
	const char *why;
	enum class class;
} findings[] = {
	[FOUND_SEVERAL]     = { "several stamps", CLASS_FORGED },
	[FOUND_NOT_FIRST]   = { "not first",      CLASS_FORGED },
	[FOUND_BROKEN]      = { "broken",         CLASS_FORGED },
	[FOUND_UNKNOWN_KEY] = { "unknown key",    CLASS_CLOCK },
	[FOUND_KEY_TIME]    = { "key time",       CLASS_CLOCK },
	[FOUND_MAC]         = { "bad mac",        CLASS_FORGED },
	[FOUND_TIME]        = { "bad time",       CLASS_CLOCK },
	[FOUND_SENDER]      = { "sender",         CLASS_FORGED },
	[FOUND_RECIPIENT]   = { "recipient",      CLASS_FORGED },
	[FOUND_DIGEST]      = { "digest",         CLASS_FORGED },
	[FOUND_NOTHING]     = { "",               CLASS_NONE },
};
static const enum finding of_verdict[] = {
	[PW_STAMP_GOOD]        = FOUND_NOTHING,
	[PW_STAMP_BROKEN]      = FOUND_BROKEN,
	[PW_STAMP_UNKNOWN_KEY] = FOUND_UNKNOWN_KEY,
	[PW_STAMP_KEY_TIME]    = FOUND_KEY_TIME,
	[PW_STAMP_BAD_MAC]     = FOUND_MAC,
	[PW_STAMP_BAD_TIME]    = FOUND_TIME,
};
/* Of a good stamp. */
static const struct accept_plan of_replay[] = {
	[REPLAY_NEW]    = { ACCEPT_ORIGIN, "" },
	[REPLAY_SAME]   = { ACCEPT_RETRY,  "retry" },
	[REPLAY_UNSURE] = { ACCEPT_RETRY,  "retry" },
	[REPLAY_OTHER]  = { ACCEPT_REJECT, "replay" },
};
/* clang-format on */

static enum finding find(const struct accept_facts *facts)
{
	if (facts->stamps > 1)
		return FOUND_SEVERAL;
	if (!facts->is_first)
		return FOUND_NOT_FIRST;
	if (facts->stamp != PW_STAMP_GOOD)
		return of_verdict[facts->stamp];
	if (!facts->is_sender)
		return FOUND_SENDER;
	if (!facts->is_recipients)
		return FOUND_RECIPIENT;
	return facts->is_digest ? FOUND_NOTHING : FOUND_DIGEST;
}

struct accept_plan accept_decide(const struct accept_facts *facts)
{
	enum finding found;

	if (!facts->is_trusted)
		return facts->stamps ? (struct accept_plan){ ACCEPT_STRIP, "untrusted" }
		                     : (struct accept_plan){ ACCEPT_PASS, "" };
	if (facts->stamps == 0)
		return (struct accept_plan){ ACCEPT_PASS, "no stamp" };
	found = find(facts);
	if (found == FOUND_NOTHING)
		return facts->is_replay_known
		               ? of_replay[facts->replay]
		               : (struct accept_plan){ ACCEPT_ASK_REPLAY, "" };
	if (findings[found].class == CLASS_FORGED &&
	    facts->failing_ms >= facts->patience_ms)
		return (struct accept_plan){ ACCEPT_HOLD, findings[found].why };
	return (struct accept_plan){ ACCEPT_DEFER, findings[found].why };
}

const char *accept_action_text(enum accept_action action)
{
	static const char *const texts[] = {
		[ACCEPT_PASS] = "pass",      [ACCEPT_STRIP] = "strip",
		[ACCEPT_ASK_REPLAY] = "ask", [ACCEPT_ORIGIN] = "accept",
		[ACCEPT_RETRY] = "retry",    [ACCEPT_DEFER] = "defer",
		[ACCEPT_HOLD] = "hold",      [ACCEPT_REJECT] = "reject",
	};

	return (size_t)action < PW_LEN(texts) ? texts[action] : "unknown";
}

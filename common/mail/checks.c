#include "mail/checks.h"

#include <string.h>

#include "core/score_text.h"
#include "mail/checks_room.h"

struct pw_str pw_check_org(const struct pw_check *c, struct pw_str domain)
{
	char buffer[256];
	struct pw_str copy;

	if (pw_arena_copy(c->arena, pw_psl_org(c->psl, domain, buffer), &copy) != PW_OK)
		return domain;
	return copy;
}

bool pw_check_is_local(const struct pw_check *c, struct pw_str domain)
{
	return c->is_local_domain != NULL && domain.len > 0 &&
	       c->is_local_domain(c->user, domain);
}

bool pw_check_is_relayed(const struct pw_check *c)
{
	return pw_message_find(c->message, "List-Id") != NULL ||
	       pw_message_find(c->message, "List-Post") != NULL ||
	       pw_message_find(c->message, "Mailing-List") != NULL ||
	       (c->envelope->has_sender && c->envelope->sender.domain.len == 0);
}

bool pw_has(struct pw_str text, const char *needle)
{
	struct pw_str want = pw_str_from(needle);

	for (size_t i = 0; i + want.len <= text.len; i++)
		if (pw_str_starts_nocase(pw_str_sub(text, i, want.len), want))
			return true;
	return false;
}

/* clang-format off */
static const struct {
	void (*run)(const struct pw_check *c);
	bool on_submission; /* a user of ours is not asked who he is */
} session_checks[] = {
	{ pw_check_auth,     true },
	{ pw_check_client,   false },
	{ pw_check_bayes,    false },
	{ pw_check_reputation, false },
	{ pw_check_own_maps, false },
}, content_checks[] = {
	{ pw_check_identity, false },
	{ pw_check_ids,      false },
	{ pw_check_mailer,   false },
	{ pw_check_mime,     true },
	{ pw_check_files,    true },
	{ pw_check_html,     true },
	{ pw_check_links,    true },
	{ pw_check_subject,  true },
	{ pw_check_text,     true },
	{ pw_check_own_rules, true },
};
/* clang-format on */

static bool is_submission(const struct pw_check *check)
{
	return check->envelope->origin.login.len > 0;
}

void pw_checks_content(const struct pw_check *check)
{
	for (size_t i = 0; i < PW_LEN(content_checks); i++)
		if (!is_submission(check) || content_checks[i].on_submission)
			content_checks[i].run(check);
}

void pw_checks_session(const struct pw_check *check)
{
	for (size_t i = 0; i < PW_LEN(session_checks); i++)
		if (!is_submission(check) || session_checks[i].on_submission)
			session_checks[i].run(check);
}

bool pw_checks_is_of_content(enum pw_symbol symbol)
{
	static const bool is_content[PW_GROUPS] = {
		[PW_GRP_identity] = true, [PW_GRP_mailer] = true, [PW_GRP_mime] = true,
		[PW_GRP_html] = true,     [PW_GRP_url] = true,    [PW_GRP_text] = true,
	};

	return is_content[pw_symbol_group(symbol)];
}

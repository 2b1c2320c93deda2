#include "dkim/sign.h"

#include "core/punycode.h"

static const char *const action_texts[] = {
	[SIGN_ADD] = "sign",
	[SIGN_NONE] = "unsigned",
	[SIGN_REJECT] = "reject",
	[SIGN_DEFER] = "defer",
};

const char *sign_action_text(enum sign_action action)
{
	return action_texts[action];
}

static void leave(struct sign_plan *plan, const char *cause)
{
	plan->action = SIGN_NONE;
	plan->cause = cause;
}

void sign_fail(struct sign_plan *plan, enum sign_failure failure, const char *cause,
               const struct sign_rules *rules)
{
	plan->action = rules->on[failure];
	plan->cause = cause;
	plan->text = plan->action == SIGN_REJECT
	                     ? "message cannot be signed"
	                     : "message cannot be signed now, try again later";
}

static void refuse(struct sign_plan *plan, const char *cause, const char *text,
                   const struct sign_rules *rules)
{
	plan->action = rules->foreign_passes ? SIGN_NONE : SIGN_REJECT;
	plan->cause = cause;
	plan->text = text;
}

/* What the login may not send as far as we know; while the database is away it may have
 * learnt better, so a refusal would not be definite. */
static void refuse_foreign(struct sign_plan *plan, const struct sign_rules *rules)
{
	if (!rules->is_stale || rules->foreign_passes) {
		refuse(plan, "from_foreign", "header From is not an address of the login",
		       rules);
		return;
	}
	plan->action = SIGN_DEFER;
	plan->cause = "stale";
	plan->text = "cannot tell now whether header From belongs to the login, "
		     "try again later";
}

/* The one mailbox of header From. False: there is no such one. */
static bool find_from(struct sign_plan *plan, struct pw_mailbox *mailbox,
                      struct pw_arena *arena, const struct sign_message *message,
                      enum pw_status *r)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	*r = message->from_count == 1 ? pw_from_mailbox(mailbox, arena, message->from)
	                              : PW_ERR_SYNTAX;
	if (*r != PW_OK) {
		if (*r != PW_ERR_NOMEM)
			*r = PW_OK;
		return false;
	}
	pw_address_put(&text, mailbox);
	if ((*r = pw_buf_status(&text)) == PW_OK)
		*r = pw_arena_copy(arena, pw_buf_str(&text), &plan->from);
	return *r == PW_OK;
}

/* The author as rules and keys know it: the domain as DNS has it (RFC 8616). */
struct author {
	struct pw_str address, domain; /* live in arena */
};

static enum pw_status find_author(struct author *author, struct pw_arena *arena,
                                  const struct pw_mailbox *from)
{
	PW_AUTO(pw_buf_done) struct pw_buf domain = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };
	struct pw_mailbox mailbox = *from;
	enum pw_status r = pw_domain_to_ascii(&domain, from->domain);

	if (r == PW_ERR_NOMEM)
		return r;
	if (r == PW_OK) /* else no domain that DNS could have */
		mailbox.domain = pw_buf_str(&domain);
	pw_address_put(&address, &mailbox);
	if ((r = pw_buf_status(&address)) != PW_OK ||
	    (r = pw_arena_copy(arena, pw_buf_str(&address), &author->address)) != PW_OK)
		return r;
	return pw_arena_copy(arena, mailbox.domain, &author->domain);
}

static bool may_send(const struct keyring *keyring, struct pw_str login,
                     struct pw_str as_written, const struct author *author)
{
	return keyring_may_send(keyring, login, as_written) ||
	       keyring_may_send(keyring, login, author->address);
}

static bool has_domain(const struct sign_plan *plan, const struct keyring_domain *domain)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->as[i].domain == domain)
			return true;
	return false;
}

/* What the rules chose and there are keys for. lacking: a domain that has no usable one.
 */
static enum pw_status take_chosen(struct sign_plan *plan, struct pw_arena *arena,
                                  const struct rule *const *chosen, size_t count,
                                  const struct author *author,
                                  const struct keyring *keyring,
                                  const struct keyring_domain **lacking_out)
{
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = chosen[i];
		struct pw_str name =
			rule && rule->domain.len > 0 ? rule->domain : author->domain;
		const struct keyring_domain *domain = keyring_find(keyring, name);
		struct sign_as *as = &plan->as[plan->count];
		enum pw_status r;

		if (!domain || domain->count == 0) {
			if (domain && (!*lacking_out || domain->unusable > 0))
				*lacking_out = domain;
			continue;
		}
		if (has_domain(plan, domain))
			continue;
		*as = (struct sign_as){ domain, rule, PW_STR("") };
		r = rule_identity(&as->identity, arena, rule, domain->name,
		                  author->address, author->domain);
		if (r != PW_OK)
			return r;
		plan->count++;
	}
	return PW_OK;
}

static bool is_left_unsigned(const struct rule *const *chosen, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (chosen[i] && chosen[i]->is_unsigned)
			return true;
	return false;
}

/* Whose keys sign for this author? */
static enum pw_status choose(struct sign_plan *plan, struct pw_arena *arena,
                             const struct author *author, const struct keyring *keyring,
                             const struct sign_rules *rules)
{
	const struct keyring_domain *own = keyring_find(keyring, author->domain);
	const struct keyring_domain *lacking = own;
	const struct rule *chosen[RULES_CHOSEN_MAX];
	/* a key that is only on its way does not keep others from signing */
	bool has_keys = own && (own->count > 0 || own->unusable > 0);
	size_t count = rules_choose(chosen, keyring_rules(keyring), author->address,
	                            author->domain, has_keys);
	enum pw_status r;

	if (is_left_unsigned(chosen, count)) {
		leave(plan, "rule");
		return PW_OK;
	}
	r = take_chosen(plan, arena, chosen, count, author, keyring, &lacking);
	if (r != PW_OK || plan->count > 0)
		return r;
	if (lacking && lacking->unusable > 0)
		sign_fail(plan, SIGN_BAD_KEY, "key_unusable", rules);
	else
		sign_fail(plan, SIGN_NO_KEY, lacking ? "key_pending" : "no_key", rules);
	return PW_OK;
}

enum pw_status sign_decide(struct sign_plan *plan, struct pw_arena *arena,
                           const struct sign_message *message,
                           const struct keyring *keyring, const struct sign_rules *rules)
{
	bool has_login = message->login.len > 0;
	struct pw_mailbox from;
	struct author author;
	enum pw_status r;

	*plan = (struct sign_plan){ .action = SIGN_ADD, .cause = "", .text = "" };
	plan->from = PW_STR("");
	if (!has_login && !(message->is_local && rules->signs_local)) {
		leave(plan, message->is_local ? "local" : "inbound");
	} else if (!keyring) {
		sign_fail(plan, SIGN_NO_DATABASE, "no_snapshot", rules);
	} else if (!find_from(plan, &from, arena, message, &r)) {
		if (r != PW_OK)
			return r;
		if (has_login)
			refuse(plan, "from_syntax",
			       "header From must be exactly one address", rules);
		else
			leave(plan, "from_syntax");
	} else if (has_login && !keyring_knows(keyring, message->login)) {
		/* newer than the snapshot */
		sign_fail(plan, SIGN_NO_DATABASE, "login_unknown", rules);
	} else if ((r = find_author(&author, arena, &from)) != PW_OK) {
		return r;
	} else if (has_login && !may_send(keyring, message->login, plan->from, &author)) {
		refuse_foreign(plan, rules);
	} else if ((r = choose(plan, arena, &author, keyring, rules)) != PW_OK) {
		return r;
	} else if (plan->action == SIGN_ADD && message->is_too_large) {
		leave(plan, "too_many_fields"); /* would be so at every attempt */
	}
	return PW_OK;
}

#include "policyd/decide.h"

#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "policyd/limit.h"
#include "policyd/resolve.h"
#include "policyd/steps.h"
#include "policyd/usage_limit.h"

static const char *const cause_names[CAUSE_IDS] = {
	[CAUSE_NONE] = "none",         [CAUSE_RATE] = "rate",
	[CAUSE_NEVER] = "never",       [CAUSE_QUOTA] = "quota",
	[CAUSE_SENDER] = "sender",     [CAUSE_NULL_SENDER] = "null_sender",
	[CAUSE_ACCOUNT] = "account",   [CAUSE_LOG_IN] = "log_in",
	[CAUSE_STALE] = "stale",       [CAUSE_NO_DATA] = "no_data",
	[CAUSE_FAULT] = "fault",       [CAUSE_BLOCKED] = "blocked",
	[CAUSE_LISTED] = "listed",     [CAUSE_POSTING] = "posting",
	[CAUSE_GREYLIST] = "greylist", [CAUSE_OUTAGE] = "outage",
};

/* ---- the message a connection is busy with */

int64_t decide_forget(struct decide_world *world, struct decide_session *session)
{
	int64_t tokens = limit_release(session);

	limit_end_waits(session);
	session->wait_since_us = 0;
	(void)world;
	if (session->service != NULL)
		session->service->lost_count += tokens > 0;
	seen_clear(&session->seen);
	session->instance_len = 0;
	session->is_committed = false;
	session->is_exempt = false;
	return tokens;
}

void decide_session_done(struct decide_world *world, struct decide_session *session)
{
	decide_forget(world, session);
	seen_done(&session->seen);
	free(session->holds);
	*session = (struct decide_session){ .holds = NULL };
}

static void enter_instance(const struct question *q)
{
	struct decide_session *session = q->session;
	struct pw_str known = { session->instance, session->instance_len };
	struct pw_str instance = pw_str_sub(q->request->instance, 0, DECIDE_INSTANCE_MAX);
	int64_t since_us;

	if (instance.len > 0 && pw_str_eq(known, instance))
		return;
	since_us = session->wait_since_us;
	decide_forget(q->world, session);
	if (instance.len == 0) /* perhaps the same request, asked again */
		session->wait_since_us = since_us;
	memcpy(session->instance, instance.len > 0 ? instance.at : "", instance.len);
	session->instance_len = instance.len;
}

/* ---- the account, the sender and the quota */

/* Why the login may not send; empty = it may, or is unknown: then check_sender has the
 * word. */
static struct pw_str refusal(const struct question *q)
{
	const struct decide_world *world = q->world;
	const struct catalog_login *login = catalog_login(world->catalog, q->login);
	const struct catalog_entry *entry = catalog_find(world->catalog, q->login);

	if (login == NULL && (entry == NULL || !entry->is_mailbox) &&
	    standing_is_gone(world->standing, q->login, q->now_us / 1000))
		return PW_STR("deleted");
	if (login == NULL)
		return PW_STR("");
	if (!login->may_send)
		return login->refusal.len > 0 ? login->refusal : PW_STR("refused");
	if (login->expires_ms != 0 && login->expires_ms <= world->now_wall_ms)
		return PW_STR("expired");
	return PW_STR("");
}

/* An open session outlives what its login may. One that is refused stays open, and as old
 * as it is: it is not told to log in again, which would be forgotten by that. */
static void check_account(struct decision *out, const struct question *q)
{
	struct pw_str reason;

	if (q->login.len == 0 ||
	    (q->request->stage != STAGE_MAIL && q->request->stage != STAGE_RCPT))
		return;
	reason = refusal(q);
	if (reason.len > 0 && q->world->is_fresh) {
		decision_set(out, DECIDE_REJECT, CAUSE_ACCOUNT);
		out->reason = reason;
	} else if (reason.len > 0) {
		decision_set(out, DECIDE_DEFER, CAUSE_STALE);
	} else if (standing_is_old(q->world->standing, q->login,
	                           q->request->client_address, q->request->client_port,
	                           q->now_us / 1000)) {
		decision_set(out, DECIDE_DEFER, CAUSE_LOG_IN);
	}
}

static void check_sender(struct decision *out, const struct question *q)
{
	if (q->login.len == 0 ||
	    (q->request->stage != STAGE_MAIL && q->request->stage != STAGE_RCPT))
		return;
	if (q->sender.len == 0)
		decision_set(out, DECIDE_REJECT, CAUSE_NULL_SENDER);
	else if (q->has_sender &&
	         pw_owner_may_send(catalog_owner(q->world->catalog), q->login, q->sender))
		return;
	else if (q->world->is_fresh &&
	         pw_owner_knows(catalog_owner(q->world->catalog), q->login))
		decision_set(out, DECIDE_REJECT, CAUSE_SENDER);
	else
		decision_set(out, DECIDE_DEFER, CAUSE_STALE);
}

static bool is_full(const struct question *q, const struct catalog_entry *entry)
{
	struct usage_room room;

	usage_room_of(&room, q->world->usage, q->world->catalog, entry);
	return usage_is_full(&room, q->request->size_bytes);
}

/* A recipient is refused only if all mailboxes behind it are full: one full mailbox must
 * not stop a list. */
static void check_quota(struct decision *out, const struct question *q)
{
	struct resolve_result found;

	if (q->request->stage != STAGE_RCPT || q->recipient.len == 0)
		return;
	resolve(&found, q->world->catalog, q->recipient);
	if (found.count == 0 || found.is_cut || found.is_elsewhere)
		return;
	for (size_t i = 0; i < found.count; i++)
		if (!is_full(q, found.mailboxes[i]))
			return;
	decision_set(out, DECIDE_DEFER, CAUSE_QUOTA);
}

/* In this order: what refuses must not have been charged. */
static void (*const checks[])(struct decision *out, const struct question *q) = {
	step_access,  check_account, limit_check_block, check_sender,
	step_posting, check_quota,   step_greylist,     limit_check,
};

/* The names of a question in normal form, one behind the other. */
struct names {
	struct pw_buf text;
	char room[512];
	size_t end[4];
	bool is_address[4];
};

static void names_done(struct names *names)
{
	pw_buf_done(&names->text);
}

/* Append an address in normal form; what is none in lower case, the null sender as
 * nothing. */
static void put_name(struct names *names, size_t place, struct pw_str name)
{
	enum pw_status r =
		name.len > 0 ? pw_address_normalise(&names->text, name) : PW_ERR_NOTFOUND;

	names->is_address[place] = r == PW_OK;
	if (r != PW_OK && r != PW_ERR_NOTFOUND)
		pw_buf_put_lower(&names->text, name);
	names->end[place] = names->text.len;
}

static struct pw_str name_at(const struct names *names, size_t place)
{
	size_t start = place > 0 ? names->end[place - 1] : 0;

	return pw_str_sub(pw_buf_str(&names->text), start, names->end[place] - start);
}

static enum pw_status name_all(struct question *q, struct names *names)
{
	const struct request *request = q->request;

	put_name(names, 0, request->login);
	put_name(names, 1, request->sender);
	put_name(names, 2, request->recipient);
	pw_buf_put_lower(&names->text, request->client_name);
	names->end[3] = names->text.len;
	q->login = name_at(names, 0);
	q->sender = name_at(names, 1);
	q->recipient = name_at(names, 2);
	q->client_name = name_at(names, 3);
	q->has_sender = names->is_address[1];
	return pw_buf_status(&names->text);
}

/* Ports beyond DECIDE_SERVICES_MAX are taken for the last. */
static struct decide_service *service_of(struct decide_world *world, struct pw_str port)
{
	struct decide_service *service;

	port = pw_str_sub(port, 0, sizeof(service->port) - 1);
	for (size_t i = 0; i < world->service_count; i++)
		if (pw_str_eq(pw_str_from(world->services[i].port), port))
			return &world->services[i];
	if (world->service_count == DECIDE_SERVICES_MAX)
		return &world->services[DECIDE_SERVICES_MAX - 1];
	service = &world->services[world->service_count++];
	memcpy(service->port, port.len > 0 ? port.at : "", port.len);
	return service;
}

static void warn_about_stages(struct decision *out, const struct question *q)
{
	struct decide_service *service = q->session->service;

	if (service->has_warned || service->has_seen_commit ||
	    q->world->commit_stage == STAGE_RCPT || service->lost_count < DECIDE_LOST_MAX)
		return;
	out->warning = WARN_NO_COMMIT;
	service->has_warned = true;
}

void decide(struct decision *out, struct decide_world *world,
            struct decide_session *session, const struct request *request, int64_t now_us)
{
	PW_AUTO(names_done) struct names names;
	struct question q = {
		.world = world, .session = session, .request = request, .now_us = now_us
	};
	enum pw_status r;

	*out = (struct decision){ .verdict = DECIDE_DUNNO };
	names.text = PW_BUF_IN(names.room);
	limit_end_waits(session);
	enter_instance(&q);
	session->service = service_of(world, request->server_port);
	if ((r = name_all(&q, &names)) != PW_OK) {
		decision_set_fault(out, r);
		return;
	}
	if (world->catalog == NULL) {
		if (q.login.len > 0)
			decision_set(out, DECIDE_DEFER, CAUSE_NO_DATA);
		return;
	}
	for (size_t i = 0; i < PW_LEN(checks) && out->verdict == DECIDE_DUNNO; i++)
		checks[i](out, &q);
	if (out->verdict == DECIDE_WAIT) { /* nobody hears it: said when it is decided */
		if (out->warning != WARN_NONE)
			session->service->has_warned = false;
		return;
	}
	session->wait_since_us = 0;
	warn_about_stages(out, &q);
}

const char *decide_cause_name(enum decide_cause cause)
{
	return cause_names[cause];
}

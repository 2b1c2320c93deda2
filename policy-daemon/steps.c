#include "policyd/steps.h"

#include "core/address.h"
#include "policyd/resolve.h"

/* What a recipient is called: as written, without extension, in the domain that its
 * domain stands for, and the one mailbox behind it. Filled in place. */
struct names {
	struct pw_buf text[ACCESS_NAMES_MAX], renamed;
	struct pw_str addresses[ACCESS_NAMES_MAX], at_domains[ACCESS_NAMES_MAX];
	size_t address_count, at_domain_count;
	struct resolve_result found;
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < PW_LEN(names->text); i++)
		pw_buf_done(&names->text[i]);
	pw_buf_done(&names->renamed);
}

static bool has(const struct pw_str *list, size_t count, struct pw_str s)
{
	for (size_t i = 0; i < count; i++)
		if (pw_str_eq(list[i], s))
			return true;
	return false;
}

static void add_address(struct names *names, struct pw_str address)
{
	struct pw_str at_domain =
		pw_str_sub(address, pw_str_rfind(address, '@'), address.len);

	if (names->address_count == ACCESS_NAMES_MAX ||
	    has(names->addresses, names->address_count, address))
		return;
	names->addresses[names->address_count++] = address;
	if (!has(names->at_domains, names->at_domain_count, at_domain))
		names->at_domains[names->at_domain_count++] = at_domain;
}

/* The address without its extension, if it has one. */
static void add_base(struct names *names, const struct catalog *catalog,
                     struct pw_str address)
{
	struct pw_buf *room = &names->text[names->address_count % ACCESS_NAMES_MAX];

	pw_buf_reset(room);
	if (pw_address_put_base(room, address, catalog_delimiter(catalog)))
		add_address(names, pw_buf_str(room));
}

/* False: there is no recipient. */
static bool names_of(struct names *names, const struct catalog *catalog,
                     struct pw_str recipient)
{
	size_t at = pw_str_rfind(recipient, '@');
	struct pw_str target;

	if (recipient.len == 0)
		return false;
	add_address(names, recipient);
	add_base(names, catalog, recipient);
	if (!catalog_domain(catalog, pw_str_sub(recipient, at + 1, recipient.len),
	                    &target) ||
	    target.len == 0)
		return true;
	pw_buf_puts(&names->renamed, pw_str_sub(recipient, 0, at + 1));
	pw_buf_puts(&names->renamed, target);
	if (pw_buf_status(&names->renamed) != PW_OK)
		return true;
	add_address(names, pw_buf_str(&names->renamed));
	add_base(names, catalog, pw_buf_str(&names->renamed));
	return true;
}

/* The owner of a mailbox speaks for the aliases that lead to it alone. */
static void add_mailbox(struct names *names, const struct catalog *catalog)
{
	resolve(&names->found, catalog, names->addresses[0]);
	if (names->found.count == 1 && !names->found.is_cut && !names->found.is_elsewhere)
		add_address(names, names->found.mailboxes[0]->address);
}

static struct pw_ip read_client(const struct request *request)
{
	struct pw_ip ip;

	if (pw_ip_parse(&ip, request->client_address) != PW_OK)
		return (struct pw_ip){ .family = PW_IP_NONE };
	return pw_ip_unmap(ip);
}

/* What refused, and with which words. A row that may have gone since only postpones. */
static void refuse(struct decision *out, const struct decide_world *world,
                   enum decide_cause cause, int64_t row, struct pw_str text)
{
	out->verdict = world->is_fresh ? DECIDE_REJECT : DECIDE_DEFER;
	out->cause = cause;
	out->row = row;
	out->own_text = text;
}

static void judge_access(struct decision *out, const struct decide_world *world,
                         const struct access_question *question)
{
	struct access_judgement *said = &out->access;

	access_judge(said, catalog_access(world->catalog), question, world->now_wall_ms);
	if (said->dry_run != NULL)
		out->trial = (struct decide_trial){ CAUSE_LISTED, said->dry_run->id };
	if (said->deny != NULL)
		refuse(out, world, CAUSE_LISTED, said->deny->id, said->deny->text);
}

static void ask_lists(struct decision *out, const struct question *q)
{
	const struct catalog *catalog = q->world->catalog;
	PW_AUTO(names_done) struct names names = { .address_count = 0 };
	struct access_question question = {
		.sender = q->sender,
		.client = read_client(q->request),
		.is_login = q->login.len > 0,
	};

	if (!names_of(&names, catalog, q->recipient))
		return;
	add_mailbox(&names, catalog);
	if (!pw_str_eq(q->client_name, PW_STR("unknown")))
		question.client_name = q->client_name;
	question.address_count = names.address_count;
	question.at_domain_count = names.at_domain_count;
	for (size_t i = 0; i < names.address_count; i++)
		question.addresses[i] = names.addresses[i];
	for (size_t i = 0; i < names.at_domain_count; i++)
		question.at_domains[i] = names.at_domains[i];
	judge_access(out, q->world, &question);
}

/* Most hosts have no lists: nothing is made ready for them then. */
void step_access(struct decision *out, const struct question *q)
{
	if (q->request->stage == STAGE_RCPT &&
	    !access_is_empty(catalog_access(q->world->catalog)))
		ask_lists(out, q);
}

static void ask_rights(struct decision *out, const struct question *q)
{
	const struct posting *posting = catalog_posting(q->world->catalog);
	const struct posting_writer writer = { q->login, q->sender };
	PW_AUTO(names_done) struct names names = { .address_count = 0 };
	const struct posting_right *right = NULL;

	if (!names_of(&names, q->world->catalog, q->recipient))
		return;
	for (size_t i = 0; right == NULL && i < names.address_count; i++)
		right = posting_find(posting, names.addresses[i]);
	if (right == NULL || posting_may(right, q->world->catalog, &writer))
		return;
	if (right->is_dry_run)
		out->trial = (struct decide_trial){ CAUSE_POSTING, right->id };
	else
		refuse(out, q->world, CAUSE_POSTING, right->id, right->text);
}

void step_posting(struct decision *out, const struct question *q)
{
	if (q->request->stage == STAGE_RCPT &&
	    !posting_is_empty(catalog_posting(q->world->catalog)))
		ask_rights(out, q);
}

/* Is there anybody behind a recipient? Mail to others Postfix refuses by itself. */
static bool is_ours(const struct question *q)
{
	size_t at = pw_str_rfind(q->recipient, '@');
	struct pw_str domain = pw_str_sub(q->recipient, at + 1, q->recipient.len), target;
	struct resolve_result found;

	if (!catalog_domain(q->world->catalog, domain, &target))
		return false;
	resolve(&found, q->world->catalog, q->recipient);
	return found.count > 0 || found.is_cut || found.is_elsewhere;
}

static void ask_greylist(struct decision *out, const struct question *q,
                         const struct access_settings *set)
{
	struct decide_world *world = q->world;
	const struct grey_question question = { read_client(q->request), q->sender,
		                                q->recipient };

	if (pw_ip_is_loopback(question.client) || !is_ours(q))
		return; /* programs of this host have no queue to try again from */
	grey_judge(world->grey, &out->grey, &set->greylist, &question,
	           world->is_fresh && world->knows_grey, world->now_wall_ms);
	if (out->grey.wait_ms == 0)
		return;
	if (set->greylist_mode == GREYLIST_DRY_RUN)
		out->trial = (struct decide_trial){ CAUSE_GREYLIST, 0 };
	else
		decision_set(out, DECIDE_DEFER, CAUSE_GREYLIST);
}

void step_greylist(struct decision *out, const struct question *q)
{
	const struct access_settings *set = catalog_access_settings(q->world->catalog);

	if (set->greylist_mode != GREYLIST_OFF && q->request->stage == STAGE_RCPT &&
	    q->login.len == 0 && !out->access.skips_greylist && q->recipient.len > 0)
		ask_greylist(out, q, set);
}

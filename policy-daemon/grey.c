#include "policyd/grey.h"

#include <stdlib.h>

#include "core/address.h"
#include "policyd/lru.h"

/* Key: client LF sender LF recipient; neither holds a line feed. */
struct entry {
	struct lru_entry entry;
	struct pw_greylist_record record;
	int64_t stored_ms; /* passed_ms as the database has it */
};

struct grey {
	struct lru *waiting; /* triplets that did not pass yet */
	struct lru *known;   /* those that did, and clients as a whole */
};

enum pw_status grey_new(struct grey **out, const uint8_t seed[16])
{
	PW_AUTO(grey_free) struct grey *grey = calloc(1, sizeof(*grey));
	enum pw_status r;

	if (grey == NULL)
		return PW_ERR_NOMEM;
	if ((r = lru_new(&grey->waiting, seed, GREY_WAITING_MAX, sizeof(struct entry))) !=
	            PW_OK ||
	    (r = lru_new(&grey->known, seed, GREY_KNOWN_MAX, sizeof(struct entry))) !=
	            PW_OK)
		return r;
	*out = PW_TAKE(grey);
	return PW_OK;
}

void grey_free(struct grey **grey)
{
	if (*grey == NULL)
		return;
	lru_free(&(*grey)->waiting);
	lru_free(&(*grey)->known);
	free(*grey);
	*grey = NULL;
}

static void put_key(struct pw_buf *out, struct pw_str client, struct pw_str sender,
                    struct pw_str recipient)
{
	pw_buf_puts(out, client);
	pw_buf_putc(out, '\n');
	pw_buf_puts(out, sender);
	pw_buf_putc(out, '\n');
	pw_buf_puts(out, recipient);
}

static struct pw_greylist_record record_of(const struct lru *lru, struct pw_str key)
{
	const struct entry *entry = lru_find(lru, key);

	return entry != NULL ? entry->record : (struct pw_greylist_record){ .passes = 0 };
}

static void add_row(struct grey_answer *out, struct entry *entry)
{
	struct pw_str key = entry->entry.key;
	struct grey_row *row = &out->rows[out->row_count++];

	row->client = pw_str_cut(&key, '\n');
	row->sender = pw_str_cut(&key, '\n');
	row->recipient = key;
	row->record = entry->record;
	entry->stored_ms = entry->record.passed_ms;
}

/* Remember what became of an entry; a row of it where that is news. */
static void keep(struct grey_answer *out, struct lru *lru, struct pw_str key,
                 const struct pw_greylist_record *record)
{
	struct entry *entry = lru_use(lru, key);
	bool is_news;

	if (entry == NULL)
		return;
	is_news = entry->record.first_ms != record->first_ms ||
	          entry->record.passes != record->passes ||
	          record->passed_ms - entry->stored_ms >= GREY_STORE_MS;
	entry->record = *record;
	if (is_news)
		add_row(out, entry);
}

static void drop(struct lru *lru, struct pw_str key)
{
	struct entry *entry = lru_find(lru, key);

	if (entry != NULL)
		lru_drop(lru, entry);
}

static void judge_keys(struct grey *grey, struct grey_answer *out,
                       const struct pw_greylist_rule *rule, struct pw_str triplet_key,
                       struct pw_str client_key, bool knows_all, int64_t now_ms)
{
	bool was_known = lru_find(grey->known, triplet_key) != NULL;
	struct lru *place = was_known ? grey->known : grey->waiting;
	struct pw_greylist_record triplet = record_of(place, triplet_key);
	struct pw_greylist_record client = record_of(grey->known, client_key);
	struct pw_greylist_record before = triplet, client_before = client;

	if (!knows_all && before.first_ms == 0)
		return;
	out->wait_ms = pw_greylist_judge(&triplet, &client, rule, now_ms);
	if (out->wait_ms > 0) {
		keep(out, grey->waiting, triplet_key, &triplet);
		drop(grey->known, triplet_key);
		if (lru_find(grey->waiting, triplet_key) == NULL)
			out->wait_ms = 0; /* it could not come again */
		return;
	}
	if (triplet.passed_ms != before.passed_ms) {
		drop(grey->waiting, triplet_key);
		keep(out, grey->known, triplet_key, &triplet);
	}
	if (client.passed_ms != client_before.passed_ms)
		keep(out, grey->known, client_key, &client);
}

void grey_judge(struct grey *grey, struct grey_answer *out,
                const struct pw_greylist_rule *rule, const struct grey_question *question,
                bool knows_all, int64_t now_ms)
{
	PW_AUTO(pw_buf_done) struct pw_buf client = { 0 }, sender = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf triplet_key = { 0 }, client_key = { 0 };
	struct pw_net net = pw_net_of_client(question->client);

	*out = (struct grey_answer){ .wait_ms = 0 };
	if (question->client.family == PW_IP_NONE)
		return;
	pw_net_put(&client, &net);
	pw_greylist_put_sender(&sender, question->sender);
	if (sender.len > PW_ADDRESS_MAX) /* no address */
		pw_buf_truncate(&sender, PW_ADDRESS_MAX);
	put_key(&triplet_key, pw_buf_str(&client), pw_buf_str(&sender),
	        question->recipient);
	put_key(&client_key, pw_buf_str(&client), PW_STR("*"), PW_STR("*"));
	if (pw_buf_status(&sender) != PW_OK || pw_buf_status(&triplet_key) != PW_OK ||
	    pw_buf_status(&client_key) != PW_OK)
		return;
	judge_keys(grey, out, rule, pw_buf_str(&triplet_key), pw_buf_str(&client_key),
	           knows_all, now_ms);
}

void grey_take(struct grey *grey, const struct pw_greylist_rule *rule,
               const struct grey_row *row)
{
	PW_AUTO(pw_buf_done) struct pw_buf key = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf client = { 0 };
	struct lru *place = row->record.passed_ms > 0 ? grey->known : grey->waiting;
	struct entry *entry;
	struct pw_net net;

	if (pw_net_parse(&net, row->client) != PW_OK)
		return;
	pw_net_put(&client, &net); /* as this program writes it */
	put_key(&key, pw_buf_str(&client), row->sender, row->recipient);
	if (pw_buf_status(&key) != PW_OK)
		return;
	if (place == grey->waiting && lru_find(grey->known, pw_buf_str(&key)) != NULL)
		return; /* it passed here meanwhile */
	if ((entry = lru_use(place, pw_buf_str(&key))) == NULL)
		return;
	pw_greylist_merge(&entry->record, &row->record, rule);
	entry->stored_ms = entry->record.passed_ms;
	if (place == grey->known)
		drop(grey->waiting, pw_buf_str(&key));
}

size_t grey_count(const struct grey *grey)
{
	return lru_count(grey->waiting) + lru_count(grey->known);
}

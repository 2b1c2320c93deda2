#include "mail/reading.h"

#include "core/pack.h"

#define OWN_SYMBOL (-1) /* then comes its name: numbers are those of this program */

static void put_mailbox(struct pw_buf *out, const struct pw_mailbox *m)
{
	pw_pack_str(out, m->local);
	pw_pack_str(out, m->domain);
}

/* As much of it as a check may look at. */
static void put_origin(struct pw_buf *out, const struct pw_origin *origin)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };

	if (origin->address.family != PW_IP_NONE)
		pw_ip_put(&address, origin->address);
	pw_pack_str(out, pw_buf_str(&address));
	pw_pack_int(out, origin->name_state);
	pw_pack_str(out, origin->name);
	pw_pack_str(out, origin->ptr);
	pw_pack_str(out, origin->helo);
	pw_pack_str(out, origin->login);
}

static void put_envelope(struct pw_buf *out, const struct pw_envelope *e)
{
	put_origin(out, &e->origin);
	pw_pack_str(out, e->our_name);
	pw_pack_int(out, e->has_sender);
	put_mailbox(out, &e->sender);
	pw_pack_int(out, (int64_t)e->recipient_count);
	for (size_t i = 0; i < e->recipient_count; i++)
		put_mailbox(out, &e->recipients[i]);
}

static void put_message(struct pw_buf *out, const struct pw_message *message)
{
	pw_pack_int(out, (int64_t)message->field_count);
	for (size_t i = 0; i < message->field_count; i++) {
		pw_pack_str(out, message->fields[i].name);
		pw_pack_str(out, message->fields[i].value);
	}
	pw_pack_int(out, (int64_t)message->fields_seen);
	pw_pack_int(out, message->has_body_in_header);
	pw_pack_int(out, message->size_bytes);
	pw_pack_str(out, pw_buf_str(&message->body));
}

/* First what the session says, as one text; what is behind it is the message. */
enum pw_status pw_reading_put_job(struct pw_buf *out, const struct pw_message *message,
                                  const struct pw_envelope *envelope, bool wants_tokens,
                                  int64_t now_s)
{
	PW_AUTO(pw_buf_done) struct pw_buf session = { 0 };
	enum pw_status r;

	pw_pack_int(&session, now_s);
	pw_pack_int(&session, wants_tokens);
	put_envelope(&session, envelope);
	if ((r = pw_buf_status(&session)) != PW_OK)
		return r;
	pw_pack_str(out, pw_buf_str(&session));
	put_message(out, message);
	return pw_buf_status(out);
}

struct pw_str pw_reading_message_of(struct pw_str job)
{
	struct pw_unpack in = { job, false };

	(void)pw_unpack_str(&in);
	return in.rest;
}

static struct pw_mailbox take_mailbox(struct pw_unpack *in)
{
	struct pw_str local = pw_unpack_str(in);

	return (struct pw_mailbox){ .local = local, .domain = pw_unpack_str(in) };
}

static void take_origin(struct pw_origin *out, struct pw_unpack *in)
{
	struct pw_str address = pw_unpack_str(in);

	if (address.len > 0 && pw_ip_parse(&out->address, address) != PW_OK)
		in->is_broken = true;
	out->name_state = (enum pw_name_state)pw_unpack_int(in);
	out->name = pw_unpack_str(in);
	out->ptr = pw_unpack_str(in);
	out->helo = pw_unpack_str(in);
	out->login = pw_unpack_str(in);
}

static enum pw_status take_envelope(struct pw_envelope *out, struct pw_arena *arena,
                                    struct pw_unpack *in)
{
	struct pw_mailbox *recipients;
	int64_t count;

	take_origin(&out->origin, in);
	out->our_name = pw_unpack_str(in);
	out->has_sender = pw_unpack_int(in) != 0;
	out->sender = take_mailbox(in);
	count = pw_unpack_int(in);
	if (count < 0 || count > (int64_t)in->rest.len)
		return PW_ERR_PROTOCOL;
	recipients = pw_arena_array(arena, (size_t)count, sizeof(*recipients));
	if (recipients == NULL && count > 0)
		return PW_ERR_NOMEM;
	for (int64_t i = 0; i < count; i++)
		recipients[i] = take_mailbox(in);
	out->recipients = recipients;
	out->recipient_count = (size_t)count;
	return in->is_broken ? PW_ERR_PROTOCOL : PW_OK;
}

static enum pw_status take_message(struct pw_message *m, struct pw_unpack *in)
{
	int64_t count = pw_unpack_int(in);
	enum pw_status r = PW_OK;

	for (int64_t i = 0; i < count && !in->is_broken && r == PW_OK; i++) {
		struct pw_str name = pw_unpack_str(in);

		r = pw_message_field(m, name, pw_unpack_str(in));
	}
	if (r != PW_OK || (r = pw_message_eoh(m)) != PW_OK)
		return r;
	m->fields_seen = (size_t)pw_unpack_int(in);
	m->has_body_in_header = pw_unpack_int(in) != 0;
	count = pw_unpack_int(in);
	r = pw_message_body(m, pw_unpack_str(in));
	m->size_bytes = count;
	if (r == PW_OK && in->is_broken)
		r = PW_ERR_PROTOCOL;
	return r == PW_OK ? pw_message_end(m) : r;
}

static void put_hits(struct pw_buf *out, const struct pw_hits *hits,
                     const struct pw_weights *weights)
{
	pw_pack_int(out, (int64_t)hits->count);
	for (size_t i = 0; i < hits->count; i++) {
		const struct pw_hit *hit = &hits->at[i];
		bool is_own = hit->symbol >= PW_SYMBOLS;

		pw_pack_int(out, is_own ? OWN_SYMBOL : (int64_t)hit->symbol);
		if (is_own)
			pw_pack_str(out, weights->symbols[hit->symbol].name);
		pw_pack_int(out, hit->factor_milli);
		pw_pack_str(out, hit->evidence);
	}
}

static void put_limited(struct pw_buf *out, const struct pw_rules_limited *limited,
                        const struct pw_weights *weights)
{
	pw_pack_int(out, (int64_t)limited->total);
	pw_pack_int(out, (int64_t)limited->count);
	for (size_t i = 0; i < limited->count; i++)
		pw_pack_str(out, weights->symbols[limited->at[i]].name);
}

static void put_tokens(struct pw_buf *out, const struct pw_tokens *tokens)
{
	pw_pack_int(out, tokens != NULL ? (int64_t)tokens->count : 0);
	for (size_t i = 0; tokens != NULL && i < tokens->count; i++)
		pw_pack_int(out, (int64_t)tokens->at[i]);
}

static void put_links(struct pw_buf *out, const struct pw_links *links)
{
	pw_pack_int(out, (int64_t)links->count);
	for (size_t i = 0; i < links->count; i++)
		pw_pack_str(out, links->at[i].url);
}

static enum pw_status read_job(struct pw_buf *out, struct pw_message *m,
                               struct pw_check *check, struct pw_unpack *in,
                               const struct pw_weights *weights)
{
	struct pw_unpack session = { pw_unpack_str(in), false };
	struct pw_envelope envelope = { 0 };
	struct pw_tokens *tokens = pw_arena_alloc(check->arena, sizeof(*tokens));
	struct pw_hits *hits = pw_arena_alloc(check->arena, sizeof(*hits));
	struct pw_rules_limited limited = { 0 };
	bool wants_tokens;
	enum pw_status r;

	if (hits == NULL || tokens == NULL)
		return PW_ERR_NOMEM;
	check->now_s = pw_unpack_int(&session);
	wants_tokens = pw_unpack_int(&session) != 0;
	if ((r = take_envelope(&envelope, check->arena, &session)) != PW_OK ||
	    (r = take_message(m, in)) != PW_OK)
		return r;
	check->message = m;
	check->envelope = &envelope;
	check->hits = hits;
	check->limited = &limited;
	pw_checks_content(check);
	if (wants_tokens)
		pw_message_tokens(tokens, m, envelope.origin.address);
	put_hits(out, hits, weights);
	put_limited(out, &limited, weights);
	put_tokens(out, tokens);
	put_links(out, &m->links);
	return pw_buf_status(out);
}

enum pw_status pw_reading_do_job(struct pw_buf *out, struct pw_str job,
                                 const struct pw_check *context,
                                 const struct pw_weights *weights)
{
	PW_AUTO(pw_message_done) struct pw_message *m = NULL;
	struct pw_unpack in = { job, false };
	struct pw_check check = *context;
	enum pw_status r = pw_message_new(&m, check.arena);

	return r == PW_OK ? read_job(out, m, &check, &in, weights) : r;
}

/* A symbol of the own rules; lists and what else there is do not belong to a reader. */
static enum pw_status take_own(unsigned *out, struct pw_unpack *in,
                               const struct pw_weights *weights)
{
	struct pw_str name = pw_unpack_str(in);
	unsigned symbol;

	if (weights == NULL || pw_weights_find(weights, name, &symbol) != PW_OK ||
	    symbol < PW_SYMBOLS || !weights->symbols[symbol].is_of_rule)
		return PW_ERR_NOTFOUND;
	*out = symbol;
	return PW_OK;
}

/* Which symbol is meant; PW_ERR_NOTFOUND when there is none, or it is not for a reader.
 */
static enum pw_status take_symbol(unsigned *out, struct pw_unpack *in,
                                  const struct pw_weights *weights)
{
	int64_t symbol = pw_unpack_int(in);

	if (symbol == OWN_SYMBOL)
		return take_own(out, in, weights);
	if (symbol < 0 || symbol >= PW_SYMBOLS ||
	    !pw_checks_is_of_content((enum pw_symbol)symbol))
		return PW_ERR_NOTFOUND;
	*out = (unsigned)symbol;
	return PW_OK;
}

static enum pw_status take_hits(struct pw_reading *out, struct pw_arena *arena,
                                struct pw_unpack *in)
{
	int64_t count = pw_unpack_int(in);

	for (int64_t i = 0; i < count && !in->is_broken; i++) {
		unsigned symbol;
		bool is_known = take_symbol(&symbol, in, out->weights) == PW_OK;
		int64_t factor_milli = pw_unpack_int(in);
		struct pw_str evidence =
			pw_str_sub(pw_unpack_str(in), 0, PW_EVIDENCE_MAX);

		if (!is_known || out->hits == NULL || in->is_broken || factor_milli < 0 ||
		    factor_milli > 1000)
			continue;
		if (pw_arena_copy(arena, evidence, &evidence) != PW_OK)
			return PW_ERR_NOMEM;
		pw_hits_add(out->hits, symbol, (int32_t)factor_milli, evidence);
	}
	return PW_OK;
}

static void take_limited(struct pw_reading *out, struct pw_unpack *in)
{
	int64_t total = pw_unpack_int(in), count = pw_unpack_int(in);
	struct pw_rules_limited *limited = out->limited;

	for (int64_t i = 0; i < count && !in->is_broken; i++) {
		unsigned symbol;

		if (take_own(&symbol, in, out->weights) == PW_OK && limited != NULL &&
		    limited->count < PW_RULES_LIMITED_MAX)
			limited->at[limited->count++] = symbol;
	}
	if (limited != NULL && total > 0)
		limited->total =
			total < PW_OWN_RULES_MAX ? (size_t)total : PW_OWN_RULES_MAX;
}

static void take_tokens(struct pw_reading *out, struct pw_unpack *in)
{
	int64_t count = pw_unpack_int(in);

	for (int64_t i = 0; i < count && !in->is_broken; i++) {
		uint64_t token = (uint64_t)pw_unpack_int(in);

		if (out->tokens != NULL && !in->is_broken)
			pw_tokens_add(out->tokens, token);
	}
}

static enum pw_status take_links(struct pw_reading *out, struct pw_arena *arena,
                                 struct pw_unpack *in)
{
	int64_t count = pw_unpack_int(in);

	for (int64_t i = 0; i < count && !in->is_broken; i++) {
		struct pw_str url = pw_unpack_str(in);
		struct pw_link link = { 0 };

		if (out->links == NULL || in->is_broken ||
		    out->links->count == PW_LINKS_MAX)
			continue;
		if (pw_arena_copy(arena, url, &link.url) != PW_OK)
			return PW_ERR_NOMEM;
		out->links->at[out->links->count++] = link;
	}
	return PW_OK;
}

enum pw_status pw_reading_take(struct pw_reading *out, struct pw_arena *arena,
                               struct pw_str answer)
{
	struct pw_unpack in = { answer, false };
	enum pw_status r = take_hits(out, arena, &in);

	if (r != PW_OK)
		return r;
	take_limited(out, &in);
	take_tokens(out, &in);
	if ((r = take_links(out, arena, &in)) != PW_OK)
		return r;
	return in.is_broken || in.rest.len > 0 ? PW_ERR_PROTOCOL : PW_OK;
}

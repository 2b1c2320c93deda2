#include "score/record.h"

#include "core/json.h"
#include "core/score_text.h"
#include "score/record_auth.h"

static void put_key(struct pw_buf *out, const char *key)
{
	if (out->len > 1)
		pw_buf_puts(out, PW_STR(", "));
	pw_buf_printf(out, "\"%s\": ", key);
}

static void put_text(struct pw_buf *out, const char *key, struct pw_str text)
{
	put_key(out, key);
	pw_json_put_string(out, pw_str_sub(text, 0, RECORD_TEXT_MAX));
}

static void put_address(struct pw_buf *out, const struct pw_mailbox *mailbox)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	if (mailbox->domain.len > 0 || mailbox->local.len > 0)
		pw_address_put(&text, mailbox);
	pw_json_put_string(out, pw_buf_str(&text));
}

static void put_client(struct pw_buf *out, const struct pw_origin *origin)
{
	PW_AUTO(pw_buf_done) struct pw_buf address = { 0 };

	if (origin->address.family != PW_IP_NONE) {
		pw_ip_put(&address, origin->address);
		put_text(out, "client_address", pw_buf_str(&address));
		put_text(out, "client_name", origin->name);
	}
	if (origin->helo.len > 0)
		put_text(out, "helo", origin->helo);
	if (origin->login.len > 0)
		put_text(out, "login", origin->login);
}

static void put_envelope(struct pw_buf *out, const struct pw_envelope *e)
{
	put_key(out, "sender");
	put_address(out, &e->sender);
	put_key(out, "recipients");
	pw_buf_putc(out, '[');
	for (size_t i = 0; i < e->recipient_count && i < RECORD_RECIPIENTS_MAX; i++) {
		if (i > 0)
			pw_buf_puts(out, PW_STR(", "));
		put_address(out, &e->recipients[i]);
	}
	pw_buf_putc(out, ']');
}

static void put_field(struct pw_buf *out, const char *key, const struct pw_message *m,
                      const char *name)
{
	const struct pw_field *field = pw_message_find(m, name);

	if (field != NULL)
		put_text(out, key, field->text);
}

static void put_auth(struct pw_buf *out, const struct pw_auth *auth)
{
	if (auth->has_spf)
		put_text(out, "spf", pw_str_from(pw_spf_result_text(auth->spf.result)));
	put_text(out, "dkim", pw_str_from(pw_dkim_result_text(auth->dkim_overall)));
	put_text(out, "dmarc", pw_str_from(pw_dmarc_result_text(auth->dmarc.result)));
	put_text(out, "arc", pw_str_from(pw_arc_result_text(auth->arc.result)));
}

static void put_line_name(struct pw_buf *out, const struct pw_score_line *line)
{
	PW_AUTO(pw_buf_done) struct pw_buf name = { 0 };

	if (line->is_parts)
		pw_buf_puts(&name, PW_STR("parts:"));
	pw_buf_puts(&name, line->name);
	pw_json_put_string(out, pw_buf_str(&name));
}

static void put_symbols(struct pw_buf *out, const struct pw_score_plan *plan)
{
	put_key(out, "symbols");
	pw_buf_putc(out, '[');
	for (size_t i = 0; i < plan->count; i++) {
		const struct pw_score_line *line = &plan->lines[i];

		pw_buf_puts(out, i > 0 ? PW_STR(", {\"name\": ") : PW_STR("{\"name\": "));
		put_line_name(out, line);
		pw_buf_puts(out, PW_STR(", \"score\": "));
		pw_milli_put(out, line->score_milli);
		pw_buf_puts(out, PW_STR(", \"evidence\": "));
		pw_json_put_string(out, line->is_cap ? PW_STR("most points of the group")
		                        : line->is_parts ? PW_STR("points of its parts")
		                                         : line->evidence);
		pw_buf_puts(out, line->is_dry_run ? PW_STR(", \"dry_run\": true}")
		                                  : PW_STR("}"));
	}
	pw_buf_putc(out, ']');
}

void record_put(struct pw_buf *out, const struct record *record)
{
	const struct pw_message *m = record->verdict->message;
	const struct pw_score_plan *plan = &record->verdict->plan;

	pw_buf_putc(out, '{');
	put_text(out, "queue_id", record->queue_id);
	put_text(out, "host", record->host);
	put_key(out, "at");
	pw_milli_put(out, record->at_ms);
	put_client(out, &record->envelope->origin);
	put_envelope(out, record->envelope);
	put_field(out, "message_id", m, "Message-ID");
	put_field(out, "from", m, "From");
	put_text(out, "subject", m->subject);
	put_key(out, "size");
	pw_buf_put_int(out, m->size_bytes);
	if (record->verdict->has_auth) {
		put_auth(out, &record->verdict->auth);
		put_key(out, "auth");
		record_put_auth(out, record);
	}
	put_key(out, "score");
	pw_milli_put(out, plan->score_milli);
	put_text(out, "action", record->action);
	put_symbols(out, plan);
	pw_buf_putc(out, '}');
}

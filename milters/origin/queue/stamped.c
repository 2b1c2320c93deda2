#include "origin/queue/stamped.h"

#include "io/log.h"

static const struct pw_str name = { PW_STAMP_FIELD ":", sizeof(PW_STAMP_FIELD) };

/* Bytes of the field a block of whole fields begins with. */
static size_t field_len(struct pw_str block)
{
	size_t end = 0;

	do
		end += pw_str_find(pw_str_sub(block, end, block.len), '\n') + 1;
	while (end < block.len && (block.at[end] == ' ' || block.at[end] == '\t'));
	return end;
}

struct pw_str stamped_field(struct pw_str top)
{
	while (top.len > 0) {
		struct pw_str field = pw_str_sub(top, 0, field_len(top));

		if (pw_str_starts_nocase(field, name))
			return field;
		top = pw_str_sub(top, field.len, top.len);
	}
	return (struct pw_str){ NULL, 0 };
}

/* NULL = it is this message's. */
static const char *mismatch(const struct pw_stamp *stamp, const struct pw_origin *origin,
                            const struct recipient_list *list)
{
	const struct pw_origin *told = &stamp->facts.origin;

	if (!pw_ip_eq(pw_ip_unmap(told->address), origin->address) ||
	    (told->port && origin->port && told->port != origin->port))
		return "client";
	if (!pw_stamp_is_sender(stamp, pw_str_from(list->mail[0])))
		return "sender";
	for (size_t i = 0; i < list->count; i++)
		if (!pw_stamp_is_recipient(stamp, pw_str_from(list->argvs[i][0])))
			return "recipient";
	return NULL;
}

static bool ignore(const char *why, const char *queue_id)
{
	pw_log(PW_LOG_WARNING, queue_id, PW_KV("event", "stamp_ignored"),
	       PW_KV("why", why), PW_KV_END);
	return false;
}

static void learn(struct pw_origin *origin, const struct pw_origin *told, bool send_login)
{
	origin->ptr = told->ptr;
	origin->tls_version = told->tls_version;
	origin->tls_cipher = told->tls_cipher;
	origin->server_address = told->server_address;
	origin->server_port = told->server_port;
	if (origin->name.len == 0)
		origin->name_state = told->name_state == PW_NAME_TEMPORARY
		                             ? PW_NAME_TEMPORARY
		                             : PW_NAME_NONE;
	if (send_login)
		origin->login = told->login;
}

bool stamped_origin(struct pw_origin *origin, struct pw_str top,
                    const struct pw_stamp_keys *keys, bool send_login,
                    const struct recipient_list *list, const char *queue_id,
                    int64_t now_s)
{
	struct pw_str value = stamped_field(top);
	enum pw_stamp_verdict verdict;
	struct pw_stamp stamp;
	const char *why;
	enum pw_status r;

	if (value.len == 0)
		return false;
	value = pw_str_trim(pw_str_sub(value, name.len, value.len));
	r = pw_stamp_read(&verdict, &stamp, list->arena, keys, value, now_s);
	if (r != PW_OK)
		return ignore(pw_status_text(r), queue_id);
	if (verdict != PW_STAMP_GOOD)
		return ignore(pw_stamp_verdict_text(verdict), queue_id);
	if ((why = mismatch(&stamp, origin, list)) != NULL)
		return ignore(why, queue_id);
	learn(origin, &stamp.facts.origin, send_login);
	return true;
}

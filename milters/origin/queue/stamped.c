#include "origin/queue/stamped.h"

#include "io/log.h"

/* The value of the first field of that name in a block of whole fields; at NULL = there
 * is none. */
static struct pw_str find_field(struct pw_str block, struct pw_str name)
{
	while (block.len > 0) {
		size_t end = 0;
		struct pw_str field;

		do
			end += pw_str_find(pw_str_sub(block, end, block.len), '\n') + 1;
		while (end < block.len &&
		       (block.at[end] == ' ' || block.at[end] == '\t'));
		field = pw_str_sub(block, 0, end);
		block = pw_str_sub(block, end, block.len);
		if (pw_str_starts_nocase(field, name) && name.len < field.len &&
		    field.at[name.len] == ':')
			return pw_str_trim(pw_str_sub(field, name.len + 1, field.len));
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

static int64_t ignore(const char *why, const char *queue_id)
{
	pw_log(PW_LOG_WARNING, queue_id, PW_KV("event", "stamp_ignored"),
	       PW_KV("why", why), PW_KV_END);
	return 0;
}

int64_t stamped_origin(struct pw_origin *origin, struct pw_str top,
                       const struct pw_stamp_keys *keys, bool send_login,
                       const struct recipient_list *list, struct pw_arena *arena,
                       const char *queue_id, int64_t now_s)
{
	struct pw_str value = find_field(top, PW_STR(PW_STAMP_FIELD));
	enum pw_stamp_verdict verdict;
	struct pw_stamp stamp;
	const struct pw_origin *told = &stamp.facts.origin;
	const char *why;
	enum pw_status r;

	if (!value.at)
		return 0;
	if ((r = pw_stamp_read(&verdict, &stamp, arena, keys, value, now_s)) != PW_OK)
		return ignore(pw_status_text(r), queue_id);
	if (verdict != PW_STAMP_GOOD)
		return ignore(pw_stamp_verdict_text(verdict), queue_id);
	if ((why = mismatch(&stamp, origin, list)) != NULL)
		return ignore(why, queue_id);
	origin->ptr = told->ptr;
	origin->tls_version = told->tls_version;
	origin->tls_cipher = told->tls_cipher;
	origin->server_address = told->server_address;
	origin->server_port = told->server_port;
	if (origin->name.len == 0)
		origin->name_state = told->name_state;
	if (send_login)
		origin->login = told->login;
	return stamp.facts.at_s;
}

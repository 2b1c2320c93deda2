#include "score/lesson.h"

#include "core/json.h"

static void put_text(struct pw_buf *out, const char *key, struct pw_str text)
{
	pw_buf_printf(out, "\"%s\": ", key);
	pw_json_put_string(out, text);
	pw_buf_puts(out, PW_STR(", "));
}

enum pw_status lesson_put(struct pw_buf *out, const struct lesson *lesson)
{
	const struct pw_field *id = pw_message_find(lesson->message, "Message-ID");
	uint8_t digest[PW_MESSAGE_DIGEST_BYTES];
	enum pw_status r = pw_message_digest(digest, lesson->message);

	if (r != PW_OK)
		return r;
	pw_buf_putc(out, '{');
	put_text(out, "login", lesson->login);
	put_text(out, "verdict", lesson->is_spam ? PW_STR("spam") : PW_STR("ham"));
	put_text(out, "origin", pw_str_from(lesson->origin));
	put_text(out, "message_id", id != NULL ? id->text : PW_STR(""));
	pw_buf_puts(out, PW_STR("\"digest\": \""));
	for (size_t i = 0; i < sizeof(digest); i++)
		pw_buf_printf(out, "%02x", digest[i]);
	pw_buf_printf(out, "\", \"version\": %d, \"tokens\": [", PW_TOKENS_VERSION);
	for (size_t i = 0; i < lesson->tokens->count; i++) {
		if (i > 0)
			pw_buf_puts(out, PW_STR(", "));
		pw_buf_put_int(out, (int64_t)lesson->tokens->at[i]);
	}
	pw_buf_puts(out, PW_STR("]}"));
	return pw_buf_status(out);
}

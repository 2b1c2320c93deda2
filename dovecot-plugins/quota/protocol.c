#include "protocol.h"

#include <string.h>

static bool is_sayable(struct pw_str user)
{
	for (size_t i = 0; i < user.len; i++) {
		if (strchr("\t\n\r", user.at[i]) != NULL) /* finds the NUL too */
			return false;
	}
	return user.len > 0;
}

static int64_t clamp(uint64_t number)
{
	return number < USAGE_NUMBER_MAX ? (int64_t)number : USAGE_NUMBER_MAX;
}

/* `<word>\t<user>[\t<bytes>\t<messages>]\n` */
static enum pw_status put_request(struct pw_buf *out, struct pw_str word,
                                  struct pw_str user, const struct usage_numbers *numbers)
{
	size_t start = out->len;

	if (!is_sayable(user))
		return PW_ERR_SYNTAX;
	pw_buf_puts(out, word);
	pw_buf_putc(out, '\t');
	pw_buf_puts(out, user);
	if (numbers != NULL) {
		pw_buf_putc(out, '\t');
		pw_buf_put_int(out, numbers->bytes);
		pw_buf_putc(out, '\t');
		pw_buf_put_int(out, numbers->messages);
	}
	pw_buf_putc(out, '\n');
	if (out->len - start > USAGE_LINE_MAX) {
		pw_buf_truncate(out, start);
		return PW_ERR_LIMIT;
	}
	return pw_buf_status(out);
}

enum pw_status usage_put_limit(struct pw_buf *out, struct pw_str user)
{
	return put_request(out, PW_STR("limit"), user, NULL);
}

enum pw_status usage_put_usage(struct pw_buf *out, struct pw_str user, uint64_t bytes,
                               uint64_t messages)
{
	struct usage_numbers numbers = { clamp(bytes), clamp(messages) };

	return put_request(out, PW_STR("usage"), user, &numbers);
}

static enum pw_status parse_number(struct pw_str *rest, int64_t *out)
{
	struct pw_str field;

	if (rest->at == NULL)
		return PW_ERR_SYNTAX;
	field = pw_str_cut(rest, '\t');
	return pw_str_to_int64(field, 0, USAGE_NUMBER_MAX, out);
}

enum pw_status usage_parse_answer(struct pw_str line, enum usage_verdict *verdict_out,
                                  struct usage_numbers *limit_out)
{
	struct pw_str rest = line;
	struct pw_str word = pw_str_cut(&rest, '\t');
	struct usage_numbers numbers = { 0, 0 };
	enum usage_verdict verdict = USAGE_OK;

	if (pw_str_eq(word, PW_STR("unknown")))
		verdict = USAGE_UNKNOWN;
	else if (pw_str_eq(word, PW_STR("fail")))
		verdict = USAGE_FAIL;
	else if (!pw_str_eq(word, PW_STR("ok")))
		return PW_ERR_PROTOCOL;
	if (verdict == USAGE_OK && limit_out != NULL &&
	    (parse_number(&rest, &numbers.bytes) != PW_OK ||
	     parse_number(&rest, &numbers.messages) != PW_OK))
		return PW_ERR_PROTOCOL;
	if (rest.at != NULL) /* more fields than this version knows */
		return PW_ERR_PROTOCOL;
	if (verdict == USAGE_OK && limit_out != NULL)
		*limit_out = numbers;
	*verdict_out = verdict;
	return PW_OK;
}

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

int64_t usage_clamp(uint64_t number)
{
	return number < USAGE_NUMBER_MAX ? (int64_t)number : USAGE_NUMBER_MAX;
}

/* `<word>\t<user>[\t<number>]...\n` */
static enum pw_status put_line(struct pw_buf *out, struct pw_str word, struct pw_str user,
                               const int64_t *numbers, size_t count)
{
	size_t start = out->len;

	if (!is_sayable(user))
		return PW_ERR_SYNTAX;
	pw_buf_puts(out, word);
	pw_buf_putc(out, '\t');
	pw_buf_puts(out, user);
	for (size_t i = 0; i < count; i++) {
		pw_buf_putc(out, '\t');
		pw_buf_put_int(out, numbers[i]);
	}
	pw_buf_putc(out, '\n');
	if (out->len - start > USAGE_LINE_MAX) {
		pw_buf_truncate(out, start);
		return PW_ERR_LIMIT;
	}
	return pw_buf_status(out);
}

enum pw_status usage_put_watch(struct pw_buf *out, struct pw_str user)
{
	return put_line(out, PW_STR("watch"), user, NULL, 0);
}

enum pw_status usage_put_leave(struct pw_buf *out, struct pw_str user)
{
	return put_line(out, PW_STR("leave"), user, NULL, 0);
}

enum pw_status usage_put_usage(struct pw_buf *out, struct pw_str user,
                               const struct usage_count *count)
{
	const int64_t numbers[] = { count->bytes, count->messages, count->began_us };

	return put_line(out, PW_STR("usage"), user, numbers, PW_LEN(numbers));
}

static const struct word {
	struct pw_str text;
	enum usage_word word;
	size_t numbers;
} words[] = {
	{ { "limit", 5 }, USAGE_LIMIT, 3 },
	{ { "unknown", 7 }, USAGE_UNKNOWN, 0 },
	{ { "told", 4 }, USAGE_TOLD, 1 },
	{ { "fail", 4 }, USAGE_FAIL, 0 },
};

static const struct word *find_word(struct pw_str text)
{
	for (size_t i = 0; i < PW_LEN(words); i++)
		if (pw_str_eq(words[i].text, text))
			return &words[i];
	return NULL;
}

static bool parse_numbers(struct pw_str *rest, int64_t *out, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (rest->at == NULL ||
		    pw_str_to_int64(pw_str_cut(rest, '\t'), 0, USAGE_NUMBER_MAX,
		                    &out[i]) != PW_OK)
			return false;
	}
	return rest->at == NULL; /* more fields than this version knows */
}

enum pw_status usage_parse_reply(struct usage_reply *out, struct pw_str line)
{
	struct pw_str rest = line;
	const struct word *word = find_word(pw_str_cut(&rest, '\t'));
	struct usage_reply reply = { .word = USAGE_FAIL };
	int64_t numbers[3] = { 0, 0, 0 };

	if (word == NULL || rest.at == NULL)
		return PW_ERR_PROTOCOL;
	reply.word = word->word;
	reply.user = pw_str_cut(&rest, '\t');
	if (!is_sayable(reply.user) || !parse_numbers(&rest, numbers, word->numbers))
		return PW_ERR_PROTOCOL;
	if (word->word == USAGE_LIMIT)
		reply.limits =
			(struct usage_limits){ numbers[0], numbers[1], numbers[2] };
	reply.began_us = word->word == USAGE_TOLD ? numbers[0] : 0;
	*out = reply;
	return PW_OK;
}

#include "origin/engine/smtp_reply.h"

#include <string.h>

#include "core/ascii.h"

/* "5.1.1 " of the class of code at the start of text; its length without the blank, else
 * 0. */
static size_t enhanced_len(struct pw_str text, int code)
{
	size_t at = 0;

	for (int part = 0; part < 3; part++) {
		size_t digits = 0;

		while (at + digits < text.len && digits < 3 &&
		       pw_is_digit(text.at[at + digits]))
			digits++;
		if (digits == 0 ||
		    (part == 0 && (digits != 1 || text.at[0] != '0' + code / 100)))
			return 0;
		at += digits;
		if (part < 2 && (at >= text.len || text.at[at++] != '.'))
			return 0;
	}
	return at == text.len || text.at[at] == ' ' ? at : 0;
}

/* One line without its line end: "250-text", "250 text" or "250". */
static enum reply_state take_line(struct smtp_reply *reply, struct pw_str line)
{
	int64_t code;
	size_t len;

	if (++reply->lines > REPLY_LINES_MAX || line.len < 3 ||
	    (line.len > 3 && line.at[3] != ' ' && line.at[3] != '-') ||
	    pw_str_to_int64(pw_str_sub(line, 0, 3), 200, 599, &code) != PW_OK ||
	    (reply->code != 0 && reply->code != code))
		return REPLY_BAD;
	reply->code = (int)code;
	struct pw_str text = pw_str_sub(line, 4, line.len);
	if ((len = enhanced_len(text, reply->code)) > 0) {
		if (reply->lines == 1)
			memcpy(reply->enhanced, text.at, len);
		text = pw_str_trim_wsp(pw_str_sub(text, len, text.len));
	}
	if (reply->lines > 1)
		pw_buf_putc(&reply->text, '\n');
	pw_buf_puts(&reply->text, text);
	if (pw_buf_status(&reply->text) != PW_OK)
		return REPLY_BAD;
	return line.len > 3 && line.at[3] == '-' ? REPLY_MORE : REPLY_DONE;
}

enum reply_state smtp_reply_feed(struct smtp_reply *reply, struct pw_str *input)
{
	while (input->len > 0) {
		size_t end = pw_str_find(*input, '\n');
		bool is_whole = end < input->len;
		enum reply_state state;

		pw_buf_puts(&reply->line, pw_str_sub(*input, 0, end));
		*input = pw_str_sub(*input, is_whole ? end + 1 : end, input->len);
		if (pw_buf_status(&reply->line) != PW_OK ||
		    reply->line.len > REPLY_LINE_MAX)
			return REPLY_BAD;
		if (!is_whole)
			return REPLY_MORE;
		if (reply->line.len && reply->line.at[reply->line.len - 1] == '\r')
			pw_buf_truncate(&reply->line, reply->line.len - 1);
		state = take_line(reply, pw_buf_str(&reply->line));
		pw_buf_reset(&reply->line);
		if (state != REPLY_MORE)
			return state;
	}
	return REPLY_MORE;
}

void smtp_reply_reset(struct smtp_reply *reply)
{
	reply->code = 0;
	reply->lines = 0;
	memset(reply->enhanced, 0, sizeof(reply->enhanced));
	pw_buf_reset(&reply->text);
	pw_buf_reset(&reply->line);
}

void smtp_reply_done(struct smtp_reply *reply)
{
	pw_buf_done(&reply->text);
	pw_buf_done(&reply->line);
	smtp_reply_reset(reply);
}

void smtp_reply_set(struct smtp_reply *reply, int code, const char *enhanced,
                    const char *text)
{
	smtp_reply_reset(reply);
	reply->code = code;
	strncpy(reply->enhanced, enhanced, sizeof(reply->enhanced) - 1);
	pw_buf_puts(&reply->text, pw_str_from(text));
}

void smtp_reply_copy(struct smtp_reply *to, const struct smtp_reply *from)
{
	smtp_reply_reset(to);
	to->code = from->code;
	to->lines = from->lines;
	memcpy(to->enhanced, from->enhanced, sizeof(to->enhanced));
	pw_buf_puts(&to->text, pw_buf_str(&from->text));
}

struct pw_str smtp_reply_queue_id(const struct smtp_reply *reply)
{
	static const struct pw_str mark = { "queued as ", 10 };
	struct pw_str text = pw_buf_str(&reply->text);

	while (text.len >= mark.len && !pw_str_starts_nocase(text, mark))
		text = pw_str_sub(text, 1, text.len);
	if (text.len < mark.len)
		return (struct pw_str){ NULL, 0 };
	text = pw_str_sub(text, mark.len, text.len);
	for (size_t i = 0; i < text.len; i++)
		if (!pw_is_alnum(text.at[i]))
			return pw_str_sub(text, 0, i);
	return text;
}

struct word {
	const char *text;
	unsigned offer;
};

static unsigned find_word(const struct word *words, size_t count, struct pw_str text)
{
	for (size_t i = 0; i < count; i++)
		if (pw_str_eq_nocase(pw_str_from(words[i].text), text))
			return words[i].offer;
	return 0;
}

static unsigned xclient_offers(struct pw_str attributes)
{
	static const struct word words[] = {
		{ "NAME", OFFER_NAME },         { "REVERSE_NAME", OFFER_REVERSE_NAME },
		{ "ADDR", OFFER_ADDR },         { "PORT", OFFER_PORT },
		{ "PROTO", OFFER_PROTO },       { "HELO", OFFER_HELO },
		{ "LOGIN", OFFER_LOGIN },       { "DESTADDR", OFFER_DESTADDR },
		{ "DESTPORT", OFFER_DESTPORT },
	};
	unsigned offers = 0;

	while (attributes.at)
		offers |= find_word(words, PW_LEN(words), pw_str_cut(&attributes, ' '));
	return offers;
}

unsigned smtp_reply_offers(const struct smtp_reply *ehlo)
{
	static const struct word words[] = {
		{ "SIZE", OFFER_SIZE },
		{ "8BITMIME", OFFER_8BITMIME },
		{ "SMTPUTF8", OFFER_SMTPUTF8 },
		{ "DSN", OFFER_DSN },
		{ "PIPELINING", OFFER_PIPELINING },
		{ "STARTTLS", OFFER_STARTTLS },
	};
	struct pw_str text = pw_buf_str(&ehlo->text);
	unsigned offers = 0;

	(void)pw_str_cut(&text, '\n'); /* the first line greets */
	while (text.at) {
		struct pw_str rest = pw_str_cut(&text, '\n');
		struct pw_str word = pw_str_cut(&rest, ' ');

		offers |= pw_str_eq_nocase(word, PW_STR("XCLIENT"))
		                  ? xclient_offers(rest)
		                  : find_word(words, PW_LEN(words), word);
	}
	return offers;
}

int64_t smtp_reply_size_max(const struct smtp_reply *ehlo)
{
	struct pw_str text = pw_buf_str(&ehlo->text);
	int64_t size;

	(void)pw_str_cut(&text, '\n');
	while (text.at) {
		struct pw_str rest = pw_str_cut(&text, '\n');
		struct pw_str word = pw_str_cut(&rest, ' ');

		if (pw_str_eq_nocase(word, PW_STR("SIZE")) &&
		    pw_str_to_int64(pw_str_trim_wsp(rest), 0, INT64_MAX, &size) == PW_OK)
			return size;
	}
	return 0;
}

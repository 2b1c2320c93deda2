#include "origin/queue/command.h"

#include <string.h>

#include "core/ascii.h"

/* clang-format off */
static const struct {
	struct pw_str name;
	enum command_verb verb;
	struct pw_str path; /* what stands before the address */
} verbs[] = {
	{ { "LHLO", 4 },     COMMAND_LHLO,     { NULL, 0 } },
	{ { "EHLO", 4 },     COMMAND_EHLO,     { NULL, 0 } },
	{ { "HELO", 4 },     COMMAND_HELO,     { NULL, 0 } },
	{ { "XFORWARD", 8 }, COMMAND_XFORWARD, { NULL, 0 } },
	{ { "MAIL", 4 },     COMMAND_MAIL,     { "FROM:", 5 } },
	{ { "RCPT", 4 },     COMMAND_RCPT,     { "TO:", 3 } },
	{ { "DATA", 4 },     COMMAND_DATA,     { NULL, 0 } },
	{ { "RSET", 4 },     COMMAND_RSET,     { NULL, 0 } },
	{ { "NOOP", 4 },     COMMAND_NOOP,     { NULL, 0 } },
	{ { "QUIT", 4 },     COMMAND_QUIT,     { NULL, 0 } },
};
/* clang-format on */

static bool is_text(struct pw_str line)
{
	for (size_t i = 0; i < line.len; i++)
		if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') ||
		    line.at[i] == 0x7f)
			return false;
	return true;
}

static size_t blank(struct pw_str text)
{
	size_t i = 0;

	while (i < text.len && !pw_is_wsp(text.at[i]))
		i++;
	return i;
}

/* Bytes of the address at the start of text: up to its closing bracket, or to the next
 * blank where there are no brackets (RFC 5321 4.1.2: quoted strings may hold either). 0 =
 * none, or one whose end brackets around it would not find. */
static size_t address_len(struct pw_str text)
{
	bool is_bare = text.len == 0 || text.at[0] != '<', is_quoted = false;
	size_t i = !is_bare;

	for (; i < text.len; i++) {
		char c = text.at[i];

		if (c == '\\' && ++i == text.len)
			return 0;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (c == '>' && !is_quoted)
			return is_bare ? 0 : i + 1;
		else if (pw_is_wsp(c) && is_bare && !is_quoted)
			break;
	}
	return is_bare && !is_quoted ? i : 0;
}

/* Copy text behind what stands in out->text already; a word of argv. */
static void add_word(struct command *out, size_t *count, size_t *used, struct pw_str word)
{
	char *at = out->text + *used;

	memcpy(at, word.at, word.len);
	at[word.len] = '\0';
	*used += word.len + 1; /* at most the line: a blank or `:' stood there */
	out->argv[(*count)++] = at;
	out->argv[*count] = NULL;
}

static enum pw_status parse_path(struct command *out, struct pw_str path)
{
	struct pw_str rest = out->rest;
	size_t count = 0, used = 0, len;

	if (!pw_str_starts_nocase(rest, path))
		return PW_ERR_SYNTAX;
	rest = pw_str_trim_wsp(pw_str_sub(rest, path.len, rest.len));
	len = address_len(rest);
	if (len == 0 || (len < rest.len && !pw_is_wsp(rest.at[len])))
		return PW_ERR_SYNTAX;
	while (len > 0) {
		if (count == COMMAND_WORDS_MAX)
			return PW_ERR_LIMIT;
		add_word(out, &count, &used, pw_str_sub(rest, 0, len));
		rest = pw_str_trim_wsp(pw_str_sub(rest, len, rest.len));
		len = blank(rest);
	}
	return PW_OK;
}

enum pw_status command_parse(struct command *out, struct pw_str line)
{
	size_t len = blank(line);
	struct pw_str name = pw_str_sub(line, 0, len);

	out->verb = COMMAND_UNKNOWN;
	out->rest = pw_str_trim_wsp(pw_str_sub(line, len, line.len));
	out->argv[0] = NULL;
	if (line.len > COMMAND_LINE_MAX)
		return PW_ERR_LIMIT;
	for (size_t i = 0; i < PW_LEN(verbs); i++) {
		if (!pw_str_eq_nocase(verbs[i].name, name))
			continue;
		out->verb = verbs[i].verb;
		if (!is_text(line))
			return PW_ERR_SYNTAX;
		return verbs[i].path.len ? parse_path(out, verbs[i].path) : PW_OK;
	}
	return is_text(line) ? PW_OK : PW_ERR_SYNTAX;
}

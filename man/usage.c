#include "man/usage.h"

#include "man/mdoc.h"

#define COMMAND_MARK '\f'

/* What the lines so far have come to. */
enum part { SYNOPSIS, TEXT, ITEM };

struct usage {
	struct pw_buf *out;
	enum part part, written; /* the one that is open; the last one in out */
	bool has_list;
	struct pw_buf pending; /* of the part: joined, not yet written */
};

static size_t indent_of(struct pw_str line)
{
	size_t n = 0;

	while (n < line.len && line.at[n] == ' ')
		n++;
	return n;
}

/* ---- an option and its help ---- */

static bool has_lower(struct pw_str word)
{
	for (size_t i = 0; i < word.len; i++)
		if (word.at[i] >= 'a' && word.at[i] <= 'z')
			return true;
	return false;
}

static bool is_option(struct pw_str word)
{
	return pw_str_starts(word, PW_STR("-"));
}

/* Does a word belong to what is typed? Options, ARGUMENTS, a|b, [OPTIONAL]. */
static bool is_typed(struct pw_str word)
{
	return is_option(word) || !has_lower(word) || pw_str_find(word, '|') < word.len ||
	       pw_str_starts(word, PW_STR("["));
}

/* Length of what is typed: to a gap of two blanks; or, behind an option, as far as words
 * look like it. */
static size_t typed_len(struct pw_str item)
{
	bool begins_option = is_option(item);
	size_t at = 0;

	for (;;) {
		struct pw_str rest = pw_str_sub(item, at, item.len);
		size_t word = pw_str_find(rest, ' ');

		if (at > 0 && begins_option && !is_typed(pw_str_sub(rest, 0, word)))
			return at - 1;
		at += word;
		if (at >= item.len || item.at[at + 1] == ' ')
			return at;
		at++;
	}
}

/* `.It Fl -ip Ar ADDRESS` */
static void put_typed(struct pw_buf *out, struct pw_str typed)
{
	pw_buf_puts(out, PW_STR(".It"));
	while (typed.at != NULL) {
		struct pw_str word = pw_str_cut(&typed, ' ');

		if (is_option(word)) /* .Fl puts the first - itself */
			pw_buf_puts(out, PW_STR(" Fl "));
		else
			pw_buf_puts(out,
			            has_lower(word) ? PW_STR(" Cm ") : PW_STR(" Ar "));
		pw_buf_puts(out, PW_STR("\"\\&"));
		mdoc_put_escaped(out,
		                 is_option(word) ? pw_str_sub(word, 1, word.len) : word);
		pw_buf_puts(out, PW_STR("\""));
	}
	pw_buf_putc(out, '\n');
}

static void put_item(struct usage *u, struct pw_str item)
{
	size_t len = typed_len(item);

	if (!u->has_list)
		pw_buf_puts(u->out, PW_STR(".Bl -tag -width Ds\n"));
	u->has_list = true;
	put_typed(u->out, pw_str_sub(item, 0, len));
	mdoc_put_prose(u->out, pw_str_sub(item, len, item.len));
}

/* ---- parts ---- */

static void list_end(struct usage *u)
{
	if (u->has_list)
		pw_buf_puts(u->out, PW_STR(".El\n"));
	u->has_list = false;
}

static void put_text(struct usage *u, struct pw_str text)
{
	list_end(u);
	pw_buf_puts(u->out, PW_STR(".Pp\n"));
	mdoc_put_prose(u->out, text);
}

static void put_synopsis(struct usage *u, struct pw_str text)
{
	list_end(u);
	if (u->written != SYNOPSIS)
		pw_buf_puts(u->out, PW_STR(".Pp\n"));
	mdoc_put_macro(u->out, "Dl", text, "");
}

/* Write what has been joined. */
static void flush(struct usage *u)
{
	struct pw_str text = pw_buf_str(&u->pending);

	if (text.len == 0)
		return;
	if (u->part == SYNOPSIS)
		put_synopsis(u, text);
	else if (u->part == TEXT)
		put_text(u, text);
	else
		put_item(u, text);
	u->written = u->part;
	pw_buf_reset(&u->pending);
}

/* Begin a part, or go on with the one that is open. */
static void take(struct usage *u, enum part part, bool begins, struct pw_str text)
{
	if (begins || u->part != part)
		flush(u);
	u->part = part;
	if (u->pending.len > 0)
		pw_buf_putc(&u->pending, ' ');
	pw_buf_puts(&u->pending, pw_str_trim(text));
}

static void put_line(struct usage *u, struct pw_str line)
{
	static const struct pw_str head = PW_STR("usage: ");
	static const struct pw_str program = PW_STR("postwardctl ");
	size_t indent = indent_of(line);
	struct pw_str text = pw_str_sub(line, indent, line.len);

	if (indent == 0 && pw_str_starts(line, head))
		take(u, SYNOPSIS, true, pw_str_sub(line, head.len, line.len));
	else if (indent == head.len && pw_str_starts(text, program))
		take(u, SYNOPSIS, true, text);
	else if (indent == 0 && text.len > 0)
		take(u, TEXT, false, text);
	else if (indent == 2)
		take(u, ITEM, true, text);
	else if (indent > 2)
		take(u, u->part, false, text);
	else
		flush(u);
}

static void put_command(struct pw_buf *out, struct pw_str name, struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf title = { 0 };
	struct usage u = { .out = out };

	pw_buf_printf(&title, "postwardctl %.*s", PW_FMT(name));
	mdoc_put_macro(out, "Ss", pw_buf_str(&title), "");
	while (text.at != NULL)
		put_line(&u, pw_str_cut(&text, '\n'));
	flush(&u);
	list_end(&u);
	if (out->status == PW_OK)
		out->status = pw_buf_status(&u.pending);
	if (out->status == PW_OK)
		out->status = pw_buf_status(&title);
	pw_buf_done(&u.pending);
}

void usage_put_commands(struct pw_buf *out, struct pw_str text)
{
	(void)pw_str_cut(&text, COMMAND_MARK);
	while (text.at != NULL) {
		struct pw_str command = pw_str_cut(&text, COMMAND_MARK);
		struct pw_str name = pw_str_cut(&command, '\n');

		put_command(out, name, command);
	}
}

#include "core/header.h"

#include "core/ascii.h"

bool pw_header_name_is_valid(struct pw_str name)
{
	if (name.len == 0 || name.len > 998)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!pw_is_print(name.at[i]) || name.at[i] == ' ' || name.at[i] == ':')
			return false;
	return true;
}

/* Bytes of the first line with its LF; everything where there is none. */
static size_t line_length(struct pw_str s)
{
	size_t n = pw_str_find(s, '\n');

	return n < s.len ? n + 1 : n;
}

/* Bytes of a field: its line and the lines that begin with a blank. */
static size_t field_length(struct pw_str s)
{
	size_t n = line_length(s);

	while (n < s.len && pw_is_wsp(s.at[n]))
		n += line_length(pw_str_sub(s, n, s.len));
	return n;
}

static struct pw_str without_eol(struct pw_str s)
{
	if (s.len > 0 && s.at[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.at[s.len - 1] == '\r')
		s.len--;
	return s;
}

bool pw_header_next(struct pw_str *message, struct pw_header *out)
{
	size_t line = line_length(*message);
	struct pw_str field;
	size_t colon;

	if (without_eol(pw_str_sub(*message, 0, line)).len == 0) {
		*message = pw_str_sub(*message, line, message->len);
		return false;
	}
	field = pw_str_sub(*message, 0, field_length(*message));
	colon = pw_str_find(pw_str_sub(field, 0, line), ':');
	out->name = pw_str_trim_wsp(pw_str_sub(field, 0, colon));
	if (colon == line || !pw_header_name_is_valid(out->name))
		return false;
	out->value = without_eol(pw_str_sub(field, colon + 1, field.len));
	*message = pw_str_sub(*message, field.len, message->len);
	return true;
}

void pw_header_unfold(struct pw_buf *out, struct pw_str value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];

		if (c != '\r' && c != '\n') {
			pw_buf_putc(out, c);
			continue;
		}
		if (c == '\r' && i + 1 < value.len && value.at[i + 1] == '\n')
			i++;
		if (i + 1 >= value.len || !pw_is_wsp(value.at[i + 1]))
			pw_buf_putc(out, ' ');
	}
}

bool pw_header_find(struct pw_str message, struct pw_str name, struct pw_header *out)
{
	struct pw_header header;

	while (pw_header_next(&message, &header))
		if (pw_str_eq_nocase(header.name, name)) {
			*out = header;
			return true;
		}
	return false;
}

#include "core/conf.h"

#include <string.h>

#include "core/ascii.h"

void pw_conf_init(struct pw_conf *conf, struct pw_str bytes)
{
	*conf = (struct pw_conf){ .rest = bytes, .next_line = 1, .why = "" };
}

const char *pw_conf_why(const struct pw_conf *conf)
{
	return conf->why;
}

static enum pw_status fail(struct pw_conf *conf, enum pw_status status, const char *why)
{
	conf->why = why;
	return status;
}

/* Take one line, without its end, off the bytes. */
static struct pw_str take_line(struct pw_conf *conf)
{
	struct pw_str line = pw_str_cut(&conf->rest, '\n');

	conf->next_line++;
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool has_control(struct pw_str line)
{
	for (size_t i = 0; i < line.len; i++)
		if (((unsigned char)line.at[i] < ' ' && line.at[i] != '\t') ||
		    line.at[i] == 0x7f)
			return true;
	return false;
}

static bool is_void(struct pw_str line)
{
	struct pw_str text = pw_str_trim_wsp(line);

	return text.len == 0 || text.at[0] == '#';
}

/* Next line that is not empty or a comment; false at the end. */
static bool next_line(struct pw_conf *conf, struct pw_str *line)
{
	while (conf->rest.len > 0) {
		conf->line = conf->next_line;
		*line = take_line(conf);
		if (!is_void(*line) || has_control(*line))
			return true;
	}
	return false;
}

/* Does a continuation follow? Comments and empty lines before it go. */
static bool next_continuation(struct pw_conf *conf, struct pw_str *line)
{
	struct pw_conf ahead = *conf;

	if (!next_line(&ahead, line) || (!pw_is_wsp(line->at[0]) && !has_control(*line)))
		return false;
	conf->rest = ahead.rest;
	conf->next_line = ahead.next_line;
	conf->line = ahead.line;
	return true;
}

static enum pw_status split(struct pw_conf *conf, struct pw_str text,
                            struct pw_conf_pair *out)
{
	struct pw_conf_pair pair;
	size_t equals = pw_str_find(text, '=');

	if (equals == text.len)
		return fail(conf, PW_ERR_SYNTAX, "missing '='");
	pair.name = pw_str_trim_wsp(pw_str_sub(text, 0, equals));
	pair.value = pw_str_trim_wsp(pw_str_sub(text, equals + 1, text.len));
	if (pair.name.len == 0)
		return fail(conf, PW_ERR_SYNTAX, "missing name before '='");
	if (pair.name.len > PW_CONF_NAME_MAX)
		return fail(conf, PW_ERR_LIMIT, "name too long");
	for (size_t i = 0; i < pair.name.len; i++)
		if (!pw_is_alnum(pair.name.at[i]) && pair.name.at[i] != '_')
			return fail(conf, PW_ERR_SYNTAX,
			            "a name has letters, digits and '_' only");
	*out = pair;
	return PW_OK;
}

enum pw_status pw_conf_next(struct pw_conf *conf, struct pw_arena *arena,
                            struct pw_conf_pair *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { .max = PW_CONF_VALUE_MAX };
	struct pw_str line, copy;
	enum pw_status r;

	if (!next_line(conf, &line))
		return PW_ERR_NOTFOUND;
	if (pw_is_wsp(line.at[0]))
		return fail(conf, PW_ERR_SYNTAX,
		            "a line that begins with a blank continues nothing");
	unsigned int first = conf->line;
	do {
		if (has_control(line))
			return fail(conf, PW_ERR_SYNTAX, "control character");
		pw_buf_puts(&text, line);
	} while (next_continuation(conf, &line));
	conf->line = first;
	if ((r = pw_buf_status(&text)) != PW_OK)
		return fail(conf, r, "value too long");
	if ((r = pw_arena_copy(arena, pw_buf_str(&text), &copy)) != PW_OK)
		return fail(conf, r, "out of memory");
	return split(conf, copy, out);
}

#include "tools/doveconf.h"

#include <stdlib.h>

#include "core/ascii.h"
#include "io/child.h"

#define DEPTH_MAX 8

/* ---- reading ---- */

void doveconf_done(struct doveconf *conf)
{
	free(conf->at);
	pw_buf_done(&conf->complaints);
	*conf = (struct doveconf){ 0 };
}

static enum pw_status add(struct doveconf *conf, struct doveconf_entry entry)
{
	if (conf->count == conf->room) {
		size_t room = conf->room > 0 ? conf->room * 2 : 64;
		struct doveconf_entry *more = realloc(conf->at, room * sizeof(*more));

		if (more == NULL)
			return PW_ERR_NOMEM;
		conf->at = more;
		conf->room = room;
	}
	conf->at[conf->count++] = entry;
	return PW_OK;
}

/* "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf" */
static void read_version(struct doveconf *conf, struct pw_str line)
{
	struct pw_str rest = pw_str_trim(pw_str_sub(line, 1, line.len));
	int64_t major, minor;

	if (conf->major == 0 &&
	    pw_str_to_int64(pw_str_cut(&rest, '.'), 0, 99, &major) == PW_OK &&
	    pw_str_to_int64(pw_str_cut(&rest, '.'), 0, 99, &minor) == PW_OK) {
		conf->major = (int)major;
		conf->minor = (int)minor;
	}
}

static struct pw_str unquote(struct pw_str s)
{
	s = pw_str_trim(s);
	if (s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"')
		s = pw_str_trim(pw_str_sub(s, 1, s.len - 2));
	return s;
}

/* Where in the file we are: names of the blocks around, joined by '/'. */
struct place {
	struct pw_str blocks[DEPTH_MAX];
	unsigned int numbers[DEPTH_MAX];
	size_t depth;
	unsigned int last;
};

static enum pw_status enter(struct place *place, struct pw_arena *arena,
                            struct pw_str name)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 };
	enum pw_status r;

	if (place->depth + 1 >= DEPTH_MAX)
		return PW_ERR_LIMIT;
	if (place->depth > 0)
		pw_buf_printf(&path, "%.*s/", PW_FMT(place->blocks[place->depth]));
	pw_buf_puts(&path, name);
	if ((r = pw_buf_status(&path)) != PW_OK)
		return r;
	place->depth++;
	place->numbers[place->depth] = ++place->last;
	return pw_arena_copy(arena, pw_buf_str(&path), &place->blocks[place->depth]);
}

static enum pw_status read_line(struct doveconf *out, struct place *place,
                                struct pw_arena *arena, struct pw_str line)
{
	struct doveconf_entry entry = { 0 };
	enum pw_status r = PW_OK;

	if (line.len == 0)
		return PW_OK;
	if (line.at[0] == '#') {
		read_version(out, line);
		return PW_OK;
	}
	if (pw_str_eq(line, PW_STR("}"))) {
		place->depth -= place->depth > 0;
		return PW_OK;
	}
	if (line.at[line.len - 1] == '{') {
		r = enter(place, arena, pw_str_trim(pw_str_sub(line, 0, line.len - 1)));
	} else {
		entry.value = line;
		entry.key = pw_str_trim(pw_str_cut(&entry.value, '='));
		entry.value = unquote(entry.value);
	}
	entry.block = place->blocks[place->depth];
	entry.number = place->numbers[place->depth];
	return r == PW_OK ? add(out, entry) : r;
}

enum pw_status doveconf_parse(struct doveconf *out, struct pw_arena *arena,
                              struct pw_str text)
{
	struct place place = { 0 };
	struct pw_str rest;
	enum pw_status r = pw_arena_copy(arena, text, &rest);

	while (r == PW_OK && rest.len > 0)
		r = read_line(out, &place, arena, pw_str_trim(pw_str_cut(&rest, '\n')));
	return r;
}

enum pw_status doveconf_read(struct doveconf *out, struct pw_arena *arena,
                             int64_t timeout_ms, struct pw_buf *why)
{
	/* -P: the names of key files, which are hidden else */
	const char *const argv[] = { "doveconf", "-nP", NULL };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	int code = 0;
	enum pw_status r = pw_child_run(argv, (struct pw_str){ 0 }, &text,
	                                &out->complaints, timeout_ms, &code);

	if (r == PW_OK && code != 0) {
		pw_buf_puts(why, pw_str_trim(pw_buf_str(&out->complaints)));
		return PW_ERR_CONFIG;
	}
	if (r == PW_OK)
		r = doveconf_parse(out, arena, pw_buf_str(&text));
	if (r != PW_OK)
		pw_buf_printf(why, "doveconf: %s", pw_status_text(r));
	return r;
}

/* ---- asking ---- */

struct pw_str doveconf_value(const struct doveconf *conf, const char *block,
                             const char *key)
{
	for (size_t i = 0; i < conf->count; i++)
		if (pw_str_eq(conf->at[i].block, pw_str_from(block)) &&
		    pw_str_eq(conf->at[i].key, pw_str_from(key)))
			return conf->at[i].value;
	return (struct pw_str){ 0 };
}

static bool has(struct pw_str list, struct pw_str word)
{
	while (list.len > 0)
		if (pw_str_eq(pw_str_trim(pw_str_cut(&list, ' ')), word))
			return true;
	return false;
}

bool doveconf_has_word(const struct doveconf *conf, const char *block, const char *list,
                       const char *word)
{
	PW_AUTO(pw_buf_done) struct pw_buf inner = { 0 };

	if (has(doveconf_value(conf, block, list), pw_str_from(word)))
		return true;
	pw_buf_printf(&inner, "%s%s%s", block, block[0] != '\0' ? "/" : "", list);
	return pw_str_eq(doveconf_value(conf, pw_buf_text(&inner), word), PW_STR("yes"));
}

static bool is_kind(struct pw_str block, struct pw_str kind)
{
	return pw_str_eq(block, kind) ||
	       (pw_str_starts(block, kind) && block.len > kind.len &&
	        block.at[kind.len] == ' ');
}

/* 2.4 names its blocks, and the name is the driver unless one is given. */
static void begin_database(struct doveconf_database *out, struct pw_str block)
{
	size_t blank = pw_str_find(block, ' ');

	*out = (struct doveconf_database){ .driver = pw_str_sub(block, blank + 1,
		                                                block.len) };
}

static void fill_database(struct doveconf_database *out,
                          const struct doveconf_entry *entry)
{
	const struct {
		const char *key;
		struct pw_str *value;
	} fields[] = {
		{ "driver", &out->driver },
		{ "master", &out->master },
		{ "result_failure", &out->result_failure },
		{ "result_internalfail", &out->result_internalfail },
	};

	for (size_t i = 0; i < PW_LEN(fields); i++)
		if (pw_str_eq(entry->key, pw_str_from(fields[i].key)))
			*fields[i].value = entry->value;
}

bool doveconf_next_database(const struct doveconf *conf, const char *kind, size_t *pos,
                            struct doveconf_database *out)
{
	struct pw_str wanted = pw_str_from(kind);
	unsigned int number;

	while (*pos < conf->count &&
	       !(conf->at[*pos].key.len == 0 && is_kind(conf->at[*pos].block, wanted) &&
	         pw_str_find(conf->at[*pos].block, '/') == conf->at[*pos].block.len))
		(*pos)++;
	if (*pos == conf->count)
		return false;
	number = conf->at[*pos].number;
	begin_database(out, conf->at[*pos].block);
	for (size_t i = *pos; i < conf->count; i++)
		if (conf->at[i].number == number)
			fill_database(out, &conf->at[i]);
	(*pos)++;
	return true;
}

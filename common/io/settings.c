#include "io/settings.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "io/setting_value.h"

static const struct pw_setting common_rows[] = {
#define PW(...) PW_SETTING_ROW(struct pw_settings_common, __VA_ARGS__)
#include "io/settings.def"
#undef PW
};
#define COMMON_COUNT PW_LEN(common_rows)

/* What a program's set lies in: its strings go with it. */
struct holder {
	struct pw_arena *arena;
	alignas(max_align_t) char set[];
};

static struct holder *holder_of(void *set)
{
	return (struct holder *)((char *)set - offsetof(struct holder, set));
}

void pw_settings_free(void *set_address)
{
	void *set;

	memcpy(&set, set_address, sizeof(set));
	if (!set)
		return;
	pw_arena_free(&holder_of(set)->arena);
	free(holder_of(set));
	set = NULL;
	memcpy(set_address, &set, sizeof(set));
}

static void *set_new(size_t size)
{
	struct holder *holder = calloc(1, sizeof(*holder) + size);
	void *set;

	if (!holder)
		return NULL;
	set = holder->set;
	if (pw_arena_new(&holder->arena, 0) != PW_OK)
		pw_settings_free(&set);
	return set;
}

static size_t row_count(const struct pw_settings_schema *schema)
{
	return COMMON_COUNT + schema->count;
}

static const struct pw_setting *row_at(const struct pw_settings_schema *schema, size_t i)
{
	return i < COMMON_COUNT ? &common_rows[i] : &schema->rows[i - COMMON_COUNT];
}

/* ---- building ---- */

struct build {
	const struct pw_settings_schema *schema;
	void *set;
	const void *old;
	struct pw_buf *notes;
	bool has_error;
	enum pw_status status; /* first failure that is not the text's fault */
	const struct pw_settings_source *source;
	unsigned int line;
	unsigned int *seen; /* by row: line in this source, 0 = not yet */
};

/* Begin a line of notes, say where. */
static void note_begin(struct build *b, bool is_error)
{
	if (b->source)
		pw_buf_puts(b->notes, pw_str_from(b->source->name));
	if (b->source && b->source->name[0] != '-')
		pw_buf_printf(b->notes, ":%u", b->line);
	if (b->source)
		pw_buf_puts(b->notes, PW_STR(": "));
	pw_buf_puts(b->notes, is_error ? PW_STR("error: ") : PW_STR("warning: "));
	b->has_error |= is_error;
}

static void put_row(struct build *b, const struct pw_setting *row, struct pw_str text)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r = pw_setting_parse(b->set, row, holder_of(b->set)->arena,
	                                    b->schema->program, text, &why);

	if (r == PW_OK)
		return;
	if (r == PW_ERR_NOMEM)
		b->status = r;
	note_begin(b, true);
	pw_buf_printf(b->notes, "%s %s\n", row->name, pw_buf_text(&why));
}

static size_t row_find(const struct build *b, struct pw_str name)
{
	size_t count = b->source->is_shared ? COMMON_COUNT : row_count(b->schema);

	for (size_t i = 0; i < count; i++)
		if (pw_str_eq(name, pw_str_from(row_at(b->schema, i)->name)))
			return i;
	return SIZE_MAX;
}

static void put_pair(struct build *b, const struct pw_conf_pair *pair)
{
	size_t i = row_find(b, pair->name);

	if (i == SIZE_MAX) {
		note_begin(b, b->old == NULL);
		pw_buf_printf(b->notes, "unknown setting %.*s%s\n", PW_FMT(pair->name),
		              b->source->is_shared
		                      ? " (this file takes what all programs know)"
		                      : "");
		return;
	}
	if (b->seen[i] != 0) {
		note_begin(b, false);
		pw_buf_printf(b->notes, "%.*s stands in line %u too: this one counts\n",
		              PW_FMT(pair->name), b->seen[i]);
	}
	b->seen[i] = b->line;
	put_row(b, row_at(b->schema, i), pair->value);
}

static void put_source(struct build *b, const struct pw_settings_source *source)
{
	struct pw_arena *arena = holder_of(b->set)->arena;
	struct pw_conf_pair pair;
	struct pw_conf conf;
	enum pw_status r;

	b->source = source;
	memset(b->seen, 0, row_count(b->schema) * sizeof(*b->seen));
	pw_conf_init(&conf, source->bytes);
	while ((r = pw_conf_next(&conf, arena, &pair)) == PW_OK) {
		b->line = conf.line;
		put_pair(b, &pair);
	}
	if (r != PW_ERR_NOTFOUND) {
		b->line = conf.line;
		note_begin(b, true);
		pw_buf_printf(b->notes, "%s\n", pw_conf_why(&conf));
	}
	if (r == PW_ERR_NOMEM)
		b->status = r;
	b->source = NULL;
}

/* A reload does not touch what wants a restart. */
static void keep_old(struct build *b, const struct pw_setting *row)
{
	PW_AUTO(pw_buf_done) struct pw_buf was = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf is = { 0 };

	pw_setting_print(&was, row, b->old);
	pw_setting_print(&is, row, b->set);
	if (pw_str_eq(pw_buf_str(&was), pw_buf_str(&is)))
		return;
	note_begin(b, false);
	pw_buf_printf(b->notes, "%s changed: counts after a restart\n", row->name);
	put_row(b, row, pw_buf_str(&was));
}

static void build_all(struct build *b, const struct pw_settings_source *sources,
                      size_t count)
{
	const struct pw_settings_schema *schema = b->schema;

	for (size_t i = 0; i < row_count(schema); i++)
		put_row(b, row_at(schema, i), pw_str_from(row_at(schema, i)->fallback));
	for (size_t i = 0; i < count; i++)
		put_source(b, &sources[i]);
	for (size_t i = 0; b->old && !b->has_error && i < row_count(schema); i++)
		if (row_at(schema, i)->change == PW_SETTING_RESTART)
			keep_old(b, row_at(schema, i));
}

static enum pw_status build_check(struct build *b)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };

	if (b->status != PW_OK)
		return b->status;
	if (b->has_error)
		return PW_ERR_CONFIG;
	if (!b->schema->check || b->schema->check(b->set, &why))
		return PW_OK;
	note_begin(b, true);
	pw_buf_printf(b->notes, "%s\n", pw_buf_text(&why));
	return PW_ERR_CONFIG;
}

enum pw_status pw_settings_build(void *out, const struct pw_settings_schema *schema,
                                 const struct pw_settings_source *sources, size_t count,
                                 const void *old, struct pw_buf *notes)
{
	PW_AUTO(pw_settings_free) void *set = set_new(schema->size);
	struct build b = { .schema = schema, .set = set, .old = old, .notes = notes };
	enum pw_status r;

	b.seen = calloc(row_count(schema), sizeof(*b.seen));
	if (!set || !b.seen) {
		free(b.seen);
		return PW_ERR_NOMEM;
	}
	build_all(&b, sources, count);
	free(b.seen);
	if ((r = build_check(&b)) != PW_OK)
		return r;
	memcpy(out, &set, sizeof(set));
	set = NULL;
	return PW_OK;
}

/* ---- printing ---- */

static void print_row(struct pw_buf *out, const struct pw_setting *row, const void *set)
{
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };

	pw_setting_print(&value, row, set);
	pw_buf_printf(out, "%s =%s%s\n", row->name, value.len > 0 ? " " : "",
	              pw_buf_text(&value));
	if (out->status == PW_OK)
		out->status = pw_buf_status(&value);
}

static bool is_default(const struct pw_setting *row, const void *set,
                       const void *defaults)
{
	PW_AUTO(pw_buf_done) struct pw_buf a = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };

	pw_setting_print(&a, row, set);
	pw_setting_print(&b, row, defaults);
	return pw_str_eq(pw_buf_str(&a), pw_buf_str(&b));
}

/* The set of defaults; a program whose defaults break its own rules is a bug. */
static void *defaults_new(const struct pw_settings_schema *schema)
{
	struct pw_settings_schema bare = *schema;
	PW_AUTO(pw_buf_done) struct pw_buf notes = { 0 };
	void *set = NULL;
	enum pw_status r;

	bare.check = NULL; /* there may be settings an admin has to give */
	r = pw_settings_build(&set, &bare, NULL, 0, NULL, &notes);
	assert(r == PW_OK || r == PW_ERR_NOMEM);
	(void)r;
	return set;
}

void pw_settings_print(struct pw_buf *out, const struct pw_settings_schema *schema,
                       const void *set, enum pw_settings_print which)
{
	PW_AUTO(pw_settings_free) void *defaults = defaults_new(schema);

	if (!defaults) {
		out->status = PW_ERR_NOMEM;
		return;
	}
	for (size_t i = 0; i < row_count(schema); i++) {
		const struct pw_setting *row = row_at(schema, i);

		if (which == PW_SETTINGS_DEFAULTS)
			print_row(out, row, defaults);
		else if (which == PW_SETTINGS_ALL || !is_default(row, set, defaults))
			print_row(out, row, set);
	}
}

static void print_limits(struct pw_buf *out, const struct pw_setting *row)
{
	switch (row->type) {
	case PW_SETTING_DURATION:
	case PW_SETTING_COUNT:
	case PW_SETTING_SIZE:
		pw_buf_printf(out, "%s..%s", row->min ? row->min : "0",
		              row->max ? row->max : "");
		break;
	case PW_SETTING_BOOL:
		pw_buf_puts(out, PW_STR("yes|no"));
		break;
	case PW_SETTING_CHOICE:
		pw_buf_puts(out, pw_str_from(row->max));
		break;
	case PW_SETTING_STRING:
		pw_buf_puts(out, PW_STR("text"));
		break;
	case PW_SETTING_PATH:
		pw_buf_puts(out, PW_STR("path"));
		break;
	}
}

void pw_settings_sample(struct pw_buf *out, const struct pw_settings_schema *schema)
{
	for (size_t i = 0; i < row_count(schema); i++) {
		const struct pw_setting *row = row_at(schema, i);

		pw_buf_printf(out, "# %s\n# (", row->help);
		print_limits(out, row);
		pw_buf_puts(out, row->change == PW_SETTING_LIVE
		                         ? PW_STR("; reload)\n#")
		                         : PW_STR("; restart)\n#"));
		pw_buf_printf(out, "%s = %s\n\n", row->name, row->fallback);
	}
}

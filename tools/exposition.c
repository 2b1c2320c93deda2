#include "tools/exposition.h"

#include "core/ascii.h"

struct sample {
	struct sample *next;
	struct pw_str key; /* name and labels */
	struct pw_str value;
};

struct family {
	struct family *next;
	struct pw_str name, type, help; /* type, help: at == NULL if not told */
	struct sample *first, **last;
};

struct exposition {
	struct pw_arena *arena;
	struct family *first, **last;
	size_t families, samples;
};

enum pw_status exposition_new(struct exposition **out, struct pw_arena *arena)
{
	struct exposition *all = pw_arena_alloc(arena, sizeof(*all));

	if (all == NULL)
		return PW_ERR_NOMEM;
	all->arena = arena;
	all->last = &all->first;
	*out = all;
	return PW_OK;
}

/* ---- syntax ---- */

static bool is_name_start(char c)
{
	return pw_is_alpha(c) || c == '_' || c == ':';
}

/* Length of the metric name that s begins with. */
static size_t name_len(struct pw_str s)
{
	size_t n = 0;

	if (s.len == 0 || !is_name_start(s.at[0]))
		return 0;
	while (n < s.len && (is_name_start(s.at[n]) || pw_is_digit(s.at[n])))
		n++;
	return n;
}

/* A quoted value with its escapes; 0 if it is none. */
static size_t quoted_len(struct pw_str s)
{
	size_t n = 1;

	if (s.len == 0 || s.at[0] != '"')
		return 0;
	while (n < s.len && s.at[n] != '"') {
		if (s.at[n] == '\\' &&
		    (n + 1 == s.len ||
		     (s.at[n + 1] != '\\' && s.at[n + 1] != '"' && s.at[n + 1] != 'n')))
			return 0;
		n += s.at[n] == '\\' ? 2 : 1;
	}
	return n < s.len ? n + 1 : 0;
}

/* {a="x",b="y"}; 0 if it is none. */
static size_t labels_len(struct pw_str s)
{
	size_t n = 1;

	if (s.len == 0 || s.at[0] != '{')
		return 0;
	while (n < s.len && s.at[n] != '}') {
		struct pw_str rest = pw_str_sub(s, n, s.len);
		size_t name = name_len(rest), value;

		if (name == 0 || pw_str_find(rest, ':') < name || name >= rest.len ||
		    rest.at[name] != '=')
			return 0;
		value = quoted_len(pw_str_sub(rest, name + 1, rest.len));
		if (value == 0)
			return 0;
		n += name + 1 + value;
		if (n < s.len && s.at[n] == ',')
			n++;
		else if (n >= s.len || s.at[n] != '}')
			return 0;
	}
	return n < s.len ? n + 1 : 0;
}

static size_t digits_len(struct pw_str s, size_t from)
{
	size_t n = from;

	while (n < s.len && pw_is_digit(s.at[n]))
		n++;
	return n - from;
}

static bool is_number(struct pw_str s)
{
	size_t n = 0, whole, part = 0;

	if (s.len > 0 && (s.at[0] == '-' || s.at[0] == '+'))
		s = pw_str_sub(s, 1, s.len);
	if (pw_str_eq_nocase(s, PW_STR("NaN")) || pw_str_eq_nocase(s, PW_STR("Inf")))
		return true;
	n = whole = digits_len(s, 0);
	if (n < s.len && s.at[n] == '.') {
		part = digits_len(s, n + 1);
		n += part + 1;
	}
	if (whole + part == 0)
		return false;
	if (n < s.len && pw_lower(s.at[n]) == 'e') {
		n++;
		if (n < s.len && (s.at[n] == '-' || s.at[n] == '+'))
			n++;
		if (digits_len(s, n) == 0)
			return false;
		n += digits_len(s, n);
	}
	return n == s.len;
}

/* ---- families ---- */

static struct family *find(const struct exposition *all, struct pw_str name)
{
	for (struct family *f = all->first; f != NULL; f = f->next)
		if (pw_str_eq(f->name, name))
			return f;
	return NULL;
}

static enum pw_status find_or_add(struct exposition *all, struct pw_str name,
                                  struct family **out)
{
	struct family *f = find(all, name);
	enum pw_status r;

	if (f == NULL) {
		if (all->families == EXPOSITION_FAMILIES_MAX)
			return PW_ERR_LIMIT;
		if ((f = pw_arena_alloc(all->arena, sizeof(*f))) == NULL)
			return PW_ERR_NOMEM;
		if ((r = pw_arena_copy(all->arena, name, &f->name)) != PW_OK)
			return r;
		f->last = &f->first;
		*all->last = f;
		all->last = &f->next;
		all->families++;
	}
	*out = f;
	return PW_OK;
}

static bool is_type(struct pw_str type)
{
	static const char *const types[] = { "counter", "gauge", "histogram", "summary",
		                             "untyped" };

	for (size_t i = 0; i < PW_LEN(types); i++)
		if (pw_str_eq(type, pw_str_from(types[i])))
			return true;
	return false;
}

static bool has_parts(const struct family *f)
{
	return f != NULL && (pw_str_eq(f->type, PW_STR("histogram")) ||
	                     pw_str_eq(f->type, PW_STR("summary")));
}

static const char *const parts[] = { "_bucket", "_sum", "_count" };

/* Is there a sample of x_bucket, x_sum or x_count as a family of its own? */
static bool has_strays(const struct exposition *all, struct pw_str name)
{
	for (const struct family *f = all->first; f != NULL; f = f->next) {
		struct pw_str rest = pw_str_sub(f->name, name.len, f->name.len);

		for (size_t i = 0; i < PW_LEN(parts); i++)
			if (f->first != NULL && pw_str_starts(f->name, name) &&
			    pw_str_eq_nocase(rest, pw_str_from(parts[i])))
				return true;
	}
	return false;
}

/* x_bucket, x_sum and x_count belong to x, where that has such parts. */
static struct pw_str family_name(const struct exposition *all, struct pw_str name)
{
	for (size_t i = 0; i < PW_LEN(parts); i++) {
		struct pw_str part = pw_str_from(parts[i]);
		struct pw_str head;

		if (!pw_str_ends_nocase(name, part))
			continue;
		head = pw_str_sub(name, 0, name.len - part.len);
		if (has_parts(find(all, head)))
			return head;
	}
	return name;
}

/* ---- lines ---- */

/* "# TYPE name counter", "# HELP name text". The first word about a family holds; a type
 * that comes behind samples is none. */
static enum pw_status add_comment(struct exposition *all, struct pw_str prefix,
                                  struct pw_str line)
{
	struct pw_str word, name;
	struct family *f;
	enum pw_status r;

	(void)pw_str_cut(&line, ' ');
	word = pw_str_cut(&line, ' ');
	name = pw_str_cut(&line, ' ');
	if (name.len == 0 || name_len(name) != name.len || !pw_str_starts(name, prefix) ||
	    line.at == NULL)
		return PW_OK;
	if (pw_str_eq(word, PW_STR("TYPE")) && is_type(line)) {
		r = find_or_add(all, name, &f);
		return r != PW_OK || f->type.at != NULL || f->first != NULL ||
		                       has_strays(all, name)
		               ? r
		               : pw_arena_copy(all->arena, line, &f->type);
	}
	if (!pw_str_eq(word, PW_STR("HELP")))
		return PW_OK;
	r = find_or_add(all, name, &f);
	return r != PW_OK || f->help.at != NULL
	               ? r
	               : pw_arena_copy(all->arena, line, &f->help);
}

static enum pw_status add_sample(struct exposition *all, struct pw_str prefix,
                                 struct pw_str line)
{
	size_t name = name_len(line), key;
	struct pw_str value;
	struct family *f;
	struct sample *s;
	enum pw_status r;

	if (name == 0 || !pw_str_starts(pw_str_sub(line, 0, name), prefix))
		return PW_OK;
	key = name + labels_len(pw_str_sub(line, name, line.len));
	if (key >= line.len || !pw_is_wsp(line.at[key]))
		return PW_OK;
	value = pw_str_trim(pw_str_sub(line, key, line.len));
	value = pw_str_cut(&value, ' ');
	if (!is_number(value))
		return PW_OK;
	if (all->samples == EXPOSITION_SAMPLES_MAX)
		return PW_ERR_LIMIT;
	r = find_or_add(all, family_name(all, pw_str_sub(line, 0, name)), &f);
	for (s = r == PW_OK ? f->first : NULL; s != NULL; s = s->next)
		if (pw_str_eq(s->key, pw_str_sub(line, 0, key)))
			return PW_OK;
	if (r != PW_OK || (s = pw_arena_alloc(all->arena, sizeof(*s))) == NULL)
		return r != PW_OK ? r : PW_ERR_NOMEM;
	if ((r = pw_arena_copy(all->arena, pw_str_sub(line, 0, key), &s->key)) != PW_OK ||
	    (r = pw_arena_copy(all->arena, value, &s->value)) != PW_OK)
		return r;
	*f->last = s;
	f->last = &s->next;
	all->samples++;
	return PW_OK;
}

/* Our programs write nothing else, and then it need not be looked whether it is UTF-8. */
static bool is_plain(struct pw_str line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!pw_is_print(line.at[i]))
			return false;
	return true;
}

/* What has no line end was cut off: its number may lack digits. */
enum pw_status exposition_add(struct exposition *all, struct pw_str prefix,
                              struct pw_str text)
{
	enum pw_status r = PW_OK;

	while (r == PW_OK && text.len > 0 && pw_str_find(text, '\n') < text.len) {
		struct pw_str line = pw_str_cut(&text, '\n');

		if (line.len == 0 || !is_plain(line))
			continue;
		r = line.at[0] == '#' ? add_comment(all, prefix, line)
		                      : add_sample(all, prefix, line);
	}
	return r;
}

/* ---- writing ---- */

void exposition_put(struct pw_buf *out, const struct exposition *all)
{
	for (const struct family *f = all->first; f != NULL; f = f->next) {
		if (f->first == NULL)
			continue;
		if (f->help.at != NULL)
			pw_buf_printf(out, "# HELP %.*s %.*s\n", PW_FMT(f->name),
			              PW_FMT(f->help));
		pw_buf_printf(out, "# TYPE %.*s %.*s\n", PW_FMT(f->name),
		              PW_FMT(f->type.at != NULL ? f->type : PW_STR("untyped")));
		for (const struct sample *s = f->first; s != NULL; s = s->next)
			pw_buf_printf(out, "%.*s %.*s\n", PW_FMT(s->key),
			              PW_FMT(s->value));
	}
}

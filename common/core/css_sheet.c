/* The rules of a page by their selector, in a table of fixed size. */
#include <string.h>

#include "core/ascii.h"
#include "core/css.h"

#define SLOTS 512        /* twice PW_CSS_RULES_MAX: a power of two */
#define PROBES_MAX 16    /* slots looked at for one name */
#define SELECTORS_MAX 32 /* of one rule */

/* "tag", ".class", "#id", "tag.class", "tag#id". */
struct selector {
	struct pw_str tag, name;
	char kind; /* '.', '#', or 0 */
};

struct pw_css_sheet {
	struct rule {
		struct selector selector;
		struct pw_css css;
	} rules[PW_CSS_RULES_MAX];
	size_t count;
	uint16_t slots[SLOTS]; /* 1 + index of a rule; 0 = free */
};

static uint32_t mix(uint32_t hash, struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++) /* FNV-1a */
		hash = (hash ^ (unsigned char)pw_lower(s.at[i])) * 16777619u;
	return hash;
}

static uint32_t hash_of(const struct selector *s)
{
	char kind = s->kind;

	return mix(mix(mix(2166136261u, s->tag), (struct pw_str){ &kind, 1 }), s->name);
}

static bool is_same(const struct selector *a, const struct selector *b)
{
	return a->kind == b->kind && pw_str_eq_nocase(a->tag, b->tag) &&
	       pw_str_eq_nocase(a->name, b->name);
}

/* The slot of a selector, taken or free; NULL when too many others are in its way. */
static const uint16_t *find(const struct pw_css_sheet *sheet, const struct selector *s)
{
	uint32_t hash = hash_of(s);

	for (uint32_t i = 0; i < PROBES_MAX; i++) {
		const uint16_t *slot = &sheet->slots[(hash + i) % SLOTS];

		if (*slot == 0 || is_same(&sheet->rules[*slot - 1].selector, s))
			return slot;
	}
	return NULL;
}

static bool is_name(struct pw_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!pw_is_alnum(s.at[i]) && s.at[i] != '-' && s.at[i] != '_')
			return false;
	return s.len > 0;
}

/* False for what is not simple: it may speak of any element. */
static bool read_selector(struct selector *out, struct pw_str s)
{
	size_t at = pw_str_find(s, '.'), hash = pw_str_find(s, '#');

	at = at < hash ? at : hash;
	*out = (struct selector){ .tag = pw_str_sub(s, 0, at) };
	if (at < s.len) {
		out->kind = s.at[at];
		out->name = pw_str_sub(s, at + 1, s.len);
	}
	return (out->tag.len == 0 || is_name(out->tag)) &&
	       (out->kind == 0 ? out->tag.len > 0 : is_name(out->name));
}

static void add(struct pw_css_sheet *sheet, struct pw_str text, const struct pw_css *css)
{
	struct selector selector;
	const uint16_t *slot;

	if (!read_selector(&selector, pw_str_trim(text)) ||
	    (slot = find(sheet, &selector)) == NULL)
		return;
	if (*slot == 0) {
		if (sheet->count == PW_CSS_RULES_MAX)
			return;
		sheet->rules[sheet->count].selector = selector;
		sheet->slots[slot - sheet->slots] = (uint16_t)++sheet->count;
	}
	pw_css_lay(&sheet->rules[*slot - 1].css, css);
}

/* Behind the block that opens in s, its braces counted; everything when it never ends. */
static size_t block_end(struct pw_str s)
{
	size_t depth = 0, i = 0;

	for (; i < s.len; i++) {
		depth += s.at[i] == '{';
		if (s.at[i] != '}')
			continue;
		if (depth <= 1)
			return i + 1;
		depth--;
	}
	return i;
}

/* Bytes of the comment at the start of s. */
static size_t comment_length(struct pw_str s)
{
	for (size_t i = 2; i + 1 < s.len; i++)
		if (s.at[i] == '*' && s.at[i + 1] == '/')
			return i + 2;
	return s.len;
}

/* Bytes of blanks, comments and the marks of SGML at the start of s. */
static size_t blank_length(struct pw_str s)
{
	size_t i = 0;

	while (i < s.len) {
		struct pw_str rest = pw_str_sub(s, i, s.len);

		if ((unsigned char)s.at[i] <= ' ' || s.at[i] == '}')
			i++;
		else if (pw_str_starts(rest, PW_STR("<!--")))
			i += 4;
		else if (pw_str_starts(rest, PW_STR("-->")))
			i += 3;
		else if (pw_str_starts(rest, PW_STR("/*")))
			i += comment_length(rest);
		else
			break;
	}
	return i;
}

/* "@media ... { ... }", "@import x;". */
static size_t at_rule_length(struct pw_str s)
{
	size_t i = 0;

	while (i < s.len && s.at[i] != '{' && s.at[i] != ';')
		i++;
	return i < s.len && s.at[i] == ';' ? i + 1 : block_end(s);
}

enum pw_status pw_css_sheet_read(struct pw_css_sheet **sheet, struct pw_arena *arena,
                                 struct pw_str text)
{
	if (*sheet == NULL && (*sheet = pw_arena_alloc(arena, sizeof(**sheet))) == NULL)
		return PW_ERR_NOMEM;
	for (;;) {
		struct pw_css css = { 0 };
		struct pw_str selectors, body;

		text = pw_str_sub(text, blank_length(text), text.len);
		if (text.len == 0)
			return PW_OK;
		if (text.at[0] == '@') {
			text = pw_str_sub(text, at_rule_length(text), text.len);
			continue;
		}
		selectors = pw_str_cut(&text, '{');
		if (text.at == NULL)
			return PW_OK;
		body = pw_str_cut(&text, '}');
		pw_css_read(&css, body);
		for (unsigned i = 0; i < SELECTORS_MAX && selectors.at != NULL; i++) {
			struct pw_str one = pw_str_cut(&selectors, ',');

			if (css.set != 0)
				add(*sheet, one, &css);
		}
		if (text.at == NULL)
			return PW_OK;
	}
}

static void lay(const struct pw_css_sheet *sheet, struct pw_css *css, struct pw_str tag,
                char kind, struct pw_str name)
{
	struct selector s = { .tag = tag, .kind = kind, .name = name };
	const uint16_t *slot = find(sheet, &s);

	if (slot != NULL && *slot != 0)
		pw_css_lay(css, &sheet->rules[*slot - 1].css);
}

static void lay_both(const struct pw_css_sheet *sheet, struct pw_css *css,
                     struct pw_str tag, char kind, struct pw_str name)
{
	lay(sheet, css, PW_STR(""), kind, name);
	lay(sheet, css, tag, kind, name);
}

void pw_css_sheet_apply(const struct pw_css_sheet *sheet, struct pw_css *css,
                        struct pw_str tag, struct pw_str classes, struct pw_str id)
{
	if (sheet == NULL || sheet->count == 0)
		return;
	lay(sheet, css, tag, 0, PW_STR(""));
	for (unsigned i = 0; i < PW_CSS_CLASSES_MAX && classes.at != NULL; i++) {
		struct pw_str one = pw_str_cut(&classes, ' ');

		if (one.len > 0)
			lay_both(sheet, css, tag, '.', one);
	}
	if (id.len > 0)
		lay_both(sheet, css, tag, '#', id);
}

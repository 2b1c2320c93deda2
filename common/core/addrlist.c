/* Address lists of RFC 5322 3.4, read item by item. An item is first cut into words
 * (atoms and quoted strings, comments and folds left out), angle parts and specials; then
 * judged. */
#include "core/address.h"

#include <string.h>

#include "core/ascii.h"

enum token { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_SPECIAL };

/* What one item is made of while it is read. */
struct item {
	struct pw_buf display; /* words outside of <> */
	struct pw_buf spec;    /* addr-spec inside <>, or the bare one */
	bool has_angle;
	bool is_angle_open;
	bool is_broken;
	bool is_empty;
	bool ends_with_word; /* two words in a row are no addr-spec */
	bool has_gap;        /* words side by side outside of <> */
};

void pw_addrlist_init(struct pw_addrlist *list, struct pw_arena *arena,
                      struct pw_str value)
{
	*list = (struct pw_addrlist){ .rest = value, .arena = arena };
}

/* Skip folds, blanks and comments (nested, RFC 5322 3.2.2). An unclosed comment eats the
 * rest. */
static void skip_cfws(struct pw_str *s)
{
	size_t depth = 0, i = 0;

	for (; i < s->len; i++) {
		char c = s->at[i];

		if (c == '(')
			depth++;
		else if (depth > 0 && c == ')')
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && !pw_is_wsp(c) && c != '\r' && c != '\n')
			break;
	}
	*s = pw_str_sub(*s, i, s->len);
}

static size_t quoted_length(struct pw_str s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '\\')
			i++;
		else if (s.at[i] == '"')
			return i + 1;
	}
	return s.len;
}

static size_t literal_length(struct pw_str s)
{
	size_t n = pw_str_find(s, ']');

	return n < s.len ? n + 1 : s.len;
}

static bool is_special(char c)
{
	return c != '\0' && strchr("<>:;,@\"([", c) != NULL;
}

static enum token next_token(struct pw_str *rest, struct pw_str *out)
{
	enum token kind = TOKEN_WORD;
	size_t n = 1;

	skip_cfws(rest);
	if (rest->len == 0)
		return TOKEN_END;
	if (rest->at[0] == '"') {
		n = quoted_length(*rest);
		kind = TOKEN_QUOTED;
	} else if (rest->at[0] == '[') {
		n = literal_length(*rest);
	} else if (is_special(rest->at[0])) {
		kind = TOKEN_SPECIAL;
	} else {
		while (n < rest->len && !is_special(rest->at[n]) &&
		       !pw_is_wsp(rest->at[n]) && rest->at[n] != '\r' &&
		       rest->at[n] != '\n')
			n++;
	}
	*out = pw_str_sub(*rest, 0, n);
	*rest = pw_str_sub(*rest, n, rest->len);
	return kind;
}

static void put_unquoted(struct pw_buf *out, struct pw_str quoted)
{
	size_t end = quoted.len > 1 ? quoted.len - 1 : quoted.len;

	for (size_t i = 1; i < end; i++) {
		if (quoted.at[i] == '\\' && i + 1 < end)
			i++;
		if (quoted.at[i] != '\r' && quoted.at[i] != '\n')
			pw_buf_putc(out, quoted.at[i]);
	}
}

static void take_word(struct item *item, enum token kind, struct pw_str word)
{
	bool glues = word.at[0] == '.' ||
	             (item->spec.len > 0 && item->spec.at[item->spec.len - 1] == '.');

	if (item->has_angle && !item->is_angle_open) { /* "<a@b> tail" */
		item->is_broken = true;
		return;
	}
	if (item->ends_with_word && !glues) /* obs-phrase and "a . b" need not be apart */
		item->has_gap = true;
	item->ends_with_word = true;
	pw_buf_puts(&item->spec, word);
	if (item->is_angle_open)
		return;
	if (item->display.len > 0)
		pw_buf_putc(&item->display, ' ');
	if (kind == TOKEN_QUOTED)
		put_unquoted(&item->display, word);
	else
		pw_buf_puts(&item->display, word);
}

static void open_angle(struct item *item)
{
	if (item->has_angle)
		item->is_broken = true;
	item->has_angle = true;
	item->is_angle_open = true;
	item->ends_with_word = false;
	item->has_gap = false;
	pw_buf_reset(&item->spec);
}

static void close_angle(struct item *item)
{
	if (!item->is_angle_open)
		item->is_broken = true;
	item->is_angle_open = false;
	item->ends_with_word = false;
}

/* Specials inside an item; true when the item ends with it. */
static bool take_special(struct pw_addrlist *list, struct item *item, char c)
{
	switch (c) {
	case '<':
		open_angle(item);
		return false;
	case '>':
		close_angle(item);
		return false;
	case '@':
		item->ends_with_word = false;
		pw_buf_putc(&item->spec, '@');
		if (!item->is_angle_open)
			pw_buf_putc(&item->display, '@');
		return false;
	case ':':
		if (item->is_angle_open) { /* route: what stood before is dropped */
			item->ends_with_word = false;
			pw_buf_reset(&item->spec);
			return false;
		}
		if (list->is_in_group || item->has_angle)
			item->is_broken = true;
		list->is_in_group = true;
		pw_buf_reset(&item->display);
		pw_buf_reset(&item->spec);
		item->is_empty = true;
		item->has_gap = item->ends_with_word = false;
		return false;
	default:                                     /* , and ; */
		if (item->is_angle_open && c == ',') /* route list <@a,@b:x@y> */
			return false;
		return true;
	}
}

static bool read_item(struct pw_addrlist *list, struct item *item, bool *group_out)
{
	struct pw_str token;
	enum token kind;

	while ((kind = next_token(&list->rest, &token)) != TOKEN_END) {
		if (kind != TOKEN_SPECIAL) {
			item->is_empty = false;
			take_word(item, kind, token);
			continue;
		}
		if (token.at[0] != ',' && token.at[0] != ';')
			item->is_empty = false;
		if (!take_special(list, item, token.at[0]))
			continue;
		*group_out = list->is_in_group;
		if (token.at[0] == ';')
			list->is_in_group = false;
		return true;
	}
	*group_out = list->is_in_group;
	return !item->is_empty;
}

static enum pw_status judge_item(struct pw_addrlist *list, const struct item *item,
                                 struct pw_addrlist_item *out)
{
	struct pw_str spec = pw_buf_str(&item->spec);
	enum pw_status r;

	*out = (struct pw_addrlist_item){ 0 };
	if ((r = pw_buf_status(&item->display)) != PW_OK ||
	    (r = pw_buf_status(&item->spec)) != PW_OK)
		return r;
	if (item->has_angle || item->is_broken) {
		r = pw_arena_copy(list->arena, pw_buf_str(&item->display), &out->display);
		if (r != PW_OK)
			return r;
	}
	out->is_broken = item->is_broken || item->has_gap || item->is_angle_open ||
	                 pw_address_parse(&out->mailbox, list->arena, spec) != PW_OK;
	if (out->is_broken && !item->has_angle)
		return pw_arena_copy(list->arena, pw_buf_str(&item->display),
		                     &out->display);
	return PW_OK;
}

static bool next_item(struct pw_addrlist *list, struct pw_addrlist_item *out,
                      bool *group_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf display = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf spec = { 0 };
	bool is_found = false;

	while (!is_found && list->rest.len > 0 && list->count < PW_ADDRLIST_MAX) {
		struct item item = { .display = display, .spec = spec, .is_empty = true };

		pw_buf_reset(&item.display);
		pw_buf_reset(&item.spec);
		if (read_item(list, &item, group_out) && !item.is_empty) {
			list->count++;
			is_found = true;
			if (judge_item(list, &item, out) != PW_OK)
				list->count = PW_ADDRLIST_MAX + 1;
		}
		display = item.display; /* both grow; keep their memory */
		spec = item.spec;
	}
	return is_found && list->count <= PW_ADDRLIST_MAX;
}

bool pw_addrlist_next(struct pw_addrlist *list, struct pw_addrlist_item *out)
{
	bool is_group;

	return next_item(list, out, &is_group);
}

enum pw_status pw_from_mailbox(struct pw_mailbox *out, struct pw_arena *arena,
                               struct pw_str value)
{
	struct pw_addrlist list;
	struct pw_addrlist_item first, second;
	bool is_group = false;

	if (pw_str_find(value, '\0') < value.len)
		return PW_ERR_SYNTAX;
	pw_addrlist_init(&list, arena, value);
	if (!next_item(&list, &first, &is_group) || first.is_broken || is_group)
		return PW_ERR_SYNTAX;
	if (pw_addrlist_next(&list, &second) || list.is_in_group)
		return PW_ERR_SYNTAX;
	*out = first.mailbox;
	return PW_OK;
}

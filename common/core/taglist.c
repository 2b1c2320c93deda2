#include "core/taglist.h"

#include "core/ascii.h"

static bool is_fws(char c)
{
	return pw_is_wsp(c) || c == '\r' || c == '\n';
}

static bool name_is_valid(struct pw_str name)
{
	if (name.len == 0 || !pw_is_alpha(name.at[0]))
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!pw_is_alnum(name.at[i]) && name.at[i] != '_')
			return false;
	return true;
}

/* VALCHAR of RFC 6376 3.2, UTF-8 of RFC 8616, and folding white space. */
static bool value_is_valid(struct pw_str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if ((c < 0x21 && !is_fws((char)c)) || c == 0x7f)
			return false;
	}
	return true;
}

static enum pw_status parse_tag(struct pw_taglist *list, struct pw_str spec)
{
	struct pw_str value = spec;
	struct pw_str name = pw_str_trim(pw_str_cut(&value, '='));
	bool has_value = value.at != NULL;

	value = pw_str_trim(value);
	if (!has_value || !name_is_valid(name) || !value_is_valid(value))
		return PW_ERR_SYNTAX;
	if (pw_taglist_get(list, name).at != NULL)
		return PW_ERR_SYNTAX;
	if (list->count == PW_TAGS_MAX)
		return PW_ERR_LIMIT;
	list->tags[list->count++] = (struct pw_tag){ name, value };
	return PW_OK;
}

enum pw_status pw_taglist_parse(struct pw_taglist *out, struct pw_str text)
{
	struct pw_str rest = text;

	out->count = 0;
	while (rest.at != NULL) {
		struct pw_str spec = pw_str_cut(&rest, ';');
		enum pw_status r;

		if (rest.at == NULL && out->count > 0 && pw_str_trim(spec).len == 0)
			break; /* the one final ';' */
		if ((r = parse_tag(out, spec)) != PW_OK)
			return r;
	}
	return out->count > 0 ? PW_OK : PW_ERR_SYNTAX;
}

struct pw_str pw_taglist_get(const struct pw_taglist *list, struct pw_str name)
{
	for (size_t i = 0; i < list->count; i++)
		if (pw_str_eq(list->tags[i].name, name))
			return list->tags[i].value;
	return (struct pw_str){ NULL, 0 };
}

void pw_tag_put_packed(struct pw_buf *out, struct pw_str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (!is_fws(value.at[i]))
			pw_buf_putc(out, value.at[i]);
}

bool pw_tag_next_item(struct pw_str *rest, struct pw_str *item_out)
{
	if (rest->at == NULL)
		return false;
	*item_out = pw_str_trim(pw_str_cut(rest, ':'));
	return true;
}

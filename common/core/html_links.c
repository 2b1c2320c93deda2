#include "core/html_links.h"

#include "core/ascii.h"
#include "core/entity.h"
#include "core/url.h"
#include "core/utf8.h"

#define RAW_MAX ((size_t)4 * PW_URL_MAX) /* bytes of an attribute looked at */

enum pw_status pw_html_attribute_text(struct pw_arena *arena, struct pw_str raw,
                                      struct pw_str *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };
	uint32_t code;

	raw = pw_str_sub(raw, 0, RAW_MAX);
	for (size_t i = 0, n; i < raw.len; i += n) {
		n = 1;
		if (raw.at[i] == '&' &&
		    (n = pw_entity_get(pw_str_sub(raw, i, raw.len), true, &code)) > 0) {
			pw_utf8_put_code(&b, code);
			continue;
		}
		n = 1;
		if (raw.at[i] != '\r' && raw.at[i] != '\n' && raw.at[i] != '\t')
			pw_buf_putc(&b, raw.at[i]);
	}
	return pw_arena_copy(arena, pw_str_trim(pw_buf_str(&b)), out);
}

void pw_html_note_run(struct pw_html_facts *facts, struct pw_str s)
{
	unsigned run = 0;

	for (size_t i = 0; i < s.len; i++) {
		run = pw_is_alnum(s.at[i]) || s.at[i] == '+' || s.at[i] == '/' ? run + 1
		                                                               : 0;
		if (run > facts->long_run)
			facts->long_run = run;
	}
}

static void note_data(struct pw_html_facts *facts, struct pw_str url)
{
	static const char *const pages[] = { "text/html", "application/xhtml",
		                             "image/svg", "text/xml", "application/xml" };

	facts->data_links++;
	pw_html_note_run(facts, url);
	url = pw_str_trim(pw_str_sub(url, 5, url.len));
	for (size_t i = 0; i < PW_LEN(pages); i++)
		facts->data_pages += pw_str_starts_nocase(url, pw_str_from(pages[i]));
}

static bool has_scheme(struct pw_str url)
{
	size_t i = 0;

	while (i < url.len && (pw_is_alnum(url.at[i]) || url.at[i] == '+' ||
	                       url.at[i] == '-' || url.at[i] == '.'))
		i++;
	return i > 0 && i < url.len && url.at[i] == ':';
}

/* "page?x" under <base href> (RFC 3986 5.2, without dots). */
static enum pw_status apply_base(struct pw_html_links *l, struct pw_str *url)
{
	PW_AUTO(pw_buf_done) struct pw_buf b = { 0 };
	struct pw_url base;
	size_t path, end;

	if (l->base.len == 0 || url->len == 0 || url->at[0] == '#' || has_scheme(*url) ||
	    pw_str_starts(*url, PW_STR("//")) || !pw_url_parse(&base, l->base))
		return PW_OK;
	path = base.text.len - base.path.len;
	base.path = pw_str_sub(base.path, 0, pw_str_find(base.path, '?'));
	base.path = pw_str_sub(base.path, 0, pw_str_find(base.path, '#'));
	end = pw_str_rfind(base.path, '/');
	pw_buf_puts(&b, pw_str_sub(base.text, 0, path));
	if (url->at[0] != '/') {
		pw_buf_puts(&b, pw_str_sub(base.path, 0, end < base.path.len ? end : 0));
		pw_buf_putc(&b, '/');
	}
	pw_buf_puts(&b, *url);
	return pw_arena_copy(l->arena, pw_buf_str(&b), url);
}

/* No room, or nobody asks: then nothing is copied. */
static bool is_full(const struct pw_html_links *l)
{
	return l->links == NULL || l->links->count == PW_LINKS_MAX;
}

static void keep(struct pw_html_links *l, const struct pw_link *link)
{
	if (l->links != NULL)
		l->links->seen++;
	if (!is_full(l) && link->url.len > 0)
		l->links->at[l->links->count++] = *link;
}

/* The address that raw stands for. */
static enum pw_status take_url(struct pw_html_links *l, struct pw_str raw,
                               struct pw_str *url)
{
	enum pw_status r;

	raw = pw_str_trim(raw);
	*url = raw;
	if (pw_str_starts_nocase(raw, PW_STR("data:")))
		note_data(l->facts, raw);
	if (is_full(l))
		return PW_OK;
	if ((r = pw_html_attribute_text(l->arena, raw, url)) != PW_OK)
		return r;
	return apply_base(l, url);
}

enum pw_status pw_html_link_add(struct pw_html_links *l, struct pw_str raw,
                                struct pw_link like)
{
	enum pw_status r;

	if ((r = take_url(l, raw, &like.url)) != PW_OK)
		return r;
	keep(l, &like);
	return PW_OK;
}

enum pw_status pw_html_link_open(struct pw_html_links *l, struct pw_str raw,
                                 struct pw_str text)
{
	enum pw_status r;

	if ((r = pw_html_link_close(l, text)) != PW_OK ||
	    (r = take_url(l, raw, &l->anchor)) != PW_OK)
		return r;
	l->facts->anchors++;
	l->anchor_start = text.len;
	l->has_image = false;
	return PW_OK;
}

/* At most so many bytes, whole characters. */
static struct pw_str cut(struct pw_str s, size_t most)
{
	if (s.len <= most)
		return s;
	while (most > 0 && ((unsigned char)s.at[most] & 0xc0) == 0x80)
		most--;
	return pw_str_sub(s, 0, most);
}

enum pw_status pw_html_link_close(struct pw_html_links *l, struct pw_str text)
{
	struct pw_link link = { .url = l->anchor,
		                .is_anchor = true,
		                .has_image = l->has_image };
	struct pw_str shown = pw_str_sub(text, l->anchor_start, text.len);
	enum pw_status r;

	if (l->anchor.len == 0)
		return PW_OK;
	shown = cut(pw_str_trim(shown), PW_LINK_SHOWN_MAX);
	if (!is_full(l) && (r = pw_arena_copy(l->arena, shown, &link.shown)) != PW_OK)
		return r;
	keep(l, &link);
	l->anchor.len = 0;
	return PW_OK;
}

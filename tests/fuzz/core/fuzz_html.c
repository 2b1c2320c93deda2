/* Any page: its text is UTF-8 and at most PW_HTML_GROWTH times as long, links lie within
 * their limits, work is in proportion to length; and what was read out, written again as
 * plain text of a page, reads the same. */
#include <stdlib.h>

#include "core/html.h"
#include "core/url.h"
#include "core/utf8.h"

#define STEPS_EACH 64  /* most work for a byte */
#define STEPS_MORE 512 /* and for a page */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static bool is_utf8(struct pw_str s)
{
	size_t n = 1;

	for (; s.len > 0 && n > 0; s = pw_str_sub(s, n, s.len))
		n = pw_utf8_length(s);
	return n > 0;
}

static void must_be_sound(const struct pw_links *links)
{
	must(links->count <= PW_LINKS_MAX && links->count <= links->seen);
	for (size_t i = 0; i < links->count; i++) {
		const struct pw_link *l = &links->at[i];
		struct pw_url url;

		must(l->url.len > 0 && l->shown.len <= PW_LINK_SHOWN_MAX);
		must(is_utf8(l->shown));
		must(l->is_anchor + l->is_image + l->is_form + l->is_frame == 1);
		(void)pw_url_parse(&url, l->url);
	}
}

static void put_page(struct pw_buf *out, struct pw_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '\n')
			pw_buf_puts(out, PW_STR("<br>"));
		else if (text.at[i] == '<')
			pw_buf_puts(out, PW_STR("&lt;"));
		else if (text.at[i] == '&')
			pw_buf_puts(out, PW_STR("&amp;"));
		else
			pw_buf_putc(out, text.at[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pw_arena *arena;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, page = { 0 }, again = { 0 };
	struct pw_html_facts facts = { 0 }, other = { 0 };
	struct pw_str html = { (const char *)data, size };
	struct pw_links *links;

	if (arena == NULL)
		must(pw_arena_new(&arena, 0) == PW_OK);
	pw_arena_reset(arena);
	links = pw_arena_alloc(arena, sizeof(*links));
	must(links != NULL);
	must(pw_html_read(&text, links, &facts, arena, html) == PW_OK);
	must(text.len <= PW_HTML_GROWTH * size + 1 && is_utf8(pw_buf_str(&text)));
	must(!facts.is_cut && facts.steps <= STEPS_EACH * size + STEPS_MORE);
	must(facts.preheader_words <= facts.hidden_words);
	must_be_sound(links);
	put_page(&page, pw_buf_str(&text));
	must(pw_html_read(&again, NULL, &other, arena, pw_buf_str(&page)) == PW_OK);
	must(pw_str_eq(pw_str_trim(pw_buf_str(&text)), pw_str_trim(pw_buf_str(&again))));
	return 0;
}

/* HTML to what a reader sees. Input 29 of the list of bad ones: megabytes without a
 * closing tag, a million nested ones, floods of "<", of attributes, of entities and of
 * style take work in proportion to their length, and no stack. */
#include "../table.h"

#include <string.h>

#include "core/html.h"
#include "core/utf8.h"

struct page {
	struct pw_arena *arena;
	struct pw_buf text;
	struct pw_links *links;
	struct pw_html_facts facts;
};

static void page_done(struct page *p)
{
	pw_buf_done(&p->text);
	pw_arena_free(&p->arena);
}

static void read_page(struct page *p, struct pw_str html)
{
	memset(p, 0, sizeof(*p));
	assert_int_equal(pw_arena_new(&p->arena, 0), PW_OK);
	p->links = pw_arena_alloc(p->arena, sizeof(*p->links));
	assert_non_null(p->links);
	assert_int_equal(pw_html_read(&p->text, p->links, &p->facts, p->arena, html),
	                 PW_OK);
}

struct text_row {
	const char *label, *html, *want; /* want: without the last LF */
};

/* clang-format off */
static struct text_row text_rows[] = {
	{ "plain",                "a  b\r\n c", "a b c" },
	{ "blocks",               "<p>a</p><p>b<br>c", "a\nb\nc" },
	{ "cells",                "<td>a</td><td>b</td>", "a b" },
	{ "comment",              "a<!-- x > y -->b", "ab" },
	{ "comment of nothing",   "a<!-->b<!--->c-->d", "abd" },
	{ "comment with bang",    "a<!-- x --!>b", "ab" },
	{ "comment never closed", "a<!-- x", "a" },
	{ "conditional comments", "<!--[if mso]>x<![endif]--><![if !mso]>a<![endif]><!--[if !mso]><!-->b<!--<![endif]-->", "ab" },
	{ "less than",            "1 < 2 <3 <", "1 < 2 <3 <" },
	{ "end of nothing",       "a</>b</3>c", "abc" },
	{ "tag never closed",     "a<b class=\"x", "a" },
	{ "'>' in a value",       "a<b title='x>y'>b", "ab" },
	{ "script",               "a<script>if (x</b) y</script>b", "ab" },
	{ "style",                "<STYLE>p { x: y }</STYLE>a", "a" },
	{ "title",                "<title>x</title>a", "a" },
	{ "iframe",               "<iframe>x</iframe>a", "a" },
	{ "bytes (7)",            "a\xff" "b\xc3\xa4", "a\xef\xbf\xbd" "b\xc3\xa4" },
	{ "named",                "&lt;&amp;&eacute;&rsquo;&sol;&period;", "<&\xc3\xa9\xe2\x80\x99/." },
	{ "without semicolon",    "&ampx &copy; &copyright &nosuch; &rsquo", "&x \xc2\xa9 \xc2\xa9right &nosuch; &rsquo" },
	{ "decimal",              "&#65;&#066;&#00000067 &#68x", "ABC Dx" },
	{ "hexadecimal",          "&#x41;&#X42;&#x00043 ", "ABC" },
	{ "windows-1252 number",  "&#146;&#x80;", "\xe2\x80\x99\xe2\x82\xac" },
	{ "impossible numbers",   "&#xD800;&#x110000;&#99999999999999999999;&#;", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&#;" },
	{ "no-break space",       "a&nbsp;&#160;b", "a b" },
	{ "display",              "a<span style='display:none'>x</span>b", "ab" },
	{ "display in capitals",  "a<span STYLE='DISPLAY : NONE !important'>x</span>b", "ab" },
	{ "display with entity",  "a<span style='display&#58;none'>x</span>b", "ab" },
	{ "nested in hidden",     "a<div style='display:none'>x<p style='display:block'>x</p></div>b", "a\nb" },
	{ "hidden attribute",     "a<p hidden>x</p>b", "a\nb" },
	{ "visibility",           "<div style='visibility:hidden'>x<b style='visibility:visible'>a</b></div>", "a" },
	{ "size zero",            "V<font style='font-size:0px'>x</font>i<font style='font-size:0'>x</font>a", "Via" },
	{ "size of a pixel",      "a<b style='font-size:1px'>x</b>", "a" },
	{ "size in the shorthand", "a<b style='font:0/0 a'>x</b>", "a" },
	{ "size of the parent's", "<div style='font-size:10%'>x<b style='font-size:10em'>a</b></div>", "a" },
	{ "size small enough",    "<b style='font-size:8px'>a</b>", "a" },
	{ "opacity",              "a<b style='opacity:0'>x</b><b style='opacity:.5'>b</b>", "ab" },
	{ "box of no height",     "a<div style='max-height:0;overflow:hidden'>x</div>", "a" },
	{ "box of no width",      "a<div style='width:0px;overflow:hidden'>x</div>", "a" },
	{ "box that flows over",  "<div style='max-height:0'>a</div>", "a" },
	{ "indent far out",       "a<p style='text-indent:-9999px'>x</p>", "a" },
	{ "indent of a list",     "<p style='text-indent:-18pt'>a</p>", "a" },
	{ "far to the left",      "a<p style='position:absolute;left:-5000px'>x</p>", "a" },
	{ "transparent",          "a<b style='color:transparent'>x</b><b style='color:rgba(0,0,0,0)'>x</b>", "a" },
	{ "hidden from Outlook",  "<b style='mso-hide:all'>a</b>", "a" },
	{ "by class",             "<style>.x, #y { display:none }</style>a<b class='w x'>x</b><b id=y>x</b>b", "ab" },
	{ "by tag and class",     "<style>div.x{display:none}</style><div class=x>x</div><p class=x>a</p>", "a" },
	{ "by tag",               "<style><!-- em{font-size:0} --></style><em>x</em>a", "a" },
	{ "inline wins",          "<style>.x{display:none}</style><b class=x style='display:inline'>a</b>", "a" },
	{ "@media is another's",  "<style>@media print{.x{display:none}}.y{display:none}</style><b class=x>a</b><b class=y>x</b>", "a" },
	{ "comment in a sheet",   "<style>/* .x{ */ .y{display:none} /*/ */</style>a<b class=y>x</b>", "a" },
	{ "others' selectors",    "<style>div .x, a:hover, [x] {display:none}</style><b class=x>a</b>", "a" },
	{ "end of another",       "a<b style='display:none'>x</i>x</b>b", "ab" },
	{ "list items",           "<li style='display:none'>x<li>a", "a" },
	{ "a table in a cell",    "<table><td style='display:none'><table><td>x</table><td>a</table>", "a" },
	{ "same colour is kept",  "<b style='color:#fff'>a</b>", "a" },
};
/* clang-format on */

static void check_text(void **state)
{
	const struct text_row *row = *state;
	PW_AUTO(page_done) struct page p = { 0 };

	read_page(&p, pw_str_from(row->html));
	assert_true(p.text.len == 0 || p.text.at[p.text.len - 1] == '\n');
	pw_buf_truncate(&p.text, p.text.len - (p.text.len > 0));
	assert_string_equal(pw_buf_text(&p.text), row->want);
}

#define FACT(member) offsetof(struct pw_html_facts, member)
struct fact_row {
	const char *label, *html;
	size_t fact; /* offset of an unsigned */
	unsigned want;
};

/* clang-format off */
static struct fact_row fact_rows[] = {
	{ "white on white",         "<body bgcolor=white><font color=#FFFFFF>abc</font>d", FACT(same_colour_chars), 3 },
	{ "nearly white",           "<b style='color:#fdfdfd'>abc", FACT(same_colour_chars), 3 },
	{ "white on black",         "<td style='background:#000 none'><b style='color:#fff'>abc", FACT(same_colour_chars), 0 },
	{ "white on a picture",     "<td background=x.png><b style='color:#fff'>abc", FACT(same_colour_chars), 0 },
	{ "white on url()",         "<td style='background:#fff url(x)'><b style='color:#fff'>abc", FACT(same_colour_chars), 0 },
	{ "by rgb()",               "<b style='color:rgb(255, 255, 255)'>abc", FACT(same_colour_chars), 3 },
	{ "by rgb() in percent",    "<b style='color:rgb(100%,100%,100%)'>abc", FACT(same_colour_chars), 3 },
	{ "by more than all of it", "<b style='color:rgb(99999999%,100%,999)'>abc", FACT(same_colour_chars), 3 },
	{ "by sheet",               "<style>.w{color:#fff}</style><b class=w>abc", FACT(same_colour_chars), 3 },
	{ "by body's text",         "<body text=white>abc", FACT(same_colour_chars), 3 },
	{ "ended colour",           "<td style='color:#fff'></td>abc", FACT(same_colour_chars), 0 },
	{ "tiny",                   "<b style='font-size:1px'>abc", FACT(tiny_chars), 3 },
	{ "hidden words",           "a b <b hidden>c d e</b>", FACT(hidden_words), 3 },
	{ "visible words",          "a b <b hidden>c d e</b>", FACT(visible_words), 2 },
	{ "preheader",              "<b hidden>c d &zwnj;&#847;</b> a <b hidden>e</b>", FACT(preheader_words), 2 },
	{ "words cut by comments",  "via<!-- x -->gra ci<!-- y -->alis", FACT(cut_words), 2 },
	{ "cut by unknown tags",    "via<zz>gra", FACT(cut_words), 1 },
	{ "cut by empty tags",      "via<b></b>gra", FACT(cut_words), 1 },
	{ "cut by hidden letters",  "via<b hidden>x</b>gra", FACT(cut_words), 1 },
	{ "not cut: Office",        "via<o:p></o:p>gra", FACT(cut_words), 0 },
	{ "not cut: bold letters",  "<b>V</b>iagra", FACT(cut_words), 0 },
	{ "not cut: named anchors", "via<a name=x></a>gra", FACT(cut_words), 0 },
	{ "not cut: between words", "via <!-- x --> gra", FACT(cut_words), 0 },
	{ "letters as numbers",     "&#86;&#x69;a &#8217;", FACT(letter_entities), 2 },
	{ "form",                   "<form action=http://x><input type=text><input type=' PassWord '>", FACT(password_fields), 1 },
	{ "inputs",                 "<form><input><input>", FACT(inputs), 2 },
	{ "refresh",                "<meta http-equiv=Refresh content='0;url=http://x/'>", FACT(refreshes), 1 },
	{ "no refresh",             "<meta http-equiv=content-type content='text/html'>", FACT(refreshes), 0 },
	{ "script that moves",      "<script>window.location='x'</script>", FACT(script_moves), 1 },
	{ "script that unpacks",    "<script>document.write(atob('eHg='))</script>", FACT(script_decoders), 1 },
	{ "a longer word",          "<script>myatob(); allocation</script>", FACT(script_decoders), 0 },
	{ "data: page",             "<a href='data:text/html;base64,eHg='>x</a>", FACT(data_pages), 1 },
	{ "data: page, escaped",    "<iframe src=' DATA:image/svg+xml,x'></iframe>", FACT(data_pages), 1 },
	{ "data: picture",          "<img src='data:image/png;base64,eHg='>", FACT(data_pages), 0 },
	{ "pictures in data:",      "<img src='data:image/png;base64,eHg='>", FACT(data_images), 1 },
	{ "tracking pixel",         "<img src=http://x/ width=1 height=1>", FACT(tracking_images), 1 },
	{ "tracking pixel, styled", "<img src=http://x/ style='width:1px;height:1px'>", FACT(tracking_images), 1 },
	{ "spacer",                 "<img src=cid:x width=1 height=1>", FACT(tracking_images), 0 },
	{ "area",                   "<img width=10 height='20px'><img width=50% height=9>", FACT(image_area), 200 },
	{ "linked picture",         "<a href=x><img src=y></a><img src=z>", FACT(linked_images), 1 },
	{ "open elements",          "<table><div><p>x", FACT(open_ends), 2 },
	{ "stray ends",             "x</table></div></p></b>", FACT(stray_ends), 2 },
	{ "balanced",               "<table><div><p>x</div></table>", FACT(open_ends), 0 },
	{ "tables",                 "<table></table><TABLE>", FACT(tables), 2 },
	{ "colours",                "<font color=red>a<font color=blue>b<font color=blue>c", FACT(colours), 2 },
	{ "big type",               "<b style='font-size:40px'><font size=+3><font size=7>", FACT(big_fonts), 3 },
};
/* clang-format on */

static void check_fact(void **state)
{
	const struct fact_row *row = *state;
	PW_AUTO(page_done) struct page p = { 0 };

	read_page(&p, pw_str_from(row->html));
	assert_int_equal(
		*(const unsigned *)(const void *)((const char *)&p.facts + row->fact),
		row->want);
}

/* Links as "url[shown]kinds", a blank between them. */
static struct text_row link_rows[] = {
	/* clang-format off */
	{ "anchor",             "<a href='http://x/?a=1&amp;b=2'> see <b>this</b> </a>", "http://x/?a=1&b=2[see this]a" },
	{ "no semicolon",       "<a href='http://x/?a=1&copy=2&lt=3'>y</a>", "http://x/?a=1&copy=2&lt=3[y]a" },
	{ "line breaks",        "<a href='ht\ntp://x/\r\ny'>y</a>", "http://x/y[y]a" },
	{ "first one counts",   "<a href=http://a/ href=http://b/>y</a>", "http://a/[y]a" },
	{ "unclosed",           "<a href=http://a/>x<a href=http://b/>y", "http://a/[x]a http://b/[y]a" },
	{ "picture in a link",  "<a href=http://a/><img src=http://b/></a>", "http://b/[]i http://a/[]ap" },
	{ "hidden in a link",   "<a href=http://a/>x<b hidden>z</b>y</a>", "http://a/[xy]a" },
	{ "area of a map",      "<area href=http://a/>", "http://a/[]a" },
	{ "svg",                "<svg><a xlink:href='http://a/'>x</a></svg>", "http://a/[x]a" },
	{ "form",               "<form action=http://a/><button formaction=http://b/><input formaction=http://c/>", "http://a/[]f http://c/[]f" },
	{ "frames",             "<iframe src=http://a/></iframe><embed src=http://b/><object data=http://c/>", "http://a/[]r http://b/[]r http://c/[]r" },
	{ "refresh",            "<meta http-equiv=refresh content=\"0; URL='http://a/'\">", "http://a/'[]r" },
	{ "base",               "<base href=http://a/b/c?d><a href=e>x</a><a href=/f>y</a><a href=#g>z</a><a href=mailto:h>w</a>",
	  "http://a/b/e[x]a http://a/f[y]a #g[z]a mailto:h[w]a" },
	{ "base without path",  "<base href=http://a><a href=e>x</a>", "http://a/e[x]a" },
	{ "second base",        "<base href=http://a/><base href=http://b/><a href=e>x</a>", "http://a/e[x]a" },
	{ "nothing",            "<a>x</a><a href=''>y</a><img>", "" },
	/* clang-format on */
};

static void check_links(void **state)
{
	const struct text_row *row = *state;
	PW_AUTO(page_done) struct page p = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	read_page(&p, pw_str_from(row->html));
	for (size_t i = 0; i < p.links->count; i++) {
		const struct pw_link *l = &p.links->at[i];

		pw_buf_printf(&out, "%s%.*s[%.*s]%s%s%s%s%s", i > 0 ? " " : "",
		              PW_FMT(l->url), PW_FMT(l->shown), l->is_anchor ? "a" : "",
		              l->is_image ? "i" : "", l->is_form ? "f" : "",
		              l->is_frame ? "r" : "", l->has_image ? "p" : "");
	}
	assert_string_equal(pw_buf_text(&out), row->want);
}

/* Input 29: a piece over and over. */
struct flood_row {
	const char *label, *head, *piece;
};

/* clang-format off */
static struct flood_row flood_rows[] = {
	{ "text",                  "", "a " },
	{ "tags never closed",     "", "<a href=\"" },
	{ "less than",             "", "<" },
	{ "comments never closed", "", "<!--" },
	{ "ends of nothing",       "", "</" },
	{ "attributes",            "<a ", "a=b " },
	{ "quotes",                "<a ", "\"'=" },
	{ "nested",                "", "<div>" },
	{ "nested and ended",      "", "<div></b>" },
	{ "deep, ends of others",  "<p><table><b><i><u><b><i><u><b><i><u><b><i><u><b>", "<p></p>" },
	{ "cells",                 "<table>", "<td><b>" },
	{ "entities",              "", "&#x41;" },
	{ "entities never ended",  "", "&" },
	{ "long numbers",          "&#", "0" },
	{ "style",                 "", "<style>" },
	{ "rules",                 "<style>", "a.b,#c{color:red}" },
	{ "at rules",              "<style>", "@x;" },
	{ "at rules never ended",  "<style>", "@x{" },
	{ "selectors never ended", "<style>", "a,b " },
	{ "comments in style",     "<style>", "/*" },
	{ "declarations",          "<b style='", "a:b;" },
	{ "classes",               "<style>.x{color:red}</style><b class='", "x " },
	{ "inline styles",         "", "<b style='font:0 url(x) red &amp;'>" },
	{ "scripts",               "", "<script>" },
	{ "words of scripts",      "<script>", "atob(" },
	{ "anchors",               "<base href=http://x/y/>", "<a href=z>" },
	{ "data:",                 "", "<img src=data:text/html,aa>" },
	{ "bytes (7)",             "", "\xff" },
};
/* clang-format on */

static uint64_t steps_of(const struct flood_row *row, size_t len)
{
	PW_AUTO(page_done) struct page p = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf html = { 0 };
	struct pw_str text;

	pw_buf_puts(&html, pw_str_from(row->head));
	while (html.len < len)
		pw_buf_puts(&html, pw_str_from(row->piece));
	read_page(&p, pw_buf_str(&html));
	text = pw_buf_str(&p.text);
	assert_true(text.len <= PW_HTML_GROWTH * html.len + 1);
	assert_false(p.facts.is_cut);
	return p.facts.steps;
}

static void check_flood(void **state)
{
	const struct flood_row *row = *state;
	uint64_t one = steps_of(row, (size_t)1 << 20);
	uint64_t eight = steps_of(row, (size_t)8 << 20);

	assert_true(one >= (uint64_t)1 << 19);
	assert_true(one <= (uint64_t)40 << 20);
	assert_true(eight <= 9 * one);
}

static void a_cut_anchor_is_whole_characters(void **state)
{
	PW_AUTO(page_done) struct page p = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf html = { 0 };
	struct pw_str shown;
	size_t n = 1;

	(void)state;
	pw_buf_puts(&html, PW_STR("<a href=x>a"));
	for (int i = 0; i < 1000; i++)
		pw_buf_puts(&html, PW_STR("\xe2\x82\xac"));
	read_page(&p, pw_buf_str(&html));
	assert_int_equal(p.links->count, 1);
	shown = p.links->at[0].shown;
	assert_in_range(shown.len, PW_LINK_SHOWN_MAX - 3, PW_LINK_SHOWN_MAX);
	for (; shown.len > 0 && n > 0; shown = pw_str_sub(shown, n, shown.len))
		n = pw_utf8_length(shown);
	assert_int_equal(shown.len, 0);
}

static void a_full_text_is_said(void **state)
{
	PW_AUTO(page_done) struct page p = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf few = { 0 };

	(void)state;
	read_page(&p, PW_STR(""));
	pw_buf_init(&few, 4);
	assert_int_equal(pw_html_read(&few, p.links, &p.facts, p.arena,
	                              PW_STR("abcdef<a href=http://x/>g</a>")),
	                 PW_OK);
	assert_true(p.facts.is_cut);
	assert_int_equal(p.links->count, 1);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(text_rows) + PW_LEN(fact_rows) +
	                        PW_LEN(link_rows) + PW_LEN(flood_rows) + 2] = {
		cmocka_unit_test(a_cut_anchor_is_whole_characters),
		cmocka_unit_test(a_full_text_is_said),
	};
	size_t at = 2;

	PW_TABLE_TESTS(tests, at, text_rows, check_text);
	at += PW_LEN(text_rows);
	PW_TABLE_TESTS(tests, at, fact_rows, check_fact);
	at += PW_LEN(fact_rows);
	PW_TABLE_TESTS(tests, at, link_rows, check_links);
	at += PW_LEN(link_rows);
	PW_TABLE_TESTS(tests, at, flood_rows, check_flood);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

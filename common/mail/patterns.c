#define PCRE2_CODE_UNIT_WIDTH 8
#include "mail/patterns.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_PROBE 100000
#define STEPS_BASE 100000
#define STEPS_A_BYTE 32
#define STEPS_MAX 10000000
#define WINDOW 3072 /* bytes where a match may begin */
#define DEPTH_MAX 20000
#define HEAP_KIB 8192
#define NEST_MAX 50 /* parentheses in parentheses */

struct pw_pattern {
	pcre2_code *code;
};

struct pw_matching {
	pcre2_match_context *context;
	pcre2_match_data *data;
	int64_t steps_left;
};

/* ---- matching */

/* PCRE2's own limit is one of each beginning, and there are as many as bytes: what counts
 * is their sum. So every item of a pattern has a callout (pcre2callout(3)), which counts.
 * Not counted are single characters that a possessive repetition runs over: windows keep
 * that short. */
static int count_step(pcre2_callout_block *block, void *matching)
{
	(void)block;
	return --((struct pw_matching *)matching)->steps_left < 0 ? PCRE2_ERROR_CALLOUT
	                                                          : 0;
}

int64_t pw_match_steps(size_t text_bytes)
{
	if (text_bytes >= (STEPS_MAX - STEPS_BASE) / STEPS_A_BYTE)
		return STEPS_MAX;
	return STEPS_BASE + STEPS_A_BYTE * (int64_t)text_bytes;
}

enum pw_status pw_matching_new(struct pw_matching **out)
{
	PW_AUTO(pw_matching_free) struct pw_matching *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return PW_ERR_NOMEM;
	m->context = pcre2_match_context_create(NULL);
	m->data = pcre2_match_data_create(1, NULL); /* the place alone */
	if (m->context == NULL || m->data == NULL)
		return PW_ERR_NOMEM;
	pcre2_set_callout(m->context, count_step, m);
	pcre2_set_match_limit(m->context, STEPS_MAX);
	pcre2_set_depth_limit(m->context, DEPTH_MAX);
	pcre2_set_heap_limit(m->context, HEAP_KIB);
	*out = PW_TAKE(m);
	return PW_OK;
}

void pw_matching_free(struct pw_matching **matching)
{
	if (*matching == NULL)
		return;
	pcre2_match_data_free((*matching)->data);
	pcre2_match_context_free((*matching)->context);
	free(*matching);
	*matching = NULL;
}

/* Matches that begin in start..start + WINDOW; what is before can be looked back at. */
static enum pw_match match_window(const struct pw_pattern *pattern,
                                  struct pw_matching *matching, struct pw_str text,
                                  size_t start)
{
	size_t end = start + WINDOW + PW_MATCH_AHEAD;
	bool is_last = end >= text.len;
	int r;

	pcre2_set_offset_limit(matching->context,
	                       is_last ? PCRE2_UNSET : start + WINDOW - 1);
	r = pcre2_match(pattern->code, (PCRE2_SPTR)text.at, is_last ? text.len : end,
	                start, is_last ? 0 : PCRE2_NOTEOL, matching->data,
	                matching->context);
	return r >= 0                     ? PW_MATCH_YES
	       : r == PCRE2_ERROR_NOMATCH ? PW_MATCH_NO
	                                  : PW_MATCH_LIMIT; /* that, or no memory */
}

/* No window begins within a character. */
static size_t next_window(struct pw_str text, size_t start)
{
	size_t next = start + WINDOW;

	for (size_t i = 0; i < 3 && ((unsigned char)text.at[next] & 0xc0) == 0x80; i++)
		next--;
	return next;
}

enum pw_match pw_pattern_match(const struct pw_pattern *pattern,
                               struct pw_matching *matching, struct pw_str text,
                               int64_t steps, struct pw_str *found_out)
{
	const size_t *place = pcre2_get_ovector_pointer(matching->data);
	enum pw_match match;

	if (text.at == NULL)
		text.at = "";
	matching->steps_left = steps;
	match = match_window(pattern, matching, text, 0);
	for (size_t start = 0;
	     match == PW_MATCH_NO && start + WINDOW + PW_MATCH_AHEAD < text.len;) {
		start = next_window(text, start);
		match = match_window(pattern, matching, text, start);
	}
	if (match == PW_MATCH_YES && found_out != NULL)
		*found_out = place[0] <= place[1] /* \K may turn them round */
		                     ? pw_str_sub(text, place[0], place[1] - place[0])
		                     : PW_STR("");
	return match;
}

/* ---- trying it */

/* Texts that nested repetitions run away on: what the pattern is made of, so that its
 * beginning is found, and then one thing over and over that leads nowhere. */
#define PIECES_MAX 6
#define UNITS_MAX 12
#define PROBE_RUN 100   /* cubic is beyond STEPS_PROBE, quadratic far below */
#define TOGETHER_MAX 64 /* bytes */

struct makeup {
	struct pw_str pieces[PIECES_MAX]; /* runs of plain letters, in order */
	size_t piece_count;
	struct pw_str units[UNITS_MAX]; /* what may be repeated */
	size_t unit_count;
	char together[TOGETHER_MAX]; /* all pieces */
	size_t together_len;
	bool repeats; /* may run away at all */
};

static bool is_plain(char c)
{
	return c != '\0' && strchr("\\^$.[]|()?*+{}# \t\r\n", c) == NULL;
}

static void add_unit(struct makeup *m, struct pw_str unit)
{
	for (size_t i = 0; i < m->unit_count; i++)
		if (pw_str_eq(m->units[i], unit))
			return;
	if (m->unit_count < UNITS_MAX)
		m->units[m->unit_count++] = unit;
}

static void add_piece(struct makeup *m, struct pw_str piece)
{
	if (piece.len == 0)
		return;
	add_unit(m, pw_str_sub(piece, piece.len - 1, 1));
	if (piece.len > 1)
		add_unit(m, piece);
	if (m->piece_count < PIECES_MAX)
		m->pieces[m->piece_count++] = piece;
	for (size_t i = 0; i < piece.len && m->together_len < TOGETHER_MAX; i++)
		m->together[m->together_len++] = piece.at[i];
}

/* Behind "(?" of a group: to where its content begins. */
static size_t skip_opening(struct pw_str text, size_t at)
{
	static const char quotes[] = "<'";
	bool is_named;

	if (at + 1 < text.len && text.at[at] == 'P')
		at++;
	is_named = at + 1 < text.len && text.at[at] != '\0' &&
	           strchr(quotes, text.at[at]) != NULL && is_plain(text.at[at + 1]) &&
	           text.at[at + 1] != '=' && text.at[at + 1] != '!';
	if (is_named) {
		at++;
		while (at < text.len && text.at[at] != '>' && text.at[at] != '\'')
			at++;
	}
	while (at < text.len && text.at[at] != '\0' &&
	       strchr(":=!<>|'", text.at[at]) != NULL)
		at++;
	return at;
}

static struct pw_str of_escape(char c)
{
	switch (c) {
	case 's':
	case 'h':
	case 'R':
	case 'X':
		return PW_STR(" ");
	case 'd':
		return PW_STR("0");
	case 'W':
	case 'N':
		return PW_STR("-");
	default:
		return PW_STR("a");
	}
}

/* Not a parser: it may see too much, never too little that is repeated. */
static void take_apart(struct makeup *m, struct pw_str text)
{
	size_t begin = 0, repeats = 0;

	*m = (struct makeup){ 0 };
	add_unit(m, PW_STR("a")); /* for [^...] */
	add_unit(m, PW_STR(" "));
	for (size_t i = 0; i <= text.len; i++) {
		char c = i < text.len ? text.at[i] : '\0';

		if (is_plain(c))
			continue;
		add_piece(m, pw_str_sub(text, begin, i - begin));
		begin = i + 1;
		if (c == '\\' && begin < text.len)
			add_unit(m, of_escape(text.at[begin++]));
		else if (c == '.')
			add_unit(m, PW_STR("a"));
		else if (c == '(' && begin < text.len && text.at[begin] == '?')
			begin = skip_opening(text, begin + 1);
		else if (c == '*' || c == '+' || c == '{')
			repeats += i > 0 && text.at[i - 1] == ')' ? 2 : 1;
		i = begin - 1;
	}
	add_unit(m, (struct pw_str){ m->together, m->together_len });
	m->repeats = repeats > 1;
}

static bool runs_away(const struct pw_pattern *p, struct pw_matching *matching,
                      const struct makeup *m, size_t pieces, struct pw_str unit)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

	for (size_t i = 0; i < pieces; i++)
		pw_buf_puts(&text, m->pieces[i]);
	for (size_t i = 0; i < PROBE_RUN; i++)
		pw_buf_puts(&text, unit);
	pw_buf_putc(&text, '\x01');
	return pw_pattern_match(p, matching, pw_buf_str(&text), STEPS_PROBE, NULL) ==
	       PW_MATCH_LIMIT;
}

/* ---- compiling */

static enum pw_status read_flags(uint32_t *options_out, struct pw_str flags,
                                 struct pw_buf *why_out)
{
	static const struct {
		char letter;
		uint32_t option;
	} letters[] = {
		{ 'i', PCRE2_CASELESS },
		{ 'm', PCRE2_MULTILINE },
		{ 's', PCRE2_DOTALL },
		{ 'u', PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF },
		{ 'x', PCRE2_EXTENDED },
	};
	uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT |
	                   PCRE2_NO_AUTO_POSSESS | PCRE2_AUTO_CALLOUT;

	for (size_t i = 0; i < flags.len; i++) {
		size_t l = 0;

		while (l < PW_LEN(letters) && letters[l].letter != flags.at[i])
			l++;
		if (l == PW_LEN(letters)) {
			pw_buf_puts(why_out, PW_STR("flags are letters of imsux"));
			return PW_ERR_SYNTAX;
		}
		options |= letters[l].option;
	}
	if ((options & PCRE2_UTF) == 0)
		options |= PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
	*options_out = options;
	return PW_OK;
}

static enum pw_status explain(struct pw_buf *why_out, int error, size_t at)
{
	char text[160];

	if (error == PCRE2_ERROR_HEAP_FAILED)
		return PW_ERR_NOMEM;
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text)) < 0)
		text[0] = '\0';
	pw_buf_printf(why_out, "%s, at byte %zu", text, at);
	return PW_ERR_SYNTAX;
}

static enum pw_status compile(struct pw_pattern *p, struct pw_str text, uint32_t options,
                              struct pw_buf *why_out)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	int error;
	size_t at;

	if (context == NULL)
		return PW_ERR_NOMEM;
	pcre2_set_parens_nest_limit(context, NEST_MAX);
	pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
	p->code = pcre2_compile((PCRE2_SPTR)text.at, text.len, options, &error, &at,
	                        context);
	pcre2_compile_context_free(context);
	return p->code != NULL ? PW_OK : explain(why_out, error, at);
}

static enum pw_status probe(struct pw_str text, uint32_t options, struct pw_buf *why_out)
{
	PW_AUTO(pw_matching_free) struct pw_matching *matching = NULL;
	PW_AUTO(pw_pattern_free) struct pw_pattern *p = NULL;
	struct makeup m;
	enum pw_status r;

	take_apart(&m, text);
	if (!m.repeats)
		return PW_OK;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return PW_ERR_NOMEM;
	/* What a text must have is no way out: who writes a message puts it there. */
	if ((r = compile(p, text, options | PCRE2_NO_START_OPTIMIZE, why_out)) != PW_OK ||
	    (r = pw_matching_new(&matching)) != PW_OK)
		return r;
	for (size_t pieces = 0; pieces <= m.piece_count; pieces++)
		for (size_t u = 0; u < m.unit_count; u++) {
			if (!runs_away(p, matching, &m, pieces, m.units[u]))
				continue;
			pw_buf_printf(why_out,
			              "repetitions in repetitions: it does not end in "
			              "time on \"%.*s\" a hundred times",
			              PW_FMT(m.units[u]));
			return PW_ERR_SYNTAX;
		}
	return PW_OK;
}

/* Those of the pattern itself, not those that count steps: their number is 255. */
static int count_callout(pcre2_callout_enumerate_block *block, void *count)
{
	*(int *)count += block->callout_string != NULL || block->callout_number != 255;
	return 0;
}

static enum pw_status refuse(const struct pw_pattern *p, struct pw_buf *why_out)
{
	int callouts = 0;

	(void)pcre2_callout_enumerate(p->code, count_callout, &callouts);
	if (callouts > 0)
		pw_buf_puts(why_out, PW_STR("callouts do nothing here"));
	else if (pw_pattern_size(p) > PW_PATTERN_COMPILED_MAX)
		pw_buf_printf(why_out, "compiled it has %zu bytes, %zu are allowed",
		              pw_pattern_size(p), PW_PATTERN_COMPILED_MAX);
	else
		return PW_OK;
	return PW_ERR_SYNTAX;
}

/* What stands in the way before anything is compiled. */
static enum pw_status refuse_text(struct pw_str text, struct pw_buf *why_out)
{
	if (text.len == 0)
		pw_buf_puts(why_out, PW_STR("an empty pattern matches everything"));
	else if (text.len > PW_PATTERN_MAX)
		pw_buf_printf(why_out, "longer than %d bytes", PW_PATTERN_MAX);
	else if (text.len > 2 && pw_str_starts(text, PW_STR("(*")) && text.at[2] >= 'A' &&
	         text.at[2] <= 'Z')
		pw_buf_puts(why_out, PW_STR("settings like (*UTF) or (*LIMIT_MATCH=) are "
		                            "not for rules: use flags"));
	else
		return PW_OK;
	return PW_ERR_SYNTAX;
}

enum pw_status pw_pattern_new(struct pw_pattern **out, struct pw_str text,
                              struct pw_str flags, struct pw_buf *why_out)
{
	PW_AUTO(pw_pattern_free) struct pw_pattern *p = calloc(1, sizeof(*p));
	uint32_t options = 0;
	enum pw_status r;

	if (p == NULL)
		return PW_ERR_NOMEM;
	if ((r = refuse_text(text, why_out)) != PW_OK ||
	    (r = read_flags(&options, flags, why_out)) != PW_OK ||
	    (r = compile(p, text, options, why_out)) != PW_OK ||
	    (r = refuse(p, why_out)) != PW_OK ||
	    (r = probe(text, options, why_out)) != PW_OK)
		return r;
	*out = PW_TAKE(p);
	return PW_OK;
}

void pw_pattern_free(struct pw_pattern **pattern)
{
	if (*pattern == NULL)
		return;
	pcre2_code_free((*pattern)->code);
	free(*pattern);
	*pattern = NULL;
}

size_t pw_pattern_size(const struct pw_pattern *pattern)
{
	size_t size = 0;

	(void)pcre2_pattern_info(pattern->code, PCRE2_INFO_SIZE, &size);
	return size;
}

#include "core/literals.h"

#include <stdlib.h>
#include <string.h>

#include "core/ascii.h"

/* ---- what a pattern needs */

#define DEPTH_MAX 60

struct reader {
	struct pw_str text;
	size_t at;
	unsigned depth;
	bool is_utf;
	bool is_lost; /* something that is not understood */
};

/* Letters in a row that a match must have. */
struct run {
	char at[PW_LITERAL_MAX];
	size_t len;
};

/* How an item may be repeated. */
enum times { TIMES_ONCE, TIMES_SOME, TIMES_ANY /* or never */ };

static void read_branches(struct reader *in, struct pw_literals *out);

static bool is_at(const struct reader *in, char c)
{
	return in->at < in->text.len && in->text.at[in->at] == c;
}

static bool skip(struct reader *in, char c)
{
	bool is_there = is_at(in, c);

	in->at += is_there;
	return is_there;
}

static void lose(struct reader *in)
{
	in->is_lost = true;
	in->at = in->text.len;
}

static size_t shortest(const struct pw_literals *l)
{
	size_t min = 0;

	for (size_t i = 0; i < l->count; i++)
		if (i == 0 || l->at[i].len < min)
			min = l->at[i].len;
	return min;
}

/* The one that is found more rarely. */
static void prefer(struct pw_literals *best, const struct pw_literals *other)
{
	size_t a = shortest(best), b = shortest(other);

	if (b > a || (b == a && other->count < best->count && other->count > 0))
		*best = *other;
}

static void end_run(struct run *run, struct pw_literals *best)
{
	struct pw_literals one = { .count = 1 };

	if (run->len >= PW_LITERAL_MIN) {
		memcpy(one.at[0].at, run->at, run->len);
		one.at[0].len = run->len;
		prefer(best, &one);
	}
	run->len = 0;
}

/* "{2}", "{2,}" or "{2,5}"; other braces are letters here and repetitions there. */
static enum times read_braces(struct reader *in)
{
	size_t min = 0, digits = 0;

	for (; in->at < in->text.len && pw_is_digit(in->text.at[in->at]); in->at++) {
		min = min * 10 + (size_t)(in->text.at[in->at] - '0');
		if (++digits > 5)
			lose(in);
	}
	if (digits == 0)
		lose(in);
	if (skip(in, ','))
		while (in->at < in->text.len && pw_is_digit(in->text.at[in->at]))
			in->at++;
	if (!skip(in, '}'))
		lose(in);
	return min > 0 ? TIMES_SOME : TIMES_ANY;
}

static enum times read_times(struct reader *in)
{
	enum times times;

	if (skip(in, '*') || skip(in, '?'))
		times = TIMES_ANY;
	else if (skip(in, '+'))
		times = TIMES_SOME;
	else if (skip(in, '{'))
		times = read_braces(in);
	else
		return TIMES_ONCE;
	(void)(skip(in, '+') || skip(in, '?'));
	if (is_at(in, '{')) /* once more: not the same to all versions */
		lose(in);
	return times;
}

static void add_letter(struct reader *in, struct run *run, struct pw_literals *best,
                       char letter)
{
	enum times times = read_times(in);

	if (times != TIMES_ANY && run->len < PW_LITERAL_MAX)
		run->at[run->len++] = pw_lower(letter);
	if (times != TIMES_ONCE || run->len == PW_LITERAL_MAX)
		end_run(run, best);
}

/* Something else that takes letters. */
static void add_other(struct reader *in, struct run *run, struct pw_literals *best)
{
	end_run(run, best);
	(void)read_times(in);
}

/* "[:alpha:]" in a class, behind its first bracket. */
static void read_class_name(struct reader *in)
{
	while (in->at < in->text.len && !is_at(in, ']'))
		in->at++;
	if (in->at == in->text.len || in->text.at[in->at - 1] != ':')
		lose(in);
	else
		in->at++;
}

static void read_class(struct reader *in)
{
	(void)skip(in, '^');
	(void)skip(in, ']');
	while (in->at < in->text.len && !is_at(in, ']')) {
		char c = in->text.at[in->at++];

		if (c == '[' && is_at(in, ':'))
			read_class_name(in);
		else if (c == '\\' &&
		         (is_at(in, 'Q') || is_at(in, 'E') || is_at(in, 'c')))
			lose(in);
		else if (c == '\\' && in->at < in->text.len)
			in->at++;
	}
	if (!skip(in, ']'))
		lose(in);
}

static void read_escape(struct reader *in, struct run *run, struct pw_literals *best)
{
	char c = in->at < in->text.len ? in->text.at[in->at] : '\0';

	in->at++;
	if (c == '\0' || (unsigned char)c >= 0x80)
		lose(in);
	else if (!pw_is_alnum(c))
		add_letter(in, run, best, c);
	else if (strchr("bBAZzGK", c) != NULL) /* take nothing */
		(void)read_times(in);
	else if (strchr("dDwWsShHvVRtnrfea", c) != NULL)
		add_other(in, run, best);
	else
		lose(in);
}

/* Name of a group, behind its first mark. */
static void read_name(struct reader *in, char end)
{
	while (in->at < in->text.len && in->text.at[in->at] != end)
		in->at++;
	if (!skip(in, end))
		lose(in);
}

/* Settings like "(?i)" or "(?i:"; true: the group goes on. */
static bool read_settings(struct reader *in)
{
	while (in->at < in->text.len && strchr("imsUJ-", in->text.at[in->at]) != NULL &&
	       in->text.at[in->at] != '\0')
		in->at++;
	if (skip(in, ':'))
		return true;
	if (!is_at(in, ')')) /* x, recursion, conditions, callouts, comments... */
		lose(in);
	return false;
}

enum group { GROUP_PLAIN, GROUP_LOOKS /* takes nothing */, GROUP_SETS };

static enum group read_opening(struct reader *in)
{
	if (is_at(in, '*'))
		lose(in);
	if (!skip(in, '?'))
		return GROUP_PLAIN;
	if (skip(in, ':') || skip(in, '>') || skip(in, '|'))
		return GROUP_PLAIN;
	if (skip(in, '=') || skip(in, '!'))
		return GROUP_LOOKS;
	if (skip(in, '\'')) {
		read_name(in, '\'');
		return GROUP_PLAIN;
	}
	if (is_at(in, 'P') && in->at + 1 < in->text.len && in->text.at[in->at + 1] == '<')
		in->at++;
	if (skip(in, '<')) {
		if (skip(in, '=') || skip(in, '!'))
			return GROUP_LOOKS;
		read_name(in, '>');
		return GROUP_PLAIN;
	}
	return read_settings(in) ? GROUP_PLAIN : GROUP_SETS;
}

static void read_group(struct reader *in, struct run *run, struct pw_literals *best)
{
	enum group group = read_opening(in);
	struct pw_literals inner = { 0 };
	enum times times;

	if (group == GROUP_SETS) {
		if (!skip(in, ')'))
			lose(in);
		return;
	}
	read_branches(in, &inner);
	if (!skip(in, ')'))
		lose(in);
	times = read_times(in);
	if (group == GROUP_LOOKS)
		return;
	end_run(run, best);
	if (times != TIMES_ANY)
		prefer(best, &inner);
}

/* With Unicode a few letters have relatives that are not ASCII: the sign of Kelvin is a
 * k, the long s an s. */
static bool is_sure(const struct reader *in, char c)
{
	return !in->is_utf || ((unsigned char)c < 0x80 && strchr("kKsS", c) == NULL);
}

static void read_letter(struct reader *in, struct run *run, struct pw_literals *best,
                        char c)
{
	if (is_sure(in, c)) {
		add_letter(in, run, best, c);
		return;
	}
	while (in->at < in->text.len && (unsigned char)c >= 0x80 &&
	       ((unsigned char)in->text.at[in->at] & 0xc0) == 0x80)
		in->at++;
	add_other(in, run, best);
}

static void read_sequence(struct reader *in, struct pw_literals *best)
{
	struct run run = { .len = 0 };

	while (in->at < in->text.len && !is_at(in, ')') && !is_at(in, '|')) {
		char c = in->text.at[in->at++];

		if (c == '(')
			read_group(in, &run, best);
		else if (c == '\\')
			read_escape(in, &run, best);
		else if (c == '[') {
			read_class(in);
			add_other(in, &run, best);
		} else if (c == '.')
			add_other(in, &run, best);
		else if (c == '^' || c == '$')
			(void)read_times(in);
		else if (c == '\0' || strchr("*+?{", c) != NULL)
			lose(in);
		else
			read_letter(in, &run, best, c);
	}
	end_run(&run, best);
}

/* One of the branches matches: the words of all, or nothing is known. */
static void read_branches(struct reader *in, struct pw_literals *out)
{
	bool is_known = true;

	if (++in->depth > DEPTH_MAX)
		lose(in);
	out->count = 0;
	do {
		struct pw_literals branch = { 0 };

		read_sequence(in, &branch);
		if (branch.count == 0 || out->count + branch.count > PW_LITERALS_MAX)
			is_known = false;
		for (size_t i = 0; is_known && i < branch.count; i++)
			out->at[out->count++] = branch.at[i];
	} while (skip(in, '|'));
	if (!is_known)
		out->count = 0;
	in->depth--;
}

void pw_literals_of(struct pw_literals *out, struct pw_str pattern, struct pw_str flags)
{
	struct reader in = { .text = pattern,
		             .is_utf = pw_str_find(flags, 'u') < flags.len };

	out->count = 0;
	if (pw_str_find(flags, 'x') < flags.len)
		return;
	read_branches(&in, out);
	if (in.is_lost || in.at < pattern.len)
		out->count = 0;
}

/* ---- looking for many: by their first three letters, hashed into buckets */

#define BUCKETS 4096
#define WORDS_MAX 65535

struct word {
	struct pw_literal literal;
	size_t id;
	uint16_t next; /* index + 1 of the next one in its bucket */
};

struct pw_finder {
	struct word *words;
	size_t count, room;
	uint16_t heads[BUCKETS]; /* index + 1 */
};

static size_t bucket(uint32_t three)
{
	return (three * UINT32_C(2654435761)) >> 20;
}

enum pw_status pw_finder_new(struct pw_finder **out)
{
	struct pw_finder *finder = calloc(1, sizeof(*finder));

	if (finder == NULL)
		return PW_ERR_NOMEM;
	*out = finder;
	return PW_OK;
}

void pw_finder_free(struct pw_finder **finder)
{
	if (*finder == NULL)
		return;
	free((*finder)->words);
	free(*finder);
	*finder = NULL;
}

static enum pw_status make_room(struct pw_finder *finder, size_t more)
{
	size_t room = finder->room == 0 ? 16 : finder->room;
	struct word *grown;

	if (finder->count + more > WORDS_MAX)
		return PW_ERR_LIMIT;
	while (room < finder->count + more)
		room *= 2;
	if (room == finder->room)
		return PW_OK;
	grown = realloc(finder->words, room * sizeof(*grown)); /* WORDS_MAX bounds it */
	if (grown == NULL)
		return PW_ERR_NOMEM;
	finder->words = grown;
	finder->room = room;
	return PW_OK;
}

enum pw_status pw_finder_add(struct pw_finder *finder, const struct pw_literals *literals,
                             size_t id)
{
	enum pw_status r = make_room(finder, literals->count);

	if (r != PW_OK)
		return r;
	for (size_t i = 0; i < literals->count; i++) {
		const unsigned char *at = (const unsigned char *)literals->at[i].at;
		size_t b = bucket((uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2]);

		finder->words[finder->count] = (struct word){ .literal = literals->at[i],
			                                      .id = id,
			                                      .next = finder->heads[b] };
		finder->heads[b] = (uint16_t)++finder->count;
	}
	return PW_OK;
}

static bool is_here(const struct pw_literal *literal, struct pw_str text)
{
	if (literal->len > text.len)
		return false;
	for (size_t i = 0; i < literal->len; i++)
		if (pw_lower(text.at[i]) != literal->at[i])
			return false;
	return true;
}

void pw_finder_look(const struct pw_finder *finder, struct pw_str text, bool *marks)
{
	uint32_t three = 0;

	for (size_t i = 0; i < text.len; i++) {
		size_t start = i - 2;

		three = (three << 8 | (unsigned char)pw_lower(text.at[i])) & 0xffffff;
		if (i < 2)
			continue;
		for (size_t w = finder->heads[bucket(three)]; w != 0;
		     w = finder->words[w - 1].next) {
			const struct word *word = &finder->words[w - 1];

			if (!marks[word->id] &&
			    is_here(&word->literal,
			            pw_str_sub(text, start, word->literal.len)))
				marks[word->id] = true;
		}
	}
}

/* Properties: the tokens of any text are distinct, bounded and found again; the same text
 * once more adds none; capitals change none; a text read with pairs has all tokens of one
 * read without. And whatever was learned of them, the answer is a probability that fits
 * its verdict. */
#include <stdlib.h>
#include <string.h>

#include "core/ascii.h"
#include "core/bayes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void read_text(struct pw_tokens *out, struct pw_str text, bool with_pairs)
{
	memset(out, 0, sizeof(*out));
	pw_tokens_words(out, "", text, with_pairs);
	must(out->count <= PW_TOKENS_MAX);
	for (size_t i = 0; i < out->count; i++)
		must(pw_tokens_find(out, out->at[i]) == i);
}

static void check_again(struct pw_tokens *t, struct pw_str text)
{
	size_t count = t->count;

	pw_tokens_words(t, "", text, true);
	must(t->count == count);
}

static void check_capitals(const struct pw_tokens *t, struct pw_str text)
{
	static struct pw_tokens lower;
	char *copy = malloc(text.len + 1);

	must(copy != NULL);
	for (size_t i = 0; i < text.len; i++)
		copy[i] = pw_lower(text.at[i]);
	read_text(&lower, (struct pw_str){ copy, text.len }, true);
	must(lower.count == t->count &&
	     memcmp(lower.at, t->at, t->count * sizeof(t->at[0])) == 0);
	free(copy);
}

static void check_words(const struct pw_tokens *t, struct pw_str text)
{
	static struct pw_tokens words;

	read_text(&words, text, false);
	must(words.count <= t->count);
	for (size_t i = 0; i < words.count && t->count < PW_TOKENS_MAX; i++)
		must(pw_tokens_find(t, words.at[i]) < t->count);
}

/* Counts made of the bytes. */
static void check_answer(const struct pw_tokens *t, const uint8_t *data, size_t size)
{
	static struct pw_bayes_counts counts;
	struct pw_bayes_result r;

	memset(&counts, 0, sizeof(counts));
	for (size_t i = 0; i < sizeof(counts.learned) && i < size; i++)
		((uint8_t *)&counts.learned)[i] = data[i];
	for (size_t i = 0; i < t->count * sizeof(counts.seen[0]); i++)
		((uint8_t *)&counts.seen)[i] = data[i % size];
	pw_bayes_decide(&r, &counts, t->count);
	must(r.probability >= 0 && r.probability <= 1);
	must(r.factor_milli >= 0 && r.factor_milli <= 1000);
	must(r.tokens <= PW_BAYES_TELLING_MAX);
	must(r.verdict != PW_BAYES_SPAM || r.probability > 0.5);
	must(r.verdict != PW_BAYES_HAM || r.probability < 0.5);
	must(r.verdict != PW_BAYES_SILENT || r.tokens == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pw_tokens tokens;
	struct pw_str text = { (const char *)data, size };

	read_text(&tokens, text, true);
	check_again(&tokens, text);
	check_capitals(&tokens, text);
	check_words(&tokens, text);
	if (size > 0)
		check_answer(&tokens, data, size);
	return 0;
}

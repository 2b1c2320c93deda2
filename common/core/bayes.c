#include "core/bayes.h"

#include <math.h>
#include <stdlib.h>

/* What an unknown token says, and how many sightings that opinion is worth. */
#define UNKNOWN 0.5
#define UNKNOWN_STRENGTH 0.5
/* The same for the opinion of the shared base where the own one speaks. */
#define SHARED_STRENGTH 1.0
/* Tokens nearer to 0.5 say nothing. */
#define TELLING_FROM 0.2
/* Answers nearer to 0.5 are none. */
#define DECIDED_FROM 0.1

struct telling {
	double f;
	double distance; /* from 0.5 */
};

/* Robinson's p(w): from the share of messages of either class that have the token, so
 * that it does not matter how many of each were learned. */
static double share(struct pw_bayes_seen seen, struct pw_bayes_seen learned)
{
	double spam = learned.spam > 0 ? (double)seen.spam / learned.spam : 0;
	double ham = learned.ham > 0 ? (double)seen.ham / learned.ham : 0;

	return spam + ham > 0 ? spam / (spam + ham) : UNKNOWN;
}

/* An opinion worth so many sightings, corrected by what was seen. */
static double correct(double opinion, double strength, double seen, double p)
{
	return (strength * opinion + seen * p) / (strength + seen);
}

static uint32_t fewer(struct pw_bayes_seen s)
{
	return s.spam < s.ham ? s.spam : s.ham;
}

static double total(struct pw_bayes_seen s)
{
	return (double)s.spam + s.ham;
}

/* How far the own base is to be believed, 0..1: it has to know both classes. */
static double confidence(const struct pw_bayes_counts *c, uint32_t learned_min)
{
	double least = fewer(c->learned[PW_BAYES_OWN]);

	if (fewer(c->learned[PW_BAYES_SHARED]) < learned_min)
		return 1; /* it is heard alone, and only when it knows enough */
	return least / (least + learned_min);
}

struct bases {
	bool heard[PW_BAYES_BASES];
	double own_weight;
};

static struct bases hear(const struct pw_bayes_counts *c, uint32_t learned_min)
{
	struct bases b = { .own_weight = confidence(c, learned_min) };

	b.heard[PW_BAYES_SHARED] = fewer(c->learned[PW_BAYES_SHARED]) >= learned_min;
	b.heard[PW_BAYES_OWN] =
		fewer(c->learned[PW_BAYES_OWN]) >= learned_min ||
		(b.heard[PW_BAYES_SHARED] && fewer(c->learned[PW_BAYES_OWN]) > 0);
	return b;
}

static double opinion_of(const struct pw_bayes_counts *c, const struct bases *b, size_t i)
{
	const struct pw_bayes_seen *seen = c->seen[i];
	double f = UNKNOWN, strength = UNKNOWN_STRENGTH;

	if (b->heard[PW_BAYES_SHARED] && total(seen[PW_BAYES_SHARED]) > 0) {
		f = correct(f, strength, total(seen[PW_BAYES_SHARED]),
		            share(seen[PW_BAYES_SHARED], c->learned[PW_BAYES_SHARED]));
		strength = SHARED_STRENGTH;
	}
	if (b->heard[PW_BAYES_OWN])
		f = correct(f, strength, b->own_weight * total(seen[PW_BAYES_OWN]),
		            share(seen[PW_BAYES_OWN], c->learned[PW_BAYES_OWN]));
	return f;
}

static int farther(const void *a, const void *b)
{
	const struct telling *x = a, *y = b;

	if (x->distance != y->distance)
		return x->distance > y->distance ? -1 : 1;
	return (x->f > y->f) - (x->f < y->f); /* the same for any order of tokens */
}

/* Chance that chi-square with 2n degrees of freedom is above x (Fisher): from the sum of
 * a Poisson distribution with the mean x/2, made of logarithms, for e^-m underflows. */
static double chi_square_above(double x, size_t n)
{
	double m = x / 2, term = -m, sum = exp(-m);

	for (size_t i = 1; i < n; i++) {
		term += log(m / (double)i);
		sum += exp(term);
	}
	return sum < 1 ? sum : 1;
}

static double combine(const struct telling *at, size_t n)
{
	double spam = 0, ham = 0;

	if (n == 0)
		return UNKNOWN;
	for (size_t i = 0; i < n; i++) {
		spam += log(1 - at[i].f);
		ham += log(at[i].f);
	}
	return (1 + chi_square_above(-2 * ham, n) - chi_square_above(-2 * spam, n)) / 2;
}

static void judge(struct pw_bayes_result *out, const struct telling *at, size_t n)
{
	double certainty;

	out->tokens = n;
	out->probability = combine(at, n);
	certainty = fabs(out->probability - 0.5) * 2;
	if (certainty < DECIDED_FROM) {
		out->verdict = PW_BAYES_UNDECIDED;
		return;
	}
	out->verdict = out->probability > 0.5 ? PW_BAYES_SPAM : PW_BAYES_HAM;
	out->factor_milli = (int32_t)(certainty * certainty * certainty * 1000 + 0.5);
}

void pw_bayes_decide(struct pw_bayes_result *out, const struct pw_bayes_counts *c,
                     size_t token_count)
{
	struct telling telling[PW_TOKENS_MAX];
	uint32_t learned_min = c->learned_min > 0 ? c->learned_min : PW_BAYES_LEARNED_MIN;
	uint32_t tokens_min = c->tokens_min > 0 ? c->tokens_min : PW_BAYES_TOKENS_MIN;
	struct bases bases = hear(c, learned_min);
	size_t n = 0;

	*out = (struct pw_bayes_result){ .probability = UNKNOWN };
	if (!bases.heard[PW_BAYES_SHARED] && !bases.heard[PW_BAYES_OWN])
		return;
	for (size_t i = 0; i < token_count; i++) {
		double f = opinion_of(c, &bases, i);
		double distance = fabs(f - UNKNOWN);

		if (distance >= TELLING_FROM)
			telling[n++] = (struct telling){ f, distance };
	}
	if (n < tokens_min)
		return;
	qsort(telling, n, sizeof(telling[0]), farther);
	for (size_t i = 0; i < PW_BAYES_BASES; i++)
		out->heard[i] = bases.heard[i];
	judge(out, telling, n < PW_BAYES_TELLING_MAX ? n : PW_BAYES_TELLING_MAX);
}

void pw_bayes_put(struct pw_buf *out, const struct pw_bayes_result *result)
{
	static const char *const bases[2][2] = {
		{ "none", "own" },
		{ "shared", "shared and own" },
	};

	pw_buf_printf(out, "p=%.4f, %zu tokens, base %s", result->probability,
	              result->tokens,
	              bases[result->heard[PW_BAYES_SHARED]][result->heard[PW_BAYES_OWN]]);
}

#include "core/reputation.h"

#define COUNT_MAX_MILLI                                                                  \
	INT64_C(1000000000000) /* a billion messages: no sum overflows                   \
	                        */
#define BAD_MILLI 700          /* from this share of spam on it is a bad sign */
#define GOOD_MILLI 100         /* down from this one a good sign */
#define HALF_MILLI 10000       /* messages beyond enough that make half as sure again */
#define REQUIRED_MILLI 6000
#define SPAM_MARGIN_MILLI 2000
#define HAM_MARGIN_MILLI 4000

void pw_reputation_add(struct pw_reputation *r, enum pw_reputation_kind kind,
                       struct pw_str name)
{
	size_t same = 0;

	for (size_t i = 0; i < r->count; i++) {
		if (r->at[i].kind != kind)
			continue;
		if (pw_str_eq_nocase(r->at[i].name, name))
			return;
		same++;
	}
	if (name.len == 0 || r->count == PW_REPUTATION_MAX ||
	    same == PW_REPUTATION_OF_KIND_MAX)
		return;
	r->at[r->count++] = (struct pw_reputation_source){ .kind = kind, .name = name };
}

void pw_reputation_put(struct pw_buf *out, const struct pw_reputation_source *source)
{
	static const char *const kinds[PW_REPUTATION_KINDS] = { "network:", "sender:",
		                                                "dkim:", "url:" };

	pw_buf_puts(out, pw_str_from(kinds[source->kind]));
	pw_buf_put_lower(out, source->name);
}

static int64_t bounded(int64_t n)
{
	return n < 0 ? 0 : n > COUNT_MAX_MILLI ? COUNT_MAX_MILLI : n;
}

int32_t pw_reputation_weigh(const struct pw_reputation_source *source)
{
	int64_t spam = bounded(source->spam_milli), ham = bounded(source->ham_milli);
	int64_t all = spam + ham, share, strength;

	if (all < PW_REPUTATION_ENOUGH_MILLI)
		return 0;
	share = spam * 1000 / all;
	if (share >= BAD_MILLI)
		strength = (share - BAD_MILLI) * 1000 / (1000 - BAD_MILLI);
	else if (share <= GOOD_MILLI)
		strength = (share - GOOD_MILLI) * 1000 / GOOD_MILLI;
	else
		return 0;
	return (int32_t)(strength * all / (all + HALF_MILLI));
}

enum pw_reputation_verdict pw_reputation_judge(int64_t score_milli,
                                               int32_t required_milli)
{
	int64_t required = required_milli > 0 ? required_milli : REQUIRED_MILLI;

	if (score_milli >= required + SPAM_MARGIN_MILLI)
		return PW_REPUTATION_SPAM;
	return score_milli <= required - HAM_MARGIN_MILLI ? PW_REPUTATION_HAM
	                                                  : PW_REPUTATION_DOUBT;
}

const char *pw_reputation_verdict_text(enum pw_reputation_verdict verdict)
{
	static const char *const texts[] = { "", "spam", "ham" };

	return texts[verdict];
}

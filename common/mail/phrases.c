#include "mail/phrases.h"

#include <pthread.h>
#include <string.h>

#include "core/ascii.h"

/* Phrases are found by their first three bytes: a word start is hashed into a bucket, and
 * buckets hold a phrase or two. Texts are 3 bytes or longer. */
#define KEY 3
#define BUCKETS 2048

static const struct phrase {
	enum pw_phrase_class of;
	unsigned points;
	struct pw_str text;
} phrases[] = {
#define PW_PHRASE(class, points, text)                                                   \
	{ PW_PHRASES_##class, points, { text, sizeof(text) - 1 } },
#include "mail/phrases.def"
};
#define PHRASES PW_LEN(phrases)

static uint16_t heads[BUCKETS]; /* index + 1 of a bucket's first phrase */
static uint16_t nexts[PHRASES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t bucket(const char *at)
{
	return ((size_t)(unsigned char)at[0] * 961 + (size_t)(unsigned char)at[1] * 31 +
	        (size_t)(unsigned char)at[2]) %
	       BUCKETS;
}

static void index_phrases(void)
{
	for (size_t i = 0; i < PHRASES; i++) {
		size_t b = bucket(phrases[i].text.at);

		nexts[i] = heads[b];
		heads[b] = (uint16_t)(i + 1);
	}
}

static bool is_word_byte(char c)
{
	return pw_is_alnum(c) || (unsigned char)c >= 0x80;
}

void pw_phrases_count(struct pw_phrase_count out[PW_PHRASE_CLASSES], struct pw_str text)
{
	bool seen[PHRASES] = { false };

	pthread_once(&once, index_phrases);
	memset(out, 0, sizeof(*out) * PW_PHRASE_CLASSES);
	for (size_t i = 0; i + KEY <= text.len; i++) {
		if (i > 0 && is_word_byte(text.at[i - 1]) && is_word_byte(text.at[i]))
			continue;
		for (size_t p = heads[bucket(text.at + i)]; p != 0; p = nexts[p - 1]) {
			const struct phrase *phrase = &phrases[p - 1];

			if (seen[p - 1] || phrase->text.len > text.len - i ||
			    memcmp(text.at + i, phrase->text.at, phrase->text.len) != 0)
				continue;
			seen[p - 1] = true;
			if (out[phrase->of].points == 0)
				out[phrase->of].first = phrase->text;
			out[phrase->of].points += phrase->points;
		}
	}
}

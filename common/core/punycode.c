#include "core/punycode.h"

#include <string.h>

#include "core/ascii.h"
#include "core/utf8.h"

#define LABEL_MAX 63
#define DOMAIN_MAX 255

/* RFC 3492 5 */
enum {
	BASE = 36,
	T_MIN = 1,
	T_MAX = 26,
	SKEW = 38,
	DAMP = 700,
	FIRST_BIAS = 72,
	FIRST_CODE = 128,
};

#define NUMBER_MAX ((uint32_t)1 << 28) /* above any that stays within Unicode */

bool pw_domain_is_ascii(struct pw_str domain)
{
	for (size_t i = 0; i < domain.len; i++)
		if ((unsigned char)domain.at[i] >= 0x80)
			return false;
	return true;
}

struct label {
	uint32_t codes[LABEL_MAX];
	size_t count;
};

static enum pw_status decode(struct label *out, struct pw_str text)
{
	out->count = 0;
	while (text.len > 0) {
		uint32_t code;
		size_t n = pw_utf8_get(text, &code);

		if (n == 0)
			return PW_ERR_SYNTAX;
		if (out->count == LABEL_MAX)
			return PW_ERR_LIMIT;
		out->codes[out->count++] = code;
		text = pw_str_sub(text, n, text.len);
	}
	return PW_OK;
}

static void put_digit(struct pw_buf *out, uint32_t digit)
{
	pw_buf_putc(out, (char)(digit < 26 ? 'a' + digit : '0' + (digit - 26)));
}

/* 6.1 */
static uint32_t adapt(uint32_t delta, uint32_t points, bool is_first)
{
	uint32_t k = 0;

	delta = is_first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
		delta /= BASE - T_MIN;
	return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

/* A number in digits of variable weight (6.3). */
static void put_number(struct pw_buf *out, uint32_t number, uint32_t bias)
{
	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;

		if (number < t)
			break;
		put_digit(out, t + (number - t) % (BASE - t));
		number = (number - t) / (BASE - t);
	}
	put_digit(out, number);
}

static uint32_t next_code(const struct label *label, uint32_t from)
{
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < label->count; i++)
		if (label->codes[i] >= from && label->codes[i] < least)
			least = label->codes[i];
	return least;
}

/* 6.3. Numbers fit: 63 code points below 2^21 make deltas below 2^27. */
static void put_label(struct pw_buf *out, const struct label *label)
{
	uint32_t code = FIRST_CODE, delta = 0, bias = FIRST_BIAS, done = 0, basic;

	for (size_t i = 0; i < label->count; i++) {
		if (label->codes[i] < FIRST_CODE) {
			pw_buf_putc(out, (char)label->codes[i]);
			done++;
		}
	}
	if ((basic = done) > 0)
		pw_buf_putc(out, '-');
	while (done < label->count) {
		uint32_t next = next_code(label, code);

		delta += (next - code) * (done + 1);
		code = next;
		for (size_t i = 0; i < label->count; i++) {
			if (label->codes[i] < code)
				delta++;
			if (label->codes[i] != code)
				continue;
			put_number(out, delta, bias);
			bias = adapt(delta, done + 1, done == basic);
			done++;
			delta = 0;
		}
		delta++;
		code++;
	}
}

static enum pw_status put_text(struct pw_buf *out, struct pw_str text)
{
	struct label label;
	size_t start = out->len;
	enum pw_status r;

	if (pw_domain_is_ascii(text)) {
		pw_buf_puts(out, text);
	} else {
		if ((r = decode(&label, text)) != PW_OK)
			return r;
		pw_buf_puts(out, PW_STR("xn--"));
		put_label(out, &label);
	}
	if (pw_buf_status(out) != PW_OK)
		return pw_buf_status(out);
	return out->len - start > LABEL_MAX ? PW_ERR_LIMIT : PW_OK;
}

enum pw_status pw_domain_to_ascii(struct pw_buf *out, struct pw_str domain)
{
	size_t start = out->len;
	enum pw_status r = PW_OK;

	for (struct pw_str rest = domain; rest.at != NULL && r == PW_OK;) {
		struct pw_str label = pw_str_cut(&rest, '.');

		if (label.at != domain.at)
			pw_buf_putc(out, '.');
		r = put_text(out, label);
	}
	if (r == PW_OK && out->len - start > DOMAIN_MAX)
		r = PW_ERR_LIMIT;
	if (r != PW_OK && pw_buf_status(out) == PW_OK)
		pw_buf_truncate(out, start);
	return r;
}

static int digit_value(char c)
{
	if (pw_is_digit(c))
		return c - '0' + 26;
	return pw_is_alpha(c) ? pw_lower(c) - 'a' : -1;
}

/* The number at the start of *text (6.2); false when it ends early or is too large. */
static bool take_number(struct pw_str *text, uint32_t bias, uint32_t *out)
{
	uint32_t number = 0, weight = 1;

	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
		int digit = text->len > 0 ? digit_value(text->at[0]) : -1;

		if (digit < 0 || (uint32_t)digit > (NUMBER_MAX - number) / weight)
			return false;
		number += (uint32_t)digit * weight;
		*text = pw_str_sub(*text, 1, text->len);
		if ((uint32_t)digit < t)
			break;
		if (weight > NUMBER_MAX / (BASE - t))
			return false;
		weight *= BASE - t;
	}
	*out = number;
	return true;
}

/* 6.2, behind "xn--". */
static bool take_label(struct label *label, struct pw_str text)
{
	size_t basic = pw_str_rfind(text, '-');
	uint32_t code = FIRST_CODE, at = 0, bias = FIRST_BIAS, delta;

	label->count = 0;
	if (basic < text.len) {
		for (size_t i = 0; i < basic; i++)
			label->codes[label->count++] =
				(unsigned char)pw_lower(text.at[i]);
		text = pw_str_sub(text, basic + 1, text.len);
	}
	for (uint32_t before; text.len > 0; at++) {
		before = at;
		if (label->count == LABEL_MAX || !take_number(&text, bias, &delta))
			return false;
		at += delta;
		bias = adapt(delta, (uint32_t)label->count + 1, before == 0);
		code += at / ((uint32_t)label->count + 1);
		at %= (uint32_t)label->count + 1;
		if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
		memmove(&label->codes[at + 1], &label->codes[at],
		        (label->count - at) * sizeof(label->codes[0]));
		label->codes[at] = code;
		label->count++;
	}
	return true;
}

void pw_domain_put_unicode(struct pw_buf *out, struct pw_str domain)
{
	for (struct pw_str rest = domain; rest.at != NULL;) {
		struct pw_str text = pw_str_cut(&rest, '.');
		struct label label;

		if (text.at != domain.at)
			pw_buf_putc(out, '.');
		if (text.len > LABEL_MAX || !pw_domain_is_ascii(text) ||
		    !pw_str_starts_nocase(text, PW_STR("xn--")) ||
		    !take_label(&label, pw_str_sub(text, 4, text.len))) {
			pw_buf_puts(out, text);
			continue;
		}
		for (size_t i = 0; i < label.count; i++)
			pw_utf8_put_code(out, label.codes[i]);
	}
}

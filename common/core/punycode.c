#include "core/punycode.h"

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

/* Of n bytes that pw_utf8_length has looked at. */
static uint32_t code_of(const char *at, size_t n)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t code = (unsigned char)at[0] & first[n];

	for (size_t i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)at[i] & 0x3f);
	return code;
}

static enum pw_status decode(struct label *out, struct pw_str text)
{
	out->count = 0;
	while (text.len > 0) {
		size_t n = pw_utf8_length(text);

		if (n == 0)
			return PW_ERR_SYNTAX;
		if (out->count == LABEL_MAX)
			return PW_ERR_LIMIT;
		out->codes[out->count++] = code_of(text.at, n);
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

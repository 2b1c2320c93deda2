#include "core/auth_line.h"

#include <string.h>

#include "core/map.h"
#include "core/xtext.h"

/* Most fields after the word. */
#define FIELDS_MAX 8

enum field {
	ID,
	SECONDS,
	LOGIN,
	REMOTE,
	PORT,
	SERVICE,
	RESULT,
	CREDENTIAL,
	SESSION,
	PASSWORD,
};
/* MAYBE: a number that may be missing at the end of the line, and is where it is 0. */
enum field_type { TEXT, NUMBER, WORD, MAYBE };

/* clang-format off */
static const struct field_rule {
	enum field_type type;
	size_t offset;
	int64_t min, max; /* of a number; of a text max bytes, encoded, that put writes */
} rules[] = {
	[ID]         = { NUMBER, offsetof(struct pw_auth_line, id),         0,  INT64_MAX },
	[SECONDS]    = { NUMBER, offsetof(struct pw_auth_line, seconds),    0,  INT64_MAX },
	[LOGIN]      = { TEXT,   offsetof(struct pw_auth_line, login),      0,  1000 },
	[REMOTE]     = { TEXT,   offsetof(struct pw_auth_line, remote),     0,  200 },
	[PORT]       = { NUMBER, offsetof(struct pw_auth_line, port),       0,  65535 },
	[SERVICE]    = { TEXT,   offsetof(struct pw_auth_line, service),    0,  100 },
	[RESULT]     = { WORD,   offsetof(struct pw_auth_line, result),     0,  0 },
	[CREDENTIAL] = { NUMBER, offsetof(struct pw_auth_line, credential), -1, INT64_MAX },
	[SESSION]    = { TEXT,   offsetof(struct pw_auth_line, session),    0,  300 },
	[PASSWORD]   = { MAYBE,  offsetof(struct pw_auth_line, password),   1,  PW_AUTH_PASSWORD_MAX },
};

static const struct shape {
	struct pw_str word;
	size_t count;
	enum field fields[FIELDS_MAX];
} shapes[PW_AUTH_KINDS] = {
	[PW_AUTH_ASK]    = { { "ask", 3 },    4, { ID, LOGIN, REMOTE, SERVICE } },
	[PW_AUTH_OK]     = { { "ok", 2 },     1, { ID } },
	[PW_AUTH_REFUSE] = { { "refuse", 6 }, 2, { ID, SECONDS } },
	[PW_AUTH_REPORT] = { { "report", 6 }, 8, { LOGIN, REMOTE, PORT, SERVICE, RESULT, CREDENTIAL, SESSION, PASSWORD } },
	[PW_AUTH_FLUSH]  = { { "flush", 5 },  1, { LOGIN } },
};

static const char *const results[PW_AUTH_RESULTS] = {
	[PW_AUTH_SUCCESS] = "success",
	[PW_AUTH_FAILURE] = "failure",
	[PW_AUTH_UNKNOWN] = "unknown",
	[PW_AUTH_REFUSED] = "refused",
};
/* clang-format on */

const char *pw_auth_result_name(enum pw_auth_result result)
{
	return results[result];
}

/* ---- writing */

/* "-" stands for the empty text, so the text "-" is written in its other form. */
static void put_text(struct pw_buf *out, struct pw_str text,
                     const struct field_rule *rule)
{
	if (text.len == 0)
		pw_buf_putc(out, '-');
	else if (pw_str_eq(text, PW_STR("-")))
		pw_buf_puts(out, PW_STR("+2D"));
	else
		(void)pw_xtext_encode_max(out, text, (size_t)rule->max);
}

static void put_number(struct pw_buf *out, int64_t number, const struct field_rule *rule)
{
	if (number < rule->min)
		number = rule->min;
	pw_buf_put_int(out, number > rule->max ? rule->max : number);
}

static void put_field(struct pw_buf *out, const struct pw_auth_line *line,
                      enum field field)
{
	const struct field_rule *rule = &rules[field];
	const void *value = (const char *)line + rule->offset;

	switch (rule->type) {
	case TEXT:
		put_text(out, *(const struct pw_str *)value, rule);
		break;
	case NUMBER:
	case MAYBE:
		put_number(out, *(const int64_t *)value, rule);
		break;
	case WORD:
		pw_buf_puts(out, pw_str_from(results[line->result]));
	}
}

enum pw_status pw_auth_line_put(struct pw_buf *out, const struct pw_auth_line *line)
{
	const struct shape *shape = &shapes[line->kind];

	pw_buf_puts(out, shape->word);
	for (size_t i = 0; i < shape->count; i++) {
		if (rules[shape->fields[i]].type == MAYBE && line->password == 0)
			continue;
		pw_buf_putc(out, '\t');
		put_field(out, line, shape->fields[i]);
	}
	pw_buf_putc(out, '\n');
	return pw_buf_status(out);
}

/* ---- reading */

/* Texts are decoded one after another into scratch, which may move while it grows: they
 * are found again by their lengths. */
struct reading {
	struct pw_auth_line line;
	struct pw_buf *scratch;
	size_t lengths[FIELDS_MAX];
};

static enum pw_status read_text(struct reading *reading, size_t place, struct pw_str text)
{
	size_t start = reading->scratch->len;
	enum pw_status r;

	if (pw_str_eq(text, PW_STR("-")))
		return PW_OK;
	if (text.len == 0)
		return PW_ERR_SYNTAX;
	if ((r = pw_xtext_decode(reading->scratch, text)) != PW_OK)
		return r;
	reading->lengths[place] = reading->scratch->len - start;
	return PW_OK;
}

static enum pw_status read_result(struct reading *reading, struct pw_str text)
{
	for (enum pw_auth_result i = 0; i < PW_AUTH_RESULTS; i++) {
		if (!pw_str_eq(text, pw_str_from(results[i])))
			continue;
		reading->line.result = i;
		return PW_OK;
	}
	return PW_ERR_SYNTAX;
}

static enum pw_status read_field(struct reading *reading, size_t place, enum field field,
                                 struct pw_str text)
{
	const struct field_rule *rule = &rules[field];

	switch (rule->type) {
	case TEXT:
		return read_text(reading, place, text);
	case NUMBER:
	case MAYBE:
		return pw_str_to_int64(
			text, rule->min, rule->max,
			(int64_t *)(void *)((char *)&reading->line + rule->offset));
	case WORD:
		break;
	}
	return read_result(reading, text);
}

static void place_texts(struct reading *reading, const struct shape *shape)
{
	const char *at = reading->scratch->at;

	for (size_t i = 0; i < shape->count; i++) {
		const struct field_rule *rule = &rules[shape->fields[i]];
		void *value = (char *)&reading->line + rule->offset;

		if (rule->type != TEXT || reading->lengths[i] == 0)
			continue;
		*(struct pw_str *)value = (struct pw_str){ at, reading->lengths[i] };
		at += reading->lengths[i];
	}
}

static enum pw_status read_fields(struct reading *reading, const struct shape *shape,
                                  struct pw_str rest)
{
	for (size_t i = 0; i < shape->count; i++) {
		enum pw_status r;

		if (rest.at == NULL && rules[shape->fields[i]].type == MAYBE)
			continue;
		if (rest.at == NULL)
			return PW_ERR_SYNTAX;
		r = read_field(reading, i, shape->fields[i], pw_str_cut(&rest, '\t'));
		if (r != PW_OK)
			return r;
	}
	return rest.at == NULL ? PW_OK : PW_ERR_SYNTAX;
}

enum pw_status pw_auth_line_parse(struct pw_auth_line *out, struct pw_str text,
                                  struct pw_buf *scratch)
{
	struct reading reading = { .scratch = scratch };
	struct pw_str rest = text, word = pw_str_cut(&rest, '\t');
	enum pw_auth_kind kind = 0;
	enum pw_status r;

	if (text.len >= PW_AUTH_LINE_MAX)
		return PW_ERR_LIMIT;
	while (kind < PW_AUTH_KINDS && !pw_str_eq(shapes[kind].word, word))
		kind++;
	if (kind == PW_AUTH_KINDS)
		return PW_ERR_SYNTAX;
	reading.line.kind = kind;
	pw_buf_reset(scratch);
	if ((r = read_fields(&reading, &shapes[kind], rest)) != PW_OK)
		return r;
	place_texts(&reading, &shapes[kind]);
	*out = reading.line;
	return PW_OK;
}

/* ---- greeting, passwords */

void pw_auth_greeting_put(struct pw_buf *out, const uint8_t nonce[PW_AUTH_NONCE_LEN])
{
	pw_buf_puts(out, PW_STR(PW_AUTH_GREETING "\t"));
	for (size_t i = 0; i < PW_AUTH_NONCE_LEN; i++)
		pw_buf_printf(out, "%02x", nonce[i]);
}

/* Value of a lower-case hexadecimal digit, or 16. */
static unsigned int digit_of(char c)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int value = 0;

	while (value < 16 && digits[value] != c)
		value++;
	return value;
}

enum pw_status pw_auth_greeting_parse(uint8_t nonce_out[PW_AUTH_NONCE_LEN],
                                      struct pw_str text)
{
	const struct pw_str start = PW_STR(PW_AUTH_GREETING "\t");
	uint8_t nonce[PW_AUTH_NONCE_LEN];

	if (!pw_str_starts(text, start) || text.len != start.len + 2 * sizeof(nonce))
		return PW_ERR_SYNTAX;
	for (size_t i = 0; i < sizeof(nonce); i++) {
		unsigned int high = digit_of(text.at[start.len + 2 * i]);
		unsigned int low = digit_of(text.at[start.len + 2 * i + 1]);

		if (high > 15 || low > 15)
			return PW_ERR_SYNTAX;
		nonce[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(nonce_out, nonce, sizeof(nonce));
	return PW_OK;
}

enum pw_status pw_auth_password(int64_t *out, const uint8_t nonce[PW_AUTH_NONCE_LEN],
                                struct pw_str login, struct pw_str password)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	uint64_t hash;

	pw_buf_puts(&text, login);
	pw_buf_putc(&text, '\0');
	pw_buf_puts(&text, password);
	if (pw_buf_status(&text) != PW_OK)
		return pw_buf_status(&text);
	hash = pw_siphash(nonce, pw_buf_str(&text));
	pw_wipe(text.at, text.len);
	*out = (int64_t)(hash % PW_AUTH_PASSWORD_MAX) + 1;
	return PW_OK;
}

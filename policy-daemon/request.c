#include "policyd/request.h"

#include <string.h>

static const struct pw_str stage_names[STAGE_IDS] = {
	[STAGE_OTHER] = { "other", 5 }, [STAGE_CONNECT] = { "CONNECT", 7 },
	[STAGE_EHLO] = { "EHLO", 4 },   [STAGE_HELO] = { "HELO", 4 },
	[STAGE_MAIL] = { "MAIL", 4 },   [STAGE_RCPT] = { "RCPT", 4 },
	[STAGE_DATA] = { "DATA", 4 },   [STAGE_END_OF_MESSAGE] = { "END-OF-MESSAGE", 14 },
	[STAGE_VRFY] = { "VRFY", 4 },   [STAGE_ETRN] = { "ETRN", 4 },
};

/* What one pass over the attributes collects; the texts become numbers afterwards. */
struct raw {
	struct request request;
	struct pw_str kind, stage, client_port, recipient_count, size;
};

#define NAME_MAX_LEN 15
#define SAME_LEN_MAX 3

/* Those we read, by the length of the name: most others are told apart by it. */
/* clang-format off */
static const struct attribute {
	const char *name; /* NULL behind the last */
	size_t offset;
} attributes[NAME_MAX_LEN + 1][SAME_LEN_MAX + 1] = {
	[4]  = { { "size",            offsetof(struct raw, size) } },
	[6]  = { { "sender",          offsetof(struct raw, request.sender) } },
	[7]  = { { "request",         offsetof(struct raw, kind) } },
	[8]  = { { "queue_id",        offsetof(struct raw, request.queue_id) },
	         { "instance",        offsetof(struct raw, request.instance) } },
	[9]  = { { "recipient",       offsetof(struct raw, request.recipient) } },
	[11] = { { "client_name",     offsetof(struct raw, request.client_name) },
	         { "client_port",     offsetof(struct raw, client_port) },
	         { "server_port",     offsetof(struct raw, request.server_port) } },
	[13] = { { "sasl_username",   offsetof(struct raw, request.login) } },
	[14] = { { "protocol_state",  offsetof(struct raw, stage) },
	         { "client_address",  offsetof(struct raw, request.client_address) },
	         { "policy_context",  offsetof(struct raw, request.context) } },
	[15] = { { "recipient_count", offsetof(struct raw, recipient_count) } },
};
/* clang-format on */

/* Take the next line off: without its LF, and without a CR before it. */
static struct pw_str next_line(struct pw_str *rest)
{
	const char *end = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
	struct pw_str line = *rest;

	if (end == NULL) {
		*rest = (struct pw_str){ NULL, 0 };
	} else {
		line.len = (size_t)(end - line.at);
		*rest = (struct pw_str){ end + 1, rest->len - line.len - 1 };
	}
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Mostly one arrives at once, and nothing behind it: the last two bytes tell. */
static bool ends_whole(struct pw_str bytes)
{
	return bytes.len >= 2 && bytes.at[bytes.len - 1] == '\n' &&
	       bytes.at[bytes.len - 2] == '\n';
}

bool request_is_whole(struct pw_str bytes, size_t *scanned)
{
	if (ends_whole(bytes))
		return true;
	/* *scanned is always the start of a line */
	while (*scanned < bytes.len) {
		const char *line = bytes.at + *scanned;
		const char *end = memchr(line, '\n', bytes.len - *scanned);

		if (end == NULL)
			return false;
		*scanned += (size_t)(end - line) + 1;
		if (end == line || (end == line + 1 && *line == '\r'))
			return true;
	}
	return false;
}

static void set_attribute(struct raw *raw, struct pw_str name, struct pw_str value)
{
	const struct attribute *one;
	struct pw_str *field;

	if (name.len > NAME_MAX_LEN)
		return;
	one = attributes[name.len];
	while (one->name != NULL && memcmp(one->name, name.at, name.len) != 0)
		one++;
	if (one->name == NULL)
		return;
	field = (struct pw_str *)(void *)((char *)raw + one->offset);
	if (field->at == NULL)
		*field = value;
}

static enum request_stage stage_of(struct pw_str name)
{
	for (enum request_stage i = STAGE_CONNECT; i < STAGE_IDS; i++)
		if (pw_str_eq(name, stage_names[i]))
			return i;
	return STAGE_OTHER;
}

/* A number that is none counts as not known. */
static int64_t number_of(struct pw_str text)
{
	int64_t n = 0;

	return pw_str_to_int64(text, 0, INT64_MAX, &n) == PW_OK ? n : 0;
}

enum pw_status request_parse(struct request *out, struct pw_str bytes)
{
	struct pw_str rest = bytes;
	struct raw raw = { 0 };
	size_t count = 0;

	for (;;) {
		struct pw_str line = next_line(&rest);
		const char *equals;
		size_t name_len;

		if (line.len == 0)
			break;
		if (++count > REQUEST_ATTRIBUTES_MAX)
			return PW_ERR_LIMIT;
		if ((equals = memchr(line.at, '=', line.len)) == NULL)
			return PW_ERR_SYNTAX;
		name_len = (size_t)(equals - line.at);
		set_attribute(&raw, (struct pw_str){ line.at, name_len },
		              (struct pw_str){ equals + 1, line.len - name_len - 1 });
	}
	bytes.len -= rest.len;
	if (bytes.len > REQUEST_BYTES_MAX)
		return PW_ERR_LIMIT;
	if (pw_str_find(bytes, '\0') < bytes.len ||
	    !pw_str_eq(raw.kind, PW_STR("smtpd_access_policy")))
		return PW_ERR_SYNTAX;
	raw.request.length = bytes.len;
	raw.request.stage = stage_of(raw.stage);
	raw.request.client_port = number_of(raw.client_port);
	raw.request.recipient_count = number_of(raw.recipient_count);
	raw.request.size_bytes = number_of(raw.size);
	*out = raw.request;
	return PW_OK;
}

const char *request_stage_name(enum request_stage stage)
{
	return stage_names[stage].at;
}

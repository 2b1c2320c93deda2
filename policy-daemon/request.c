#include "policyd/request.h"

#include <string.h>

static const char *const stage_names[STAGE_IDS] = {
	[STAGE_OTHER] = "other", [STAGE_CONNECT] = "CONNECT",
	[STAGE_EHLO] = "EHLO",   [STAGE_HELO] = "HELO",
	[STAGE_MAIL] = "MAIL",   [STAGE_RCPT] = "RCPT",
	[STAGE_DATA] = "DATA",   [STAGE_END_OF_MESSAGE] = "END-OF-MESSAGE",
	[STAGE_VRFY] = "VRFY",   [STAGE_ETRN] = "ETRN",
};

/* What one pass over the attributes collects; the texts become numbers afterwards. */
struct raw {
	struct request request;
	struct pw_str kind, stage, client_port, recipient_count, size;
};

/* clang-format off */
static const struct attribute {
	struct pw_str name;
	size_t offset;
} attributes[] = {
	{ { "request", 7 },          offsetof(struct raw, kind) },
	{ { "protocol_state", 14 },  offsetof(struct raw, stage) },
	{ { "client_address", 14 },  offsetof(struct raw, request.client_address) },
	{ { "client_name", 11 },     offsetof(struct raw, request.client_name) },
	{ { "client_port", 11 },     offsetof(struct raw, client_port) },
	{ { "sender", 6 },           offsetof(struct raw, request.sender) },
	{ { "recipient", 9 },        offsetof(struct raw, request.recipient) },
	{ { "recipient_count", 15 }, offsetof(struct raw, recipient_count) },
	{ { "queue_id", 8 },         offsetof(struct raw, request.queue_id) },
	{ { "instance", 8 },         offsetof(struct raw, request.instance) },
	{ { "size", 4 },             offsetof(struct raw, size) },
	{ { "sasl_username", 13 },   offsetof(struct raw, request.login) },
	{ { "policy_context", 14 },  offsetof(struct raw, request.context) },
	{ { "server_port", 11 },     offsetof(struct raw, request.server_port) },
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

size_t request_length(struct pw_str bytes, size_t *scanned)
{
	/* *scanned is always the start of a line */
	while (*scanned < bytes.len) {
		const char *line = bytes.at + *scanned;
		const char *end = memchr(line, '\n', bytes.len - *scanned);

		if (end == NULL)
			return 0;
		*scanned += (size_t)(end - line) + 1;
		if (end == line || (end == line + 1 && *line == '\r'))
			return *scanned;
	}
	return 0;
}

/* What differs mostly differs here already: no call for each row of the table. */
static bool is_named(const struct attribute *attribute, struct pw_str name)
{
	return attribute->name.len == name.len && attribute->name.at[0] == name.at[0] &&
	       memcmp(attribute->name.at, name.at, name.len) == 0;
}

static void set_attribute(struct raw *raw, struct pw_str name, struct pw_str value)
{
	for (size_t i = 0; i < PW_LEN(attributes); i++) {
		struct pw_str *field;

		if (!is_named(&attributes[i], name))
			continue;
		field = (struct pw_str *)(void *)((char *)raw + attributes[i].offset);
		if (field->at == NULL)
			*field = value;
		return;
	}
}

static enum request_stage stage_of(struct pw_str name)
{
	for (enum request_stage i = STAGE_CONNECT; i < STAGE_IDS; i++)
		if (pw_str_eq(name, pw_str_from(stage_names[i])))
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
	struct raw raw = { 0 };
	size_t count = 0;

	if (pw_str_find(bytes, '\0') < bytes.len)
		return PW_ERR_SYNTAX;
	for (;;) {
		struct pw_str line = next_line(&bytes);
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
	if (!pw_str_eq(raw.kind, PW_STR("smtpd_access_policy")))
		return PW_ERR_SYNTAX;
	raw.request.stage = stage_of(raw.stage);
	raw.request.client_port = number_of(raw.client_port);
	raw.request.recipient_count = number_of(raw.recipient_count);
	raw.request.size_bytes = number_of(raw.size);
	*out = raw.request;
	return PW_OK;
}

const char *request_stage_name(enum request_stage stage)
{
	return stage_names[stage];
}

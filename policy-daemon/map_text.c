#include "policyd/map_text.h"

static const struct pw_str status_words[MAP_STATUSES] = {
	[MAP_OK] = { "OK", 2 },
	[MAP_NOT_FOUND] = { "NOTFOUND", 8 },
	[MAP_TEMP] = { "TEMP", 4 },
	[MAP_PERM] = { "PERM", 4 },
};

/* The number in front of the colon; *used_out: its bytes, 0 = its end is not there yet.
 */
static enum pw_status read_length(size_t *length_out, size_t *used_out,
                                  struct pw_str bytes)
{
	size_t length = 0, i = 0;

	*used_out = 0;
	for (; i < bytes.len && bytes.at[i] != ':'; i++) {
		if (bytes.at[i] < '0' || bytes.at[i] > '9' ||
		    (i > 0 && length == 0)) /* a zero in front */
			return PW_ERR_SYNTAX;
		length = length * 10 + (size_t)(bytes.at[i] - '0');
		if (length > MAP_TEXT_MAX)
			return PW_ERR_LIMIT;
	}
	if (i == 0 && bytes.len > 0)
		return PW_ERR_SYNTAX;
	*length_out = length;
	*used_out = i < bytes.len ? i : 0;
	return PW_OK;
}

enum pw_status map_request_read(struct map_request *out, size_t *length_out,
                                struct pw_str bytes)
{
	size_t length, used;
	struct pw_str text, key;
	enum pw_status r = read_length(&length, &used, bytes);

	*length_out = 0;
	if (r != PW_OK || used == 0 || bytes.len < used + 1 + length + 1)
		return r;
	text = pw_str_sub(bytes, used + 1, length);
	if (bytes.at[used + 1 + length] != ',' || pw_str_find(text, '\0') < text.len)
		return PW_ERR_SYNTAX;
	key = text;
	out->table = pw_str_cut(&key, ' ');
	if (key.at == NULL)
		return PW_ERR_SYNTAX;
	out->key = key;
	*length_out = used + 1 + length + 1;
	return PW_OK;
}

enum map_status map_answer_put(struct pw_buf *out, enum map_status status,
                               struct pw_str text)
{
	if (status_words[status].len + 1 + text.len > MAP_TEXT_MAX) {
		status = MAP_TEMP;
		text = PW_STR("the answer is too long");
	}
	pw_buf_put_int(out, (int64_t)(status_words[status].len + 1 + text.len));
	pw_buf_putc(out, ':');
	pw_buf_puts(out, status_words[status]);
	pw_buf_putc(out, ' '); /* wanted though nothing follows */
	pw_buf_puts(out, text);
	pw_buf_putc(out, ',');
	return status;
}

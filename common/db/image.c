#include "db/image.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg.h"

#define MAGIC "PWSNAP1\n"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define HEAD_LEN (MAGIC_LEN + PW_IMAGE_HASH_BYTES + 3 * 8)
#define LENGTH_AT (HEAD_LEN - 8)
#define NULL_LEN UINT32_MAX

struct table {
	size_t rows, columns;
	struct pw_str *cells;
};
struct pw_snapshot_data {
	size_t count;
	struct table tables[];
};

static enum pw_status hash(uint8_t out[PW_IMAGE_HASH_BYTES], struct pw_str bytes)
{
	return EVP_Digest(bytes.at, bytes.len, out, NULL, EVP_sha256(), NULL) == 1
	               ? PW_OK
	               : PW_ERR_CRYPTO;
}

/* ---- writing ---- */

static void put_number(struct pw_buf *out, uint64_t n, unsigned int bytes)
{
	for (; bytes > 0; bytes--, n >>= 8)
		pw_buf_putc(out, (char)(n & 0xff));
}

static void put_bytes(struct pw_buf *out, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		pw_buf_putc(out, (char)at[i]);
}

enum pw_status pw_image_fingerprint(uint8_t out[PW_IMAGE_HASH_BYTES],
                                    const struct pw_snapshot_config *config)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r;

	pw_buf_printf(&text, "%s\n%u\n", config->db.program, config->format);
	for (size_t i = 0; i < config->query_count; i++)
		pw_buf_printf(&text, "%s\n%zu\n", config->queries[i].sql,
		              config->queries[i].columns);
	if ((r = pw_buf_status(&text)) != PW_OK)
		return r;
	return hash(out, pw_buf_str(&text));
}

void pw_image_begin(struct pw_buf *out, const struct pw_image_head *head)
{
	pw_buf_puts(out, PW_STR(MAGIC));
	put_bytes(out, head->fingerprint, sizeof(head->fingerprint));
	put_number(out, (uint64_t)head->generation, 8);
	put_number(out, (uint64_t)head->read_ms, 8);
	put_number(out, 0, 8); /* pw_image_end knows it */
}

void pw_image_table(struct pw_buf *out, size_t rows, size_t columns)
{
	put_number(out, rows, 8);
	put_number(out, columns, 8);
}

void pw_image_cell(struct pw_buf *out, struct pw_str value)
{
	put_number(out, value.at ? value.len : NULL_LEN, 4);
	pw_buf_puts(out, value);
}

enum pw_status pw_image_end(struct pw_buf *out)
{
	uint8_t sum[PW_IMAGE_HASH_BYTES];
	uint64_t len = out->len - HEAD_LEN;
	enum pw_status r;

	if ((r = pw_buf_status(out)) != PW_OK)
		return r;
	for (size_t i = 0; i < 8; i++, len >>= 8)
		out->at[LENGTH_AT + i] = (char)(len & 0xff);
	if ((r = hash(sum, pw_buf_str(out))) != PW_OK)
		return r;
	put_bytes(out, sum, sizeof(sum));
	return pw_buf_status(out);
}

/* ---- reading ---- */

/* Errors  PW_ERR_SYNTAX: not that much is left */
static enum pw_status take(struct pw_str *rest, size_t len, struct pw_str *out)
{
	if (len > rest->len)
		return PW_ERR_SYNTAX;
	*out = pw_str_sub(*rest, 0, len);
	*rest = pw_str_sub(*rest, len, rest->len);
	return PW_OK;
}

static enum pw_status take_number(struct pw_str *rest, unsigned int bytes, uint64_t *out)
{
	struct pw_str text;
	uint64_t n = 0;

	if (take(rest, bytes, &text) != PW_OK)
		return PW_ERR_SYNTAX;
	for (size_t i = bytes; i > 0; i--)
		n = n << 8 | (unsigned char)text.at[i - 1];
	*out = n;
	return PW_OK;
}

static enum pw_status take_cell(struct pw_str *rest, struct pw_str *out)
{
	uint64_t len;

	if (take_number(rest, 4, &len) != PW_OK)
		return PW_ERR_SYNTAX;
	if (len == NULL_LEN) {
		*out = (struct pw_str){ NULL, 0 };
		return PW_OK;
	}
	return take(rest, (size_t)len, out);
}

static enum pw_status take_table(struct pw_str *rest, struct table *out, size_t columns)
{
	uint64_t rows, found;
	size_t cells;

	if (take_number(rest, 8, &rows) != PW_OK ||
	    take_number(rest, 8, &found) != PW_OK || found != columns || columns == 0)
		return PW_ERR_SYNTAX;
	if (rows > rest->len / (4 * columns)) /* a cell has four bytes at least */
		return PW_ERR_SYNTAX;
	cells = (size_t)rows * columns;
	if (!(out->cells = calloc(cells + 1, sizeof(*out->cells))))
		return PW_ERR_NOMEM;
	out->rows = (size_t)rows;
	out->columns = columns;
	for (size_t i = 0; i < cells; i++)
		if (take_cell(rest, &out->cells[i]) != PW_OK)
			return PW_ERR_SYNTAX;
	return PW_OK;
}

/* Take head and checksum off; leaves the rows in *bytes. */
static enum pw_status open_image(struct pw_str *bytes, struct pw_image_head *head,
                                 struct pw_buf *why_out)
{
	struct pw_str all = *bytes, rest = *bytes, print, sum;
	uint8_t actual[PW_IMAGE_HASH_BYTES];
	uint64_t generation, read_ms, len;

	if (!pw_str_starts(rest, PW_STR(MAGIC))) {
		pw_buf_puts(why_out, PW_STR("not a snapshot of this version"));
		return PW_ERR_SYNTAX;
	}
	rest = pw_str_sub(rest, MAGIC_LEN, rest.len);
	if (take(&rest, PW_IMAGE_HASH_BYTES, &print) != PW_OK ||
	    take_number(&rest, 8, &generation) != PW_OK ||
	    take_number(&rest, 8, &read_ms) != PW_OK ||
	    take_number(&rest, 8, &len) != PW_OK ||
	    take(&rest, (size_t)len, bytes) != PW_OK || rest.len != PW_IMAGE_HASH_BYTES) {
		pw_buf_puts(why_out, PW_STR("cut short or too long"));
		return PW_ERR_SYNTAX;
	}
	sum = rest;
	if (hash(actual, pw_str_sub(all, 0, all.len - sum.len)) != PW_OK)
		return PW_ERR_CRYPTO;
	if (memcmp(actual, sum.at, sizeof(actual)) != 0) {
		pw_buf_puts(why_out, PW_STR("checksum does not match"));
		return PW_ERR_SYNTAX;
	}
	memcpy(head->fingerprint, print.at, print.len);
	head->generation = (int64_t)generation;
	head->read_ms = (int64_t)read_ms;
	return PW_OK;
}

enum pw_status pw_image_read(struct pw_snapshot_data **out,
                             struct pw_image_head *head_out, struct pw_str bytes,
                             const struct pw_snapshot_query *queries, size_t query_count,
                             struct pw_buf *why_out)
{
	PW_AUTO(pw_snapshot_data_free)
	struct pw_snapshot_data *data =
		calloc(1, sizeof(*data) + query_count * sizeof(data->tables[0]));
	struct pw_image_head head;
	enum pw_status r;

	if (!data)
		return PW_ERR_NOMEM;
	if ((r = open_image(&bytes, &head, why_out)) != PW_OK)
		return r;
	data->count = query_count;
	for (size_t i = 0; i < query_count && r == PW_OK; i++)
		r = take_table(&bytes, &data->tables[i], queries[i].columns);
	if (r == PW_OK && bytes.len > 0)
		r = PW_ERR_SYNTAX;
	if (r == PW_ERR_SYNTAX)
		pw_buf_puts(why_out, PW_STR("rows do not fit the queries"));
	if (r != PW_OK)
		return r;
	*out = PW_TAKE(data);
	*head_out = head;
	return PW_OK;
}

void pw_snapshot_data_free(struct pw_snapshot_data **data)
{
	struct pw_snapshot_data *d = *data;

	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++)
		free(d->tables[i].cells);
	free(d);
	*data = NULL;
}

/* ---- what compile sees ---- */

size_t pw_snapshot_rows(const struct pw_snapshot_data *data, size_t query)
{
	return query < data->count ? data->tables[query].rows : 0;
}

struct pw_str pw_snapshot_value(const struct pw_snapshot_data *data, size_t query,
                                size_t row, size_t column)
{
	const struct table *t = query < data->count ? &data->tables[query] : NULL;

	if (!t || row >= t->rows || column >= t->columns)
		return (struct pw_str){ NULL, 0 };
	return t->cells[row * t->columns + column];
}

int64_t pw_snapshot_int(const struct pw_snapshot_data *data, size_t query, size_t row,
                        size_t column, int64_t fallback)
{
	return pw_db_text_int(pw_snapshot_value(data, query, row, column), fallback);
}

bool pw_snapshot_bool(const struct pw_snapshot_data *data, size_t query, size_t row,
                      size_t column)
{
	return pw_db_text_bool(pw_snapshot_value(data, query, row, column));
}

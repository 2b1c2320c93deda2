#include "rows.h"

#include "net.h"

enum {
	COLUMN_USER,
	COLUMN_PASSWORD,
	COLUMN_NUMBER,
	COLUMN_REFUSAL,
	COLUMN_ALLOW_NETS,
	COLUMN_HOST,
};

static const char *text(pool_t pool, const struct pw_db_result *result, size_t row,
                        size_t column)
{
	struct pw_str value = pw_db_value(result, row, column);

	return value.at == NULL ? NULL : p_strndup(pool, value.at, value.len);
}

static const char *with_scheme(pool_t pool, const char *hash)
{
	return hash == NULL || *hash == '{'
	               ? hash
	               : p_strconcat(pool, "{" ROWS_SCHEME_DEFAULT "}", hash, NULL);
}

struct credential *rows_read(pool_t pool, const struct pw_db_result *result,
                             size_t *count_r)
{
	size_t count = I_MIN(pw_db_rows(result), CREDENTIALS_MAX);
	struct credential *rows = p_new(pool, struct credential, count);

	for (size_t i = 0; i < count; i++)
		rows[i] = (struct credential){
			.user = text(pool, result, i, COLUMN_USER),
			.hash = with_scheme(pool, text(pool, result, i, COLUMN_PASSWORD)),
			.number = pw_db_int(result, i, COLUMN_NUMBER, 0),
			.refusal = text(pool, result, i, COLUMN_REFUSAL),
			.allow_nets = text(pool, result, i, COLUMN_ALLOW_NETS),
			.host = text(pool, result, i, COLUMN_HOST),
		};
	*count_r = count;
	return rows;
}

static bool is_within(const struct ip_addr *client, const char *nets)
{
	struct ip_addr net;
	unsigned int bits;

	for (const char *const *n = t_strsplit_spaces(nets, ", "); *n != NULL; n++)
		if (client->family == 0 ? strcmp(*n, "local") == 0
		                        : net_parse_range(*n, &net, &bits) == 0 &&
		                                  net_is_in_network(client, &net, bits))
			return true;
	return false;
}

size_t rows_allowed(struct credential *rows, size_t count, const struct ip_addr *client)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (rows[i].allow_nets == NULL || is_within(client, rows[i].allow_nets))
			rows[kept++] = rows[i];
	return kept;
}

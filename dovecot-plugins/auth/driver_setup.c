#include "driver_setup.h"

#include "istream.h"

#define INLINE_PREFIX "database="

static int read_bytes(const char *path, struct pw_buf *out, const char **error_r)
{
	struct istream *file = i_stream_create_file(path, IO_BLOCK_SIZE);
	const unsigned char *data;
	size_t size;
	int ret;

	while (i_stream_read_more(file, &data, &size) > 0) {
		pw_buf_puts(out, (struct pw_str){ (const char *)data, size });
		i_stream_skip(file, size);
	}
	ret = file->stream_errno == 0 ? 0 : -1;
	if (ret < 0)
		*error_r = t_strdup(i_stream_get_error(file));
	i_stream_unref(&file);
	return ret;
}

static void keep(struct setup *out, pool_t pool, const struct setup *from)
{
	*out = *from;
	out->database = p_strdup(pool, from->database);
	out->auth_socket = p_strdup(pool, from->auth_socket);
	out->passdb_query = p_strdup(pool, from->passdb_query);
	out->masterdb_query = p_strdup(pool, from->masterdb_query);
	out->userdb_query = p_strdup(pool, from->userdb_query);
	out->iterate_query = p_strdup(pool, from->iterate_query);
}

static int read_file(pool_t pool, const char *path, struct setup *out,
                     const char **error_r)
{
	PW_AUTO(pw_buf_done) struct pw_buf bytes = { .max = SETUP_BYTES_MAX };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct setup setup = setup_defaults();
	const char *reason;
	enum pw_status r;

	if (read_bytes(path, &bytes, &reason) < 0) {
		*error_r = reason; /* names the path */
		return -1;
	}
	if ((r = pw_buf_status(&bytes)) == PW_OK &&
	    (r = pw_arena_new(&arena, 0)) == PW_OK)
		r = setup_parse(&setup, arena, pw_buf_str(&bytes), &why);
	if (r == PW_OK)
		keep(out, pool, &setup);
	else
		*error_r = t_strdup_printf("%s: %s: %s", path, pw_status_text(r),
		                           pw_buf_text(&why));
	if (bytes.at != NULL)
		pw_wipe(bytes.at, bytes.len); /* there may be a password */
	return r == PW_OK ? 0 : -1;
}

int driver_setup(pool_t pool, const char *args, struct setup *out, const char **error_r)
{
	if (*args == '/')
		return read_file(pool, args, out, error_r);
	if (strncmp(args, INLINE_PREFIX, strlen(INLINE_PREFIX)) != 0) {
		*error_r = "neither the path of a settings file nor `database=conninfo`";
		return -1;
	}
	*out = setup_defaults();
	out->database = p_strdup(pool, args + strlen(INLINE_PREFIX));
	return 0;
}

struct driver_statement driver_statement(pool_t pool, const char *query,
                                         const struct pw_db_statement *standard,
                                         size_t parameters)
{
	static unsigned int number; /* two drivers may share a connection */
	struct pw_db_statement *own;

	if (*query == '\0')
		return (struct driver_statement){ standard, parameters };
	own = p_new(pool, struct pw_db_statement, 1);
	*own = (struct pw_db_statement){
		.name = p_strdup_printf(pool, "%s_%u", standard->name, ++number),
		.sql = query,
		.is_repeatable = standard->is_repeatable,
	};
	return (struct driver_statement){ own, I_MIN(setup_query_parameters(query),
		                                     parameters) };
}

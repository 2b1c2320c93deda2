/* Dovecot's auth policy over HTTP, for Dovecots without our auth driver: may this be
 * tried (?command=allow), and how it ended (?command=report). libmicrohttpd reads and
 * writes HTTP, within the loop of the answering thread: MHD_run(3) when its epoll
 * descriptor is ready. */
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "io/file.h"
#include "io/listen.h"
#include "io/log.h"
#include "policyd/daemon.h"
#include "policyd/policy_json.h"

#define CONNECTIONS_MAX 256
/* Memory of a connection: headers and buffers; the body is ours. */
#define CONNECTION_BYTES ((size_t)16 * 1024)
#define IDLE_S 15
/* Turns of MHD_run while it says that there is more to do at once. */
#define TURNS_MAX 64
#define KEY_MAX ((size_t)1024)

struct http {
	struct MHD_Daemon *mhd;
	struct pw_listener listener;
	struct pw_buf authorization; /* header that must be sent; empty = none */
};

/* A request whose body is coming. */
struct body {
	struct pw_buf text;
};

/* ---- answers */

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned int code,
                               const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result r;

	if (response == NULL)
		return MHD_NO;
	r = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
	                            "application/json");
	if (r == MHD_YES)
		r = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned int code)
{
	pw_count(&numbers, NUMBER_http_refused, 1);
	return respond(connection, code, "{\"status\":0,\"msg\":\"not understood\"}\n");
}

/* ---- commands */

/* 2.3 does not tell a wrong password from a login that is none. */
static enum pw_auth_result result_of(const struct daemon *daemon,
                                     const struct policy_json *json)
{
	return json->end == POLICY_END_UNTOLD && !auth_is_login(daemon, &json->line)
	               ? PW_AUTH_UNKNOWN
	               : json->line.result;
}

static const char *answer_allow(struct daemon *daemon, struct policy_json *json)
{
	json->line.kind = PW_AUTH_ASK;
	return auth_ask(daemon, &json->line) > 0
	               ? "{\"status\":-1,\"msg\":\"too many failures\"}\n"
	               : "{\"status\":0,\"msg\":\"\"}\n";
}

static const char *answer_report(struct daemon *daemon, struct policy_json *json)
{
	json->line.result = result_of(daemon, json);
	if (json->end != POLICY_END_INTERNAL)
		auth_report(daemon, &json->line);
	return "{\"status\":0,\"msg\":\"\"}\n";
}

static const struct command {
	const char *word;
	const char *(*answer)(struct daemon *daemon, struct policy_json *json);
} commands[] = {
	{ "allow", answer_allow },
	{ "report", answer_report },
};

static enum MHD_Result answer_command(struct daemon *daemon,
                                      struct MHD_Connection *connection,
                                      struct pw_str text)
{
	const char *word =
		MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "command");
	PW_AUTO(policy_json_done) struct policy_json json = { .end = 0 };

	if (policy_json_read(&json, text) != PW_OK)
		return refuse(connection, MHD_HTTP_BAD_REQUEST);
	for (size_t i = 0; word != NULL && i < PW_LEN(commands); i++)
		if (strcmp(commands[i].word, word) == 0)
			return respond(connection, MHD_HTTP_OK,
			               commands[i].answer(daemon, &json));
	return refuse(connection, MHD_HTTP_NOT_FOUND);
}

/* ---- requests */

static bool is_admitted(const struct http *http, struct MHD_Connection *connection)
{
	const char *sent = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
	                                               MHD_HTTP_HEADER_AUTHORIZATION);

	if (http->authorization.len == 0)
		return true;
	return sent != NULL && strlen(sent) == http->authorization.len &&
	       CRYPTO_memcmp(sent, http->authorization.at, http->authorization.len) == 0;
}

/* MHD_AccessHandlerCallback: first without the body, then with its pieces, at last
 * without any. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *piece,
                                  size_t *piece_len, void **state)
{
	struct daemon *daemon = arg;
	struct body *body = *state;

	(void)url;
	(void)version;
	if (body == NULL) {
		if (!is_admitted(daemon->http, connection))
			return refuse(connection, MHD_HTTP_UNAUTHORIZED);
		if ((body = calloc(1, sizeof(*body))) == NULL)
			return MHD_NO;
		pw_buf_init(&body->text, POLICY_JSON_MAX);
		*state = body;
		return MHD_YES;
	}
	if (*piece_len > 0) {
		pw_buf_puts(&body->text, (struct pw_str){ piece, *piece_len });
		*piece_len = 0;
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED);
	if (pw_buf_status(&body->text) != PW_OK)
		return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE);
	return answer_command(daemon, connection, pw_buf_str(&body->text));
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
	struct body *body = *state;

	(void)arg;
	(void)connection;
	(void)code;
	if (body != NULL)
		pw_buf_done(&body->text);
	free(body);
	*state = NULL;
}

static void on_ready(void *arg)
{
	struct daemon *daemon = arg;

	http_tick(daemon);
}

/* What waits within the library is no event of its descriptor; nor are timeouts. */
void http_tick(struct daemon *daemon)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	for (int i = 0; daemon->http != NULL && i < TURNS_MAX; i++)
		if (MHD_run(daemon->http->mhd) != MHD_YES ||
		    MHD_get_timeout(daemon->http->mhd, &wait_ms) != MHD_YES ||
		    wait_ms > 0)
			break;
}

/* ---- life */

/* The first line of the file, name:password, as the header that says it (RFC 7617). */
static enum pw_status read_key(struct pw_buf *out, const char *path,
                               struct pw_buf *why_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r;
	struct pw_str rest, line;

	if (path[0] == '\0')
		return PW_OK;
	if ((r = pw_file_read(&text, path, KEY_MAX)) != PW_OK) {
		pw_buf_printf(why_out, "auth_policy_key: %s: %s", path,
		              pw_status_text(r));
		return r;
	}
	rest = pw_buf_str(&text);
	line = pw_str_trim(pw_str_cut(&rest, '\n'));
	if (pw_str_find(line, ':') == line.len) {
		pw_buf_printf(why_out, "auth_policy_key: %s: no name:password", path);
		return PW_ERR_CONFIG;
	}
	pw_buf_puts(out, PW_STR("Basic "));
	pw_base64_put(out, PW_BASE64, line.at, line.len);
	pw_wipe(text.at, text.len);
	return pw_buf_status(out);
}

static enum pw_status start_mhd(struct daemon *daemon)
{
	struct http *http = daemon->http;
	const union MHD_DaemonInfo *info;

	http->mhd = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, daemon,
		MHD_OPTION_LISTEN_SOCKET, http->listener.fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_END);
	if (http->mhd == NULL)
		return PW_ERR_IO;
	info = MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		return PW_ERR_IO;
	return server_watch(daemon->server, info->epoll_fd, on_ready, daemon);
}

enum pw_status http_open(struct daemon *daemon, struct pw_buf *why_out)
{
	const struct settings *set = daemon->settings;
	struct http *http;
	enum pw_status r;

	if (set->auth_policy_listen[0] == '\0')
		return PW_OK;
	if ((http = calloc(1, sizeof(*http))) == NULL)
		return PW_ERR_NOMEM;
	http->listener.fd = -1;
	daemon->http = http;
	if ((r = read_key(&http->authorization, set->auth_policy_key, why_out)) !=
	            PW_OK ||
	    (r = pw_listener_open(&http->listener, pw_str_from(set->auth_policy_listen),
	                          why_out)) != PW_OK)
		return r;
	return start_mhd(daemon);
}

void http_close(struct daemon *daemon)
{
	struct http *http = daemon->http;

	if (http == NULL)
		return;
	if (http->mhd != NULL) {
		MHD_quiesce_daemon(http->mhd); /* the listener is ours to close */
		MHD_stop_daemon(http->mhd);
	}
	pw_listener_close(&http->listener);
	if (http->authorization.len > 0)
		pw_wipe(http->authorization.at, http->authorization.len);
	pw_buf_done(&http->authorization);
	free(http);
	daemon->http = NULL;
}

#include "origin/engine/tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "core/ip.h"

struct tls_context {
	SSL_CTX *ssl;
	char *server_name; /* for SNI; NULL when the name is an address */
	pthread_mutex_t lock;
	SSL_SESSION *last; /* the newest session the server gave us */
};

/* The server's newest session; takes it over (returns 1). */
static int keep_session(SSL *tls, SSL_SESSION *session)
{
	struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));
	SSL_SESSION *before;

	pthread_mutex_lock(&context->lock);
	before = context->last;
	context->last = session;
	pthread_mutex_unlock(&context->lock);
	SSL_SESSION_free(before);
	return 1;
}

static bool set_name(struct tls_context *context, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context->ssl);
	struct pw_ip ip;

	if (pw_ip_parse(&ip, pw_str_from(name)) == PW_OK)
		return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return (context->server_name = strdup(name)) != NULL &&
	       X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

static bool set_authorities(SSL_CTX *ssl, const char *ca_file)
{
	return ca_file[0] ? SSL_CTX_load_verify_file(ssl, ca_file) == 1
	                  : SSL_CTX_set_default_verify_paths(ssl) == 1;
}

static void set_manners(struct tls_context *context)
{
	SSL_CTX *ssl = context->ssl;

	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT |
	                                            SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ssl, keep_session);
	SSL_CTX_set_app_data(ssl, context);
}

enum pw_status tls_context_new(struct tls_context **out, const char *name,
                               const char *ca_file, struct pw_buf *why_out)
{
	PW_AUTO(tls_context_free)
	struct tls_context *context = calloc(1, sizeof(*context));

	if (!context)
		return PW_ERR_NOMEM;
	(void)pthread_mutex_init(&context->lock, NULL);
	if (!(context->ssl = SSL_CTX_new(TLS_client_method())) ||
	    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION) != 1)
		return PW_ERR_CRYPTO;
	set_manners(context);
	ERR_clear_error();
	if (!set_name(context, name)) {
		pw_buf_printf(why_out, "inner_tls_name: not a name: %s", name);
		return PW_ERR_CONFIG;
	}
	if (!set_authorities(context->ssl, ca_file)) {
		pw_buf_printf(why_out, "inner_tls_ca: %s: %s", ca_file,
		              ERR_reason_error_string(ERR_get_error()));
		return PW_ERR_CONFIG;
	}
	*out = PW_TAKE(context);
	return PW_OK;
}

void tls_context_free(struct tls_context **out)
{
	struct tls_context *context = *out;

	if (!context)
		return;
	SSL_SESSION_free(context->last);
	SSL_CTX_free(context->ssl);
	free(context->server_name);
	(void)pthread_mutex_destroy(&context->lock);
	free(context);
	*out = NULL;
}

static void resume(SSL *tls, struct tls_context *context)
{
	pthread_mutex_lock(&context->lock);
	if (context->last)
		(void)SSL_set_session(tls, context->last);
	pthread_mutex_unlock(&context->lock);
}

enum pw_status tls_new(struct ssl_st **out, struct tls_context *context, int fd)
{
	SSL *tls = SSL_new(context->ssl);

	if (!tls || SSL_set_fd(tls, fd) != 1 ||
	    (context->server_name &&
	     SSL_set_tlsext_host_name(tls, context->server_name) != 1)) {
		SSL_free(tls);
		return PW_ERR_NOMEM;
	}
	SSL_set_connect_state(tls);
	resume(tls, context);
	*out = tls;
	return PW_OK;
}

void tls_free(struct ssl_st **tls)
{
	if (!*tls)
		return;
	ERR_clear_error();
	if (SSL_is_init_finished(*tls))
		(void)SSL_shutdown(*tls);
	SSL_free(*tls);
	*tls = NULL;
}

/* What a call that returned result <= 0 means. */
static enum pw_status why(SSL *tls, int result, short *wait_out)
{
	int saved = errno;

	switch (SSL_get_error(tls, result)) {
	case SSL_ERROR_WANT_READ:
		*wait_out = POLLIN;
		return PW_OK;
	case SSL_ERROR_WANT_WRITE:
		*wait_out = POLLOUT;
		return PW_OK;
	case SSL_ERROR_ZERO_RETURN:
		return PW_ERR_AWAY;
	case SSL_ERROR_SYSCALL:
		errno = saved;
		return PW_ERR_AWAY;
	default:
		break;
	}
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return PW_ERR_AWAY;
	return PW_ERR_CRYPTO;
}

enum pw_status tls_handshake(struct ssl_st *tls, short *wait_out)
{
	enum pw_status r;
	int result;

	*wait_out = 0;
	ERR_clear_error();
	if ((result = SSL_do_handshake(tls)) == 1)
		return PW_OK;
	r = why(tls, result, wait_out);
	return r == PW_ERR_CRYPTO && SSL_get_verify_result(tls) != X509_V_OK
	               ? PW_ERR_DENIED
	               : r;
}

enum pw_status tls_send(struct ssl_st *tls, struct pw_str bytes, size_t *done_out,
                        short *wait_out)
{
	int result;

	*done_out = 0;
	*wait_out = 0;
	ERR_clear_error();
	result = SSL_write_ex(tls, bytes.at, bytes.len, done_out);
	return result == 1 ? PW_OK : why(tls, result, wait_out);
}

enum pw_status tls_receive(struct ssl_st *tls, char *at, size_t room, size_t *done_out,
                           short *wait_out)
{
	int result;

	*done_out = 0;
	*wait_out = 0;
	ERR_clear_error();
	result = SSL_read_ex(tls, at, room, done_out);
	return result == 1 ? PW_OK : why(tls, result, wait_out);
}

bool tls_is_quiet(struct ssl_st *tls)
{
	short wait = 0;
	size_t got;
	char byte;
	int result;

	ERR_clear_error();
	result = SSL_peek_ex(tls, &byte, 1, &got);
	return result != 1 && why(tls, result, &wait) == PW_OK;
}

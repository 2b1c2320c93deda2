#include "auth-common.h"

#include "passdb.h"

#include "ioloop.h"
#include "llist.h"
#include "str.h"
#include "strescape.h"

#include "dovecot-plugins/compat.h"

#include "core/str.h"

#include <unistd.h>

#include "credentials.h"
#include "verify.h"

/* Where Dovecot's auth process finds its workers, in its own directory. */
#define WORKER_SOCKET "auth-worker"
/* A worker refuses longer lines (AUTH_WORKER_MAX_LINE_LENGTH), and ends. */
#define LINE_MAX_BYTES 8000
/* A worker that failed later than this failed because there is too much to do: comparing
 * here would make it worse. */
#define WORKER_FAILED_EARLY_S 3

/* A comparison a worker makes, in the request's pool. */
struct verification {
	struct verification *prev, *next;
	struct auth_request *request;
	const char *hash;
	verify_done_fn *done;
	void *arg;
	time_t since;
	struct timeout *to_here; /* no worker could: it is compared here, soon */
};

static struct verification *outstanding;

static enum passdb_result verify_here(struct auth_request *request, const char *hash)
{
	const char *scheme = password_get_scheme(&hash);

	if (scheme == NULL) {
		e_error(authdb_event(request), "a password hash without a scheme");
		return PASSDB_RESULT_INTERNAL_FAILURE;
	}
	return compat_verify(request, hash, scheme, FALSE); /* the caller logs */
}

static void end(struct verification *v, enum passdb_result result)
{
	DLLIST_REMOVE(&outstanding, v);
	timeout_remove(&v->to_here);
	v->done(v->arg, result);
}

static void verify_late(struct verification *v)
{
	end(v, verify_here(v->request, v->hash));
}

/* ---- workers ----
 *
 * PASSW is what Dovecot's own cache sends to a worker (passdb-cache.c): the number of the
 * passdb, the password, the hash, the request. Nobody promises that it stays so; all that
 * knows it is here, and what a worker does not answer is compared in this process. */

COMPAT_WORKER_CALLBACK(on_worker)
{
	struct verification *v = context;
	enum passdb_result result = compat_worker_result(reply);

	if (result != PASSDB_RESULT_INTERNAL_FAILURE ||
	    ioloop_time - v->since > WORKER_FAILED_EARLY_S) {
		end(v, result);
	} else {
		e_warning(authdb_event(v->request),
		          "no auth-worker compared the password, doing it here");
		/* not from within Dovecot's list of workers; each by itself, so that what
		 * is waiting gets its turn; not at all when the process ends */
		v->to_here = timeout_add_short(0, verify_late, v);
	}
	return TRUE;
}

static const char *passw_line(struct auth_request *request, const char *hash)
{
	string_t *line = t_str_new(512);

	str_printfa(line, "PASSW\t%u\t", request->passdb->passdb->id);
	str_append_tabescaped(line, request->mech_password);
	str_append_c(line, '\t');
	str_append_tabescaped(line, hash);
	str_append_c(line, '\t');
	auth_request_export(request, line);
	return str_c(line);
}

/* Without a socket Dovecot would let the request wait for ever. */
static bool has_workers(void)
{
	return !worker && access(WORKER_SOCKET, W_OK) == 0;
}

void verify_password(struct auth_request *request, const char *hash, verify_done_fn *done,
                     void *arg)
{
	bool is_slow = hash_cost(pw_str_from(hash)) != HASH_FAST;
	const char *line = is_slow ? passw_line(request, hash) : "";
	struct verification *v;

	if (!is_slow || strlen(line) > LINE_MAX_BYTES || !has_workers()) {
		done(arg, verify_here(request, hash));
		return;
	}
	v = p_new(request->pool, struct verification, 1);
	*v = (struct verification){ .request = request,
		                    .hash = hash,
		                    .done = done,
		                    .arg = arg,
		                    .since = ioloop_time };
	DLLIST_PREPEND(&outstanding, v);
	auth_worker_call(request->pool, request->fields.user, line, on_worker, v);
}

void verify_deinit(void)
{
	while (outstanding != NULL)
		end(outstanding, PASSDB_RESULT_INTERNAL_FAILURE);
}

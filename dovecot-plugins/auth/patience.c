#include "patience.h"

#include "auth-common.h"

#include "auth-client-connection.h"
#include "auth-request-handler.h"
#include "hash.h"
#include "ioloop.h"
#include "llist.h"
#include "passdb.h"

#include "auth-request-handler-private.h"

#include "dovecot-plugins/compat.h"

#include <time.h>

/* Over a restart of 3 s, and the wait until the next try to connect. */
#define WAIT_MS 4500
/* Postfix waits 10 s (AUTH_TIMEOUT of its xsasl_dovecot_server.c): an answer that comes
 * before is still of use. */
#define WAIT_SMTP_MS 9000
/* Another client with service=smtp that never hangs up gets its FAIL after this. */
#define HELD_MAX_S 30
#define LOOK_MS 500

struct held {
	struct held *prev, *next;
	struct auth_request *request;
	patience_done_fn *done;
	void *arg;
	time_t until;
};

static struct held *held_list;
static struct timeout *to_look;

/* A request without handler is a lookup on the master socket, not a login. */
static bool is_postfix(const struct auth_request *request)
{
	const char *service = compat_service(request);

	return request->handler != NULL && service != NULL &&
	       strcmp(service, "smtp") == 0;
}

int64_t patience_ms(const struct auth_request *request)
{
	return is_postfix(request) ? WAIT_SMTP_MS : WAIT_MS;
}

static void release(struct held *held)
{
	patience_done_fn *done = held->done;
	void *arg = held->arg;

	DLLIST_REMOVE(&held_list, held);
	i_free(held);
	done(arg);
}

/* done() may hold another request: that one is put in front and is looked at next time.
 */
static void look(void *context ATTR_UNUSED)
{
	struct held *held, *next;

	for (held = held_list; held != NULL; held = next) {
		next = held->next;
		if (held->request->handler->destroyed || ioloop_time >= held->until)
			release(held);
	}
	if (held_list == NULL)
		timeout_remove(&to_look);
}

void patience_end(struct auth_request *request, patience_done_fn *done, void *arg)
{
	struct held *held;

	if (!is_postfix(request) || request->handler->destroyed) {
		done(arg);
		return;
	}
	e_warning(authdb_event(request),
	          "no answer for Postfix: it says 454 when it gives up");
	held = i_new(struct held, 1);
	*held = (struct held){ .request = request,
		               .done = done,
		               .arg = arg,
		               .until = ioloop_time + HELD_MAX_S };
	DLLIST_PREPEND(&held_list, held);
	if (to_look == NULL)
		to_look = timeout_add_short(LOOK_MS, look, NULL);
}

void patience_deinit(void)
{
	while (held_list != NULL) {
		(void)shutdown(compat_client_fd(held_list->request->handler->conn),
		               SHUT_RDWR);
		release(held_list);
	}
	timeout_remove(&to_look);
}

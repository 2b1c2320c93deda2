#include "kit/kit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/listen.h"
#include "io/log.h"
#include "io/notify.h"
#include "kit/session.h"
#include "kit/signals.h"
#include "kit/wire/wire.h"

#define STACK_BYTES ((size_t)1024 * 1024)
#define REPORT_EVERY_MS 60000
#define DRAIN_LOOK_MS 20
/* A connection that was accepted but has not negotiated yet is not counted as a session.
 */
#define DRAIN_QUIET_MS 200

static enum pw_status complain(enum pw_status status, const char *event, const char *why)
{
	pw_log(PW_LOG_ERROR, "", PW_KV("event", event), PW_KV("why", why),
	       PW_KV("status", pw_status_text(status)), PW_KV_END);
	return status;
}

/* For the threads of connections, and for those of libraries. */
static enum pw_status shrink_stacks(void)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error != 0)
		return PW_ERR_NOMEM;
	error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (error == 0)
		error = pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
	return error == 0 ? PW_OK : PW_ERR_IO;
}

static enum pw_status start_wire(const struct kit_daemon *daemon, int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);
	enum pw_status r;

	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
	    shrink_stacks() != PW_OK)
		return PW_ERR_IO;
	kit_signals_block(); /* the wire's threads inherit it */
	r = kit_wire_start(kit_session_calls(daemon, address.ss_family != AF_UNIX), fd);
	return r == PW_OK ? kit_signals_open() : r;
}

static void reload(const struct kit_daemon *daemon)
{
	if (!daemon->reload)
		return;
	pw_notify_reloading();
	if (daemon->reload(daemon->user) == PW_OK)
		pw_log(PW_LOG_INFO, "", PW_KV("event", "reloaded"), PW_KV_END);
	pw_notify_ready();
}

static void report(const struct kit_daemon *daemon)
{
	if (daemon->report)
		daemon->report(daemon->user);
}

static int64_t tick_ms(void)
{
	int64_t watchdog = pw_notify_watchdog_ms();

	return watchdog > 0 && watchdog < REPORT_EVERY_MS ? watchdog : REPORT_EVERY_MS;
}

/* Until SIGTERM or SIGINT. */
static void serve(const struct kit_daemon *daemon)
{
	int64_t report_at_ms = pw_clock_mono_ms() + REPORT_EVERY_MS;

	while (!kit_signals_take(SIGTERM) && !kit_signals_take(SIGINT)) {
		pw_notify_watchdog();
		if (kit_signals_take(SIGHUP))
			reload(daemon);
		if (kit_signals_take(SIGUSR1) || pw_clock_mono_ms() >= report_at_ms) {
			report(daemon);
			report_at_ms = pw_clock_mono_ms() + REPORT_EVERY_MS;
		}
		kit_signals_wait((int)tick_ms());
	}
}

/* Sessions of the milter, and what else the daemon serves. */
static int64_t all_sessions(const struct kit_daemon *daemon)
{
	return kit_sessions() + (daemon->others ? daemon->others(daemon->user) : 0);
}

/* Returns true when all sessions have ended. */
static bool wait_for_sessions(const struct kit_daemon *daemon)
{
	int64_t deadline_ms = pw_clock_mono_ms() + daemon->drain_ms;
	int64_t quiet_since_ms = pw_clock_mono_ms();

	for (;;) {
		int64_t now_ms = pw_clock_mono_ms();

		if (all_sessions(daemon) > 0)
			quiet_since_ms = now_ms;
		if (now_ms - quiet_since_ms >= DRAIN_QUIET_MS)
			return true;
		if (now_ms >= deadline_ms)
			return false;
		kit_signals_wait(DRAIN_LOOK_MS);
	}
}

/* Running sessions go on to their ends; the listening descriptor is made silent under the
 * hands of whoever waits at it. */
static enum pw_status drain(const struct kit_daemon *daemon, struct pw_listener *listener)
{
	int64_t left;

	pw_notify_stopping();
	pw_log(PW_LOG_INFO, "", PW_KV("event", "stopping"),
	       PW_KV_INT("sessions", all_sessions(daemon)), PW_KV_END);
	if (pw_listener_silence(listener) != PW_OK)
		(void)complain(PW_ERR_IO, "drain", strerror(errno));
	if (daemon->stop)
		daemon->stop(daemon->user);
	if (!wait_for_sessions(daemon)) {
		left = all_sessions(daemon);
		report(daemon);
		pw_log(PW_LOG_WARNING, "", PW_KV("event", "stopped"),
		       PW_KV_INT("sessions_abandoned", left), PW_KV_END);
		_exit(0); /* their threads use what the caller would release */
	}
	report(daemon);
	pw_log(PW_LOG_INFO, "", PW_KV("event", "stopped"), PW_KV_END);
	return PW_OK;
}

enum pw_status kit_run(const struct kit_daemon *daemon)
{
	PW_AUTO(pw_listener_close) struct pw_listener listener = { .fd = -1 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	enum pw_status r;

	r = pw_listener_open_named(&listener, KIT_FD_NAME, pw_str_from(daemon->socket),
	                           &why);
	if (r != PW_OK)
		return complain(r, "listen", pw_buf_text(&why));
	if ((r = start_wire(daemon, listener.fd)) != PW_OK)
		return complain(r, "start", "no thread can be started");
	pw_notify_ready();
	pw_log(PW_LOG_INFO, "", PW_KV("event", "started"), PW_KV("version", PW_VERSION),
	       PW_KV("socket", daemon->socket), PW_KV_END);
	serve(daemon);
	return drain(daemon, &listener);
}

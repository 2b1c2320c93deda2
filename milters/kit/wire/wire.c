#include "kit/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/log.h"
#include "io/thread.h"
#include "kit/wire/context.h"

#define IDLE_MAX 8      /* threads kept for connections to come */
#define PATIENCE_S 7210 /* libmilter's: Postfix says nothing while a client sleeps */
#define BREATHE_MS 100  /* when there are no descriptors left */
#define COMPLAIN_MS 60000

/* One of the idle threads, the leader, waits for a connection; when one has come, the
 * next leads. There is always one idle thread, made before the last one goes to work. */
static struct {
	const struct smfiDesc *calls;
	int fd;
	pthread_mutex_t leading;
	pthread_mutex_t lock; /* of idle */
	size_t idle;
	int64_t complained_ms; /* under leading */
} server = { .leading = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER };

static void *serve(void *unused);

static enum pw_status start_thread(void)
{
	pthread_t thread;
	enum pw_status r = pw_thread_start(&thread, serve, NULL);

	if (r == PW_OK)
		pthread_detach(thread);
	return r;
}

static void complain(int error)
{
	int64_t now_ms = pw_clock_mono_ms();

	if (server.complained_ms > 0 && now_ms - server.complained_ms < COMPLAIN_MS)
		return;
	server.complained_ms = now_ms;
	pw_log(PW_LOG_ERROR, "", PW_KV("event", "accept"), PW_KV("why", strerror(error)),
	       PW_KV_END);
}

/* Patience is the kernel's: reads and writes give up by themselves. */
static void set_manners(int fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* For the next connection, however long that takes. The listener may be replaced under
 * this number by one that never has any (pw_listener_silence). */
static int lead(void)
{
	struct pollfd p = { .fd = server.fd, .events = POLLIN };
	int fd = -1;

	(void)pthread_mutex_lock(&server.leading);
	while (fd < 0) {
		(void)poll(&p, 1, -1);
		fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && errno != EAGAIN && errno != EINTR &&
		    errno != ECONNABORTED && errno != ENOTSOCK) {
			complain(errno);
			(void)poll(NULL, 0, BREATHE_MS);
		}
	}
	(void)pthread_mutex_unlock(&server.leading);
	return fd;
}

static void context_done(SMFICTX *ctx)
{
	for (size_t i = 0; i < PW_LEN(ctx->lists); i++)
		free(ctx->lists[i]);
	for (size_t i = 0; i < WIRE_STAGES; i++)
		pw_buf_done(&ctx->macros[i]);
	pw_buf_done(&ctx->reply);
	pw_buf_done(&ctx->out);
	free(ctx->at);
}

static void work(int fd)
{
	SMFICTX ctx = { .fd = fd, .calls = server.calls };

	pw_buf_init(&ctx.out, WIRE_OUTPUT_MAX);
	set_manners(fd);
	kit_wire_serve(&ctx);
	context_done(&ctx);
	close(fd);
}

/* Stop being idle; the last one sees to it that there is another. */
static void begin_work(void)
{
	bool is_last;

	(void)pthread_mutex_lock(&server.lock);
	is_last = server.idle == 1;
	if (!is_last || start_thread() != PW_OK)
		server.idle--; /* none now: whoever is done first leads */
	(void)pthread_mutex_unlock(&server.lock);
}

/* Returns false if there are enough without this one. */
static bool end_work(void)
{
	bool is_wanted;

	(void)pthread_mutex_lock(&server.lock);
	is_wanted = server.idle < IDLE_MAX;
	server.idle += is_wanted;
	(void)pthread_mutex_unlock(&server.lock);
	return is_wanted;
}

static void *serve(void *unused)
{
	(void)unused;
	do {
		int fd = lead();

		begin_work();
		work(fd);
	} while (end_work());
	return NULL;
}

enum pw_status kit_wire_start(const struct smfiDesc *calls, int fd)
{
	enum pw_status r;

	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
		return PW_ERR_IO;
	server.calls = calls;
	server.fd = fd;
	server.idle = 1;
	if ((r = start_thread()) != PW_OK)
		server.idle = 0;
	return r;
}

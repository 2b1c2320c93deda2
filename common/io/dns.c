#include "io/dns.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <unbound.h>

#include "core/ascii.h"
#include "io/resolver.h"
#include "io/thread.h"

/* How it works. libunbound resolves in a thread of its own (ub_ctx_async(3)) and hands
 * results over through a pipe. One reader thread of ours waits for that pipe; its
 * callback stores the result in the ticket and wakes whoever waits. A ticket has two
 * holders, the asker and the flight; who lets go last frees it. So an asker may leave at
 * any time, and the result of an abandoned question still fills libunbound's cache. */

#define CLASS_IN 1
#define RCODE_OK 0
#define RCODE_NXDOMAIN 3
#define ESCAPED_NAME_MAX (4 * PW_DNS_NAME_MAX + 2)

struct flight {
	struct pw_dns_ticket base;
	struct resolver *resolver;  /* valid while in flight */
	struct flight *prev, *next; /* flights in the air; under resolver->lock */
	enum pw_dns_type type;
	pthread_mutex_t lock;
	pthread_cond_t is_landed; /* on CLOCK_MONOTONIC */
	int holders;
	bool is_answered;
	struct ub_result *result; /* NULL: it failed */
};

struct resolver {
	struct pw_resolver base;
	struct ub_ctx *ctx;
	pthread_t reader;
	bool has_reader;
	int stop_fd; /* eventfd: the reader shall end */
	pthread_mutex_t lock;
	struct flight *flights;
	size_t in_flight;
	atomic_bool has_started; /* libunbound's thread exists */
};

/* ---- tickets ---- */

static void let_go(struct flight *f)
{
	bool is_last;

	pthread_mutex_lock(&f->lock);
	is_last = --f->holders == 0;
	pthread_mutex_unlock(&f->lock);
	if (!is_last)
		return;
	ub_resolve_free(f->result);
	pthread_cond_destroy(&f->is_landed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static struct flight *new_flight(struct resolver *resolver, enum pw_dns_type type)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->base.kind = resolver->base.kind;
	f->resolver = resolver;
	f->type = type;
	f->holders = 2;
	pthread_mutex_init(&f->lock, NULL);
	pw_cond_init(&f->is_landed);
	return f;
}

/* Into the list of those in the air; false when too many are. */
static bool take_off(struct flight *f)
{
	struct resolver *resolver = f->resolver;
	bool is_room;

	pthread_mutex_lock(&resolver->lock);
	is_room = resolver->in_flight < PW_DNS_IN_FLIGHT_MAX;
	if (is_room) {
		resolver->in_flight++;
		f->next = resolver->flights;
		if (f->next != NULL)
			f->next->prev = f;
		resolver->flights = f;
	}
	pthread_mutex_unlock(&resolver->lock);
	return is_room;
}

static void leave_list(struct flight *f)
{
	struct resolver *resolver = f->resolver;

	pthread_mutex_lock(&resolver->lock);
	resolver->in_flight--;
	if (f->prev != NULL)
		f->prev->next = f->next;
	else
		resolver->flights = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	pthread_mutex_unlock(&resolver->lock);
}

/* Store the result, wake the asker, let go of the flight's hold. */
static void land(struct flight *f, struct ub_result *result)
{
	pthread_mutex_lock(&f->lock);
	f->result = result;
	f->is_answered = true;
	pthread_cond_signal(&f->is_landed);
	pthread_mutex_unlock(&f->lock);
	let_go(f);
}

/* ub_resolve_async(3): runs in the reader thread. */
static void on_result(void *data, int error, struct ub_result *result)
{
	struct flight *f = data;

	(void)error; /* then result is NULL */
	leave_list(f);
	land(f, result);
}

/* ---- asking ---- */

/* Presentation form for libunbound: whatever is not a plain host character as \DDD. */
static void escape_name(char out[ESCAPED_NAME_MAX], struct pw_str name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i];

		if (pw_is_alnum(name.at[i]) || c == '-' || c == '_' || c == '.') {
			*out++ = name.at[i];
			continue;
		}
		*out++ = '\\';
		*out++ = (char)('0' + c / 100);
		*out++ = (char)('0' + c / 10 % 10);
		*out++ = (char)('0' + c % 10);
	}
	*out = '\0';
}

/* The first question makes libunbound start its thread, which inherits our signal mask:
 * no signal of the daemon may end up there. */
static int send_question(struct resolver *resolver, const char *name, int type,
                         struct flight *f)
{
	sigset_t all, before;
	int error;

	if (atomic_load(&resolver->has_started))
		return ub_resolve_async(resolver->ctx, name, type, CLASS_IN, f, on_result,
		                        NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = ub_resolve_async(resolver->ctx, name, type, CLASS_IN, f, on_result, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		atomic_store(&resolver->has_started, true);
	return error;
}

static enum pw_status unbound_ask(struct pw_resolver *base,
                                  const struct pw_dns_question *question,
                                  struct pw_dns_ticket **out)
{
	static const int wire_types[PW_DNS_TYPES] = {
		[PW_DNS_A] = 1,    [PW_DNS_AAAA] = 28, [PW_DNS_MX] = 15,
		[PW_DNS_TXT] = 16, [PW_DNS_PTR] = 12,  [PW_DNS_NS] = 2,
		[PW_DNS_SRV] = 33,
	};
	struct resolver *resolver = (struct resolver *)base;
	struct flight *f = new_flight(resolver, question->type);
	char name[ESCAPED_NAME_MAX];

	if (f == NULL)
		return PW_ERR_NOMEM;
	*out = &f->base;
	if (!take_off(f)) {
		land(f, NULL);
		return PW_OK;
	}
	escape_name(name, question->name);
	if (send_question(resolver, name, wire_types[question->type], f) != 0) {
		leave_list(f);
		land(f, NULL);
	}
	return PW_OK;
}

/* ---- reading results ---- */

static enum pw_dns_rcode result_rcode(const struct ub_result *result)
{
	if (result == NULL || result->bogus)
		return PW_DNS_SERVFAIL;
	return result->rcode == RCODE_OK         ? PW_DNS_OK
	       : result->rcode == RCODE_NXDOMAIN ? PW_DNS_NXDOMAIN
	                                         : PW_DNS_SERVFAIL;
}

static enum pw_status read_records(struct pw_dns_answer *answer, struct pw_arena *arena,
                                   enum pw_dns_type type, const struct ub_result *result)
{
	struct pw_dns_record *records;
	size_t count = 0;

	while (count < PW_DNS_RECORDS_MAX && result->data[count] != NULL)
		count++;
	if ((records = pw_arena_array(arena, count, sizeof(*records))) == NULL)
		return PW_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		struct pw_str rdata = { result->data[i], (size_t)result->len[i] };
		enum pw_status r =
			pw_dns_record_read(&records[answer->count], arena, type, rdata);

		if (r == PW_ERR_NOMEM)
			return r;
		if (r == PW_OK)
			answer->count++;
	}
	answer->records = records;
	return PW_OK;
}

static enum pw_status read_canonical(struct pw_dns_answer *answer, struct pw_arena *arena,
                                     const struct ub_result *result)
{
	struct pw_str name = pw_str_from(result->canonname ? result->canonname : "");

	if (name.len > 0 && name.at[name.len - 1] == '.')
		name.len--;
	if (pw_str_eq_nocase(name, pw_str_from(result->qname)))
		return PW_OK;
	return pw_arena_copy(arena, name, &answer->canonical);
}

static enum pw_status read_result(struct pw_dns_answer *out, struct pw_arena *arena,
                                  enum pw_dns_type type, const struct ub_result *result)
{
	struct pw_dns_answer answer = { .rcode = result_rcode(result) };
	enum pw_status r;

	if (result != NULL) {
		answer.ttl_s = result->ttl > 0 ? (uint32_t)result->ttl : 0;
		answer.is_secure = result->secure != 0;
	}
	if (answer.rcode == PW_DNS_OK && result->havedata &&
	    ((r = read_records(&answer, arena, type, result)) != PW_OK ||
	     (r = read_canonical(&answer, arena, result)) != PW_OK))
		return r;
	*out = answer;
	return PW_OK;
}

static enum pw_status unbound_wait(struct pw_dns_ticket *base, int64_t deadline_ms,
                                   struct pw_arena *arena, struct pw_dns_answer *out)
{
	struct flight *f = (struct flight *)base;
	bool is_answered, in_time = true;

	pthread_mutex_lock(&f->lock);
	while (!f->is_answered && in_time)
		in_time = pw_cond_wait(&f->is_landed, &f->lock, deadline_ms);
	is_answered = f->is_answered;
	pthread_mutex_unlock(&f->lock);
	if (is_answered) /* f->result does not change any more */
		return read_result(out, arena, f->type, f->result);
	*out = (struct pw_dns_answer){ .rcode = PW_DNS_TIMEOUT };
	return PW_OK;
}

static void unbound_drop(struct pw_dns_ticket *base)
{
	let_go((struct flight *)base);
}

/* ---- the reader thread ---- */

static void *read_results(void *data)
{
	struct resolver *resolver = data;
	struct pollfd fds[] = { { .fd = ub_fd(resolver->ctx), .events = POLLIN },
		                { .fd = resolver->stop_fd, .events = POLLIN } };

	for (;;) {
		if (poll(fds, PW_LEN(fds), -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[1].revents != 0)
			return NULL;
		if (fds[0].revents != 0)
			(void)ub_process(resolver->ctx);
	}
}

static enum pw_status start_reader(struct resolver *resolver)
{
	enum pw_status r;

	if ((resolver->stop_fd = eventfd(0, EFD_CLOEXEC)) < 0)
		return PW_ERR_IO;
	r = pw_thread_start(&resolver->reader, read_results, resolver);
	resolver->has_reader = r == PW_OK;
	return r;
}

static void unbound_close(struct pw_resolver *base)
{
	struct resolver *resolver = (struct resolver *)base;

	if (resolver->has_reader) {
		(void)eventfd_write(resolver->stop_fd, 1);
		pthread_join(resolver->reader, NULL);
	}
	ub_ctx_delete(resolver->ctx); /* ends its thread; no callback runs any more */
	while (resolver->flights != NULL) {
		struct flight *f = resolver->flights;

		leave_list(f);
		land(f, NULL);
	}
	if (resolver->stop_fd >= 0)
		close(resolver->stop_fd);
	pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

static const struct pw_resolver_kind unbound_kind = {
	.ask = unbound_ask,
	.wait = unbound_wait,
	.drop = unbound_drop,
	.close = unbound_close,
};

/* ---- opening ---- */

static enum pw_status set_options(struct ub_ctx *ctx)
{
	/* unbound.conf(5) */
	static const char *const options[][2] = {
		{ "do-not-query-localhost:", "no" },
		/* reverse zones of private and documentation addresses: the resolver we
		 * forward to decides, as it does for local_names */
		{ "unblock-lan-zones:", "yes" },
		{ "insecure-lan-zones:", "yes" },
		{ "outgoing-range:", "1024" },
		{ "num-queries-per-thread:", "4096" },
		{ "outgoing-num-tcp:", "64" },
		{ "msg-cache-size:", "16m" },
		{ "rrset-cache-size:", "32m" },
		{ "cache-max-negative-ttl:", "300" },
		/* a server that was away is tried again at once, not after 15 minutes */
		{ "infra-host-ttl:", "30" },
		{ "infra-keep-probing:", "yes" },
		{ "use-syslog:", "no" },
	};

	for (size_t i = 0; i < PW_LEN(options); i++)
		if (ub_ctx_set_option(ctx, options[i][0], options[i][1]) != 0)
			return PW_ERR_CONFIG;
	return ub_ctx_debugout(ctx, NULL) == 0 && ub_ctx_async(ctx, 1) == 0
	               ? PW_OK
	               : PW_ERR_CONFIG;
}

/* Names that libunbound would answer by itself, NXDOMAIN, but that a site may use. */
static enum pw_status unblock_names(struct ub_ctx *ctx)
{
	static const char *const local_names[] = { "test.", "home.arpa." };

	for (size_t i = 0; i < PW_LEN(local_names); i++)
		if (ub_ctx_zone_remove(ctx, local_names[i]) != 0)
			return PW_ERR_CONFIG;
	return PW_OK;
}

static bool is_separator(char c)
{
	return c == ',' || pw_is_wsp(c);
}

/* "ADDR" or "ADDR@PORT": libunbound is lax about ports. */
static enum pw_status set_server(struct ub_ctx *ctx, const char *server)
{
	struct pw_str port = pw_str_from(server);
	struct pw_str address = pw_str_cut(&port, '@');
	struct pw_ip ip;
	int64_t number;

	if (pw_ip_parse(&ip, address) != PW_OK ||
	    (port.at != NULL && pw_str_to_int64(port, 1, UINT16_MAX, &number) != PW_OK))
		return PW_ERR_CONFIG;
	return ub_ctx_set_fwd(ctx, server) == 0 ? PW_OK : PW_ERR_CONFIG;
}

static enum pw_status set_servers(struct ub_ctx *ctx, struct pw_str servers)
{
	PW_AUTO(pw_buf_done) struct pw_buf one = { 0 };
	size_t found = 0;
	enum pw_status r;

	for (size_t i = 0; i <= servers.len; i++) {
		if (i < servers.len && !is_separator(servers.at[i])) {
			pw_buf_putc(&one, servers.at[i]);
			continue;
		}
		if (pw_buf_status(&one) != PW_OK)
			return PW_ERR_NOMEM;
		if (one.len == 0)
			continue;
		if ((r = set_server(ctx, pw_buf_text(&one))) != PW_OK)
			return r;
		found++;
		pw_buf_reset(&one);
	}
	if (found == 0 && ub_ctx_resolvconf(ctx, NULL) != 0)
		return PW_ERR_IO;
	return PW_OK;
}

static void close_unbound(struct resolver **resolver)
{
	if (*resolver != NULL)
		unbound_close(&(*resolver)->base);
}

enum pw_status pw_dns_open(struct pw_resolver **out, struct pw_str servers)
{
	PW_AUTO(close_unbound) struct resolver *resolver = calloc(1, sizeof(*resolver));
	enum pw_status r;

	if (resolver == NULL)
		return PW_ERR_NOMEM;
	resolver->base.kind = &unbound_kind;
	resolver->stop_fd = -1;
	pthread_mutex_init(&resolver->lock, NULL);
	if ((resolver->ctx = ub_ctx_create()) == NULL)
		return PW_ERR_NOMEM;
	if ((r = set_options(resolver->ctx)) != PW_OK ||
	    (r = set_servers(resolver->ctx, servers)) != PW_OK ||
	    (r = unblock_names(resolver->ctx)) != PW_OK || /* ends configuration */
	    (r = start_reader(resolver)) != PW_OK)
		return r;
	*out = &PW_TAKE(resolver)->base;
	return PW_OK;
}

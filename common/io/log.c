#include "io/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syslog.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/ascii.h"

/* A pipe that polls writable takes this much without blocking (PIPE_BUF). */
#define LINE_MAX_BYTES 4000
#define BODY_MAX_BYTES (LINE_MAX_BYTES - 100)
#define SYSLOG_SOCKET "/dev/log"

static struct {
	pthread_mutex_t lock;
	const char *program;
	enum pw_log_target target;
	enum pw_log_level level;
	int fd; /* syslog's socket, -1 = none */
	unsigned long lost;
} logger = {
	PTHREAD_MUTEX_INITIALIZER, "postward", PW_LOG_TO_STDERR, PW_LOG_INFO, -1, 0
};

static const int priorities[] = {
	[PW_LOG_ERROR] = LOG_MAIL | LOG_ERR,
	[PW_LOG_WARNING] = LOG_MAIL | LOG_WARNING,
	[PW_LOG_INFO] = LOG_MAIL | LOG_INFO,
	[PW_LOG_DEBUG] = LOG_MAIL | LOG_DEBUG,
};
/* As Postfix does: an info line has no word for it. */
static const char *const words[] = {
	[PW_LOG_ERROR] = "error: ",
	[PW_LOG_WARNING] = "warning: ",
	[PW_LOG_INFO] = "",
	[PW_LOG_DEBUG] = "debug: ",
};

void pw_log_open(const char *program, enum pw_log_target target, enum pw_log_level level)
{
	(void)pthread_mutex_lock(&logger.lock);
	logger.program = program;
	logger.target = target;
	__atomic_store_n(&logger.level, level, __ATOMIC_RELAXED);
	(void)pthread_mutex_unlock(&logger.lock);
}

bool pw_log_wanted(enum pw_log_level level)
{
	return level <= __atomic_load_n(&logger.level, __ATOMIC_RELAXED);
}

/* ---- text ---- */

/* Bytes of value, so that one line stays one line and reads back: \ooo for what is not
 * printable, backslash and quote included. */
static void put_escaped(struct pw_buf *out, struct pw_str value)
{
	bool is_cut = value.len > PW_LOG_VALUE_MAX;

	value = pw_str_sub(value, 0, PW_LOG_VALUE_MAX);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];

		if (!pw_is_print(c))
			pw_buf_printf(out, "\\%03o", (unsigned int)(unsigned char)c);
		else if (c == '\\' || c == '"')
			pw_buf_printf(out, "\\%c", c);
		else
			pw_buf_putc(out, c);
	}
	if (is_cut)
		pw_buf_puts(out, PW_STR("..."));
}

static bool needs_quotes(struct pw_str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] == ' ' || value.at[i] == ',' || value.at[i] == '"')
			return true;
	return false;
}

static void put_value(struct pw_buf *out, const struct pw_kv *field)
{
	bool quoted = needs_quotes(field->text) || needs_quotes(field->more) ||
	              (field->form == PW_KV_FORM_TEXT && field->text.len == 0);

	if (field->form == PW_KV_FORM_INT) {
		pw_buf_put_int(out, field->number);
		return;
	}
	if (quoted)
		pw_buf_putc(out, '"');
	if (field->form == PW_KV_FORM_ADDR)
		pw_buf_putc(out, '<');
	if (field->form == PW_KV_FORM_PEER && field->text.len == 0)
		pw_buf_puts(out, PW_STR("unknown"));
	put_escaped(out, field->text);
	if (field->form == PW_KV_FORM_ADDR)
		pw_buf_putc(out, '>');
	if (field->form == PW_KV_FORM_PEER) {
		pw_buf_putc(out, '[');
		put_escaped(out, field->more);
		pw_buf_putc(out, ']');
	}
	if (quoted)
		pw_buf_putc(out, '"');
}

void pw_log_format(struct pw_buf *out, const char *queue_id, const struct pw_kv *fields)
{
	bool is_first = true;

	if (!queue_id)
		queue_id = "NOQUEUE";
	if (queue_id[0] != '\0') {
		put_escaped(out, pw_str_from(queue_id));
		pw_buf_puts(out, PW_STR(": "));
	}
	for (; fields->form != PW_KV_FORM_END; fields++) {
		if (fields->form == PW_KV_FORM_NONE)
			continue;
		if (!is_first)
			pw_buf_puts(out, PW_STR(", "));
		is_first = false;
		pw_buf_printf(out, "%s=", fields->key);
		put_value(out, fields);
	}
}

/* ---- handing over; the lock is held ---- */

static void connect_syslog(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = SYSLOG_SOCKET };

	if (logger.fd >= 0)
		(void)close(logger.fd);
	logger.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (logger.fd >= 0 &&
	    connect(logger.fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		(void)close(logger.fd);
		logger.fd = -1;
	}
}

/* glibc's syslog(3) waits for a full socket; a mail path must not. */
static bool send_syslog(enum pw_log_level level, const char *line)
{
	char text[LINE_MAX_BYTES + 128], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int len;

	(void)strftime(when, sizeof(when), "%b %e %H:%M:%S", localtime_r(&now, &tm));
	len = snprintf(text, sizeof(text), "<%d>%s %s", priorities[level], when, line);
	if (len < 0)
		return false;
	if ((size_t)len >= sizeof(text))
		len = (int)sizeof(text) - 1;
	for (int attempt = 0; attempt < 2; attempt++) {
		if (logger.fd >= 0 && send(logger.fd, text, (size_t)len,
		                           MSG_NOSIGNAL | MSG_DONTWAIT) == len)
			return true;
		if (logger.fd >= 0 && (errno == EAGAIN || errno == ENOBUFS))
			return false;
		connect_syslog(); /* syslogd was restarted, or this is the first line */
	}
	return false;
}

static bool send_stderr(const char *line)
{
	char text[LINE_MAX_BYTES + 2];
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
	int len = snprintf(text, sizeof(text), "%s\n", line);

	if (len < 0 || (size_t)len >= sizeof(text) || poll(&ready, 1, 0) != 1 ||
	    (ready.revents & POLLOUT) == 0)
		return false;
	return write(STDERR_FILENO, text, (size_t)len) == len;
}

static bool send_line(enum pw_log_level level, struct pw_str body)
{
	char line[LINE_MAX_BYTES];

	(void)snprintf(line, sizeof(line), "%s[%d]: %s%.*s", logger.program,
	               (int)getpid(), words[level], PW_FMT(body));
	return logger.target == PW_LOG_TO_SYSLOG ? send_syslog(level, line)
	                                         : send_stderr(line);
}

static void report_lost(void)
{
	char body[64];
	int len;

	if (logger.lost == 0)
		return;
	len = snprintf(body, sizeof(body), "lost_lines=%lu", logger.lost);
	if (len > 0 && send_line(PW_LOG_WARNING, (struct pw_str){ body, (size_t)len }))
		logger.lost = 0;
}

void pw_log_write(enum pw_log_level level, const char *queue_id,
                  const struct pw_kv *fields)
{
	PW_AUTO(pw_buf_done) struct pw_buf body = { .max = BODY_MAX_BYTES };
	int saved = errno;

	if (!pw_log_wanted(level))
		return;
	pw_log_format(&body, queue_id, fields); /* too long: what fits */
	(void)pthread_mutex_lock(&logger.lock);
	report_lost();
	if (!send_line(level, pw_buf_str(&body)))
		logger.lost++;
	(void)pthread_mutex_unlock(&logger.lock);
	errno = saved;
}

void pw_log_notes(enum pw_log_level level, struct pw_str notes)
{
	while (notes.len > 0)
		pw_log(level, "", PW_KV("event", "settings"),
		       PW_KV("note", pw_str_cut(&notes, '\n')), PW_KV_END);
}

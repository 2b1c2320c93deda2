#include "score/learner.h"

#include <stdlib.h>

#include "core/learn_line.h"
#include "io/listen.h"
#include "io/log.h"
#include "io/notify.h"
#include "mail/reading.h"
#include "score/counters.h"
#include "score/lesson.h"

#define PATIENCE_MS 60000

struct learner {
	struct learner_config config;
	struct pw_listener listener;
	struct pw_intake *intake;
	struct pw_arena *arena;
};

struct talk {
	bool has_greeted;
};

static void *talk_open(void *arg)
{
	(void)arg;
	return calloc(1, sizeof(struct talk));
}

static void talk_close(void *arg, void *session)
{
	(void)arg;
	free(session);
}

/* Errors  PW_ERR_NOMEM; those of read */
static enum pw_status read_tokens(struct learner *learner, struct pw_tokens *tokens,
                                  const struct pw_message *message)
{
	PW_AUTO(pw_buf_done) struct pw_buf job = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf answer = { 0 };
	const struct pw_envelope nobody = { 0 };
	struct pw_reading reading = { .tokens = tokens };
	enum pw_status r = pw_reading_put_job(&job, message, &nobody, true, 0);

	if (r == PW_OK)
		r = learner->config.read(learner->config.reader, pw_buf_str(&job),
		                         &answer);
	return r == PW_OK ? pw_reading_take(&reading, learner->arena, pw_buf_str(&answer))
	                  : r;
}

/* Errors  PW_ERR_NOMEM, PW_ERR_CRYPTO; those of read */
static enum pw_status teach(struct learner *learner, const struct pw_learn_line *line,
                            struct pw_str text)
{
	PW_AUTO(pw_message_done) struct pw_message *message = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf row = { 0 };
	struct pw_tokens *tokens = pw_arena_alloc(learner->arena, sizeof(*tokens));
	enum pw_status r;

	if (tokens == NULL)
		return PW_ERR_NOMEM;
	if ((r = pw_message_feed(&message, learner->arena, text)) != PW_OK ||
	    (r = read_tokens(learner, tokens, message)) != PW_OK)
		return r;
	r = lesson_put(&row, &(struct lesson){ .login = line->user,
	                                       .is_spam = line->verdict == PW_LEARN_SPAM,
	                                       .origin = "move",
	                                       .message = message,
	                                       .tokens = tokens });
	if (r == PW_OK)
		learner->config.learned(learner->config.arg, pw_buf_str(&row));
	return r;
}

static void take_lesson(struct learner *learner, const struct pw_learn_line *line,
                        struct pw_str text)
{
	enum pw_status r = teach(learner, line, text);

	pw_arena_reset(learner->arena);
	pw_count(&counters, r == PW_OK ? COUNT_lessons : COUNT_lessons_lost, 1);
	if (r != PW_OK)
		pw_log(PW_LOG_ERROR, "", PW_KV("event", "lesson_lost"),
		       PW_KV("why", pw_status_text(r)), PW_KV_END);
}

/* A line, and for all but the greeting the message it announces. */
static ssize_t talk_eat(void *arg, void *session, struct pw_str bytes)
{
	struct learner *learner = arg;
	struct talk *talk = session;
	size_t line_len = pw_str_find(bytes, '\n');
	struct pw_str text = pw_str_sub(bytes, 0, line_len);
	struct pw_learn_line line;

	if (line_len >= PW_LEARN_LINE_MAX)
		return PW_INTAKE_CLOSE;
	if (line_len == bytes.len)
		return PW_INTAKE_MORE;
	if (!talk->has_greeted) {
		talk->has_greeted = pw_str_eq(text, PW_STR(PW_LEARN_GREETING));
		return talk->has_greeted ? (ssize_t)line_len + 1 : PW_INTAKE_CLOSE;
	}
	if (pw_learn_line_parse(&line, text) != PW_OK)
		return PW_INTAKE_CLOSE;
	if (bytes.len - line_len - 1 < line.size)
		return PW_INTAKE_MORE;
	take_lesson(learner, &line, pw_str_sub(bytes, line_len + 1, line.size));
	return (ssize_t)(line_len + 1 + line.size);
}

static enum pw_status start(struct learner *learner, struct pw_str spec,
                            struct pw_buf *why_out)
{
	const struct pw_intake_protocol protocol = {
		.input_max = PW_LEARN_LINE_MAX + PW_LEARN_SIZE_MAX + 1,
		.patience_ms = PATIENCE_MS,
		.open = talk_open,
		.eat = talk_eat,
		.close = talk_close,
		.arg = learner,
	};
	enum pw_status r = pw_arena_new(&learner->arena, PW_MESSAGE_ARENA_MAX);

	if (r != PW_OK)
		return r;
	r = pw_listener_open_named(&learner->listener, LEARNER_FD_NAME, spec, why_out);
	if (r != PW_OK)
		return r;
	return pw_intake_start(&learner->intake, learner->listener.fd, &protocol);
}

enum pw_status learner_open(struct learner **out, const struct learner_config *config,
                            struct pw_buf *why_out)
{
	PW_AUTO(learner_close) struct learner *learner = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf spec = { 0 };
	enum pw_status r;

	if (config->path[0] == '\0' && pw_notify_listen_fd(LEARNER_FD_NAME) < 0)
		return PW_OK;
	if ((learner = calloc(1, sizeof(*learner))) == NULL)
		return PW_ERR_NOMEM;
	learner->config = *config;
	learner->listener.fd = -1;
	pw_buf_printf(&spec, "unix:%s", config->path);
	if ((r = start(learner, pw_buf_str(&spec), why_out)) != PW_OK)
		return r;
	*out = PW_TAKE(learner);
	return PW_OK;
}

void learner_close(struct learner **learner)
{
	if (*learner == NULL)
		return;
	pw_intake_stop(&(*learner)->intake);
	pw_listener_close(&(*learner)->listener);
	pw_arena_free(&(*learner)->arena);
	free(*learner);
	*learner = NULL;
}

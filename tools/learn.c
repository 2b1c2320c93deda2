/* postwardctl learn: teach Bayes that messages are spam, or that they are not. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/learn_line.h"
#include "core/utf8.h"
#include "db/recall.h"
#include "io/clock.h"
#include "mail/message_tokens.h"
#include "tools/command.h"
#include "tools/connect.h"
#include "tools/database.h"
#include "tools/json.h"
#include "tools/message.h"
#include "tools/options.h"

#define INPUT_MAX ((size_t)64 * 1024 * 1024) /* bytes of standard input */

static const char usage[] =
	"usage: postwardctl learn spam|ham [OPTION...] [FILE...]\n"
	"Teaches Bayes messages in files; without FILE, the one on standard input.\n"
	"Exits with 75 when they have to be learned later: nothing was lost but time.\n"
	"  --user LOGIN        for this mailbox, and for all where mail.bayes_settings\n"
	"                      says so; default: for all alone\n"
	"  --socket PATH       leave it to postward-score, which listens there: for\n"
	"                      scripts of the mail user. Needs --user; what becomes of\n"
	"                      it mail.learn_requests tells\n"
	"  --database CONNINFO where SQL is, instead of what postward.conf says\n"
	"  --json              one JSON object a message instead of text\n";

struct options {
	const char *user, *socket, *database;
	bool is_spam, is_json;
};

/* What one run shares; session or fd serves. */
struct school {
	const struct options *opt;
	struct pw_db_session *session;
	int fd;
	struct pw_arena *arena;
	struct pw_tokens *tokens;
};

static void school_done(struct school *school)
{
	pw_db_session_close(&school->session);
	if (school->fd >= 0)
		(void)close(school->fd);
	pw_arena_free(&school->arena);
}

static void print_outcome(const struct options *opt, const char *path,
                          struct pw_str outcome, struct pw_str reason)
{
	PW_AUTO(tool_json_put) struct json_object *json = NULL;

	if (!opt->is_json) {
		printf("%s: %.*s%s%.*s\n", path, PW_FMT(outcome),
		       reason.len > 0 ? ": " : "", PW_FMT(reason));
		return;
	}
	json = json_object_new_object();
	tool_json_add(json, "file", pw_str_from(path));
	tool_json_add(json, "outcome", outcome);
	tool_json_add(json, "reason", reason);
	tool_json_print(json);
}

/* ---- the database ---- */

static void put_digest(struct pw_buf *out, const uint8_t *digest)
{
	pw_buf_puts(out, PW_STR("\\x"));
	for (size_t i = 0; i < PW_MESSAGE_DIGEST_BYTES; i++)
		pw_buf_printf(out, "%02x", digest[i]);
}

/* Ask for it; returns the exit code. */
static int teach_message(const struct school *school, const char *path,
                         const struct pw_message *message)
{
	const struct options *opt = school->opt;
	const struct pw_field *id = pw_message_find(message, "Message-ID");
	PW_AUTO(pw_buf_done) struct pw_buf digest = { 0 }, tokens = { 0 }, name = { 0 };
	PW_AUTO(pw_db_result_free) struct pw_db_result *row = NULL;
	uint8_t bytes[PW_MESSAGE_DIGEST_BYTES];
	struct pw_str outcome;

	if (pw_message_digest(bytes, message) != PW_OK)
		return EX_OSERR;
	put_digest(&digest, bytes);
	pw_recall_put_tokens(&tokens, school->tokens);
	pw_utf8_put(&name, id != NULL ? id->text : PW_STR(""));
	row = tool_query(
		school->session,
		"SELECT outcome, reason FROM mail.bayes_learn($1, $2, 'command', "
		"$3::bytea, $4::bigint[], $5::int, $6)",
		6,
		(const char *const[]){ opt->user != NULL ? opt->user : "",
	                               opt->is_spam ? "spam" : "ham",
	                               pw_buf_text(&digest), pw_buf_text(&tokens),
	                               PW_TOKENS_VERSION_TEXT, pw_buf_text(&name) });
	if (row == NULL)
		return EX_TEMPFAIL;
	outcome = pw_db_value(row, 0, 0);
	print_outcome(opt, path, outcome, pw_db_value(row, 0, 1));
	return pw_str_eq(outcome, PW_STR("refused")) ||
	                       pw_str_eq(outcome, PW_STR("too little text"))
	               ? EXIT_PROBLEMS
	               : EXIT_FINE;
}

static int teach_database(const struct school *school, const char *path,
                          struct pw_str text)
{
	PW_AUTO(pw_message_done) struct pw_message *message = NULL;

	memset(school->tokens, 0, sizeof(*school->tokens));
	if (pw_message_read(&message, school->arena, text) != PW_OK)
		return EX_OSERR;
	pw_message_tokens(school->tokens, message, (struct pw_ip){ 0 });
	return teach_message(school, path, message);
}

/* ---- postward-score ---- */

static int cannot_reach(const char *path, int error)
{
	(void)fprintf(stderr,
	              "postwardctl learn: %s: %s; is postward-score running? Nothing was "
	              "learned\n",
	              path, strerror(error));
	return EX_TEMPFAIL;
}

static int open_socket(struct school *school)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = school->opt->socket;
	int error;

	if (strlen(path) >= sizeof(address.sun_path))
		return cannot_reach(path, ENAMETOOLONG);
	memcpy(address.sun_path, path, strlen(path) + 1);
	school->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (school->fd < 0)
		return EX_OSERR;
	error = tool_connect(school->fd, (const struct sockaddr *)&address,
	                     sizeof(address), pw_clock_mono_ms() + TOOL_TIMEOUT_MS);
	return error == 0 ? EXIT_FINE : cannot_reach(path, error);
}

static int send_all(const struct school *school, struct pw_str bytes)
{
	int64_t deadline_ms = pw_clock_mono_ms() + TOOL_TIMEOUT_MS;

	while (bytes.len > 0) {
		ssize_t n = send(school->fd, bytes.at, bytes.len, MSG_NOSIGNAL);

		if (n >= 0)
			bytes = pw_str_sub(bytes, (size_t)n, bytes.len);
		else if (errno != EAGAIN && errno != EINTR)
			return cannot_reach(school->opt->socket, errno);
		else if (!tool_wait(school->fd, POLLOUT, deadline_ms))
			return cannot_reach(school->opt->socket, ETIMEDOUT);
	}
	return EXIT_FINE;
}

static int hand_over(const struct school *school, const char *path, struct pw_str text)
{
	const struct options *opt = school->opt;
	PW_AUTO(pw_buf_done) struct pw_buf wire = { 0 };
	enum pw_status r = pw_learn_line_put(
		&wire,
		&(struct pw_learn_line){ opt->is_spam ? PW_LEARN_SPAM : PW_LEARN_HAM,
	                                 pw_str_from(opt->user), text.len });
	int code;

	if (r == PW_OK) {
		pw_buf_puts(&wire, text);
		r = pw_buf_status(&wire);
	}
	if (r != PW_OK) {
		print_outcome(opt, path, PW_STR("refused"),
		              pw_str_from(r == PW_ERR_RANGE
		                                  ? "empty, or larger than 1 MiB"
		                                  : pw_status_text(r)));
		return EXIT_PROBLEMS;
	}
	if ((code = send_all(school, pw_buf_str(&wire))) == EXIT_FINE)
		print_outcome(opt, path, PW_STR("handed over"), PW_STR(""));
	return code;
}

/* ---- messages ---- */

static int teach(const struct school *school, const char *path, struct pw_str text)
{
	int code = school->session != NULL ? teach_database(school, path, text)
	                                   : hand_over(school, path, text);

	if (code == EX_OSERR)
		(void)fprintf(stderr, "postwardctl learn: %s: %s\n", path,
		              pw_status_text(PW_ERR_NOMEM));
	return code;
}

static enum pw_status read_input(struct pw_buf *out)
{
	PW_AUTO(pw_buf_done) struct pw_buf raw = { .max = INPUT_MAX };
	char chunk[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno != EINTR)
			return PW_ERR_IO;
		if (n > 0)
			pw_buf_puts(&raw, (struct pw_str){ chunk, (size_t)n });
	}
	tool_message_put(out, pw_buf_str(&raw));
	return pw_buf_status(&raw) != PW_OK ? pw_buf_status(&raw) : pw_buf_status(out);
}

/* path NULL: standard input. */
static int teach_path(const struct school *school, const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	enum pw_status r =
		path != NULL ? tool_message_read(&text, path) : read_input(&text);
	const char *name = path != NULL ? path : "standard input";
	int code;

	if (r != PW_OK) {
		(void)fprintf(stderr, "postwardctl learn: %s: %s\n", name,
		              pw_status_text(r));
		return EXIT_PROBLEMS;
	}
	code = teach(school, name, pw_buf_str(&text));
	pw_arena_reset(school->arena);
	return code;
}

static int open_school(struct school *school, struct pw_tokens *tokens)
{
	const struct options *opt = school->opt;
	int code;

	school->tokens = tokens;
	if (pw_arena_new(&school->arena, PW_MESSAGE_ARENA_MAX) != PW_OK)
		return EX_OSERR;
	if (opt->socket != NULL) {
		if ((code = open_socket(school)) != EXIT_FINE)
			return code;
		return send_all(school, PW_STR(PW_LEARN_GREETING "\n"));
	}
	school->session = tool_database_open(opt->database, &code);
	if (school->session != NULL)
		return EXIT_FINE;
	return code == EX_UNAVAILABLE ? EX_TEMPFAIL : code;
}

static int run(const struct options *opt, int count, char **paths)
{
	static struct pw_tokens tokens;
	PW_AUTO(school_done) struct school school = { .opt = opt, .fd = -1 };
	int code = open_school(&school, &tokens);

	if (code != EXIT_FINE)
		return code;
	if (count == 0)
		return teach_path(&school, NULL);
	for (int i = 0; i < count; i++) {
		int one = teach_path(&school, paths[i]);

		if (one > EXIT_PROBLEMS)
			return one; /* the rest would fare no better */
		code = one > code ? one : code;
	}
	return code;
}

int command_learn(int argc, char **argv)
{
	struct options opt = { 0 };
	const struct tool_option options[] = {
		{ "user", .text = &opt.user },
		{ "socket", .text = &opt.socket },
		{ "database", .text = &opt.database },
		{ "json", .flag = &opt.is_json },
	};
	int operand, code;
	struct pw_str verdict;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	verdict = pw_str_from(argv[operand]);
	opt.is_spam = pw_str_eq(verdict, PW_STR("spam"));
	if ((!opt.is_spam && !pw_str_eq(verdict, PW_STR("ham"))) ||
	    (opt.socket != NULL && (opt.user == NULL || opt.database != NULL)))
		return tool_wrong_use(usage);
	return run(&opt, argc - operand - 1, argv + operand + 1);
}

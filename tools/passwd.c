/* postwardctl passwd: set a password without SQL ever seeing it in clear text; app
 * passwords, which SQL makes itself. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "core/base.h"
#include "core/str.h"
#include "tools/app_password.h"
#include "tools/command.h"
#include "tools/database.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/password.h"

#define PASSWORD_MAX_BYTES 256 /* as mail.sha512_crypt */

static const char usage[] =
	"usage: postwardctl passwd [OPTION...] USER\n"
	"Asks for the password (or reads a line of standard input) and stores its hash.\n"
	"       postwardctl passwd --app USER NAME [--protocol LIST] [--net NETWORK] "
	"[--expires DATE]\n"
	"Makes a password for one device and prints it, once.\n"
	"       postwardctl passwd --app --revoke USER NAME\n"
	"       postwardctl passwd --app --list USER\n"
	"  --protocol LIST     only for these of imap,pop3,smtp,sieve; default: all\n"
	"  --net NETWORK       only from there (192.0.2.0/24); may be given several "
	"times\n"
	"  --expires DATE      refused from then on (2027-01-31)\n"
	"  --database CONNINFO where PostgreSQL is, else of postward.conf\n"
	"  --json              say {\"ok\": true} when done, {\"password\": ...} for a "
	"new one,\n"
	"                      {\"app_passwords\": [...]} for the list\n";

struct password {
	char text[PASSWORD_MAX_BYTES + 2];
};

static void password_done(struct password *password)
{
	pw_wipe(password, sizeof(*password));
}

static struct termios terminal_before;

/* Whoever interrupts gets the terminal back with its echo. */
static void on_interrupt(int signal)
{
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
	_exit(128 + signal);
}

static void watch_interrupts(void (*handler)(int))
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = handler };

	for (size_t i = 0; i < PW_LEN(signals); i++)
		(void)sigaction(signals[i], &action, NULL);
}

/* One line without its end; false at end of file, or if it is too long or empty. The
 * bytes go nowhere but to out: stdio would keep a copy. */
static bool read_line(struct password *out)
{
	size_t len = 0;
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n') {
		if (c == '\0' || len > PASSWORD_MAX_BYTES)
			return false;
		out->text[len++] = c;
	}
	out->text[len] = '\0';
	return len > 0 && len <= PASSWORD_MAX_BYTES;
}

static bool read_hidden(struct password *out, const char *prompt)
{
	struct termios quiet;
	bool is_read;

	if (tcgetattr(STDIN_FILENO, &terminal_before) != 0)
		return false;
	quiet = terminal_before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	watch_interrupts(on_interrupt);
	(void)fputs(prompt, stderr);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	is_read = read_line(out);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
	watch_interrupts(SIG_DFL);
	(void)fputc('\n', stderr);
	return is_read;
}

static bool read_password(struct password *out)
{
	PW_AUTO(password_done) struct password again = { 0 };

	if (!isatty(STDIN_FILENO)) {
		if (read_line(out))
			return true;
		(void)fprintf(stderr,
		              "postwardctl: no password of at most %d bytes on "
		              "standard input\n",
		              PASSWORD_MAX_BYTES);
		return false;
	}
	if (!read_hidden(out, "New password: ") || !read_hidden(&again, "Once more: ")) {
		(void)fprintf(stderr, "postwardctl: nothing read\n");
		return false;
	}
	if (strcmp(out->text, again.text) == 0)
		return true;
	(void)fprintf(stderr, "postwardctl: the two differ\n");
	return false;
}

static int64_t count_letters(const char *text)
{
	int64_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* The two settings of the SQL side that a password has to meet. */
static bool load_policy(struct pw_db_session *session, int64_t *shortest_out,
                        unsigned long *rounds_out)
{
	PW_AUTO(pw_db_result_free)
	struct pw_db_result *row =
		tool_query(session,
	                   "SELECT mail.setting('password_min_length'), "
	                   "mail.setting('password_rounds')",
	                   0, NULL);

	if (row == NULL)
		return false;
	*shortest_out = pw_db_int(row, 0, 0, 0);
	*rounds_out = (unsigned long)pw_db_int(row, 0, 1, 0); /* 0: libcrypt's default */
	return true;
}

static int store(struct pw_db_session *session, const char *user,
                 const struct password *password, unsigned long rounds)
{
	char hash[TOOL_HASH_MAX];
	const char *const values[] = { user, hash };
	PW_AUTO(pw_db_result_free) struct pw_db_result *result = NULL;

	if (!tool_password_hash(hash, password->text, rounds)) {
		(void)fprintf(stderr, "postwardctl: libcrypt made no hash\n");
		return EX_OSERR;
	}
	result = tool_query(session, "SELECT mail.set_password_hash($1, $2)", 2, values);
	return result != NULL ? EXIT_FINE : EX_DATAERR;
}

static int run(const char *database, const char *user)
{
	PW_AUTO(password_done) struct password password = { 0 };
	PW_AUTO(pw_db_session_close) struct pw_db_session *session = NULL;
	unsigned long rounds;
	int64_t shortest;
	int code;

	if ((session = tool_database_open(database, &code)) == NULL)
		return code;
	if (!load_policy(session, &shortest, &rounds))
		return EX_SOFTWARE;
	if (!read_password(&password))
		return EX_DATAERR;
	if (count_letters(password.text) < shortest) {
		(void)fprintf(stderr,
		              "postwardctl: the password is too short, it needs %lld "
		              "characters\n",
		              (long long)shortest);
		return EX_DATAERR;
	}
	return store(session, user, &password, rounds);
}

static void print_done(bool is_done)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();

	json_object_object_add(json, "ok", json_object_new_boolean(is_done));
	tool_json_print(json);
}

/* What the command line says beyond the operands. */
struct passwd_options {
	struct app_password_order order;
	struct tool_texts nets;
	bool is_app, is_revoke, is_list;
};

static bool has_scope(const struct passwd_options *opt)
{
	return opt->order.protocols != NULL || opt->order.expires_at != NULL ||
	       opt->nets.count > 0;
}

/* Which operands go with which options; false for what makes no sense. */
static bool take_operands(struct passwd_options *opt, char **operands, int count)
{
	struct app_password_order *order = &opt->order;

	if (!opt->is_app && (opt->is_revoke || opt->is_list || has_scope(opt)))
		return false;
	if ((opt->is_revoke || opt->is_list) && has_scope(opt))
		return false;
	if (opt->is_revoke && opt->is_list)
		return false;
	if (count != (opt->is_app && !opt->is_list ? 2 : 1))
		return false;
	order->verb = opt->is_list     ? APP_PASSWORD_LIST
	              : opt->is_revoke ? APP_PASSWORD_REVOKE
	                               : APP_PASSWORD_ADD;
	order->user = operands[0];
	order->name = count > 1 ? operands[1] : NULL;
	order->nets = &opt->nets;
	return true;
}

int command_passwd(int argc, char **argv)
{
	struct passwd_options opt = { 0 };
	const struct tool_option options[] = {
		{ "app", .flag = &opt.is_app },
		{ "revoke", .flag = &opt.is_revoke },
		{ "list", .flag = &opt.is_list },
		{ "protocol", .text = &opt.order.protocols },
		{ "net", .texts = &opt.nets },
		{ "expires", .text = &opt.order.expires_at },
		{ "database", .text = &opt.order.database },
		{ "json", .flag = &opt.order.is_json },
	};
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), usage, argc, argv, &operand,
	                       &code))
		return code;
	if (!take_operands(&opt, argv + operand, argc - operand))
		return tool_wrong_use(usage);
	if (opt.is_app)
		return app_password_run(&opt.order);
	code = run(opt.order.database, opt.order.user);
	if (opt.order.is_json)
		print_done(code == EXIT_FINE);
	return code;
}

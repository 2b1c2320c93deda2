/* Hands chores to Dovecot: probe_chores DOVEADM_SOCKET LMTP_SOCKET, then lines of
 * standard input, fields parted by tabs:
 *
 *   kick LOGIN WHY
 *   warn LOGIN PERCENT SUBJECT TEXT
 *
 * Prints "KIND LOGIN" when one is done, ends with its input. */
#include <stdio.h>

#include "policyd/chores.h"

static void tell(void *arg, const struct chores_event *event)
{
	(void)arg;
	printf("%s %.*s\n", event->kind, PW_FMT(event->login));
	fflush(stdout);
}

static void run_line(struct chores *chores, struct pw_str line)
{
	struct pw_str word = pw_str_cut(&line, '\t'), login = pw_str_cut(&line, '\t');
	struct chores_warning warning = { .login = login };
	const int64_t mb = 1024 * 1024;

	if (pw_str_eq(word, PW_STR("kick"))) {
		chores_kick(chores, login, line);
		return;
	}
	if (pw_str_to_int64(pw_str_cut(&line, '\t'), 0, 100, &warning.percent) != PW_OK)
		return;
	warning.subject = pw_str_cut(&line, '\t');
	warning.text = line;
	warning.used_bytes = warning.percent * mb;
	warning.quota_bytes = 100 * mb;
	chores_warn(chores, &warning);
}

int main(int argc, char **argv)
{
	PW_AUTO(chores_stop) struct chores *chores = NULL;
	struct chores_config config = { NULL, NULL, tell, NULL };
	char line[4096];

	if (argc != 3)
		return 2;
	config.doveadm_socket = argv[1];
	config.lmtp_socket = argv[2];
	if (chores_start(&chores, &config) != PW_OK)
		return 1;
	while (fgets(line, sizeof(line), stdin) != NULL)
		run_line(chores, pw_str_trim(pw_str_from(line)));
	return 0;
}

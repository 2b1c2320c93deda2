/* A message of the queue that was refused, as a front end hands it over:
 *
 *     probe_hold FOLDER LISTENER DNS SENDER CLIENT HELO LOGIN CODE TEXT RCPT... <message
 *
 * CLIENT and LOGIN may be empty; a CODE of 550x3 is refused three times. Prints pass, held or
 * later of the last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/log.h"
#include "origin/fallback/hold.h"

static void write_all(struct hold *hold)
{
	char piece[1000];
	size_t n;

	while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0)
		hold_write(hold, (struct pw_str){ piece, n });
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		[HOLD_PASS] = "pass", [HOLD_HELD] = "held", [HOLD_LATER] = "later"
	};
	PW_AUTO(holds_free) struct holds *holds = NULL;
	PW_AUTO(hold_free) struct hold *hold = NULL;
	PW_AUTO(smtp_reply_done) struct smtp_reply reply = { 0 };
	struct pw_origin origin = { 0 };
	enum hold_verdict verdict;
	char *times;
	long code, left;

	if (argc < 11 || holds_new(&holds, argv[1], argv[3]) != PW_OK ||
	    hold_new(&hold, holds) != PW_OK)
		return 2;
	if (argv[5][0] && pw_ip_parse(&origin.address, pw_str_from(argv[5])) != PW_OK)
		return 2;
	origin.helo = pw_str_from(argv[6]);
	origin.login = pw_str_from(argv[7]);
	code = strtol(argv[8], &times, 10);
	left = *times == 'x' ? strtol(times + 1, NULL, 10) : 1;
	smtp_reply_set(&reply, (int)code, "5.1.1", argv[9]);
	hold_begin(hold, argv[5][0] ? &origin : NULL, (char *[]){ argv[4], NULL });
	write_all(hold);
	do
		verdict = hold_commit(hold,
		                      &(struct hold_settings){ .listener = argv[2],
		                                               .after_ms = 1000,
		                                               .hello = "mx.example.test" },
		                      "4jWmQ21hkkz1c8yk", (const char *const *)&argv[10],
		                      (size_t)(argc - 10), &reply);
	while (--left > 0);
	puts(names[verdict]);
	return 0;
}

/* probe_upstream PORT: the engine on its own, towards 127.0.0.1:PORT. Reads a command a line:
 *
 *     mail ADDRESS [PARAMETER...]    rcpts ADDRESS[,PARAMETER]... (or NUMBER, for so many)
 *     rcpt ADDRESS                   write TEXT
 *     finish                         reset
 *
 * and writes an answer a line: the verdict (ok, refused, failed), then code and text of the
 * inner's reply, or the step that failed; for rcpts first a line for each told. No origin:
 * nothing is said of a client. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "origin/engine/upstream.h"

#define WORDS_MAX 1024

static struct upstream *up;

static void say(const char *front, enum upstream_verdict verdict)
{
	static const char *const names[] = { [UPSTREAM_OK] = "ok",
		                             [UPSTREAM_REFUSED] = "refused",
		                             [UPSTREAM_FAILED] = "failed" };
	const struct smtp_reply *reply = upstream_reply(up);
	const struct upstream_failure *why = upstream_failure(up);

	if (verdict == UPSTREAM_FAILED)
		printf("%s%s %s %s%s\n", front, names[verdict], why->step,
		       pw_status_text(why->status), why->in_doubt ? " in doubt" : "");
	else
		printf("%s%s %d %s\n", front, names[verdict], reply->code,
		       pw_buf_text(&reply->text));
	fflush(stdout);
}

static void told(void *user, size_t index, enum upstream_verdict verdict)
{
	char front[32];

	(void)user;
	snprintf(front, sizeof(front), "%zu ", index);
	say(front, verdict);
}

static size_t split(char *line, char **words)
{
	size_t count = 0;

	for (char *word = strtok(line, " \n"); word && count < WORDS_MAX;
	     word = strtok(NULL, " \n"))
		words[count++] = word;
	words[count] = NULL;
	return count;
}

static void rcpts(char **words, size_t count)
{
	static char texts[WORDS_MAX][40];
	static char *argvs[WORDS_MAX][3];
	static char *const *list[WORDS_MAX];
	size_t number = count == 1 ? strtoul(words[0], NULL, 10) : 0;

	if (number > WORDS_MAX)
		number = WORDS_MAX;
	for (size_t i = 0; i < number; i++)
		snprintf(texts[i], sizeof(texts[i]), "<r%zu@example.test>", i);
	for (size_t i = 0; i < (number ? number : count); i++) {
		char *parameter = number ? NULL : strchr(words[i], ',');

		if (parameter)
			*parameter++ = '\0';
		argvs[i][0] = number ? texts[i] : words[i];
		argvs[i][1] = parameter;
		argvs[i][2] = NULL;
		list[i] = argvs[i];
	}
	say("", upstream_rcpts(up, list, number ? number : count, told, NULL));
}

static void obey(char *line)
{
	static char *words[WORDS_MAX + 1];
	struct pw_str text = pw_str_from(line);
	size_t count;

	if (pw_str_starts(text, PW_STR("write "))) {
		upstream_write(up, pw_str_sub(text, 6, text.len));
		printf("written\n");
		fflush(stdout);
		return;
	}
	if ((count = split(line, words)) == 0)
		return;
	if (strcmp(words[0], "mail") == 0)
		say("", upstream_mail(up, NULL, words + 1));
	else if (strcmp(words[0], "rcpt") == 0)
		say("", upstream_rcpt(up, words + 1));
	else if (strcmp(words[0], "rcpts") == 0)
		rcpts(words + 1, count - 1);
	else if (strcmp(words[0], "finish") == 0)
		say("", upstream_finish(up, NULL, NULL));
	else if (strcmp(words[0], "reset") == 0) {
		upstream_reset(up);
		printf("reset\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct upstream_target target = { .count = 1, .hello = "probe.test", .connect_ms = 5000,
		                          .command_ms = 5000, .dot_ms = 5000 };
	struct sockaddr_in where = { .sin_family = AF_INET };
	static char line[65536];

	if (argc != 2)
		return 2;
	where.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(&target.addresses[0].address, &where, sizeof(where));
	target.addresses[0].len = sizeof(where);
	if (upstream_new(&up, &target) != PW_OK)
		return 1;
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	upstream_free(&up);
	return 0;
}

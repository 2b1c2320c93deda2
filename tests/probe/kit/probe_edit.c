/* A milter that carries out a fixed list of header edits on every message:
 *
 *     probe_edit SOCKET {add NAME VALUE | insert INDEX NAME VALUE | delete INDEX NAME}... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit/edit.h"

#define EDITS_MAX 20

static struct kit_edit edits[EDITS_MAX];
static size_t edit_count;

static sfsistat on_eom(struct kit_session *s)
{
	return kit_apply(s, edits, edit_count) == PW_OK ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

/* Takes one edit off argv; returns how many words it was, 0 = none. */
static int take_edit(struct kit_edit *out, char **argv)
{
	if (argv[0] && strcmp(argv[0], "add") == 0 && argv[1] && argv[2]) {
		*out = (struct kit_edit){ KIT_ADD, 0, argv[1], argv[2] };
		return 3;
	}
	if (argv[0] && strcmp(argv[0], "insert") == 0 && argv[1] && argv[2] && argv[3]) {
		*out = (struct kit_edit){ KIT_INSERT, atoi(argv[1]), argv[2], argv[3] };
		return 4;
	}
	if (argv[0] && strcmp(argv[0], "delete") == 0 && argv[1] && argv[2]) {
		*out = (struct kit_edit){ KIT_DELETE, atoi(argv[1]), argv[2], NULL };
		return 3;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct kit_daemon daemon = { .program = "probe_edit",
		                     .calls = { .eom = on_eom },
		                     .actions = SMFIF_ADDHDRS | SMFIF_CHGHDRS,
		                     .drain_ms = 1000 };
	int words;

	if (argc < 2)
		return 2;
	kit_signals_block();
	daemon.socket = argv[1];
	argv += 2;
	while (edit_count < EDITS_MAX && (words = take_edit(&edits[edit_count], argv)) > 0) {
		edit_count++;
		argv += words;
	}
	return kit_run(&daemon) == PW_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

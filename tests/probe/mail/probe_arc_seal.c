/* probe_arc_seal DOMAIN SELECTOR KEYFILE TIME AUTHSERV-ID NAMES: seals the message on
 * standard input and writes the three fields, or the reason why not. The verdict about
 * the chain is taken from the message's own Authentication-Results; without one it is
 * none. */
#include <stdio.h>
#include <stdlib.h>

#include "core/header.h"
#include "mail/arc_results.h"
#include "mail/arc_seal.h"

static void must(enum pw_status r)
{
	if (r == PW_OK)
		return;
	printf("%s\n", pw_status_text(r));
	exit(1);
}

static void read_all(struct pw_buf *out, FILE *file)
{
	int c;

	while ((c = getc(file)) != EOF)
		pw_buf_putc(out, (char)c);
	must(pw_buf_status(out));
}

static struct pw_arc_sealer *feed(struct pw_arena *arena, struct pw_str message)
{
	struct pw_arc_sealer *sealer;
	struct pw_header field;

	must(pw_arc_sealer_new(&sealer, arena, 998));
	while (pw_header_next(&message, &field))
		must(pw_arc_sealer_header(sealer, field.name, field.value));
	pw_arc_sealer_body(sealer, message);
	return sealer;
}

static struct pw_dkim_key *load_key(const char *path)
{
	PW_AUTO(pw_buf_done) struct pw_buf pem = { 0 };
	FILE *file = fopen(path, "r");
	struct pw_dkim_key *key;

	if (file == NULL)
		must(PW_ERR_IO);
	read_all(&pem, file);
	(void)fclose(file);
	must(pw_dkim_key_load(&key, PW_DKIM_RSA_SHA256, pw_buf_str(&pem)));
	return key;
}

int main(int argc, char **argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf message = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf results = { 0 };
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_dkim_key_free) struct pw_dkim_key *key = NULL;
	PW_AUTO(pw_arc_sealer_free) struct pw_arc_sealer *sealer = NULL;
	struct pw_buf values[PW_ARC_KINDS] = { 0 };
	struct pw_arc_seal_as as;
	unsigned sets;

	if (argc != 7)
		return 2;
	must(pw_arena_new(&arena, 0));
	read_all(&message, stdin);
	sealer = feed(arena, pw_buf_str(&message));
	key = load_key(argv[3]);
	pw_arc_sealer_results(sealer, &results, pw_str_from(argv[5]));
	as = (struct pw_arc_seal_as){
		.domain = pw_str_from(argv[1]),
		.selector = pw_str_from(argv[2]),
		.key = key,
		.names = pw_str_from(argv[6]),
		.keeps_signature_whole = argv[6][0] != '\0',
		.results = pw_buf_str(&results),
	};
	if (!pw_arc_results_chain(as.results, &as.cv, &sets))
		as.cv = PW_ARC_NONE;
	must(pw_arc_sealer_seal(sealer, &as, values, strtoll(argv[4], NULL, 10) * 1000));
	for (size_t kind = PW_ARC_KINDS; kind-- > 0;)
		printf("%s: %s\n", pw_arc_field_name((enum pw_arc_kind)kind),
		       pw_buf_text(&values[kind]));
	for (size_t kind = 0; kind < PW_ARC_KINDS; kind++)
		pw_buf_done(&values[kind]);
	return 0;
}

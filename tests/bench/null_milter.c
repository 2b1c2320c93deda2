/* The smallest useful milter on libmilter: it keeps header and body as a signer must,
 * adds one field and does nothing else.
 *
 *     null_milter SOCKET [quiet]
 *
 * quiet: no answers but at the end of a message (SMFIP_NR_*). Runs until it is killed.
 *
 * Derived from nullmilter.c of the same author, written for the first measurements. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libmilter/mfapi.h>

struct kept {
	char *at;
	size_t len, room;
};

static bool is_quiet;

static sfsistat go_on(void)
{
	return is_quiet ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static bool keep(SMFICTX *ctx, const void *bytes, size_t len)
{
	struct kept *kept = smfi_getpriv(ctx);

	if (!kept) {
		if (!(kept = calloc(1, sizeof(*kept))))
			return false;
		(void)smfi_setpriv(ctx, kept);
	}
	if (kept->len + len > kept->room) {
		size_t room = (kept->len + len) * 2 + 4096;
		char *at = realloc(kept->at, room);

		if (!at)
			return false;
		kept->at = at;
		kept->room = room;
	}
	memcpy(kept->at + kept->len, bytes, len);
	kept->len += len;
	return true;
}

static sfsistat forget(SMFICTX *ctx)
{
	struct kept *kept = smfi_getpriv(ctx);

	if (kept) {
		free(kept->at);
		free(kept);
		(void)smfi_setpriv(ctx, NULL);
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
	(void)ctx, (void)name, (void)address;
	return go_on();
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx, (void)name;
	return go_on();
}

static sfsistat on_envelope(SMFICTX *ctx, char **argv)
{
	(void)ctx, (void)argv;
	return go_on();
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	if (!keep(ctx, name, strlen(name)) || !keep(ctx, value, strlen(value)))
		return SMFIS_TEMPFAIL;
	return go_on();
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	(void)ctx;
	return go_on();
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t len)
{
	return keep(ctx, chunk, len) ? go_on() : SMFIS_TEMPFAIL;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	static char name[] = "X-Null", value[] = "yes";

	(void)smfi_addheader(ctx, name, value);
	(void)forget(ctx);
	return SMFIS_ACCEPT;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long *actions_out, unsigned long *steps_out,
                             unsigned long *unused2_out, unsigned long *unused3_out)
{
	const unsigned long quiet = SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL |
	                            SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_EOH |
	                            SMFIP_NR_BODY;

	(void)ctx, (void)actions, (void)unused2, (void)unused3;
	*actions_out = SMFIF_ADDHDRS;
	*steps_out = steps & (SMFIP_NODATA | SMFIP_NOUNKNOWN | (is_quiet ? quiet : 0));
	*unused2_out = *unused3_out = 0;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	static char name[] = "null";
	struct smfiDesc calls = {
		.xxfi_name = name,
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_envelope,
		.xxfi_envrcpt = on_envelope,
		.xxfi_header = on_header,
		.xxfi_eoh = on_eoh,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = forget,
		.xxfi_close = forget,
		.xxfi_negotiate = on_negotiate,
	};

	if (argc < 2)
		return 2;
	is_quiet = argc > 2 && strcmp(argv[2], "quiet") == 0;
	if (smfi_register(calls) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS ||
	    smfi_setbacklog(1024) != MI_SUCCESS || smfi_opensocket(true) != MI_SUCCESS)
		return 2;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}

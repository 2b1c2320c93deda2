/* A key of the fuzz target's own, and a zone that publishes it. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/zone.h"
#include "mail/dkim_key.h"

#define SELECTOR "fuzz"

static void must(enum pw_status r)
{
	if (r != PW_OK)
		abort();
}

/* SELECTOR._domainkey.example.org; both are the caller's. */
static void make_key(struct pw_dkim_key **key, struct pw_resolver **resolver)
{
	PW_AUTO(pw_buf_done) struct pw_buf record = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	char path[] = "/tmp/postward-fuzz-XXXXXX";
	int fd;

	must(pw_dkim_key_make(key, PW_DKIM_ED25519_SHA256));
	must(pw_dkim_key_record(*key, &record));
	if ((fd = mkstemp(path)) < 0 ||
	    dprintf(fd, "{\"" SELECTOR "._domainkey.example.org\": {\"TXT\": [\"%s\"]}}",
	            pw_buf_text(&record)) < 0)
		abort();
	must(pw_zone_open(resolver, path, &why));
	close(fd);
	unlink(path);
}

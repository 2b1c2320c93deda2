/* Whatever the message: libopendkim survives it, and what we sign it accepts: its hashes
 * of header and body are ours. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/ascii.h"
#include "core/canon.h"
#include "core/header.h"
#include "mail/dkim.h"
#include "mail/dkim_sign.h"
#include "own_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FAR ((int64_t)1 << 40)

static struct pw_dkim_key *key;
static struct pw_resolver *resolver;
static struct pw_dkim_lib *lib;
static struct pw_arena *arena, *lasting;
static const struct pw_dkim_names *own_names;

static void set_up(void)
{
	if (key != NULL)
		return;
	make_key(&key, &resolver);
	must(pw_dkim_lib_new(&lib, 0));
	must(pw_arena_new(&arena, 0));
	must(pw_arena_new(&lasting, 0));
	must(pw_dkim_names_parse(&own_names, lasting, PW_STR("+ X-Mailer X-A Comments a"),
	                         PW_STR("To Date X-A Comments")));
}

/* The message with our signature on top; false if it cannot be signed, or begins with
 * what would continue that. */
static bool sign(struct pw_buf *out, struct pw_str message, size_t step,
                 const struct pw_dkim_names *names)
{
	PW_AUTO(pw_dkim_signer_free) struct pw_dkim_signer *signer = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf value = { 0 };
	struct pw_dkim_sign_as as = { .domain = PW_STR("example.org"),
		                      .selector = PW_STR(SELECTOR),
		                      .key = key,
		                      .names = names };
	struct pw_str body = message;
	struct pw_header field;

	if (message.len > 0 && pw_is_wsp(message.at[0]))
		return false;
	must(pw_dkim_signer_new(&signer, 998));
	while (pw_header_next(&body, &field))
		if (pw_dkim_signer_header(signer, field.name, field.value) != PW_OK)
			return false;
	for (size_t at = 0; at < body.len; at += step)
		must(pw_dkim_signer_body(signer, pw_str_sub(body, at, step)));
	if (pw_dkim_signer_sign(signer, &as, &value, (int64_t)time(NULL) * 1000) != PW_OK)
		return false;
	pw_canon_header_simple(out, PW_STR("DKIM-Signature"), pw_buf_str(&value));
	pw_buf_puts(out, message);
	return true;
}

static void verify(const struct pw_dkim_verdict **verdicts, size_t *count,
                   struct pw_dkim **dkim, struct pw_str message, size_t step)
{
	struct pw_header field;

	must(pw_dkim_new(dkim, lib, resolver, arena, (int64_t)time(NULL) * 1000));
	while (pw_header_next(&message, &field))
		must(pw_dkim_header(*dkim, field.name, field.value));
	must(pw_dkim_eoh(*dkim, PW_STR("example.org")));
	for (size_t at = 0; at < message.len; at += step)
		must(pw_dkim_body(*dkim, pw_str_sub(message, at, step)));
	must(pw_dkim_eom(*dkim, FAR, verdicts, count));
}

/* libopendkim refuses what has no From it can read, and C strings end at NUL. */
static bool may_be_refused(const char *reason)
{
	return strncmp(reason, "From ", 5) == 0 || strncmp(reason, "NUL ", 4) == 0 ||
	       strncmp(reason, "too many header", 15) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str message = { (const char *)data + 1, size - 1 };
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	PW_AUTO(pw_dkim_free) struct pw_dkim *dkim = NULL;
	const struct pw_dkim_verdict *verdicts;
	size_t count, step;
	bool is_signed;

	if (size < 1)
		return 0;
	set_up();
	pw_arena_reset(arena);
	step = 1 + data[0] % 61u;
	is_signed = sign(&text, message, step, data[0] & 1 ? own_names : NULL);
	verify(&verdicts, &count, &dkim, is_signed ? pw_buf_str(&text) : message,
	       1 + step / 7);
	if (is_signed && (count == 0 || (verdicts[0].result != PW_DKIM_PASS &&
	                                 !may_be_refused(verdicts[0].reason))))
		abort();
	return 0;
}

/* A key that is accepted comes out as a record that is accepted again and says the same.
 */
#include <stdlib.h>

#include "mail/dkim_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum pw_status check(struct pw_dkim_public *key, struct pw_buf *out,
                            struct pw_str text, struct pw_str algorithm)
{
	struct pw_dns_record record = { .text = text };
	struct pw_dns_answer answer = { .records = &record, .count = 1 };
	const char *reason;

	return pw_dkim_check_key(key, out, &reason, &answer, algorithm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size }, algorithm;
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf twice = { 0 };
	struct pw_dkim_public a = { 0 }, b = { 0 };

	if (size == 0 || size > PW_DNS_TXT_MAX)
		return 0;
	algorithm = data[size - 1] % 2 ? PW_STR("rsa-sha256") : PW_STR("ed25519-sha256");
	if (check(&a, &once, text, algorithm) != PW_OK)
		return 0;
	if (check(&b, &twice, pw_buf_str(&once), algorithm) != PW_OK ||
	    a.bits != b.bits || !pw_str_eq(pw_buf_str(&once), pw_buf_str(&twice)) ||
	    once.len > 1000)
		abort();
	return 0;
}

/* Property: what we write about any values is recognised as ours and as nobody else's,
 * and has no line end that a value put there. */
#include <stdlib.h>

#include "core/authres.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
	if (!claim)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pw_str us = { "mx.example.test", 15 };
	struct pw_str input = { (const char *)data, size };
	struct pw_authres_result result = { .method = PW_STR("spf"),
		                            .result = PW_STR("pass") };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };
	struct pw_str rest = input;

	(void)pw_authres_is_from(input, us);
	result.reason = pw_str_cut(&rest, '\n');
	result.properties[0].name = PW_STR("smtp.mailfrom");
	result.properties[0].value = rest.at != NULL ? rest : input;
	pw_authres_put(&out, us, &result, 1);
	must(pw_authres_is_from(pw_buf_str(&out), us));
	must(!pw_authres_is_from(pw_buf_str(&out), PW_STR("other.test")));
	for (size_t i = 0; i < out.len; i++)
		must(out.at[i] != '\r' && out.at[i] != '\0' &&
		     (out.at[i] != '\n' || out.at[i + 1] == '\t'));
	return 0;
}

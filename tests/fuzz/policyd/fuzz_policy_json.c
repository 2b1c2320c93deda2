/* What is read makes a line of the auth socket that parses to the same. */
#include <stdlib.h>

#include "policyd/policy_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(policy_json_done) struct policy_json json = { .end = 0 };
	PW_AUTO(pw_buf_done) struct pw_buf line = { 0 }, scratch = { 0 };
	struct pw_auth_line again;

	if (policy_json_read(&json, (struct pw_str){ (const char *)data, size }) != PW_OK)
		return 0;
	if (pw_auth_line_put(&line, &json.line) != PW_OK)
		abort();
	if (pw_auth_line_parse(&again, pw_str_sub(pw_buf_str(&line), 0, line.len - 1),
	                       &scratch) != PW_OK)
		abort();
	if (again.result != json.line.result || again.password != json.line.password ||
	    json.line.login.len + json.line.remote.len + json.line.service.len >
	            POLICY_JSON_MAX)
		abort();
	return 0;
}

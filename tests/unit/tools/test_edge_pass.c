/* What HAProxy and nginx are told. */
#include "../table.h"

#include <string.h>

#include "tools/edge/pass.h"

static struct row {
	const char *label;
	void (*put)(struct pw_buf *out, struct pw_ip inner);
	const char *inner, *line;
} rows[] = {
	{ "haproxy", edge_put_haproxy, "10.9.0.2",
	  "\n\tserver inner 10.9.0.2:10993 send-proxy-v2\n" },
	{ "haproxy, IPv6 inside", edge_put_haproxy, "fd00::2",
	  "\n\tserver inner [fd00::2]:10465 send-proxy-v2\n" },
	{ "haproxy, not everything is open", edge_put_haproxy, "10.9.0.2",
	  "\n#listen sieve\n#\tbind 0.0.0.0:4190\n" },
	{ "nginx", edge_put_nginx, "10.9.0.2",
	  "\n\tserver { listen 587; listen [::]:587; proxy_pass 10.9.0.2:10587; }\n" },
	{ "nginx, IPv6 inside", edge_put_nginx, "fd00::2",
	  "proxy_pass [fd00::2]:10993; }\n" },
	{ "nginx, not everything is open", edge_put_nginx, "10.9.0.2",
	  "\n\t#server { listen 995; " },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_ip inner;

	assert_int_equal(pw_ip_parse(&inner, pw_str_from(row->inner)), PW_OK);
	row->put(&text, inner);
	if (strstr(pw_buf_text(&text), row->line) == NULL)
		fail_msg("not there: %s\n%s", row->line, pw_buf_text(&text));
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows)];

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

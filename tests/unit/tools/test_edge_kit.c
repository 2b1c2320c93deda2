/* The files of postwardctl edge init: what a template becomes, and what makes no sense.
 */
#include "../table.h"

#include <string.h>

#include "io/file.h"
#include "tools/edge/kit.h"
#include "tools/edge/wireguard.h"

#define V4 "192.0.2.10"
#define V6 "2001:db8::10"

static const struct edge_keys keys = { "EDGE-KEY",     "EDGE-PUBLIC", "INNER-KEY",
	                               "INNER-PUBLIC", "SHARED",      "# STAMPS\n" };

static struct row {
	const char *label;
	const char *file; /* NULL: the wish is refused */
	const char *has;  /* text in it, or the refusal */
	const char *lacks;
	struct edge_wish wish;
} rows[] = {
	{ "the edge's end",
	  "edge/wg0.conf",
	  "Address = 10.9.0.1/32\nListenPort = 51820\nPrivateKey = EDGE-KEY\nMTU = "
	  "1420\n\n"
	  "# inner.example.org\n[Peer]\nPublicKey = INNER-PUBLIC\nPresharedKey = SHARED\n"
	  "AllowedIPs = 10.9.0.2/32\n",
	  "INNER-KEY",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "the inner end calls",
	  "inner/wg0.conf",
	  "PresharedKey = SHARED\nEndpoint = 192.0.2.10:51820\nAllowedIPs = 10.9.0.1/32\n"
	  "PersistentKeepalive = 25\n",
	  "EDGE-KEY",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "IPv6 outside",
	  "inner/wg0.conf",
	  "Endpoint = [2001:db8::10]:51820\n",
	  "@",
	  { .domain = "example.org", .endpoint = V6 } },
	{ "IPv6 in the tunnel",
	  "edge/wg0.conf",
	  "Address = fd00::1/128\n",
	  "@",
	  { .domain = "example.org",
	    .endpoint = V4,
	    .edge = "fd00::1",
	    .inner = "fd00::2" } },
	{ "and in the firewall",
	  "edge/nftables.conf",
	  "ip6 daddr fd00::2 tcp dport 25 meta skuid != \"postward_origin\" reject",
	  "@",
	  { .domain = "example.org",
	    .endpoint = V4,
	    .edge = "fd00::1",
	    .inner = "fd00::2" } },
	{ "IPv6 has no question for a clock",
	  "inner/nftables.conf",
	  "ip6 saddr fd00::1 tcp",
	  "timestamp",
	  { .domain = "example.org",
	    .endpoint = V4,
	    .edge = "fd00::1",
	    .inner = "fd00::2" } },
	{ "IPv4 has",
	  "inner/nftables.conf",
	  "iifname \"wg0\" ip saddr 10.9.0.1 icmp type timestamp-request accept\n",
	  "@clock",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "a lease of IPv6 goes on",
	  "inner/nftables.conf",
	  "ip6 saddr fe80::/10 ip6 daddr fe80::/10 udp dport 546 accept\n",
	  "@clock",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "nobody logs in",
	  "inner/nftables.conf",
	  "flags interval;\n",
	  "elements",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "but from there",
	  "inner/nftables.conf",
	  "type ipv4_addr; flags interval; elements = { 192.168.1.0/24, 10.0.0.1/32 };\n",
	  "@",
	  { .domain = "example.org",
	    .endpoint = V4,
	    .admin_count = 2,
	    .admins = { { { PW_IP_V4, { 192, 168, 1 } }, 24 },
	                { { PW_IP_V4, { 10, 0, 0, 1 } }, 32 } } } },
	{ "HAProxy asks IPv6 in brackets",
	  "edge/haproxy.cfg",
	  "server inner [fd00::2]:10993 send-proxy-v2\n",
	  "@",
	  { .domain = "example.org",
	    .endpoint = V4,
	    .edge = "fd00::1",
	    .inner = "fd00::2" } },
	{ "the edge's Postfix",
	  "edge/postfix.sh",
	  "postconf -e 'in_flow_delay = 0'\npostconf -e 'max_use = 1000'\n",
	  "smtpd_tls_cert_file",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "no queue by default",
	  "edge/postfix.sh",
	  "postscreen'\n",
	  "10027",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "no postscreen",
	  "edge/postfix.sh",
	  "postward unix",
	  "postscreen",
	  { .domain = "example.org", .endpoint = V4, .postscreen = "no" } },
	{ "a queue",
	  "edge/postfix.sh",
	  "static:HOLD",
	  "@",
	  { .domain = "example.org", .endpoint = V4, .fallback = "queue" } },
	{ "and its setting",
	  "edge/postward-origin.conf",
	  "inner = 10.9.0.2:25\ntrace_name = mx.example.org\nfallback = queue\n"
	  "hold_listener = 127.0.0.1:10027\nstamp_keys = /etc/postward/origin.keys\n",
	  "private",
	  { .domain = "example.org", .endpoint = V4, .fallback = "queue" } },
	{ "keys of stamps",
	  "edge/origin.keys",
	  "# STAMPS\n",
	  "@",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "a tunnel of public addresses",
	  "edge/postward-origin.conf",
	  "private_networks = 198.51.100.2 198.51.100.1\n",
	  "@",
	  { .domain = "example.org",
	    .endpoint = V4,
	    .edge = "198.51.100.1",
	    .inner = "198.51.100.2" } },
	{ "the inner host's Postfix",
	  "inner/postfix.sh",
	  "-o smtpd_authorized_xclient_hosts=10.9.0.1",
	  "mydestination",
	  { .domain = "example.org", .endpoint = V4 } },
	{ "names",
	  "inner/wg0.conf",
	  "# gate.example.net;",
	  "mx.",
	  { .domain = "example.org", .endpoint = V4, .hostname = "Gate.Example.NET" } },

	{ "no domain",
	  NULL,
	  "--domain: not a full domain name",
	  NULL,
	  { .domain = "org", .endpoint = V4 } },
	{ "no name",
	  NULL,
	  "--hostname: not a full domain name",
	  NULL,
	  { .domain = "example.org", .endpoint = V4, .hostname = "a b.c" } },
	{ "no address",
	  NULL,
	  "--public: not an IP address",
	  NULL,
	  { .domain = "example.org", .endpoint = "mx.example.org" } },
	{ "half a tunnel",
	  NULL,
	  "--inner-address: is missing",
	  NULL,
	  { .domain = "example.org", .endpoint = V4, .edge = "10.0.0.1" } },
	{ "two kinds",
	  NULL,
	  "two addresses of one kind",
	  NULL,
	  { .domain = "example.org",
	    .endpoint = V4,
	    .edge = "10.0.0.1",
	    .inner = "fd00::2" } },
	{ "one twice",
	  NULL,
	  "two addresses of one kind",
	  NULL,
	  { .domain = "example.org",
	    .endpoint = V4,
	    .edge = "10.0.0.1",
	    .inner = "10.0.0.1" } },
	{ "the tunnel in itself",
	  NULL,
	  "is an address of the tunnel",
	  NULL,
	  { .domain = "example.org", .endpoint = "10.9.0.1" } },
	{ "another fallback",
	  NULL,
	  "--fallback: defer or queue",
	  NULL,
	  { .domain = "example.org", .endpoint = V4, .fallback = "bounce" } },
};

static const struct edge_file *find(const char *name)
{
	for (size_t i = 0; i < EDGE_FILES; i++)
		if (strcmp(edge_files[i].name, name) == 0)
			return &edge_files[i];
	fail_msg("no such file: %s", name);
	return NULL;
}

static void check_row(void **state)
{
	const struct row *row = *state;
	struct edge_wish wish = row->wish;
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 }, template = { 0 }, why = { 0 };
	char path[4096];

	assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
	if (row->file == NULL) {
		assert_int_equal(edge_wish_check(&wish, arena, &why), PW_ERR_CONFIG);
		if (strstr(pw_buf_text(&why), row->has) == NULL)
			fail_msg("%s", pw_buf_text(&why));
		return;
	}
	assert_int_equal(edge_wish_check(&wish, arena, &why), PW_OK);
	(void)snprintf(path, sizeof(path), PW_SOURCE_DIR "/tools/edge/files/%s",
	               row->file);
	if (find(row->file)->kind == EDGE_TEMPLATE)
		assert_int_equal(pw_file_read(&template, path, 100000), PW_OK);
	assert_int_equal(edge_file_text(&text, find(row->file), pw_buf_str(&template),
	                                &wish, &keys),
	                 PW_OK);
	if (strstr(pw_buf_text(&text), row->has) == NULL)
		fail_msg("not in it: %s\n%s", row->has, pw_buf_text(&text));
	if (strstr(pw_buf_text(&text), row->lacks) != NULL &&
	    strcmp(row->lacks, "@") != 0)
		fail_msg("in it: %s\n%s", row->lacks, pw_buf_text(&text));
}

/* No @name@ is left, whatever the file. */
static void test_nothing_is_left_to_replace(void **state)
{
	(void)state;
	for (size_t i = 0; i < EDGE_FILES; i++) {
		struct edge_wish wish = { .domain = "example.org", .endpoint = V4 };
		PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
		PW_AUTO(pw_buf_done)
		struct pw_buf text = { 0 }, template = { 0 }, why = { 0 };
		char path[4096];
		struct pw_str rest;

		(void)snprintf(path, sizeof(path), PW_SOURCE_DIR "/tools/edge/files/%s",
		               edge_files[i].name);
		assert_int_equal(pw_arena_new(&arena, 0), PW_OK);
		assert_int_equal(edge_wish_check(&wish, arena, &why), PW_OK);
		if (edge_files[i].kind == EDGE_TEMPLATE)
			assert_int_equal(pw_file_read(&template, path, 100000), PW_OK);
		assert_int_equal(edge_file_text(&text, &edge_files[i],
		                                pw_buf_str(&template), &wish, &keys),
		                 PW_OK);
		rest = pw_buf_str(&text);
		while (rest.len > 0) { /* only sets of nftables have one: @admins */
			struct pw_str line = pw_str_cut(&rest, '\n');

			(void)pw_str_cut(&line, '@');
			if (pw_str_contains(line, PW_STR("@")))
				fail_msg("%s: @%.*s", edge_files[i].name, PW_FMT(line));
		}
	}
}

/* As wg(8) has them: 32 bytes, clamped, each its own. */
static void test_keys(void **state)
{
	struct edge_keys one, two;
	const char *const texts[] = { one.edge, one.edge_public, one.inner,
		                      one.inner_public, one.shared };

	(void)state;
	assert_int_equal(edge_keys_make(&one), PW_OK);
	assert_int_equal(edge_keys_make(&two), PW_OK);
	for (size_t i = 0; i < PW_LEN(texts); i++) {
		assert_int_equal(strlen(texts[i]), EDGE_WG_KEY - 1);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(texts[i], texts[k]);
	}
	assert_string_not_equal(one.edge, two.edge);
	assert_string_not_equal(one.shared, two.shared);
}

int main(void)
{
	struct CMUnitTest tests[PW_LEN(rows) + 2] = {
		[PW_LEN(rows)] = cmocka_unit_test(test_nothing_is_left_to_replace),
		[PW_LEN(rows) + 1] = cmocka_unit_test(test_keys),
	};

	PW_TABLE_TESTS(tests, 0, rows, check_row);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Addresses and networks. Properties: what parses prints to a text that parses to the
 * same and prints the same; a network holds its own address; unmapping twice is unmapping
 * once. */
#include <stdint.h>
#include <stdlib.h>

#include "core/ip.h"

static void must(bool claim)
{
	if (!claim)
		abort();
}

static void check_ip(struct pw_ip ip)
{
	PW_AUTO(pw_buf_done) struct pw_buf once = { 0 };
	PW_AUTO(pw_buf_done) struct pw_buf again = { 0 };
	struct pw_ip back;

	pw_ip_put(&once, ip);
	must(pw_ip_parse(&back, pw_buf_str(&once)) == PW_OK);
	must(pw_ip_eq(ip, back));
	pw_ip_put(&again, back);
	must(pw_str_eq(pw_buf_str(&once), pw_buf_str(&again)));
	must(pw_ip_eq(pw_ip_unmap(ip), pw_ip_unmap(pw_ip_unmap(ip))));
	must(pw_ip_cmp(ip, back) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size };
	struct pw_net net;
	struct pw_ip ip;

	if (pw_ip_parse(&ip, text) == PW_OK)
		check_ip(ip);
	if (pw_ip_from_bytes(&ip, data, size) == PW_OK)
		check_ip(ip);
	if (pw_net_parse(&net, text) == PW_OK) {
		must(net.bits <= (net.ip.family == PW_IP_V4 ? 32 : 128));
		must(pw_net_contains(&net, net.ip));
	}
	return 0;
}

/* Codes of lists: what is read fits or does not, alike each time, and never an address
 * that is no IPv4; what a code names by itself it fits. */
#include <stdlib.h>
#include <string.h>

#include "core/dns_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The lowest address that a code fits. */
static struct pw_ip lowest(const struct pw_dns_code *code)
{
	struct pw_ip ip = { .family = PW_IP_V4 };

	for (size_t i = 0; i < 4; i++) {
		uint8_t mask = code->octet[i].mask;

		ip.bytes[i] = mask != 0 ? (uint8_t)(mask & -mask) : code->octet[i].low;
	}
	return ip;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_str text = { (const char *)data, size };
	struct pw_dns_codes codes;

	if (pw_dns_codes_parse(&codes, text) != PW_OK)
		return 0;
	if (codes.count > PW_DNS_CODES_MAX)
		abort();
	for (size_t i = 0; i < codes.count; i++) {
		struct pw_ip ip = lowest(&codes.at[i]);

		if (!pw_dns_codes_match(&codes, ip))
			abort();
		ip.family = PW_IP_V6;
		if (pw_dns_codes_match(&codes, ip))
			abort();
	}
	return 0;
}

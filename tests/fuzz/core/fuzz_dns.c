/* Records from the wire: first byte is the type, the rest rdata. Properties: a host name
 * is one that can be asked for (or the root) and is free of blanks and control
 * characters; addresses have the family of their type; a TXT text is never longer than
 * its rdata. */
#include <stdint.h>
#include <stdlib.h>

#include "core/dns.h"

static void must(bool claim)
{
	if (!claim)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PW_AUTO(pw_arena_free) struct pw_arena *arena = NULL;
	struct pw_dns_record record = { 0 };
	enum pw_dns_type type;

	if (size == 0)
		return 0;
	type = (enum pw_dns_type)(data[0] % PW_DNS_TYPES);
	must(pw_arena_new(&arena, 0) == PW_OK);
	if (pw_dns_record_read(&record, arena, type,
	                       (struct pw_str){ (const char *)data + 1, size - 1 }) !=
	    PW_OK)
		return 0;
	if (type == PW_DNS_A || type == PW_DNS_AAAA)
		must(record.ip.family == (type == PW_DNS_A ? PW_IP_V4 : PW_IP_V6));
	if (type == PW_DNS_TXT)
		must(record.text.len < size && record.text.len <= PW_DNS_TXT_MAX);
	if (type == PW_DNS_MX || type == PW_DNS_PTR) {
		must(record.text.len == 0 || pw_dns_name_is_valid(record.text));
		for (size_t i = 0; i < record.text.len; i++)
			must(record.text.at[i] > ' ' && record.text.at[i] <= '~');
	}
	return 0;
}

#include "tools/resolver.h"

#include <stdio.h>
#include <sysexits.h>

struct pw_resolver *tool_resolver_open(const char *zone, const char *dns_servers,
                                       int *exit_out)
{
	PW_AUTO(pw_buf_done) struct pw_buf why = { 0 };
	struct pw_resolver *resolver = NULL;
	enum pw_status r = zone != NULL
	                           ? pw_zone_open(&resolver, zone, &why)
	                           : pw_dns_open(&resolver, pw_str_from(dns_servers));

	if (r == PW_OK)
		return resolver;
	(void)fprintf(stderr, "postwardctl: %s\n",
	              why.len > 0 ? pw_buf_text(&why) : pw_status_text(r));
	*exit_out = r == PW_ERR_SYNTAX || r == PW_ERR_CONFIG ? EX_DATAERR : EX_NOINPUT;
	return NULL;
}

#include "tools/addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "core/origin.h"

static bool read_address(struct pw_ip *out, const struct sockaddr *address)
{
	struct sockaddr_in four;
	struct sockaddr_in6 six;

	if (address == NULL)
		return false;
	if (address->sa_family == AF_INET) {
		memcpy(&four, address, sizeof(four));
		return pw_ip_from_bytes(out, &four.sin_addr, sizeof(four.sin_addr)) ==
		       PW_OK;
	}
	if (address->sa_family != AF_INET6)
		return false;
	memcpy(&six, address, sizeof(six));
	return pw_ip_from_bytes(out, &six.sin6_addr, sizeof(six.sin6_addr)) == PW_OK;
}

size_t addresses_public(struct pw_ip *out, size_t max)
{
	struct ifaddrs *all = NULL;
	size_t count = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *one = all; one != NULL && count < max;
	     one = one->ifa_next)
		if (read_address(&out[count], one->ifa_addr) &&
		    pw_origin_kind(out[count]) == PW_ORIGIN_PUBLIC)
			count++;
	freeifaddrs(all);
	return count;
}

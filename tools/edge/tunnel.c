/* The way to the inner host: is it as wide as it says, and does the host at its end have
 * the same time? */
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "io/file.h"
#include "tools/connect.h"
#include "tools/edge/icmp.h"
#include "tools/edge/look.h"

#define WIREGUARD_MTU 1420 /* 1500 less IPv6, UDP and WireGuard's own head */
#define LEAST_MTU 1280     /* passes wherever IPv6 does */
#define SMALL_BYTES 100
#define ECHO_MS 4000
#define SKEW_MS 30000
#define DISCARD 9 /* a port to name, nothing is sent there */

/* ---- judgements ---- */

static void cure_mtu(struct check_report *report, const char *device)
{
	check_cure(report,
	           "on both hosts: sed -i 's/^MTU = .*/MTU = %d/' "
	           "/etc/wireguard/%s.conf && wg-quick down %s && wg-quick up %s",
	           LEAST_MTU, device, device, device);
}

void judge_tunnel(struct check_report *report, const char *device, int mtu,
                  bool is_wireguard, int small, int whole)
{
	if (is_wireguard && mtu > WIREGUARD_MTU) {
		check_warning(report,
		              "%s has packets of %d bytes, WireGuard has room for %d",
		              device, mtu, WIREGUARD_MTU);
		check_cure(report, "ip link set %s mtu %d", device, WIREGUARD_MTU);
	}
	if (small == ICMP_ANSWERED && whole == ICMP_SILENT) {
		check_error(report,
		            "%s: packets of %d bytes do not come through, small ones do: "
		            "mail hangs in the tunnel",
		            device, mtu);
		cure_mtu(report, device);
	} else if (small == ICMP_SILENT) {
		check_skip(report, "the inner host answers no echo");
	} else if (small == ICMP_IMPOSSIBLE) {
		check_blind(report, "no echo may be sent");
		check_cure(report, "sudo postwardctl edge check");
	}
}

void judge_skew(struct check_report *report, int64_t ahead_ms)
{
	if (ahead_ms <= SKEW_MS && ahead_ms >= -SKEW_MS)
		return;
	check_warning(report, "the inner host's clock is %" PRId64 " s %s this one's",
	              (ahead_ms < 0 ? -ahead_ms : ahead_ms) / 1000,
	              ahead_ms < 0 ? "behind" : "ahead of");
	check_cure(report, "on both hosts: timedatectl set-ntp true");
}

/* ---- facts ---- */

/* The address this host has on the way there: no packet is sent for that. */
static bool own_address(int fd, struct pw_ip ip, struct pw_ip *out)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = tool_address(&address, ip, DISCARD);
	struct sockaddr_in four;
	struct sockaddr_in6 six;

	if (connect(fd, (const struct sockaddr *)&address, len) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return false;
	if (address.ss_family == AF_INET) {
		memcpy(&four, &address, sizeof(four));
		return pw_ip_from_bytes(out, &four.sin_addr, 4) == PW_OK;
	}
	memcpy(&six, &address, sizeof(six));
	return pw_ip_from_bytes(out, &six.sin6_addr, 16) == PW_OK;
}

static bool has_address(const struct ifaddrs *one, struct pw_ip ip)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = tool_address(&address, ip, 0);

	if (one->ifa_addr == NULL || one->ifa_addr->sa_family != address.ss_family)
		return false;
	if (len == sizeof(struct sockaddr_in)) {
		struct sockaddr_in there;

		memcpy(&there, one->ifa_addr, sizeof(there));
		return memcmp(&there.sin_addr, ip.bytes, 4) == 0;
	}
	struct sockaddr_in6 there;

	memcpy(&there, one->ifa_addr, sizeof(there));
	return memcmp(&there.sin6_addr, ip.bytes, 16) == 0;
}

static bool find_device(struct pw_ip own, char name_out[IFNAMSIZ])
{
	struct ifaddrs *all = NULL;
	bool is_found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (const struct ifaddrs *one = all; one != NULL && !is_found;
	     one = one->ifa_next) {
		is_found = has_address(one, own);
		if (is_found)
			(void)snprintf(name_out, IFNAMSIZ, "%s", one->ifa_name);
	}
	freeifaddrs(all);
	return is_found;
}

static int mtu_of(int fd, const char *name)
{
	struct ifreq request = { 0 };

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
}

/* The kernel's says so itself; of others the name has to do. */
static bool is_wireguard(const char *name)
{
	PW_AUTO(pw_buf_done) struct pw_buf path = { 0 }, text = { 0 };

	pw_buf_printf(&path, "/sys/class/net/%s/uevent", name);
	return strncmp(name, "wg", 2) == 0 ||
	       (pw_file_read(&text, pw_buf_text(&path), 4096) == PW_OK &&
	        pw_str_contains(pw_buf_str(&text), PW_STR("DEVTYPE=wireguard")));
}

static bool look_at_device(struct pw_ip inner, char name_out[IFNAMSIZ], int *mtu_out)
{
	int fd = socket(inner.family == PW_IP_V6 ? AF_INET6 : AF_INET,
	                SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pw_ip own;
	bool is_found = fd >= 0 && own_address(fd, inner, &own) &&
	                find_device(own, name_out) &&
	                (*mtu_out = mtu_of(fd, name_out)) > 0;

	if (fd >= 0)
		(void)close(fd);
	return is_found;
}

void edge_look_tunnel(struct check_report *report, const struct check_context *context)
{
	char name[IFNAMSIZ] = "";
	struct pw_ip inner;
	unsigned int port;
	int mtu = 0;

	(void)context;
	if (!edge_inner(report, &inner, &port))
		return;
	if (!look_at_device(inner, name, &mtu)) {
		check_error(report, "there is no way to the inner host");
		check_cure(report, "systemctl enable --now wg-quick@wg0");
		return;
	}
	judge_tunnel(report, name, mtu, is_wireguard(name),
	             (int)icmp_echo(inner, SMALL_BYTES, ECHO_MS),
	             (int)icmp_echo(inner, (size_t)mtu, ECHO_MS));
}

void edge_look_clock(struct check_report *report, const struct check_context *context)
{
	int64_t ahead_ms = 0;
	struct pw_ip inner;
	unsigned int port;

	(void)context;
	if (!edge_inner(report, &inner, &port))
		return;
	switch (icmp_clock(inner, ECHO_MS, &ahead_ms)) {
	case ICMP_ANSWERED:
		judge_skew(report, ahead_ms);
		break;
	case ICMP_IMPOSSIBLE:
		if (inner.family == PW_IP_V4) {
			check_blind(report, "the clock may not be asked for");
			check_cure(report, "sudo postwardctl edge check");
			break;
		}
		check_skip(report, "IPv6 has no question for a clock");
		break;
	case ICMP_SILENT:
	case ICMP_TOO_BIG:
	default:
		check_skip(report, "the inner host does not tell its time");
		break;
	}
}

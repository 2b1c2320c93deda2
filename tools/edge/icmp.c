#include "tools/edge/icmp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "tools/connect.h"

#define PACKET_MAX 65536
#define V4_BYTES 20
#define V6_BYTES 40
#define ICMP_BYTES 8
#define STAMPS_BYTES 20
#define DAY_MS INT64_C(86400000)
#define TRIES 2
#define NOT_OF_UT UINT32_C(0x80000000) /* the time is another one, RFC 792 */

struct question {
	int fd;
	struct pw_ip ip;
	uint16_t id;
	unsigned char bytes[PACKET_MAX];
	size_t len;
	size_t answer_len;
};

static uint16_t checksum(const unsigned char *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (len % 2 == 1)
		sum += (uint32_t)bytes[len - 1] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(unsigned char *at, uint16_t n)
{
	at[0] = (unsigned char)(n >> 8);
	at[1] = (unsigned char)n;
}

static void put32(unsigned char *at, uint32_t n)
{
	put16(at, (uint16_t)(n >> 16));
	put16(at + 2, (uint16_t)n);
}

static uint32_t get32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	       at[3];
}

static bool open_socket(struct question *q, struct pw_ip ip)
{
	bool is_v6 = ip.family == PW_IP_V6;
	int whole = is_v6 ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO;

	memset(q, 0, sizeof(*q));
	q->ip = ip;
	q->id = (uint16_t)getpid();
	q->fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC,
	               is_v6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
	if (q->fd < 0)
		return false;
	return setsockopt(q->fd, is_v6 ? (int)IPPROTO_IPV6 : (int)IPPROTO_IP,
	                  is_v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &whole,
	                  sizeof(whole)) == 0;
}

static ssize_t send_question(struct question *q)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = tool_address(&address, q->ip, 0);

	/* of IPv6 the kernel does it, which knows the address it sends from */
	if (q->ip.family == PW_IP_V4) {
		put16(q->bytes + 2, 0);
		put16(q->bytes + 2, checksum(q->bytes, q->len));
	}
	return sendto(q->fd, q->bytes, q->len, 0, (const struct sockaddr *)&address, len);
}

/* Is it the answer? Its ICMP part is moved to the front then. Every raw socket hears
 * everything. */
static bool is_answer(struct question *q, size_t len, unsigned char type, uint16_t turn)
{
	size_t head = q->ip.family == PW_IP_V4 ? (size_t)(q->bytes[0] & 15) * 4 : 0;
	const unsigned char *icmp = q->bytes + head;

	if (len < head + ICMP_BYTES || icmp[0] != type ||
	    ((uint16_t)icmp[4] << 8 | icmp[5]) != q->id ||
	    ((uint16_t)icmp[6] << 8 | icmp[7]) != turn)
		return false;
	q->answer_len = len - head;
	memmove(q->bytes, icmp, q->answer_len);
	return true;
}

static bool wait_for_answer(struct question *q, unsigned char type, uint16_t turn,
                            int64_t deadline_ms)
{
	for (;;) {
		struct pollfd one = { .fd = q->fd, .events = POLLIN };
		int64_t left = deadline_ms - pw_clock_mono_ms();
		ssize_t n;

		if (left <= 0 || poll(&one, 1, (int)left) <= 0)
			return false;
		n = recv(q->fd, q->bytes, sizeof(q->bytes), MSG_DONTWAIT);
		if (n > 0 && is_answer(q, (size_t)n, type, turn))
			return true;
	}
}

static enum icmp_result failure(int error)
{
	if (error == EMSGSIZE)
		return ICMP_TOO_BIG;
	return error == ENETUNREACH || error == EHOSTUNREACH ? ICMP_SILENT
	                                                     : ICMP_IMPOSSIBLE;
}

static enum icmp_result echo(struct question *q, size_t len, int64_t timeout_ms)
{
	bool is_v6 = q->ip.family == PW_IP_V6;
	unsigned char ask = is_v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	unsigned char answer = is_v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;

	for (uint16_t turn = 1; turn <= TRIES; turn++) {
		memset(q->bytes, 0, len);
		q->bytes[0] = ask;
		put16(q->bytes + 4, q->id);
		put16(q->bytes + 6, turn);
		q->len = len;
		if (send_question(q) < 0)
			return failure(errno);
		if (wait_for_answer(q, answer, turn,
		                    pw_clock_mono_ms() + timeout_ms / TRIES))
			return q->answer_len == len ? ICMP_ANSWERED : ICMP_SILENT;
	}
	return ICMP_SILENT;
}

enum icmp_result icmp_echo(struct pw_ip ip, size_t packet_bytes, int64_t timeout_ms)
{
	static struct question q;
	size_t head = ip.family == PW_IP_V6 ? V6_BYTES : V4_BYTES;
	enum icmp_result result = ICMP_IMPOSSIBLE;

	if (packet_bytes < head + ICMP_BYTES || packet_bytes > PACKET_MAX)
		return ICMP_IMPOSSIBLE;
	if (open_socket(&q, ip))
		result = echo(&q, packet_bytes - head, timeout_ms);
	if (q.fd >= 0)
		(void)close(q.fd);
	return result;
}

static int64_t of_day(int64_t wall_ms)
{
	return wall_ms % DAY_MS;
}

int64_t icmp_ahead(int64_t sent_ms, int64_t theirs_ms, int64_t heard_ms)
{
	int64_t turn_ms = (heard_ms - sent_ms + DAY_MS) % DAY_MS;
	int64_t ahead_ms = theirs_ms - sent_ms - turn_ms / 2;

	while (ahead_ms > DAY_MS / 2)
		ahead_ms -= DAY_MS;
	while (ahead_ms < -DAY_MS / 2)
		ahead_ms += DAY_MS;
	return ahead_ms;
}

enum icmp_result icmp_clock(struct pw_ip ip, int64_t timeout_ms, int64_t *ahead_ms_out)
{
	static struct question q;
	enum icmp_result result = ICMP_IMPOSSIBLE;
	int64_t sent_ms = of_day(pw_clock_wall_ms());

	if (ip.family != PW_IP_V4)
		return ICMP_IMPOSSIBLE;
	if (open_socket(&q, ip)) {
		q.bytes[0] = ICMP_TIMESTAMP;
		put16(q.bytes + 4, q.id);
		put32(q.bytes + ICMP_BYTES, (uint32_t)sent_ms);
		q.len = STAMPS_BYTES;
		if (send_question(&q) < 0)
			result = failure(errno);
		else
			result = wait_for_answer(&q, ICMP_TIMESTAMPREPLY, 0,
			                         pw_clock_mono_ms() + timeout_ms)
			                 ? ICMP_ANSWERED
			                 : ICMP_SILENT;
	}
	if (q.fd >= 0)
		(void)close(q.fd);
	if (result != ICMP_ANSWERED)
		return result;
	if (q.answer_len < STAMPS_BYTES ||
	    (get32(q.bytes + ICMP_BYTES + 8) & NOT_OF_UT) != 0)
		return ICMP_SILENT;
	*ahead_ms_out = icmp_ahead(sent_ms, (int64_t)get32(q.bytes + ICMP_BYTES + 8),
	                           of_day(pw_clock_wall_ms()));
	return ICMP_ANSWERED;
}

/* A forged PROXY line on the public ports: whoever takes it believes every stranger. */
#include <openssl/ssl.h>

#include "io/clock.h"
#include "tools/addresses.h"
#include "tools/edge/look.h"
#include "tools/edge/talk.h"

#define BANNER_MS 8000 /* postscreen lets new clients wait 6 s, after its first line */
#define ANSWER_MS 3000
#define GREETING '2' /* of 220 */
#define HANDSHAKE 22 /* first byte of TLS's answer, RFC 8446 5.1 */

static const struct door {
	unsigned int port;
	bool is_tls;
} doors[] = {
	{ 25, false }, { 465, true }, { 587, false }, { 993, true }, { 995, true },
};

static void put_forged(struct pw_buf *out, struct pw_ip ip, unsigned int port)
{
	bool is_v6 = ip.family == PW_IP_V6;

	pw_buf_printf(out, "PROXY %s %s ", is_v6 ? "TCP6" : "TCP4",
	              is_v6 ? "::1" : "127.0.0.1");
	pw_ip_put(out, ip);
	pw_buf_printf(out, " 40000 %u\r\n", port);
}

/* The first bytes of a TLS client. */
static bool put_client_hello(struct pw_buf *out)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = context != NULL ? SSL_new(context) : NULL;
	BIO *in = BIO_new(BIO_s_mem()), *sent = BIO_new(BIO_s_mem());
	char bytes[2048];
	int n = 0;

	if (ssl != NULL && in != NULL && sent != NULL) {
		SSL_set_bio(ssl, in, sent); /* its own from now on */
		(void)SSL_connect(ssl);
		n = BIO_read(sent, bytes, sizeof(bytes));
	} else {
		BIO_free(in);
		BIO_free(sent);
	}
	if (n > 0)
		pw_buf_puts(out, (struct pw_str){ bytes, (size_t)n });
	SSL_free(ssl);
	SSL_CTX_free(context);
	return n > 0;
}

/* The first byte that comes; 0 = none did. */
static int first_byte(struct talk *t, int64_t deadline_ms)
{
	char byte;
	ssize_t n;

	t->deadline_ms = deadline_ms;
	if (!talk_wait(t))
		return 0;
	n = recv(t->fd, &byte, 1, 0);
	return n == 1 ? (unsigned char)byte : 0;
}

static int64_t soon(const struct check_context *context, int64_t ms)
{
	int64_t end = pw_clock_mono_ms() + ms;

	return end < context->deadline_ms ? end : context->deadline_ms;
}

/* What is said to a port, and the first byte of the answer; 0 also where nobody listens.
 */
static int ask(const struct check_context *context, struct pw_ip ip, unsigned int port,
               struct pw_str words, int64_t ms)
{
	struct talk t;
	int error, byte = 0;

	if (!talk_open(&t, ip, port, soon(context, ANSWER_MS), &error))
		return 0;
	if (talk_send(&t, words))
		byte = first_byte(&t, soon(context, ms));
	talk_close(&t);
	return byte;
}

static bool is_reached(const struct check_context *context, struct pw_ip ip,
                       unsigned int port)
{
	struct talk t;
	int error;

	if (!talk_open(&t, ip, port, soon(context, ANSWER_MS), &error))
		return false;
	talk_close(&t);
	return true;
}

/* TLS answers nothing but TLS: a line in front of it ends the connection, unless somebody
 * reads that line. */
static bool takes_in_front_of_tls(const struct check_context *context, struct pw_ip ip,
                                  unsigned int port, struct pw_str hello)
{
	PW_AUTO(pw_buf_done) struct pw_buf words = { 0 };

	put_forged(&words, ip, port);
	pw_buf_puts(&words, hello);
	return ask(context, ip, port, pw_buf_str(&words), ANSWER_MS) == HANDSHAKE;
}

/* Who greets of his own accord waits for no such line. */
static bool takes_in_silence(const struct check_context *context, struct pw_ip ip,
                             unsigned int port)
{
	PW_AUTO(pw_buf_done) struct pw_buf words = { 0 };

	if (!is_reached(context, ip, port) ||
	    ask(context, ip, port, PW_STR(""), BANNER_MS) == GREETING)
		return false;
	put_forged(&words, ip, port);
	return ask(context, ip, port, pw_buf_str(&words), ANSWER_MS) == GREETING;
}

void edge_look_public(struct check_report *report, const struct check_context *context)
{
	PW_AUTO(pw_buf_done) struct pw_buf hello = { 0 };
	struct pw_ip own[ADDRESSES_MAX];
	size_t count = addresses_public(own, ADDRESSES_MAX);

	if (count == 0) {
		check_skip(report, "this host has no public address of its own");
		return;
	}
	if (!put_client_hello(&hello)) {
		check_blind(report, "TLS cannot be spoken here");
		return;
	}
	for (size_t i = 0; i < count * PW_LEN(doors); i++) {
		const struct door *door = &doors[i % PW_LEN(doors)];
		struct pw_ip ip = own[i / PW_LEN(doors)];
		PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };

		if (!(door->is_tls ? takes_in_front_of_tls(context, ip, door->port,
		                                           pw_buf_str(&hello))
		                   : takes_in_silence(context, ip, door->port)))
			continue;
		pw_ip_put(&text, ip);
		check_error(report,
		            "%s port %u believes a forged PROXY line: every stranger "
		            "says who he is",
		            pw_buf_text(&text), door->port);
		if (door->port == 25)
			check_cure(report,
			           "postconf -X postscreen_upstream_proxy_protocol "
			           "smtpd_upstream_proxy_protocol && postfix reload");
		else
			check_cure(report, "postwardctl edge pass haproxy "
			                   ">/etc/haproxy/haproxy.cfg && systemctl "
			                   "restart haproxy");
	}
}

#include "tools/edge/pass.h"

#include <stdio.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/edge/verbs.h"
#include "tools/options.h"
#include "tools/settings_file.h"
#include "tools/setup/wish.h"

const char edge_pass_usage[] =
	"usage: postwardctl edge pass haproxy|nginx [--inner ADDRESS]\n"
	"Prints the settings with which HAProxy, or nginx, passes submission and IMAP "
	"on\n"
	"from the edge host to the inner one, the client's address in front.\n"
	"  --inner ADDRESS  the inner host on the VPN; default: what setup was told\n";

/* clang-format off */
static const struct port {
	const char *name;
	unsigned int number;
	bool is_off; /* written as a comment */
} ports[] = {
	{ "submissions", 465,  false },
	{ "submission",  587,  false },
	{ "imaps",       993,  false },
	{ "pop3s",       995,  true  },
	{ "sieve",       4190, true  },
};
/* clang-format on */

#define ABOUT                                                                            \
	"# Made by postwardctl edge. Submission and IMAP: bytes pass as they are, TLS "  \
	"and passwords\n"                                                                \
	"# end on the inner host. In front of them goes the client's address (PROXY "    \
	"protocol), to\n"                                                                \
	"# listeners that are for this host alone. docs/edge-users.md says more.\n"

/* Timeouts: IMAP clients are silent for half an hour (RFC 2177). 100 connections are more
 * than one household has, and few enough for the inner host's login processes. */
static const char haproxy_head[] =
	ABOUT "#\n"
	      "# /etc/haproxy/haproxy.cfg; apt install haproxy\n"
	      "\n"
	      "global\n"
	      "\tuser haproxy\n"
	      "\tgroup haproxy\n"
	      "\tlog stdout format raw daemon info\n"
	      "\n"
	      "defaults\n"
	      "\tmode tcp\n"
	      "\tlog global\n"
	      "\toption tcplog\n"
	      "\toption dontlognull\n"
	      "\toption clitcpka\n"
	      "\toption srvtcpka\n"
	      "\ttimeout connect 5s\n"
	      "\ttimeout client 35m\n"
	      "\ttimeout server 35m\n"
	      "\n"
	      "# most connections of one client at once\n"
	      "backend clients\n"
	      "\tstick-table type ipv6 size 100k expire 1h store conn_cur\n";

static const char nginx_head[] =
	ABOUT "#\n"
	      "# /etc/nginx/modules-enabled/90-postward.conf, read outside of http { };\n"
	      "# apt install nginx libnginx-mod-stream\n"
	      "\n"
	      "stream {\n"
	      "\tproxy_protocol on;\n"
	      "\tproxy_connect_timeout 5s;\n"
	      "\tproxy_timeout 35m;\n"
	      "\tproxy_socket_keepalive on;\n"
	      "\t# most connections of one client at once\n"
	      "\tlimit_conn_zone $binary_remote_addr zone=clients:10m;\n"
	      "\tlimit_conn clients 100;\n";

static void put_target(struct pw_buf *out, struct pw_ip inner, unsigned int port)
{
	bool is_v6 = inner.family == PW_IP_V6;

	if (is_v6)
		pw_buf_putc(out, '[');
	pw_ip_put(out, inner);
	pw_buf_printf(out, "%s:%u", is_v6 ? "]" : "", port + EDGE_PASS_PORTS);
}

static void put_haproxy_port(struct pw_buf *out, const struct port *port,
                             struct pw_ip inner)
{
	const char *off = port->is_off ? "#" : "";

	pw_buf_printf(out,
	              "\n%slisten %s\n"
	              "%s\tbind 0.0.0.0:%u\n"
	              "%s\tbind [::]:%u v6only\n"
	              "%s\ttcp-request connection track-sc0 src table clients\n"
	              "%s\ttcp-request connection reject if { sc0_conn_cur gt 100 }\n"
	              "%s\tserver inner ",
	              off, port->name, off, port->number, off, port->number, off, off,
	              off);
	put_target(out, inner, port->number);
	pw_buf_puts(out, PW_STR(" send-proxy-v2\n"));
}

static void put_nginx_port(struct pw_buf *out, const struct port *port,
                           struct pw_ip inner)
{
	pw_buf_printf(out, "\t%sserver { listen %u; listen [::]:%u; proxy_pass ",
	              port->is_off ? "#" : "", port->number, port->number);
	put_target(out, inner, port->number);
	pw_buf_puts(out, PW_STR("; }\n"));
}

void edge_put_haproxy(struct pw_buf *out, struct pw_ip inner)
{
	pw_buf_puts(out, PW_STR(haproxy_head));
	for (size_t i = 0; i < PW_LEN(ports); i++)
		put_haproxy_port(out, &ports[i], inner);
}

void edge_put_nginx(struct pw_buf *out, struct pw_ip inner)
{
	pw_buf_puts(out, PW_STR(nginx_head));
	for (size_t i = 0; i < PW_LEN(ports); i++)
		put_nginx_port(out, &ports[i], inner);
	pw_buf_puts(out, PW_STR("}\n"));
}

/* ---- the verb */

static int fail(int code, const char *what, const char *value)
{
	(void)fprintf(stderr, "postwardctl edge pass: %s: %s\n", what, value);
	return code;
}

static int print(void (*put)(struct pw_buf *out, struct pw_ip inner), const char *address)
{
	PW_AUTO(pw_buf_done) struct pw_buf text = { 0 };
	struct pw_ip inner;

	if (pw_ip_parse(&inner, pw_str_from(address)) != PW_OK)
		return fail(EXIT_WRONG_USE, "--inner: not an IP address", address);
	put(&text, inner);
	if (pw_buf_status(&text) != PW_OK)
		return EX_OSERR;
	(void)fputs(pw_buf_text(&text), stdout);
	return fflush(stdout) == 0 ? EXIT_FINE : EX_IOERR;
}

int edge_pass(int argc, char **argv)
{
	PW_AUTO(pw_buf_done) struct pw_buf peer = { 0 };
	const char *inner = NULL;
	const struct tool_option options[] = { { "inner", .text = &inner } };
	struct pw_str program;
	int operand, code;

	if (!tool_options_take(options, PW_LEN(options), edge_pass_usage, argc, argv,
	                       &operand, &code))
		return code;
	if (operand != argc - 1)
		return tool_wrong_use(edge_pass_usage);
	if (inner == NULL) {
		settings_file_value_of(&peer, SETUP_CONF, "peer", "");
		inner = pw_buf_text(&peer);
	}
	program = pw_str_from(argv[operand]);
	if (pw_str_eq(program, PW_STR("haproxy")))
		return print(edge_put_haproxy, inner);
	if (pw_str_eq(program, PW_STR("nginx")))
		return print(edge_put_nginx, inner);
	return tool_wrong_use(edge_pass_usage);
}

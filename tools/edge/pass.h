/* What users send to the edge host's public ports is passed on to the inner host byte by
 * byte: TLS and passwords end there. In front of the bytes stands the client's address
 * (PROXY protocol), for listeners of the inner host that are for the edge alone. Pure. */
#pragma once

#include "core/buf.h"
#include "core/ip.h"

/* A public port's listener on the inner host has this number more. */
#define EDGE_PASS_PORTS 10000

/* A whole haproxy.cfg, and a whole file for nginx.
 *
 * inner  address of the inner host on the VPN */
void edge_put_haproxy(struct pw_buf *out, struct pw_ip inner);
void edge_put_nginx(struct pw_buf *out, struct pw_ip inner);

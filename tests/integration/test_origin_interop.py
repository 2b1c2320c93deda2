"""postward-origin among others: an edge Postfix behind HAProxy or nginx (PROXY protocol), an inner host of
Mailcow's shape, rspamd inside. What is known inside is the true client, each time."""
import socket

import pytest
from origin_bed import EDGE_LINK, INNER_LINK, NAMESERVER, SENDER, SENDER6, OriginBed
from stack.clients import SmtpClient, last_reply, message
from stack.passing import Haproxy, Nginx
from stack.rspamd import Rspamd, root

ANN = "ann@example.test"
FRONT, FRONT6, STRANGER = "198.51.100.26", "2001:db8::26", "203.0.113.99"
SMTPD, POSTSCREEN = 2526, 2527  # of the edge's Postfix, on loopback, with PROXY protocol


@pytest.fixture(scope="module")
def bed():
    with OriginBed() as running:
        running.edge_ns.address("pub", f"{FRONT}/24", f"{FRONT6}/64")
        behind = "smtpd_upstream_proxy_protocol=haproxy"
        services(running.edge, f"127.0.0.1:{SMTPD} inet n - y - - smtpd -o {behind}",
                 f"127.0.0.1:{POSTSCREEN} inet n - y - 1 postscreen -o post{behind.replace('smtpd', 'screen')}"
                 " -o postscreen_greet_wait=1s", "smtpd pass - - y - - smtpd",
                 "dnsblog unix - - y - 0 dnsblog", "tlsproxy unix - - y - 0 tlsproxy")
        yield running


def services(postfix, *lines):
    for line in lines:
        name, kind = line.split()[:2]
        postfix.postconf("-M", f"{name}/{kind}={line}")
    postfix.reload()


class Front:
    """Public ports 25 and 2525 of the edge, in front of its smtpd and its postscreen."""

    PORTS = {"smtpd": (25, SMTPD), "postscreen": (2525, POSTSCREEN)}

    def _is_up(self):
        return f"{FRONT}:2525" in self.ns.run("ss", "-Hltn")


class FrontHaproxy(Front, Haproxy):
    def _text(self, inner):
        head = self._printed(inner).split("\nlisten ")[0]
        send = "send-proxy-v2" if self.version == 2 else "send-proxy"
        return head + "".join(f"\nlisten {name}\n\tbind {FRONT}:{port}\n\tbind [{FRONT6}]:{port}\n"
                              f"\tserver edge 127.0.0.1:{target} {send}\n"
                              for name, (port, target) in self.PORTS.items())


class FrontNginx(Front, Nginx):
    def _text(self, inner):
        text = super()._text(inner)
        servers = "".join(f"\tserver {{ listen {FRONT}:{port}; listen [{FRONT6}]:{port};"
                          f" proxy_pass 127.0.0.1:{target}; }}\n" for port, target in self.PORTS.values())
        return text[:text.index("\tserver {")] + servers + "}\n"


WAYS = {"haproxy-v1": (FrontHaproxy, 1), "haproxy-v2": (FrontHaproxy, 2), "nginx-v1": (FrontNginx, 1)}


@pytest.fixture(params=WAYS)
def front(request, bed):
    program, version = WAYS[request.param]
    if not program.is_installed():
        pytest.skip(f"{program.name} is not installed")
    with program(bed.root / request.node.name, bed.edge_ns, INNER_LINK, version=version) as running:
        yield running


def send(bed, client, marker):
    """One message; the inner Postfix's client= line of it."""
    text = message("stranger@sender.test", ANN, subject=marker, message_id=f"{marker}@sender.test")
    reply = last_reply(client.send("stranger@sender.test", [ANN], text))
    assert reply.code == 250, reply
    bed.delivered("ann", marker)
    cleanup = bed.inner.lines(f"message-id=<{marker}@sender.test>")[-1]
    return bed.inner.lines(cleanup.split(": ")[1] + ": client=")[-1]


@pytest.mark.parametrize("service", Front.PORTS)
@pytest.mark.parametrize("source", [SENDER, SENDER6], ids=["v4", "v6"])
def test_an_edge_behind_a_proxy_tells_the_true_client(bed, front, service, source, request):
    host = FRONT6 if ":" in source else FRONT
    with SmtpClient(bed.net, host, Front.PORTS[service][0], source=source) as client:
        line = send(bed, client, request.node.name.translate(str.maketrans("[]", "--")))
    assert f"client=mail.sender.test[{source}]" in line


@pytest.mark.parametrize("service", Front.PORTS)
def test_a_forged_line_in_front_changes_nothing(bed, front, service):
    """It comes behind the proxy's own, and is no SMTP."""
    with bed.net.enter():
        plain = socket.create_connection((FRONT, Front.PORTS[service][0]), 30, (SENDER, 0))
    with plain, plain.makefile("rb") as lines:
        plain.sendall(f"PROXY TCP4 {STRANGER} {FRONT} 4000 25\r\n".encode())
        plain.sendall(b"EHLO liar.sender.test\r\nMAIL FROM:<liar@sender.test>\r\nRCPT TO:<ann@example.test>\r\nQUIT\r\n")
        replies = lines.readlines()
    assert [r for r in replies if r[:1] in (b"4", b"5")], replies
    assert not bed.inner.lines(f"[{STRANGER}]") and not bed.edge.lines(f"client=unknown[{STRANGER}]")
    assert not bed.edge.lines("connect from", f"[{STRANGER}]")


# an inner host of Mailcow's shape

@pytest.fixture(scope="module")
def mailcow():
    """postscreen on port 25, the smtpd behind it takes no logins, and for the edge a listener of its own."""
    with OriginBed() as running:
        running.origin.stop()  # its connections in store would keep processes of before
        running.inner.postconf("-MX", f"{INNER_LINK}:smtp/inet")
        services(running.inner, f"{INNER_LINK}:smtp inet n - y - 1 postscreen -o postscreen_greet_wait=1s",
                 "smtpd pass - - y - - smtpd -o smtpd_sasl_auth_enable=no",
                 "dnsblog unix - - y - 0 dnsblog", "tlsproxy unix - - y - 0 tlsproxy",
                 *(f"{INNER_LINK}:{port} inet n - y - - smtpd -o smtpd_sasl_auth_enable=no -o mynetworks="
                   f" -o smtpd_authorized_xclient_hosts={EDGE_LINK} -o smtpd_milters={milters}"
                   for port, milters in ((2590, ""), (2591, "unix:rspamd.sock"))))
        running.origin.start(inner=f"{INNER_LINK}:2590")
        yield running


@pytest.mark.parametrize("source", [SENDER, SENDER6], ids=["v4", "v6"])
def test_the_listener_of_its_own_takes_the_origin(mailcow, source, request):
    with mailcow.outside(source) as client:
        line = send(mailcow, client, f"mailcow{':' in source}")
    assert f"client=mail.sender.test[{source}]" in line


def test_postscreen_takes_none_and_gets_no_mail(mailcow):
    """It never offers XCLIENT, and mail never goes on as the edge's."""
    mailcow.reload_origin(inner=f"{INNER_LINK}:25")
    try:
        with mailcow.outside() as client:
            reply = last_reply(client.send("stranger@sender.test", [ANN],
                                           message("stranger@sender.test", ANN, subject="postscreen")))
        assert reply.code == 451, reply
        assert not mailcow.inner.queue() and not mailcow.inner.lines(": client=", f"[{EDGE_LINK}]")
    finally:
        mailcow.reload_origin(inner=f"{INNER_LINK}:2590")


@pytest.mark.skipif(not root(), reason="rspamd is not unpacked (tests/install --tests does it)")
@pytest.mark.parametrize("source", [SENDER, SENDER6], ids=["v4", "v6"])
def test_rspamd_sees_the_true_client(mailcow, source):
    name = f"rspamd{':' in source}"
    socket_path = mailcow.inner.spool / "rspamd.sock"
    rspamd = Rspamd(mailcow.root / name, mailcow.inner_ns, socket_path, NAMESERVER).start()
    try:
        mailcow.reload_origin(inner=f"{INNER_LINK}:2591")
        with mailcow.outside(source) as client:
            send(mailcow, client, name)
        line = rspamd.task(f"{name}@sender.test")
        assert f"ip: {source}, from: <stranger@sender.test>" in line, line
    finally:
        mailcow.reload_origin(inner=f"{INNER_LINK}:2590")
        rspamd.stop()
        socket_path.unlink(missing_ok=True)

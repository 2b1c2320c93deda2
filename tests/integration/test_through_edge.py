"""IMAP and submission through the edge's public ports: HAProxy and nginx pass bytes on with the client's
address in front, and everything inside knows the true client; nobody else is believed."""
import imaplib
import itertools
import smtplib
import socket
import ssl
import struct

import pytest
from stack.clients import Imap, SmtpClient, last_reply, message, tls_context
from stack.passing import DovecotProxy, Haproxy, Nginx
from stack.proc import wait_until
from stack.stack import Stack
from stack.world import EDGE, EDGE6, EDGE_LINK, INNER_LINK, SENDER, SENDER6, THIEF

ANN = "ann@example.test"
STRANGER = "203.0.113.99"
# who proxies by IMAP says who the client is; no waiting for addresses that fail
DOVECOT = f"""
login_trusted_networks = {EDGE_LINK}
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
WAYS = {"haproxy, version 2": (Haproxy, 2), "haproxy, version 1": (Haproxy, 1), "nginx": (Nginx, 1)}


@pytest.fixture(scope="module")
def stack():
    with Stack(dovecot=DOVECOT) as all_of_it:
        yield all_of_it.furnish()
        all_of_it.dovecot.stop()
        assert not all_of_it.dovecot.crashes()


@pytest.fixture(params=WAYS, ids=lambda w: w.replace(", version ", "-v"))
def way(request, stack):
    program, version = WAYS[request.param]
    if not program.is_installed():
        pytest.skip(f"{program.name} is not installed")
    with program(stack.root / request.node.name, stack.edge_ns, INNER_LINK, version=version) as running:
        yield running


@pytest.fixture
def haproxy(stack, request):
    if not Haproxy.is_installed():
        pytest.skip("haproxy is not installed")
    with Haproxy(stack.root / request.node.name, stack.edge_ns, INNER_LINK) as running:
        yield running


def submission(stack, source=SENDER, port=587, password=None, host=EDGE):
    return SmtpClient(stack.net, host, port, source=source, helo="laptop.example.test",
                      tls="wrapped" if port == 465 else "starttls",
                      login=(ANN, password or stack.passwords[ANN]))


def last_login(stack, protocol):
    rows = stack.pg.sql("SELECT host(address) FROM mail.logins WHERE email = %s AND protocol = %s",
                        ANN, protocol)
    return rows[0][0] if rows else None


@pytest.mark.parametrize("source, host", [(SENDER, EDGE), (SENDER6, EDGE6)], ids=["v4", "v6"])
def test_imap_knows_the_client(stack, way, source, host):
    with Imap(stack.net, host, source=source) as imap:
        imap.login(ANN, stack.passwords[ANN])
        assert imap.select("INBOX")[0] == "OK"
    wait_until(lambda: last_login(stack, "imap") == source, what=f"a login from {source}")
    logins = [l for l in stack.dovecot.lines("imap-login: ") if "Login: user=" in l or "Logged in: user=" in l]
    assert [l for l in logins if f"rip={source}," in l]
    assert not [l for l in logins if f"rip={EDGE_LINK}," in l]


@pytest.mark.parametrize("port", [587, 465])
def test_submission_knows_the_client(stack, way, port):
    with submission(stack, port=port) as client:
        text = message(ANN, "friend@elsewhere.test")
        assert last_reply(client.send(ANN, ["friend@elsewhere.test"], text)).code == 250
    line = stack.inner.lines("smtpd", "client=", f"sasl_username={ANN}")[-1]
    assert f"client=mail.sender.test[{SENDER}]" in line
    wait_until(lambda: last_login(stack, "smtp") == SENDER, what=f"a login from {SENDER}")
    queue_id = line.split("smtpd")[1].split(": ")[1]
    row = wait_until(lambda: stack.pg.sql("SELECT host(client_address) FROM mail.messages WHERE queue_id = %s",
                                          queue_id), what=f"row of {queue_id}")[0]
    assert row == (SENDER,)


numbers = itertools.count()


def guess(stack, source, times, host=EDGE):
    """Wrong passwords over IMAP, none twice: that would count once."""
    for _ in range(times):
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            Imap(stack.net, host, source=source).login(ANN, f"not the right password {next(numbers)}")


def blocks(stack):
    return stack.pg.sql("SELECT who, detail ->> 'kind' FROM mail.events WHERE kind = 'auth_block'")


@pytest.fixture
def three_failures(stack):
    """Three wrong passwords from one address block it, for six seconds."""
    stack.pg.sql("DELETE FROM mail.events WHERE kind LIKE 'auth_%%'")
    stack.pg.sql("UPDATE mail.auth_limits SET failures = 3, block = '6 seconds', enabled = kind = 'network'")
    stack.settle()
    yield
    stack.pg.sql("UPDATE mail.auth_limits SET failures = 1000")
    stack.settle()
    wait_until(lambda: stack.pg.value("SELECT count(*) FROM mail.events WHERE kind = 'auth_unblock'") ==
               len(blocks(stack)), what="the end of all blocks")


def test_who_guesses_is_blocked_and_not_the_edge(stack, way, three_failures):
    guess(stack, THIEF, 3)
    assert wait_until(lambda: blocks(stack), what="the event") == [(THIEF, "network")]
    with pytest.raises(imaplib.IMAP4.error):
        Imap(stack.net, EDGE, source=THIEF).login(ANN, stack.passwords[ANN])
    Imap(stack.net, EDGE, source=SENDER).login(ANN, stack.passwords[ANN])


def test_who_guesses_at_submission_is_blocked(stack, haproxy, three_failures):
    for port in (587, 465, 587):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            submission(stack, THIEF, port, f"not the right password {next(numbers)}")
    assert wait_until(lambda: blocks(stack), what="the event") == [(THIEF, "network")]
    with pytest.raises(smtplib.SMTPAuthenticationError):
        submission(stack, THIEF)
    submission(stack).close()


def test_tls_ends_inside(stack, way):
    """The edge has no key: what clients are shown is the inner host's certificate."""
    for port in (993, 465):
        with stack.net.enter():
            plain = socket.create_connection((EDGE, port), 30, (SENDER, 0))
        with tls_context().wrap_socket(plain) as secure:
            shown = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True))
        assert shown.split() == stack.cert.read_text().split()


# forged

def header(version, source, target=INNER_LINK, port=993):
    """What stands in front of a connection that is passed on."""
    if version == 1:
        return f"PROXY TCP4 {source} {target} 40000 {port}\r\n".encode()
    return (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", 12) + socket.inet_aton(source)
            + socket.inet_aton(target) + struct.pack(">HH", 40000, port))


def connect(ns, host, port, source, *first):
    with ns.enter():
        plain = socket.create_connection((host, port), 30, (source, 0))
    for data in first:
        plain.sendall(data)
    return plain


def greeting(plain):
    """What a server says under TLS; nothing where there is none."""
    try:
        with tls_context().wrap_socket(plain) as secure:
            return secure.recv(100)
    except (ssl.SSLError, ConnectionError, EOFError):
        return b""
    finally:
        plain.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_forged_line_from_outside_is_refused(stack, way, version):
    for port in (993, 465):
        assert greeting(connect(stack.net, EDGE, port, THIEF)) != b""
        assert greeting(connect(stack.net, EDGE, port, THIEF, header(version, STRANGER))) == b""
    # submission reads lines before TLS: this is none it knows
    with connect(stack.net, EDGE, 587, THIEF, header(version, STRANGER, port=587),
                 b"EHLO laptop.example.test\r\nQUIT\r\n") as plain, plain.makefile("rb") as lines:
        replies = lines.readlines()
    assert [r for r in replies if r.startswith((b"502", b"500", b"554"))], replies
    assert not stack.dovecot.lines(STRANGER) and not stack.inner.lines(f"[{STRANGER}]")
    assert stack.inner.lines("smtpd", f"[{THIEF}]")


@pytest.mark.parametrize("version", [1, 2])
def test_dovecot_believes_the_edge_alone(stack, version):
    stack.edge_ns.address("vpn", "10.9.0.3/24")
    try:
        seen = stack.dovecot.log.stat().st_size
        forged = connect(stack.edge_ns, INNER_LINK, 10993, "10.9.0.3", header(version, STRANGER))
        assert greeting(forged) == b""
        wait_until(lambda: stack.dovecot.lines("10.9.0.3", "not trusted", start=seen), what="Dovecot's word")
        assert not stack.dovecot.lines(STRANGER)
    finally:
        stack.edge_ns.ip("addr", "del", "10.9.0.3/24", "dev", "vpn")


@pytest.mark.parametrize("claimed", ["127.0.0.1", INNER_LINK, EDGE_LINK])
def test_no_right_comes_with_an_address(stack, claimed):
    """Whoever reaches Postfix's port for the edge may claim to be anybody, and gains nothing."""
    with connect(stack.edge_ns, INNER_LINK, 10587, EDGE_LINK, header(2, claimed, port=587)) as plain:
        client = smtplib.SMTP(local_hostname="liar.example.test", timeout=30)
        client._host = INNER_LINK  # the name TLS is begun with
        client.sock = plain
        client.getreply()
        client.ehlo()
        assert not client.has_extn("xclient") and not client.has_extn("xforward")
        client.starttls(context=tls_context())
        client.ehlo()
        assert not client.has_extn("xclient")
        client.mail("liar@sender.test")
        assert client.rcpt("friend@elsewhere.test")[0] == 554
        assert client.rcpt(ANN)[0] == 554
        client.sock.close()


# an edge that ends TLS

def test_dovecot_as_a_proxy_tells_the_client(stack, three_failures):
    with DovecotProxy(stack.root / "dovecot-edge", stack.edge_ns, INNER_LINK, stack.cert, stack.key):
        with Imap(stack.net, EDGE, source=SENDER) as imap:
            imap.login(ANN, stack.passwords[ANN])
            assert imap.select("INBOX")[0] == "OK"
        wait_until(lambda: last_login(stack, "imap") == SENDER, what=f"a login from {SENDER}")
        guess(stack, THIEF, 3)
        assert wait_until(lambda: blocks(stack), what="the event") == [(THIEF, "network")]
        Imap(stack.net, EDGE, source=SENDER).login(ANN, stack.passwords[ANN])

"""postwardctl edge check: a right edge and inner host have no problem, each wrong one is found by trying,
and the cure cures."""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest
from edge_bed import EdgeBed, clock_shim
from origin_bed import EDGE, EDGE_LINK, INNER_LINK
from stack.postward import PROGRAMS, Program

LISTENER = f"{INNER_LINK}:smtp/inet"

pytestmark = pytest.mark.skipif(shutil.which("nft", path="/usr/sbin") is None, reason="nft is not installed")


@pytest.fixture(scope="module")
def bed():
    with EdgeBed("--fallback", "queue", "--postscreen", "no") as made:
        yield made


@contextlib.contextmanager
def changed(server, *commands):
    """Other lines of Postfix for a while."""
    kept = {n: (server.etc / n).read_text() for n in ("main.cf", "master.cf")}
    try:
        for command in commands:
            server.postconf(*command)
        server.reload()
        yield
    finally:
        for name, text in kept.items():
            (server.etc / name).write_text(text)
        server.reload()


def cure(server, command):
    """Carry out what a cure says is to be done with postconf."""
    command = command.removeprefix("on the inner host: ").removesuffix(" && postfix reload")
    assert command.startswith("postconf "), command
    subprocess.run(["sh", "-c", command], check=True, env={"PATH": "/usr/sbin:/usr/bin:/bin",
                                                           "MAIL_CONFIG": str(server.etc)})
    server.reload()


def found(problems, words):
    """The only problems that there may be are of that kind."""
    assert problems, "nothing was found"
    assert all(re.search(words, text) for _, _, text, _ in problems), problems
    return problems


def test_a_right_edge_has_no_problem(bed):
    problems, skipped = bed.look()
    assert problems == []
    assert skipped == {"stamps/inner": "the origin goes inside by XCLIENT"}
    # and mail was not sent, nor refused for another reason than that it may not be relayed
    refusals = bed.inner.lines("NOQUEUE: reject")
    assert refusals and all("Relay access denied" in l for l in refusals)
    assert bed.inner.queue() == []


@pytest.mark.parametrize("networks, words", [
    ("127.0.0.0/8", "127.0.0.1"),
    ("10.9.0.0/24", "this edge without XCLIENT|own address|another address of the VPN"),
    ("[::1]/128", r"\[::1\]"),
    ("10.9.0.2/32", "own address"),
    ("0.0.0.0/0", "."),
])
def test_networks_that_may_relay(bed, networks, words):
    with changed(bed.inner, ("-P", f"{LISTENER}/mynetworks={networks}"),
                 ("-P", f"{LISTENER}/smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination")):
        problems = found(bed.look("--only", "inner")[0], f"relays to anywhere for .*({words})")
        assert {p[1] for p in problems} == {"error"}
        cure(bed.inner, problems[0][3])
        assert bed.look("--only", "inner")[0] == []


def test_xclient_for_all_of_the_vpn(bed):
    with changed(bed.inner, ("-P", f"{LISTENER}/smtpd_authorized_xclient_hosts=10.9.0.0/24")):
        problems = found(bed.look("--only", "inner")[0], "takes XCLIENT from (another|the inner)")
        assert len(problems) == 2
        cure(bed.inner, problems[0][3])
        assert bed.look("--only", "inner")[0] == []


def test_no_xclient(bed):
    with changed(bed.inner, ("-P", f"{LISTENER}/smtpd_authorized_xclient_hosts=")):
        problems = found(bed.look("--only", "inner")[0], "offers this edge no XCLIENT")
        cure(bed.inner, problems[0][3])
        assert bed.look("--only", "inner")[0] == []


@contextlib.contextmanager
def login_service(server):
    """So much of Dovecot's auth as smtpd asks of it before it takes LOGIN= for a login."""
    path = server.spool / "private/auth"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(50)
        held = []

        def serve():
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return
                held[-1].sendall(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n")

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for one in held:
                one.close()
            path.unlink()


def test_a_login_that_may_relay(bed):
    with login_service(bed.inner), changed(
            bed.inner, ("-P", f"{LISTENER}/smtpd_sasl_auth_enable=yes"),
            ("-P", f"{LISTENER}/smtpd_sasl_type=dovecot"), ("-P", f"{LISTENER}/smtpd_sasl_path=private/auth"),
            ("-P", f"{LISTENER}/smtpd_relay_restrictions=permit_sasl_authenticated,reject_unauth_destination")):
        problems = found(bed.look("--only", "inner")[0], "relays to anywhere for a stranger with a login")
        cure(bed.inner, problems[0][3])
        assert bed.look("--only", "inner")[0] == []


def test_an_inner_server_that_only_puts_off(bed):
    with changed(bed.inner, ("-P", f"{LISTENER}/smtpd_relay_restrictions=defer")):
        assert {p[1] for p in found(bed.look("--only", "inner")[0], "could not look: whether")} == {"warning"}


def test_an_inner_server_that_wants_tls_first(bed):
    """What could not be tried is not said to be in order."""
    with changed(bed.inner, ("-P", f"{LISTENER}/smtpd_tls_security_level=encrypt")):
        assert {p[1] for p in found(bed.look("--only", "inner")[0], "wants TLS first|Must issue")} == {"warning"}


def test_an_inner_server_without_ipv6(bed):
    with changed(bed.inner, ("-P", f"{LISTENER}/inet_protocols=ipv4")):
        found(bed.look("--only", "inner")[0], "takes no IPv6 address")


def test_an_inner_server_that_takes_less(bed):
    with changed(bed.inner, ("-e", "message_size_limit=5000000", "virtual_mailbox_limit=5000000")):
        problems = found(bed.look("--only", "inner")[0], "message_size_limit is 10240000, the inner server's 5000000")
    with changed(bed.inner, ("-e", "message_size_limit=5000000", "virtual_mailbox_limit=5000000")), \
            changed(bed.edge):
        cure(bed.edge, problems[0][3])
        assert bed.look("--only", "inner")[0] == []


def test_an_inner_server_that_is_away(bed):
    bed.inner_ns.ip("link", "set", "vpn", "down")
    try:
        problems = bed.look("--only", "inner")[0]
        assert len(problems) == 2 and all(INNER_LINK in p[2] for p in problems)
    finally:
        bed.inner_ns.ip("link", "set", "vpn", "up")


# other users of the edge

def test_without_a_firewall_everybody_may_speak_to_the_inner_server(bed):
    bed.no_firewall()
    try:
        problems = found(bed.look("--only", "users")[0], "every user of this host reaches")
        assert sorted(re.search(r"port (\d+)", p[2])[1] for p in problems) == ["10027", "25"]
    finally:
        bed.firewall()


# strangers

def test_a_public_port_that_takes_proxy_lines(bed):
    with changed(bed.edge, ("-P", "smtp/inet/smtpd_upstream_proxy_protocol=haproxy")):
        problems = bed.look("--only", "public")[0]
        assert {p[0] for p in problems} == {"public/proxy", "public/listeners"}
        assert any(f"{EDGE} port 25 believes a forged PROXY line" in p[2] for p in problems)
        cure(bed.edge, next(p[3] for p in problems if p[0] == "public/listeners"))
        assert bed.look("--only", "public")[0] == []


@contextlib.contextmanager
def gullible(ns, port):
    """A TLS port that reads a PROXY line in front."""
    with ns.enter():
        listener = socket.create_server((EDGE, port))

    def serve():
        while True:
            try:
                with listener.accept()[0] as client:
                    first = client.recv(4096)
                    line, _, rest = first.partition(b"\r\n")
                    hello = rest if line.startswith(b"PROXY ") else first
                    client.sendall(b"\x16\x03\x03" if hello[:1] == b"\x16" else b"\x15\x03\x03")
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_a_proxy_that_takes_proxy_lines(bed):
    with gullible(bed.edge_ns, 993):
        found(bed.look("--only", "public")[0], f"{EDGE} port 993 believes a forged PROXY line")


def test_strangers_who_may_say_who_they_are(bed):
    with changed(bed.edge, ("-e", "smtpd_authorized_xclient_hosts=0.0.0.0/0",
                            "smtpd_authorized_xforward_hosts=10.9.0.2")):
        problems = found(bed.look("--only", "public")[0], "smtpd_authorized_x(client|forward)_hosts is")
        for problem in problems:
            cure(bed.edge, problem[3])
        assert bed.look("--only", "public")[0] == []


# the tunnel

def test_a_tunnel_that_swallows_large_packets(bed):
    bed.inner_ns.run("nft", "add table inet way; add chain inet way in { type filter hook prerouting priority "
                     "-400; }; add rule inet way in meta length > 1300 drop")
    try:
        problems = found(bed.look("--only", "tunnel,inner")[0], "packets of 1500 bytes do not|large packets")
        assert {p[0] for p in problems} == {"tunnel/packets", "inner/offer"}
        assert all("wg-quick" in p[3] for p in problems)
    finally:
        bed.inner_ns.run("nft", "delete table inet way")


def test_a_tunnel_of_ipv6(bed):
    bed.edge_ns.address("vpn", "fd09::1/64")
    bed.inner_ns.address("vpn", "fd09::2/64")
    conf = bed.etc / "postward/postward-origin.conf"
    text = conf.read_text()
    conf.write_text(text.replace(f"inner = {INNER_LINK}:25", "inner = [fd09::2]:25"))
    try:
        assert bed.look("--only", "tunnel") == ([], {"tunnel/clock": "IPv6 has no question for a clock"})
        bed.inner_ns.run("nft", "add table inet way; add chain inet way in { type filter hook prerouting priority "
                         "-400; }; add rule inet way in meta length > 1300 drop")
        found(bed.look("--only", "tunnel")[0], "packets of 1500 bytes do not")
    finally:
        conf.write_text(text)
        bed.inner_ns.run("nft", "flush ruleset")


def test_a_clock_that_is_off(bed, tmp_path):
    problems = found(bed.look("--only", "tunnel", **clock_shim(tmp_path, 120))[0], "is 1(19|20) s behind")
    assert problems[0][1] == "warning"
    found(bed.look("--only", "tunnel", **clock_shim(tmp_path, -3600))[0], "is 3[56]\\d\\d s ahead of")
    assert bed.look("--only", "tunnel", **clock_shim(tmp_path, 20))[0] == []


def test_no_tunnel(bed):
    bed.edge_ns.ip("link", "set", "vpn", "down")
    try:
        found(bed.look("--only", "tunnel")[0], "no way to the inner host")
    finally:
        bed.edge_ns.ip("link", "set", "vpn", "up")


# the queue

@pytest.mark.parametrize("commands, words", [
    ([("-e", f"relay_transport=relay:[{INNER_LINK}]:25")], "as mail of the edge itself"),
    ([("-MX", "postward/unix")], "master.cf has no service postward"),
    ([("-P", "postward/unix/lmtp_send_xforward_command=no")], "loses its client"),
    ([("-MX", "127.0.0.1:10027/inet")], "which hold_listener names"),
    ([("-P", "127.0.0.1:10027/inet/smtpd_recipient_restrictions=permit")], "does not put on hold"),
])
def test_a_queue_that_leads_elsewhere(bed, commands, words):
    with changed(bed.edge, *commands):
        found(bed.look("--only", "queue")[0], words)


def test_a_queue_to_which_nobody_listens(bed):
    bed.origin.stop()
    try:
        problems = found(bed.look("--only", "queue")[0], "queue.sock: (nobody listens|there is no such socket)")
        assert "postward-origin-queue.socket" in problems[0][3]
    finally:
        bed.origin.start()
    assert bed.look("--only", "queue")[0] == []


# keys

def test_keys_of_stamps(bed):
    keys = bed.etc / "postward/origin.keys"
    text = keys.read_text()
    try:
        keys.write_text(text.replace("20", "19"))
        found(bed.look("--only", "stamps")[0], "no key whose time it is|line 2")
        keys.write_text("")
        problems = found(bed.look("--only", "stamps")[0], "no key whose time it is")
        assert problems[0][3].startswith("postwardctl edge keys new")
        done = bed.ctl("edge", "keys", "new", "--json")
        assert done.returncode == 0, done.stderr
        assert (keys.stat().st_mode & 0o777, keys.stat().st_uid) == (0o600, 0)
        assert bed.look("--only", "stamps")[0] == []
    finally:
        keys.write_text(text)


@contextlib.contextmanager
def stamps_read(bed):
    """The origin goes inside in a stamp, and a postward-origin of the inner host reads it."""
    keys = bed.root / "inner.keys"
    keys.write_text((bed.etc / "postward/origin.keys").read_text())
    os.chown(keys, PROGRAMS["postward-origin"][0], -1)
    keys.chmod(0o600)
    socket_path = bed.inner.socket_folder("verify", PROGRAMS["postward-origin"][0]) / "origin.sock"
    reader = Program("postward-origin", bed.root / "conf-inner", bed.inner_ns,
                     {"role": "inner", "socket": f"unix:{socket_path}", "trusted_edges": EDGE_LINK,
                      "stamp_keys": keys}, [socket_path])
    conf = bed.etc / "postward/postward-origin.conf"
    text = conf.read_text()
    try:
        reader.start()
        conf.write_text(text + "carry = stamp\n")
        with changed(bed.inner, ("-P", f"{LISTENER}/smtpd_authorized_xclient_hosts="),
                     ("-P", f"{LISTENER}/smtpd_milters=unix:verify/origin.sock")):
            yield
    finally:
        conf.write_text(text)
        reader.stop()


def test_an_inner_host_that_reads_stamps(bed, tmp_path):
    keys = bed.etc / "postward/origin.keys"
    text = keys.read_text()
    with stamps_read(bed):
        assert bed.look("--only", "stamps,inner") == ([], {})
        found(bed.look("--only", "stamps", **clock_shim(tmp_path, 120))[0], "is 1(19|2[0-9]) s behind")
        assert bed.inner.queue() == [] and not bed.inner.lines("status=sent")
        try:
            keys.unlink()
            bed.ctl("edge", "keys", "new")
            found(bed.look("--only", "stamps")[0], "does not believe our stamps: unknown_key")
        finally:
            keys.write_text(text)
        bed.inner.postconf("-P", f"{LISTENER}/smtpd_milters=")
        bed.inner.reload()
        found(bed.look("--only", "stamps")[0], "reads no stamps")


# mail on hold

HOLD = """import smtplib, sys
with smtplib.SMTP("127.0.0.1", 10027) as client:
    client.sendmail("stranger@sender.test", ["ann@example.test", "bob@example.test"], sys.stdin.read())
"""
MESSAGE = "{0}From: stranger@sender.test\r\nSubject: held\r\n\r\nX-Postward-Refused: in the body\r\n"


def hold(bed, head):
    """What postward-origin does with mail that nobody may be told of."""
    subprocess.run(bed.inside("setpriv", "--reuid=postward_origin", "--regid=postward_origin", "--clear-groups",
                              "/usr/bin/python3", "-c", HOLD), input=MESSAGE.format(head), text=True, check=True)


def test_held_mail_is_told_and_may_go(bed):
    assert bed.ctl("edge", "held").stdout == "nothing is on hold\n"
    hold(bed, "X-Postward-Refused: 550 5.1.1 <ann@example.test>: no\r\n such user\r\n")
    hold(bed, "")
    done = bed.ctl("edge", "held", "--json")
    held = json.loads(done.stdout)["held"]
    assert done.returncode == 1 and len(held) == 2
    assert {h["sender"] for h in held} == {"stranger@sender.test"}
    assert {tuple(h["recipients"]) for h in held} == {("ann@example.test", "bob@example.test")}
    reasons = {h["refused"]: h["id"] for h in held}
    assert set(reasons) == {"", "550 5.1.1 <ann@example.test>: no such user"}
    text = bed.ctl("edge", "held").stdout
    assert "550 5.1.1 <ann@example.test>: no such user" in text and "somebody else put it on hold" in text
    # check tells it too, and where to look
    done = bed.ctl("check", "--only", "edge")
    assert "2 messages are on hold" in done.stdout and "cure: postwardctl edge held" in done.stdout
    bed.edge_ns.run("postsuper", "-c", bed.edge.etc, "-d", "ALL")
    assert bed.ctl("edge", "held").returncode == 0


# the short look of postwardctl check

def test_check_has_part_of_it(bed):
    done = bed.ctl("check", "--only", "edge")
    assert done.returncode == 0 and "0 errors, 0 warnings" in done.stdout, done.stdout
    with changed(bed.inner, ("-P", f"{LISTENER}/smtpd_authorized_xclient_hosts=")):
        done = bed.ctl("check", "--only", "edge")
        assert done.returncode == 1 and "offers this edge no XCLIENT" in done.stdout


def test_no_database_is_asked(bed):
    """Whatever is said about one."""
    asked = []
    conf = bed.etc / "postward/postward.conf"
    conf.write_text("database = host=127.0.0.1 dbname=postward user=postgres\n")
    with bed.edge_ns.enter():
        listener = socket.create_server(("127.0.0.1", 5432))

    def count():
        with contextlib.suppress(OSError):
            while True:
                asked.append(listener.accept()[0])

    threading.Thread(target=count, daemon=True).start()
    try:
        for words in (["edge", "check"], ["edge", "held"], ["edge", "keys", "list"], ["check", "--only", "edge,queue"],
                      ["edge", "init", "--domain", "a.test", "--public", "192.0.2.1", "--out", bed.root / "other"]):
            assert bed.ctl(*words, PGHOST="127.0.0.1").returncode == 0
        assert asked == []
    finally:
        conf.unlink()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_another_role_is_told_that_it_is_none(bed):
    conf = bed.etc / "postward/setup.conf"
    text = conf.read_text()
    conf.write_text(text.replace("role = edge", "role = inner"))
    try:
        done = bed.ctl("edge", "check")
        assert (done.returncode, "this host is no edge" in done.stderr) == (78, True)
    finally:
        conf.write_text(text)

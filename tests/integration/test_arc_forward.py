"""What goes on to a foreign address, by an alias or a Sieve script, through real Postfix and Dovecot:
it leaves with a set of ours that python3-dkim accepts, or with none."""
import base64
import os
import socket
import struct
import subprocess
import time

import dkim
import pytest

from stack import Stack
from stack.clients import message
from stack.dovecot import MAIL_UID
from stack.postward import build
from stack.proc import wait_until

OTHERS = "list.test"  # a host that seals before us
FAR = "dave@elsewhere.test"


class ForwardStack(Stack):
    """Local programs of the inner host, Dovecot among them, find its Postfix under /etc/postfix."""

    def _lay_out_servers(self):
        super()._lay_out_servers()
        (self.inner_ns.etc / "postfix").symlink_to(self.inner.etc)


@pytest.fixture(scope="module")
def stack():
    with ForwardStack() as running:
        running.furnish()
        running.add_domain("nokey.test")
        running.dns.add("nokey.test. 60 MX 10 mx.example.test.")
        running.edge.postconf("-e", "relay_domains = example.test nokey.test")
        running.edge.reload()
        running.key = running.root / "list.pem"
        subprocess.run(["openssl", "genrsa", "-out", running.key, "2048"], capture_output=True, check=True)
        der = subprocess.run(["openssl", "rsa", "-in", running.key, "-pubout", "-outform", "DER"],
                             capture_output=True, check=True).stdout
        running.publish_key(f"s._domainkey.{OTHERS}", "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode())
        for source in ("away@example.test", "@nokey.test"):
            running.pg.sql("SELECT mail.add_alias(%s, %s)", source, FAR)
        running.pg.sql("SELECT mail.add_alias('both@example.test', 'away@example.test')")
        running.pg.sql("SELECT mail.add_alias('both@example.test', 'ann@example.test')")
        home = running.dovecot.root / "mail/example.test/bob"
        home.mkdir(parents=True)
        (home / ".dovecot.sieve").write_text(f'redirect "{FAR}";\n')
        for folder in (home.parent, home, home / ".dovecot.sieve"):
            os.chown(folder, MAIL_UID, MAIL_UID)
        running.settle()
        yield running


def mail(name, recipient, **options):
    one = f"{name}-{time.time():.6f}@sender.test"
    return one, message("ann@sender.test", recipient, message_id=one, **options)


def send(stack, recipient, text):
    with stack.outside() as client:
        assert client.send("ann@sender.test", [recipient], text)["data"].code == 250


def left(stack, one):
    """The bytes of a message as they reached the next host."""
    return wait_until(lambda: stack.sink.find(one), 60, one)[0][3]


def fields(data, name):
    return [v.decode() for n, v in dkim.rfc822_parse(data)[0] if n.lower() == name.encode()]


def instances(data):
    return [v.split("i=")[1].split(";")[0] for v in fields(data, "arc-seal")]


def verdict(stack, data):
    """What python3-dkim says of the chain."""
    def lookup(name, timeout=None):
        record = stack.dkim_records.get(name.decode().rstrip(".") + ".")
        return record.encode() if record else None
    return dkim.arc_verify(data, dnsfunc=lookup)[0]


def seal(stack, text, results):
    """The message with a set of another host."""
    said = f"Authentication-Results: {OTHERS}; {results}\r\n"
    done = subprocess.run(
        [build() / "tests/probe/probe_arc_seal", OTHERS, "s", stack.key, str(int(time.time())), OTHERS, ""],
        input=(said + text).encode(), capture_output=True, check=True)
    return done.stdout.decode().replace("\n", "\r\n") + text


def lines(stack, one, *words):
    """What postward-dkim says of a message."""
    queue_id = stack.inner.lines(f"message-id=<{one}>")[-1].split("]: ")[1].split(":")[0]
    return stack.programs["postward-dkim"].lines(queue_id, *words)


@pytest.mark.parametrize("recipient", ["away@example.test", "away+tag@example.test", "both@example.test",
                                       "AWAY@Example.Test"])
def test_what_an_alias_sends_on_is_sealed(stack, recipient):
    one, text = mail("alias", recipient)
    send(stack, recipient, text)
    data = left(stack, one)
    assert verdict(stack, data) == b"pass"
    results, = fields(data, "arc-authentication-results")
    assert results.strip().startswith("i=1; mx.example.test;")
    assert "spf=pass" in results and "dmarc=pass header.from=sender.test" in results
    assert lines(stack, one, "action=seal, domain=example.test", "instance=1, cv=none")
    for changed in (data.replace(b"short note", b"short bill"), data.replace(b"Subject: ", b"Subject: x"),
                    data.replace(b"dmarc=pass", b"dmarc=fail", 1)):
        assert changed != data and verdict(stack, changed) != b"pass"


def test_the_next_host_sees_why_dmarc_passed_here(stack, tmp_path):
    """SPF and with it DMARC fail there: the sender's policy is reject."""
    one, text = mail("next", "away@example.test")
    send(stack, "away@example.test", text)
    path = tmp_path / "left.eml"
    path.write_bytes(left(stack, one))
    answer = stack.inner_ns.run(build() / "bin/postwardctl", "verify", "--dns", "198.51.100.53", "--ip", "198.51.100.25",
                                "--helo", "mx.example.test", "--from", "ann@sender.test", path)
    assert '"arc": { "result": "pass", "reason": "", "sets": 1 }' in " ".join(answer.replace("{", "{ ").replace("}", " }").split())
    assert '"disposition": "reject"' in " ".join(answer.split())


@pytest.mark.parametrize("recipient", ["ann@example.test", "sales@example.test"])
def test_what_stays_is_not_sealed(stack, recipient):
    one, text = mail("stays", recipient)
    send(stack, recipient, text)
    assert not fields(stack.delivered("ann@example.test", one), "arc-seal")
    assert not lines(stack, one, "action=")


def test_a_valid_chain_grows(stack):
    one, text = mail("grows", "away@example.test")
    send(stack, "away@example.test", seal(stack, text, "arc=none; dmarc=pass header.from=sender.test"))
    data = left(stack, one)
    assert verdict(stack, data) == b"pass"
    assert instances(data) == ["2", "1"]
    assert "arc=pass policy.arc-sets=1" in fields(data, "arc-authentication-results")[0]
    assert lines(stack, one, "action=seal", "instance=2, cv=pass")


def test_a_broken_chain_is_sealed_as_broken_once(stack):
    """RFC 8617 5.1.2: cv=fail, over our own set alone; and where that stands, nothing is added."""
    one, text = mail("broken", "away@example.test")
    send(stack, "away@example.test", seal(stack, text, "arc=none; spf=pass").replace("short note", "short bill"))
    data = left(stack, one)
    assert verdict(stack, data) != b"pass"
    assert instances(data) == ["2", "1"] and "cv=fail" in fields(data, "arc-seal")[0]
    assert lines(stack, one, "action=seal", "instance=2, cv=fail")
    two, text = mail("over", "away@example.test")
    said = seal(stack, text, "arc=none; spf=pass").replace("short note", "short bill")
    send(stack, "away@example.test", seal(stack, said, "arc=fail"))
    assert instances(left(stack, two)) == ["2", "1"]
    assert lines(stack, two, "action=unsealed, cause=chain_failed")


def test_results_of_strangers_are_not_sealed(stack):
    forged = "Authentication-Results: mx.example.test; arc=pass policy.arc-sets=0; dmarc=pass header.from=bank.test\r\n"
    one, text = mail("forged", "away@example.test", extra=forged)
    send(stack, "away@example.test", text)
    data = left(stack, one)
    assert verdict(stack, data) == b"pass" and b"bank.test" not in data


@pytest.mark.parametrize("name, recipient, options, cause", [
    ("nokey", "anybody@nokey.test", {}, "no_key"),
    ("long", "away@example.test", {"body": "x" * 1200 + "\r\n"}, "line_too_long"),
])
def test_without_a_seal_it_leaves_as_it_came(stack, name, recipient, options, cause):
    one, text = mail(name, recipient, **options)
    send(stack, recipient, text)
    assert not fields(left(stack, one), "arc-seal")
    assert lines(stack, one, f"action=unsealed, cause={cause}")


def test_what_a_sieve_script_sends_on_is_sealed(stack):
    one, text = mail("sieve", "bob@example.test")
    send(stack, "bob@example.test", text)
    data = left(stack, one)
    assert fields(data, "x-sieve-redirected-from")
    assert verdict(stack, data) == b"pass"
    results, = fields(data, "arc-authentication-results")
    assert "dmarc=pass header.from=sender.test" in results
    assert lines(stack, one, "action=seal, domain=example.test", "redirected_from=<bob@example.test>")


def test_what_local_programs_send_is_signed_not_sealed(stack):
    one = f"cron-{time.time():.6f}@example.test"
    text = message("ann@example.test", FAR, message_id=one,
                   extra="Authentication-Results: mx.example.test; arc=none; dmarc=pass header.from=example.test\r\n")
    stack.inner.sendmail(text.replace("\r\n", "\n").encode(), "-f", "ann@example.test", FAR)
    data = left(stack, one)
    assert fields(data, "dkim-signature") and not fields(data, "arc-seal")


def asked_at_data(stack, recipient):
    """What postward-dkim says at DATA to a Postfix that can do all a milter may ask for."""
    def send_packet(command, data=b""):
        link.sendall(struct.pack("!I", len(data) + 1) + command + data)

    def answer():
        length, = struct.unpack("!I", link.recv(4, socket.MSG_WAITALL))
        return link.recv(length, socket.MSG_WAITALL)

    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(30)
        link.connect(str(stack.programs["postward-dkim"].sockets[0]))
        send_packet(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF))
        assert answer()[:1] == b"O"
        send_packet(b"C", b"mail.sender.test\x004" + struct.pack("!H", 2525) + b"192.0.2.7\x00")
        send_packet(b"M", b"<ann@sender.test>\x00")
        send_packet(b"R", f"<{recipient}>\x00".encode())
        send_packet(b"T")
        return answer()


def test_what_is_neither_signed_nor_sealed_need_not_come(stack):
    """Postfix keeps the bytes of a message that ends here to itself."""
    assert asked_at_data(stack, "ann@example.test") == b"a"
    assert asked_at_data(stack, "away@example.test") == b"c"

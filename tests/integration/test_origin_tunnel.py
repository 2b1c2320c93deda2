"""The tunnel is down: a live edge queues what is known, with a stamp on top, and when the tunnel is
back it arrives with all that was known of its client: what XFORWARD cannot say comes from the stamp."""
import base64
import hashlib
import os
import re
import time

import pytest
from origin_bed import EDGE, EDGE_LINK, EDGE_MAIN, INNER_LINK, INNER_MAIN, LIAR, SENDER
from queue_bed import QueueBed
from stack.clients import SmtpClient, message
from stack.proc import wait_until

LOGINS = 2527  # the port of the edge where a test may say that it has authenticated


class TunnelBed(QueueBed):
    """The milter is on; Postfix's queue goes inside through the queue's front end."""
    edge_main = EDGE_MAIN.replace(f", {EDGE_LINK}", ", 127.0.0.1") + """
relay_transport = postward:unix:origin/queue.sock
notify_classes =
transport_retry_time = 2s
service_throttle_time = 1s
"""
    edge_services = [*QueueBed.edge_services, f"{EDGE}:{LOGINS} inet n - y - - smtpd"
                     f" -o smtpd_authorized_xclient_hosts={SENDER}"]
    inner_main = INNER_MAIN + """
smtpd_client_restrictions = check_reverse_client_hostname_access inline:{{
  {{ liar.sender.test = WARN unverified name }} }}
"""

    def _prepare(self):
        super()._prepare()
        raw, file = bytes(range(32)), self.root / "origin.keys"
        name = hashlib.sha256(b"postward key id" + raw).hexdigest()[:8]
        file.write_text(f"{name} 2026-01-01 2046-01-01 {base64.b64encode(raw).decode()}\n")
        file.chmod(0o600)
        os.chown(file, 61001, 61001)
        self.origin_settings = {**self.origin_settings, "fallback": "queue", "stamp_keys": file,
                                "send_login": "yes"}

    def down(self):
        self.edge_ns.ip("link", "set", "vpn", "down")

    def up(self):
        self.edge_ns.ip("link", "set", "vpn", "up")
        self.edge.flush()


@pytest.fixture(scope="module")
def bed():
    with TunnelBed() as running:
        with running.outside() as client:  # from now on the edge knows them
            for user in ("ann", "bob"):
                assert client.send("ann@sender.test", [f"{user}@example.test"],
                                   mail(f"known-{user}@sender.test"))["data"].code == 250
        yield running


@pytest.fixture(autouse=True)
def tidy(bed):
    yield
    bed.up()
    bed.edge.ns.run("postsuper", "-c", bed.edge.etc, "-d", "ALL")


def mail(marker, sender="ann@sender.test", body="Hello.\r\n", extra=""):
    return message(sender, "ann@example.test", message_id=marker, body=body, extra=extra)


def queued(bed, marker, source=SENDER, port=25, extra="", login=None):
    """Sent while the tunnel is down; the queue id."""
    with SmtpClient(bed.net, EDGE, port, source=source) as client:
        if login:
            client.smtp.docmd(f"XCLIENT LOGIN={login} ADDR={source} NAME=mail.sender.test")
            client.smtp.ehlo()
        result = client.send("ann@sender.test", ["ann@example.test", "bob@example.test"],
                             mail(f"{marker}@sender.test", extra=extra))
    assert result["data"].code == 250, result
    queue_id = result["data"].text.rsplit(" ", 1)[1]
    assert bed.origin.lines(f" {queue_id}: action=queue")
    return queue_id


def arrived(bed, queue_id, marker):
    """The message as ann has it, and the inner's line about its client."""
    text = bed.delivered("ann", f"{marker}@sender.test", 60).decode()
    bed.delivered("bob", f"{marker}@sender.test", 60)
    sent = wait_until(lambda: bed.edge.lines(queue_id, "status=sent"), what="sent")[-1]
    inner_id = re.search(r"queued as (\w+)", sent)[1]
    assert "Postward-Origin" not in text  # the stamp stays on the edge
    assert text.count("Postward-Transaction: ") == 1
    return text, bed.inner.lines(f" {inner_id}: client=")[0]


def test_queued_mail_arrives_with_all_that_was_known(bed):
    bed.down()
    queue_id = queued(bed, "stamped", LIAR)
    bed.edge_ns.ip("link", "set", "vpn", "up")
    start = bed.inner.log_size()
    bed.edge.flush()
    _, line = arrived(bed, queue_id, "stamped")
    assert line.endswith(f"client=unknown[{LIAR}]")
    # the name that does not lead back: XFORWARD does not tell it
    assert bed.inner.lines("unverified name", f"unknown[{LIAR}]", start=start)
    assert not bed.origin.lines("event=stamp_ignored")


def test_the_login_of_the_edge_arrives(bed):
    bed.down()
    queue_id = queued(bed, "login", port=LOGINS, login="ann@sender.test")
    bed.up()
    _, line = arrived(bed, queue_id, "login")
    assert f"client=mail.sender.test[{SENDER}]" in line and "sasl_username=ann@sender.test" in line


def test_a_forged_stamp_tells_nothing(bed):
    bed.down()
    queue_id = queued(bed, "forged", extra="Postward-Origin: v=1; lg=admin@example.test\r\n")
    bed.up()
    text, line = arrived(bed, queue_id, "forged")
    assert "sasl" not in line and "admin@" not in text


def test_a_stamp_of_another_key_is_not_believed(bed):
    bed.down()
    queue_id = queued(bed, "rotated", port=LOGINS, login="ann@sender.test")
    keys = bed.origin.settings["stamp_keys"]
    text = keys.read_text()
    raw = bytes(range(1, 33))
    name = hashlib.sha256(b"postward key id" + raw).hexdigest()[:8]
    keys.write_text(f"{name} 2026-01-01 2046-01-01 {base64.b64encode(raw).decode()}\n")
    bed.reload_origin()
    try:
        bed.up()
        _, line = arrived(bed, queue_id, "rotated")
    finally:
        keys.write_text(text)
        bed.reload_origin()
    assert f"client=mail.sender.test[{SENDER}]" in line and "sasl" not in line
    assert "unknown key" in bed.origin.lines("event=stamp_ignored")[-1]


def test_nobody_sends_a_message_in_vain(bed):
    """With keys too: whether the inner is there is asked before the message is taken."""
    bed.down()
    queue_id = queued(bed, "vain")
    line = wait_until(lambda: bed.edge.lines(queue_id, "status=deferred"), what="deferred")[-1]
    assert "reply to DATA command" in line
    bed.up()
    arrived(bed, queue_id, "vain")


def queue_id_of(at):
    """A queue id of Postfix (enable_long_queue_ids) of that time."""
    digits, seconds = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz", ""
    at = int(at)
    while at:
        at, digit = divmod(at, 52)
        seconds = digits[digit] + seconds
    return f"{seconds}1kRrz1bgsJ"


@pytest.mark.parametrize("source,days,answer", [
    (LIAR, 5, "250 2.0.0 Refused inside, put on hold on this host"),
    (SENDER, 5, "554 5.4.7 Delivery time expired"),
    (SENDER, 3, "451 4.4.1 Mail server cannot be reached now, try later")],
    ids=["nobody vouches", "SPF vouches", "in time"])
def test_mail_that_waited_too_long(bed, source, days, answer):
    """Its age is in Postfix's queue id; hold_after is four days."""
    bed.down()
    queue_id = queue_id_of(time.time() - days * 86400)
    with bed.lmtp() as postfix:
        told = postfix.send(f"ADDR={source} PORT=1 HELO=x PROTO=ESMTP IDENT={queue_id} SOURCE=REMOTE",
                            "ann@sender.test", ["ann@example.test"], mail("old@sender.test"))
    assert told == [answer]
    wait_until(lambda: len(bed.held()) == answer.startswith("250"), what="hold")
    if answer.startswith("250"):
        assert "X-Postward-Refused: 451" in bed.held()[0] and "client_address=" + LIAR in bed.held()[0]


def test_the_edge_of_an_inner_that_reads_stamps_hands_them_on(bed):
    bed.down()
    queue_id = queued(bed, "carried")
    bed.reload_origin(carry="stamp", inner=f"{INNER_LINK}:2626")
    try:
        bed.up()
        text = bed.delivered("ann", "carried@sender.test", 60).decode()
    finally:
        bed.reload_origin(carry="xclient", inner=f"{INNER_LINK}:25")
    fields = [l.split(":")[0] for l in text.split("\n\n")[0].splitlines() if l[0] not in " \t"]
    ours = fields.index("Postward-Origin")
    assert fields[ours + 1:ours + 3] == ["Received", "Postward-Transaction"]
    assert wait_until(lambda: bed.edge.lines(queue_id, "status=sent"), what="sent")


def test_without_a_stamp_nothing_goes_to_an_inner_that_reads_them(bed):
    bed.reload_origin(carry="stamp", inner=f"{INNER_LINK}:2626")
    bed.edge.postconf("-P", f"{EDGE}:smtp/inet/smtpd_milters=")
    bed.edge.reload()
    try:
        with bed.outside() as client:
            assert client.send("ann@sender.test", ["ann@example.test"],
                               mail("bare@sender.test"))["data"].code == 250
        wait_until(lambda: bed.origin.lines("cause=origin", "front=queue", 'why="no stamp"'), what="refusal")
    finally:
        bed.edge.postconf("-PX", f"{EDGE}:smtp/inet/smtpd_milters")
        bed.edge.reload()
        bed.reload_origin(carry="xclient", inner=f"{INNER_LINK}:25")
    bed.edge.flush()
    bed.delivered("ann", "bare@sender.test", 60)

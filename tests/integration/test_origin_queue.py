"""Mail of a real edge Postfix's queue through postward-origin: it arrives with the client it came
from, each recipient gets its own fate, and what cannot be said of the client waits."""
import contextlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from origin_bed import EDGE_LINK, INNER_LINK, LIAR, SENDER, SENDER6
from queue_bed import LOOK_ALIKES, QueueBed
from stack.clients import message
from stack.postfix import processes_of
from stack.proc import wait_until


LONG = ("x" * 70 + "\r\n") * 1000  # longer than a buffer, so that the inner's log tells of it


@pytest.fixture(scope="module")
def bed():
    with QueueBed() as running:
        yield running


@pytest.fixture(autouse=True)
def queue_emptied(bed):
    """What a test leaves in the queue is not for the next one."""
    yield
    bed.edge.ns.run("postsuper", "-c", bed.edge.etc, "-d", "ALL")


def mail(marker, sender="ann@sender.test", body="Hello.\r\n", extra=""):
    return message(sender, "ann@example.test", message_id=marker, body=body, extra=extra)


def queue(bed, marker, source=SENDER, sender="ann@sender.test", recipients=("ann",), text=None,
          **options):
    """Hand a message to the edge; its queue id there."""
    with bed.outside(source, **options) as client:
        result = client.send(sender, [f"{r}@example.test" for r in recipients],
                             text or mail(f"{marker}@sender.test", sender))
    assert result["data"].code == 250
    return result["data"].text.rsplit(" ", 1)[1]


def fate(bed, queue_id, recipient, status):
    """The edge's line about a recipient."""
    return wait_until(lambda: bed.edge.lines(queue_id, f"to=<{recipient}@example.test>",
                                             f"status={status}"), what=f"{recipient} {status}")[-1]


def told(bed, start, client):
    return bed.inner.lines(f": client={client}", start=start)


def inbox(bed):
    return [file.read_bytes() for file in (bed.mail / "ann" / "new").glob("*")]


@contextlib.contextmanager
def elsewhere(bed, inner):
    bed.reload_origin(inner=inner)
    try:
        yield
    finally:
        bed.reload_origin(inner=f"{INNER_LINK}:25")


@pytest.mark.parametrize("source,client", [
    (SENDER, f"mail.sender.test[{SENDER}]"), (SENDER6, f"mail.sender.test[{SENDER6}]"),
    (LIAR, f"unknown[{LIAR}]")], ids=["v4", "v6", "no-name"])
def test_queued_mail_arrives_with_its_true_origin(bed, source, client):
    start, marker = bed.inner.log_size(), f"true-{source.replace(':', '-')}"
    queue_id = queue(bed, marker, source)
    bed.delivered("ann", f"{marker}@sender.test")
    assert told(bed, start, client)
    sent = fate(bed, queue_id, "ann", "sent")
    inner_id = sent.rsplit("queued as ", 1)[1].rstrip(")")
    line = bed.origin.lines("action=relay", "front=queue")[-1]
    assert f" {queue_id}: " in line and f"inner_id={inner_id}" in line and f"client={client}" in line


def test_what_waited_while_the_tunnel_was_down(bed):
    start = bed.inner.log_size()
    bed.edge_ns.ip("link", "set", "vpn", "down")
    try:
        ids = [queue(bed, f"down-{i}", source) for i, source in enumerate((SENDER, SENDER6, LIAR))]
        for queue_id in ids:
            fate(bed, queue_id, "ann", "deferred")
    finally:
        bed.edge_ns.ip("link", "set", "vpn", "up")
    bed.edge.flush()
    for i in range(3):
        bed.delivered("ann", f"down-{i}@sender.test", 60)
    for client in (f"mail.sender.test[{SENDER}]", f"mail.sender.test[{SENDER6}]",
                   f"unknown[{LIAR}]"):
        assert told(bed, start, client)
    assert not told(bed, start, "edge.example.test")


def test_nobody_sends_a_message_in_vain(bed):
    """With the inner away DATA is refused: the message itself stays where it is."""
    with elsewhere(bed, f"{INNER_LINK}:2699"):
        line = fate(bed, queue(bed, "vain"), "ann", "deferred")
    assert "said: 451 4.4.1" in line and "reply to DATA command" in line
    assert bed.origin.lines("cause=connect", "front=queue")


def test_one_cached_session_with_several_origins(bed):
    start, before = bed.inner.log_size(), len(bed.origin.lines("action=relay"))
    bed.edge.hold("postward")
    sources = [SENDER, SENDER6, LIAR] * 8
    ids = [queue(bed, f"cached-{i}", source) for i, source in enumerate(sources)]
    bed.edge.release()
    for i, source in enumerate(sources):
        bed.delivered("ann", f"cached-{i}@sender.test", 60)
    names = {SENDER: "mail.sender.test", SENDER6: "mail.sender.test", LIAR: "unknown"}
    for queue_id, source in zip(ids, sources):
        sent = fate(bed, queue_id, "ann", "sent")
        inner_id = sent.rsplit("queued as ", 1)[1].rstrip(")")
        assert bed.inner.lines(f"{inner_id}: client={names[source]}[{source}]", start=start)
    assert len(bed.origin.lines("action=relay")) == before + len(sources)
    assert bed.edge.lines("relay=mx.example.test", "conn_use=")  # the cache was in use


def send_locally(bed, marker, sender="cron@sender.test", recipient="ann@example.test"):
    bed.edge.sendmail(mail(f"{marker}@sender.test").replace("\r\n", "\n").encode(),
                      "-f", sender, recipient)


def test_mail_born_on_the_edge_is_the_edges(bed):
    start = bed.inner.log_size()
    send_locally(bed, "local")
    bed.delivered("ann", "local@sender.test")
    assert told(bed, start, f"edge.example.test[{EDGE_LINK}]")
    assert bed.origin.lines("action=relay", "client=local")


def test_mail_born_on_the_edge_behind_somebody_elses(bed):
    """On one cached session: the client of the message before is not this one's."""
    start = bed.inner.log_size()
    bed.edge.hold("postward")
    for i in range(8):
        queue(bed, f"remote-{i}", (SENDER, LIAR)[i % 2])
        send_locally(bed, f"local-{i}")
    bed.edge.release()
    for i in range(8):
        bed.delivered("ann", f"remote-{i}@sender.test", 60)
        bed.delivered("ann", f"local-{i}@sender.test", 60)
    clients = [line.rsplit("client=", 1)[1] for line in told(bed, start, "")]
    assert sorted(clients) == sorted([f"mail.sender.test[{SENDER}]", f"unknown[{LIAR}]",
                                      *[f"edge.example.test[{EDGE_LINK}]"] * 2] * 4)


def test_a_bounce_of_the_edge_arrives(bed):
    send_locally(bed, "own", "bob@example.test", "percent@example.test")
    text = bed.delivered("bob", "own@sender.test").decode()
    assert "MAILER-DAEMON@" in text and "100% no" in text


def test_each_recipient_gets_its_own_fate(bed):
    queue_id = queue(bed, "mixed", recipients=("percent", "ann", "later", "no-such-user"))
    bed.delivered("ann", "mixed@sender.test")
    fate(bed, queue_id, "ann", "sent")
    assert "said: 550-5.7.1" in (line := fate(bed, queue_id, "percent", "bounced"))
    assert "100% no" in line
    assert "said: 450-4.7.1" in fate(bed, queue_id, "later", "deferred")
    assert "said: 550-5.1.1" in fate(bed, queue_id, "no-such-user", "bounced")


def test_all_recipients_refused(bed):
    queue_id = queue(bed, "none", recipients=("percent", "later"))
    assert "said: 550-5.7.1" in fate(bed, queue_id, "percent", "bounced")
    assert "said: 450-4.7.1" in fate(bed, queue_id, "later", "deferred")


def test_leaving_inner_is_no_reason_to_leave_postfix(bed):
    """421 of the inner ends its session, not the one with Postfix."""
    line = fate(bed, queue(bed, "shut", recipients=("shut",)), "shut", "deferred")
    assert "said: 451-4.7.0" in line and "leaving" in line


@pytest.mark.parametrize("sender,status,words", [
    ("spam", "bounced", "said: 550-5.7.1"), ("slow", "deferred", "said: 451-4.7.1")])
def test_refusal_at_the_final_dot(bed, sender, status, words):
    queue_id = queue(bed, f"dot-{sender}", sender=f"{sender}@sender.test",
                     recipients=("ann", "bob"))
    for recipient in ("ann", "bob"):
        assert words in fate(bed, queue_id, recipient, status)


def test_refused_mail_that_nobody_vouches_for_is_held(bed):
    """A bounce would go to somebody who never sent it."""
    queue_id = queue(bed, "spoofed", LIAR, recipients=("ann", "no-such-user", "percent"))
    bed.delivered("ann", "spoofed@sender.test")
    for recipient in ("no-such-user", "percent"):
        assert "put on hold on this host" in fate(bed, queue_id, recipient, "sent")
    wait_until(lambda: len(bed.held()) == 2, what="two refusals held")
    for text in bed.held():
        assert "sender: ann@sender.test" in text and f"client_address={LIAR}" in text
        assert "X-Postward-Refused: 550" in text and "Message-ID: <spoofed@sender.test>" in text
        assert "Postward-Transaction" not in text
        assert ("recipient: no-such-user@" in text) != ("recipient: percent@" in text)
    assert len(bed.origin.lines("action=hold", f" {queue_id}: ")) == 2


def test_held_at_the_final_dot(bed):
    queue_id = queue(bed, "spoofed-dot", LIAR, "spam@sender.test", ("ann", "bob"),
                     text=mail("spoofed-dot@sender.test", "spam@sender.test", LONG))
    for recipient in ("ann", "bob"):
        assert "put on hold on this host" in fate(bed, queue_id, recipient, "sent")
    text = wait_until(bed.held, what="held")
    assert len(text) == 1 and text[0].count("x" * 70) == 1000


def test_refused_sender(bed):
    queue_id = queue(bed, "nobody", sender="nobody@sender.test")
    assert "not you" in fate(bed, queue_id, "ann", "bounced")


@pytest.mark.parametrize("port", [2626, 2627], ids=["not offered", "refused"])
def test_without_xclient_nothing_goes_inside(bed, port):
    start = bed.inner.log_size()
    with elsewhere(bed, f"{INNER_LINK}:{port}"):
        line = fate(bed, queue(bed, f"xclient-{port}", SENDER6), "ann", "deferred")
    assert "said: 451" in line
    assert bed.origin.lines("cause=xclient", "front=queue")
    assert not bed.inner.lines(": client=", start=start)


def test_origin_that_must_not_be_sent(bed):
    bed.reload_origin(private_networks="198.51.100.0/28")
    try:
        line = fate(bed, queue(bed, "private"), "ann", "deferred")
    finally:
        bed.reload_origin(private_networks="")
    assert "said: 451 4.7.0" in line
    assert "why=network" in bed.origin.lines("cause=origin", "front=queue")[-1]


def test_without_xforward_nothing_goes_inside(bed):
    start = bed.inner.log_size()
    bed.edge.postconf("-P", "postward/unix/lmtp_send_xforward_command=no")
    bed.edge.reload()
    try:
        line = fate(bed, queue(bed, "silent"), "ann", "deferred")
    finally:
        bed.edge.postconf("-P", "postward/unix/lmtp_send_xforward_command=yes")
        bed.edge.reload()
    assert "said: 451 4.7.0" in line
    assert "why=untold" in bed.origin.lines("cause=origin", "front=queue")[-1]
    assert not bed.inner.lines(": client=", start=start)


def test_every_byte_arrives(bed):
    lines = [".", "..", ".x", "x.", "", "a" * 5000, "tab\tand \xfc", "."]
    body = "\r\n".join(lines * 500) + "\r\n"
    extra = "Subject2:no blank\r\nX-Fold: one\r\n\ttwo\r\n  three\r\nReceived: from forged\r\n"
    text = mail("bytes@sender.test", body="", extra=extra).encode() + body.encode("latin-1")
    with bed.outside() as client:
        client.smtp.putcmd("MAIL", "FROM:<ann@sender.test> BODY=8BITMIME")
        assert client.smtp.getreply()[0] == 250
        client.command("RCPT TO:<ann@example.test>")
        assert client.data(text).code == 250
    assert bed.delivered("ann", "bytes@sender.test").endswith(text.replace(b"\r\n", b"\n"))


def test_fields_of_ours_that_a_client_sends_are_left_out(bed):
    extra = ("Postward-Origin: v=1; forged\r\nX-Kept: yes\r\nPOSTWARD-Transaction: x\r\n\tfolded\r\n"
             "postward-retry : yes\r\nX-Last: Postward-Origin: no field\r\n")
    queue(bed, "forged", text=mail("forged@sender.test", extra=extra,
                                   body="Postward-Origin: in the body\r\n"))
    text = bed.delivered("ann", "forged@sender.test").decode()
    header, body = text.split("\n\n", 1)
    assert [l for l in header.splitlines() if l.lower().startswith("postward-")] == [
        l for l in header.splitlines() if re.fullmatch("Postward-Transaction: [A-Za-z0-9_-]{16}", l)]
    assert header.lower().count("postward-transaction:") == 1
    assert "folded" not in header and "X-Kept: yes\nX-Last: Postward-Origin: no field" in header
    assert body == "Postward-Origin: in the body\n"


@pytest.mark.parametrize("ending", LOOK_ALIKES, ids=repr)
def test_smuggling(bed, ending):
    """What looks like the end of a message to somebody else is none to us, nor behind us."""
    number = LOOK_ALIKES.index(ending)
    first, second = f"first-{number}@sender.test", f"second-{number}@sender.test"
    before = len(bed.origin.lines("action=relay"))
    with bed.lmtp() as postfix:
        told = postfix.send(f"ADDR={SENDER} HELO=x PROTO=ESMTP SOURCE=REMOTE", "ann@sender.test",
                            ["ann@example.test"],
                            mail(first).encode() + ending + b"MAIL FROM:<ann@sender.test>\r\n"
                            b"RCPT TO:<bob@example.test>\r\nDATA\r\n" + mail(second).encode())
        assert told[0].startswith("250 2.0.0 Ok: queued as")
        assert postfix.ask("NOOP").startswith("250")  # nothing else was answered
    assert second.encode() in bed.delivered("ann", first)
    assert len(bed.origin.lines("action=relay")) == before + 1


def test_a_big_message(bed):
    body = "".join(f"{i:06d} {'x' * 70}\r\n" for i in range(100_000))
    queue(bed, "big", text=mail("big@sender.test", body=body))
    assert bed.delivered("ann", "big@sender.test", 60).endswith(body.replace("\r\n", "\n").encode())


def held_inside(bed, sender, *words):
    """The envelope of a message the inner put on hold."""
    def find():
        for file in (bed.inner.spool / "hold").rglob("*"):
            if file.is_file():
                text = bed.inner.ns.run("postcat", "-c", bed.inner.etc, "-e", file)
                if f"sender: {sender}" in text:
                    return text
        return None
    text = wait_until(find, what=f"mail of {sender} held inside")
    for word in words:
        assert word in text, text
    bed.inner.ns.run("postsuper", "-c", bed.inner.etc, "-d", "ALL", "hold")


def test_parameters_of_the_envelope(bed):
    with bed.outside() as client:
        client.command("MAIL FROM:<hold@sender.test> BODY=8BITMIME RET=HDRS ENVID=abc+2Bd")
        client.command("RCPT TO:<ann@example.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;x@y.test")
        assert client.data(mail("dsn@sender.test").encode()).code == 250
    held_inside(bed, "hold@sender.test", "envelope_id=abc+d", "ret_flags=2",
                "notify_flags=12", "dsn_orig_rcpt=rfc822;x@y.test")


def test_utf8_addresses(bed):
    with bed.outside() as client:
        client.smtp.sock.sendall("MAIL FROM:<hüld@sender.test> SMTPUTF8\r\n".encode())
        assert client.smtp.getreply()[0] == 250
        client.command("RCPT TO:<ann@example.test>")
        assert client.data(mail("utf8@sender.test").encode()).code == 250
    bed.delivered("ann", "utf8@sender.test")


def as_user(bed, uid, gid, path, words=b""):
    """What a process of that user is told on a socket; None = it cannot connect."""
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
            "try: s.connect(sys.argv[1])\n"
            "except PermissionError: sys.exit(3)\n"
            "sys.stdout.write(s.recv(1000).decode())")
    done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups",
                           "/usr/bin/python3", "-c", code, path],
                          capture_output=True, text=True, check=False, input=words.decode())
    return None if done.returncode == 3 else done.stdout


@pytest.mark.parametrize("name", ["queue", "proxy"])
def test_only_postfix_may_speak_to_us(bed, name):
    path = f"{bed.socket.parent}/{name}.sock"
    postfix = int(subprocess.check_output(["id", "-g", "postfix"]))
    assert as_user(bed, 65534, 65534, path) is None
    assert as_user(bed, "postfix", postfix, path).startswith("220 ")
    assert as_user(bed, 65534, postfix, path) == ""
    assert bed.origin.lines("event=peer_refused", f"front={name}", "uid=65534")


def test_threads_come_with_sessions_and_go_after_them(bed):
    """Each session at once has a thread; some are kept for those to come, the others end."""
    threads = lambda: len(list(Path(f"/proc/{bed.origin.process.pid}/task").iterdir()))
    with contextlib.ExitStack() as crowd:
        for peer in [crowd.enter_context(bed.lmtp()) for _ in range(100)]:
            assert peer.reply().startswith("220 ") and peer.ask("NOOP").startswith("250 ")
        assert threads() > 100
    wait_until(lambda: threads() < 50, what="fewer threads")
    for _ in range(100):
        with bed.lmtp() as peer:
            assert peer.reply().startswith("220 ") and peer.ask("QUIT").startswith("221 ")
    assert threads() < 50
    fate(bed, queue(bed, "after-a-crowd"), "ann", "sent")


def test_a_message_at_its_dot_is_answered_at_sigterm(bed):
    queue_id = queue(bed, "drain", sender="dawdle@sender.test",
                     text=mail("drain@sender.test", "dawdle@sender.test", LONG))
    wait_until(lambda: bed.inner.lines("message-id=<drain@sender.test>"), what="the inner")
    bed.origin.process.kill(signal.SIGTERM)
    fate(bed, queue_id, "ann", "sent")
    assert bed.origin.process._child.wait(60) == 0  # pylint: disable=protected-access
    bed.origin.start()
    bed.delivered("ann", "drain@sender.test")


def test_killed_before_the_message_and_back(bed):
    """SIGKILL while the inner server is waited for: Postfix has the message and sends it again."""
    with bed.inner_ns.enter():
        mute = socket.create_server((INNER_LINK, 2700))  # accepts and says nothing
    bed.reload_origin(inner=f"{INNER_LINK}:2700")
    queue_id = queue(bed, "killed-early")
    with mute:
        mute.accept()[0].close()
    bed.origin.stop(signal.SIGKILL)
    fate(bed, queue_id, "ann", "deferred")
    bed.origin.start(inner=f"{INNER_LINK}:25")
    bed.edge.flush()
    fate(bed, queue_id, "ann", "sent")
    bed.delivered("ann", "killed-early@sender.test")
    assert [m for m in inbox(bed) if b"killed-early@" in m] == [bed.delivered("ann", "killed-early@")]


def test_killed_at_the_final_dot_and_back(bed):
    """Nobody knows whether the inner had it already: it is sent again, never lost."""
    queue_id = queue(bed, "killed-late", sender="dawdle@sender.test",
                     text=mail("killed-late@sender.test", "dawdle@sender.test", LONG))
    wait_until(lambda: bed.inner.lines("message-id=<killed-late@sender.test>"), what="dot")
    bed.origin.stop(signal.SIGKILL)
    fate(bed, queue_id, "ann", "deferred")
    bed.start_again()
    bed.edge.flush()
    fate(bed, queue_id, "ann", "sent")
    bed.delivered("ann", "killed-late@sender.test")
    # told inside, where it can be found out and dropped
    assert bed.origin.lines("action=relay", "retry_of=", f" {queue_id}: ")


def signal_to(bed, name, number):
    for pid in processes_of(bed.edge.root):
        if Path(f"/proc/{pid}/comm").read_text().strip() == name:
            os.kill(pid, number)


def test_postfix_that_did_not_hear_the_reply(bed):
    """Its LMTP client is killed while the inner thinks: it sends again what we know has arrived."""
    queue_id = queue(bed, "unheard", sender="dawdle@sender.test",
                     text=mail("unheard@sender.test", "dawdle@sender.test", LONG))
    wait_until(lambda: bed.inner.lines("message-id=<unheard@sender.test>"), what="dot")
    signal_to(bed, "qmgr", signal.SIGSTOP)  # a queue manager waits longer than this one
    signal_to(bed, "lmtp", signal.SIGKILL)
    wait_until(lambda: bed.origin.lines("action=relay", f" {queue_id}: "), what="relayed")
    signal_to(bed, "qmgr", signal.SIGCONT)
    bed.edge.flush()
    fate(bed, queue_id, "ann", "sent")
    wait_until(lambda: bed.origin.lines("action=relay", "retry_of=", f" {queue_id}: "), what="retry")

"""postward-origin between two real Postfixes: the inner's own words reach the client, the
client's origin reaches the inner, and nothing stays on the edge."""
import os
import signal
import statistics
import threading
import time
from pathlib import Path

import pytest
from origin_bed import EDGE, EDGE_LINK, INNER_LINK, LIAR, SENDER, SENDER6, OriginBed
from stack.clients import SmtpClient, message
from stack.postfix import processes_of
from stack.proc import wait_until


@pytest.fixture(scope="module")
def bed():
    with OriginBed() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_left_on_the_edge(bed):
    yield
    assert bed.edge.queue() == []


@pytest.fixture
def elsewhere(bed):
    """Point the relay at another listener of the inner host; afterwards back."""
    yield lambda inner, **more: bed.reload_origin(inner=inner, **more)
    bed.reload_origin(inner=f"{INNER_LINK}:25", private_networks="")


def mail(marker, sender="ann@sender.test", body="Hello.\r\n", extra=""):
    return message(sender, "ann@example.test", message_id=marker, body=body, extra=extra)


def inner_client_lines(bed, start, *words):
    return bed.inner.lines("client=", *words, start=start)


def test_true_client_reaches_the_inner(bed):
    start = bed.inner.log_size()
    with bed.outside() as client:
        result = client.send("ann@sender.test", ["ann@example.test"], mail("m1@sender.test"))
    assert result["data"].code == 250
    text = bed.delivered("ann", "m1@sender.test").decode()
    assert inner_client_lines(bed, start, f"client=mail.sender.test[{SENDER}]")
    assert f"from mail.sender.test (mail.sender.test [{SENDER}])\n\tby mx.example.test (postward)" in text
    line = bed.origin.lines("action=relay")[-1]
    edge_id = result["data"].text.split()[-1]
    assert f" {edge_id}: " in line and "inner_id=" in line
    assert bed.inner.lines(line.split("inner_id=")[1].split(",")[0])


def test_ipv6_client(bed):
    start = bed.inner.log_size()
    with bed.outside(SENDER6) as client:
        result = client.send("ann@sender.test", ["ann@example.test"], mail("m6@sender.test"))
    assert result["data"].code == 250
    bed.delivered("ann", "m6@sender.test")
    assert inner_client_lines(bed, start, f"client=mail.sender.test[{SENDER6}]")


def test_name_that_does_not_lead_back_is_unknown(bed):
    start = bed.inner.log_size()
    with bed.outside(LIAR) as client:
        assert client.send("a@sender.test", ["ann@example.test"],
                           mail("liar@sender.test"))["data"].code == 250
    bed.delivered("ann", "liar@sender.test")
    assert inner_client_lines(bed, start, f"client=unknown[{LIAR}]")


def test_replies_per_recipient(bed):
    recipients = ["ann", "no-such-user", "percent", "later", "bob"]
    with bed.outside() as client:
        result = client.send("ann@sender.test", [f"{r}@example.test" for r in recipients],
                             mail("each@sender.test"))
    codes = [r.code for r in result["rcpt"]]
    assert codes == [250, 550, 550, 450, 250]
    unknown, percent, later = result["rcpt"][1:4]
    assert "User unknown in virtual mailbox table" in unknown.text
    assert unknown.text.startswith("5.1.1 ")
    assert "100% no" in percent.text.split("\n")[0]  # and the inner's second line
    assert percent.text.split("\n")[1] == "5.7.1 Ask postmaster"
    assert later.text.startswith("4.7.1 ") and "come back" in later.text
    assert result["data"].code == 250
    bed.delivered("ann", "each@sender.test")
    bed.delivered("bob", "each@sender.test")


def test_sender_refused_then_another(bed):
    with bed.outside() as client:
        refused = client.send("nobody@sender.test", ["ann@example.test"], mail("x1@sender.test"))
        # Postfix tells its verdict on the sender at RCPT (smtpd_delay_reject)
        assert refused["rcpt"][0].code == 554 and "not you" in refused["rcpt"][0].text
        result = client.send("ann@sender.test", ["ann@example.test"], mail("x2@sender.test"))
    assert result["data"].code == 250
    bed.delivered("ann", "x2@sender.test")


@pytest.mark.parametrize("sender,code,words", [("spam", 550, "spam: 100% sure"),
                                               ("slow", 451, "busy")])
def test_refusal_at_the_final_dot(bed, sender, code, words):
    with bed.outside() as client:
        result = client.send(f"{sender}@sender.test", ["ann@example.test"],
                             mail(f"dot-{sender}@sender.test"))
        assert result["data"].code == code
        assert words in result["data"].text and "Ask postmaster" in result["data"].text
        again = client.send("ann@sender.test", ["ann@example.test"],
                            mail(f"after-{sender}@sender.test"))
    assert again["data"].code == 250
    bed.delivered("ann", f"after-{sender}@sender.test")


def test_an_inner_that_takes_its_time_is_waited_for(bed):
    with bed.outside() as client:
        began = time.monotonic()
        result = client.send("dawdle@sender.test", ["ann@example.test"],
                             mail("dawdle@sender.test"))
        assert time.monotonic() - began > 11
    assert result["data"].code == 250
    bed.delivered("ann", "dawdle@sender.test")


def test_no_reply_to_the_final_dot_is_451_and_in_doubt(bed):
    start, killed = bed.inner.log_size(), []

    def kill_inner_smtpd():
        wait_until(lambda: bed.inner.lines("message-id=<doubt@sender.test>", start=start))
        time.sleep(2)  # it dawdles for 12 s after the dot
        killed.append(time.monotonic())
        for pid in processes_of(bed.inner.root):
            if b"smtpd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    killer = threading.Thread(target=kill_inner_smtpd)
    with bed.outside() as client:
        killer.start()
        result = client.send("dawdle@sender.test", ["ann@example.test"],
                             # longer than a buffer, so that the inner's log tells of it
                             mail("doubt@sender.test", body=("x" * 70 + "\r\n") * 1000))
        answered = time.monotonic()
    killer.join()
    assert 0 < answered - killed[0] < 9
    assert result["data"].code == 451
    assert bed.origin.lines("cause=in_doubt", "stage=dot")


def test_421_becomes_451_and_the_session_lives(bed):
    with bed.outside() as client:
        result = client.send("ann@sender.test", ["shut@example.test"], mail("y1@sender.test"))
        assert result["rcpt"][0].code == 451
        result = client.send("ann@sender.test", ["ann@example.test"], mail("y2@sender.test"))
    assert result["data"].code == 250
    bed.delivered("ann", "y2@sender.test")


def test_several_transactions_and_rset_on_one_inner_session(bed):
    start = bed.inner.log_size()
    with bed.outside() as client:
        for i in range(3):
            client.command("MAIL FROM:<ann@sender.test>")
            assert client.command("RCPT TO:<bob@example.test>").code == 250
            assert client.command("RSET").code == 250
            result = client.send("ann@sender.test", ["ann@example.test"],
                                 mail(f"several-{i}@sender.test"))
            assert result["data"].code == 250
    for i in range(3):
        bed.delivered("ann", f"several-{i}@sender.test")
    assert not list((bed.mail / "bob" / "new").glob("several*"))
    # not by its connections: more are made ready in store, whenever one was taken
    gone = wait_until(lambda: bed.inner.lines(": disconnect from mail.sender.test", start=start))
    assert len(gone) == 1 and " mail=6 rcpt=6 data=3 rset=" in gone[0]


def test_inner_session_that_died_meanwhile_is_opened_again(bed, elsewhere):
    elsewhere(f"{INNER_LINK}:2628")
    start = bed.inner.log_size()
    with bed.outside() as client:
        for i in range(2):
            result = client.send("ann@sender.test", ["ann@example.test"],
                                 mail(f"idle-{i}@sender.test"))
            assert result["data"].code == 250
            wait_until(lambda n=i: len(bed.inner.lines(": timeout after", start=start)) > n)
    bed.delivered("ann", "idle-1@sender.test")


def test_hostile_helo_does_not_forge(bed):
    start = bed.inner.log_size()
    helo = "x)\tby+2Bmx;(ADDR=127.0.0.1"
    with bed.outside(helo=helo) as client:
        result = client.send("ann@sender.test", ["ann@example.test"], mail("helo@sender.test"))
    assert result["data"].code == 250
    text = bed.delivered("ann", "helo@sender.test").decode()
    assert inner_client_lines(bed, start, f"[{SENDER}]")
    assert (f"\nReceived: from x??by?2Bmx??ADDR?127.0.0.1 (mail.sender.test [{SENDER}])\n"
            in text)


def test_long_helo_is_split_over_two_commands(bed):
    start = bed.inner.log_size()
    helo = ".".join(["a" * 60] * 4) + ".test"
    with bed.outside(helo=helo) as client:
        result = client.send("ann@sender.test", ["ann@example.test"], mail("long@sender.test"))
    assert result["data"].code == 250
    assert f"from {helo} (" in bed.delivered("ann", "long@sender.test").decode()
    assert inner_client_lines(bed, start, f"client=mail.sender.test[{SENDER}]")


def test_every_byte_arrives(bed):
    lines = [".", "..", ".x", "x.", "", "a" * 5000, "tab\tand \xfc", "cr \r inside", "."]
    body = "\r\n".join(lines * 500) + "\r\n"
    extra = "Subject2:no blank\r\nX-Fold: one\r\n\ttwo\r\n  three\r\nReceived: from forged\r\n"
    text = mail("bytes@sender.test", body="", extra=extra).encode() + body.encode("latin-1")
    with bed.outside() as client:
        client.smtp.putcmd("MAIL", "FROM:<ann@sender.test> BODY=8BITMIME SIZE=100")
        assert client.smtp.getreply()[0] == 250
        client.command("RCPT TO:<ann@example.test>")
        client.command("DATA")
        stuffed = b"\r\n".join(b"." + l if l.startswith(b".") else l for l in text.split(b"\r\n"))
        client.smtp.send(stuffed + b".\r\n")
        assert client.smtp.getreply()[0] == 250
    got = bed.delivered("ann", "bytes@sender.test")
    # cleanup_replace_stray_cr_lf of the edge's Postfix
    wanted = text.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    assert got.endswith(wanted)


def test_inner_that_does_not_offer_xclient_is_451(bed, elsewhere):
    elsewhere(f"{INNER_LINK}:2626")
    start = bed.inner.log_size()
    with bed.outside() as client:
        reply = client.command("MAIL FROM:<ann@sender.test>")
    assert reply.code == 451
    assert bed.origin.lines("cause=xclient")
    assert not inner_client_lines(bed, start)


def test_inner_that_refuses_xclient_is_451(bed, elsewhere):
    elsewhere(f"{INNER_LINK}:2627")
    with bed.outside(SENDER6) as client:
        reply = client.command("MAIL FROM:<ann@sender.test>")
    assert reply.code == 451
    assert "code=501" in bed.origin.lines("cause=xclient")[-1]


def test_inner_down_is_451_at_once(bed, elsewhere):
    elsewhere(f"{INNER_LINK}:2699")
    before = time.monotonic()
    with bed.outside() as client:
        reply = client.command("MAIL FROM:<ann@sender.test>")
    assert reply.code == 451 and time.monotonic() - before < 4  # a dead link costs 5 s
    assert bed.origin.lines("cause=connect")


def test_dead_link_is_451_within_the_connect_timeout(bed):
    bed.edge_ns.ip("link", "set", "vpn", "down")
    try:
        bed.edge_ns.ip("route", "add", "blackhole", f"{INNER_LINK}/32")
        bed.edge_ns.ip("route", "del", "blackhole", f"{INNER_LINK}/32")
        before = time.monotonic()
        with bed.outside() as client:
            reply = client.command("MAIL FROM:<ann@sender.test>")
        assert reply.code == 451 and time.monotonic() - before < 20
    finally:
        bed.edge_ns.ip("link", "set", "vpn", "up")
    with bed.outside() as client:
        result = client.send("ann@sender.test", ["ann@example.test"], mail("back@sender.test"))
    assert result["data"].code == 250


def test_private_origin_is_never_sent(bed):
    start = bed.inner.log_size()
    client = SmtpClient(bed.inner_ns, EDGE_LINK)
    reply = client.command("MAIL FROM:<ann@sender.test>")
    client.close()
    assert reply.code == 451
    line = bed.origin.lines("cause=origin")[-1]
    assert "why=private" in line and INNER_LINK in line
    assert not bed.inner.lines("connect from edge.example.test", start=start)


def test_own_networks_from_the_settings_are_never_sent(bed, elsewhere):
    elsewhere(f"{INNER_LINK}:25", private_networks="198.51.100.0/28")
    with bed.outside() as client:
        reply = client.command("MAIL FROM:<ann@sender.test>")
    assert reply.code == 451
    assert "why=network" in bed.origin.lines("cause=origin")[-1]


def test_milter_gone_is_451(bed):
    bed.origin.stop()
    try:
        with bed.outside() as client:
            reply = client.command("MAIL FROM:<ann@sender.test>")
            assert reply.code == 451
    finally:
        bed.origin.start()


def test_a_session_that_was_open_at_sigterm_is_answered(bed):
    with bed.outside() as client:
        client.command("MAIL FROM:<ann@sender.test>")
        client.command("RCPT TO:<ann@example.test>")
        bed.origin.process.kill(15)
        time.sleep(0.5)
        client.command("DATA")
        client.smtp.send(mail("drain@sender.test").encode() + b"\r\n.\r\n")
        assert client.smtp.getreply()[0] == 250
    assert bed.origin.process._child.wait(60) == 0  # pylint: disable=protected-access
    bed.origin.start()
    bed.delivered("ann", "drain@sender.test")


def test_own_address_is_never_sent(bed):
    client = SmtpClient(bed.edge_ns, EDGE, source=EDGE)
    reply = client.command("MAIL FROM:<ann@sender.test>")
    client.close()
    assert reply.code == 451
    assert "why=self" in bed.origin.lines("cause=origin")[-1]


def usual_ms(bed, marker, rounds=6):
    """What a message takes when nothing else wants the processor: the best round's lower decile.
    A cost that each message has is in it."""
    best = 1e9
    for number in range(rounds):
        best = min(best, statistics.quantiles(latencies_ms(bed, f"{marker}{number}"), n=10)[0])
        if best < 25:
            break
    return best


def latencies_ms(bed, marker, count=60):
    took_ms = []
    with bed.outside() as client:
        for i in range(count):
            before = time.monotonic()
            assert client.send("ann@sender.test", ["ann@example.test"],
                               mail(f"{marker}-{i}@sender.test"))["data"].code == 250
            took_ms.append((time.monotonic() - before) * 1000)
    print(f"{marker}: p50 {statistics.median(took_ms):.1f} ms, max {max(took_ms):.1f} ms")
    return took_ms


def test_latency_is_in_milliseconds(bed):
    """Nagle, delayed ACK and Postfix's flow control each cost 40 ms to 1 s when they get hold of
    a message."""
    assert usual_ms(bed, "unix") < 25


def test_latency_over_a_tcp_socket_too(bed):
    bed.origin.stop()
    bed.origin.sockets.clear()
    unix = bed.origin.settings["socket"]
    try:
        bed.origin.start(socket="inet:127.0.0.1:8899")
        wait_until(lambda: "socket=inet:" in bed.origin.process.log_text(), what="origin")
        bed.edge.set("smtpd_milters=inet:127.0.0.1:8899")
        bed.edge.reload()
        assert usual_ms(bed, "tcp") < 25
    finally:
        bed.edge.set("smtpd_milters=unix:origin/origin.sock")
        bed.edge.reload()
        bed.origin.stop()
        bed.origin.sockets.append(bed.socket)
        bed.origin.start(socket=unix)

"""The session with the inner server, row by row: what XCLIENT carries, what is asked of the inner
and what is refused in its place, sessions that end when they should not."""
import os
import smtplib
import socket
import threading
import time
from pathlib import Path

import pytest
from engine_bed import PORTS, PROXIED, SMUGGLING, TRUSTING, EngineBed
from origin_bed import EDGE, EDGE6, INNER_LINK, LIAR, NAMESERVER, SENDER, SENDER6
from stack.clients import SmtpClient, message
from stack.proc import wait_until


@pytest.fixture(scope="module")
def bed():
    with EngineBed() as running:
        yield running
        assert running.origin.process.stop() == 0


@pytest.fixture(autouse=True)
def nothing_left_on_the_edge(bed):
    yield
    wait_until(lambda: bed.edge.queue() == [], what="the edge's queue to be empty")  # cleanup takes a moment


@pytest.fixture
def elsewhere(bed):
    """Point the relay at another listener of the inner host, by name; afterwards back."""
    yield lambda name, **more: bed.reload_origin(inner=f"{INNER_LINK}:{PORTS[name]}", **more)
    bed.reload_origin(inner=f"{INNER_LINK}:25", send_login="no", pool_size="3", pool_age="200s")


def mail(marker, body="Hello.\r\n", extra=""):
    return message("ann@sender.test", "ann@example.test", message_id=marker, body=body, extra=extra)


def relayed(bed, client, sender, text=None, recipient="ann@example.test"):
    """Send one message, which must arrive; returns the inner's question about it."""
    result = client.send(sender, [recipient], text or mail(f"id-{sender}"))
    assert result["data"] and result["data"].code == 250, result
    return bed.policy.asked(sender)


# ---- who the inner server believes it speaks with

WHO = [  # label, source, name, reverse name
    ("named", SENDER, "mail.sender.test", "mail.sender.test"),
    ("v6", SENDER6, "mail.sender.test", "mail.sender.test"),
    ("liar", LIAR, "unknown", "liar.sender.test"),
    ("nameless", NAMESERVER, "unknown", "unknown"),
]


@pytest.mark.parametrize("label,source,name,reverse", WHO)
def test_the_inner_believes_what_is_true(bed, label, source, name, reverse):
    with bed.outside(source, helo="helo.sender.test") as client:
        port = client.smtp.sock.getsockname()[1]
        seen = relayed(bed, client, f"{label}@sender.test")
    assert seen["client_address"] == source
    assert seen["client_name"] == name and seen["reverse_client_name"] == reverse
    assert seen["helo_name"] == "helo.sender.test" and seen["protocol_name"] == "ESMTP"
    assert seen["client_port"] == str(port)
    assert seen["server_address"] == (EDGE6 if ":" in source else EDGE)
    assert seen["server_port"] == "25"
    assert seen["sasl_username"] == ""


def test_a_name_that_cannot_be_looked_up_now_is_said_to_be_so(bed):
    """reject_unknown_client_hostname then says 450 and not 550."""
    bed.net.address("pub", "198.51.100.9/24")
    # pylint: disable=protected-access
    bed.dns._control("local_zone", "9.100.51.198.in-addr.arpa.", "refuse")
    start = bed.inner.log_size()
    with bed.outside("198.51.100.9") as client:
        seen = relayed(bed, client, "temporary@sender.test")
    assert seen["client_name"] == "unknown"
    assert bed.inner.lines("client=unknown[198.51.100.9]", start=start)


def test_ipv4_in_ipv6_is_ipv4_inside(bed):
    """As a proxy in front of the edge may name it."""
    with bed.net.enter():
        raw = socket.create_connection((EDGE, PROXIED), source_address=(SENDER, 0))
    file = raw.makefile("rwb")
    file.write(b"PROXY TCP6 ::ffff:198.51.100.8 ::ffff:198.51.100.25 4711 25\r\n")
    file.flush()
    assert file.readline().startswith(b"220")
    for line in ("EHLO mapped.sender.test", "MAIL FROM:<mapped@sender.test>",
                 "RCPT TO:<ann@example.test>", "RSET", "QUIT"):
        file.write(line.encode() + b"\r\n")
        file.flush()
        while (reply := file.readline())[3:4] == b"-":
            pass
        assert reply[:1] == b"2", (line, reply)
    raw.close()
    seen = bed.policy.asked("mapped@sender.test")
    assert seen["client_address"] == "198.51.100.8" and seen["client_port"] == "4711"
    assert seen["client_name"] == "unknown" and seen["reverse_client_name"] == "liar.sender.test"


@pytest.mark.parametrize("helo", ["a+b=c", "[198.51.100.7]", "x" * 250 + ".test", "under_score.test"])
def test_helo_arrives_as_it_was_said(bed, helo):
    with bed.outside(helo=helo) as client:
        seen = relayed(bed, client, f"helo{len(helo)}@sender.test")
    assert seen["helo_name"] == helo
    assert seen["client_address"] == SENDER


class SilentClient(SmtpClient):
    """Says nothing by itself."""

    def __init__(self, ns):  # pylint: disable=super-init-not-called
        self.replies = []
        with ns.enter():
            self.smtp = smtplib.SMTP(EDGE, 25, source_address=(SENDER, 0))


def test_helo_of_a_plain_smtp_client(bed):
    with SilentClient(bed.net) as client:
        assert client.command("HELO old.sender.test").code == 250
        seen = relayed(bed, client, "plain@sender.test")
    assert seen["helo_name"] == "old.sender.test"


def test_a_client_that_never_says_helo(bed):
    """The inner is told of none."""
    with SilentClient(bed.net) as client:
        seen = relayed(bed, client, "mute@sender.test")
    assert seen["helo_name"] == "" and seen["client_address"] == SENDER


def xclient_login(bed, login):
    """A client of the edge whose login an authenticated session would have."""
    client = SmtpClient(bed.net, EDGE, TRUSTING, source=SENDER)
    assert client.command(f"XCLIENT LOGIN={login} NAME=mail.sender.test ADDR={LIAR}").code == 220
    assert client.command("EHLO desk.sender.test").code == 250
    return client


def test_a_login_goes_inside_only_when_that_is_wanted(bed, elsewhere):
    with xclient_login(bed, "ann") as client:
        assert relayed(bed, client, "login1@sender.test")["sasl_username"] == ""
    bed.reload_origin(send_login="yes")
    try:
        with xclient_login(bed, "ann") as client:
            seen = relayed(bed, client, "login2@sender.test")
        assert seen["sasl_username"] == "ann" and seen["client_address"] == LIAR
        with bed.outside() as client:
            assert relayed(bed, client, "login3@sender.test")["sasl_username"] == ""
    finally:
        bed.reload_origin(send_login="no")


def test_a_second_helo_of_another_name_is_another_session(bed):
    start = bed.inner.log_size()
    with bed.outside(helo="one.sender.test") as client:
        assert relayed(bed, client, "helo1@sender.test")["helo_name"] == "one.sender.test"
        client.command("EHLO two.sender.test")
        assert relayed(bed, client, "helo2@sender.test")["helo_name"] == "two.sender.test"
        client.command("EHLO two.sender.test")
        assert relayed(bed, client, "helo3@sender.test")["helo_name"] == "two.sender.test"
    wait_until(lambda: len(bed.inner.lines("disconnect from mail.sender.test", start=start)) == 2)


# ---- the commands as the inner sees them

def test_an_inner_that_allows_no_early_talk_hears_none(bed, elsewhere):
    """XCLIENT and EHLO each end their group; Postfix 3.9 cuts off who does not keep to that."""
    elsewhere("strict")
    start = bed.inner.log_size()
    for i in range(3):
        with bed.outside() as client:
            for j in range(2):
                relayed(bed, client, f"strict{i}{j}@sender.test")
    wait_until(lambda: len(bed.inner.lines("disconnect from mail.sender.test", start=start)) >= 3)
    assert not bed.inner.lines("improper command pipelining", start=start)
    # the milters inside get their HELO: one EHLO of the edge, one of the client
    assert all("ehlo=2 xclient=0/1 mail=2" in line
               for line in bed.inner.lines("disconnect from mail.sender.test", start=start))


def test_delivery_reports_asked_for_are_carried(bed):
    with bed.outside() as client:
        assert client.command("MAIL FROM:<dsn@sender.test> RET=HDRS ENVID=env+2B1 SIZE=500").code == 250
        assert client.command("RCPT TO:<held@example.test> NOTIFY=SUCCESS,DELAY "
                              "ORCPT=rfc822;first@example.test").code == 250
        assert client.data(mail("dsn@sender.test").encode()).code == 250
    inner_id = bed.origin.lines("action=relay")[-1].split("inner_id=")[1].split(",")[0]
    stored = bed.inner.ns.run("postcat", "-c", bed.inner.etc, "-eq", inner_id)
    bed.inner.ns.run("postsuper", "-c", bed.inner.etc, "-d", inner_id)
    assert "envelope_id=env+1" in stored and "ret_flags=2" in stored, stored
    assert "dsn_orig_rcpt=rfc822;first@example.test" in stored
    assert "notify_flags=10" in stored, stored  # success and delay


REFUSED = [  # the command the client is told no at, and what
    ("MAIL FROM:<a@sender.test> BODY=8BITMIME", None, 554, "5.6.3"),
    ("MAIL FROM:<\u00fc@sender.test> SMTPUTF8", None, 553, "5.6.7"),
    ("MAIL FROM:<a@sender.test>", "RCPT TO:<ann@example.test> NOTIFY=SUCCESS", 555, "5.5.4"),
    ("MAIL FROM:<a@sender.test>", "RCPT TO:<ann@example.test> NOTIFY=NEVER", 555, "5.5.4"),
]


@pytest.mark.parametrize("sender,recipient,code,enhanced", REFUSED)
def test_what_the_inner_cannot_do_is_refused_in_its_place(bed, elsewhere, sender, recipient, code,
                                                          enhanced):
    elsewhere("old")
    with bed.outside() as client:
        client.smtp.command_encoding = "utf-8"
        reply = client.command(sender)
        if recipient:
            assert reply.code == 250
            reply = client.command(recipient)
        assert reply.code == code and reply.text.startswith(enhanced)
        client.command("RSET")
        relayed(bed, client, "next@sender.test")


def test_an_inner_of_one_command_at_a_time_gets_what_it_can_do(bed, elsewhere):
    elsewhere("old")
    with bed.outside() as client:
        for _ in range(2):
            assert client.command("MAIL FROM:<old@sender.test> BODY=7BIT SIZE=99 RET=FULL "
                                  "ENVID=x").code == 250
            assert client.command("RCPT TO:<ann@example.test> NOTIFY=FAILURE "
                                  "ORCPT=rfc822;b@example.test").code == 250
            assert client.command("RCPT TO:<nobody@example.test>").code == 550
            assert client.data(mail("old@sender.test").encode()).code == 250
            client.command("MAIL FROM:<old@sender.test>")
            client.command("RCPT TO:<bob@example.test>")
            client.command("RSET")
    bed.delivered("ann", "old@sender.test")


def test_a_size_beyond_the_inners_is_refused_at_once(bed, elsewhere):
    elsewhere("small")
    with bed.outside() as client:
        reply = client.command("MAIL FROM:<big@sender.test> SIZE=30000")
        assert reply.code == 552 and reply.text.startswith("5.3.4")
        assert client.command("MAIL FROM:<big@sender.test> SIZE=300").code == 250
        client.command("RCPT TO:<ann@example.test>")
        assert client.data(mail("small@sender.test").encode()).code == 250
        # not said before: the inner says it when it has seen it
        result = client.send("big@sender.test", ["ann@example.test"],
                             mail("big@sender.test", body=("x" * 70 + "\r\n") * 500))
        assert result["data"].code == 552 and result["data"].text.startswith("5.3.4")
        relayed(bed, client, "fits@sender.test")


def test_a_sender_the_inner_refuses_is_refused_in_its_words(bed, elsewhere):
    """The refusal comes with the first recipient, and with each."""
    elsewhere("early")
    with bed.outside() as client:
        result = client.send("nobody@sender.test", ["ann@example.test", "bob@example.test"],
                             mail("x@sender.test"))
        assert [r.code for r in result["rcpt"]] == [554, 554]
        assert all("not you" in r.text and "Ask postmaster" in r.text for r in result["rcpt"])
        relayed(bed, client, "after@sender.test")
        result = client.send("nobody@sender.test", ["ann@example.test"], mail("y@sender.test"))
        assert result["rcpt"][0].code == 554


def test_the_inners_verdict_on_the_client_is_passed_on(bed, elsewhere):
    elsewhere("hasty")
    with bed.outside() as client:
        reply = client.command("MAIL FROM:<a@sender.test>")
        assert reply.code == 554 and "go away" in reply.text
    with bed.outside(LIAR) as client:
        relayed(bed, client, "notaway@sender.test")


def test_the_inners_verdict_on_helo_is_passed_on(bed, elsewhere):
    elsewhere("picky")
    with bed.outside(helo="wrong.sender.test") as client:
        reply = client.command("MAIL FROM:<a@sender.test>")
        assert reply.code == 504 and "not that name" in reply.text


def test_an_inner_that_wants_tls_of_us_is_no_refusal_of_the_client(bed, elsewhere):
    elsewhere("wantstls")
    with bed.outside() as client:
        client.command("MAIL FROM:<a@sender.test>")
        reply = client.command("RCPT TO:<ann@example.test>")
    assert reply.code == 451
    assert "code=530" in bed.origin.lines("action=defer")[-1]


# ---- sessions that end when they should not

@pytest.mark.parametrize("pause", ["MAIL", "RCPT", "DATA"])
def test_a_slow_client_outlasts_the_inners_patience(bed, elsewhere, pause):
    """The inner gives up after 3 s, before anything of the message is with it: the session is
    opened again with the same origin, the recipients are named again."""
    elsewhere("short")
    start, marker = bed.inner.log_size(), f"slow-{pause}@sender.test".lower()

    def pause_after(command):
        if command == pause:
            wait_until(lambda: bed.inner.lines("timeout after", f"mail.sender.test[{SENDER}]",
                                               start=start))
    with bed.outside() as client:
        client.command(f"MAIL FROM:<{marker}>")
        pause_after("MAIL")
        for user in ("ann", "nobody", "bob"):
            client.command(f"RCPT TO:<{user}@example.test>")
        pause_after("RCPT")
        client.command("DATA")
        pause_after("DATA")
        client.smtp.send(mail(marker).encode() + b"\r\n.\r\n")
        assert client.smtp.getreply()[0] == 250
    assert [r.code for r in client.replies] == [250, 250, 550, 250, 354]
    for user in ("ann", "bob"):
        bed.delivered(user, marker)
        assert sum(marker in f.read_text() for f in (bed.mail / user / "new").glob("*")) == 1
    assert bed.policy.asked(marker)["client_address"] == SENDER


def test_a_message_cut_short_never_arrives(bed):
    start = bed.inner.log_size()
    with bed.outside() as client:
        client.command("MAIL FROM:<cut@sender.test>")
        client.command("RCPT TO:<ann@example.test>")
        client.command("DATA")
        client.smtp.send(mail("cut@sender.test", body=("y" * 70 + "\r\n") * 2000).encode())
        client.smtp.sock.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: bed.inner.lines("disconnect from mail.sender.test", start=start))
    assert "quit=1" in bed.inner.lines("disconnect from mail.sender.test", start=start)[0]
    assert not bed.inner.lines("message-id=", start=start)


# ---- the store of greeted connections

def spare_connections(bed):
    """Sessions that the edge holds open inside."""
    return bed.inner_ns.run("ss", "-Htn", "state", "established", "sport", "=", ":25").count("\n")


def test_the_store_is_kept_filled_and_used(bed):
    wait_until(lambda: spare_connections(bed) == 3)
    start = bed.inner.log_size()
    for i in range(8):
        with bed.outside() as client:
            relayed(bed, client, f"store{i}@sender.test")
    wait_until(lambda: spare_connections(bed) == 3)
    assert not bed.inner.lines("lost connection", start=start)


def test_a_store_that_died_is_noticed(bed):
    """Postfix inside is started anew: nobody outside is told."""
    wait_until(lambda: spare_connections(bed) == 3)
    bed.inner.stop()
    bed.inner.start()
    with bed.outside() as client:
        relayed(bed, client, "reborn@sender.test")
    wait_until(lambda: spare_connections(bed) == 3)
    assert bed.origin.lines("event=inner_back") or not bed.origin.lines("event=inner_away")


def test_an_old_connection_is_replaced(bed, elsewhere):
    bed.reload_origin(pool_age="1s", pool_size="1")
    start = bed.inner.log_size()
    wait_until(lambda: len(bed.inner.lines("disconnect from edge.example.test", "quit=1",
                                           start=start)) > 4)
    assert spare_connections(bed) <= 1


def test_a_reload_that_failed_leaves_the_store_alone(bed, elsewhere):
    before = len(bed.origin.lines("action=keep_old"))
    bed.origin.reload(stamp_keys="/nonexistent")
    wait_until(lambda: len(bed.origin.lines("action=keep_old")) > before)
    bed.origin.write_settings(stamp_keys="")
    with bed.outside() as client:
        relayed(bed, client, "kept@sender.test")
    wait_until(lambda: spare_connections(bed) == 3)


def test_clients_that_send_nothing_do_not_empty_the_store(bed):
    idle = [bed.outside() for _ in range(15)]
    try:
        wait_until(lambda: spare_connections(bed) >= 3)
        time.sleep(1)
        assert spare_connections(bed) <= 3 + 10  # POOL_EARLY_MAX
        with bed.outside() as client:
            relayed(bed, client, "busy@sender.test")
    finally:
        for client in idle:
            client.close()
    wait_until(lambda: spare_connections(bed) == 3)


def test_without_a_store_it_works_too(bed, elsewhere):
    bed.reload_origin(pool_size="0")
    wait_until(lambda: spare_connections(bed) == 0)
    with bed.outside() as client:
        assert relayed(bed, client, "nostore@sender.test")["client_address"] == SENDER


# ---- bytes

def test_nul_and_lone_cr_are_data(bed):
    """As every byte that is no CRLF: a NUL, a lone CR, and lines over 998 bytes."""
    lines = [b"lone \r cr", b"nul \x00 byte", b"z" * 3000, b".", b"\r.", b"end \r"]
    text = mail("oddbytes@sender.test", body="").encode() + b"\r\n".join(lines) + b"\r\n"
    with bed.outside() as client:
        client.command("MAIL FROM:<odd@sender.test>")
        client.command("RCPT TO:<ann@example.test>")
        client.command("DATA")
        client.smtp.send(b"\r\n".join(b"." + l if l.startswith(b".") else l
                                      for l in text.split(b"\r\n")) + b".\r\n")
        assert client.smtp.getreply()[0] == 250
    got = bed.delivered("ann", "oddbytes@sender.test")
    assert got.endswith(text.replace(b"\r\n", b"\n"))


ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r",
        b"\r\n\x00.\r\n", b"\n.\r"]


@pytest.mark.parametrize("listener", [25, SMUGGLING])
@pytest.mark.parametrize("end", ENDS, ids=repr)
def test_the_inner_gets_the_messages_that_the_edge_saw(bed, end, listener):
    """Look-alikes of the final dot with a second transaction behind. Where the edge does as
    shipped, one message stays one; where it takes two, they are two inside and no more."""
    marker = f"smuggle{listener}x{ENDS.index(end)}"
    second = (f"MAIL FROM:<smuggled@sender.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
              f"Message-ID: <{marker}-second@sender.test>\r\nSubject: two\r\n\r\nx\r\n")
    client = SmtpClient(bed.net, EDGE, listener, source=SENDER)
    with client:
        client.command("MAIL FROM:<smuggler@sender.test>")
        client.command("RCPT TO:<ann@example.test>")
        client.command("DATA")
        start = len(bed.origin.lines("action=relay"))
        client.smtp.send(mail(f"{marker}@sender.test").encode() + b"first" + end + second.encode()
                         + b".\r\n")
        assert client.smtp.getreply()[0] == 250
        client.smtp.sock.settimeout(1)
        try:
            while client.smtp.getreply()[0] != 421:
                pass
        except Exception:  # pylint: disable=broad-exception-caught
            pass
    bed.delivered("ann", f"{marker}@sender.test")
    time.sleep(0.3)
    smuggled = [f for f in (bed.mail / "bob" / "new").glob("*") if marker in f.read_bytes().decode(
        "latin-1")]
    relays = len(bed.origin.lines("action=relay")) - start
    assert len(smuggled) == relays - 1
    if listener == SMUGGLING:
        assert relays == 1 and not smuggled


# ---- memory

CROWD = 40


def pss_kb(bed):
    text = Path(f"/proc/{bed.origin.process.pid}/smaps_rollup").read_text(encoding="ascii")
    return int(text.split("\nPss:")[1].split()[0])


@pytest.mark.skipif("san" in os.environ.get("PW_BUILD", ""), reason="a sanitizer takes more")
def test_a_session_takes_64_kilobytes_at_most(bed):
    """Clients with long messages all at once, the inner thinking about each: what the process grows
    by, threads and the milter protocol's buffers included."""
    body = ("m" * 70 + "\r\n") * 2000
    with bed.outside() as client:
        relayed(bed, client, "warm@sender.test", mail("warm@sender.test", body=body))
    before, answers = pss_kb(bed), []

    def one(number):
        with bed.outside() as client:
            answers.append(client.send("ponder@sender.test", ["ann@example.test"],
                                       mail(f"crowd{number}@sender.test", body=body))["data"])
    threads = [threading.Thread(target=one, args=[n]) for n in range(CROWD)]
    start = bed.inner.log_size()
    for thread in threads:
        thread.start()
    wait_until(lambda: len(bed.inner.lines("message-id=<crowd", start=start)) == CROWD)
    time.sleep(1)
    assert not answers  # the inner takes 30 s for each
    each_kb = (pss_kb(bed) - before) / CROWD
    for thread in threads:
        thread.join()
    print(f"{each_kb:.0f} kB a session, {before} kB before")
    assert [a.code for a in answers] == [250] * CROWD
    assert each_kb <= 64

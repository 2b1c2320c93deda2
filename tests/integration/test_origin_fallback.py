"""The inner server is away: 451, or, where the operator says so, the edge's queue for what will be taken
inside. And mail of that queue which is refused in the end: nobody gets a bounce for what he never sent."""
import base64
import hashlib
import os
import re
import socket
import stat
import subprocess
import time

import pytest
from doubt_bed import DoubtBed
from origin_bed import EDGE, INNER_LINK, LIAR, NAMESERVER, SENDER, SENDER6
from stack.clients import SmtpClient, message
from stack.dns import txt
from stack.postward import build
from stack.proc import wait_until

ANN, BOB, NOBODY = "ann@example.test", "bob@example.test", "no-such-user@example.test"
XCLIENT_PORT = 2525
HOLD = "127.0.0.1:10027"
HOLD_SERVICE = (f"{HOLD} inet n - y - - smtpd -o syslog_name=postfix/hold -o smtpd_milters="
                " -o smtpd_authorized_xforward_hosts=127.0.0.1 -o mynetworks=127.0.0.1/32"
                " -o smtpd_relay_restrictions=permit_mynetworks,reject"
                " -o smtpd_recipient_restrictions=check_recipient_access,static:HOLD")


class FallbackBed(DoubtBed):
    def _start(self):
        super()._start()
        self.dns.add(txt("sender.test", f"v=spf1 ip4:{SENDER} -all"), txt("soft.test", "v=spf1 ~all"),
                     txt("broken.test", "v=spf1 nonsense"))
        # out of the queue by Postfix's own SMTP, to a listener that does not know XCLIENT
        self.edge.set(f"relay_transport = relay:[{INNER_LINK}]:2626")
        self.edge.postconf("-M", "-e", f"{HOLD}/inet={HOLD_SERVICE}")
        # lets a test say that it has authenticated
        self.edge.postconf("-M", "-e", f"{EDGE}:{XCLIENT_PORT}/inet={EDGE}:{XCLIENT_PORT} inet n - y - - smtpd"
                           f" -o smtpd_authorized_xclient_hosts={SENDER}")
        self.edge.reload()
        self.set("queue")

    def set(self, fallback, **more):
        self.reload_origin(fallback=fallback, **more)

    def away(self):
        self.link.down()

    def back(self):
        self.link.up()

    def queued(self):
        """Messages in the edge's queue, hold aside, as text; their transport is deferred."""
        wait_until(lambda: not any("incoming" in f.parts or "active" in f.parts for f in self.edge.queue()),
                   what="the queue manager to defer it")
        return [self.postcat(f) for f in self.edge.queue() if "hold" not in f.parts]

    def held(self):
        return [self.postcat(f) for f in self.edge.queue() if "hold" in f.parts]

    def make_key(self, until="2046-01-01"):
        """The file of keys, with one."""
        raw, file = bytes(range(32)), self.root / "origin.keys"
        name = hashlib.sha256(b"postward key id" + raw).hexdigest()[:8]
        file.write_text(f"{name} 2026-01-01 {until} {base64.b64encode(raw).decode()}\n")
        file.chmod(0o600)
        os.chown(file, self.origin.uid, self.origin.uid)
        return file

    def postcat(self, file):
        return self.edge.ns.run("postcat", "-c", self.edge.etc, "-h", "-b", file)

    def refused(self, sender, client, rcpts=(NOBODY,), *, helo="mail.sender.test", login="", listener=HOLD,
                dns=NAMESERVER, text=None, code=550, folder=None):
        """The queue's front end was told a refusal: what becomes of the message?"""
        done = subprocess.run(self.edge_ns.command(
            build() / "tests/probe/probe_hold", folder or self.root, listener, dns, f"<{sender}>", client, helo, login, code,
            "User unknown\nAsk postmaster \x07", *(f"<{r}>" for r in rcpts)),
            input=(text or mail("held")).encode(), check=True, capture_output=True, timeout=90)
        return done.stdout.decode().strip(), done.stderr.decode()


@pytest.fixture(scope="module")
def bed():
    with FallbackBed() as running:
        for user in (ANN, BOB):
            assert give(running, mail(f"first-{user}"), to=[user])["data"].code == 250
        yield running


@pytest.fixture(autouse=True)
def clean(bed):
    yield
    bed.edge.ns.run("postsuper", "-c", bed.edge.etc, "-d", "ALL")
    assert bed.edge.queue() == []


@pytest.fixture
def away(bed):
    """What goes into the queue stays there while the test looks."""
    bed.edge.set("defer_transports = relay")
    bed.edge.reload()
    bed.away()
    yield
    bed.back()
    bed.edge.postconf("-X", "defer_transports")
    bed.edge.reload()


def mail(marker, body="Hello.\r\n", extra=""):
    return message("ann@sender.test", ANN, message_id=f"{marker}@sender.test", body=body, extra=extra)


def give(bed, text, sender="ann@sender.test", to=(ANN,)):
    with bed.outside() as client:
        return client.send(sender, list(to), text)


def test_by_default_everything_is_deferred(bed, away):
    bed.set("defer")
    try:
        began = time.monotonic()
        assert give(bed, mail("default"))["mail"].code == 451
        assert time.monotonic() - began < 5
    finally:
        bed.set("queue")


def test_known_recipients_are_queued_unknown_ones_deferred(bed, away):
    result = give(bed, mail("known"), to=[NOBODY, "Ann@Example.Test", "ann+x@example.test", BOB])
    assert [r.code for r in result["rcpt"]] == [451, 250, 451, 250]
    assert result["data"].code == 250
    assert len(bed.queued()) == 1
    edge_id = result["data"].text.split()[-1]
    assert bed.origin.lines(f" {edge_id}: action=queue", f"client=mail.sender.test[{SENDER}]", "recipients=2")
    assert bed.origin.lines("cause=unknown", f"rcpt=<{NOBODY}>")
    assert bed.origin.lines("event=fall_back")


def test_only_unknown_recipients_is_no_message(bed, away):
    result = give(bed, mail("unknown"), to=[NOBODY])
    assert result["rcpt"][0].code == 451 and result["data"] is None
    assert bed.queued() == []


def test_queued_mail_arrives_when_the_inner_server_is_back(bed):
    bed.away()
    try:
        assert give(bed, mail("later"))["data"].code == 250
    finally:
        bed.back()
    wait_until(lambda: bed.store.mails("ann", "later@"), 30, "the queued message")
    assert bed.count("later@") == 1
    assert give(bed, mail("live-again"))["data"].code == 250
    assert bed.count("live-again@") == 1


@pytest.mark.parametrize("moment", ["RCPT", "second RCPT", "DATA"])
def test_gone_in_the_midst_of_a_transaction(bed, away, moment):
    """All recipients go one way: those the inner server took before, too."""
    bed.back()
    with bed.outside() as client:
        client.command("MAIL FROM:<ann@sender.test>")
        for step, rcpt in (("RCPT", ANN), ("second RCPT", BOB)):
            if moment == step:
                bed.away()
            assert client.command(f"RCPT TO:<{rcpt}>").code == 250
        if moment == "DATA":
            bed.away()
        assert client.data(mail(f"midst-{len(moment)}").encode()).code == 250
    assert len(bed.queued()) == 1
    assert bed.origin.lines("action=queue")[-1].count("recipients=2") == 1


def test_gone_before_a_stamped_message_went_out(bed, stamping, away):
    """The stamp was made to go inside; now it goes into the queue."""
    bed.reload_origin(carry="stamp")
    bed.back()
    with bed.outside() as client:
        for command in ("MAIL FROM:<ann@sender.test>", f"RCPT TO:<{ANN}>"):
            assert client.command(command).code == 250
        bed.away()
        assert client.data(mail("stamped-midst").encode()).code == 250
    text, = bed.queued()
    assert stamp_of(text)["a"] == SENDER and text.count("Postward-Origin") == 1


def test_in_doubt_is_never_queued(bed):
    bed.link.fault = "swallow"
    assert give(bed, mail("doubtful"))["data"].code == 451
    bed.link.fault = None
    assert bed.edge.queue() == []
    assert give(bed, mail("other"))["data"].code == 250


def test_refusals_are_not_a_reason_to_queue(bed):
    assert give(bed, mail("spam"), sender="spam@sender.test")["data"].code == 550
    assert give(bed, mail("slow"), sender="slow@sender.test")["data"].code == 451
    assert give(bed, mail("no"), to=[NOBODY])["rcpt"][0].code == 550
    assert bed.edge.queue() == []


def test_a_login_may_write_to_whom_it_likes(bed, away):
    with SmtpClient(bed.net, EDGE, XCLIENT_PORT, source=SENDER) as client:
        assert client.command(f"XCLIENT LOGIN=ann ADDR={SENDER} NAME=mail.sender.test HELO=x.test PROTO=ESMTP").code == 220
        client.smtp.ehlo()
        result = client.send("ann@sender.test", ["stranger@example.test"], mail("login"))
    assert result["data"].code == 250
    assert len(bed.queued()) == 1


def test_forgotten_when_the_inner_server_says_unknown(bed):
    bed.inner.set("virtual_mailbox_maps = inline:{ { ann@example.test = ann/ } { bob@example.test = bob/ }"
                  " { gone@example.test = x/ } }")
    bed.origin.stop()
    bed.inner.reload()
    bed.origin.start()
    assert give(bed, mail("gone"), to=["gone@example.test"])["data"].code == 250
    bed.away()
    bed.edge.set("defer_transports = relay")
    bed.edge.reload()
    assert give(bed, mail("gone"), to=["gone@example.test"])["data"].code == 250
    bed.back()
    bed.inner.set("virtual_mailbox_maps = inline:{ { ann@example.test = ann/ } { bob@example.test = bob/ } }")
    bed.origin.stop()
    bed.inner.reload()
    bed.origin.start()
    assert give(bed, mail("gone"), to=["gone@example.test"])["rcpt"][0].code == 550
    bed.away()
    assert give(bed, mail("gone"), to=["gone@example.test"])["rcpt"][0].code == 451
    bed.back()
    bed.edge.postconf("-X", "defer_transports")
    bed.edge.reload()


def write_cache(bed):
    cache = bed.origin.state / "recipients.cache"
    before = cache.stat().st_mtime_ns if cache.exists() else 0
    bed.origin.process.kill(10)  # SIGUSR1
    wait_until(lambda: cache.exists() and cache.stat().st_mtime_ns > before, what="the cache to be written")
    return cache


def test_knowledge_outlives_the_process_and_names_nobody(bed, away):
    bed.back()
    assert give(bed, mail("fresh"), to=[ANN])["data"].code == 250
    cache = write_cache(bed)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert b"ann" not in cache.read_bytes() and b"example" not in cache.read_bytes()
    bed.away()
    bed.kill_origin()
    assert give(bed, mail("after-kill"))["data"].code == 250
    assert len(bed.queued()) == 1


def test_a_broken_cache_is_set_aside(bed):
    bed.origin.stop()
    cache = bed.origin.state / "recipients.cache"
    assert cache.exists()  # written at the end
    whole = cache.read_bytes()
    cache.write_bytes(whole[:-1])
    bed.origin.start()
    assert bed.origin.lines("event=recipients", "begins empty")
    bed.away()
    assert give(bed, mail("empty"))["rcpt"][0].code == 451
    bed.back()
    for user in (ANN, BOB):
        assert give(bed, mail(f"learnt-{user}"), to=[user])["data"].code == 250


def test_what_clients_forge_of_our_fields_is_not_in_the_queue(bed, away):
    extra = "".join(f"{name}: forged\r\n" for name in ("Postward-Origin", "X-Before", "postward-retry",
                                                        "Postward-Anything", "Postward-Origin", "X-After"))
    assert give(bed, mail("forged", extra=extra))["data"].code == 250
    text, = bed.queued()
    assert "postward" not in text.lower().replace("(postward)", "")
    assert "\nX-Before: forged" in text and "\nX-After: forged" in text


@pytest.fixture
def stamping(bed):
    bed.set("queue", stamp_keys=bed.make_key())
    yield
    bed.set("queue", stamp_keys="", carry="xclient")


def stamp_of(text):
    """The stamp on top of a message, as a dictionary."""
    match = re.match(r"(?:Return-Path:.*\n|Delivered-To:.*\n|Received: (?!from mail).*\n(?:[ \t].*\n)*)*"
                     r"Postward-Origin: ((?:.*\n)(?:\t.*\n)*)", text)
    assert match, text
    return dict(tag.strip().split("=", 1) for tag in re.sub(r"\s", "", match[1]).split(";") if tag)


def test_queued_mail_is_stamped(bed, stamping, away):
    extra = "Postward-Origin: v=1; k=forged\r\n"
    assert give(bed, mail("stamped", extra=extra), to=[ANN, BOB])["data"].code == 250
    text, = bed.queued()
    assert text.startswith("Postward-Origin: v=1") and text.count("Postward-Origin") == 1
    stamp = stamp_of(text)
    assert stamp["a"] == SENDER and stamp["h"] == "mail.sender.test" and stamp["nm"] == "mail.sender.test"
    assert len(stamp["rc"].split(",")) == 2 and stamp["hn"] == "7" and "forged" not in text


def test_carry_stamp_live(bed, stamping):
    """To an inner server that takes no XCLIENT of this host: with its answers, and nothing in a queue."""
    bed.reload_origin(carry="stamp", inner=f"{INNER_LINK}:2626", trace_name="mx.example.test")
    try:
        start = bed.inner.log_size()
        with bed.outside() as client:
            result = client.send("ann@sender.test", [NOBODY, ANN], mail("carried", body="x\r\n" * 9000))
            assert [r.code for r in result["rcpt"]] == [550, 250] and result["data"].code == 250
            assert client.send("spam@sender.test", [ANN], mail("refused"))["data"].code == 550
            assert client.send("ann@sender.test", [ANN], mail("carried2"))["data"].code == 250
        assert bed.count("carried@") == 1 and bed.count("carried2@") == 1 and bed.count("refused@") == 0
        stamp = stamp_of(bed.store.mails("ann", "carried@")[0].read_text())
        assert stamp["a"] == SENDER and len(stamp["rc"].split(",")) == 1
        assert not bed.inner.lines("client=", SENDER, start=start)
    finally:
        bed.reload_origin(carry="xclient", inner="127.0.0.1:2525")


def test_carry_stamp_without_a_key_defers(bed):
    bed.reload_origin(carry="stamp", stamp_keys=bed.make_key(until="2026-02-01"))
    try:
        assert give(bed, mail("keyless"))["mail"].code == 451
    finally:
        bed.reload_origin(carry="xclient", stamp_keys="")
    assert bed.origin.lines("cause=origin", 'why="no key"')


def test_carry_stamp_without_a_file_of_keys_is_refused():
    done = subprocess.run([build() / "bin/postward-origin", "-t", "-c", "/dev/null", "-o", "inner=192.0.2.1:25",
                           "-o", "carry=stamp"], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "stamp_keys: must name the file of keys" in done.stdout + done.stderr


# Mail of the queue that is refused in the end.

def test_spf_pass_lets_the_refusal_through(bed):
    verdict, log = bed.refused("ann@sender.test", SENDER)
    assert verdict == "pass" and "action=bounce, spf=pass" in log
    assert bed.edge.queue() == []


@pytest.mark.parametrize("sender,client,spf", [
    ("ann@sender.test", LIAR, "fail"), ("ann@soft.test", SENDER, "softfail"), ("ann@nowhere.test", SENDER, "none"),
    ("ann@broken.test", SENDER, "permerror"), ("ann@sender.test", SENDER6, "fail")])
def test_without_spf_pass_it_is_held(bed, sender, client, spf):
    text = mail(f"held-{spf}", body=".dot\r\n..\r\n" + "x" * 5000 + "\r\n" + "line\r\n" * 5000)
    verdict, log = bed.refused(sender, client, [NOBODY, BOB], text=text)
    assert verdict == "held", log
    assert f"action=hold, spf={spf}, client=" in log and "recipients=2" in log
    held, = bed.held()
    assert "\nX-Postward-Refused: 550 5.1.1 User unknown/Ask postmaster ?\n" in held
    assert held.endswith(text.replace("\r\n", "\n"))
    everything = bed.edge.ns.run("postcat", "-c", bed.edge.etc, bed.edge.queue()[0])
    assert f"sender: {sender}" in everything and f"recipient: {BOB}" in everything
    assert f"log_client_address={'IPv6:' if ':' in client else ''}{client}" in everything


def test_the_client_of_held_mail_is_remembered(bed):
    """Released later it comes out of the queue with its true origin again."""
    start = bed.edge.log_size()
    assert bed.refused("ann@sender.test", LIAR)[0] == "held"
    assert bed.edge.lines("orig_client=", LIAR, start=start)


@pytest.mark.parametrize("sender,client,login,why", [
    ("", LIAR, "", "null_sender"), ("ann@sender.test", LIAR, "ann", "login"), ("ann@sender.test", "", "", "local")])
def test_where_nobody_can_be_hurt_the_refusal_goes_through(bed, sender, client, login, why):
    verdict, log = bed.refused(sender, client, login=login)
    assert verdict == "pass" and f"spf={why}" in log


def test_a_dns_that_does_not_answer_is_asked_again(bed):
    began = time.monotonic()
    verdict, log = bed.refused("ann@sender.test", LIAR, dns="198.51.100.200")
    assert verdict == "later" and "spf=temperror" in log
    assert time.monotonic() - began < 30
    assert bed.edge.queue() == []


@pytest.mark.long
def test_a_holder_that_does_not_answer_is_waited_for_once_a_message(bed):
    """Postfix waits 600 s for the replies to all recipients, and each may be refused in words of its own."""
    with bed.edge_ns.enter():
        silent = socket.create_server(("127.0.0.1", 10098))
    began = time.monotonic()
    with silent:
        verdict, log = bed.refused("ann@sender.test", LIAR, listener="127.0.0.1:10098", code="550x3")
    assert verdict == "later" and log.count("timed out") == 3, log
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("listener,words", [("", "no hold_listener"), ("127.0.0.1:10099", "status=unavailable"),
                                            ("nonsense", "why="), (f"{EDGE}:25", "offers no XFORWARD")])
def test_without_a_place_to_hold_it_stays_in_the_queue(bed, listener, words):
    verdict, log = bed.refused("ann@sender.test", LIAR, listener=listener)
    assert verdict == "later" and "action=defer, cause=hold" in log and words in log
    assert bed.edge.queue() == []


def test_without_room_for_a_copy_it_stays_in_the_queue(bed):
    verdict, log = bed.refused("ann@sender.test", LIAR, folder="/nonexistent", text=mail("copy", body="x\r\n" * 9000))
    assert verdict == "later" and "action=defer, cause=hold" in log and "status=" in log
    assert bed.edge.queue() == []


def test_a_holder_that_refuses_part_of_it_gets_nothing(bed):
    verdict, log = bed.refused("ann@sender.test", LIAR, [BOB, "not an address"])
    assert verdict == "later" and "why=" in log
    wait_until(lambda: bed.edge.queue() == [], 10, "a half message to go")

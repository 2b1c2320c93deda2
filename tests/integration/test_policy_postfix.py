"""A stock Postfix behind the documented snippet: mail with and without policyd, and what mail sees of
a policyd that is dead, stopped or slow."""
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from policy_bed import Bed
from stack.clients import SmtpClient
from stack.netns import Namespace
from stack.postfix import Postfix
from stack.postward import SOURCE

ANN, BOB = "ann@example.test", "bob@example.test"
TEXT = "Subject: hello\r\n\r\nhello\r\n"
PLAIN, STAGES = 2525, 2526  # a smtpd that asks nobody, one that asks at three stages
MESSAGES, SESSIONS = 300, 20

MAIN = """myhostname = policy.example.test
myorigin = example.test
mynetworks =
mydestination = $myhostname
local_recipient_maps = inline:{{ nobody=here }}
relay_domains = example.org
relay_transport = discard:
virtual_mailbox_domains = example.test
virtual_mailbox_maps = static:all
virtual_transport = discard:
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
allow_percent_hack = no
swap_bangpath = no
inbound_policy = {inbound}
submission_policy = {submission}
smtpd_recipient_restrictions = $inbound_policy
"""
SERVICES = [
    "127.0.0.1:25 inet n - y - - smtpd",
    "127.0.0.1:587 inet n - y - - smtpd -o smtpd_recipient_restrictions=reject_non_fqdn_recipient,$submission_policy"
    " -o smtpd_end_of_data_restrictions=$submission_policy",
    f"127.0.0.1:{PLAIN} inet n - y - - smtpd -o smtpd_recipient_restrictions=",
    f"127.0.0.1:{STAGES} inet n - y - - smtpd -o smtpd_data_restrictions=$inbound_policy"
    " -o smtpd_end_of_data_restrictions=$inbound_policy",
]


def snippet(name):
    """A line of docs/postfix.md, as an admin copies it."""
    text = (SOURCE / "docs/postfix.md").read_text()
    return " ".join(re.search(rf"^    {name} = ([^{{]*check_policy_service\s+\{{[^}}]*\}})", text,
                              re.M).group(1).split())


class SnippetBed(Bed):
    """policyd where Postfix's queue directory has it, and a Postfix that asks as documented."""

    ns = postfix = None

    def _build(self):
        super()._build()
        self.ns = Namespace(f"snippet-{os.getpid()}").create("127.0.0.1", "")
        self.postfix = Postfix(self.root / "postfix", self.ns).create(MAIN.format(
            inbound=snippet("smtpd_recipient_restrictions"),
            submission=snippet("submission_policy")), SERVICES)
        self.program.stop()
        self.policy = self.postfix.socket_folder("postward", self.program.uid) / "policy.sock"
        self.program.sockets = [self.policy]
        self.program.start(policy_socket=f"unix:{self.policy}")
        self.postfix.start()

    def smtp(self, port, login=None):
        client = SmtpClient(self.ns, "127.0.0.1", port)
        if login:
            reply = client.command(f"XCLIENT ADDR=192.0.2.7 NAME=mail.example.net LOGIN={login}")
            assert reply.code == 220, reply
            client.command("EHLO mail.example.net")
        return client

    def send(self, port, login=None):
        """One message: its answers, and how long RCPT took."""
        with self.smtp(port, login) as client:
            sender, recipient = (login, "x@example.org") if login else ("x@example.org", ANN)
            assert client.command(f"MAIL FROM:<{sender}>").code == 250
            began = time.monotonic()
            rcpt = client.command(f"RCPT TO:<{recipient}>")
            took_s = time.monotonic() - began
            return rcpt, client.data(TEXT.encode()) if rcpt.code == 250 else None, took_s

    def source(self, port):
        """Messages a second of smtp-source; all of them must pass."""
        began = time.monotonic()
        done = subprocess.run(self.ns.command(
            "smtp-source", "-s", SESSIONS, "-m", MESSAGES, "-l", 2048, "-f", "x@example.org", "-t", ANN,
            f"inet:127.0.0.1:{port}"), check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return MESSAGES / (time.monotonic() - began)

    def answers(self):
        """How often policyd said DUNNO."""
        path = self.program.state / "metrics.prom"
        path.unlink(missing_ok=True)
        self.program.process.kill(signal.SIGUSR1)
        self.wait(path.exists, what="metrics")
        return int(next(line for line in path.read_text().splitlines() if line.startswith(
            'postward_policyd_answers_total{cause="none"}')).split()[-1])

    def close(self):
        if self.postfix is not None:
            self.postfix.stop()
        if self.ns is not None:
            self.ns.remove()
        super().close()


@pytest.fixture(scope="module")
def bed():
    with SnippetBed() as running:
        yield running


@contextlib.contextmanager
def stopped(bed, for_s=None):
    """policyd stands still; with for_s it goes on after so long by itself."""
    bed.program.process.kill(signal.SIGSTOP)
    timer = threading.Timer(for_s or 0, bed.program.process.kill, [signal.SIGCONT])
    if for_s:
        timer.start()
    try:
        yield
    finally:
        if for_s:
            timer.join()
        bed.program.process.kill(signal.SIGCONT)


def test_smtp_source_with_and_without(bed):
    """Three stages: each message asks three questions, and all pass."""
    bed.source(PLAIN)  # what Postfix does once only
    without, before = bed.source(PLAIN), bed.answers()
    with_policyd = bed.source(STAGES)
    assert bed.answers() - before == 3 * MESSAGES
    assert with_policyd > without / 4
    print(json.dumps({"messages_s": {"without": round(without), "three stages": round(with_policyd)}}))


def test_a_policyd_that_works(bed):
    bed.limit(ANN, 1)
    rcpt, end, _ = bed.send(587, ANN)
    assert rcpt.code == 250 and end.code == 250
    rcpt, end, _ = bed.send(587, ANN)
    assert rcpt.code == 450 and "1 message per hour reached" in str(rcpt)
    rcpt, end, _ = bed.send(25)
    assert rcpt.code == 250 and end.code == 250


def test_a_dead_policyd(bed):
    """Port 25 goes on, submission waits; the client keeps its message and both are at once what they
    were when policyd is back."""
    bed.limit(ANN, 0)
    for is_gone in (False, True):  # nobody listens, or there is no socket
        bed.program.process.stop(signal.SIGKILL)
        if is_gone:
            bed.policy.unlink()
        rcpt, end, took_s = bed.send(25)
        assert rcpt.code == 250 and end.code == 250 and took_s < 5
        rcpt, end, took_s = bed.send(587, ANN)
        assert rcpt.code // 100 == 4 and took_s < 5
        bed.program.start()
        rcpt, end, took_s = bed.send(587, ANN)
        assert rcpt.code == 250 and end.code == 250 and took_s < 5


def test_a_policyd_that_dies_between_rcpt_and_the_end(bed):
    bed.limit(ANN, 0)
    with bed.smtp(587, ANN) as client:
        assert client.command(f"MAIL FROM:<{ANN}>").code == 250
        assert client.command("RCPT TO:<x@example.org>").code == 250
        bed.program.process.stop(signal.SIGKILL)
        assert client.data(TEXT.encode()).code == 450
        bed.program.start()
        client.command("RSET")
        assert client.send(ANN, ["x@example.org"], TEXT)["data"].code == 250


def test_a_stopped_policyd(bed):
    """Two tries of 5 s and the pause between them."""
    bed.limit(ANN, 0)
    with stopped(bed):
        rcpt, end, took_s = bed.send(25)
        assert rcpt.code == 250 and end.code == 250 and 5 < took_s < 15
        rcpt, end, took_s = bed.send(587, ANN)
        assert rcpt.code // 100 == 4 and 5 < took_s < 15
    rcpt, end, took_s = bed.send(587, ANN)
    assert rcpt.code == 250 and end.code == 250 and took_s < 5


def test_a_slow_policyd(bed):
    """Slower than ever, but within Postfix's patience: mail waits for it and passes."""
    bed.limit(ANN, 0)
    for port, login in ((25, None), (587, ANN)):
        with stopped(bed, for_s=3):
            rcpt, end, took_s = bed.send(port, login)
        assert rcpt.code == 250 and end.code == 250 and 1 < took_s < 5


def test_the_documents_show_one_snippet():
    """docs/limits.md has the line of docs/postfix.md."""
    limits = Path(SOURCE / "docs/limits.md").read_text()
    assert snippet("submission_policy") in limits


@pytest.mark.parametrize("port, login", [(25, None), (587, ANN)])
def test_a_recipient_is_who_policyd_was_told(bed, port, login):
    """No domain that Postfix adds afterwards, no address inside of an address; the bare postmaster is
    taken (RFC 5321, section 4.5.1)."""
    bed.limit(ANN, 0)
    with bed.smtp(port, login) as client:
        assert client.command(f"MAIL FROM:<{login or 'x@example.org'}>").code == 250
        bare = client.command("RCPT TO:<list>")
        assert bare.code == 504 and "need fully-qualified address" in str(bare)
        assert client.command("RCPT TO:<postmaster>").code == 250
        for inside in ("list%example.test@policy.example.test", "example.test!list@policy.example.test"):
            assert client.command(f"RCPT TO:<{inside}>").code // 100 == 5, inside
        assert client.command(f"RCPT TO:<{ANN}>").code == 250

"""What becomes of open sessions when an account changes: Dovecot closes them, Postfix refuses the
next mail of a submission session. Real Postfix, Dovecot and PostgreSQL (docs/logins.md)."""
import base64
import contextlib
import email
import email.policy
import imaplib
import itertools
import os
import poplib
import queue
import smtplib
import socket
import subprocess
import tempfile
import threading

import pytest
from auth_driver import Driver
from policy_bed import Client

from stack.clients import tls_context
from stack.postward import PROGRAMS, build
from stack.proc import wait_until
from stack.stack import INNER_LINK

POLICYD = PROGRAMS["postward-policyd"][0]
numbers = itertools.count(1)


class Session:
    """Something logged in, by its socket."""

    def __init__(self, name, sock):
        self.name, self.sock = name, sock
        self.sock.settimeout(0.1)

    def is_closed(self):
        try:
            while self.sock.recv(4096):
                pass
            return True
        except TimeoutError:
            return False
        except OSError:
            return True


def connect(stack, port, tls):
    with stack.inner_ns.enter():
        sock = socket.create_connection((INNER_LINK, port), timeout=60)
    return tls_context().wrap_socket(sock) if tls else sock


def imap_session(stack, login, password, idle=False):
    imap = stack.imap(login, password)
    imap.select()
    if idle:
        imap.send(b"i IDLE\r\n")
        assert imap.readline().startswith(b"+")
    return Session("IMAP IDLE" if idle else "IMAP", imap.socket())


def pop3_session(stack, login, password):
    with stack.inner_ns.enter():
        pop3 = poplib.POP3_SSL(INNER_LINK, 995, timeout=60, context=tls_context())
    pop3.user(login)
    pop3.pass_(password)
    return Session("POP3", pop3.sock)


def sieve_session(stack, login, password):
    """ManageSieve (RFC 5804): no client library knows it."""
    sock = connect(stack, 4190, tls=False)

    def reply():
        line = b""
        while not line.startswith((b"OK", b"NO", b"BYE")):
            line = b""
            while not line.endswith(b"\r\n"):
                line += sock.recv(1)  # nothing beyond it: TLS may begin there
        return line

    assert reply().startswith(b"OK")
    sock.sendall(b"STARTTLS\r\n")
    assert reply().startswith(b"OK")
    sock = tls_context().wrap_socket(sock)
    assert reply().startswith(b"OK")
    secret = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
    sock.sendall(f'AUTHENTICATE "PLAIN" "{secret}"\r\n'.encode())
    assert reply().startswith(b"OK")
    return Session("ManageSieve", sock)


@contextlib.contextmanager
def sessions(stack, login):
    """One of each protocol, and one that idles."""
    password = stack.passwords[login]
    with contextlib.ExitStack() as closing:
        found = [imap_session(stack, login, password),
                 imap_session(stack, login, password, idle=True),
                 pop3_session(stack, login, password), sieve_session(stack, login, password)]
        for session in found:
            closing.callback(session.sock.close)
        yield found


def open_ones(found):
    return [s.name for s in found if not s.is_closed()]


def wait_closed(found):
    wait_until(lambda: not open_ones(found), what="every session to be closed")


@pytest.fixture
def user(stack):
    """A user of its own in a domain of its own."""
    n = next(numbers)
    stack.add_domain(f"s{n}.test")
    stack.add_user(f"carl@s{n}.test")
    stack.settle()
    yield f"carl@s{n}.test"
    stack.pg.sql("DELETE FROM mail.virtual_users WHERE email LIKE %s", f"%@s{n}.test")
    stack.pg.sql("DELETE FROM mail.virtual_domains WHERE name = %s", f"s{n}.test")


def policyd(stack):
    return stack.programs["postward-policyd"]


def events(stack, login):
    return stack.pg.sql("SELECT detail ->> 'why' FROM mail.events"
                        " WHERE kind = 'sessions_closed' AND who = %s ORDER BY id", login)


NEW_PASSWORD = "an entirely different password"

CHANGES = {
    "password": "SELECT mail.set_password(%s, '{new}')",
    "refused": "UPDATE mail.virtual_users SET suspended = 'sent spam' WHERE email = %s",
    "deleted": "DELETE FROM mail.virtual_users WHERE email = %s",
    "app_password": "SELECT mail.revoke_app_password(%s, 'phone')",
    "blocked": "SELECT mail.block_login(%s)",
}


def change(stack, why, user):
    stack.pg.sql(CHANGES[why].format(new=NEW_PASSWORD), user)


@pytest.mark.parametrize("why", CHANGES)
def test_sessions_end(stack, user, why):
    """Of every protocol, idle ones too; nobody else's."""
    stack.pg.sql("SELECT mail.add_app_password(%s, 'phone')", user)
    with sessions(stack, user) as theirs, sessions(stack, "bob@example.test") as others:
        change(stack, why, user)
        wait_closed(theirs)
        assert len(open_ones(others)) == len(others)
    wait_until(lambda: (why,) in events(stack, user), what="the event")
    assert policyd(stack).lines("action=kick", f"login=<{user}>", f"why={why}", "closed=yes")
    assert not stack.dovecot.crashes()


def test_a_domain_ends(stack, user):
    with sessions(stack, user) as theirs:
        stack.pg.sql("UPDATE mail.virtual_domains SET enabled = false WHERE name = %s",
                     user.partition("@")[2])
        wait_closed(theirs)


def test_a_date_comes(stack, user):
    with sessions(stack, user) as theirs:
        stack.pg.sql("UPDATE mail.virtual_users SET expires_at = clock_timestamp() + '3 s'"
                     " WHERE email = %s", user)
        wait_closed(theirs)
    wait_until(lambda: ("expired",) in events(stack, user), what="the event")


def test_nothing_taken_away(stack, user):
    """A change that lets the user do more ends nothing."""
    dora = f"dora@{user.partition('@')[2]}"
    stack.add_user(dora)
    with sessions(stack, user) as theirs:
        stack.pg.sql("UPDATE mail.virtual_users SET quota_mb = 500,"
                     " expires_at = now() + '1 year' WHERE email = %s", user)
        change(stack, "refused", dora)
        wait_until(lambda: policyd(stack).lines("action=kick", f"login=<{dora}>"),
                   what="a later change to be followed")
        assert len(open_ones(theirs)) == len(theirs)


def test_dovecot_cannot_be_asked(stack, user):
    """The listener is away when it happens: asked again until it is there."""
    with sessions(stack, user) as theirs:
        with away(stack, "postward-doveadm"):
            change(stack, "password", user)
            wait_until(lambda: policyd(stack).lines("event=chore_waits", "action=kick"),
                       what="the first try")
            assert len(open_ones(theirs)) == len(theirs)
        wait_closed(theirs)


def test_changed_while_policyd_was_away(stack, user):
    program = policyd(stack)
    with sessions(stack, user) as theirs:
        program.stop()
        try:
            change(stack, "password", user)
        finally:
            program.start()
        wait_closed(theirs)


@contextlib.contextmanager
def away(stack, name):
    """A listener of Dovecot that cannot be found for a while."""
    listener = stack.dovecot.root / "run" / name
    hidden = listener.with_suffix(".away")
    listener.rename(hidden)
    try:
        yield
    finally:
        hidden.rename(listener)


# submission


def try_to_send(client, user):
    """The reply that decides about one recipient."""
    reply = client.command(f"MAIL FROM:<{user}>")
    if reply.code == 250:
        reply = client.command("RCPT TO:<someone@elsewhere.test>")
    if reply.code != 421:
        client.command("RSET")
    return reply


def wait_followed(stack, why, user):
    """policyd judges by the change; it closes sessions only then."""
    wait_until(lambda: policyd(stack).lines("action=kick", f"login=<{user}>", f"why={why}"),
               what="policyd to follow")


@contextlib.contextmanager
def submission(stack, user, has_sent=True):
    client = stack.submission(user)
    try:
        if has_sent:
            wait_until(lambda: try_to_send(client, user).code == 250, step_s=0.5,
                       what="policyd to know the user")
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("why, reason", [("refused", "suspended: sent spam"),
                                         ("deleted", "deleted")])
def test_open_submission_is_refused(stack, user, why, reason):
    with submission(stack, user) as client, submission(stack, "bob@example.test") as other:
        change(stack, why, user)
        wait_followed(stack, why, user)
        reply = try_to_send(client, user)
        assert reply.code == 550, reply
        assert reply.text.endswith(f"<{user}>: may not send: {reason}")
        assert try_to_send(client, user).code == 550
        assert try_to_send(other, "bob@example.test").code == 250


@pytest.mark.parametrize("has_sent", [True, False], ids=["has sent", "has sent nothing yet"])
@pytest.mark.parametrize("why", ["password", "app_password"])
def test_open_submission_logs_in_again(stack, user, why, has_sent):
    stack.pg.sql("SELECT mail.add_app_password(%s, 'phone')", user)
    with submission(stack, user, has_sent) as client:
        change(stack, why, user)
        wait_followed(stack, why, user)
        reply = try_to_send(client, user)
        assert reply.code == 421, reply
        assert "log in again" in reply.text
        with pytest.raises(OSError):
            client.smtp.docmd("NOOP")
    if why == "password":
        stack.passwords[user] = NEW_PASSWORD
    wait_until(lambda: lets_in(stack, user), what="a new session that may send", step_s=0.5)


def test_a_login_blocked_by_hand_sends_nothing_more_until_it_is_lifted(stack, user):
    with submission(stack, user) as client, submission(stack, "bob@example.test") as other:
        change(stack, "blocked", user)
        wait_followed(stack, "blocked", user)
        assert try_to_send(client, user).code == 421
        assert try_to_send(other, "bob@example.test").code == 250
    with pytest.raises(smtplib.SMTPAuthenticationError):
        stack.submission(user)
    with pytest.raises(imaplib.IMAP4.error):
        stack.imap(user)
    assert stack.pg.value("SELECT mail.unblock(%s)", user) == 1
    wait_until(lambda: logs_in(stack, user), what="a login after the block", step_s=0.5)


def logs_in(stack, user):
    with contextlib.suppress(smtplib.SMTPAuthenticationError):
        stack.submission(user).close()
        return True
    return False


def lets_in(stack, user):
    """So soon after the change a new session is doubted too."""
    with submission(stack, user, has_sent=False) as client:
        return try_to_send(client, user).code == 250


def test_sessions_are_told_apart_by_their_logins(stack, user):
    """Dovecot told of two logins: both sessions are older than the change, a third is not."""
    home = "192.0.2.77"
    with Driver(stack.auth_socket) as driver, \
            Client(policyd(stack).sockets[0]) as smtpd:
        def log_in():
            driver.report(user, "success", home, service="smtp", port=0)
            assert driver.ask(user, home) is True  # so the report was heard

        def ask(port):
            return smtpd.ask(instance=str(port), sender=user, sasl_username=user,
                             client_address=home, client_port=port)

        log_in()
        log_in()
        change(stack, "password", user)
        wait_followed(stack, "password", user)
        assert ask(1).startswith("421 4.7.0 ")
        assert ask(2).startswith("421 4.7.0 ")
        ports = itertools.count(3)

        def is_let_in():
            log_in()
            return ask(next(ports)) == "DUNNO"

        wait_until(is_let_in, what="a login after the change", step_s=0.5)


# warnings


class Probe:
    """The chores without the rest of policyd, as policyd's user."""

    def __init__(self, stack):
        run = stack.dovecot.root / "run"
        self.errors = tempfile.TemporaryFile()
        command = [build() / "tests/probe/probe_chores", run / "postward-doveadm",
                   run / "postward-lmtp"]
        self.child = subprocess.Popen(
            ["setpriv", f"--reuid={POLICYD}", f"--regid={POLICYD}", "--clear-groups", *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.done = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self.done.put(line.strip())

    def log(self):
        return os.pread(self.errors.fileno(), 65536, 0).decode()

    def say(self, *fields):
        self.child.stdin.write("\t".join(map(str, fields)) + "\n")
        self.child.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(60)
        self.errors.close()


def warn(stack, user, probe, subject, text):
    probe.say("warn", user, 90, subject, text)
    assert probe.done.get(timeout=60) == f"quota_warning {user}"
    with stack.imap(user) as imap:
        return [email.message_from_bytes(m, policy=email.policy.default)
                for m in imap.messages()]


def test_warning_arrives_once(stack, user):
    subject = "Your mailbox is %{percent} % full – schöne Grüße, and this subject is a long one"
    with Probe(stack) as probe:
        found = warn(stack, user, probe, subject, "%{used_mb} of %{quota_mb} MB, %{user}: Grüße")
    [mail] = found
    assert mail["Subject"] == subject.replace("%{percent}", "90")
    assert mail.get_content().splitlines() == [f"90 of 100 MB, {user}: Grüße"]
    assert mail["From"] == f"postmaster@{user.partition('@')[2]}" and mail["To"] == user
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Return-Path"] == "<>"
    assert mail["Date"].datetime is not None and mail["Message-ID"].endswith(".test>")


def test_warning_waits_for_dovecot(stack, user):
    with Probe(stack) as probe:
        with away(stack, "postward-lmtp"):
            probe.say("warn", user, 90, "s", "t")
            wait_until(lambda: "event=chore_waits" in probe.log(), what="the first try")
        assert probe.done.get(timeout=60) == f"quota_warning {user}"
    with stack.imap(user) as imap:
        assert imap.count() == 1


def test_warning_to_nobody_is_given_up(stack, user):
    """A refusal for good is not repeated; the next warning is delivered."""
    with Probe(stack) as probe:
        probe.say("warn", f"no.{user}", 90, "s", "t")
        assert len(warn(stack, user, probe, "s", "t")) == 1
        assert probe.done.empty()


def test_full_mailbox_warns(stack, user):
    """The way of a warning from the quota plugin to the user's mailbox: once per percentage."""
    stack.pg.sql("UPDATE mail.virtual_users SET quota_mb = 1 WHERE email = %s", user)
    stack.settle()

    def fill(kilobytes):
        with stack.imap(user) as imap:
            assert imap.append("INBOX", None, None, b"Subject: x\r\n\r\n" +
                               b"x" * 1023 * kilobytes)[0] == "OK"

    def percents():
        return [row[0] for row in stack.pg.sql(
            "SELECT (detail ->> 'percent')::int / 10 * 10 FROM mail.events"
            " WHERE kind = 'quota_warning' AND who = %s ORDER BY id", user)]

    fill(850)
    wait_until(lambda: percents() == [80], what="the first warning")
    fill(10)
    fill(70)
    wait_until(lambda: percents() == [80, 90], what="the second warning")
    with stack.imap(user) as imap:
        subjects = [email.message_from_bytes(m, policy=email.policy.default)["Subject"]
                    for m in imap.messages()]
    assert len([s for s in subjects if s != "x"]) == 2

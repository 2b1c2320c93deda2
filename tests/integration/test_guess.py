"""Passwords guessed at a real Dovecot, with policyd and PostgreSQL behind its auth driver."""
import imaplib
import itertools
import os
import signal
import smtplib

import pytest
from auth_driver import Driver
from dovecot_bed import MAIL_UID, Dovecot
from login_bed import CONFIG
from policy_bed import Bed
from stack.proc import wait_until
from stack.stack import INNER_LINK

ANN, BOB = "ann@example.test", "bob@example.test"
PASSWORD = "a long enough password"
PATIENCE_S = 60

# loopback speaks for its clients, as a webmail does; Dovecot's own delay for an address that
# fails, up to 15 s, is off
MORE = """login_trusted_networks = 127.0.0.0/8
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

imaplib.Commands["ID"] = ("NONAUTH", "AUTH")


class GuessBed(Bed):
    """The same with a Dovecot whose auth driver speaks to policyd."""

    dovecot = None

    def _build(self):
        super()._build()
        (self.root / "postward-dovecot.conf").write_text(
            f"database = {self.pg.conninfo('dovecot')}\nauth_socket = {self.auth}\n")
        for name, value in (("mail_uid", MAIL_UID), ("mail_gid", MAIL_UID), ("password_rounds", 1000)):
            self.pg.sql("UPDATE mail.settings SET value = %s WHERE name = %s", str(value), name)
        for user in (ANN, BOB):
            self.pg.sql("SELECT mail.set_password(%s, %s)", user, PASSWORD)
        self.dovecot = Dovecot(self.root / "dovecot", CONFIG.replace("{cache}", "1M")
                               + MORE)
        self.dovecot.start()
        self.wait(self.driver_is_there, PATIENCE_S, "the auth driver")

    def driver_is_there(self):
        """The driver connects with the first login."""
        return self.login("198.51.100.250", user=BOB) and self.reports("success") > 0

    def reports(self, result):
        path = self.program.state / "metrics.prom"
        self.program.process.kill(signal.SIGUSR1)
        name = f'postward_policyd_auth_reports_total{{result="{result}"}} '
        lines = path.read_text().splitlines() if path.exists() else []
        return sum(int(line.removeprefix(name)) for line in lines if line.startswith(name))

    def login(self, client, password=PASSWORD, user=ANN):
        """Log in over IMAP as a client of that address: did it work? Any other refusal than
        that of a wrong password is an error."""
        imap = imaplib.IMAP4("127.0.0.1", self.dovecot.port, timeout=60)
        try:
            imap._simple_command("ID", f'("x-originating-ip" "{client}" "x-originating-port" "4321")')
            imap.login(user, password)
            return True
        except imaplib.IMAP4.error as error:
            assert "AUTHENTICATIONFAILED" in str(error), error
            return False
        finally:
            imap.shutdown()

    def limit(self, kind, failures, block_s):
        self.pg.sql("UPDATE mail.auth_limits SET enabled = kind = %s, failures = %s,"
                    " block = make_interval(secs => %s)", kind, failures, block_s)
        self.settle()

    def close(self):
        if self.dovecot is not None:
            self.dovecot.stop()
            self.dovecot.check_log()
        super().close()


@pytest.fixture(scope="module")
def bed():
    with GuessBed() as running:
        yield running


def last_logins(bed, user):
    return bed.pg.sql("SELECT l.protocol, host(l.address), l.credential FROM mail.last_logins AS l"
                      " JOIN mail.virtual_users AS u ON u.id = l.user_id WHERE u.email = %s", user)


def test_wrong_passwords_block_an_address_and_its_right_one_too(bed):
    guesser, other = "198.51.100.7", "198.51.100.8"
    bed.limit("network", 4, block_s=15)
    for n in range(3):
        assert not bed.login(guesser, f"a wrong password {n}")
    assert bed.login(guesser)
    assert not bed.login(guesser, "a wrong password 3")
    # the cached success of that address goes too, a moment later
    bed.wait(lambda: not bed.login(guesser), 14, "a refusal of the right password")
    assert not bed.login(guesser, user=BOB)
    assert bed.login(other)
    bed.wait(lambda: bed.login(guesser), PATIENCE_S, "the end of the block")
    assert bed.login(guesser, user=BOB)
    assert [l for l in bed.program.lines("event=auth_failure", f"client={guesser}")
            if f"login={ANN}" in l and "service=imap" in l]
    bed.wait(lambda: last_logins(bed, ANN) == [("imap", guesser, 0)], PATIENCE_S, "last login")
    bed.wait(lambda: bed.pg.sql("SELECT kind FROM mail.events WHERE who = %s ORDER BY id", guesser)
             == [("auth_block",), ("auth_unblock",)], PATIENCE_S, "events")


def test_a_stale_password_counts_once_and_different_ones_each(bed):
    telephone, guesser = "198.51.100.60", "198.51.100.61"
    bed.limit("network", 3, block_s=600)
    for _ in range(5):
        assert not bed.login(telephone, "the password of last year", user=BOB)
    assert bed.login(telephone, user=BOB)
    for n in range(3):
        assert not bed.login(guesser, f"a wrong password of three {n}", user=BOB)
    bed.wait(lambda: bed.program.lines("action=block", f"client={guesser}"), PATIENCE_S, "block")
    assert not bed.login(guesser, user=BOB)
    assert not bed.program.lines("action=block", f"client={telephone}")


def test_a_login_that_is_guessed_goes_on_at_home(bed):
    home, stranger = "198.51.100.20", "198.51.100.30"
    bed.limit("login", 3, block_s=600)
    assert bed.login(home)
    for n in range(3):
        assert not bed.login(f"203.0.113.{n}", f"another wrong password {n}")
    bed.wait(lambda: bed.program.lines("action=block", f"login={ANN}"), PATIENCE_S, "block")
    assert not bed.login(stranger)
    assert bed.login(home)
    assert bed.login(stranger, user=BOB)
    with Driver(bed.auth) as driver:
        assert driver.ask(ANN, stranger) > 0


def test_logins_go_on_without_policyd_and_are_counted_again_with_it(bed):
    client = "198.51.100.40"
    bed.limit("network", 2, block_s=600)
    assert bed.program.stop(signal.SIGKILL) == -signal.SIGKILL
    assert bed.login(client, user=BOB)
    for n in range(4):
        assert not bed.login(client, f"a wrong password without policyd {n}", user=BOB)
    assert bed.login(client, user=BOB)
    os.unlink(bed.auth)  # what is left of a killed one must not look like a start
    bed.program.start()
    bed.settle()

    numbers = itertools.count()

    def is_blocked():
        assert not bed.login(client, f"a wrong password again {next(numbers)}", user=BOB)
        return bed.program.lines("action=block", f"client={client}")
    bed.wait(is_blocked, PATIENCE_S, "the driver to be back")
    assert not bed.login(client, user=BOB)


def test_last_logins_over_imap_and_submission(stack):
    user = "seen@example.test"
    stack.add_user(user)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        stack.imap(user, "not the right password")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        stack.submission(user, "not the right password")

    def seen_over_imap():
        with stack.imap(user):
            return logins_of(stack, user)

    def seen_over_smtp():
        stack.submission(user).close()
        return logins_of(stack, user)
    assert wait_until(seen_over_imap, PATIENCE_S, "imap", 0.3) == {"imap": (INNER_LINK, 0)}
    wait_until(lambda: seen_over_smtp().get("smtp") == (INNER_LINK, 0), PATIENCE_S, "smtp", 0.3)
    stack.pg.sql("DELETE FROM mail.virtual_users WHERE email = %s", user)


def logins_of(stack, user):
    return {protocol: (address, credential)
            for protocol, address, credential in last_logins(stack, user)}

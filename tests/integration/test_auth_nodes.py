"""Failed logins on two nodes with one PostgreSQL: what one policyd blocks and counts the other one
knows, and people see, lift and make blocks in SQL."""
import contextlib
import os
import pwd
import signal
import time

import pytest
from auth_client import AuthClient
from auth_driver import Driver
from dovecot_bed import MAIL_UID, Dovecot
from login_bed import CONFIG
from policy_bed import Bed
from stack.postward import PROGRAMS, Program

ANN, BOB = "ann@example.test", "bob@example.test"
PASSWORD = "a long enough password"
PATIENCE_S = 60
SOON_S = 3  # docs/guessed-passwords.md: two seconds; the rest is this machine's


class Nodes(Bed):
    """Two nodes; drivers[0] and [1] speak to them."""

    other = None
    drivers = ()

    def _build(self):
        super()._build()
        folder = self.root / "node2"
        run = folder / "run"
        run.mkdir(parents=True)
        os.chown(run, PROGRAMS["postward-policyd"][0], pwd.getpwnam("dovecot").pw_gid)
        run.chmod(0o2750)
        self.sockets = [self.auth, run / "auth.sock"]
        self.other = Program("postward-policyd", folder, None,
                             {"policy_socket": f"unix:{run / 'policy.sock'}",
                              "usage_socket": run / "usage.sock", "auth_socket": self.sockets[1]},
                             [self.sockets[1]], self.pg)
        self.other.start()
        self.nodes = [self.program, self.other]
        self.drivers = [Driver(path) for path in self.sockets]

    def limit(self, kind, failures, block_s=600):
        self.pg.sql("UPDATE mail.auth_limits SET enabled = kind = %s, failures = %s,"
                    " block = make_interval(secs => %s)", kind, failures, block_s)
        generation = self.pg.value("SELECT mail.generation()")
        for node in self.nodes:
            self.wait(lambda node=node: any(
                int(line.rpartition("generation=")[2].split(",")[0]) >= generation
                for line in node.lines("database=snapshot_loaded")), what=f"generation {generation}")

    def restart(self, number, how):
        self.drivers[number].close()
        self.nodes[number].stop(how)
        if how == signal.SIGKILL:
            self.sockets[number].unlink()
        self.nodes[number].start()
        self.wait(lambda: self.connects(number), PATIENCE_S, "the socket to be listened on")

    def connects(self, number):
        """A socket's file is there a moment before it takes connections."""
        with contextlib.suppress(ConnectionRefusedError):
            self.drivers[number] = Driver(self.sockets[number])
            return True
        return False

    def until(self, number, claim, login, remote, timeout_s=PATIENCE_S):
        """Seconds until a node's answer is such; True means let in."""
        begin = time.monotonic()
        self.wait(lambda: claim(self.drivers[number].ask(login, remote)), timeout_s,
                  f"node {number + 1}: {login} from {remote}")
        return time.monotonic() - begin

    def close(self):
        for driver in self.drivers:
            driver.close()
        if self.other is not None:
            self.other.stop()
        super().close()


def is_free(answer):
    return answer is True


def is_blocked(answer):
    return answer is not True


@pytest.fixture(scope="module")
def bed():
    with Nodes() as running:
        yield running


def events(bed, who):
    return [row[0] for row in bed.pg.sql(
        "SELECT kind FROM mail.events WHERE who = %s AND kind LIKE 'auth_%%' ORDER BY id", who)]


def blocks(bed, who):
    return bed.pg.sql("SELECT kind, failures, dry_run, extract(epoch FROM until - now())::int"
                      " FROM mail.auth_blocks WHERE mail.auth_who(network, login) = %s", who)


def test_a_block_of_one_node_is_one_of_the_other(bed):
    guesser = "192.0.2.10"
    bed.limit("network", 4)
    for n in range(4):
        bed.drivers[0].fail(f"user{n}@example.test", guesser)
    assert bed.drivers[0].ask(ANN, guesser) > 500
    assert bed.until(1, is_blocked, ANN, guesser) < SOON_S
    assert 500 < bed.drivers[1].ask(ANN, guesser) <= 600
    bed.drivers[1].wait_flush("*")
    assert bed.drivers[1].ask(ANN, "192.0.2.11") is True
    assert bed.other.lines("action=block", "kind=network", f"client={guesser}", "shared=yes")
    ((kind, failures, dry_run, left_s),) = blocks(bed, guesser)
    assert (kind, failures, dry_run) == ("network", 4, False) and 500 < left_s <= 600
    assert events(bed, guesser) == ["auth_block"]


def test_who_is_lifted_in_sql_is_free_on_every_node(bed):
    guesser = "2001:db8:1:2::7"
    bed.limit("network", 2)
    bed.drivers[1].fail(ANN, guesser, times=2)
    bed.until(0, is_blocked, ANN, guesser)
    bed.pg.sql("DELETE FROM mail.auth_blocks WHERE network >>= %s::inet", guesser)
    assert bed.until(0, is_free, ANN, guesser) < SOON_S
    assert bed.until(1, is_free, ANN, guesser) < SOON_S
    assert bed.program.lines("action=unblock", "client=2001:db8:1:2::/64", "shared=yes")
    assert events(bed, "2001:db8:1:2::/64") == ["auth_block", "auth_unblock"]
    bed.drivers[0].fail(ANN, guesser)  # counting begins anew
    assert bed.drivers[0].ask(ANN, guesser) is True


def test_failures_of_all_nodes_add_up(bed):
    bed.limit("login", 6)
    for n in range(3):
        bed.drivers[0].fail(BOB, f"203.0.113.{n}")
        bed.drivers[1].fail(BOB, f"203.0.113.{100 + n}")
    bed.until(0, is_blocked, BOB, "203.0.113.200")
    bed.until(1, is_blocked, BOB, "203.0.113.200")
    bed.wait(lambda: [row[:2] for row in blocks(bed, BOB)] == [("login", 6)], PATIENCE_S, "row")
    time.sleep(2)
    assert events(bed, BOB) == ["auth_block"]  # though both found out
    assert bed.pg.value("SELECT mail.unblock('Bob@Example.Test')") == 1
    bed.until(0, is_free, BOB, "203.0.113.200")
    bed.until(1, is_free, BOB, "203.0.113.200")


def test_failures_of_all_nodes_are_not_counted_twice(bed):
    client = "192.0.2.20"
    bed.limit("network", 10)
    for n in range(4):
        bed.drivers[0].fail(ANN, client)
        bed.drivers[1].fail(ANN, client)
        time.sleep(1.5)
    assert bed.drivers[0].ask(ANN, client) is True
    assert bed.drivers[1].ask(ANN, client) is True
    bed.drivers[0].fail(ANN, client, times=2)
    assert bed.drivers[0].ask(ANN, client) > 500
    bed.until(1, is_blocked, ANN, client)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_blocks(bed, how):
    guesser = f"192.0.2.{30 + how}"
    bed.limit("network", 2)
    bed.drivers[0].fail(ANN, guesser, times=2)
    assert bed.drivers[0].ask(ANN, guesser) > 500
    if how == signal.SIGKILL:  # what was not written yet is lost with it
        bed.wait(lambda: blocks(bed, guesser), PATIENCE_S, "row")
    bed.restart(0, how)
    bed.until(0, is_blocked, ANN, guesser)
    bed.until(1, is_blocked, ANN, guesser)
    assert events(bed, guesser) == ["auth_block"]


def test_a_block_ends_on_all_nodes_with_one_event(bed):
    guesser = "192.0.2.50"
    bed.limit("network", 2, block_s=4)
    bed.drivers[1].fail(ANN, guesser, times=2)
    bed.until(0, is_blocked, ANN, guesser)
    assert 1 <= bed.until(1, is_free, ANN, guesser) < 5
    assert bed.until(0, is_free, ANN, guesser) < SOON_S
    bed.wait(lambda: events(bed, guesser) == ["auth_block", "auth_unblock"], PATIENCE_S, "events")
    assert blocks(bed, guesser) == []


def test_people_block_a_login_even_at_home(bed):
    home = "198.51.100.7"
    bed.limit("network", 1000)
    bed.drivers[0].report(ANN, "success", home)
    bed.pg.sql("SELECT mail.block_login('Ann@example.test', '2 hours', 'stolen')")
    for number in (0, 1):
        assert bed.until(number, is_blocked, ANN, home) < SOON_S
        assert bed.drivers[number].ask(ANN, home) > 7000
        assert bed.drivers[number].ask(BOB, home) is True
    bed.pg.sql("UPDATE mail.auth_blocks SET until = now() + interval '1 minute' WHERE login = %s", ANN)
    bed.until(1, lambda answer: answer is not True and answer <= 60, ANN, home, SOON_S)
    assert bed.pg.value("SELECT mail.unblock(%s)", ANN) == 1
    for number in (0, 1):
        bed.until(number, is_free, ANN, home)


def test_people_block_a_network(bed):
    bed.limit("network", 1000)
    bed.pg.sql("INSERT INTO mail.auth_blocks (network) VALUES ('192.0.2.60')")
    bed.pg.sql("SELECT mail.block_network('2001:db8:9::1', '1 minute')")
    for number in (0, 1):
        bed.until(number, is_blocked, ANN, "192.0.2.60")
        bed.until(number, is_blocked, ANN, "2001:db8:9::ffff")
    assert bed.pg.value("SELECT mail.unblock('2001:db8:9::5') + mail.unblock('192.0.2.60')") == 2
    bed.until(1, is_free, ANN, "192.0.2.60")


def test_many_blocks_come_whole_and_go_whole(bed):
    """More than are taken over at once: by news, by the list a node reads at its start, and lifted."""
    bed.limit("network", 1000)
    some = ["10.0.0.1", "10.0.11.184", "10.0.19.136", "10.0.27.88"]  # the 1st, 3,000th, 5,000th, 7,000th
    bed.pg.sql("INSERT INTO mail.auth_blocks (network, until)"
               " SELECT '10.0.0.0'::inet + n, now() + interval '1 hour' + n * interval '1 s'"
               " FROM generate_series(1, 7000) AS n")
    for number in (0, 1):
        for address in some:
            bed.until(number, is_blocked, ANN, address)
    bed.restart(1, signal.SIGTERM)
    for address in some:
        bed.until(1, is_blocked, ANN, address)
    bed.pg.sql("DELETE FROM mail.auth_blocks")
    for number in (0, 1):
        for address in some:
            bed.until(number, is_free, ANN, address)


def test_a_home_is_one_on_all_nodes_and_after_a_restart(bed):
    home = "198.51.100.20"
    bed.limit("login", 3)
    bed.drivers[0].report(BOB, "success", home, service="pop3")
    for n in range(3):
        bed.drivers[0].fail(BOB, f"203.0.113.{n}")
    bed.until(1, is_blocked, BOB, "203.0.113.200")
    bed.until(1, is_free, BOB, home)
    bed.restart(0, signal.SIGKILL)
    bed.until(0, is_blocked, BOB, "203.0.113.200")
    assert bed.drivers[0].ask(BOB, home) is True
    bed.pg.sql("DELETE FROM mail.auth_blocks")


def test_blocks_of_an_outage_are_shared_after_it(bed):
    guesser = "192.0.2.70"
    bed.limit("network", 3)
    bed.pg.stop()
    try:
        begin = time.monotonic()
        bed.drivers[0].fail(ANN, guesser, times=3)
        assert bed.drivers[0].ask(ANN, guesser) > 500
        assert bed.drivers[1].ask(ANN, guesser) is True
        assert time.monotonic() - begin < 1  # nobody waits for the database
    finally:
        bed.pg.start()
    bed.until(1, is_blocked, ANN, guesser)
    bed.wait(lambda: events(bed, guesser) == ["auth_block"], PATIENCE_S, "event")


# ---- with a real Dovecot on each node

class MailNodes(Nodes):
    dovecots = ()

    def _build(self):
        super()._build()
        for name, value in (("mail_uid", MAIL_UID), ("mail_gid", MAIL_UID), ("password_rounds", 1000)):
            self.pg.sql("UPDATE mail.settings SET value = %s WHERE name = %s", str(value), name)
        for user in (ANN, BOB):
            self.pg.sql("SELECT mail.set_password(%s, %s)", user, PASSWORD)
        self.dovecots = []
        for folder, auth in zip((self.root, self.root / "node2"), self.sockets, strict=True):
            (folder / "postward-dovecot.conf").write_text(
                f"database = {self.pg.conninfo('dovecot')}\nauth_socket = {auth}\n")
            self.dovecots.append(Dovecot(folder / "dovecot", CONFIG.replace("{cache}", "1M")).start())

    def login(self, number, service, client, password=PASSWORD, user=ANN):
        """As Dovecot's own IMAP does, and as Postfix does for SMTP AUTH."""
        with AuthClient(self.dovecots[number].root / "run/auth-client") as auth:
            return auth.plain(user, password, service, rip=client)[0] == "OK"

    def close(self):
        for dovecot in self.dovecots:
            dovecot.stop()
            dovecot.check_log()
        super().close()


@pytest.fixture(scope="module")
def mail():
    with MailNodes() as running:
        yield running


@pytest.mark.parametrize("guessed, number", [("imap", 0), ("smtp", 1)])
def test_a_block_holds_for_smtp_and_imap_on_every_node(mail, guessed, number):
    guesser, other = f"198.51.100.{10 + number}", "198.51.100.99"
    mail.limit("network", 3)
    for each in (0, 1):
        for service in ("imap", "smtp"):
            assert mail.login(each, service, guesser) and mail.login(each, service, other)
    for n in range(3):
        assert not mail.login(number, guessed, guesser, f"a wrong password {n}")
    for each in (0, 1):
        for service in ("imap", "smtp"):
            mail.wait(lambda e=each, s=service: not mail.login(e, s, guesser), PATIENCE_S,
                      f"{service} refused on node {each + 1}")
            assert mail.login(each, service, other)
    assert mail.pg.value("SELECT mail.unblock(%s)", guesser) == 1
    for each in (0, 1):
        for service in ("imap", "smtp"):
            mail.wait(lambda e=each, s=service: mail.login(e, s, guesser), PATIENCE_S,
                      f"{service} let in on node {each + 1}")


def test_a_login_blocked_by_hand_is_refused_by_smtp_and_imap(mail):
    client = "198.51.100.30"
    mail.limit("network", 1000)
    for each in (0, 1):
        assert mail.login(each, "imap", client, user=BOB) and mail.login(each, "smtp", client, user=BOB)
    mail.pg.sql("SELECT mail.block_login(%s)", BOB)
    for each in (0, 1):
        for service in ("imap", "smtp"):
            mail.wait(lambda e=each, s=service: not mail.login(e, s, client, user=BOB), PATIENCE_S,
                      f"{service} refused on node {each + 1}")
            assert mail.login(each, service, client)

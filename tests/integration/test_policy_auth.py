"""What postward-policyd makes of logins that failed and that succeeded, with a real PostgreSQL
and a small client of the auth socket in place of Dovecot."""
import re
import shutil
import signal
import subprocess
import threading

import pytest
from auth_driver import GREETING_1, Driver
from policy_bed import Bed
from stack.postward import SOURCE

ANN, BOB = "ann@example.test", "bob@example.test"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def bed():
    with Bed() as running:
        yield running


@pytest.fixture
def fresh_bed():
    with Bed() as running:
        yield running


@pytest.fixture
def driver(bed):
    with Driver(bed.auth) as connected:
        yield connected


def limit(bed, kind, failures, block_s=600, period_s=600, dry_run=False, distinct=True):
    """The rule of one kind; the others are off."""
    bed.pg.sql("UPDATE mail.auth_limits SET enabled = kind = %s, failures = %s, dry_run = %s,"
               " period = make_interval(secs => %s), block = make_interval(secs => %s),"
               " distinct_passwords = %s", kind, failures, dry_run, period_s, block_s, distinct)
    bed.settle()


def events(bed, who):
    return [row[0] for row in bed.pg.sql(
        "SELECT kind FROM mail.events WHERE who = %s AND kind LIKE 'auth_%%' ORDER BY id", who)]


def logins(bed, user):
    rows = bed.pg.sql("SELECT l.protocol, host(l.address), l.credential FROM mail.last_logins AS l"
                      " JOIN mail.virtual_users AS u ON u.id = l.user_id WHERE u.email = %s", user)
    return {protocol: (address, credential) for protocol, address, credential in rows}


def test_an_address_that_guesses_is_blocked_for_a_while(bed, driver):
    guesser = "192.0.2.10"
    limit(bed, "network", 5, block_s=8)
    with Driver(bed.auth) as other:
        for n in range(4):
            driver.fail(f"user{n}@example.test", guesser)
        assert driver.ask(ANN, guesser) is True
        driver.report("nobody@example.test", "unknown", guesser)
        assert 1 <= driver.ask(ANN, guesser) <= 8
        assert 1 <= other.ask(ANN, guesser) <= 8
        assert other.ask(ANN, "192.0.2.11") is True
        other.wait_flush("*")
        driver.wait_flush("*")
        bed.wait(lambda: driver.ask(ANN, guesser) is True, PATIENCE_S, "end of the block")
        other.wait_flush("*")  # the refusal may be cached
    line = bed.program.lines("action=block", f"client={guesser}")[0]
    for field in ("cause=auth", "kind=network", "failures=5", "block_s=8"):
        assert field in line
    bed.wait(lambda: events(bed, guesser) == ["auth_block", "auth_unblock"], PATIENCE_S, "events")
    assert bed.program.lines("action=unblock", f"client={guesser}")
    assert bed.pg.value("SELECT text FROM mail.events WHERE who = %s AND kind = 'auth_block'",
                        guesser) == f"{guesser}: blocked for 8 s after 5 failed logins"


def test_a_login_that_is_guessed_is_blocked_but_not_where_it_is_at_home(bed, driver):
    limit(bed, "login", 5)
    driver.report(ANN, "success", "198.51.100.7")
    for n in range(5):
        driver.fail("Ann@Example.Test", f"203.0.113.{n}")
    driver.wait_flush(ANN)
    assert driver.ask(ANN, "203.0.113.99") > 400
    assert driver.ask(ANN, "198.51.100.7") is True
    assert driver.ask(BOB, "203.0.113.1") is True
    assert bed.program.lines("action=block", "kind=login", f"login={ANN}", "failures=5")
    bed.wait(lambda: events(bed, ANN) == ["auth_block"], PATIENCE_S, "event")
    limit(bed, "network", 5)
    assert driver.ask(ANN, "203.0.113.99") is True  # that rule is off now


def test_a_login_by_alias_domain_is_the_same_login(bed, driver):
    bed.pg.sql("INSERT INTO mail.alias_domains (name, target) VALUES"
               " ('alias.test', 'example.test')")
    limit(bed, "login", 4)
    driver.fail(BOB, "203.0.113.1", times=2)
    driver.fail("bob@alias.test", "203.0.113.2", times=2)
    assert driver.ask(BOB, "203.0.113.3") > 400
    assert driver.ask("bob@alias.test", "203.0.113.3") > 400


def test_a_login_by_alias_is_the_same_login(bed, driver):
    """Its failures come by the name that was typed, its successes by its mailbox."""
    mailbox, home = "dora@example.test", "198.51.100.9"
    bed.pg.sql("INSERT INTO mail.virtual_users (email) VALUES (%s)", mailbox)
    bed.pg.sql("SELECT mail.add_alias('info@example.test', %s),"
               " mail.add_alias('chain@example.test', 'info@example.test'),"
               " mail.add_alias('two@example.test', %s), mail.add_alias('two@example.test', %s)",
               mailbox, mailbox, ANN)
    limit(bed, "login", 4)
    driver.report(mailbox, "success", home)
    driver.fail("info@example.test", "203.0.113.1", times=2)
    driver.fail(mailbox, "203.0.113.2", times=2)
    for name in (mailbox, "info@example.test", "chain@example.test"):
        assert driver.ask(name, "203.0.113.3") > 400
        assert driver.ask(name, home) is True
    assert driver.ask("two@example.test", "203.0.113.3") is True
    driver.report("info@example.test", "unknown", "203.0.113.77")  # login_by_alias is off
    assert driver.ask(mailbox, home) is True  # so it was heard
    assert bed.program.lines("event=auth_failure", "client=203.0.113.77",
                             "login=info@example.test")


def test_what_does_not_count(bed, driver):
    limit(bed, "network", 2)
    for n in range(5):
        driver.report(ANN, "success", "192.0.2.20")
        driver.report(ANN, "refused", "192.0.2.20")
        driver.fail(ANN, "127.0.0.1")
        driver.fail(ANN, "")
        driver.fail(ANN, f"2001:db8:0:{n}::1")  # each a network of its own
    for remote in ("192.0.2.20", "127.0.0.1", "", "2001:db8::1"):
        assert driver.ask(ANN, remote) is True
    driver.fail(ANN, "::ffff:192.0.2.21", times=2)
    assert driver.ask(ANN, "192.0.2.21") > 400


def test_the_same_wrong_password_counts_once_unless_told_otherwise(bed, driver):
    telephone, guesser = "192.0.2.90", "192.0.2.91"
    limit(bed, "network", 3)
    driver.fail(BOB, telephone, times=20, password=17)
    assert driver.ask(BOB, telephone) is True
    for n in range(3):
        driver.fail(BOB, guesser, password=n + 1)
    assert driver.ask(BOB, guesser) > 400
    limit(bed, "network", 3, distinct=False)
    driver.fail(BOB, telephone, password=17)  # the second that counts
    assert driver.ask(BOB, telephone) is True
    driver.fail(BOB, telephone, password=17)
    assert driver.ask(BOB, telephone) > 400


def test_a_driver_of_before_goes_on_and_each_failure_of_it_counts(bed, driver):
    client = "192.0.2.92"
    limit(bed, "network", 3)
    with Driver(bed.auth, greeting=GREETING_1) as old:
        assert old.nonce == ""
        old.fail(BOB, client, times=2)
        assert old.ask(BOB, client) is True
        old.fail(BOB, client)
        assert old.ask(BOB, client) > 400
    assert driver.ask(BOB, client) > 400


def test_many_logins_tried_from_one_network_block_it(bed, driver):
    sprayer = "192.0.2.93"
    limit(bed, "spray", 4, block_s=600)
    driver.report(BOB, "success", sprayer)
    for n in range(3):
        driver.fail(f"user{n}@example.test", sprayer, times=5, password=1)
    driver.fail(BOB, sprayer, password=1)  # at home there
    assert driver.ask(ANN, sprayer) is True
    driver.report("nobody@example.test", "unknown", sprayer, password=1)
    assert driver.ask(ANN, sprayer) > 400
    assert driver.ask(BOB, sprayer) is True
    assert driver.ask(ANN, "192.0.2.94") is True
    assert bed.program.lines("action=block", "kind=spray", f"client={sprayer}", "failures=4")
    bed.wait(lambda: events(bed, sprayer) == ["auth_block"], PATIENCE_S, "event")


def test_an_exempt_network_is_let_in_at_once(bed, driver):
    limit(bed, "network", 1)
    driver.fail(ANN, "192.0.2.30")
    assert driver.ask(ANN, "192.0.2.30") > 400
    bed.pg.sql("INSERT INTO mail.auth_exemptions (net, note) VALUES ('192.0.2.30', 'a webmail')")
    bed.settle()
    driver.fail(ANN, "192.0.2.30", times=3)
    assert driver.ask(ANN, "192.0.2.30") is True


def test_dry_run_tells_and_refuses_nobody(bed, driver):
    limit(bed, "network", 2, dry_run=True)
    driver.fail(ANN, "192.0.2.40", times=6)
    assert driver.ask(ANN, "192.0.2.40") is True
    assert len(bed.program.lines("action=block", "client=192.0.2.40", "dry_run=yes")) == 1
    bed.wait(lambda: events(bed, "192.0.2.40") == ["auth_block"], PATIENCE_S, "event")


def test_last_logins_has_successes_alone(bed, driver):
    limit(bed, "network", 1000)
    driver.fail(BOB, "192.0.2.50")
    driver.report(BOB, "refused", "192.0.2.51")
    driver.report(BOB, "success", "2001:db8::50", service="imap")
    driver.report(BOB, "success", "192.0.2.53", service="submission", credential=-1)
    driver.report(BOB, "success", "", service="pop3")
    driver.report("nobody@example.test", "success", "192.0.2.54")
    bed.wait(lambda: len(logins(bed, BOB)) == 3, PATIENCE_S, "last_logins")
    assert logins(bed, BOB) == {"imap": ("2001:db8::50", 0), "smtp": ("192.0.2.53", -1),
                                "pop3": (None, 0)}


def test_another_address_is_written_at_once_and_no_login_makes_a_generation(bed, driver):
    generation = bed.pg.value("SELECT mail.generation()")
    for address in ("192.0.2.60", "192.0.2.60", "192.0.2.61"):
        driver.report(ANN, "success", address, service="sieve")
    bed.wait(lambda: logins(bed, ANN).get("sieve") == ("192.0.2.61", 0), PATIENCE_S, "last_logins")
    assert bed.pg.value("SELECT mail.generation()") == generation


def number(bed, name):
    """Of metrics.prom, which a signal has written soon; None = not there yet."""
    bed.program.process.kill(signal.SIGUSR1)
    path = bed.program.state / "metrics.prom"
    text = path.read_text() if path.exists() else ""
    found = re.search(rf"^postward_policyd_{re.escape(name)} (\d+)$", text, re.M)
    return int(found[1]) if found else None


def test_numbers(fresh_bed):
    bed = fresh_bed
    with Driver(bed.auth) as driver:
        limit(bed, "network", 3)
        driver.fail(ANN, times=3)
        driver.report("x", "unknown", "192.0.2.8")
        for n in range(300):  # one row
            driver.report(ANN, "success", "192.0.2.9", session=f"s{n}")
        assert driver.ask(ANN) > 0
        assert driver.ask(ANN, "192.0.2.8") is True
        want = {'auth_reports_total{result="failure"}': 3,
                'auth_reports_total{result="unknown"}': 1,
                'auth_reports_total{result="success"}': 300, 'auth_answers_total{answer="ok"}': 1,
                'auth_answers_total{answer="refuse"}': 1, 'auth_blocks_total{kind="network"}': 1,
                "auth_blocked": 1, "auth_windows": 1, "logins_written_total": 1}

        bed.wait(lambda: {name: number(bed, name) for name in want} == want, PATIENCE_S,
                 "numbers")


@pytest.mark.parametrize("line", ["ask\t1\ta\tb", "ok\t1", "flush\t*", "quit", "ask\t-1\ta\t-\timap",
                                  "report\ta\t-\t0\timap\tmaybe\t0\t-", "", "x" * 5000])
def test_what_is_not_the_protocol_is_hung_up_on(bed, line):
    with Driver(bed.auth) as driver:
        driver.send(line)
        assert driver.line() == ""
    with Driver(bed.auth) as driver:
        assert driver.ask(ANN, "192.0.2.70") is True


def test_another_greeting_is_hung_up_on(bed):
    with Driver(bed.auth, greeting="postward-auth\t9") as driver:
        assert driver.line() == ""


def test_questions_in_a_row_are_answered_in_order(bed, driver):
    count = 20000
    with Driver(bed.auth) as idle:  # never reads: nobody waits for it
        limit(bed, "network", 1)
        lines = "".join(f"ask\t{n}\t{ANN}\t192.0.2.80\timap\n" for n in range(count))
        half = len(lines) // 2
        sender = threading.Thread(target=lambda: (driver.socket.sendall(lines[:half].encode()),
                                                  driver.socket.sendall(lines[half:].encode())))
        sender.start()
        for n in range(count):
            assert driver.answer() == ["ok", str(n)]
        sender.join()
        idle.send("ask", 1, ANN, "192.0.2.80", "imap")
        assert idle.answer() == ["ok", "1"]


def test_it_goes_on_without_the_database_and_from_the_copy_on_disk(fresh_bed):
    bed = fresh_bed
    limit(bed, "network", 3)
    with Driver(bed.auth) as driver:
        driver.fail(ANN, times=2)
        bed.pg.stop()
        driver.fail(ANN)
        assert driver.ask(ANN) > 400
        driver.report(ANN, "success", "192.0.2.9")
    assert bed.program.stop() == 0
    bed.program.start()
    with Driver(bed.auth) as driver:
        assert driver.ask(ANN) is True  # counts and blocks end with the program
        driver.fail(ANN, times=3)
        assert driver.ask(ANN) > 400
        driver.report(ANN, "success", "192.0.2.10")
        bed.pg.start()
        bed.wait(lambda: events(bed, "192.0.2.7") == ["auth_block"], 60, "event")
        bed.wait(lambda: logins(bed, ANN) == {"imap": ("192.0.2.10", 0)}, 60, "last_logins")


HOSTILE = ["a, client=203.0.113.5, login=b", 'a", client=203.0.113.5, login="b', "a\nb",
           "x event=auth_failure, client=203.0.113.5, login=y", "ann@example.test"]


def failure_lines(bed):
    """As syslog would have them."""
    return [f"Nov 21 09:00:00 mail {line}" for line in bed.program.lines("event=auth_failure")]


def test_the_fail2ban_filter_finds_the_client_and_nothing_else(fresh_bed, tmp_path):
    bed = fresh_bed
    limit(bed, "network", 1000)
    with Driver(bed.auth) as driver:
        for n, login in enumerate(HOSTILE):
            driver.fail(login, f"192.0.2.{n + 1}")
        driver.report("nobody@example.test", "unknown", "2001:db8::7")
        driver.fail(ANN, "", service="client=203.0.113.5,")
        assert driver.ask(ANN) is True
    want = [f"192.0.2.{n + 1}" for n in range(len(HOSTILE))] + ["2001:db8::7"]
    lines = failure_lines(bed)
    assert len(lines) == len(want) + 1
    text = (SOURCE / "policy-daemon/fail2ban.conf").read_text()
    regex = re.search(r"^failregex = (.*)$", text, re.M)[1]
    assert found_by_re(regex, lines) == want
    if shutil.which("fail2ban-regex"):
        assert found_by_fail2ban(lines, tmp_path) == want


def found_by_re(regex, lines):
    """As fail2ban does it: the date is taken off, <ADDR> is any address."""
    pattern = regex.replace("<ADDR>", r"(?P<host>[0-9.]+|[0-9a-f:]+)")
    found = (re.search(pattern, line[len("Nov 21 09:00:00"):]) for line in lines)
    return [match["host"] for match in found if match]


def found_by_fail2ban(lines, tmp_path):
    log = tmp_path / "mail.log"
    log.write_text("".join(line + "\n" for line in lines))
    out = subprocess.run(["fail2ban-regex", "-o", "ip", str(log),
                          str(SOURCE / "policy-daemon/fail2ban.conf")],
                         check=True, capture_output=True, text=True, timeout=120).stdout
    return out.split()

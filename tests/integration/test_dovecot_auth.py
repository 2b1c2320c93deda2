"""The auth driver in a real Dovecot, on a real PostgreSQL."""
import imaplib
import signal
import smtplib
import subprocess
import threading
import time

import pytest

from dovecot_bed import Here, MAIL_UID, wait_until
from login_bed import ANN, BOB, GONE, PASSWORDS, Bed, add_user, hashed
from stack.dialect import is_2_4
from stack.postfix import Postfix
from stack.postward import build

QUOTA_RULE = "postward_quota_rule" if is_2_4() else "quota_rule"


@pytest.fixture(scope="module")
def shared():
    """For tests that leave the database up and its users alone."""
    b = Bed()
    yield b
    b.close()


@pytest.fixture
def bed():
    b = Bed()
    yield b
    b.close()


def login(bed, user=ANN, password=None):
    c = imaplib.IMAP4("127.0.0.1", bed.dovecot.port)
    return c.login(user, password or PASSWORDS[user])


@pytest.mark.parametrize("user, password, verb, code", [
    pytest.param(ANN, PASSWORDS[ANN], "OK", None, id="right"),
    pytest.param("Ann@Example.TEST", PASSWORDS[ANN], "OK", None, id="right-in-capitals"),
    pytest.param(ANN, "wrong-password-of-ann", "FAIL", None, id="wrong"),
    pytest.param(ANN, PASSWORDS[BOB], "FAIL", None, id="of-another"),
    pytest.param("eve@example.test", PASSWORDS[ANN], "FAIL", None, id="unknown"),
    pytest.param("'; DROP TABLE mail.virtual_users; --", "x" * 16, "FAIL", None, id="sql"),
    pytest.param(GONE, PASSWORDS[ANN], "FAIL", "user_disabled", id="disabled"),
    # that it is disabled, or is there at all, is for who knows the password
    pytest.param(GONE, "wrong-password-of-gone", "FAIL", None, id="disabled-wrong"),
])
def test_verdict(shared, user, password, verb, code):
    got, fields = shared.plain(user, password)
    assert got == verb
    assert fields.get("code") == code  # a definite verdict has no temp_fail
    if verb == "OK":
        assert fields["user"] == ANN  # as SQL spells it


def test_imap_login(shared):
    assert login(shared)[0] == "OK"
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        login(shared, password="wrong-password-of-ann")


@pytest.mark.parametrize("scheme", ["SHA512-CRYPT", "BLF-CRYPT", "ARGON2ID", "SSHA512",
                                    "SCRAM-SHA-256"])
def test_scheme(shared, scheme):
    user, password = f"{scheme.lower()}@example.test", f"password-for-{scheme}"
    add_user(shared.postgres, user, hashed(scheme, password))
    assert shared.plain(user, password)[0] == "OK"
    assert shared.plain(user, password + "x")[0] == "FAIL"


def test_scram(shared):
    add_user(shared.postgres, "scram@example.test", hashed("SCRAM-SHA-256", PASSWORDS[ANN]))
    with shared.client() as c:
        assert c.scram("scram@example.test", PASSWORDS[ANN])[0] == "OK"
        assert c.scram("scram@example.test", PASSWORDS[BOB])[0] == "FAIL"
        assert c.scram(GONE, PASSWORDS[ANN])[0] == "FAIL"


def test_password_set_in_sql(shared):
    shared.postgres.sql("SELECT mail.add_user('sql@example.test', 'a-password-of-sql')")
    assert shared.plain("sql@example.test", "a-password-of-sql")[0] == "OK"


def test_a_hash_that_cannot_be_read_is_no_verdict(bed):
    bed.postgres.sql("ALTER DOMAIN mail.password_hash DROP CONSTRAINT password_hash")
    bed.postgres.sql("ALTER TABLE mail.virtual_users DROP CONSTRAINT virtual_users_password_check")
    add_user(bed.postgres, "broken@example.test", "{NO-SUCH-SCHEME}xyz")
    verb, fields = bed.plain("broken@example.test", "password-of-broken")
    assert (verb, fields.get("code")) == ("FAIL", "temp_fail")


def test_scram_of_an_unknown_user_fails(shared):
    with shared.client() as c:
        assert c.scram("eve@example.test", PASSWORDS[ANN])[0] == "FAIL"


def test_userdb(shared):
    out = shared.dovecot.doveadm("user", ANN)
    fields = dict(line.split("\t")[:2] for line in out.splitlines()[1:] if "\t" in line)
    assert fields["uid"] == fields["gid"] == str(MAIL_UID)
    assert fields[QUOTA_RULE] == f"?:bytes={5 * 1048576}"
    assert shared.dovecot.doveadm_exit("user", "eve@example.test") == 67


@pytest.mark.parametrize("megabytes, messages, rule", [
    (5, 100, f"?:bytes={5 * 1048576}:messages=100"), (0, 100, "?:messages=100"), (0, 0, None)])
def test_userdb_limits(shared, megabytes, messages, rule):
    user = f"limits-{megabytes}-{messages}@example.test"
    add_user(shared.postgres, user, hashed("SSHA512", PASSWORDS[ANN]))
    shared.postgres.sql("UPDATE mail.virtual_users SET quota_mb = %s, quota_messages = %s "
                        "WHERE email = %s", megabytes, messages, user)
    out = shared.dovecot.doveadm("user", user)
    assert dict(l.split("\t")[:2] for l in out.splitlines()[1:] if "\t" in l).get(QUOTA_RULE) == rule


def test_iteration_over_several_pages(shared):
    shared.postgres.sql("INSERT INTO mail.virtual_users (email) SELECT 'many' || n || "
                        "'@example.test' FROM generate_series(1, 2500) n")
    listed = shared.dovecot.doveadm("user", "*").split()
    expected = [r[0] for r in shared.postgres.sql("SELECT email FROM mail.virtual_users")]
    assert len(expected) > 2500 and sorted(listed) == sorted(expected)


def test_one_connection_however_many_logins(shared):
    with shared.client() as a, shared.client() as b:
        for _ in range(20):
            a.start("PLAIN", f"\0{ANN}\0{PASSWORDS[ANN]}".encode())
            b.start("PLAIN", f"\0{BOB}\0{PASSWORDS[BOB]}".encode())
            assert a.answer()[0] == b.answer()[0] == "OK"
    # one of the auth process; an auth worker that listed users may have one more
    assert 1 <= shared.connections() <= 2


def login_over_a_restart(bed):
    """(answer of a login filed during a crash, seconds until the database was back)."""
    assert login(bed)[0] == "OK"
    bed.crash_database()
    begin = time.monotonic()
    got = []
    thread = threading.Thread(target=lambda: got.append(bed.plain(ANN, PASSWORDS[ANN])))
    thread.start()
    time.sleep(0.3)
    was_answered = bool(got)
    bed.postgres.start()
    took = time.monotonic() - begin
    thread.join(30)
    return "too early" if was_answered and took < 2 else got[0][0], took


def test_logins_wait_for_a_short_restart(bed):
    for _ in range(15):
        answer, took = login_over_a_restart(bed)
        if took < 2:  # else the machine was too busy for a restart within the driver's 3 s
            assert answer == "OK"
            return
    pytest.fail("no restart within 2 s in fifteen tries")


def test_fault_13_a_long_outage_is_temporary_and_ends_by_itself(bed):
    assert login(bed)[0] == "OK"
    bed.crash_database()
    start = time.monotonic()
    with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\]"):
        login(bed)
    assert 2.5 < time.monotonic() - start < 20
    verb, fields = bed.plain("eve@example.test", PASSWORDS[ANN])
    assert (verb, fields["code"]) == ("FAIL", "temp_fail")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        bed.dovecot.deliver(ANN, "Subject: x\r\n\r\nx\r\n")
    assert refused.value.recipients[ANN][0] == 451
    bed.postgres.start()
    wait_until(lambda: bed.plain(ANN, PASSWORDS[ANN])[0] == "OK", 60, "recovery")


def test_listing_users_fails_when_the_database_is_away(bed):
    bed.crash_database()
    assert bed.dovecot.doveadm_exit("user", "*") != 0


def test_smtp_is_answered_when_the_database_returns_in_time(bed):
    for _ in range(10):
        bed.crash_database()
        with bed.client() as c:
            begin = time.monotonic()
            c.start("PLAIN", f"\0{ANN}\0{PASSWORDS[ANN]}".encode(), "smtp")
            time.sleep(4)  # longer than others wait
            bed.postgres.start()
            if time.monotonic() - begin < 7:  # else the machine was too busy
                assert c.answer(30)[0] == "OK"
                return
    pytest.fail("no restart within 7 s in ten tries")


def test_smtp_hears_nothing_past_the_limit_of_postfix(bed):
    bed.crash_database()
    with bed.client() as c:
        with pytest.raises(TimeoutError):
            c.plain(ANN, PASSWORDS[ANN], service="smtp", wait_s=11)
    # hung up, the request is ended: nothing waits for it any more
    wait_until(lambda: "password lookup" in bed.dovecot.text(), what="the log says why")
    bed.postgres.start()
    wait_until(lambda: bed.plain(ANN, PASSWORDS[ANN], service="smtp")[0] == "OK", 60, "recovery")


def test_an_auth_process_that_ends_hangs_up_on_smtp(bed):
    """A FAIL on the way out would be a 535."""
    bed.crash_database()
    with bed.client() as c:
        c.start("PLAIN", f"\0{ANN}\0{PASSWORDS[ANN]}".encode(), "smtp")
        wait_until(lambda: "no answer for Postfix" in bed.dovecot.text(), what="held")
        bed.dovecot.signal("auth", signal.SIGTERM)
        with pytest.raises(ConnectionError):
            c.answer(30)


def test_smtp_wrong_password_is_said_at_once(shared):
    start = time.monotonic()
    assert shared.plain(ANN, "wrong-password-of-ann", service="smtp")[0] == "FAIL"
    assert time.monotonic() - start < 8  # where there is no verdict it takes 9


@pytest.fixture
def postfix(bed):
    p = Postfix(bed.dir / "postfix", Here())
    p.create(f"""inet_interfaces = 127.0.0.1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {bed.dovecot.root}/run/auth-client
smtpd_relay_restrictions = permit_sasl_authenticated, reject
""", ["127.0.0.1:15951 inet n - n - - smtpd"])
    p.start()
    yield p
    p.stop()


def smtp_auth(user, password):
    with smtplib.SMTP("127.0.0.1", 15951, timeout=60) as c:
        c.ehlo("client.example.test")
        c.user, c.password = user, password
        try:
            return c.auth("PLAIN", c.auth_plain)[0]
        except smtplib.SMTPAuthenticationError as e:
            return e.smtp_code


def test_fault_13_postfix_says_454_while_the_database_is_away(bed, postfix):
    assert smtp_auth(ANN, PASSWORDS[ANN]) == 235
    assert smtp_auth(ANN, "wrong-password-of-ann") == 535
    bed.crash_database()
    start = time.monotonic()
    assert smtp_auth(ANN, PASSWORDS[ANN]) == 454
    assert time.monotonic() - start < 30
    bed.postgres.start()
    wait_until(lambda: smtp_auth(ANN, PASSWORDS[ANN]) == 235, 60, "recovery")


def test_modules_show_what_dovecot_needs_and_nothing_else():
    expected = {
        "auth/libauthdb_postward.so": {"authdb_postward_init", "authdb_postward_deinit",
                                       "authdb_postward_version"},
        "lib15_quota_postward_plugin.so": {"quota_postward_plugin_init",
                                           "quota_postward_plugin_deinit",
                                           "quota_postward_plugin_version",
                                           "quota_postward_plugin_dependencies"},
    }
    for module, names in expected.items():
        out = subprocess.run(["nm", "-D", "--defined-only", str(build() / "lib" / module)],
                             check=True, capture_output=True, text=True).stdout
        assert {line.split()[-1] for line in out.splitlines()} == names


def test_modules_link_no_more_than_they_may():
    allowed = {"auth/libauthdb_postward.so": {"libpq.so.5", "libcrypto.so.3", "libc.so.6"},
               "lib15_quota_postward_plugin.so": {"libc.so.6"}}
    for module, libraries in allowed.items():
        out = subprocess.run(["objdump", "-p", str(build() / "lib" / module)], check=True,
                             capture_output=True, text=True).stdout
        needed = {line.split()[1] for line in out.splitlines() if "NEEDED" in line}
        assert needed <= libraries

"""Who may log in with what: app passwords, refusals, networks, master users, schemes, slow
hashes, hashing anew, bad input; a real Dovecot on a real PostgreSQL."""
import imaplib
import statistics
import subprocess
import threading
import time

import pytest

from dovecot_bed import wait_until
from login_bed import ANN, BOB, PASSWORDS, Bed, add_user, hashed, keep_any_hash

HERE = "192.0.2.7"
SLOW = "slow@example.test"
MASTERS = """
auth_master_user_separator = *
passdb {{
  driver = postward
  args = master:{root}/../postward-dovecot.conf
  master = yes
  result_success = continue
}}
"""


@pytest.fixture(scope="module")
def shared():
    b = Bed(config=MASTERS)
    add_user(b.postgres, SLOW, hashed("ARGON2ID", PASSWORDS[ANN]))
    yield b
    b.close()


@pytest.fixture
def bed():
    b = Bed()
    yield b
    b.close()


def user(bed, name, **columns):
    """A mailbox of its own with ann's password and these columns."""
    address = f"{name}@example.test".lower()
    add_user(bed.postgres, address, hashed("SSHA512", PASSWORDS[ANN]))
    for column, value in columns.items():
        bed.postgres.sql(f"UPDATE mail.virtual_users SET {column} = %s WHERE email = %s", value,
                         address)
    return address


def app_password(bed, address, name="phone", protocols=None, nets=None):
    return bed.postgres.value("SELECT mail.add_app_password(%s, %s, %s, %s::cidr[])", address, name,
                              protocols, nets)


# ---- app passwords

def test_app_password(shared):
    address = user(shared, "app")
    first, second = app_password(shared, address), app_password(shared, address, "tablet")
    for password in (PASSWORDS[ANN], first, second):
        assert shared.definite(address, password)[0] == "OK"
    assert shared.definite(address, first + "x")[0] == "FAIL"
    shared.postgres.sql("SELECT mail.revoke_app_password(%s, 'phone')", address)
    assert shared.definite(address, first)[0] == "FAIL"
    assert shared.definite(address, second)[0] == "OK"


def test_app_password_has_its_scope(shared):
    address = user(shared, "scope")
    imap_only = app_password(shared, address, "imap", ["imap"])
    at_home = app_password(shared, address, "home", None, "{192.0.2.0/24}")
    assert shared.definite(address, imap_only)[0] == "OK"
    assert shared.definite(address, imap_only, service="pop3")[0] == "FAIL"
    assert shared.definite(address, at_home, rip=HERE)[0] == "OK"
    assert shared.definite(address, at_home, rip="203.0.113.9")[0] == "FAIL"
    assert shared.definite(address, at_home)[0] == "FAIL"  # from nowhere


def test_app_passwords_only(shared):
    address = user(shared, "only", app_passwords_only=True)
    app = app_password(shared, address)
    assert shared.definite(address, app)[0] == "OK"
    verb, fields = shared.definite(address, PASSWORDS[ANN])
    assert verb == "FAIL" and "code" not in fields and "reason" not in fields
    # nor the way round it by a mechanism that does the comparing
    shared.postgres.sql("UPDATE mail.virtual_users SET password = %s WHERE email = %s",
                        hashed("SCRAM-SHA-256", PASSWORDS[ANN]), address)
    with shared.client() as c:
        assert c.scram(address, PASSWORDS[ANN])[0] == "FAIL"


def test_app_password_costs_no_slow_comparison(shared):
    app = app_password(shared, SLOW)
    before = shared.dovecot.text().count("PASSW")
    start = time.monotonic()
    for _ in range(20):
        assert shared.definite(SLOW, app)[0] == "OK"
    fast = time.monotonic() - start
    start = time.monotonic()
    assert shared.definite(SLOW, PASSWORDS[ANN])[0] == "OK"
    assert fast / 20 < time.monotonic() - start
    assert shared.dovecot.text().count("PASSW") == before


# ---- refusals

@pytest.mark.parametrize("columns, code, reason", [
    pytest.param({"enabled": False}, "user_disabled", None, id="disabled"),
    pytest.param({"suspended": "unpaid bill"}, "user_disabled", "unpaid bill", id="suspended"),
    pytest.param({"expires_at": "2001-01-01"}, "pass_expired", "Password expired", id="expired"),
    pytest.param({"may_imap": False}, "user_disabled", "this account may not use this protocol",
                 id="protocol"),
])
def test_refusal_is_for_who_knows_the_password(shared, columns, code, reason):
    address = user(shared, "refused-" + "-".join(columns), **columns)
    verb, fields = shared.definite(address, PASSWORDS[ANN])
    assert (verb, fields.get("code"), fields.get("reason")) == ("FAIL", code, reason)
    verb, fields = shared.definite(address, "wrong-password-of-it")
    assert (verb, fields.get("code"), fields.get("reason")) == ("FAIL", None, None)
    verb, fields = shared.definite(address, app_password(shared, address))
    assert (verb, fields.get("code")) == ("FAIL", code)


def test_refusal_over_imap(shared):
    address = user(shared, "told", suspended="unpaid bill")
    c = imaplib.IMAP4("127.0.0.1", shared.dovecot.port)
    with pytest.raises(imaplib.IMAP4.error, match="unpaid bill"):
        c.login(address, PASSWORDS[ANN])


def test_protocol_switches(shared):
    address = user(shared, "switches", may_pop3=False, may_smtp=False)
    answers = {s: shared.definite(address, PASSWORDS[ANN], service=s)[0]
               for s in ("imap", "pop3", "smtp", "submission", "sieve")}
    assert answers == {"imap": "OK", "pop3": "FAIL", "smtp": "FAIL", "submission": "FAIL",
                       "sieve": "OK"}


def test_refused_mailbox_goes_on_receiving(shared):
    address = user(shared, "receives", suspended="unpaid bill")
    shared.dovecot.deliver(address, "Subject: x\r\n\r\nx\r\n")


@pytest.mark.parametrize("nets, remote, verb", [
    pytest.param("{192.0.2.0/24,2001:db8::/32}", HERE, "OK", id="in"),
    pytest.param("{192.0.2.0/24,2001:db8::/32}", "2001:db8::7", "OK", id="in-v6"),
    pytest.param("{192.0.2.0/24,2001:db8::/32}", "203.0.113.9", "FAIL", id="out"),
    pytest.param("{192.0.2.0/24,2001:db8::/32}", None, "FAIL", id="from-nowhere"),
])
def test_allow_nets(shared, nets, remote, verb):
    address = user(shared, f"nets-{verb}-{len(remote or '')}", allow_nets=nets)
    told = {"rip": remote} if remote else {}
    got, fields = shared.definite(address, PASSWORDS[ANN], **told)
    assert got == verb and "code" not in fields


def test_proxy_host(shared):
    address = user(shared, "elsewhere", proxy_host="192.0.2.99")
    verb, fields = shared.definite(address, PASSWORDS[ANN])
    assert (verb, fields["host"], fields["proxy_maybe"]) == ("OK", "192.0.2.99", "y")
    assert "host" not in shared.definite(ANN, PASSWORDS[ANN])[1]


def test_proxied_login(shared):
    """To a host that refuses connections; a proxy host that is this one is no proxy."""
    away = user(shared, "away", proxy_host="127.0.0.99")
    with pytest.raises(imaplib.IMAP4.error):
        imaplib.IMAP4("127.0.0.1", shared.dovecot.port).login(away, PASSWORDS[ANN])
    wait_until(lambda: shared.dovecot.lines(away, "127.0.0.99", "Connection refused"), 20, "the proxy")


def test_alias_as_login(shared):
    shared.postgres.sql("INSERT INTO mail.virtual_aliases (source, destination) "
                        "VALUES ('nick@example.test', %s)", ANN)
    assert shared.definite("nick@example.test", PASSWORDS[ANN])[0] == "FAIL"
    shared.postgres.sql("UPDATE mail.settings SET value = 'yes' WHERE name = 'login_by_alias'")
    verb, fields = shared.definite("nick@example.test", PASSWORDS[ANN])
    assert (verb, fields["user"]) == ("OK", ANN)


# ---- master users

@pytest.fixture(scope="module")
def masters(shared):
    for login, pattern in (("root@admin.test", "*"), ("dom@admin.test", "@other.test"),
                           ("one@admin.test", BOB)):
        shared.postgres.sql("INSERT INTO mail.master_users (login, password, pattern) "
                            "VALUES (%s, %s, %s)", login, hashed("SSHA512", "master-password-1"),
                            pattern)
    return shared


@pytest.mark.parametrize("master, target, verb", [
    ("root@admin.test", ANN, "OK"), ("root@admin.test", "eve@example.test", "FAIL"),
    ("dom@admin.test", ANN, "FAIL"), ("one@admin.test", BOB, "OK"),
    ("one@admin.test", ANN, "FAIL"), (ANN, BOB, "FAIL"),
])
def test_master_user(masters, master, target, verb):
    got, fields = masters.definite(master, "master-password-1", master_for=target)
    assert got == verb
    if verb == "OK":
        assert fields["user"] == target
    assert masters.definite(master, "wrong-password-1", master_for=target)[0] == "FAIL"


def test_master_user_opens_a_mailbox_whose_own_password_is_refused():
    """And leaves nothing in the cache that it would match."""
    b = Bed(cache="1M", config=MASTERS)
    try:
        b.postgres.sql("INSERT INTO mail.master_users (login, password, pattern) "
                       "VALUES ('root@admin.test', %s, '*')", hashed("SSHA512", "master-password-1"))
        b.postgres.sql("UPDATE mail.virtual_users SET app_passwords_only = true WHERE email = %s", ANN)
        for _ in range(2):
            assert b.definite("root@admin.test", "master-password-1", master_for=ANN)[0] == "OK"
            assert b.definite(ANN, PASSWORDS[ANN])[0] == "FAIL"
            assert b.definite(ANN, "master-password-1")[0] == "FAIL"
    finally:
        b.close()


def test_master_user_is_nobody_without_a_target(masters):
    assert masters.definite("root@admin.test", "master-password-1")[0] == "FAIL"


# ---- mechanisms and schemes

def test_mechanisms_by_stored_secret(shared):
    keep_any_hash(shared.postgres)
    password = PASSWORDS[ANN]
    expected = {  # scheme: mechanisms beside PLAIN and LOGIN
        "SCRAM-SHA-256": {"scram"}, "CRAM-MD5": {"cram_md5"}, "SSHA512": set(), "BLF-CRYPT": set(),
        "PLAIN": {"scram", "cram_md5"},
    }
    for scheme, mechanisms in expected.items():
        address = f"by-{scheme.lower()}@example.test"
        add_user(shared.postgres, address, hashed(scheme, password))
        with shared.client() as c:
            for mechanism in ("plain", "login", "scram", "cram_md5"):
                right = mechanism in {"plain", "login"} | mechanisms
                assert getattr(c, mechanism)(address, password)[0] == ("OK" if right else "FAIL"), \
                    (scheme, mechanism)
                if right and mechanism != "login":
                    assert getattr(c, mechanism)(address, password + "x")[0] == "FAIL"


def all_schemes():
    out = subprocess.run(["doveadm", "pw", "-l"], check=True, capture_output=True, text=True).stdout
    # those are of mechanisms, or doveadm pw cannot make them so that they can be compared with
    return set(out.rpartition(":")[2].split()) - {"OTP", "SKEY", "RPA", "PLAIN-MD4", "PLAIN-TRUNC"}


def test_every_scheme_dovecot_knows(shared):
    keep_any_hash(shared.postgres)
    schemes = sorted(all_schemes())
    assert len(schemes) > 15
    for scheme in schemes:
        address = f"of-{scheme}@example.test".lower()
        add_user(shared.postgres, address, hashed(scheme, "Pass-w0rd", address))
    with shared.client() as c:
        for password, expected in (("Pass-w0rd", "OK"), ("Wrong-pw", "FAIL")):
            asked = {}
            for scheme in schemes:
                c.start("PLAIN", f"\0of-{scheme.lower()}@example.test\0{password}".encode())
                asked[str(c.id)] = scheme
            for _ in schemes:
                verb, number, *_ = c._line(60).split("\t")
                assert verb == expected, asked[number]


# ---- slow hashes

def fields_of_worker_processes(bed):
    return bed.postgres.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'dovecot'")


def test_slow_hashes_do_not_hold_up_others(bed):
    """64 at once; meanwhile look-ups are answered as ever, and one connection is enough."""
    add_user(bed.postgres, SLOW, hashed("ARGON2ID", PASSWORDS[ANN]))
    assert bed.definite(SLOW, PASSWORDS[ANN])[0] == "OK"
    done, times = [], []

    def log_in():
        with bed.client() as c:
            for _ in range(8):
                done.append(c.plain(SLOW, PASSWORDS[ANN], wait_s=120)[0])

    threads = [threading.Thread(target=log_in) for _ in range(8)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        start = time.monotonic()
        assert bed.definite(ANN, PASSWORDS[ANN])[0] == "OK"
        times.append(time.monotonic() - start)
        assert fields_of_worker_processes(bed) == 1
    for t in threads:
        t.join()
    assert done == ["OK"] * 64
    # one ARGON2ID takes 40 ms on an idle machine; in this process 64 would be seconds
    assert len(times) > 20 and statistics.median(times) < 0.1


def test_wrong_password_against_a_slow_hash(shared):
    assert shared.definite(SLOW, "wrong-password-of-slow")[0] == "FAIL"


def test_without_workers_it_is_compared_here():
    b = Bed(config="service auth-worker {{\n  unix_listener auth-worker {{\n    mode = 0\n  }}\n}}\n")
    try:
        add_user(b.postgres, SLOW, hashed("SHA512-CRYPT", PASSWORDS[ANN]))
        assert b.definite(SLOW, PASSWORDS[ANN])[0] == "OK"
        assert b.definite(SLOW, PASSWORDS[BOB])[0] == "FAIL"
    finally:
        b.close()


def test_a_worker_that_dies_fails_nobody(bed):
    add_user(bed.postgres, SLOW, hashed("ARGON2ID", PASSWORDS[ANN]))
    assert bed.definite(SLOW, PASSWORDS[ANN])[0] == "OK"
    with bed.client() as c:
        for _ in range(20):
            c.start("PLAIN", f"\0{SLOW}\0{PASSWORDS[ANN]}".encode())
        bed.kill_workers()
        for _ in range(20):
            assert c._line(60).split("\t")[0] == "OK"


# ---- hashing anew

@pytest.mark.parametrize("scheme", ["SHA512-CRYPT", "SCRAM-SHA-256"])
def test_hashed_anew_at_login(bed, scheme):
    bed.postgres.sql("UPDATE mail.settings SET value = %s WHERE name = 'password_scheme'", scheme)

    def hash_of(address):
        return bed.postgres.value("SELECT password FROM mail.virtual_users WHERE email = %s",
                                  address)

    before = hash_of(BOB)
    assert bed.definite(BOB, PASSWORDS[ANN])[0] == "FAIL"
    assert bed.definite(ANN, PASSWORDS[ANN])[0] == "OK"
    wait_until(lambda: hash_of(ANN).startswith(f"{{{scheme}}}"), 20, "the new hash")
    assert hash_of(BOB) == before  # a wrong password changes nothing
    assert bed.definite(ANN, PASSWORDS[ANN])[0] == "OK"
    assert bed.definite(ANN, PASSWORDS[BOB])[0] == "FAIL"
    if scheme == "SCRAM-SHA-256":
        with bed.client() as c:
            assert c.scram(ANN, PASSWORDS[ANN])[0] == "OK"


def test_hashing_anew_leaves_app_passwords_alone(bed):
    app = app_password(bed, ANN)
    bed.postgres.sql("UPDATE mail.settings SET value = 'SHA512-CRYPT' WHERE name = 'password_scheme'")
    assert bed.definite(ANN, app)[0] == "OK"
    assert bed.definite(BOB, PASSWORDS[BOB])[0] == "OK"
    wait_until(lambda: bed.postgres.value("SELECT password FROM mail.virtual_users WHERE email = %s",
                                          BOB).startswith("{SHA512-CRYPT}"), 20, "bob's new hash")
    assert bed.postgres.value("SELECT password FROM mail.virtual_users WHERE email = %s",
                              ANN).startswith("{SSHA512}")


# ---- bad input 39

BAD_LOGINS = {
    "10-kb": "x" * 10240 + "@example.test", "1-kb": "x" * 1024 + "@example.test",
    "tab": "ann\t@example.test", "newline": "ann\n@example.test", "percent": "%u@example.test",
    "star": "*@example.test", "stars": "*" * 60, "separator": "ann@example.test*",
    "not-utf-8": b"ann\xff@example.test", "empty": "", "quote": "ann'--@example.test",
    "backslash": "ann\\@example.test",
}


@pytest.mark.parametrize("kind", BAD_LOGINS)
def test_bad_input_39_login(shared, kind):
    login = BAD_LOGINS[kind]
    login = login if isinstance(login, bytes) else login.encode()
    with shared.client() as c:
        c.start("PLAIN", b"\0" + login + b"\0" + PASSWORDS[ANN].encode())
        try:
            verb, fields = c.answer()
            assert verb == "FAIL" and fields.get("code") != "temp_fail"
        except ConnectionError:
            assert kind == "10-kb"  # longer than Dovecot reads
    assert shared.definite(ANN, PASSWORDS[ANN])[0] == "OK"


@pytest.mark.parametrize("response", [
    pytest.param(b"\0", id="one-nul"),
    pytest.param(f"\0{ANN}\0".encode(), id="empty-password"),
    pytest.param(f"\0{ANN}\0\0{PASSWORDS[ANN]}".encode(), id="nul-before-password"),
    pytest.param(f"\0{ANN}\0{PASSWORDS[ANN]}\0x".encode(), id="nul-after-password"),
    pytest.param(f"\0{ANN}\0x{PASSWORDS[ANN]}".encode(), id="more"),
    pytest.param(f"\0{ANN}\0{{PLAIN}}x".encode(), id="a-scheme"),
    pytest.param(f"\0{ANN}\0{{SSHA512}}AAAA".encode(), id="a-hash"),
    pytest.param(f"\0{ANN}\0a\tb".encode(), id="tab"),
    pytest.param(f"\0{ANN}\0a\nb".encode(), id="newline"),
    pytest.param(f"\0{ANN}\0".encode() + b"p" * 1025, id="over-1-kb"),
    pytest.param(f"\0{SLOW}\0".encode() + b"p" * 1025, id="over-1-kb-slow"),
    pytest.param(f"\0{ANN}\0".encode() + b"p" * 4000, id="4-kb"),
    pytest.param(f"\0{ANN}\0".encode() + b"\xff\xfe", id="not-utf-8"),
])
def test_bad_input_39_password(shared, response):
    with shared.client() as c:
        c.start("PLAIN", response)
        verb, fields = c.answer()
    assert verb == "FAIL" and fields.get("code") != "temp_fail"
    assert shared.definite(ANN, PASSWORDS[ANN])[0] == "OK"


def test_bad_input_39_password_of_a_megabyte(shared):
    with shared.client() as c, pytest.raises((ConnectionError, BrokenPipeError)):
        c.start("PLAIN", f"\0{ANN}\0".encode() + b"p" * 2**20)
        c.answer()
    assert shared.definite(ANN, PASSWORDS[ANN])[0] == "OK"


def test_bad_input_39_longest_password(shared):
    address = "long@example.test"
    add_user(shared.postgres, address, hashed("SSHA512", "p" * 1024))
    assert shared.definite(address, "p" * 1024)[0] == "OK"
    assert shared.definite(address, "p" * 1023)[0] == "FAIL"


BAD_HASHES = {
    "rounds": "{SHA512-CRYPT}$6$rounds=999999999$abcdefgh$" + "x" * 86,
    "cost": "{BLF-CRYPT}$2y$31$" + "x" * 53, "iterations": "{SCRAM-SHA-256}999999999,AAAA,AAAA,AAAA",
    "unknown": "{NO-SUCH-SCHEME}xyz", "base64": "{SSHA512}!", "brace": "{", "braces": "{}",
    "nothing": "{SHA512-CRYPT}", "nothing-fast": "{SSHA512}", "empty": "",
}


@pytest.mark.parametrize("kind", BAD_HASHES)
def test_bad_input_39_hash(shared, kind):
    """Nobody gets in, nobody waits, and it is no verdict on the password."""
    keep_any_hash(shared.postgres)
    address = f"hash-{kind}@example.test"
    add_user(shared.postgres, address, BAD_HASHES[kind])
    start = time.monotonic()
    for attempt in ("plain", "scram"):
        with shared.client() as c:
            assert getattr(c, attempt)(address, PASSWORDS[ANN])[0] == "FAIL"
    assert time.monotonic() - start < 20
    assert shared.definite(ANN, PASSWORDS[ANN])[0] == "OK"


def test_bad_input_39_no_password_in_the_log(shared):
    text = shared.dovecot.text()
    assert PASSWORDS[ANN] not in text and "master-password-1" not in text


# ---- settings file

def test_queries_of_ones_own():
    b = Bed(passdb_query="SELECT 'ann@example.test', '{PLAIN}from-my-table' WHERE $1 = 'x@y.z'",
            userdb_query="SELECT $1::text, '/nowhere', NULL, '61005', '61005'",
            iterate_query="SELECT name FROM (VALUES ('a'), ('b')) AS t (name) WHERE name > $1")
    try:
        assert b.definite("x@y.z", "from-my-table")[0] == "OK"
        assert b.definite(ANN, PASSWORDS[ANN])[0] == "FAIL"
        assert "/nowhere" in b.dovecot.doveadm("user", "x@y.z")
        assert b.dovecot.doveadm("user", "*").split() == ["a", "b"]
    finally:
        b.close()


def test_a_setting_nobody_knows_stops_the_auth_process():
    b = Bed(sql_injection="yes")
    try:
        with b.client() as c:
            c.plain(ANN, PASSWORDS[ANN], wait_s=5)
    except OSError:
        pass
    finally:
        b.dovecot.stop()
        b.postgres.stop()
    assert b.dovecot.lines("postward-dovecot.conf", "line 3: sql_injection: unknown setting")

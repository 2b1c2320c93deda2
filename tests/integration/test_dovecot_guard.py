"""The auth driver and policyd: asked before a password is looked at, told how each login ended,
never in the way."""
import imaplib
import itertools
import time

import pytest

from auth_recorder import AuthRecorder
from dovecot_bed import MAIL_UID, place, remove, wait_until
from login_bed import ANN, BOB, GONE, PASSWORDS, Bed, add_user, hashed, keep_any_hash

HERE = "192.0.2.7"


def made(cache):
    """A bed with a recorder at policyd's place."""
    directory = place()
    recorder = AuthRecorder(directory / "auth.sock").start()
    b = Bed(cache=cache, auth_socket=recorder.path)
    b.recorder = recorder
    yield b
    b.close()
    recorder.stop()
    remove(directory)


@pytest.fixture(scope="module")
def shared_plain():
    yield from made("0")


@pytest.fixture(scope="module")
def shared_cached():
    yield from made("1M")


@pytest.fixture
def bed(shared_plain):
    return fresh(shared_plain)


@pytest.fixture
def cached(shared_cached):
    return fresh(shared_cached)


@pytest.fixture(params=["shared_plain", "shared_cached"])
def any_cache(request):
    return fresh(request.getfixturevalue(request.param))


@pytest.fixture
def own():
    """For tests that do something to policyd."""
    for b in made("0"):
        warm_up(b)
        yield b


def fresh(bed):
    """As at the start, whatever the test before left behind."""
    bed.recorder.refused.clear()
    bed.postgres.sql("DELETE FROM mail.app_passwords")
    bed.dovecot.doveadm("auth", "cache", "flush")
    warm_up(bed)
    return bed


def warm_up(bed):
    """The first logins of an auth process are not asked about: policyd has not greeted yet."""
    asks = bed.recorder.asks
    names = (f"up{n}@example.test" for n in itertools.count())  # else the cache would answer
    wait_until(lambda: bed.definite(next(names), "-") and asks, 20, "the first ask")
    # reports keep their order: after the last one nothing of the start comes late
    last = next(names)
    bed.definite(last, "-")
    wait_until(lambda: any(r["login"] == last for r in bed.recorder.reports), 20,
               "the reports of the start")
    asks.clear()
    bed.recorder.reports.clear()


def test_asked_before_and_told_after(any_cache):
    bed, recorder = any_cache, any_cache.recorder
    told = {"rip": HERE, "rport": "4711", "session": "abc+1"}
    assert bed.definite(ANN, PASSWORDS[ANN], **told)[0] == "OK"
    assert recorder.reported(1)[0] == {
        "login": ANN, "remote": HERE, "port": "4711", "service": "imap", "result": "success",
        "credential": "0", "session": "abc+1"}
    assert {**recorder.asks[0], "id": None} == {"id": None, "login": ANN, "remote": HERE,
                                                "service": "imap"}


@pytest.mark.parametrize("login, password, result, credential", [
    pytest.param(ANN, PASSWORDS[ANN], "success", "0", id="right"),
    pytest.param(ANN, PASSWORDS[BOB], "failure", "-1", id="wrong"),
    pytest.param("eve@example.test", PASSWORDS[ANN], "unknown", "-1", id="unknown"),
    pytest.param(GONE, PASSWORDS[ANN], "refused", "-1", id="disabled"),
    pytest.param(GONE, PASSWORDS[BOB], "failure", "-1", id="disabled-wrong"),
    pytest.param("bad%user@example.test", PASSWORDS[ANN], "unknown", "-1", id="impossible"),
    pytest.param("x" * 400 + "@example.test", PASSWORDS[ANN], "unknown", "-1", id="too-long"),
    pytest.param(ANN, "p" * 2000, "failure", "-1", id="long-password"),
])
def test_result(bed, login, password, result, credential):
    bed.definite(login, password, rip=HERE)
    report = bed.recorder.reported(1)[0]
    assert (report["result"], report["credential"]) == (result, credential)


def test_a_wrong_password_is_told_by_a_short_hash(any_cache):
    bed = any_cache
    tries = [(ANN, "one"), (ANN, "one"), (ANN, "two"), (BOB, "one"), ("eve@example.test", "one")]
    for login, password in tries:
        bed.definite(login, password, rip=HERE)
    told = [int(report["password"]) for report in bed.recorder.reported(len(tries))]
    assert told[0] == told[1] and len(set(told)) == 4
    assert all(1 <= hash <= 4096 for hash in told)
    bed.definite(ANN, PASSWORDS[ANN], rip=HERE)
    assert "password" not in bed.recorder.reported(len(tries) + 1)[-1]


def test_a_policyd_of_before_is_asked_and_told_in_its_version(own):
    recorder = own.recorder
    recorder.stop()
    recorder.version = 1
    recorder.start()
    healthy_again(own)
    assert recorder.greetings[-2:] == ["postward-auth\t2", "postward-auth\t1"]
    own.definite(ANN, PASSWORDS[BOB], rip=HERE)
    report = last_report_of(ANN, recorder)
    assert report["result"] == "failure" and "password" not in report
    recorder.reports.clear()
    recorder.stop()
    recorder.version = 2
    recorder.refused.clear()
    recorder.start()
    healthy_again(own)
    own.definite(ANN, PASSWORDS[BOB], rip=HERE)
    assert last_report_of(ANN, recorder)["password"]


def last_report_of(login, recorder):
    return wait_until(lambda: [r for r in recorder.reports if r["login"] == login], 20, "the report")[-1]


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram", "cram_md5"])
def test_every_mechanism_is_told(any_cache, mechanism):
    bed = any_cache
    keep_any_hash(bed.postgres)
    bed.postgres.sql("DELETE FROM mail.virtual_users WHERE email = 'any@example.test'")
    add_user(bed.postgres, "any@example.test", hashed("PLAIN", PASSWORDS[ANN]))
    for n, (password, result) in enumerate([(PASSWORDS[ANN], "success"), (PASSWORDS[BOB], "failure"),
                                            (PASSWORDS[ANN], "success")], 1):
        with bed.client() as c:
            getattr(c, mechanism)("any@example.test", password, rip=HERE)
        assert bed.recorder.reported(n)[n - 1]["result"] == result


def test_answers_from_the_cache_are_told_with_their_password(any_cache):
    bed, recorder = any_cache, any_cache.recorder
    told = {"rip": HERE, "service": "smtp"}  # each one; other services once a second
    app = bed.postgres.value("SELECT mail.add_app_password(%s, 'phone')", ANN)
    number = str(bed.postgres.value("SELECT id FROM mail.app_passwords"))
    for n in range(1, 4):
        assert bed.definite(ANN, app, **told)[0] == "OK"
        assert recorder.reported(n)[n - 1]["credential"] == number
    for n in range(4, 6):
        assert bed.definite(ANN, PASSWORDS[ANN], **told)[0] == "OK"
        assert recorder.reported(n)[n - 1]["credential"] == "0"


def test_answers_from_the_cache_are_told_once_a_second(cached):
    begin = time.monotonic()
    count = 0
    while count < 200 or time.monotonic() - begin < 2:
        assert cached.definite(ANN, PASSWORDS[ANN], rip=HERE)[0] == "OK"
        count += 1
    cached.definite(BOB, PASSWORDS[ANN], rip=HERE)  # reports keep their order: this is the last
    wait_until(lambda: any(r["login"] == BOB for r in cached.recorder.reports), 20, "the last report")
    of_ann = len(cached.recorder.reports) - 1
    # the first one, of the driver's own answer, may share its second with a cached one
    assert 2 <= of_ann <= time.monotonic() - begin + 3


def until_refused(log_in):
    """The answer of a login that policyd refuses. Its word may come too late, where the machine is
    busy with other things: then the login is let in, and tried again here."""
    return wait_until(lambda: (answer := log_in())[0] == "FAIL" and answer, 20, "the refusal")


def test_refused_like_a_wrong_password(bed):
    recorder = bed.recorder
    add_user(bed.postgres, "scram@example.test", hashed("SCRAM-SHA-256", PASSWORDS[ANN]))
    recorder.refused |= {ANN, "scram@example.test"}
    wrong = bed.definite(BOB, PASSWORDS[ANN], rip=HERE)
    refused = until_refused(lambda: bed.definite(ANN, PASSWORDS[ANN], rip=HERE))
    assert set(refused[1]) == set(wrong[1]) == {"user"}
    wait_until(lambda: recorder.reports[-1]["result"] == "refused", 20, "the report")
    with bed.client() as c:
        until_refused(lambda: c.scram("scram@example.test", PASSWORDS[ANN], rip=HERE))
    assert bed.definite(BOB, PASSWORDS[BOB], rip=HERE)[0] == "OK"
    recorder.refused.clear()
    assert bed.definite(ANN, PASSWORDS[ANN], rip=HERE)[0] == "OK"


@pytest.mark.parametrize("whom", [ANN, "*"])
def test_a_block_is_for_cached_logins_too(cached, whom):
    asks = cached.recorder.asks

    def log_in():
        cached.definite(ANN, PASSWORDS[ANN])
        return len(asks)

    log_in()
    asked = wait_until(lambda: log_in() == (before := len(asks)) and before, 20, "a cached answer")
    cached.recorder.refused.add(ANN)
    cached.recorder.flush(whom)
    wait_until(lambda: log_in() > asked, 20, "a question, since the answer is forgotten")


def test_no_login_no_question(bed):
    assert str(MAIL_UID) in bed.dovecot.doveadm("user", ANN)
    bed.dovecot.deliver(ANN, "Subject: x\r\n\r\nx\r\n")
    assert bed.recorder.asks == bed.recorder.reports == []


def test_login_over_imap_names_its_session(bed):
    c = imaplib.IMAP4("127.0.0.1", bed.dovecot.port)
    port = c.socket().getsockname()[1]
    c.login(ANN, PASSWORDS[ANN])
    report = bed.recorder.reported(1)[0]
    assert (report["remote"], report["port"]) == ("127.0.0.1", str(port)) and report["session"]


# ---- policyd is not what it should be

@pytest.mark.parametrize("mood", ["silent", "garbage", "dumb"])
def test_a_sick_policyd_locks_nobody_out(own, mood):
    own.recorder.restart(mood)
    for _ in range(3):
        assert own.definite(ANN, PASSWORDS[ANN])[0] == "OK"
        assert own.definite(ANN, PASSWORDS[BOB])[0] == "FAIL"
        time.sleep(0.6)  # so that it connects again in between
    many_at_once(own)
    own.recorder.restart(None)
    healthy_again(own)


def many_at_once(bed):
    with bed.client() as c:
        for _ in range(200):
            c.start("PLAIN", f"\0{ANN}\0{PASSWORDS[ANN]}".encode())
        for _ in range(200):
            assert c._line(30).split("\t")[0] == "OK"


def healthy_again(bed):
    bed.recorder.refused.add(BOB)
    wait_until(lambda: bed.definite(BOB, PASSWORDS[BOB])[0] == "FAIL", 20, "policyd is asked again")


def test_policyd_that_is_away_locks_nobody_out(own):
    assert own.definite(ANN, PASSWORDS[ANN])[0] == "OK"
    own.recorder.stop()
    many_at_once(own)
    wait_until(lambda: own.dovecot.lines("auth socket", "away"), 20, "the log")
    own.recorder.start()
    healthy_again(own)
    assert own.dovecot.lines("auth socket", "back", "reports lost")


def test_policyd_that_goes_while_it_is_asked(own):
    assert own.definite(ANN, PASSWORDS[ANN])[0] == "OK"
    own.recorder.mood = "silent"
    with own.client() as c:
        for _ in range(50):
            c.start("PLAIN", f"\0{ANN}\0{PASSWORDS[ANN]}".encode())
        own.recorder.stop()
        for _ in range(50):
            assert c._line(30).split("\t")[0] == "OK"


def test_auth_ends_while_policyd_is_asked(own):
    assert own.definite(ANN, PASSWORDS[ANN])[0] == "OK"
    own.recorder.mood = "silent"
    with own.client() as c:
        for _ in range(20):
            c.start("PLAIN", f"\0{ANN}\0{PASSWORDS[ANN]}".encode())
        own.dovecot.stop()
    own.dovecot.check_log()
    own.dovecot.start()

"""The quota plugin: Dovecot counts, policyd's usage socket says the limit and learns the usage."""
import imaplib
import re
import smtplib
import threading
import time

import pytest

from dovecot_bed import Dovecot, MAIL_UID, UsageServer, place, remove, wait_until

CONFIG = """
mail_location = sdbox:~/mail
mail_plugins = quota quota_postward
passdb {{
  driver = static
  args = password=secret-of-sixteen
}}
userdb {{
  driver = static
  args = uid=%d gid=%d home={root}/mail/%%u quota_rule=?:bytes=20000
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
plugin {{
  quota = postward:User quota:socket={root}/../usage.sock
  quota_grace = 0
}}
""" % (MAIL_UID, MAIL_UID)

USER = "ann@example.test"
BODY = "x" * 70 + "\r\n"


def message(size):
    head = "From: a@example.org\r\nSubject: test\r\n\r\n"
    return head + (BODY * (size // len(BODY) + 1))[:size - len(head)]


@pytest.fixture
def directory():
    d = place()
    yield d
    remove(d)


@pytest.fixture
def usage(directory):
    server = UsageServer(directory / "usage.sock").start()
    server.limits[USER] = (0, 0)
    yield server
    server.stop()


@pytest.fixture
def dovecot(directory, usage):
    d = Dovecot(directory / "dovecot", CONFIG).start()
    yield d
    d.stop()
    d.check_log()


@pytest.fixture
def imap(dovecot):
    with login(dovecot) as c:
        yield c


def login(dovecot):
    c = imaplib.IMAP4("127.0.0.1", dovecot.port)
    c.login(USER, "secret-of-sixteen")
    return c


def append(imap, size):
    return imap.append("INBOX", None, None, message(size).encode())


def quota_text(imap):
    return b" ".join(x for part in imap.getquotaroot("INBOX")[1] for x in part)


def real_sum(dovecot):
    """Bytes and messages of the INBOX by Dovecot's own word; LMTP adds header fields."""
    with login(dovecot) as imap:
        imap.select("INBOX", readonly=True)
        lines = [x for x in imap.fetch("1:*", "(RFC822.SIZE)")[1] if x is not None]
    return sum(int(x.split()[-1].rstrip(b")")) for x in lines), len(lines)


def reported(usage, expected, seconds=30):
    wait_until(lambda: usage.usage.get(USER) == expected, seconds,
               f"{expected} reported, not {usage.usage.get(USER)}")


def test_usage_is_reported_after_append_and_expunge(imap, usage):
    append(imap, 3000)
    append(imap, 2000)
    reported(usage, (5000, 2))
    imap.select("INBOX")
    imap.store("1", "+FLAGS", r"\Deleted")
    imap.expunge()
    reported(usage, (2000, 1))


def test_copy_and_folder_delete_are_reported(imap, usage):
    append(imap, 3000)
    imap.create("Work")
    imap.select("INBOX")
    imap.copy("1", "Work")
    reported(usage, (6000, 2))
    imap.delete("Work")
    reported(usage, (3000, 1))


def test_append_over_the_limit_is_refused(dovecot, usage):
    usage.limits[USER] = (4000, 0)
    with login(dovecot) as imap:
        assert append(imap, 3000)[0] == "OK"
        kind, text = append(imap, 3000)
        assert kind == "NO" and b"[OVERQUOTA]" in text[0]


def test_a_changed_limit_is_seen_in_the_open_session(imap, usage):
    """The session began without a limit."""
    assert append(imap, 3000)[0] == "OK"
    usage.set_limit(USER, 4000, 0)
    wait_until(lambda: append(imap, 2000)[0] == "NO", 20, "the limit")
    usage.set_limit(USER, 100000, 0)
    wait_until(lambda: append(imap, 3000)[0] == "OK", 20, "the raised limit")
    usage.set_limit(USER, 0, 1)
    wait_until(lambda: append(imap, 10)[0] == "NO", 20, "the limit of messages")
    usage.set_limit(USER, 0, 0)
    wait_until(lambda: append(imap, 3000)[0] == "OK", 20, "no limit again")


def test_a_changed_limit_is_seen_while_idle_and_after_others_answered(imap, usage):
    imap.select("INBOX")
    usage.set_limit(USER, 8192, 0)
    wait_until(lambda: b"STORAGE 0 8" in quota_text(imap), 20, "the limit in GETQUOTAROOT")


def test_message_limit(dovecot, usage):
    usage.limits[USER] = (0, 2)
    with login(dovecot) as imap:
        assert [append(imap, 100)[0] for _ in range(3)] == ["OK", "OK", "NO"]


def test_getquota_shows_the_limit(dovecot, usage):
    usage.limits[USER] = (8192, 7)
    with login(dovecot) as imap:
        append(imap, 2048)
        text = quota_text(imap)
        assert b"STORAGE 2 8" in text and b"MESSAGE 1 7" in text


def test_lmtp_over_quota_is_552(dovecot, usage):
    usage.limits[USER] = (4000, 0)
    dovecot.deliver(USER, message(3000))
    with pytest.raises(smtplib.SMTPDataError) as refused:
        dovecot.deliver(USER, message(3000))
    assert refused.value.smtp_code == 552
    assert refused.value.smtp_error.startswith(b"5.2.2")
    reported(usage, real_sum(dovecot))


def test_a_delivery_may_go_over_by_the_grace(dovecot, usage):
    usage.limits[USER] = (4000, 0, 3000)
    dovecot.deliver(USER, message(3000))
    with login(dovecot) as imap:
        assert append(imap, 3000)[0] == "NO"  # grace is for deliveries
    dovecot.deliver(USER, message(3000))
    with pytest.raises(smtplib.SMTPDataError) as refused:
        dovecot.deliver(USER, message(100))
    assert refused.value.smtp_code == 552


def test_a_delivery_is_reported(dovecot, usage):
    dovecot.deliver(USER, message(3000))
    reported(usage, real_sum(dovecot))


def test_changes_within_the_delay_make_one_report(imap, usage):
    imap.select("INBOX")
    before = usage.reports
    for _ in range(100):
        append(imap, 500)
    reported(usage, (50000, 100))
    assert usage.reports - before < 60


@pytest.mark.parametrize("how", ["gone", "silent"])
def test_deliveries_go_on_without_policyd(dovecot, usage, how):
    if how == "gone":
        usage.stop()
    else:
        usage.silent.set()
    start = time.monotonic()
    for _ in range(5):
        dovecot.deliver(USER, message(1000))
    assert time.monotonic() - start < 20
    warned = re.findall(r"lmtp\((?:\S+\)<)?(\d+)[>)].*usage socket: ", dovecot.text())
    assert warned and len(set(warned)) == len(warned)  # each process says it once
    assert real_sum(dovecot)[1] == 5
    with login(dovecot) as imap:  # the limit the userdb gave at login holds meanwhile
        assert append(imap, 30000)[0] == "NO"


def test_what_policyd_missed_is_reported_when_it_is_back(dovecot, usage):
    usage.stop()
    with login(dovecot) as imap:
        append(imap, 3000)
        usage.start()
        reported(usage, (3000, 1))


def test_a_restarted_policyd_is_asked_again_at_once(imap, usage):
    append(imap, 1000)
    reported(usage, (1000, 1))
    usage.stop()
    usage.start()
    append(imap, 1000)
    reported(usage, (2000, 2))


def test_a_lost_report_is_healed_by_the_next_quota_question(dovecot, usage):
    dovecot.deliver(USER, message(3000))
    reported(usage, real_sum(dovecot))
    usage.usage.clear()
    with login(dovecot) as imap:
        imap.getquotaroot("INBOX")
        reported(usage, real_sum(dovecot))


def test_recalc_reports(dovecot, usage):
    dovecot.deliver(USER, message(3000))
    reported(usage, real_sum(dovecot))
    usage.usage.clear()
    dovecot.doveadm("quota", "recalc", "-u", USER)
    reported(usage, real_sum(dovecot))


def test_doveadm_sees_usage_and_limit(dovecot, usage):
    usage.limits[USER] = (4096, 0)
    dovecot.deliver(USER, message(2000))
    out = dovecot.doveadm("-f", "tab", "quota", "get", "-u", USER).splitlines()
    assert out[1].split("\t")[1:4] == ["STORAGE", "3", "4"]


def test_many_writers_leave_the_real_sum(dovecot, usage):
    """Four deliverers and two sessions that append and expunge; the last report is the truth."""
    failures = []

    def deliver():
        for _ in range(15):
            dovecot.deliver(USER, message(1500))

    def churn():
        with login(dovecot) as c:
            for _ in range(10):
                c.append("INBOX", None, None, message(700).encode())
                c.select("INBOX")
                c.store("1", "+FLAGS", r"\Deleted")
                c.expunge()

    def guarded(work):
        try:
            work()
        except Exception as e:  # told below, in the test's own thread
            failures.append(e)

    threads = [threading.Thread(target=guarded, args=(w,)) for w in [deliver] * 4 + [churn] * 2]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    reported(usage, real_sum(dovecot))

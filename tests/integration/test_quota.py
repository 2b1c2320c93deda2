"""The quota plugin: Dovecot counts, policyd's usage socket tells the limit and learns the usage.
With policyd itself: test_quota_sql.py."""
import imaplib
import re
import smtplib
import socket
import threading
import time

import pytest

from dovecot_bed import Dovecot, MAIL_UID, UsageServer, place, remove, wait_until

CONFIG = """
mail_location = %%d:~/mail
mail_plugins = quota quota_postward acl
passdb {{
  driver = static
  args = password=secret-of-sixteen
}}
userdb {{
  driver = static
  args = uid=%d gid=%d home={root}/mail/%%u quota_rule=?:bytes=20000
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
namespace shared {{
  type = shared
  separator = /
  prefix = shared/%%%%u/
  location = sdbox:%%%%h/mail
  subscriptions = no
  list = no
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota imap_acl
  imap_hibernate_timeout = {hibernate}
}}
plugin {{
  quota = postward:User quota:socket={root}/../usage.sock
  quota_grace = 0
  acl = vfile
}}
service imap {{
  unix_listener imap-master {{
    user = dovecot
  }}
}}
service imap-hibernate {{
  unix_listener imap-hibernate {{
    mode = 0666
  }}
}}
service quota-status {{
  executable = quota-status -p postfix
  client_limit = 1
  unix_listener quota-status {{
    mode = 0666
  }}
}}
""" % (MAIL_UID, MAIL_UID)

FORMATS = ["sdbox", "mdbox", "maildir"]  # the domain of a user is the format of its mailboxes
BODY = "x" * 70 + "\r\n"


def message(size):
    head = "From: a@example.org\r\nSubject: test\r\n\r\n"
    return head + (BODY * (size // len(BODY) + 1))[:size - len(head)]


class Place:
    """A Dovecot, a server at its usage socket, and a user at a time."""

    def __init__(self, hibernate="0"):
        self.directory = place()
        self.usage = UsageServer(self.directory / "usage.sock").start()
        config = CONFIG.replace("{hibernate}", hibernate)
        self.dovecot = Dovecot(self.directory / "dovecot", config).start()
        self.users = 0
        self.user = None

    def new_user(self, mail_format="sdbox"):
        self.users += 1
        self.user = f"user{self.users}@{mail_format}"
        self.usage.limits[self.user] = (0, 0)
        return self.user

    def login(self, user=None):
        c = imaplib.IMAP4("127.0.0.1", self.dovecot.port)
        c.login(user or self.user, "secret-of-sixteen")
        return c

    def deliver(self, size, user=None):
        self.dovecot.deliver(user or self.user, message(size))

    def reported(self, expected, user=None):
        name = user or self.user
        wait_until(lambda: self.usage.usage.get(name) == expected, 30,
                   f"{expected} reported, not {self.usage.usage.get(name)}")

    def real_sum(self, user=None):
        """Bytes and messages of all folders by Dovecot's own word; LMTP adds header fields."""
        size = count = 0
        with self.login(user) as imap:
            for line in imap.list()[1]:
                name = line.decode().split(' "/" ')[1]
                if imap.select(name, readonly=True)[0] != "OK":
                    continue
                lines = [x for x in imap.fetch("1:*", "(RFC822.SIZE)")[1] if x is not None]
                size += sum(int(x.split()[-1].rstrip(b")")) for x in lines)
                count += len(lines)
        return size, count

    def close(self):
        self.dovecot.stop()
        self.usage.stop()
        try:
            self.dovecot.check_log()
        finally:
            remove(self.directory)


@pytest.fixture(scope="module")
def shared():
    p = Place()
    yield p
    p.close()


@pytest.fixture
def bed(shared):
    """The shared Dovecot with a new user."""
    shared.new_user()
    return shared


@pytest.fixture
def own():
    """A Dovecot of its own, to do without policyd."""
    p = Place()
    p.new_user()
    yield p
    p.close()


@pytest.fixture
def imap(bed):
    with bed.login() as c:
        yield c


def append(imap, size, folder="INBOX"):
    return imap.append(folder, None, None, message(size).encode())


def quota_text(imap):
    return b" ".join(x for part in imap.getquotaroot("INBOX")[1] for x in part if x)


def until_append_is(imap, answer, size):
    wait_until(lambda: append(imap, size)[0] == answer, 20, f"APPEND to be answered {answer}")


# ---- usage

def test_usage_is_reported_after_append_and_expunge(bed, imap):
    append(imap, 3000)
    append(imap, 2000)
    bed.reported((5000, 2))
    imap.select("INBOX")
    imap.store("1", "+FLAGS", r"\Deleted")
    imap.expunge()
    bed.reported((2000, 1))


@pytest.mark.parametrize("mail_format", FORMATS)
def test_copy_move_and_folder_delete_are_reported(shared, mail_format):
    shared.new_user(mail_format)
    with shared.login() as imap:
        append(imap, 3000)
        imap.create("Work")
        imap.select("INBOX")
        imap.copy("1", "Work")
        shared.reported((6000, 2))
        imap.create("Else")
        assert imap._simple_command("MOVE", "1", "Else")[0] == "OK"
        append(imap, 1000)
        shared.reported((7000, 3))
        shared.deliver(2000)
        imap.delete("Work")
        wait_until(lambda: shared.usage.usage[shared.user] == shared.real_sum(), 30,
                   "the usage of what is left")
        assert shared.usage.usage[shared.user][1] == 3


def test_a_session_that_ends_has_reported(bed):
    with bed.login() as imap:
        append(imap, 3000)
    bed.reported((3000, 1))


def test_changes_within_the_delay_make_one_report(bed, imap):
    imap.select("INBOX")
    before, begin = bed.usage.reports, time.monotonic()
    for _ in range(100):
        append(imap, 500)
    bed.reported((50000, 100))
    assert bed.usage.reports - before <= (time.monotonic() - begin) / 0.25 + 2


def test_a_delivery_is_reported(bed):
    bed.deliver(3000)
    bed.reported(bed.real_sum())


def test_recalc_reports(bed):
    bed.deliver(3000)
    bed.reported(bed.real_sum())
    bed.usage.usage.clear()
    bed.dovecot.doveadm("quota", "recalc", "-u", bed.user)
    bed.reported(bed.real_sum())


def test_many_writers_leave_the_real_sum(bed):
    """Four deliverers and two sessions that append and expunge; the count that began last is true."""
    failures = []

    def deliver():
        for _ in range(10):
            bed.deliver(1500)

    def churn():
        with bed.login() as c:
            for _ in range(10):
                append(c, 700)
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
    bed.reported(bed.real_sum())


def test_what_goes_into_a_shared_mailbox_counts_for_its_owner(bed):
    """The other user sees one folder of two; the count is the owner's all the same."""
    owner = bed.user
    with bed.login() as imap:
        append(imap, 5000)
        imap.create("Team")
        other = bed.new_user()
        imap.setacl("Team", other, "lrswipktex")
        bed.reported((5000, 1), owner)
    bed.usage.limits[owner] = (10000, 0)
    with bed.login(other) as imap:
        assert append(imap, 1000, f"shared/{owner}/Team")[0] == "OK"
        bed.reported((6000, 2), owner)
        assert append(imap, 9000, f"shared/{owner}/Team")[0] == "NO"
        assert append(imap, 500)[0] == "OK"
        bed.reported((500, 1), other)
        imap.select("INBOX")
        assert imap.copy("1", f"shared/{owner}/Team")[0] == "OK"
    bed.reported((6500, 3), owner)
    bed.reported((500, 1), other)


# ---- limits

def test_append_over_the_limit_is_refused(bed):
    bed.usage.limits[bed.user] = (4000, 0)
    with bed.login() as imap:
        assert append(imap, 3000)[0] == "OK"
        kind, text = append(imap, 3000)
        assert kind == "NO" and b"[OVERQUOTA]" in text[0]


def test_a_changed_limit_is_seen_in_the_open_session(bed, imap):
    """The session began without a limit."""
    assert append(imap, 3000)[0] == "OK"
    bed.usage.set_limit(bed.user, 4000, 0)
    until_append_is(imap, "NO", 2000)
    bed.usage.set_limit(bed.user, 100000, 0)
    until_append_is(imap, "OK", 3000)
    bed.usage.set_limit(bed.user, 0, 1)
    until_append_is(imap, "NO", 10)
    bed.usage.set_limit(bed.user, 0, 0)
    until_append_is(imap, "OK", 3000)


def test_getquota_shows_the_limit_and_its_change(bed):
    bed.usage.limits[bed.user] = (8192, 7)
    with bed.login() as imap:
        append(imap, 2048)
        text = quota_text(imap)
        assert b"STORAGE 2 8" in text and b"MESSAGE 1 7" in text
        bed.usage.set_limit(bed.user, 16384, 0)
        wait_until(lambda: b"STORAGE 2 16" in quota_text(imap), 20, "the new limit")


def test_message_limit(bed):
    bed.usage.limits[bed.user] = (0, 2)
    with bed.login() as imap:
        assert [append(imap, 100)[0] for _ in range(3)] == ["OK", "OK", "NO"]


def test_lmtp_over_quota_is_552(bed):
    bed.usage.limits[bed.user] = (4000, 0)
    bed.deliver(3000)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        bed.deliver(3000)
    assert refused.value.smtp_code == 552
    assert refused.value.smtp_error.startswith(b"5.2.2")
    bed.reported(bed.real_sum())


def test_a_delivery_may_go_over_by_the_grace(bed):
    bed.usage.limits[bed.user] = (4000, 0, 3000)
    bed.deliver(3000)
    with bed.login() as imap:
        assert append(imap, 3000)[0] == "NO"  # grace is for deliveries
    bed.deliver(3000)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        bed.deliver(100)
    assert refused.value.smtp_code == 552


def test_quota_status_and_doveadm_know_the_limit(bed):
    bed.usage.limits[bed.user] = (4096, 0)
    assert status(bed).startswith("action=OK")
    bed.deliver(3000)
    out = bed.dovecot.doveadm("-f", "tab", "quota", "get", "-u", bed.user).splitlines()
    assert out[1].split("\t")[1:4] == ["STORAGE", "4", "4"]
    assert status(bed, 2000).startswith("action=554 5.2.2")


def status(bed, size=1):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(str(bed.dovecot.root / "run" / "quota-status"))
        s.sendall(f"recipient={bed.user}\nsize={size}\n\n".encode())
        return s.makefile().readline()


def test_a_hibernated_session_wakes_with_the_new_limit():
    place = Place(hibernate="1 secs")
    user = place.new_user()
    try:
        with place.login() as imap:
            append(imap, 3000)
            imap.select("INBOX")
            imap.send(b"h1 IDLE\r\n")
            imap.readline()
            place.reported((3000, 1))
            wait_until(lambda: not any(w[0] == user for w in list(place.usage.watchers)), 30,
                       "the session to hibernate")
            place.usage.set_limit(user, 4000, 0)
            imap.send(b"DONE\r\n")
            while not imap.readline().startswith(b"h1 OK"):
                pass
            assert append(imap, 3000)[0] == "NO"
            assert append(imap, 500)[0] == "OK"
        place.reported((3500, 2))
    finally:
        place.close()


# ---- policyd away

@pytest.mark.parametrize("how", ["gone", "silent"])
def test_mail_goes_on_without_policyd(own, how):
    if how == "gone":
        own.usage.stop()
    else:
        own.usage.silent.set()
    for _ in range(5):
        own.deliver(1000)
    warned = re.findall(r"lmtp\((?:\S+\)<)?(\d+)[>)].*usage socket: ", own.dovecot.text())
    assert warned and len(set(warned)) == len(warned)  # each process says it once
    assert own.real_sum()[1] == 5
    with own.login() as imap:  # the limit the userdb gave at login holds meanwhile
        assert append(imap, 30000)[0] == "NO"


def test_nothing_waits_for_a_silent_policyd_but_the_begin_of_a_session(own):
    """Were it waited for once an APPEND, 100 of them took 10 s longer."""
    with own.login() as imap:
        spent = []
        for silent in (False, True):
            if silent:
                own.usage.silent.set()
            begin = time.monotonic()
            for _ in range(100):
                assert append(imap, 30)[0] == "OK"
            spent.append(time.monotonic() - begin)
    assert spent[1] < 3 * spent[0] + 8


def test_what_policyd_missed_is_told_when_it_is_back(own):
    """In the session that is open, and of users whose delivery is long over."""
    session_user = own.user
    own.usage.stop()
    with own.login() as imap:
        append(imap, 3000)
        own.new_user()
        own.deliver(2000)
        own.usage.start()
        own.reported((3000, 1), session_user)
        wait_until(lambda: own.usage.usage.get(own.user, (0, 0))[1] == 1, 30, "the delivery")
    assert own.usage.usage[own.user] == own.real_sum()
    assert "usage socket: back" in own.dovecot.text()


def test_what_policyd_could_not_take_is_told_later(own):
    own.usage.refusing.set()
    with own.login() as imap:
        append(imap, 3000)
        wait_until(lambda: own.usage.refused, 30, "a report to be refused")
        own.usage.refusing.clear()
        own.reported((3000, 1))


def test_a_restarted_policyd_is_told_and_watched_again(own):
    with own.login() as imap:
        append(imap, 1000)
        own.reported((1000, 1))
        own.usage.stop()
        own.usage.start()
        append(imap, 1000)
        own.reported((2000, 2))
        own.usage.set_limit(own.user, 2500, 0)
        until_append_is(imap, "NO", 1000)


def test_a_lost_report_is_healed_by_the_next_quota_question(bed):
    bed.deliver(3000)
    bed.reported(bed.real_sum())
    bed.usage.usage.clear()
    with bed.login() as imap:
        imap.getquotaroot("INBOX")
        bed.reported(bed.real_sum())

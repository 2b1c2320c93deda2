"""Quota from SQL to the mailbox and back: Dovecot with the plugin, postward-policyd, PostgreSQL.
The plugin's own behaviour: test_quota.py."""
import imaplib
import os
import signal
import smtplib
import threading
import time

import psycopg2
import pytest

from dovecot_bed import Dovecot, MAIL_UID
from policy_bed import Bed
from test_quota import CONFIG, append, message, quota_text, until_append_is

MIB = 1 << 20


class QuotaBed(Bed):
    dovecot = None

    def _build(self):
        super()._build()
        self.program.stop()
        os.chown(self.run, -1, MAIL_UID)
        self.run.chmod(0o2777)
        self.program.start(lmtp_socket=self.root / "dovecot/run/lmtp")
        config = CONFIG.replace("{root}/../usage.sock", str(self.usage)) \
            .replace("{hibernate}", "0").replace("mail_location = %d:", "mail_location = sdbox:") \
            .replace(" quota_rule=?:bytes=20000", "")
        self.dovecot = Dovecot(self.root / "dovecot", config).start()
        self.users = 0

    def new_user(self, quota_mb=0, domain="example.test"):
        self.users += 1
        user = f"user{self.users}@{domain}"
        self.pg.sql("SELECT mail.add_user(%s, 'a long enough password', %s)", user, quota_mb)
        self.settle()
        return user

    def new_domain(self, quota_mb):
        self.users += 1
        domain = f"domain{self.users}.test"
        self.pg.sql("SELECT mail.add_domain(%s)", domain)
        self.pg.sql("UPDATE mail.virtual_domains SET quota_mb = %s WHERE name = %s", quota_mb, domain)
        return domain

    def change(self, user, **columns):
        for name, value in columns.items():
            self.pg.sql(f"UPDATE mail.virtual_users SET {name} = %s WHERE email = %s", value, user)

    def login(self, user):
        c = imaplib.IMAP4("127.0.0.1", self.dovecot.port)
        c.login(user, "secret-of-sixteen")
        return c

    def used(self, user):
        rows = self.pg.sql("SELECT g.bytes, g.messages FROM mail.usage AS g"
                           " JOIN mail.virtual_users AS u ON u.id = g.user_id WHERE email = %s", user)
        return rows[0] if rows else None

    def until_used(self, user, expected):
        self.wait(lambda: self.used(user) == expected, what=f"{expected} of {user} in SQL")

    def real_sum(self, user):
        with self.login(user) as imap:
            imap.select("INBOX", readonly=True)
            lines = [x for x in imap.fetch("1:*", "(RFC822.SIZE)")[1] if x is not None]
        return sum(int(x.split()[-1].rstrip(b")")) for x in lines), len(lines)

    def rcpt(self, user):
        with self.client() as client:
            return client.ask(sender="x@example.org", sasl_username="", recipient=user)

    def close(self):
        if self.dovecot is not None:
            self.dovecot.stop()
            crashes = self.dovecot.crashes() + self.dovecot.lines("leak")
            self.dovecot = None
            super().close()
            assert not crashes, crashes
        super().close()


@pytest.fixture(scope="module")
def bed():
    with QuotaBed() as b:
        yield b


# ---- limits

def test_a_limit_set_in_sql_is_seen_in_the_open_session(bed):
    user = bed.new_user()
    with bed.login(user) as imap:
        assert append(imap, 3000)[0] == "OK"
        bed.change(user, quota_mb=1)
        bed.wait(lambda: b"STORAGE 3 1024" in quota_text(imap), what="the limit")
        assert append(imap, MIB)[0] == "NO"
        bed.change(user, quota_mb=2)
        until_append_is(imap, "OK", MIB)
        bed.change(user, quota_messages=2)
        until_append_is(imap, "NO", 10)
        bed.change(user, quota_mb=0, quota_messages=0)
        until_append_is(imap, "OK", 2 * MIB)


def test_usage_is_seen_in_sql(bed):
    user = bed.new_user()
    with bed.login(user) as imap:
        append(imap, MIB)
        bed.wait(lambda: bed.pg.sql("SELECT used_mb, messages FROM mail.quota_usage WHERE email = %s",
                                    user) == [(1, 1)], what="the usage")
        imap.select("INBOX")
        imap.store("1", "+FLAGS", r"\Deleted")
        imap.expunge()
        bed.until_used(user, (0, 0))


def test_a_full_mailbox_is_refused_at_rcpt_and_taken_again(bed):
    user = bed.new_user(1)
    with bed.login(user) as imap:
        append(imap, MIB)
        bed.wait(lambda: bed.rcpt(user) == f"452 4.2.2 <{user}>: mailbox full", what="452")
        imap.select("INBOX")
        imap.store("1", "+FLAGS", r"\Deleted")
        imap.expunge()
        bed.wait(lambda: bed.rcpt(user) == "DUNNO", what="DUNNO")


def test_as_many_messages_as_allowed(bed):
    user = bed.new_user()
    bed.change(user, quota_messages=2)
    bed.settle()
    bed.dovecot.deliver(user, message(100))
    bed.dovecot.deliver(user, message(100))
    bed.wait(lambda: bed.rcpt(user).startswith("452 4.2.2"), what="452")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        bed.dovecot.deliver(user, message(100))
    assert refused.value.smtp_code == 552


def test_a_delivery_may_go_over_by_the_grace_of_sql(bed):
    user = bed.new_user(1)
    bed.pg.sql("UPDATE mail.settings SET value = '50' WHERE name = 'quota_grace_percent'")
    try:
        bed.settle()
        bed.dovecot.deliver(user, message(MIB - 2000))
        bed.dovecot.deliver(user, message(MIB // 3))
        bed.wait(lambda: bed.rcpt(user).startswith("452 4.2.2"), what="452")
        with pytest.raises(smtplib.SMTPDataError):
            bed.dovecot.deliver(user, message(100))
    finally:
        bed.pg.sql("UPDATE mail.settings SET value = '0' WHERE name = 'quota_grace_percent'")
        bed.settle()


def test_the_mailboxes_of_a_domain_have_a_limit_together(bed):
    domain = bed.new_domain(3)
    one, two = bed.new_user(0, domain), bed.new_user(0, domain)
    with bed.login(two) as other, bed.login(one) as imap:
        append(imap, MIB + MIB // 2)
        bed.wait(lambda: b"STORAGE 0 1024" in quota_text(other), what="what is left for the other")
        assert append(other, MIB + 100)[0] == "NO"
        append(imap, MIB + MIB // 2)
        bed.wait(lambda: bed.rcpt(two) == f"452 4.2.2 <{two}>: mailbox full", what="452")
        until_append_is(other, "NO", 10)
        assert bed.pg.sql("SELECT quota_mb FROM mail.domain_usage WHERE domain = %s", domain) == [(3,)]
        bed.wait(lambda: bed.pg.value("SELECT used_mb FROM mail.domain_usage WHERE domain = %s",
                                      domain) == 3, what="the sum in SQL")
        imap.select("INBOX")
        imap.store("1", "+FLAGS", r"\Deleted")
        imap.expunge()
        bed.wait(lambda: bed.rcpt(two) == "DUNNO", what="DUNNO")
        until_append_is(other, "OK", 10)


# ---- warnings

def test_the_owner_is_warned_once_for_each_crossing(bed):
    user = bed.new_user(1)

    def warnings():
        with bed.login(user) as c:
            c.select("INBOX", readonly=True)
            found = c.search(None, "SUBJECT", '"Your mailbox is"')[1][0].split()
            return len(found)

    def warned():
        return bed.pg.sql("SELECT warned_percent FROM mail.quota_warned WHERE email = %s", user)

    with bed.login(user) as imap:
        append(imap, MIB * 82 // 100)
        bed.wait(lambda: warnings() == 1, what="the warning")
        bed.wait(lambda: warned() == [(80,)], what="the list of those warned")
        append(imap, MIB // 100)
        append(imap, MIB * 8 // 100)  # 91 % and the warning: the next level
        bed.wait(lambda: warnings() == 2, what="the second warning")
        bed.wait(lambda: warned() == [(90,)], what="the higher warning")
        imap.select("INBOX")
        imap.store("1", "+FLAGS", r"\Deleted")
        imap.expunge()
        bed.wait(lambda: warned() == [], what="the owner to be below")
        append(imap, MIB * 82 // 100)
        bed.wait(lambda: warnings() == 3, what="the warning at the next crossing")
    bed.wait(lambda: bed.pg.value("SELECT count(*) FROM mail.events WHERE kind = 'quota_warning'"
                                  " AND who = %s", user) == 3, what="events")


# ---- faults

@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_mail_goes_on_while_policyd_hangs_or_dies(bed, how):
    """What was done meanwhile is told when it is back: open sessions, ended ones, deliveries."""
    users = [bed.new_user() for _ in range(3)]
    failures = []

    def work(user, n):
        try:
            with bed.login(user) as imap:
                for _ in range(n):
                    assert append(imap, 1000)[0] == "OK"
        except Exception as e:  # told below, in the test's own thread
            failures.append(e)

    with bed.login(users[0]) as imap:
        append(imap, 5000)
        bed.until_used(users[0], (5000, 1))
        bed.program.process.kill(how)
        threads = [threading.Thread(target=work, args=(users[1], 20))]
        for t in threads:
            t.start()
        for _ in range(20):
            assert append(imap, 1000)[0] == "OK"
        bed.dovecot.deliver(users[2], message(3000))
        for t in threads:
            t.join()
        assert not failures
        if how == signal.SIGSTOP:
            bed.program.process.kill(signal.SIGCONT)
        else:
            bed.program.stop()
            bed.program.start()
        bed.until_used(users[0], (25000, 21))
    sums = {u: bed.real_sum(u) for u in users}
    bed.until_used(users[2], sums[users[2]])
    if how == signal.SIGSTOP:
        bed.until_used(users[1], sums[users[1]])
    else:  # its process has ended with what it had to tell
        with bed.login(users[1]) as imap:
            imap.getquotaroot("INBOX")
            bed.until_used(users[1], sums[users[1]])


def test_usage_is_written_when_the_database_is_back(bed):
    user = bed.new_user(1)
    bed.pg.stop()
    try:
        with bed.login(user) as imap:
            assert append(imap, MIB)[0] == "OK"
            bed.wait(lambda: bed.rcpt(user).startswith("452 4.2.2"), what="452 from memory")
    finally:
        bed.pg.start()
    bed.until_used(user, (MIB, 1))


# ---- bad input 41

def test_bad_input_41_a_user_deleted_while_mail_arrives_begins_empty_when_made_again(bed):
    user = bed.new_user(1)
    with bed.login(user) as imap:
        append(imap, MIB)
        bed.wait(lambda: bed.rcpt(user).startswith("452 4.2.2"), what="452")
        bed.pg.sql("DELETE FROM mail.virtual_users WHERE email = %s", user)
        bed.settle()
        imap.select("INBOX")
        imap.store("1", "+FLAGS", r"\Deleted")
        assert imap.expunge()[0] == "OK"
        assert append(imap, 500)[0] == "OK"
        bed.dovecot.deliver(user, message(500))
    bed.wait(lambda: bed.rcpt(user) == "DUNNO", what="nobody to be full")
    time.sleep(1)  # what was counted just before is written within half a second, by name
    bed.pg.sql("SELECT mail.add_user(%s, 'a long enough password', 1)", user)
    bed.settle()
    assert bed.rcpt(user) == "DUNNO"
    with bed.login(user) as imap:
        imap.getquotaroot("INBOX")
        bed.until_used(user, bed.real_sum(user))


def test_bad_input_41_numbers_beyond_reason(bed):
    bed.pg.sql("UPDATE mail.quota_warnings SET enabled = false")  # Dovecot would tell the truth
    user = bed.new_user(1)
    with bed.usage_client() as usage:
        for size, stored in ((-5, 0), (2 ** 63, 2 ** 62), (2 ** 64, 2 ** 62), (5 * MIB, 5 * MIB)):
            began = time.monotonic_ns() // 1000
            assert usage.ask("usage", user, size, size, began) == f"told\t{user}\t{began}"
            bed.until_used(user, (stored, stored))
        assert bed.rcpt(user).startswith("452 4.2.2")  # usage over the limit
        assert usage.tell(user, 0, 0) == "told"
    for value in ("-1", "9223372036854775807", "9223372036854775808", "NULL", "'10 GB '", "'many'"):
        with pytest.raises(psycopg2.Error):
            bed.pg.sql(f"UPDATE mail.virtual_users SET quota_mb = {value} WHERE email = %s", user)
            bed.settle()
    bed.change(user, quota_mb=0)  # unlimited is said by 0, and by nothing else
    bed.pg.sql("UPDATE mail.quota_warnings SET enabled = true")
    bed.settle()
    with bed.login(user) as imap:
        assert append(imap, 2 * MIB)[0] == "OK"

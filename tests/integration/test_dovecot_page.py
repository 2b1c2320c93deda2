"""What docs/dovecot.md says to write into local.conf, run word for word: Debian's configuration
of the installed Dovecot with the page's snippets, at the paths and under the names they have."""
import imaplib
import os
import re
import shutil
import smtplib
import socket
import ssl

import pytest

from dovecot_bed import MAIL_UID, UsageServer, place, remove, wait_until
from stack import dovecot, postward
from stack.dialect import is_2_4
from stack.netns import Namespace, run
from stack.postgres import Postgres
from stack.postward import SOURCE, build

PAGE = (SOURCE / "docs/dovecot.md").read_text()
USER, PASSWORD = "ann@example.test", "correct-horse-battery"
PROGRAM_UID = postward.PROGRAMS["postward-policyd"][0]


def snippets(*languages):
    return [text for language, text in re.findall(r"^```(\S+)\n(.*?)^```$", PAGE, re.M | re.S)
            if language in languages]


class Machine(dovecot.Dovecot):
    """Dovecot with files of its own where the page puts them: in its mount namespace only."""

    def __init__(self, directory):
        self.directory = directory
        super().__init__(directory / "dovecot", Namespace(f"page-{os.getpid()}"), "127.0.0.1")
        self.ns.create("127.0.0.1", "")
        self.log = directory / "run/dovecot.log"
        self.mounts = {"/run": directory / "run", "/srv": directory / "srv",
                       "/var/lib/dovecot": directory / "state",
                       "/var/spool/postfix": directory / "spool",
                       "/etc/dovecot": directory / "etc",
                       "/etc/passwd": directory / "passwd", "/etc/group": directory / "group"}
        for folder in ("dovecot", "run/postward", "srv/mail", "state", "spool/private"):
            (directory / folder).mkdir(parents=True)
        os.chown(directory / "srv/mail", MAIL_UID, MAIL_UID)
        self._lay_out_modules(build() / "lib")
        self._users()
        self._configuration()

    def _users(self):
        people = {"vmail": MAIL_UID, "postward_policy": PROGRAM_UID}
        for name, form in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/bin/false\n"),
                           ("group", "{0}:x:{1}:\n")):
            shutil.copy(f"/etc/{name}", self.directory / name)
            with open(self.directory / name, "a", encoding="utf8") as file:
                file.write("".join(form.format(*who) for who in people.items()))

    def _configuration(self):
        etc = self.directory / "etc"
        shutil.copytree("/etc/dovecot", etc, symlinks=True)
        auth = etc / "conf.d/10-auth.conf"
        stock = auth.read_text()
        assert "\n!include auth-system.conf.ext\n" in stock
        auth.write_text(stock.replace("\n!include auth-system.conf.ext\n", "\n"))
        (etc / "local.conf").write_text(
            "log_path = /run/dovecot.log\n"
            + "\n".join(snippets("dovecot", "dovecot-2.4" if is_2_4() else "dovecot-2.3")))
        (etc / "postward-dovecot.conf").write_text(*snippets("postward-dovecot.conf"))
        (etc / "postward-dovecot.conf").chmod(0o600)
        shutil.copytree(SOURCE / "dovecot-plugins/sieve", etc / "sieve")
        for name in ("pem", "key"):
            (etc / f"private/dovecot.{name}").unlink(missing_ok=True)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            "/CN=mail.example.test", "-keyout", etc / "private/dovecot.key", "-out",
            etc / "private/dovecot.pem")

    def with_modules(self, *command):
        """Not -c: the configuration lies where Dovecot looks for it."""
        binds = " && ".join(f"mount --bind {ours} {theirs}" for theirs, ours in self.mounts.items())
        words = [w for w in command if w not in ("-c", self.conf)]
        return super().with_modules("sh", "-c", f'{binds} && exec "$@"', "-", *words)

    def start(self):
        for name in ("retry", "junk"):
            self.ns.run(*self.with_modules("sievec", f"/etc/dovecot/sieve/{name}.sieve"))
        return super().start()

    def stop(self):
        super().stop()
        self.ns.remove()

    def imap(self, user=USER, password=PASSWORD):
        with self.ns.enter():
            imap = imaplib.IMAP4_SSL("127.0.0.1", ssl_context=ssl._create_unverified_context())
        try:
            imap.login(user, password)
        except imaplib.IMAP4.error:
            imap.shutdown()
            raise
        return imap

    def deliver(self, text):
        """As Postfix does."""
        path = self.directory / "spool/private/dovecot-lmtp"
        with smtplib.LMTP(str(path)) as lmtp:
            lmtp.sendmail("out@example.org", [USER], text)


@pytest.fixture(scope="module")
def database():
    directory = place()
    postgres = Postgres(directory / "pg").create().start()
    postgres.sql("CREATE DATABASE mail", database="postgres")
    for migration in sorted((SOURCE / "sql/migrations").glob("*.sql")):
        postgres.sql(migration.read_text())
    postgres.sql("SELECT mail.add_domain('example.test')")
    postgres.sql("SELECT mail.add_user(%s, %s)", USER, PASSWORD)
    yield postgres
    postgres.stop()
    remove(directory)


@pytest.fixture(scope="module")
def machine(database):
    directory = place()
    m = Machine(directory)
    (directory / "run/postgresql").symlink_to(database.socket)
    usage = UsageServer(directory / "run/postward/usage.sock").start()
    usage.limits[USER] = (8 * 1024 * 1024, 0)
    m.start()
    m.usage = usage
    wait_until(lambda: (directory / "spool/private/dovecot-lmtp").exists(), 20, "its listeners")
    yield m
    m.stop()
    usage.stop()
    bad = m.crashes() + m.lines("Error")
    remove(directory)
    assert not bad


def folders(machine):
    with machine.imap() as imap:
        found = {}
        for name in ("INBOX", "Junk"):
            if imap.select(name, readonly=True)[0] == "OK":
                found[name] = len(imap.search(None, "ALL")[1][0].split())
        return found


def test_both_dialects_have_the_same_snippets():
    assert len(snippets("dovecot-2.3")) == len(snippets("dovecot-2.4")) >= 4
    assert len(snippets("postward-dovecot.conf")) == 1


def test_a_login_sees_the_limit_of_policyd(machine):
    with machine.imap() as imap:
        text = b" ".join(x for part in imap.getquotaroot("INBOX")[1] for x in part)
    assert b'"User quota" (STORAGE 0 8192)' in text


def test_a_wrong_password_is_refused(machine):
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        machine.imap(password="wrong-password-of-ann")


@pytest.mark.parametrize("user, location, inbox", [
    ("box@example.test", "sdbox:~/mail", "mail/mailboxes/INBOX/dbox-Mails"),
    ("dir@example.test", "maildir:~/mail:INDEX=~/index", "mail/cur"),
])
def test_sql_may_say_where_mail_lies(machine, database, user, location, inbox):
    database.sql("SELECT mail.add_user(%s, %s)", user, PASSWORD)
    database.sql("UPDATE mail.settings SET value = %s WHERE name = 'mail_location'", location)
    try:
        with machine.imap(user) as imap:
            imap.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
    finally:
        database.sql("UPDATE mail.settings SET value = '' WHERE name = 'mail_location'")
    home = machine.directory / "srv/mail/example.test" / user.partition("@")[0]
    assert (home / inbox).is_dir()
    assert (home / "index").is_dir() == ("INDEX" in location)


def test_mail_is_delivered_and_spam_goes_to_junk(machine):
    machine.deliver("Subject: honest\r\n\r\nx\r\n")
    machine.deliver("Subject: spam\r\nX-Spam: Yes\r\n\r\nx\r\n")
    assert folders(machine) == {"INBOX": 1, "Junk": 1}
    wait_until(lambda: machine.usage.usage.get(USER, (0, 0))[1] == 2, 10, "usage of two messages")
    home = machine.directory / "srv/mail/example.test/ann"
    assert home.stat().st_uid == MAIL_UID and (home / "Maildir/new").is_dir()


@pytest.mark.parametrize("path, uid, mode", [
    ("run/dovecot/postward-doveadm", PROGRAM_UID, 0o600),
    ("run/dovecot/postward-lmtp", PROGRAM_UID, 0o600),
    ("spool/private/auth", None, 0o660),
    ("spool/private/dovecot-lmtp", None, 0o600),
])
def test_listeners(machine, path, uid, mode):
    found = (machine.directory / path).stat()
    assert found.st_uid == (uid or shutil._get_uid("postfix"))
    assert found.st_mode & 0o777 == mode


def test_what_is_moved_to_junk_is_told(machine):
    with socket.socket(socket.AF_UNIX) as listener:
        path = machine.directory / "run/postward/learn.sock"
        listener.bind(str(path))
        os.chmod(path, 0o666)
        listener.listen()
        listener.settimeout(20)
        with machine.imap() as imap:
            imap.append("INBOX", None, None, b"Subject: moved\r\n\r\nx\r\n")
            imap.create("Junk")
            imap.select("INBOX")
            last = imap.search(None, "ALL")[1][0].split()[-1].decode()
            assert imap.copy(last, "Junk")[0] == "OK"
            told, _ = listener.accept()
            told.settimeout(20)
            with told, told.makefile("rb") as lines:
                assert lines.readline().startswith(b"postward-learn\t1")
                assert lines.readline().startswith(b"spam\tann@example.test\t")

"""What breaks around postward-dkim: PostgreSQL, DNS, the disk, memory, the clock, its own process. Each test has the
number of its fault in the list of faults; no message is lost, doubled, or leaves unsigned where a signature is due."""
import contextlib
import itertools
import os
import shutil
import signal
import smtplib
import stat
import threading
import time

import psycopg2
import pytest

from dkim_bed import HOST, DkimBed
from policy_bed import Clock
from stack.clients import SmtpClient, last_reply
from stack.ledger import Book
from stack.netns import run
from stack.postward import Program
from stack.proc import wait_until
from test_dkim import message, new_keys, signatures, tags_of, verdicts

LONG = bool(os.environ.get("PW_LONG"))
PATIENCE = """milter_connect_timeout = 3s
milter_command_timeout = 3s
milter_content_timeout = 5s
"""


class FaultBed(DkimBed):
    """Postfix waits seconds for its milter, not minutes. The program's clock can be set."""

    def main(self):
        return super().main() + PATIENCE

    def _start(self):
        self.clock = Clock()
        super()._start()
        self.program.stop()
        self.program.process._env |= self.clock.env
        self.program.start()

    def again(self):
        """Start the program that was killed; the socket of the one before is there still."""
        self.program.stop()
        for path in self.program.sockets:
            path.unlink(missing_ok=True)
        self.program.start()

    def client(self):
        return SmtpClient(self.ns, HOST, 587, source=HOST, login=("ann@example.test", "any"))

    def is_signed(self, message_id):
        copies = self.sink.find(message_id)
        return len(copies) == 1 and verdicts(copies[0][3], self.records) == [True, True]

    def signs(self):
        """Sends a message until it is taken, and sees that it left once and signed."""
        text, message_id = message()
        self.until_taken(text)
        self.left(message_id)
        return self.is_signed(message_id)

    def until_taken(self, text):
        wait_until(lambda: self.code_of(text) == 250, what="a message to be taken")

    def code_of(self, text):
        """What a message is answered; a milter that cannot be asked is told at AUTH already."""
        try:
            return self.submit(text, "ann@example.test").code
        except smtplib.SMTPResponseException as error:
            return error.smtp_code

    def limited(self, name, value):
        """A soft limit of the running program, set as its own user."""
        run("prlimit", "--pid", str(self.program.process.pid), f"--{name}={value}:",
            user=self.program.uid, group=self.program.uid, extra_groups=[])


@pytest.fixture(scope="module")
def bed():
    with FaultBed(snapshot_wait="1s") as running:
        running.records = new_keys(running)
        yield running
        shutil.rmtree(running.clock.folder)


@pytest.fixture
def mended(bed):
    """As before, whatever a test left behind."""
    yield bed
    bed.clock.set(0)
    with contextlib.suppress(ProcessLookupError):
        bed.program.process.kill(signal.SIGCONT)
    if not bed.program.is_running():
        bed.again()
    assert bed.signs()


class Load:
    """So many users who submit one message after the other; what is not taken is tried again."""

    def __init__(self, bed, users=4):
        self.bed, self.book, self.odd = bed, Book(), []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._live, daemon=True) for _ in range(users)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(120)

    def _once(self, text, message_id):
        try:
            with self.bed.client() as client:
                reply = last_reply(client.send("ann@example.test", ["dave@elsewhere.test"], text))
        except (OSError, EOFError) as error:  # smtplib's are OSErrors
            self.book.note(repr(error))
            return False
        if reply.code == 250:
            self.book.take(message_id.strip("<>"), "dave@elsewhere.test")
        elif reply.code >= 500:
            self.odd.append(reply)
        else:
            self.book.note(str(reply))
        return reply.code == 250

    def _live(self):
        while not self._stop.is_set():
            text, message_id = message(body="x" * 70 + "\r\n")
            while not self._once(text, message_id) and not self.odd:
                time.sleep(0.1)

    def check(self):
        """All that was taken left once, and signed."""
        assert self.odd == [] and self.book.taken
        for message_id in self.book.taken:
            self.bed.left(f"<{message_id}>")
        self.bed.postfix.flush()
        unsigned = [i for i in self.book.taken if not self.bed.is_signed(f"<{i}>")]
        assert unsigned == []


STAGES = ("connect", "mail", "rcpt", "data", "body", "dot")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_faults_1_and_3_the_program_dies_or_hangs_at_each_stage(mended, stage, how):
    """Postfix says 4xx; the same message passes once the program is there, and leaves once."""
    bed = mended
    text, message_id = message(body="x" * 70 + "\r\n" + "y" * 70 + "\r\n")
    number = signal.SIGKILL if how == "killed" else signal.SIGSTOP

    def steps():
        if stage == "connect":
            bed.program.process.kill(number)
        with bed.client() as client:
            def at(name):
                if stage == name:
                    bed.program.process.kill(number)
            at("mail")
            yield client.command("MAIL FROM:<ann@example.test>")
            at("rcpt")
            yield client.command("RCPT TO:<dave@elsewhere.test>")
            at("data")
            yield client.command("DATA")
            half = text.index(b"yyy")
            client.smtp.send(text[:half])
            time.sleep(0.2)
            at("body")
            client.smtp.send(text[half:])
            time.sleep(0.2)
            at("dot")
            code, reason = client.smtp.docmd(".")
            yield type(client.replies[0])(code, reason)

    try:
        replies = []
        for reply in steps():
            replies.append(reply)
            if reply.code >= 400:
                break
    except OSError:
        replies.append(None)
    assert replies[-1] is None or 400 <= replies[-1].code < 500, replies
    if how == "killed":
        bed.again()
    else:
        bed.program.process.kill(signal.SIGCONT)
    bed.until_taken(text)
    bed.left(message_id)
    assert bed.is_signed(message_id)


def refuse(bed, what):
    """PostgreSQL is there and says no; how to undo it."""
    if what == "wrong database":
        return "ALTER DATABASE mail RENAME TO gone", "ALTER DATABASE gone RENAME TO mail"
    if what == "no login":
        return "ALTER ROLE postward_dkim NOLOGIN", "ALTER ROLE postward_dkim LOGIN"
    return "ALTER ROLE postward_dkim CONNECTION LIMIT 0", "ALTER ROLE postward_dkim CONNECTION LIMIT -1"


def cut(bed):
    bed.pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postward_dkim'",
               database="postgres")


@pytest.mark.parametrize("what", ["wrong database", "no login", "too many connections"])
def test_fault_6_the_database_refuses(mended, what):
    """Signing goes on from what is in memory, the log says what PostgreSQL said, and all is back by itself."""
    bed = mended
    away, back = refuse(bed, what)
    before = len(bed.program.lines("database="))
    cut(bed)
    for _ in range(50):
        try:
            bed.pg.sql(away, database="postgres")
            break
        except psycopg2.Error:  # somebody is connected again already
            cut(bed)
    try:
        cut(bed)
        wait_until(lambda: len(bed.program.lines("database=")) > before, what="a line about the database")
        assert bed.signs()
    finally:
        bed.pg.sql(back, database="postgres")
    loads = len(bed.program.lines("database=snapshot_loaded"))
    wait_until(lambda: bed.pg.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'postward_dkim'"), 60,
               "a session again")
    bed.pg.sql("UPDATE mail.settings SET value = value WHERE name = 'mx_hosts'")
    wait_until(lambda: len(bed.program.lines("database=snapshot_loaded")) > loads, 60, "the snapshot")


def test_faults_7_and_8_the_database_dies_or_hangs(mended):
    """Signing does not wait for it; a change in SQL is there once it is back."""
    bed = mended
    with Load(bed, 2) as load:
        for number in (signal.SIGKILL, signal.SIGSTOP):
            pid = wait_until(lambda: session_of(bed), what="a session")
            if number == signal.SIGKILL:  # PostgreSQL ends all its sessions then
                os.kill(pid, number)
            else:
                with stopped(pid):
                    assert bed.signs()
            assert bed.signs()
    load.check()
    loads = len(bed.program.lines("database=snapshot_loaded"))
    wait_until(lambda: changed(bed) and len(bed.program.lines("database=snapshot_loaded")) > loads, 60, "the snapshot")


def session_of(bed):
    """The program's process in PostgreSQL; None where there is none."""
    with contextlib.suppress(psycopg2.OperationalError):
        return bed.pg.value("SELECT min(pid) FROM pg_stat_activity WHERE usename = 'postward_dkim'")


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def changed(bed):
    """One more change in SQL, if PostgreSQL is there."""
    with contextlib.suppress(psycopg2.OperationalError):
        bed.pg.sql("UPDATE mail.settings SET value = value WHERE name = 'mx_hosts'")
        return True
    return False


def test_fault_14_the_disk_is_full(mended):
    """What the database says is taken over though no copy of it can be written; that is said, and the copy
    is written once there is room."""
    bed = mended
    bed.program.stop()
    with small_disk(bed.program.state):
        bed.program.start()
        assert bed.signs()
        filler = bed.program.state / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        extra = new_keys(bed, "example.test", "--algorithm", "ed25519", "--selector", "crowded")
        assert extra
        wait_until(lambda: bed.program.lines("database=copy_failed", "No space left"), what="a line about the disk")
        text, message_id = message()
        assert bed.submit(text, "ann@example.test").code == 250
        assert verdicts(bed.left(message_id), bed.records | extra) == [True] * 3
        filler.unlink()
        bed.pg.sql("DELETE FROM mail.dkim_keys WHERE selector = 'crowded'")
        wait_until(lambda: changed(bed) and bed.program.lines("database=snapshot_loaded") and bed.signs(),
                   what="the key to be gone")
        bed.program.stop()
        assert [f for f in bed.program.state.glob("snapshot*") if f.stat().st_size]
    bed.program.start()


@contextlib.contextmanager
def small_disk(folder):
    """This folder is a disk of its own; nothing uses it when it comes and goes."""
    kept = folder.with_name(f"{folder.name}.kept")
    folder.rename(kept)
    folder.mkdir()
    shutil.copystat(kept, folder)
    run("mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", folder)
    try:
        run("cp", "-a", f"{kept}/.", folder)
        owner = kept.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        yield
    finally:
        run("umount", "-l", folder)
        folder.rmdir()
        kept.rename(folder)


def test_fault_18_dns_is_away(mended):
    """No name server answers in this bed at all: who signs needs none."""
    assert all(mended.signs() for _ in range(5))


@pytest.mark.parametrize("ahead_s", [3600, -3600, 365 * 86400, -365 * 86400, 12 * 365 * 86400 + 86400 * 60])
def test_fault_19_the_clock_jumps(mended, ahead_s):
    """t= is what the clock says, beyond 2038 too; nothing else depends on it."""
    bed = mended
    bed.clock.set(ahead_s)
    text, message_id = message()
    assert bed.submit(text, "ann@example.test").code == 250
    made = [int(tags_of(value)["t"]) for value in signatures(bed.left(message_id))]
    assert len(made) == 2 and all(abs(t - time.time() - ahead_s) < 600 for t in made)
    bed.clock.set(0)
    assert bed.signs()


def begin(bed, stack):
    """One more session that stays; what its MAIL is answered, or its login."""
    try:
        return stack.enter_context(bed.client()).command("MAIL FROM:<ann@example.test>").code
    except smtplib.SMTPResponseException as error:
        return error.smtp_code


def test_fault_20_no_descriptor_is_left(mended):
    """Who comes too many is told to come again; the program lives, and takes them when there is room."""
    bed = mended
    count = len(os.listdir(f"/proc/{bed.program.process.pid}/fd"))
    bed.limited("nofile", count + 3)
    codes = []
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            codes.append(begin(bed, stack))
    assert set(codes) <= {250, 451, 454} and 250 in codes and {451, 454} & set(codes), codes
    bed.limited("nofile", 1024)
    assert bed.signs()


def test_fault_20_no_memory_is_left(mended):
    """Where an answer takes more memory than there is, the message waits; the program lives, or is started
    again by who watches over it."""
    bed = mended
    with open(f"/proc/{bed.program.process.pid}/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    bed.limited("as", size)
    text, message_id = message(body=("z" * 70 + "\r\n") * 3000)
    with contextlib.ExitStack() as stack:  # each session is a thread with a stack of its own
        codes = [begin(bed, stack) for _ in range(6)] + [bed.code_of(text)]
    assert set(codes) <= {250, 451, 454} and {451, 454} & set(codes), codes
    if bed.program.is_running():
        bed.limited("as", "unlimited")
    else:
        bed.again()
    bed.until_taken(text)
    bed.left(message_id)
    assert all(verdicts(copy[3], bed.records) == [True, True] for copy in bed.sink.find(message_id))


def test_fault_22_reloads_under_load(mended):
    """Ten a second: no session fails, and every message is signed."""
    bed = mended
    with Load(bed) as load:
        for _ in range(600 if LONG else 60):
            bed.program.process.kill(signal.SIGHUP)
            time.sleep(0.1)
    assert load.book.refused == []
    load.check()


def test_faults_21_and_23_killed_and_restarted_under_load(mended):
    """In order and hard, by turns: nothing is lost, nothing doubled, nothing leaves unsigned."""
    bed = mended
    with Load(bed) as load:
        for number in (signal.SIGTERM, signal.SIGKILL) * (5 if LONG else 2):
            time.sleep(1)
            bed.program.stop(number)
            bed.again()
    load.check()


def no_folder(folder):
    return folder / "missing/dkim.sock"


def no_socket(folder):
    path = folder / "plain"
    path.write_text("a file of somebody's")
    return path


def too_long(folder):
    return folder / ("x" * 120)


def a_folder(folder):
    path = folder / "folder.sock"
    path.mkdir()
    return path


@pytest.mark.parametrize("make", [no_folder, no_socket, too_long, a_folder], ids=lambda f: f.__name__)
def test_fault_25_a_socket_that_cannot_be(bed, tmp_path, make):
    """The program ends at once, with a line that names the path; what lies there stays."""
    tmp_path.chmod(0o777)
    for parent in itertools.takewhile(lambda p: p != p.parent, tmp_path.parents):
        parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    path = make(tmp_path)
    before = path.read_text() if path.is_file() else None
    program = Program("postward-dkim", tmp_path, bed.ns, {"socket": f"unix:{path}"}, [tmp_path / "never"], bed.pg)
    with pytest.raises(RuntimeError) as error:
        program.start()
    assert str(path)[:100] in str(error.value), error.value
    assert before is None or path.read_text() == before


def test_fault_25_one_beside_the_other(bed, tmp_path):
    """A second instance at the same socket ends and leaves it to the first."""
    tmp_path.chmod(0o777)
    program = Program("postward-dkim", tmp_path, bed.ns, {"socket": bed.program.settings["socket"]},
                      [tmp_path / "never"], bed.pg)
    with pytest.raises(RuntimeError):
        program.start()
    assert bed.signs()

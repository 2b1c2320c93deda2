"""Faults around postward-score, by the numbers of the reliability list: the database away, refusing, frozen, read-only
(5 to 9), DNS in five kinds of bad (18), descriptors and disk at an end (20), kill -9 and reloads and restarts under
load (21 to 23). A ledger holds every message: what was taken is there once, and what DMARC refuses never is."""
import contextlib
import itertools
import os
import re
import signal
import smtplib
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from score_bed import HOST, NAMESERVER, SENDER, ScoreBed
from stack.clients import SmtpClient, message
from stack.ledger import Book
from stack.netns import run
from stack.proc import wait_until

BAD_DNS = "198.51.100.54"
THREADS = 4
HARD_S = 20  # no message takes longer, whatever the database does


class FaultsBed(ScoreBed):
    def _start(self):
        super()._start()
        self.ns.address("lo", f"{BAD_DNS}/32")
        self.numbers = itertools.count()

    def one(self, sender="ann@sender.test"):
        """A message of its own: its reply, its id, the seconds it took. From bank.test it is a forgery that DMARC
        refuses."""
        one = f"fault{next(self.numbers)}@{sender.split('@')[1]}"
        begin = time.monotonic()
        reply = self.send(message(sender, "ann@example.test", message_id=one, subject="Lunch", body="At noon?\r\n"), sender)
        return reply, one, time.monotonic() - begin

    def judges(self):
        """Both are answered as they should be, in time: honest mail passes, a forgery does not."""
        reply, one, seconds = self.one()
        assert reply.code == 250 and seconds < HARD_S, (reply, seconds)
        forged, other, seconds = self.one("ceo@bank.test")
        assert forged.code == 550 and seconds < HARD_S, (forged, seconds)
        assert "Authentication-Results" in self.left(one) and not self.sink.find(other)
        return one

    def start(self, **settings):
        """Until it listens: the socket is there a moment before."""
        before = len(self.score.lines("event=started"))
        self.score.start(**settings)
        wait_until(lambda: len(self.score.lines("event=started")) > before, what="postward-score to listen")

    def restart(self, **settings):
        self.score.stop()
        self.start(**settings)

    def kill(self):
        """Without a word; the socket it leaves would look like the next one's."""
        self.score.stop(signal.SIGKILL)
        for path in self.score.sockets:
            path.unlink(missing_ok=True)

    def backends(self):
        """All processes of PostgreSQL: each has a session of its own."""
        parent = self.pg.process.pid
        found = [parent]
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                    found.append(int(stat.parent.name))
        return found

    @contextlib.contextmanager
    def frozen_database(self):
        stopped = self.backends()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)


def once(bed, sender, text):
    """The code that decided about a message; 0: nobody there, or it closed, and nothing was promised."""
    try:
        with SmtpClient(bed.ns, HOST, 25, source=SENDER) as client:
            result = client.send(sender, ["ann@example.test"], text)
            return [r for r in (result["mail"], *result["rcpt"], result["data"]) if r is not None][-1].code
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except (OSError, smtplib.SMTPException):
        return 0


class Load(contextlib.ExitStack):
    """Clients that send all the time, each second message a forgery; each tries again until it has an answer for good."""

    def __init__(self, bed):
        super().__init__()
        self.bed, self.book, self.codes, self.forged = bed, Book(), [], []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]
        self._names = itertools.count()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def _run(self, number):
        while not self._end.is_set():
            sender = ("ann@sender.test", "ceo@bank.test")[(number + len(self.codes)) % 2]
            one = f"load{id(self)}.{number}.{next(self._names)}@{sender.split('@')[1]}"
            self._until_answered(sender, one)

    def _until_answered(self, sender, one):
        text = message(sender, "ann@example.test", message_id=one, subject="Lunch", body="At noon?\r\n")
        end = time.monotonic() + 90
        while time.monotonic() < end:
            code = once(self.bed, sender, text)
            self.codes.append(code)
            if sender == "ceo@bank.test" and code in (250, 550):
                self.forged.append((one, code))
                return
            if code == 250:
                self.book.take(one, "ann@example.test")
                return
            time.sleep(0.1)
        self.book.note(f"{one}: no answer in 90 s")

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def check(self, least):
        """What was taken is there once; of the forgeries there is none."""
        assert len(self.book.taken) >= least and len(self.forged) >= least, (len(self.book.taken), len(self.forged))
        assert not self.book.refused
        wait_until(lambda: not self.book.lost_and_doubled([m[3] for m in list(self.bed.sink.messages)])[0],
                   what="all that was taken")
        assert self.book.lost_and_doubled([m[3] for m in list(self.bed.sink.messages)]) == ([], [])
        assert {code for _, code in self.forged} == {550}
        everything = b"".join(m[3] for m in list(self.bed.sink.messages))
        assert not [one for one, _ in self.forged if one.encode() in everything]


@pytest.fixture(scope="module")
def bed():
    with FaultsBed(bayes_deadline="1s", dns_deadline="2s") as running:
        yield running


# the database

@pytest.mark.parametrize("has_snapshot", [True, False])
def test_5_database_away_at_the_start(bed, has_snapshot):
    bed.judges()
    bed.score.stop()
    if not has_snapshot:
        for file in bed.score.state.iterdir():
            file.unlink()
    bed.pg.stop()
    try:
        bed.start(snapshot_wait="1s")
        one = bed.judges()
    finally:
        bed.pg.start()
    assert bed.row(one)["action"] == "none"  # written when it is back
    assert bed.score.is_running()


@pytest.mark.parametrize("kind, word", [("too many connections", "connection"), ("no such database", "does not exist"),
                                        ("no such role", "does not exist")])
def test_6_database_refuses(bed, kind, word):
    """Each has a line with PostgreSQL's own words; mail goes on, with the snapshot that is stored."""
    plain = bed.score.settings["database"]
    before = len(bed.score.lines("database=", word))
    if kind == "too many connections":
        bed.pg.sql("ALTER ROLE postward_score CONNECTION LIMIT 0")
    database = {"no such database": plain.replace("dbname=mail", "dbname=nothing"),
                "no such role": plain.replace("user=postward_score", "user=nobody_at_all")}.get(kind, plain)
    try:
        bed.restart(database=database, snapshot_wait="1s")
        bed.judges()
        wait_until(lambda: len(bed.score.lines("database=", word)) > before, what=f"a line about {kind}")
    finally:
        bed.pg.sql("ALTER ROLE postward_score CONNECTION LIMIT -1")
        bed.restart(database=plain)
    bed.row(bed.judges())


def test_7_database_dies_under_load(bed):
    with Load(bed) as load:
        for _ in range(3):
            time.sleep(1)
            bed.pg.stop(signal.SIGQUIT)
            time.sleep(1)
            bed.pg.start()
        time.sleep(2)
    load.check(20)
    assert set(load.codes) == {250, 550}  # nobody outside has noticed
    bed.row(bed.judges())


def test_8_database_is_a_black_hole(bed):
    bed.judges()
    with bed.frozen_database():
        for _ in range(3):
            bed.judges()
        with Load(bed) as load:
            time.sleep(5)
    load.check(5)
    assert set(load.codes) == {250, 550}
    bed.row(bed.judges())


def test_9_database_is_read_only(bed):
    """As an old primary after a failover: mail goes on, and the history is written by the new one."""
    bed.pg.sql("ALTER DATABASE mail SET default_transaction_read_only = on", database="postgres")
    bed.pg.stop()
    bed.pg.start()
    try:
        bed.judges()
    finally:
        bed.pg.sql("ALTER DATABASE mail SET default_transaction_read_only = off", database="postgres")
        bed.pg.stop()
        bed.pg.start()
    assert bed.score.is_running()
    bed.row(bed.judges())


# DNS

class BadDns:
    """Answers every question in one bad way."""

    def __init__(self, ns, kind):
        self.kind = kind
        with ns.enter():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((BAD_DNS, 53))
        self.seen = 0
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            self.seen += 1
            flags = {"SERVFAIL": b"\x81\x82", "REFUSED": b"\x81\x85", "truncated": b"\x83\x80"}.get(self.kind)
            if flags:
                self._send(query[:2] + flags + query[4:6] + b"\0\0\0\0\0\0" + query[12:self._end(query)], client)
            elif self.kind == "nonsense":
                self._send(os.urandom(60), client)
                self._send(query[:2] + b"\x81\x80" + b"\xff" * 40, client)
            elif self.kind == "late":
                threading.Timer(5, self._send, (query[:2] + b"\x81\x83" + query[4:6] + b"\0" * 6
                                                + query[12:self._end(query)], client)).start()

    @staticmethod
    def _end(query):
        at = 12
        while query[at]:
            at += query[at] + 1
        return at + 5

    def _send(self, words, client):
        with contextlib.suppress(OSError):
            self.socket.sendto(words, client)

    def close(self):
        with contextlib.suppress(OSError):  # it was never connected, but who waits wakes up
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


@pytest.mark.parametrize("kind", ["silence", "SERVFAIL", "REFUSED", "truncated", "late", "nonsense"])
def test_18_dns(bed, kind):
    """Silence in the score: no result that would be held against anybody, nor one that vouches for him, and a bound."""
    server = BadDns(bed.ns, kind)
    bed.restart(dns_servers=BAD_DNS)
    try:
        reply, one, seconds = bed.one("ceo@bank.test")
        assert reply.code == 250 and seconds < 2 + 8, (reply, seconds)
        row = bed.row(one)
        assert (row["spf"], row["dmarc"]) == ("temperror", "temperror"), row
        names = {s["name"] for s in row["symbols"]}
        assert not names & {"SPF_FAIL", "SPF_PASS", "DMARC_FAIL_REJECT", "DMARC_PASS", "AUTH_NONE", "RDNS_NONE"}
        assert server.seen > 0
    finally:
        server.close()
        bed.restart(dns_servers=NAMESERVER)
    bed.judges()


def test_18_resolver_restarts_under_load(bed):
    with Load(bed) as load:
        for _ in range(2):
            time.sleep(1)
            bed.dns.stop()
            (bed.dns.root / "control").unlink(missing_ok=True)
            bed.dns.process.start()
            wait_until(lambda: (bed.dns.root / "control").exists(), what="DNS server")
    # a forgery that nobody could look up is taken: that is no loss, and said so in its row
    passed = [one for one, code in load.forged if code == 250]
    assert load.book.lost_and_doubled([m[3] for m in list(bed.sink.messages)])[1] == []
    assert all(bed.row(one)["dmarc"] == "temperror" for one in passed)
    bed.judges()


# what the machine has

def test_20_no_descriptor_is_free(bed):
    """Sessions are refused for now; the daemon lives, and works when there are some again."""
    def limit(files):
        run("setpriv", f"--reuid={bed.score.uid}", f"--regid={bed.score.uid}", "--clear-groups", "prlimit", "--pid", pid, f"--nofile={files}:")

    def letter(number):
        return message("ann@sender.test", "ann@example.test", message_id=f"fd{number}@sender.test", subject="Lunch")

    bed.judges()
    pid = bed.score.process.pid
    soft = re.search(r"Max open files +(\d+)", Path(f"/proc/{pid}/limits").read_text())[1]
    limit(3)  # what is open stays open
    try:
        codes = [once(bed, "ann@sender.test", letter(n)) for n in range(2)]
        assert all(400 <= code < 500 for code in codes), codes
        assert not bed.sink.find("<fd0@") and not bed.sink.find("<fd1@")
    finally:
        limit(soft)
    wait_until(lambda: once(bed, "ann@sender.test", letter(2)) == 250, what="mail again", step_s=1)
    assert bed.score.is_running() and bed.score.process.pid == pid
    bed.judges()


def test_20_no_room_for_the_snapshot(bed):
    """Its last good copy stays whole; mail goes on by the one in memory."""
    state, kept = bed.score.state, bed.score.state.with_name("kept")
    weight = bed.pg.value("SELECT weight FROM mail.score_symbols WHERE name = 'SPF_PASS'")
    bed.score.stop()
    subprocess.run(["cp", "-a", state, kept], check=True)
    run("mount", "-t", "tmpfs", "-o", f"size=2m,mode=700,uid={bed.score.uid},gid={bed.score.uid}", "none", state)
    try:
        run("cp", "-a", f"{kept}/.", state)
        bed.start()
        with open(state / "full", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        assert os.statvfs(state).f_bavail == 0
        bed.pg.sql("UPDATE mail.score_symbols SET weight = 1.25 WHERE name = 'SPF_PASS'")

        def weighs():
            return {s["name"]: float(s["score"]) for s in bed.row(bed.judges())["symbols"]}.get("SPF_PASS")

        wait_until(lambda: weighs() == 1.25, what="the new weight", step_s=1)  # though it cannot be stored
        bed.kill()
        bed.pg.stop()
        try:
            bed.start(snapshot_wait="1s")  # from the older copy, which is whole
            bed.judges()
        finally:
            bed.pg.start()
    finally:
        bed.score.stop()
        run("umount", "-l", state)
        bed.pg.sql("UPDATE mail.score_symbols SET weight = %s WHERE name = 'SPF_PASS'", weight)
        subprocess.run(["rm", "-rf", kept], check=True)
        bed.start()
    bed.judges()


# its own end

def test_21_killed_under_load(bed):
    with Load(bed) as load:
        for _ in range(4):
            time.sleep(1)
            bed.kill()
            bed.start()
        time.sleep(2)
    load.check(10)
    assert set(load.codes) <= {250, 550, 451, 421, 0}, set(load.codes)


def test_22_reloads_under_load(bed):
    pid = bed.score.process.pid
    with Load(bed) as load:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            bed.score.process.kill(signal.SIGHUP)
            time.sleep(0.1)
    load.check(20)
    assert set(load.codes) == {250, 550} and bed.score.process.pid == pid and bed.score.is_running()


def test_23_restarts_under_load(bed):
    ends = []
    with Load(bed) as load:
        for _ in range(4):
            time.sleep(1)
            begin = time.monotonic()
            ends.append((bed.score.stop(), time.monotonic() - begin))
            bed.start()
        time.sleep(2)
    load.check(10)
    assert all(status == 0 and seconds < 10 for status, seconds in ends), ends
    assert set(load.codes) <= {250, 550, 451, 0}, set(load.codes)  # without systemd's socket somebody meets the gap

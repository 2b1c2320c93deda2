"""Bayes: taught by postwardctl, by the learn socket and by itself; heard about live mail; silent
when the database is away."""
import imaplib
import os
import random
import re
import socket
import subprocess
import time

import pytest
from dovecot_bed import Dovecot, MAIL_UID, place, remove
from exposition import read
from score_bed import THIEF, ScoreBed
from stack.clients import message
from stack.postward import PROGRAMS, build
from stack.proc import wait_until
from test_learn import CONFIG, move, put

WORDS = {
    "spam": "lottery winner claim prize transfer million confidential beneficiary urgent pills cheap "
            "casino herbal luxury watches refinance mortgage approved discount pharmacy".split(),
    "ham": "meeting minutes agreed thursday project release review schedule thanks attached budget "
           "colleague invoice chapter library train weather garden concert holiday".split(),
}
COMMON = "the and for with you our this that from will have about your which".split()
EACH = 250


def words(kind, seed, count=60):
    choose = random.Random(f"{kind} {seed}")
    return " ".join(choose.choice(WORDS[kind] + COMMON) for _ in range(count))


def letter(kind, seed, sender="ann@sender.test", **options):
    return message(sender, "ann@example.test", subject=words(kind, f"subject {seed}", 4).title(),
                   body=words(kind, seed) + "\r\n", **options)


class BayesBed(ScoreBed):
    def _start(self):
        super()._start()
        self.pg.sql("SELECT mail.add_user(u || '@example.test', 'sixteen letters.')"
                    " FROM unnest('{ann,bob}'::text[]) AS u")
        folder = self.root / "learn"
        folder.mkdir()
        os.chown(folder, PROGRAMS["postward-score"][0], MAIL_UID)
        folder.chmod(0o2770)
        self.root.chmod(0o755)
        self.learn_socket = folder / "learn.sock"
        self.score.stop()
        self.score.sockets.append(self.learn_socket)
        self.score.start(learn_socket=self.learn_socket)

    def learn(self, verdict, *args, **options):
        place_of_it = [] if "--socket" in args else ["--database", self.pg.conninfo()]
        return subprocess.run([build() / "bin/postwardctl", "learn", verdict, *place_of_it,
                               *map(str, args)], capture_output=True, check=False, **options)

    def requests(self, **where):
        rows = self.pg.sql("SELECT login, verdict, origin, outcome, message_id FROM mail.learn_requests"
                           " ORDER BY id")
        names = "login", "verdict", "origin", "outcome", "message_id"
        found = [dict(zip(names, row)) for row in rows]
        return [row for row in found if all(row[k] == v for k, v in where.items())]

    def symbols(self, text, message_id):
        assert self.send(text).code == 250
        return {s["name"]: s for s in self.row(message_id)["symbols"]}


@pytest.fixture(scope="module")
def bed():
    with BayesBed() as running:
        yield running


@pytest.fixture(scope="module")
def trained(bed):
    folder = bed.root / "lessons"
    folder.mkdir()
    for kind in WORDS:
        paths = [folder / f"{kind}{n}.eml" for n in range(EACH)]
        for n, path in enumerate(paths):
            path.write_bytes(letter(kind, n, sender=f"{kind}{n}@sender.test").encode())
        done = bed.learn(kind, *paths)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode().splitlines() == [f"{path}: learned" for path in paths]
    return bed


def marker(name):
    return f"{name}-{time.time():.6f}@sender.test"


def test_it_is_heard_once_enough_was_learned(trained):
    assert trained.pg.sql("SELECT who, spam, ham, speaks FROM mail.bayes_status WHERE who = '*'") == \
        [("*", EACH, EACH, True)]
    one, two = marker("spam"), marker("ham")
    symbols = trained.symbols(letter("spam", "new", message_id=one), one)
    assert symbols["BAYES_SPAM"]["score"] > 4
    assert re.fullmatch(r"p=(0\.9|1\.)\d+, \d+ tokens, base shared", symbols["BAYES_SPAM"]["evidence"])
    assert "BAYES_SPAM=" in trained.left(one)
    symbols = trained.symbols(letter("ham", "new", message_id=two), two)
    assert symbols["BAYES_HAM"]["score"] < -2 and "BAYES_SPAM" not in symbols


def test_a_lesson_has_its_outcome(trained, tmp_path):
    path = tmp_path / "one.eml"
    path.write_bytes(letter("spam", "outcome").encode())
    user = "--user", "ann@example.test"
    for verdict, said in (("spam", "learned"), ("spam", "already"), ("ham", "relearned"),
                          ("ham", "already")):
        done = trained.learn(verdict, *user, path)
        assert (done.returncode, done.stdout.decode()) == (0, f"{path}: {said}\n"), done.stderr
    assert trained.pg.sql("SELECT spam, ham FROM mail.bayes_status WHERE who = 'ann@example.test'") == [(0, 1)]
    done = trained.learn("spam", "--user", "nobody@example.test", "--json", path)
    assert done.returncode == 1
    assert b'"outcome": "refused"' in done.stdout.replace(b'":"', b'": "')
    done = trained.learn("ham", input=path.read_bytes())  # standard input, for all
    assert done.stdout == b"standard input: already\n" and done.returncode == 0
    assert trained.learn("eggs", path).returncode == 2
    assert trained.learn("spam", "--socket", trained.learn_socket, path).returncode == 2


def test_own_lessons_correct_the_shared_base(trained, tmp_path):
    """Bob gets letters of a pharmacy that he asked for."""
    for n in range(EACH):
        (tmp_path / f"{n}.eml").write_bytes(letter("spam" if n % 2 else "ham", f"bob {n}").encode())
    trained.pg.sql("INSERT INTO mail.bayes_settings (domain, teach_shared) VALUES ('example.test', false)")
    try:
        every = [tmp_path / f"{n}.eml" for n in range(EACH)]
        user = "--user", "bob@example.test"
        assert trained.learn("ham", *user, *every[1::2]).returncode == 0
        assert trained.learn("spam", *user, *every[0::2]).returncode == 0
        for rcpts, symbol, base in ((["ann"], "BAYES_SPAM", "shared"), (["bob"], "BAYES_HAM", "shared and own"),
                                    (["ann", "bob"], "BAYES_SPAM", "shared")):
            one = marker("-".join(rcpts))
            text = letter("spam", f"to {rcpts}", message_id=one)
            assert trained.send(text, rcpts=[f"{r}@example.test" for r in rcpts]).code == 250
            said = [s for s in trained.row(one)["symbols"] if s["name"].startswith("BAYES")]
            assert [s["name"] for s in said] == [symbol] and said[0]["evidence"].endswith(f"base {base}")
    finally:
        trained.pg.sql("DELETE FROM mail.bayes_settings WHERE domain = 'example.test'")


def test_without_the_database_mail_passes_unheard(trained, tmp_path):
    path = tmp_path / "one.eml"
    path.write_bytes(letter("spam", "away").encode())
    trained.pg.stop()
    try:
        for n in range(3):
            one = marker(f"away{n}")
            assert trained.send(letter("spam", f"away {n}", message_id=one)).code == 250
            assert "BAYES" not in trained.left(one)
        assert len(trained.score.lines("event=bayes_silent")) == 1
        done = trained.learn("spam", path)
        assert done.returncode == 75 and b"postwardctl" in done.stderr and not done.stdout
    finally:
        trained.pg.start()

    def speaks_again():
        one = marker("back")
        return "BAYES_SPAM" in trained.symbols(letter("spam", one, message_id=one), one)
    wait_until(speaks_again, 60, "Bayes")
    trained.score.process.kill(10)  # SIGUSR1: write the counters
    numbers = wait_until(lambda: (trained.score.state / "metrics.prom").exists() and next(
        (n for n in [read((trained.score.state / "metrics.prom").read_text())]
         if n['postward_score_bayes_answers_total{answer="away"}'] >= 3), None), what="counters")
    assert numbers['postward_score_bayes_answers_total{answer="spam"}'] >= 2


def test_a_database_that_answers_nothing_costs_the_deadline_once(trained):
    """Somebody holds the table; PostgreSQL takes questions and is silent."""
    holder = trained.pg.connect()
    holder.autocommit = False
    cursor = holder.cursor()
    cursor.execute("LOCK TABLE mail.bayes_scopes IN ACCESS EXCLUSIVE MODE")
    try:
        begin = time.monotonic()
        for n in range(4):
            one = marker(f"held{n}")
            assert trained.send(letter("spam", f"held {n}", message_id=one)).code == 250
        log = trained.score.lines("event=bayes_silent")
        assert len(log) == 2  # the test before this one had the first
        waits = [int(line.rsplit("ms=", 1)[1].split(",")[0])
                 for line in trained.score.lines("action=", "ms=")[-4:]]
        assert sorted(waits)[-1] >= 900 and sorted(waits)[-2] < 900, (waits, time.monotonic() - begin)
    finally:
        holder.rollback()
        holder.close()


def test_the_socket_of_scripts(trained):
    text = letter("spam", "script", message_id="script@sender.test").encode()
    done = trained.learn("spam", "--socket", trained.learn_socket, "--user", "ann@example.test",
                         input=text)
    assert (done.returncode, done.stdout) == (0, b"standard input: handed over\n"), done.stderr
    wait_until(lambda: trained.requests(message_id="<script@sender.test>"), 30, "the request")
    assert trained.requests(message_id="<script@sender.test>") == [
        {"login": "ann@example.test", "verdict": "spam", "origin": "move", "outcome": "learned",
         "message_id": "<script@sender.test>"}]
    done = trained.learn("spam", "--socket", trained.root / "nobody.sock", "--user", "ann@example.test",
                         input=text)
    assert done.returncode == 75 and b"nobody.sock" in done.stderr


@pytest.mark.parametrize("said", [b"hello\n", b"postward-learn\t1\nspam\t\t5\n12345", b"x" * 2000,
                                  b"postward-learn\t1\nspam\tann@example.test\t2000000\n"])
def test_who_does_not_speak_the_protocol_is_cut_off(trained, said):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(str(trained.learn_socket))
        peer.sendall(said)
        try:
            assert peer.recv(1) == b""
        except ConnectionResetError:
            pass  # with bytes it had not read


def test_more_clients_than_there_is_room_for(trained):
    idle = []
    try:
        for _ in range(100):  # of 64
            idle.append(socket.socket(socket.AF_UNIX))
            idle[-1].connect(str(trained.learn_socket))
            idle[-1].sendall(b"postward-learn\t1\n")
        text = letter("ham", "crowd", message_id="crowd@sender.test").encode()
        assert trained.learn("ham", "--socket", trained.learn_socket, "--user", "ann@example.test",
                             input=text).returncode == 0
        wait_until(lambda: trained.requests(message_id="<crowd@sender.test>"), 30, "the request")
    finally:
        for each in idle:
            each.close()


def test_moving_mail_teaches_and_moving_it_back_teaches_otherwise(trained):
    folder = place()
    dovecot = Dovecot(folder / "dovecot", CONFIG.replace("{storage}", "sdbox").replace(
        "{root}/../learn.sock", str(trained.learn_socket))).start()
    try:
        with imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=60) as imap:
            imap.login("ann@example.test", "secret-of-sixteen")
            put(imap, "INBOX", letter("spam", "moved", message_id="moved@sender.test").encode())
            for source, target, verdict, outcome in (("INBOX", "Spam", "spam", "learned"),
                                                     ("Spam", "INBOX", "ham", "relearned"),
                                                     ("INBOX", "Spam", "spam", "relearned")):
                before = len(trained.requests(message_id="<moved@sender.test>"))
                move(imap, source, target, "all")
                found = wait_until(lambda n=before: trained.requests(
                    message_id="<moved@sender.test>")[n:], 30, "the request")
                assert found == [{"login": "ann@example.test", "verdict": verdict, "origin": "move",
                                  "outcome": outcome, "message_id": "<moved@sender.test>"}]
            move(imap, "Spam", "Bin", "all")  # thrown away: nothing
            put(imap, "INBOX", letter("ham", "last", message_id="last@sender.test").encode())
            move(imap, "INBOX", "Spam", "all")
            wait_until(lambda: trained.requests(message_id="<last@sender.test>"), 30, "the last")
            assert len(trained.requests(message_id="<moved@sender.test>")) == 3
    finally:
        dovecot.stop()
        remove(folder)


def test_it_learns_by_itself_where_that_is_on(trained):
    spammy = ("Dear friend,\r\nACT NOW! Click here: http://192.0.2.9/x%20y\r\nViagra and cialis, lowest "
              "price, order now! 100% free, risk free, money back! I am the barrister of the late Mr "
              "Smith, as next of kin you receive the sum of fifteen million dollars.\r\n")
    one = marker("auto")
    text = message("x@nothing.test", "ann@example.test", subject="ACT NOW!!! FREE VIAGRA", body=spammy,
                   message_id=one, extra="X-Priority: 1\r\nX-Mailer: Bulk\r\n")
    trained.pg.sql("UPDATE mail.score_actions SET dry_run = true WHERE action = 'reject'")
    trained.score.reload(autolearn="on")
    try:
        def learned():
            assert trained.send(text, "x@nothing.test", THIEF, "localhost").code in (250, 550)
            return trained.requests(message_id=f"<{one}>")
        found = wait_until(learned, 60, "the lesson")
        assert found[0] == {"login": "", "verdict": "spam", "origin": "auto", "outcome": "learned",
                            "message_id": f"<{one}>"}
    finally:
        trained.score.reload(autolearn="off")
        trained.pg.sql("UPDATE mail.score_actions SET dry_run = false WHERE action = 'reject'")

"""ClamAV: a virus is refused, honest mail passes; whatever goes wrong with clamd is silence, said once."""
import base64
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from exposition import read
from score_bed import HOST, SENDER, ScoreBed
from stack.clients import SmtpClient, message
from stack.postward import build
from stack.proc import Process, wait_until

CLAMD_UID = 61090
# clamd's own database: one string, as in EICAR's test file but harmless to other scanners
VIRUS = "POSTWARD-TEST-VIRUS-4711-NOT-A-REAL-ONE"
NAME = "Postward.Test.UNOFFICIAL"
STREAM_MAX = 4 << 20
CONF = """LogFile {root}/log
LogTime yes
DatabaseDirectory {root}/db
TemporaryDirectory {root}/tmp
LocalSocket {root}/clamd.ctl
LocalSocketMode 666
TCPSocket 3310
TCPAddr {host}
StreamMaxLength {max}
Foreground yes
ScanMail yes
"""


class Clamd:
    """Debian's clamd with that database alone."""

    def __init__(self, root, ns):
        self.socket = root / "clamd.ctl"
        for folder in (root, root / "db", root / "tmp"):
            folder.mkdir()
            os.chown(folder, CLAMD_UID, CLAMD_UID)
        (root / "db/own.ndb").write_text(f"Postward.Test:0:*:{VIRUS.encode().hex()}\n")
        (root / "clamd.conf").write_text(CONF.format(root=root, host=HOST, max=STREAM_MAX))
        self.process = Process("clamd", ["/usr/sbin/clamd", "-c", root / "clamd.conf"], root / "out", ns, uid=CLAMD_UID)

    def start(self):
        self.process.start()
        wait_until(lambda: self.socket.exists() or not self.process.is_running(), what="clamd")
        assert self.process.is_running(), self.process.log_text()
        return self

    def stop(self):
        self.process.stop()
        self.socket.unlink(missing_ok=True)


class Fake:
    """Somebody else at a unix socket: takes the stream until its end or for some bytes, then says words."""

    def __init__(self, path, words, take=None):
        self.words, self.take = words, take
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o666)
        self.listener.listen()
        self.got = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            with client:
                got = b""
                while (len(got) < self.take if self.take else not got.endswith(b"\0\0\0\0")):
                    more = client.recv(1 << 16)
                    if not more:
                        break
                    got += more
                self.got.append(got)
                client.sendall(self.words)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def chunks(stream):
    """The content of a stream of INSTREAM, each length checked."""
    assert stream.startswith(b"zINSTREAM\0")
    at, parts = 10, []
    while True:
        length = int.from_bytes(stream[at:at + 4], "big")
        at += 4
        if length == 0:
            assert at == len(stream)
            return b"".join(parts)
        parts.append(stream[at:at + length])
        at += length


class VirusBed(ScoreBed):
    def _start(self):
        super()._start()
        self.root.chmod(0o755)
        self.clamd = Clamd(self.root / "clamd", self.ns).start()
        self.use(f"unix:{self.clamd.socket}")

    def use(self, where, **settings):
        """What clamd is, from now on; with a daemon that has said nothing yet."""
        self.score.stop()
        before = len(self.score.lines("event=started"))
        self.score.start(clamav_socket=where, **{"clamav_deadline": "10s", "clamav_size_max": "25M", **settings})
        wait_until(lambda: len(self.score.lines("event=started")) > before, what="postward-score to listen")

    def numbers(self):
        file = self.score.state / "metrics.prom"
        before = file.stat().st_mtime_ns if file.exists() else 0
        self.score.process.kill(signal.SIGUSR1)
        wait_until(lambda: file.exists() and file.stat().st_mtime_ns > before, what="numbers")
        found = read(file.read_text())
        return {a: found[f'postward_score_virus_answers_total{{answer="{a}"}}'] for a in ("found", "clean", "away")}

    def try_one(self, one, body="Hello\r\n", **options):
        """Its reply, the seconds it took, and the lines that say clamd is silent."""
        begin = time.monotonic()
        reply = self.send(message("ann@sender.test", "ann@example.test", message_id=one, subject="Lunch", body=body),
                          **options)
        return reply, time.monotonic() - begin, self.score.lines("event=virus_silent")


@pytest.fixture(scope="module")
def bed():
    with VirusBed() as running:
        yield running


@pytest.fixture
def clamd(bed):
    """The real one; it and the daemon are as they were afterwards."""
    yield bed.clamd
    bed.use(f"unix:{bed.clamd.socket}")


def silent_count(bed):
    return len(bed.score.lines("event=virus_silent"))


def test_virus_is_refused_and_named(bed):
    reply, _, _ = bed.try_one("virus1", body=f"Hello\r\n{VIRUS}\r\n")
    assert reply.code == 550 and "carries a virus" in reply.text
    row = bed.row("virus1")
    symbols = {s["name"]: s for s in row["symbols"]}
    assert row["action"] == "reject" and symbols["CLAM_VIRUS"]["evidence"] == NAME
    assert not bed.sink.find("virus1")


def test_virus_in_an_attachment_and_in_a_header(bed):
    """clamd takes the message apart itself: base64 is no hiding place, and the header is passed on too."""
    encoded = base64.b64encode(f"x{VIRUS}x".encode()).decode()
    parts = ("--b\r\nContent-Type: text/plain\r\n\r\nSee below\r\n--b\r\nContent-Type: application/octet-stream\r\n"
             f"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n{encoded}\r\n"
             "--b--\r\n")
    text = ("From: ann@sender.test\r\nTo: ann@example.test\r\nSubject: a\r\nMessage-ID: <virus2>\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}")
    assert bed.send(text).code == 550
    text = (f"From: ann@sender.test\r\nTo: ann@example.test\r\nSubject: {VIRUS}\r\nMessage-ID: <virus3>\r\n\r\nHello\r\n")
    assert bed.send(text).code == 550


def test_clean_passes(bed):
    before = bed.numbers()
    reply, _, _ = bed.try_one("clean1")
    assert reply.code == 250 and "CLAM_VIRUS" not in bed.left("clean1")
    assert bed.numbers() == {**before, "clean": before["clean"] + 1}


def test_several_messages_of_one_connection(bed):
    """One that is given up in the middle of nothing leaves nothing behind for the next."""
    def letter(one, body):
        return message("ann@sender.test", "ann@example.test", message_id=one, subject="Lunch", body=body)

    with SmtpClient(bed.ns, HOST, 25, source=SENDER) as client:
        codes = [client.send("ann@sender.test", ["ann@example.test"], letter(f"many{n}", body))["data"].code
                 for n, body in enumerate((f"{VIRUS}\r\n", "Hello\r\n", f"{VIRUS}\r\n", "Hello\r\n"))]
        client.command("MAIL FROM:<ann@sender.test>")
        client.command("RSET")
        codes.append(client.send("ann@sender.test", ["ann@example.test"], letter("many5", "Hello\r\n"))["data"].code)
    assert codes == [550, 250, 550, 250, 250]


def test_over_tcp(bed, clamd):
    bed.use(f"inet:{HOST}:3310")
    assert bed.try_one("tcp1", body=f"{VIRUS}\r\n")[0].code == 550
    assert bed.try_one("tcp2")[0].code == 250


def test_big_messages(bed, clamd):
    """Beyond what the daemon keeps of a message it is passed on all the same; beyond clamav_size_max not; what
    clamd calls too large is silence."""
    line = "0123456789 " * 6 + "\r\n"
    bed.use(f"unix:{clamd.socket}", clamav_size_max="3M")
    assert bed.try_one("big1", body=line * 30000 + VIRUS + "\r\n")[0].code == 550  # 2 MB ahead of it
    assert bed.try_one("big2", body=line * 60000 + VIRUS + "\r\n")[0].code == 250  # 4 MB
    assert bed.numbers() == {"found": 1, "clean": 1, "away": 0}
    bed.use(f"unix:{clamd.socket}")
    before = silent_count(bed)
    assert bed.try_one("big3", body=line * 90000)[0].code == 250  # clamd stops after its StreamMaxLength
    assert silent_count(bed) == before + 1
    assert "size limit" in bed.score.lines("event=virus_silent")[-1]
    assert bed.numbers()["away"] == 1


def test_clamd_away_is_silence_said_once(bed, clamd):
    clamd.stop()
    bed.use(f"unix:{clamd.socket}")
    before = silent_count(bed)
    try:
        for n in range(3):
            reply, seconds, _ = bed.try_one(f"away{n}", body=f"{VIRUS}\r\n")
            assert reply.code == 250 and seconds < 8
        assert silent_count(bed) == before + 1
        assert bed.numbers() == {"found": 0, "clean": 0, "away": 3}
    finally:
        clamd.start()
    assert bed.try_one("back1", body=f"{VIRUS}\r\n")[0].code == 550  # at once: it is asked again
    clamd.stop()
    try:
        assert bed.try_one("away4")[0].code == 250
        assert silent_count(bed) == before + 2  # it had worked meanwhile
    finally:
        clamd.start()


def test_clamd_hanging_costs_its_deadline_once(bed, clamd):
    bed.use(f"unix:{clamd.socket}", clamav_deadline="1s")
    before = silent_count(bed)
    clamd.process.kill(signal.SIGSTOP)
    try:
        reply, seconds, _ = bed.try_one("hang1")
        assert reply.code == 250 and 1 <= seconds < 8
        begin = time.monotonic()
        codes = [bed.try_one(f"hang{n}")[0].code for n in range(2, 6)]
        assert codes == [250] * 4 and time.monotonic() - begin < 4  # nobody asks
        assert silent_count(bed) == before + 1
        assert bed.numbers() == {"found": 0, "clean": 0, "away": 5}
    finally:
        clamd.process.kill(signal.SIGCONT)
    wait_until(lambda: bed.try_one(f"hang{time.monotonic()}", body=f"{VIRUS}\r\n")[0].code == 550, what="asked again",
               step_s=1)


@pytest.mark.parametrize("label, words, take, why", [
    ("nonsense", b"220 mail.example.test ESMTP\0", None, "protocol"),
    ("nothing", b"", None, "protocol"),
    ("no end", b"stream: OK" * 1000, None, "protocol"),
    ("closes early", b"stream: Too busy ERROR\0", 10, "Too busy"),
    ("an error", b"stream: Can't create temporary file ERROR\0", None, "temporary file"),
])
def test_other_answers_are_silence(bed, clamd, label, words, take, why):
    path = bed.root / f"fake {label}".replace(" ", "-")
    fake = Fake(path, words, take)
    bed.use(f"unix:{path}")
    before = silent_count(bed)
    try:
        assert bed.try_one(f"fake-{label}".replace(" ", "-"), body="Hello\r\n" * 100)[0].code == 250
        assert silent_count(bed) == before + 1
        assert why in bed.score.lines("event=virus_silent")[-1]
    finally:
        fake.close()


def test_name_cannot_write_into_log_or_history(bed, clamd):
    path = bed.root / "evil"
    fake = Fake(path, b"stream: Evil\r\nX-Spam: No\", a=<b>" + b"x" * 300 + b" FOUND\0")
    bed.use(f"unix:{path}")
    try:
        assert bed.try_one("evil1")[0].code == 550
        evidence = {s["name"]: s["evidence"] for s in bed.row("evil1")["symbols"]}["CLAM_VIRUS"]
        assert evidence.startswith("Evil??X-Spam:?No??") and len(evidence) == 100
    finally:
        fake.close()


def test_clamd_gets_the_message_as_it_came(bed, clamd):
    path = bed.root / "listening"
    fake = Fake(path, b"stream: OK\0")
    bed.use(f"unix:{path}")
    body = "".join(f"line {n}\r\n" for n in range(20000))
    try:
        assert bed.try_one("listen1", body=body)[0].code == 250
        text = chunks(fake.got[0])
        assert text.endswith(b"\r\n\r\n" + body.encode())
        assert b"\r\nMessage-ID: <listen1>\r\n" in text and b"\r\nSubject: Lunch\r\n" in text
    finally:
        fake.close()


def test_socket_that_is_none(bed):
    done = subprocess.run([build() / "bin/postward-score", "-c", bed.score.conf, "-o", "clamav_socket=localhost:3310"],
                          capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode != 0 and "clamav_socket" in done.stderr + done.stdout


def test_off_by_default(bed, clamd):
    bed.use("")
    assert bed.try_one("off1", body=f"{VIRUS}\r\n")[0].code == 250
    assert bed.numbers() == {"found": 0, "clean": 0, "away": 0}

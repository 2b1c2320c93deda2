"""Messages are read in processes that can do nothing else: the jail holds, a crash costs one
message a deferral, the third time it passes without a score."""
import re
import resource
import subprocess
from pathlib import Path

import pytest

from score_bed import ScoreBed
from stack.postward import build
from stack.proc import wait_until

SOURCE = Path(__file__).resolve().parents[2]
CRASH = "please-crash-the-reader"


def workers(*lines, count=2, job_ms=20000):
    out = subprocess.run([build() / "tests/probe/probe_workers", str(count), str(job_ms)],
                         input="".join(f"{line}\n" for line in lines), check=True,
                         capture_output=True, text=True, timeout=120).stdout
    return out.splitlines()


def test_a_jailed_process_can_do_nothing_else():
    said, _ = workers("try")
    said = dict(word.split("=") for word in said.split())
    assert said.pop("memory") == "ok"
    assert set(said.values()) == {"EPERM"} and len(said) == 11, said


def test_tables_of_charsets_are_there_without_a_file():
    assert workers("charset")[0] == "漢"
    table = (SOURCE / "common/core/charset.def").read_text()
    assert workers("charsets")[0] == str(table.count("\nPW_CHARSET("))


def test_a_job_that_crashes_ends_its_worker_alone():
    first, crash, tear, again, last = workers("pid", "crash", "tear", "pid", count=1)
    assert crash == tear == "unexpected answer" or crash == tear
    assert first != again and last == "crashed 2"


def test_a_job_that_never_ends_is_ended():
    slow, said, last = workers("spin", "say", count=1, job_ms=300)
    assert said == "nothing" and last == "crashed 1" and slow != said


def test_what_is_learnt_is_known_to_who_comes_next():
    assert workers("say", "load one", "say", "load nonsense", "say", "load two", "race 20 say")[:-1] \
        == ["nothing", "loaded", "one", workers("load nonsense")[0], "one", "loaded"] + ["two"] * 20


def test_so_many_at_once_and_the_others_wait():
    pids = workers("race 50 pid", count=3)[:-1]
    assert len(pids) == 50 and 1 <= len(set(pids)) <= 3
    assert workers("race 30 crash", count=4)[-1] == "crashed 30"


@pytest.fixture(scope="module")
def bed():
    with ScoreBed(reader_crash_text=CRASH) as b:
        yield b


def message(n, body):
    return (f"From: Ann <ann@sender.test>\r\nTo: ann@example.test\r\nSubject: lunch {n}\r\n"
            f"Message-ID: <{n}@sender.test>\r\nDate: Sun, 29 Nov 2026 12:00:00 +0000\r\n\r\n{body}\r\n")


def readers(bed):
    """Processes below the daemon: the nursery, and its readers."""
    out = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], check=True, capture_output=True,
                         text=True).stdout
    parents = {int(a): int(b) for a, b in (line.split() for line in out.splitlines())}
    nursery = [p for p, parent in parents.items() if parent == bed.score.process.pid]
    return nursery, [p for p, parent in parents.items() if parent in nursery]


def test_readers_of_the_daemon_are_jailed(bed):
    assert bed.send(message("jail", "look at http://192.0.2.1/ for the menu")).code == 250
    nursery, pids = readers(bed)
    assert len(nursery) == 1 and pids
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"^Seccomp:\s+2$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M)
        open_files = list(Path(f"/proc/{pid}/fd").iterdir())
        assert len(open_files) == 1, open_files
    assert "HTTP_TO_IP" in str(bed.row("jail@sender.test")["symbols"])


def test_a_crash_defers_its_message_and_no_other(bed):
    """The same message passes the third time, without a score, and is reported."""
    text = message("crash", CRASH)
    assert bed.send(text).code == 451
    assert bed.send(message("other", "hello")).code == 250
    assert bed.send(text).code == 451
    assert bed.send(text).code == 250
    assert "X-Spam-Score" in bed.left("crash@sender.test")
    row = bed.row("crash@sender.test")
    assert row["action"] == "unread" and row["spf"] == "pass"
    assert [s for s in row["symbols"] if s["name"] == "UNREADABLE"]
    assert bed.row("other@sender.test")["action"] != "unread"
    log = bed.score.process.log_text()
    assert len(re.findall(r"event=reader_ended,.*times=[12]\b", log)) == 2, log
    assert "action=unread" in log


def test_a_reader_killed_from_outside_is_replaced(bed):
    assert bed.send(message("before", "hello")).code == 250
    for pid in readers(bed)[1]:
        subprocess.run(["kill", "-9", str(pid)], check=True)
    answers = [bed.send(message(f"after{n}", f"hello {n}")).code for n in range(4)]
    assert answers == [250] * 4  # it stood idle: no message is to blame


def test_where_no_reader_can_be_made_mail_waits(bed):
    """No process to be had: nothing is broken, and the daemon stays."""
    nursery, pids = readers(bed)
    owner = Path(f"/proc/{nursery[0]}").stat()

    def limit(count):
        subprocess.run(["prlimit", "--pid", str(nursery[0]), f"--nproc={count}:"], check=True,
                       user=owner.st_uid, group=owner.st_gid, extra_groups=[])

    limit(1)
    for pid in pids:
        subprocess.run(["kill", "-9", str(pid)], check=True)
    assert bed.send(message("full", "hello")).code // 100 == 4
    limit(resource.getrlimit(resource.RLIMIT_NPROC)[0])
    assert bed.send(message("room", "hello")).code == 250
    assert bed.score.is_running()


def test_without_a_nursery_the_daemon_ends_to_be_started_again(bed):
    """The service manager starts it again; no message passes unread meanwhile."""
    nursery, pids = readers(bed)
    subprocess.run(["kill", "-9", *map(str, nursery)], check=True)
    wait_until(lambda: not readers(bed)[1], what="readers that end with their nursery")
    assert bed.send(message("alone", "hello")).code // 100 == 4
    wait_until(lambda: not bed.score.is_running(), what="the end of the daemon")
    assert "event=readers_gone" in bed.score.process.log_text()
    bed.score.start()
    wait_until(lambda: (bed.send(message("again", "hello")) or [0])[0] == 250,
               what="a message after the restart")

"""A reply that is lost after the final dot: the client comes again, and its message lies in the mailbox
once; and no message but that one is ever taken for a retry."""
import os
import smtplib
import subprocess
import threading
import time
from pathlib import Path

import pytest
from doubt_bed import DoubtBed
from stack.clients import message
from stack.proc import wait_until

ANN, BOB = "ann@example.test", "bob@example.test"


@pytest.fixture(scope="module")
def bed():
    with DoubtBed() as running:
        yield running
        assert not running.store.crashes()


@pytest.fixture(autouse=True)
def whole(bed):
    bed.link.fault = None
    yield
    bed.link.fault = None
    assert bed.edge.queue() == []


def mail(marker, sender="ann@sender.test", body="Hello.\r\n", extra=""):
    """The same bytes whenever it is called, as a client sends them again."""
    text = message(sender, ANN, message_id=f"{marker}@sender.test", body=body, extra=extra)
    return "".join(line + "\r\n" if not line.startswith("Date:") else "Date: Mon, 30 Nov 2026 12:00:00 +0000\r\n"
                   for line in text.split("\r\n")[:-1])


def send(bed, text, sender="ann@sender.test", to=(ANN,)):
    with bed.outside() as client:
        return client.send(sender, list(to), text)["data"].code


def answers(bed):
    try:
        bed.outside().smtp.close()
    except (OSError, smtplib.SMTPException):
        return False
    return True


def doubted(bed, text, fault="swallow", **more):
    bed.link.fault = fault
    code = send(bed, text, **more)
    bed.link.fault = None
    assert code == 451
    bed.settle()


@pytest.mark.parametrize("size", [10, 100000])
@pytest.mark.parametrize("fault,stored", [("swallow", 1), ("cut", 0)])
def test_retry_is_answered_250_and_lies_there_once(bed, fault, stored, size):
    marker = f"once-{fault}-{size}"
    text = mail(marker, body=("x" * 68 + "\r\n") * (size // 70 + 1))
    doubted(bed, text, fault)
    assert bed.count(marker) == stored
    line = bed.origin.lines("cause=in_doubt")[-1]
    assert send(bed, text) == 250
    assert bed.count(marker) == 1
    assert line.split("transaction=")[1] == bed.origin.lines("action=relay")[-1].split("retry_of=")[1]
    # settled: what comes now is a message of its own
    assert send(bed, text) == 250
    assert bed.count(marker) == 2


def test_another_body_under_the_same_header_is_no_retry(bed):
    doubted(bed, mail("body", body="One.\r\n"))
    assert send(bed, mail("body", body="Two.\r\n")) == 250
    assert bed.count("body@") == 2
    assert "retry_of=" not in bed.origin.lines("action=relay")[-1]


def test_a_body_lost_behind_another_one_is_not_dropped(bed):
    """The first body lies in the mailbox; the second never arrived, and its retry must."""
    assert send(bed, mail("behind", body="One.\r\n")) == 250
    doubted(bed, mail("behind", body="Two.\r\n"), "cut")
    assert bed.count("behind@") == 1
    assert send(bed, mail("behind", body="Two.\r\n")) == 250
    assert bed.count("behind@") == 2


def test_another_sender_or_header_is_no_retry(bed):
    doubted(bed, mail("other"))
    assert send(bed, mail("other"), sender="bob@sender.test") == 250
    assert send(bed, mail("other", extra="X-More: yes\r\n")) == 250
    assert bed.count("other@") == 3


def test_the_same_message_twice_without_doubt_comes_twice(bed):
    for _ in range(2):
        assert send(bed, mail("twice")) == 250
    assert bed.count("twice@") == 2


def test_clients_cannot_play_the_edge(bed):
    forged = "Postward-Transaction: AAAAAAAAAAAAAAAA\r\npostward-retry: yes\r\nPostward-Client: v=1\r\n"
    for _ in range(2):
        assert send(bed, mail("forged", extra=forged)) == 250
    assert bed.count("forged@") == 2
    for file in bed.store.mails("ann", "forged@"):
        text = file.read_text().lower()
        assert text.count("postward-transaction:") == 1 and "aaaaaaaaaaaaaaaa" not in text
        assert "postward-retry" not in text and "postward-client" not in text


def test_retry_in_doubt_once_more(bed):
    for _ in range(3):
        doubted(bed, mail("thrice"))
    assert send(bed, mail("thrice")) == 250
    assert bed.count("thrice@") == 1


def test_recipients_that_come_again_one_by_one(bed):
    doubted(bed, mail("split"), to=(ANN, BOB))
    assert send(bed, mail("split"), to=(BOB,)) == 250
    assert send(bed, mail("split"), to=(ANN,)) == 250
    assert [bed.count("split@", user) for user in ("ann", "bob")] == [1, 1]
    assert send(bed, mail("split"), to=(ANN,)) == 250
    assert bed.count("split@") == 2


def test_killed_between_dot_and_reply(bed):
    """kill -9: the ledger was written before the dot went out."""
    def kill():
        wait_until(lambda: bed.store.mails("ann", "killed@") or bed.inner.lines("message-id=<killed@"))
        time.sleep(1)
        bed.kill_origin()
    text = mail("killed", sender="dawdle@sender.test", body=("x" * 70 + "\r\n") * 1000)
    killer = threading.Thread(target=kill)
    killer.start()
    code = send(bed, text, sender="dawdle@sender.test")
    killer.join()
    assert code == 451
    assert bed.origin.lines("event=ledger, in_doubt=")
    wait_until(lambda: bed.count("killed@") == 1, 30, "the inner server to deliver it")
    assert send(bed, text, sender="dawdle@sender.test") == 250
    assert "retry_of=" in bed.origin.lines("action=relay")[-1]
    assert bed.count("killed@") == 1


def test_postfix_of_the_edge_dies_while_the_inner_server_thinks(bed):
    """The inner server has it, and there is nobody who could tell the client."""
    text = mail("orphan", sender="dawdle@sender.test", body=("x" * 70 + "\r\n") * 1000)
    relayed, start = len(bed.origin.lines("action=relay")), bed.inner.log_size()

    def kill():
        wait_until(lambda: bed.inner.lines("message-id=<orphan@", start=start))
        time.sleep(1)
        bed.edge.stop()
    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises((OSError, smtplib.SMTPException)), bed.outside() as client:
        client.send("dawdle@sender.test", [ANN], text)
    killer.join()
    wait_until(lambda: len(bed.origin.lines("action=relay")) > relayed, 30, "the inner server's reply")
    for file in bed.edge.queue():
        assert not file.stat().st_mode & 0o100  # not whole: no message to Postfix
        file.unlink()
    bed.edge.start()
    wait_until(lambda: answers(bed), what="the edge's port 25")
    assert send(bed, text, sender="dawdle@sender.test") == 250
    assert "retry_of=" in bed.origin.lines("action=relay")[-1]
    assert bed.count("orphan@") == 1


def test_a_stop_and_a_start_forget_nothing(bed):
    doubted(bed, mail("restart"))
    bed.origin.stop()
    bed.origin.start()
    assert send(bed, mail("restart")) == 250
    assert bed.count("restart@") == 1


def test_a_broken_ledger_is_set_aside(bed):
    bed.origin.stop()
    ring = bed.origin.state / "in-doubt.ring"
    assert ring.stat().st_mode & 0o777 == 0o600
    ring.write_bytes(b"no ledger")
    bed.origin.start()
    assert bed.origin.lines("event=ledger", "set aside")
    doubted(bed, mail("aside"))
    assert send(bed, mail("aside")) == 250
    assert bed.count("aside@") == 1


def test_refusals_leave_no_doubt(bed):
    for _ in range(2):
        assert send(bed, mail("spam", sender="spam@sender.test"), sender="spam@sender.test") == 550
    assert "retry_of=" not in bed.origin.lines("action=refuse")[-1]
    assert send(bed, mail("spam")) == 250
    assert bed.count("spam@sender.test>") == 1


def test_disk_full_while_a_retry_is_kept_back(bed):
    """452 and nothing lost: with room again the retry comes through, once."""
    text = mail("full", body=("y" * 68 + "\r\n") * 30000)
    bed.origin.stop()
    state = bed.origin.state
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=3200k,mode=700,uid={bed.origin.uid}", "none", state],
                   check=True)
    try:
        bed.origin.start()
        doubted(bed, text)
        filler = state / "filler"
        with open(filler, "wb") as file:
            file.write(bytes(1500 * 1024))
        with bed.outside() as client:
            reply = client.send("ann@sender.test", [ANN], text)["data"]
        assert (reply.code, reply.text.split()[0]) == (452, "4.3.1")
        assert bed.origin.lines("cause=local", "stage=dot")
        filler.unlink()
        assert send(bed, text) == 250
        assert bed.count("full@") == 1
    finally:
        bed.origin.stop()
        subprocess.run(["umount", state], check=True)
        bed.origin.start()


def test_no_place_for_a_ledger(bed):
    """Mail flows all the same; kill -9 is then what it cannot outlive."""
    bed.origin.stop()
    (bed.origin.state / "in-doubt.ring").unlink()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=100k,mode=700,uid={bed.origin.uid}", "none",
                    bed.origin.state], check=True)
    try:
        bed.origin.start()
        assert bed.origin.lines("event=ledger", "kept in memory only")
        doubted(bed, mail("memory"))
        assert send(bed, mail("memory")) == 250
        assert bed.count("memory@") == 1
    finally:
        bed.origin.stop()
        subprocess.run(["umount", bed.origin.state], check=True)
        bed.origin.start()


CROWD = 30


def pss_kb(bed):
    text = Path(f"/proc/{bed.origin.process.pid}/smaps_rollup").read_text(encoding="ascii")
    return int(text.split("\nPss:")[1].split()[0])


@pytest.mark.skipif("san" in os.environ.get("PW_BUILD", ""), reason="a sanitizer takes more")
def test_what_is_kept_back_is_not_kept_in_memory(bed):
    """Retries of long messages all at once, the inner thinking about each."""
    texts = [mail(f"crowd{n}", sender="ponder@sender.test", body=("z" * 68 + "\r\n") * 2000) for n in range(CROWD)]
    in_parallel = lambda: [threading.Thread(target=lambda t=t: codes.append(send(bed, t, "ponder@sender.test")))
                           for t in texts]
    bed.link.fault, codes = "cut", []
    for thread in (threads := in_parallel()):
        thread.start()
    for thread in threads:
        thread.join()
    bed.link.fault = None
    assert codes == [451] * CROWD
    before, codes, start = pss_kb(bed), [], bed.inner.log_size()
    for thread in (threads := in_parallel()):
        thread.start()
    wait_until(lambda: len(bed.inner.lines("message-id=<crowd", start=start)) == CROWD)
    time.sleep(1)
    assert not codes  # the inner takes 30 s for each
    each_kb = (pss_kb(bed) - before) / CROWD
    for thread in threads:
        thread.join()
    print(f"{each_kb:.0f} kB a session, {before} kB before")
    assert codes == [250] * CROWD
    assert each_kb <= 64
    assert sum(bed.count(f"crowd{n}@") for n in range(CROWD)) == CROWD

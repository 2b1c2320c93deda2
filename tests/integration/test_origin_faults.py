"""What breaks between the client and the inner mailbox, at each stage of a message, with a ledger: what
was taken is there once. A message may come twice only when it was in doubt: its final dot was sent
and no reply read, and then the client was told to come again. The second one says that it is a
retry, which this inner host, a bare Postfix, does not know how to read."""
import collections
import contextlib
import resource
import signal
import threading
import time

import pytest
from fault_bed import WAYS, FaultBed, Load, Sender, is_told_as_retry, text_of
from origin_bed import INNER_LINK
from stack.proc import wait_until

STAGES = ("connect", "mail", "rcpt", "data", "headers", "body", "dot", "before reply",
          "after reply")
# the inner may have taken it while the client was told to come again
IN_DOUBT = {"dot", "before reply", "after reply"}
FAULTS = {  # name: what breaks it, what mends it
    "daemon killed": ("kill_daemon", "revive_daemon"),
    "inner killed": ("kill_inner", "revive_inner"),
    "tunnel cut": ("cut_tunnel", "mend_tunnel"),
    "tunnel silent": ("mute_tunnel", "unmute_tunnel"),
}


@pytest.fixture(scope="module")
def bed():
    with FaultBed() as running:
        yield running


@pytest.fixture(scope="module")
def stages(request):
    """Rows of the table that is printed in the end."""
    rows = []
    yield rows
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{'way, fault':22}{'stage':14}{'first told':12}{'attempts':>9}{'copies':>8}")
        for fault, stage, told, attempts, copies in rows:
            print(f"{fault:22}{stage:14}{told:12}{attempts:9}{copies:8}")


def strike(bed, sender, message_id, fault, stage):
    """The first attempt, with the fault at this stage: what the client was told, and what it wrote."""
    breaks = getattr(bed, FAULTS[fault][0])
    # in the midst of a message that is longer than all that sockets hold the final dot is not on its way
    text = text_of(message_id, lines=30000 if stage in ("headers", "body") else 100)
    start = bed.edge.log_size()
    if stage == "connect":
        reply = sender.once(message_id, text, at_connect=breaks)
    else:
        bed.tap.at(stage, breaks)
        reply = sender.once(message_id, text)
        assert bed.tap.wait(), f"stage {stage} was not reached"
    if sender.way == "queue":  # the client was told long ago: let Postfix have felt it
        wait_until(lambda: bed.edge.lines("/lmtp", "status=", start=start), what="a delivery's fate")
    return reply, text


def ways_and_faults():
    """All with --long; else what takes seconds is for the milter alone."""
    for way in WAYS:
        for fault in FAULTS:
            is_long = fault == "tunnel silent" or (way != "live" and fault == "tunnel cut")
            yield pytest.param(way, fault, marks=[pytest.mark.long] if is_long else [])


@pytest.mark.parametrize("way,fault", ways_and_faults())
@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_lost(bed, stages, way, fault, stage):
    sender, message_id = Sender(bed, way), f"{way}-{fault}-{stage}@sender.test".replace(" ", "-")
    sender.until_taken(f"warm-{message_id}")  # all processes of the way are there
    bed.settle()
    try:
        reply, text = strike(bed, sender, message_id, fault, stage)
    finally:
        getattr(bed, FAULTS[fault][1])()
    if reply is None or reply.code != 250:
        sender.until_taken(message_id, text)
    bed.settle()
    copies = bed.copies(message_id)
    stages.append((f"{way}, {fault}", stage, str(reply)[:3] if reply else "nothing",
                   sender.attempts - 1, len(copies)))
    lost, doubled = sender.book.lost_and_doubled(bed.messages())
    assert not lost
    assert not doubled or (stage in IN_DOUBT and doubled == [message_id] and len(copies) == 2)
    assert not doubled or is_told_as_retry(copies)


# Many senders at once.

def tell(stages, what, load, doubled):
    """A row of the table: all that were taken, and what came twice."""
    stages.append((what, "load", f"{len(load.taken())} taken", load.attempts(),
                   len(load.taken()) + len(doubled)))


def doubts(bed):
    return len(bed.origin.lines("cause=in_doubt"))


SHORT_AND_LONG = ["live", *(pytest.param(w, marks=pytest.mark.long) for w in ("proxy", "queue"))]


@pytest.mark.parametrize("way", SHORT_AND_LONG)
def test_a_flapping_tunnel_loses_nothing(bed, stages, way):
    before = doubts(bed)
    with Load(bed, 6, way) as load:
        for number in range(6):
            fault = FAULTS["tunnel silent" if number % 2 else "tunnel cut"]
            time.sleep(1)
            getattr(bed, fault[0])()
            time.sleep(1.5)
            getattr(bed, fault[1])()
    bed.settle()
    lost, doubled = load.lost_and_doubled(bed.messages())
    tell(stages, f"{way}, tunnel flaps", load, doubled)
    assert not load.problems and not lost
    assert len(load.taken()) > 50
    assert len(doubled) <= doubts(bed) - before
    assert all(is_told_as_retry(bed.copies(i)) for i in doubled)


@pytest.mark.parametrize("way", WAYS)
def test_a_restart_under_load_loses_and_doubles_nothing(bed, stages, way):
    with Load(bed, 8, way) as load:
        for _ in range(4):
            time.sleep(1)
            bed.origin.stop()
            bed.origin.start()
    bed.settle()
    lost, doubled = load.lost_and_doubled(bed.messages())
    tell(stages, f"{way}, restarts", load, doubled)
    assert not load.problems and not lost and not doubled
    assert len(load.taken()) > 50


@pytest.mark.parametrize("way", WAYS)
def test_a_daemon_killed_under_load_loses_nothing(bed, stages, way):
    kills = 4
    with Load(bed, 8, way) as load:
        for _ in range(kills):
            time.sleep(1)
            bed.kill_daemon()
            bed.revive_daemon()
    bed.settle()
    lost, doubled = load.lost_and_doubled(bed.messages())
    tell(stages, f"{way}, daemon killed", load, doubled)
    assert not load.problems and not lost
    assert len(doubled) <= kills * len(load.senders)
    assert all(is_told_as_retry(bed.copies(i)) for i in doubled)


# An edge whose disk is full.

def fill(folder, leave_bytes=0):
    """A file that takes what the disk has left, but so much."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 65536)
        file.truncate(max(0, file.tell() - leave_bytes))
    return path


def test_a_full_queue_disk_defers(bed, stages):
    sender, message_id = Sender(bed), "full-queue@sender.test"
    bed.edge.stop()
    bed.origin.stop()
    with bed.small_disk(bed.edge.spool, 64):
        bed.origin.start()
        bed.edge.start()
        with bed.outside() as client:
            assert client.command("MAIL FROM:<ann@sender.test>").code == 250
            assert client.command("RCPT TO:<ann@example.test>").code == 250
            filler = fill(bed.edge.spool, 65536)
            reply = client.data(text_of(message_id).encode())
        assert 400 <= reply.code < 500
        assert sender.once(message_id).code // 100 == 4  # Postfix itself, at MAIL
        assert not bed.copies(message_id)
        filler.unlink()
        sender.until_taken(message_id)
        stages.append(("queue disk full", "data", str(reply)[:3], sender.attempts, 1))
        wait_until(lambda: len(bed.copies(message_id)) == 1, what="the message")
        bed.settle()
        bed.edge.stop()
        bed.origin.stop()
    bed.origin.start()
    bed.edge.start()
    assert len(bed.copies(message_id)) == 1


@pytest.mark.parametrize("when", ["at start", "at work"])
def test_a_full_state_disk_loses_nothing(bed, stages, when):
    sender, message_id = Sender(bed), f"full-state-{when[-4:]}@sender.test"
    bed.origin.stop()
    with bed.small_disk(bed.origin.state, 1):
        if when == "at work":
            bed.origin.start()
            bed.origin.process.kill(signal.SIGUSR1)  # counters are written
        filler = fill(bed.origin.state)
        if when == "at start":
            bed.origin.start()
        bed.origin.process.kill(signal.SIGUSR1)
        reply = sender.once(message_id)
        assert reply.code == 250 or reply.code // 100 == 4
        assert bed.origin.is_running()
        filler.unlink()
        if reply.code != 250:
            sender.until_taken(message_id)
        stages.append(("state disk full", when, str(reply)[:3], sender.attempts, 1))
        wait_until(lambda: len(bed.copies(message_id)) == 1, what="the message")
        bed.settle()
        bed.origin.stop()
    bed.origin.start()
    assert len(bed.copies(message_id)) == 1


# An inner that is slow, and many clients at once: minutes.

PATIENT = {"command_timeout": "25s", "dot_timeout": "280s"}


@pytest.mark.long
def test_an_inner_slow_at_rcpt_is_deferred_in_time(bed, stages):
    sender, message_id = Sender(bed), "slow-rcpt@sender.test"
    with bed.changed([bed.inner], ["smtpd_recipient_restrictions = check_recipient_access "
                                   "inline:{ { ann@example.test = sleep 35 } }"], **PATIENT):
        begin = time.monotonic()
        reply = sender.once(message_id)
        assert reply.code == 451 and 24 < time.monotonic() - begin < 30
    sender.until_taken(message_id)
    bed.settle()
    stages.append(("inner slow 35 s", "rcpt", "451", sender.attempts, len(bed.copies(message_id))))
    assert len(bed.copies(message_id)) == 1


@pytest.mark.long
def test_an_inner_slow_at_the_dot_is_waited_for(bed, stages):
    sender, message_id = Sender(bed), "slow-dot@sender.test"
    with bed.changed([bed.inner], ["smtpd_end_of_data_restrictions = check_sender_access "
                                   "inline:{ { ann@sender.test = sleep 35 } }"], **PATIENT):
        begin = time.monotonic()
        reply = sender.once(message_id)
        assert reply.code == 250 and 34 < time.monotonic() - begin < 50
    bed.settle()
    stages.append(("inner slow 35 s", "dot", "250", sender.attempts, len(bed.copies(message_id))))
    assert len(bed.copies(message_id)) == 1


SESSIONS = 500
LIMITS = ("default_process_limit = 700", "smtpd_client_connection_count_limit = 0",
          "in_flow_delay = 0")


def open_files(count):
    """So many for this process and those it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))


@pytest.mark.long
def test_500_sessions_at_once(bed, stages):
    sender, together = Sender(bed), threading.Barrier(SESSIONS, timeout=240)

    def live(number):
        message_id = f"crowd-{number}@sender.test"
        try:
            with bed.outside(timeout_s=240) as client:
                client.command("MAIL FROM:<ann@sender.test>")
                reply = client.command("RCPT TO:<ann@example.test>")
                together.wait()  # all of them are inside now
                if reply.code == 250:
                    reply = client.data(text_of(message_id, fields=1, lines=100).encode())
                if reply.code == 250:
                    sender.book.take(message_id, "ann@example.test")
                else:
                    sender.book.note(f"{message_id}: {reply}")
        except (OSError, threading.BrokenBarrierError) as error:
            sender.book.note(f"{message_id}: {error!r}")

    open_files(8192)
    with bed.changed([bed.edge, bed.inner], LIMITS, inner=f"{INNER_LINK}:25", **PATIENT):
        threads = [threading.Thread(target=live, args=(n,)) for n in range(SESSIONS)]
        for thread in threads:
            thread.start()
            time.sleep(0.03)  # Postfix's listening sockets hold a hundred
        for thread in threads:
            thread.join()
        bed.settle(240)
    lost, doubled = sender.book.lost_and_doubled(bed.messages())
    stages.append((f"{SESSIONS} sessions", "all", f"{len(sender.book.taken)} taken", SESSIONS,
                   sum(b"<crowd-" in m for m in bed.messages())))
    assert not sender.book.refused, collections.Counter(
        r.split(": ", 1)[1] for r in sender.book.refused)
    assert len(sender.book.taken) == SESSIONS and not lost and not doubled

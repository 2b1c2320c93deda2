"""What a limit must keep under load, with a clock that steps, and while PostgreSQL is away:
postward-policyd and a real PostgreSQL, asked by the bench's load program."""
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from policy_bed import Bed, Clock
from stack.postward import SOURCE

ANN = "ann@example.test"
# the login of the load program when it has one user in one domain
LOAD = "user0@d0.example"
DEADLINE_MS = 500  # answer_deadline


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Runs the load program: what it says."""
    program = tmp_path_factory.mktemp("load") / "policy_load"
    subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-o", program,
                    SOURCE / "tests/bench/policy_load.c"], check=True)

    def run(bed, *options, timeout_s=120):
        done = subprocess.run([program, bed.policy, "-u", "1", "-d", "1", *map(str, options)],
                              check=True, capture_output=True, text=True, timeout=timeout_s)
        said = json.loads(done.stdout)
        assert said["lost"] == 0, said
        return said
    return run


@contextlib.contextmanager
def bed_for_load(**options):
    with Bed(**options) as running:
        running.pg.sql("SELECT mail.add_domain('d0.example')")
        running.pg.sql("SELECT mail.add_user(%s, 'a long enough password', 0)", LOAD)
        running.settle()
        yield running


@pytest.fixture(scope="module")
def bed():
    with bed_for_load() as running:
        yield running


@pytest.fixture
def fresh_bed():
    with bed_for_load() as running:
        yield running


def metric(bed, name):
    path = bed.program.state / "metrics.prom"
    path.unlink(missing_ok=True)
    bed.program.process.kill(signal.SIGUSR1)
    bed.wait(path.exists, what="metrics")
    return int(next(line for line in path.read_text().splitlines()
                    if line.startswith(name)).split()[-1])


# ---- exact admission

@pytest.mark.parametrize("connections", [1, 32, 100])
def test_exactly_the_limit_passes_flat_out(bed, load, connections):
    bed.limit(LOAD, 100, "1 day")
    said = load(bed, "-c", connections, "-n", 1000)
    # two questions for each message that passes, one for each that does not
    assert said["actions"] == {"DUNNO": 200, "450": 800}


def test_fault_28_100_sessions_of_one_login_at_a_limit_of_50(bed, load):
    bed.limit(LOAD, 50, "1 day")
    assert load(bed, "-c", 100, "-t", 1000)["actions"]["DUNNO"] == 100  # two for each message


# ---- accounting

def test_the_same_question_twice_costs_once(bed):
    """As a Postfix asks that has the service in two lists of each stage."""
    bed.limit(ANN, 2, unit="recipients")
    with bed.client() as client:
        for _ in range(2):
            assert client.ask(instance="twice", recipient="one@example.org") == "DUNNO"
        for _ in range(2):
            assert client.ask(instance="twice", recipient="two@example.org") == "DUNNO"
        assert client.ask(instance="twice", recipient="three@example.org").startswith("450 ")
        for _ in range(2):
            assert client.ask("END-OF-MESSAGE", instance="twice", recipient_count=2) == "DUNNO"
        assert client.ask(instance="next").startswith("450 ")
    bed.wait(lambda: bed.pg.sql("SELECT used FROM mail.rate_usage WHERE who = %s", ANN) == [(2,)],
             what="two counted")


def test_a_client_that_goes_in_the_middle_gives_back_what_it_held(bed):
    """Between RCPT and the end, and in the middle of a question."""
    bed.limit(ANN, 1)
    for rest in (b"", bed.client().request("END-OF-MESSAGE", instance="gone")[:-5]):
        with bed.client() as client, bed.client() as other:
            assert client.ask(instance="gone") == "DUNNO"
            assert other.ask(instance="other").startswith("450 ")
            client.send(rest)
    with bed.client() as client:
        bed.wait(lambda: client.ask(instance="last") == "DUNNO", 5, "the token to be back")
        assert client.ask("END-OF-MESSAGE", instance="last", recipient_count=1) == "DUNNO"
        assert client.ask(instance="over").startswith("450 ")


def test_a_limit_changed_under_load_while_it_is_reached(bed, load):
    rule = bed.limit(LOAD, 50, "1 day")
    timer = threading.Timer(1, bed.pg.sql, ("UPDATE mail.rate_limits SET limit_count = 80"
                                            " WHERE id = %s", rule))
    timer.start()
    assert load(bed, "-c", 32, "-t", 4000)["actions"]["DUNNO"] == 160
    timer.join()
    bed.pg.sql("UPDATE mail.rate_limits SET limit_count = 20 WHERE id = %s", rule)
    bed.settle()
    assert set(load(bed, "-c", 32, "-t", 500)["actions"]) == {"450"}


# ---- many connections, torn questions

def test_300_idle_connections_and_an_active_one(bed):
    bed.limit(ANN, 0)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(bed.client()) for _ in range(300)]
        for client in idle:
            assert client.ask() == "DUNNO"
        slowest = 0
        for n in range(500):
            began = time.monotonic()
            assert idle[-1].message(f"active{n}") == "DUNNO"
            slowest = max(slowest, time.monotonic() - began)
        assert slowest * 1000 < DEADLINE_MS
        for client in idle:
            assert client.ask() == "DUNNO"


def test_a_question_split_at_every_byte(bed):
    bed.limit(ANN, 0)
    request = bed.client().request()
    with bed.client() as client:
        for at in range(1, len(request)):
            client.send(request[:at])
            if at % 7 == 0:
                time.sleep(0.001)  # in two reads for sure, at some places
            client.send(request[at:])
            assert client.answer() == "DUNNO"


# ---- PostgreSQL away, under load

def postgres_processes(bed):
    pid = bed.pg.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid, *map(int, children.read().split())]


def signal_all(bed, number):
    for pid in postgres_processes(bed):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def freeze(bed):
    signal_all(bed, signal.SIGSTOP)


def thaw(bed):
    signal_all(bed, signal.SIGCONT)


AWAY = {
    "frozen": (freeze, thaw),
    "stopped": (lambda bed: bed.pg.stop(), lambda bed: bed.pg.start()),
    "crashed": (lambda bed: bed.pg.stop(signal.SIGQUIT), lambda bed: bed.pg.start()),
}


@pytest.mark.parametrize("how", AWAY)
def test_no_answer_past_its_deadline_while_postgresql_is(fresh_bed, load, how):
    bed, (leave, come_back) = fresh_bed, AWAY[how]
    bed.limit(LOAD, 100000, "366 days")  # next to nothing flows back meanwhile
    timer = threading.Timer(1, leave, [bed])
    timer.start()
    try:
        said = load(bed, "-c", 100, "-r", 2000, "-t", 8000)
    finally:
        timer.join()
        come_back(bed)
    assert set(said["actions"]) == {"DUNNO"}
    assert said["max_us"] / 1000 < DEADLINE_MS
    assert metric(bed, "postward_policyd_late_answers_total") == 0
    # nothing is lost: what was counted meanwhile is settled afterwards
    messages = said["done"] // 2  # but for those that each connection was in the middle of
    bed.wait(lambda: messages - 100 <= (bed.pg.value(
        "SELECT used FROM mail.rate_usage WHERE who = %s", LOAD) or 0) <= messages, 60,
        "the counters in SQL")


# ---- clock steps

@pytest.fixture
def clock():
    with Clock() as running:
        yield running


@pytest.mark.parametrize("step_s", [10 * 86400, -10 * 86400])
def test_a_clock_that_steps_gives_nothing_and_takes_nothing(clock, load, step_s):
    with bed_for_load(env=clock.env) as bed:
        bed.limit(LOAD, 20)
        assert load(bed, "-c", 8, "-n", 60)["actions"]["DUNNO"] == 40
        clock.set(step_s)
        time.sleep(0.01)  # policyd looks at it once a millisecond
        with bed.client() as client:
            answer = client.ask(instance="when", sasl_username=LOAD, sender=LOAD)
        until = datetime.strptime(answer.partition("again after ")[2], "%Y-%m-%d %H:%M:%S UTC")
        assert abs(until.replace(tzinfo=timezone.utc).timestamp() - time.time() - step_s) < 600
        said = load(bed, "-c", 8, "-r", 500, "-t", 1500)
        assert set(said["actions"]) == {"450"} and said["max_us"] / 1000 < DEADLINE_MS
        line = bed.program.lines("cause=rate")[-1]
        assert 0 < int(line.partition("retry_s=")[2].split(",")[0]) <= 3600 / 20


def test_a_clock_set_back_before_a_restart_locks_nobody_out(clock):
    """The stored instant lies days ahead then: nobody waits longer than a full bucket takes."""
    with Bed(env=clock.env) as bed:
        bed.limit(ANN, 2)
        with bed.client() as client:
            assert [client.message(f"before{n}") for n in range(2)] == ["DUNNO"] * 2
        assert bed.program.stop() == 0
        clock.set(-10 * 86400)
        bed.program.start()
        with bed.client() as client:
            assert client.message("after", recipient="after@example.org").startswith("450 ")
        line = bed.program.lines("rcpt=<after@example.org>")[0]
        assert 0 < int(line.partition("retry_s=")[2].split(",")[0]) <= 3600


def test_counters_come_in_when_the_database_does_whatever_the_clock_says(clock):
    with Bed(env=clock.env) as bed:
        bed.limit(ANN, 1)
        with bed.client() as client:
            assert client.message("before") == "DUNNO"
        assert bed.program.stop() == 0
        bed.pg.stop()
        clock.set(86400)
        bed.program.start()
        with bed.client() as client:
            assert client.ask(instance="away") == "DUNNO"  # not known yet, and not charged
        time.sleep(3)  # the first attempt is over, and the next one waits for its time
        clock.set(0)
        bed.pg.start()
        with bed.client() as client:
            bed.wait(lambda: client.ask(instance=str(time.monotonic())).startswith("450 "), 20,
                     "the stored counters")


# ---- clients: IPv6, and very many

def test_a_walk_through_an_ipv6_network_is_one_client(bed):
    bed.limit("*", 10, key="client", authenticated=False)
    stranger = {"sender": "x@example.org", "sasl_username": ""}
    with bed.client() as client:
        walk = [client.message(f"walk{n}", client_address=f"2001:db8:0:7:{n:x}:{n * 77:x}::{n:x}", **stranger)
                for n in range(40)]
        assert walk.count("DUNNO") == 10 and walk[:10] == ["DUNNO"] * 10
        for n, address in enumerate(("2001:db8:0:8::1", "192.0.2.1", "192.0.2.2", "unknown")):
            assert client.message(f"another{n}", client_address=address, **stranger) == "DUNNO"
        mapped = [client.message(f"mapped{n}", client_address=("::ffff:192.0.2.3", "192.0.2.3")[n % 2],
                                 **stranger) for n in range(12)]
        assert mapped.count("DUNNO") == 10
    bed.limit("*", 10, key="client", authenticated=False, prefix6=48)
    with bed.client() as client:
        walk = [client.message(f"wide{n}", client_address=f"2001:db8:1:{n:x}::1", **stranger)
                for n in range(40)]
        assert walk.count("DUNNO") == 10


def pss_mb(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


@pytest.mark.long
def test_a_million_keys_in_less_than_100_mb(fresh_bed, load):
    bed, keys = fresh_bed, 1_000_000 - 100  # a node holds a million, and one more comes below
    bed.limit("*", 1000, "366 days", key="client")
    bed.limit(LOAD, 0)
    before = pss_mb(bed.program.process.pid)
    # each key is leased and given back in PostgreSQL
    said = load(bed, "-c", 32, "-n", 2 * keys, "-a", keys, timeout_s=1800)
    assert set(said["actions"]) == {"DUNNO"}
    assert metric(bed, "postward_policyd_rate_accounts") > keys - 100  # questions in the middle at the end
    assert pss_mb(bed.program.process.pid) - before < 100
    with bed.client() as client:
        began = time.monotonic()
        assert client.message("one more", client_address="192.0.2.1") == "DUNNO"
        assert (time.monotonic() - began) * 1000 < DEADLINE_MS

"""Several policyds share one limit: exact while the database is up, bounded while it is not."""
import os
import signal
import subprocess
import time

import pytest
from policy_nodes_bed import ANN, Frozen, Load, NodesBed, Standby
from stack.proc import wait_until

DEADLINE_S = 0.5   # answer_deadline
SLACK_S = 0.35     # a busy machine, and Python


@pytest.fixture(scope="module")
def two():
    with NodesBed(2) as bed:
        bed.know_each_other()
        yield bed


@pytest.fixture
def pair():
    with NodesBed(2) as bed:
        bed.know_each_other()
        yield bed


def spend(node, messages, login=ANN, tag="m"):
    """How many of so many messages of a login pass at a node, over one connection."""
    with node.client() as client:
        return sum(client.message(f"{tag}.{node.name}.{n}", sender=login, sasl_username=login) == "DUNNO"
                   for n in range(messages))


def spend_all(bed, timeout_s=30):
    """Ask at all nodes until nothing comes any more, with the pauses in which leases come back."""
    passed, end, round_ = 0, time.monotonic() + timeout_s, 0
    while time.monotonic() < end:
        round_ += 1
        more = sum(spend(node, 3, tag=f"all{round_}") for node in bed.nodes)
        passed += more
        if more == 0 and bed.free() == 0 and round_ > 3:
            # what others hold is given back after 5 s at the latest
            time.sleep(7)
            if sum(spend(node, 3, tag=f"last{round_}") for node in bed.nodes) == 0:
                return passed
        time.sleep(0.3)
    raise AssertionError(f"{passed} passed, {bed.free()} are free")


@pytest.mark.parametrize("connections", [1, 32])
def test_two_nodes_admit_the_limit_together(two, connections):
    two.limit(ANN, 100, "1 day")
    load = Load(two.nodes, connections * 2).run_for(2.5)
    assert len(load.answers) > 200
    assert load.admitted() + spend_all(two) == 100
    assert two.used() == 100


def test_fault_28_100_sessions_of_one_login_at_a_limit_of_50_on_three_nodes():
    """No slack: 50 and not one more, with all sessions at once."""
    with NodesBed(3) as bed:
        bed.know_each_other()
        bed.limit(ANN, 50, "1 day")
        load = Load(bed.nodes, 100).run_for(3)
        assert len(load.answers) >= 100
        assert load.admitted() + spend_all(bed) == 50
        assert bed.used() == 50


@pytest.mark.parametrize("kind", ["bucket", "window"])
def test_four_nodes_with_traffic_that_moves(kind):
    with NodesBed(4) as bed:
        bed.know_each_other()
        bed.limit(ANN, 400, "1 day", kind=kind)
        load = Load(bed.nodes, 8, pause_s=0.002, move_s=0.5).run_for(8)
        first = load.admitted()
        assert first <= 400
        # bound: an eighth of the limit on each other node; policy.md has 8 % in its simulation
        print(f"{kind}: {first} of 400 before anybody was idle")
        assert first >= 400 - 3 * 50
        assert first + spend_all(bed) == 400
        assert bed.used() == 400


def test_a_window_of_short_slots_lets_through_what_keeps_to_it():
    """A lease is good for its slot of 0.2 s alone; what is left of it is not lost."""
    with NodesBed(1) as bed:
        bed.limit(ANN, 10, "10 seconds", kind="window")
        passed = 0
        with bed.nodes[0].client() as client:
            for n in range(24):
                passed += client.message(f"slow.{n}", sender=ANN, sasl_username=ANN) == "DUNNO"
                time.sleep(1.06)
        assert passed == 24


def test_a_limit_in_recipients_and_one_in_messages_are_charged_together(two):
    two.pg.sql("DELETE FROM mail.rate_limits")
    two.pg.sql("INSERT INTO mail.rate_limits (who, limit_count, period, unit)"
               " VALUES (%s, 10, '1 day', 'messages'), (%s, 12, '1 day', 'recipients')", ANN, ANN)
    two.settle()
    passed = 0
    for n in range(20):
        with two.nodes[n % 2].client() as client:
            answers = [client.ask(instance=f"both{n}", recipient=f"r{i}@example.org") for i in range(2)]
            taken = answers.count("DUNNO")
            if taken:
                assert client.ask("END-OF-MESSAGE", instance=f"both{n}", recipient_count=taken) == "DUNNO"
            passed += taken
        time.sleep(0.05)
    assert passed == 12
    wait_until(lambda: dict(two.pg.sql("SELECT l.unit, r.used FROM mail.rate_usage AS r"
                                       " JOIN mail.rate_limits AS l ON l.id = r.limit_id"))
               == {"messages": 6, "recipients": 12}, 20, "what was reserved to come back")
    two.pg.sql("DELETE FROM mail.rate_limits")


def test_what_a_node_does_not_need_comes_back(two):
    two.limit(ANN, 100, "1 day")
    assert spend(two.nodes[0], 1) == 1
    held = two.used()
    assert held > 1
    began = time.monotonic()
    wait_until(lambda: two.used() == 1, 20, "the rest to come back")
    took = time.monotonic() - began
    print(f"{held - 1} came back after {took:.1f} s")
    assert 3 < took < 8


def test_a_node_that_needs_it_gets_what_another_holds(two):
    two.limit(ANN, 16, "1 day")
    holder, other = two.nodes
    assert spend(holder, 1) == 1
    passed = spend(other, 16)
    left = 15 - passed
    assert 0 < left <= 2, left  # held by the first one
    began = time.monotonic()
    passed = 0
    while passed < left and time.monotonic() < began + 4.5:
        passed += spend(other, 1, tag=f"more{time.monotonic()}")
        time.sleep(0.1)
    print(f"{left} held elsewhere came after {time.monotonic() - began:.2f} s")
    assert passed == left  # before the holder was idle for 5 s
    assert spend(holder, 2) == 0


def test_a_clean_stop_gives_back(pair):
    pair.limit(ANN, 100, "1 day")
    assert spend(pair.nodes[0], 3) == 3
    assert pair.used() > 3
    assert pair.nodes[0].program.stop() == 0
    assert pair.used() == 3
    assert pair.pg.value("SELECT count(*) FROM mail.nodes") == 1
    assert spend(pair.nodes[1], 120) == 97


def test_a_crash_loses_what_was_held(pair):
    pair.limit(ANN, 100, "1 day")
    assert spend(pair.nodes[0], 3) == 3
    held = pair.used() - 3
    pair.nodes[0].crash()
    assert 0 < held <= 12
    pair.nodes[0].start()
    pair.nodes[0].settle()
    passed = sum(spend(node, 120, tag=f"crash{n}") for n, node in enumerate(pair.nodes * 2))
    time.sleep(7)
    passed += sum(spend(node, 20, tag="late") for node in pair.nodes)
    print(f"a crash lost {100 - 3 - passed} of 100")
    assert passed == 100 - 3 - held


STEPPED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *t)
{
	int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(clock, t);

	if (clock == CLOCK_REALTIME)
		t->tv_sec += 300 * 86400;
	return r;
}
"""


def test_a_clock_that_is_300_days_off_changes_nothing(pair):
    """Nothing of a node's wall clock is sent: rows hold PostgreSQL's alone."""
    pair.limit(ANN, 10, "1 hour")
    node = pair.nodes[0]
    node.program.stop()
    (pair.root / "stepped.c").write_text(STEPPED)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", pair.root / "stepped.so", pair.root / "stepped.c", "-ldl"],
                   check=True)
    node.program.process._env = {**os.environ, "LD_PRELOAD": str(pair.root / "stepped.so")}
    node.program.start()
    node.settle()
    assert spend(node, 6) == 6
    assert spend(pair.nodes[1], 10) + spend(node, 4) == 4
    with node.client() as client:
        assert client.message("when")[-23:-19] > "2026"  # it tells the time it believes in
    assert pair.pg.value("SELECT max(full_at_us) < (extract(epoch FROM now()) + 3601) * 1000000"
                         " FROM mail.rate_state")


def outage_limit(bed, count, on_outage):
    return bed.limit(ANN, count, "1 day", on_outage=on_outage)


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_answers_come_in_time_and_shares_are_kept_in_an_outage(pair, how):
    """Each of two nodes may use half of what was left; afterwards it is settled."""
    outage_limit(pair, 100, "share")
    assert sum(spend(node, 5) for node in pair.nodes) == 10
    load = Load(pair.nodes, 6, pause_s=0.05)
    time.sleep(0.3)
    if how == "stopped":
        pair.pg.stop(signal.SIGQUIT)
        time.sleep(4)
        pair.pg.start()
    else:
        with Frozen(pair.pg):
            time.sleep(4)
    time.sleep(3)
    load.stop()
    print(f"{how}: slowest answer {load.slowest_s() * 1000:.0f} ms, "
          f"{10 + load.admitted()} of 100 passed over {len(load.answers)} messages")
    assert load.slowest_s() < DEADLINE_S + SLACK_S
    # twice the limit at worst: here the two saw it at most a lease apart
    assert 10 + load.admitted() <= 100 + 2 * 12
    wait_until(lambda: pair.used() >= min(10 + load.admitted(), 100), 20, "settling")
    assert sum(spend(node, 3, tag="after") for node in pair.nodes) == 0


@pytest.mark.parametrize("on_outage, answer", [("open", "DUNNO"), ("closed", "451 4.3.0 ")])
def test_open_and_closed(pair, on_outage, answer):
    outage_limit(pair, 3, on_outage)
    assert spend(pair.nodes[0], 4) == 3
    pair.pg.stop(signal.SIGQUIT)
    time.sleep(1.2)
    with pair.nodes[0].client() as client:
        began = time.monotonic()
        answers = [client.message(f"out{n}") for n in range(5)]
        took = time.monotonic() - began
    assert all(a.startswith(answer) for a in answers), answers
    assert took < DEADLINE_S + SLACK_S
    pair.pg.start()
    with pair.nodes[0].client() as client:
        wait_until(lambda: client.message(f"back{time.monotonic()}").startswith("450 "), 30, "the limit to hold")
    assert pair.used() == 3


def test_counted_in_an_outage_is_settled(pair):
    outage_limit(pair, 100, "share")
    assert spend(pair.nodes[0], 1) == 1
    wait_until(lambda: pair.used() == 1, 20, "the lease to come back")
    pair.pg.stop(signal.SIGQUIT)
    assert sum(spend(node, 20) for node in pair.nodes) == 40
    # the share of a node that saw 99 left: 49; of one that saw nothing: 50
    assert spend(pair.nodes[0], 60, tag="x") == 29
    assert spend(pair.nodes[1], 60, tag="x") == 30
    pair.pg.start()
    wait_until(lambda: pair.used() == 100, 30, "settling")
    assert spend(pair.nodes[0], 5, tag="y") == 0


def test_a_slow_answer_is_not_waited_for_longer_than_db_wait(pair):
    rule = outage_limit(pair, 100, "share")
    assert spend(pair.nodes[0], 1) == 1
    time.sleep(7)
    connection = pair.pg.connect()
    connection.autocommit = False
    connection.cursor().execute("SELECT FROM mail.rate_state WHERE limit_id = %s FOR UPDATE", (rule,))
    with pair.nodes[0].client() as client:
        began = time.monotonic()
        assert client.ask(instance="slow") == "DUNNO"
        first = time.monotonic() - began
        began = time.monotonic()
        assert client.ask(instance="slow2") == "DUNNO"
        second = time.monotonic() - began
    connection.rollback()
    connection.close()
    print(f"db_wait 200 ms: {first * 1000:.0f} ms, then {second * 1000:.0f} ms")
    assert 0.15 < first < 0.2 + SLACK_S
    assert second < 0.1


def spend_rest(bed, passed):
    """Some more of each login; true once nothing passes and nothing is held."""
    more = {who: sum(spend(node, 2, login=who, tag=f"rest{time.monotonic()}") for node in bed.nodes) for who in passed}
    for who, count in more.items():
        passed[who] += count
    return not any(more.values()) and all(passed[who] >= 20 for who in passed)


@pytest.mark.parametrize("how", ["locked", "not_committed"])
def test_a_counter_somebody_holds_locked_takes_nothing_from_the_others(pair, how):
    """Those are granted, exactly, by both nodes; what was counted of it meanwhile is settled."""
    others = [f"user{n}@example.test" for n in range(6)]
    for who in others:
        pair.pg.sql("SELECT mail.add_user(%s, 'a long enough password', 0)", who)
    rule = pair.limit("*", 20, "1 day")
    if how == "locked":
        assert spend(pair.nodes[0], 1) == 1
        wait_until(lambda: pair.used() == 1, 20, "the lease to come back")
    connection = pair.pg.connect()
    connection.autocommit = False
    connection.cursor().execute(
        "SELECT FROM mail.rate_state WHERE limit_id = %s AND who = %s FOR UPDATE" if how == "locked" else
        "INSERT INTO mail.rate_state (limit_id, who, full_at_us) VALUES (%s, %s, 0)", (rule, ANN))
    before = [len(node.program.lines("event=leases_away")) for node in pair.nodes]
    held = Load(pair.nodes, 2, pause_s=0.5)
    try:
        passed = {who: 0 for who in others}
        for _ in range(3):
            for node in pair.nodes:
                for who in others:
                    passed[who] += spend(node, 8, login=who, tag=f"one{time.monotonic()}")
        wait_until(lambda: spend_rest(pair, passed), 60, "all of them to be spent")
    finally:
        held.stop()
        connection.rollback()
        connection.close()
    assert passed == {who: 20 for who in others}
    assert {pair.used(who) for who in others} == {20}
    assert held.slowest_s() < DEADLINE_S + SLACK_S
    assert [len(node.program.lines("event=leases_away")) for node in pair.nodes] == before
    settled = held.admitted() + (1 if how == "locked" else 0)
    assert 0 < held.admitted() <= 20
    wait_until(lambda: pair.used() >= settled, 20, "what was counted meanwhile")
    assert settled + spend_all(pair) == 20


def test_lax_answers_at_once_and_keeps_its_bound():
    with NodesBed(4) as bed:
        bed.know_each_other()
        bed.limit(ANN, 64, "1 day", strict=False)
        load = Load(bed.nodes, 8).run_for(3)
        total = load.admitted()
        print(f"lax: {total} of 64")
        # an allowance of max(1, 64 / 32) at each of the other three
        assert total <= 64 + 3 * 2
        assert load.slowest_s() < DEADLINE_S


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_promoted_standby_goes_on(synchronous):
    with NodesBed(0) as bed:
        standby = Standby(bed.pg, bed.root / "standby")
        try:
            standby.wait_streaming(synchronous)
            for _ in range(2):
                bed.add()
            for node in bed.nodes:
                node.program.stop()
                node.program.start(database=standby.conninfo())
            bed.know_each_other()
            bed.limit(ANN, 200, "1 day")
            load = Load(bed.nodes, 4, pause_s=0.1)
            time.sleep(1)
            bed.pg.stop(signal.SIGQUIT)
            time.sleep(1)
            standby.promote()
            time.sleep(4)
            load.stop()
            primary, bed.pg = bed.pg, standby.pg
            print(f"synchronous={synchronous}: slowest {load.slowest_s() * 1000:.0f} ms, "
                  f"{load.admitted()} of {len(load.answers)} passed")
            assert load.slowest_s() < DEADLINE_S + SLACK_S
            assert {a[:6] for _, _, a in load.answers} <= {"DUNNO", "450 4."}
            time.sleep(7)
            total = load.admitted() + spend_all(bed)
            print(f"{total} of 200 in all")
            assert total <= 200  # strict, the commit was there
            assert total >= 200 - 2 * 25 - 2
            bed.pg = primary
        finally:
            for node in bed.nodes:
                node.program.stop()
            standby.pg.stop()

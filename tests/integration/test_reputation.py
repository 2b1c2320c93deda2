"""Reputation: counted from verdicts, corrected by lessons, heard about later mail, silent without the database."""
import time

import pytest
from score_bed import ScoreBed
from stack.clients import message
from stack.proc import wait_until


@pytest.fixture(scope="module")
def bed():
    with ScoreBed() as running:
        yield running


def letter(one):
    return message("ann@sender.test", "ann@example.test", message_id=one, subject="Lunch on Monday",
                   body="See you at noon, as agreed.\r\n")


def counts(bed, name):
    return [tuple(map(float, row)) for row in
            bed.pg.sql("SELECT spam, ham FROM mail.reputation WHERE name = %s", name)]


def symbols(bed, one):
    assert bed.send(letter(one)).code == 250
    return {s["name"]: s for s in bed.row(one)["symbols"]}


def test_honest_mail_is_counted_and_speaks_from_enough_on(bed):
    for n in range(11):
        found = symbols(bed, f"rep{n}x")
        assert n >= 10 or not [name for name in found if name.startswith("REP_")]
        wait_until(lambda: counts(bed, "sender.test") == [(0.0, n + 1.0)], what="counted")
    assert counts(bed, "198.51.100.0/24") == [(0.0, 11.0)]
    found = symbols(bed, "rep-more")
    assert -1 < found["REP_SENDER_HAM"]["score"] < 0
    assert found["REP_SENDER_HAM"]["evidence"] == "sender.test, spam 0, ham 11" and "REP_IP_HAM" in found
    wait_until(lambda: counts(bed, "sender.test") == [(0.0, 12.0)], what="counted")


def test_who_calls_it_spam_is_right(bed):
    bed.pg.sql("DELETE FROM mail.reputation")
    symbols(bed, "regret")
    wait_until(lambda: counts(bed, "sender.test") == [(0.0, 1.0)], what="counted")
    bed.pg.sql("SELECT mail.bayes_learn('', 'spam', 'command', sha256('m'), ARRAY(SELECT generate_series(1, 30)), 1,"
               " '<regret>')")
    assert counts(bed, "sender.test") == [(1.0, 0.0)]


def test_bad_past_costs_points_and_does_not_prove_itself(bed):
    bed.pg.sql("DELETE FROM mail.reputation")
    symbols(bed, "unknown")
    wait_until(lambda: counts(bed, "sender.test"), what="counted")
    bed.pg.sql("UPDATE mail.reputation_counts SET spam_milli = 900000, ham_milli = 0, counted_at = now()")
    found = symbols(bed, "burnt")
    assert found["REP_SENDER_SPAM"]["score"] > 2 and found["REP_IP_SPAM"]["score"] > 2
    wait_until(lambda: counts(bed, "sender.test") == [(900.0, 1.0)], what="counted as the honest mail it is")
    bed.pg.sql("DELETE FROM mail.reputation WHERE name = 'sender.test'")
    assert "REP_SENDER_SPAM" not in symbols(bed, "anew")


def test_database_away_is_silence(bed):
    bed.pg.stop()
    try:
        begin = time.monotonic()
        assert bed.send(letter("away")).code == 250 and time.monotonic() - begin < 10
        assert "REP_" not in bed.left("away")
    finally:
        bed.pg.start()
    bed.row("away")


def test_off(bed):
    bed.score.stop()
    before = len(bed.score.lines("event=started"))
    bed.score.start(reputation="off")
    wait_until(lambda: len(bed.score.lines("event=started")) > before, what="postward-score")
    rows = bed.pg.value("SELECT count(*) FROM mail.reputation_messages")
    assert not [name for name in symbols(bed, "off") if name.startswith("REP_")]
    assert bed.pg.value("SELECT count(*) FROM mail.reputation_messages") == rows

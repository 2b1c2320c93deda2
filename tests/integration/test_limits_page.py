"""The recipes of docs/limits.md, each tried as it stands there: a real PostgreSQL, the daemon."""
import re

import pytest

from policy_bed import Bed
from stack.postward import SOURCE

ANN, BOB, NEWS = "ann@example.test", "bob@example.test", "newsletter@example.test"
RECIPES = {int(n): sql for sql, n in re.findall(r"```sql\n(-- (\d+)\. .*?)```",
                                                (SOURCE / "docs/limits.md").read_text(), re.S)}


@pytest.fixture(scope="module")
def running():
    with Bed() as bed:
        bed.pg.sql("SELECT mail.add_user(%s, 'a long enough password')", NEWS)
        bed.counter = 0
        yield bed


@pytest.fixture
def bed(running):
    """No limits, nobody's counters."""
    running.pg.sql("DELETE FROM mail.rate_limits; DELETE FROM mail.rate_exemptions;"
                   "DELETE FROM mail.sending_blocks; DELETE FROM mail.rate_state")
    return running


def follow(bed, recipe, **changes):
    """Carry a recipe out; its numbers may be made small enough to be reached here."""
    sql = RECIPES[recipe]
    for old, new in changes.get("smaller", {}).items():
        assert sql.count(old) == 1, (old, sql)
        sql = sql.replace(old, new)
    bed.pg.sql(sql)
    bed.settle()


def send(bed, rcpts=1, size=1000, **about):
    """A message; the answers at RCPT that were no DUNNO, or the one at its end."""
    bed.counter += 1
    about = {"instance": f"m{bed.counter}", "sasl_username": ANN, "sender": ANN, "size": size, **about}
    if "sasl_username" in about and "sender" not in about:
        about["sender"] = about["sasl_username"]
    to = about.pop("recipient", "r{}@example.org")
    with bed.client() as client:
        asked = [client.ask(**about, recipient=to.format(n)) for n in range(rcpts)]
        refused = [a for a in asked if a != "DUNNO"]
        left = rcpts - len([a for a in refused if not a.startswith("HOLD")])
        if left:
            end = client.ask("END-OF-MESSAGE", **about, recipient=to.format(0) if rcpts == 1 else "",
                             recipient_count=left)
            refused += [end] if end != "DUNNO" else []
    return refused


def from_outside(bed, client, **about):
    return send(bed, sasl_username="", sender="x@far.example", recipient=ANN, client_address=client, **about)


def test_there_are_ten():
    assert sorted(RECIPES) == list(range(1, 11))


def test_recipe_1_so_many_an_hour_and_at_once(bed):
    follow(bed, 1)
    assert [send(bed) for _ in range(50)] == [[]] * 50
    assert send(bed)[0].startswith(f"450 4.7.1 <{ANN}>: 200 messages per hour reached; try again after")
    assert send(bed, sasl_username=BOB, sender=BOB) == []


def test_recipe_2_a_window(bed):
    follow(bed, 2)
    for _ in range(5):
        assert send(bed, rcpts=100) == []
    assert send(bed)[0].startswith(f"450 4.7.1 <{ANN}>: 500 recipients per day reached")
    bed.wait(lambda: bed.pg.sql("SELECT used, free, kind FROM mail.rate_usage WHERE who = %s", ANN)
             == [(500, 0, "window")], what="rate_usage of a window")


def test_recipe_3_rows_of_their_own(bed):
    follow(bed, 1)
    follow(bed, 3)
    for _ in range(60):
        assert send(bed) == []
        assert send(bed, sasl_username=NEWS, sender=NEWS) == []
    for _ in range(50):
        send(bed, sasl_username=BOB, sender=BOB)
    assert send(bed, sasl_username=BOB, sender=BOB) != []


def test_recipe_4_the_bytes_of_a_domain(bed):
    follow(bed, 4)
    assert send(bed, size=3_000_000_000) == []
    assert send(bed, size=3_000_000_000, sasl_username=BOB, sender=BOB)[0].startswith(
        "450 4.7.1 <example.test>: 5000000000 bytes per day reached")
    assert send(bed, size=2_000_000_000, sasl_username=BOB, sender=BOB) == []
    assert send(bed, size=6_000_000_000)[0].startswith("554 5.7.1 <example.test>: more at once than")


def test_recipe_5_clients(bed):
    follow(bed, 5)
    for _ in range(60):
        assert from_outside(bed, "192.0.2.7") == []
        assert from_outside(bed, "192.0.2.200") == []
        assert from_outside(bed, "2001:db8:0:1::7") == []
    assert from_outside(bed, "192.0.2.7")[0].startswith("450 4.7.1 <192.0.2.7>: 60 messages per minute reached")
    assert from_outside(bed, "2001:db8:0:1:2::8")[0].startswith("450 4.7.1 <2001:db8:0:1::/64>: 60 messages")
    assert from_outside(bed, "192.0.2.200") == []
    assert from_outside(bed, "2001:db8:0:2::7") == []
    assert send(bed, client_address="192.0.2.7") == []


def test_recipe_6_a_login_to_a_domain(bed):
    follow(bed, 6)
    assert send(bed, rcpts=20) == []
    assert send(bed)[0].startswith(f"450 4.7.1 <{ANN} example.org>: 20 recipients per minute reached")
    assert send(bed, rcpts=5, recipient="r{}@touchy.example") == []
    assert len(send(bed, rcpts=2, recipient="s{}@touchy.example")) == 2
    assert send(bed, rcpts=20, sasl_username=BOB, sender=BOB) == []


def test_recipe_7_a_stolen_password(bed):
    follow(bed, 7, smaller={"2000, '10 minutes'": "20, '10 minutes'"})
    bed.pg.sql("INSERT INTO mail.rate_limits (unit, limit_count) VALUES ('recipients', 30)")
    bed.settle()
    assert send(bed, rcpts=20) == []
    assert send(bed)[0].startswith(f"554 5.7.1 <{ANN}>: 20 recipients per 10 minutes reached")
    assert send(bed)[0].startswith(f"554 5.7.1 <{ANN}>: sending is suspended until 20")
    bed.wait(lambda: bed.pg.sql("SELECT until > now() + interval '23 hours' FROM mail.sending_blocks WHERE login = %s", ANN)
             == [(True,)], what="the suspension in SQL")
    bed.wait(lambda: bed.pg.sql("SELECT 1 FROM mail.events WHERE kind = 'sending_blocks insert' AND who = %s", ANN),
             what="its event")
    said = bed.pg.sql("SELECT string_agg(w, '; ') FROM mail.why_limited(%s) AS w", ANN)[0][0]
    assert f"{ANN} may not send until" in said and "DELETE FROM mail.sending_blocks" in said
    assert send(bed, sasl_username=BOB, sender=BOB) == []
    # inherit: the wider limit has counted besides
    bed.wait(lambda: bed.pg.value("SELECT count(*) FROM mail.rate_usage WHERE who = %s", ANN) == 2, what="both counters")
    bed.settle()
    bed.pg.sql("DELETE FROM mail.sending_blocks WHERE login = %s", ANN)
    bed.pg.sql("SELECT mail.rate_reset(%s)", ANN)
    bed.settle()
    bed.wait(lambda: send(bed) == [], what="the end of the suspension")


def test_recipe_8_the_whole_server(bed):
    follow(bed, 8, smaller={"10000, '1 hour'": "10, '1 hour'"})
    assert send(bed, rcpts=6) == []
    assert send(bed, rcpts=4, sasl_username=BOB, sender=BOB) == []
    assert send(bed)[0].startswith("HOLD <this server>: 10 recipients per hour reached")
    assert from_outside(bed, "192.0.2.7") == []
    assert bed.program.lines("action=hold", "cause=rate", "who=*")


def test_recipe_9_a_trial(bed):
    follow(bed, 9, smaller={"100, '1 hour'": "2, '1 hour'"})
    assert [from_outside(bed, "192.0.2.7") for _ in range(4)] == [[]] * 4
    assert bed.program.lines("action=dunno", "dry_run=yes", "who=far.example")
    bed.wait(lambda: bed.pg.sql("SELECT 1 FROM mail.events WHERE kind = 'rate' AND who = 'far.example'"),
             what="the event of the trial")


def test_recipe_10_exemptions(bed):
    follow(bed, 10)
    bed.pg.sql("INSERT INTO mail.rate_limits (key, limit_count) VALUES ('server', 1)")
    bed.settle()
    for _ in range(3):
        assert from_outside(bed, "192.0.2.7") == []
        assert send(bed, sasl_username="", sender="", recipient=ANN, client_address="192.0.2.8") == []
        assert send(bed, sasl_username="", sender="x@far.example", recipient="postmaster@example.test",
                    client_address="192.0.2.8") == []
    assert from_outside(bed, "192.0.2.8") == []
    assert from_outside(bed, "192.0.2.8") != []


@pytest.mark.parametrize("statement", [
    "SELECT mail.rate_reset('ann@example.test')",
    "DELETE FROM mail.rate_state WHERE who = 'ann@example.test'",
    "DELETE FROM mail.rate_state",
])
@pytest.mark.parametrize("kind", ["bucket", "window"])
def test_a_counter_set_to_zero_is_free_within_two_seconds(bed, kind, statement):
    bed.pg.sql("INSERT INTO mail.rate_limits (kind, limit_count) VALUES (%s, 2)", kind)
    bed.settle()
    assert [send(bed), send(bed)] == [[], []] and send(bed) != []
    bed.wait(lambda: bed.pg.sql("SELECT used FROM mail.rate_usage WHERE who = %s", ANN) == [(2,)], what="the counter")
    bed.pg.sql(statement)
    bed.wait(lambda: send(bed) == [], timeout_s=2, what="the reset")
    assert bed.program.lines("event=rate_reset")


def test_a_window_survives_a_restart_and_nobody_is_told_twice(bed):
    bed.pg.sql("INSERT INTO mail.rate_limits (id, kind, limit_count, period) VALUES (777, 'window', 3, '1 day')")
    bed.settle()
    for _ in range(3):
        assert send(bed) == []
    assert send(bed) != []
    assert bed.program.stop() == 0
    bed.program.start()
    assert send(bed) != []
    assert send(bed, sasl_username=BOB, sender=BOB) == []
    bed.wait(lambda: bed.pg.sql("SELECT used, free, over FROM mail.rate_usage WHERE who = %s", ANN) == [(3, 0, 2)],
             what="attempts over the limit")
    assert bed.pg.value("SELECT count(*) FROM mail.events WHERE kind = 'rate' AND detail ->> 'rule' = '777'") == 1


def test_why_limited_by_login_client_and_server(bed):
    bed.pg.sql("INSERT INTO mail.rate_limits (key, limit_count, authenticated) VALUES ('client', 1, false), ('server', 9, NULL);"
               "INSERT INTO mail.rate_limits (key, unit, limit_count, kind) VALUES ('login recipient_domain', 'recipients', 1, 'window')")
    bed.settle()
    assert from_outside(bed, "192.0.2.7") == [] and from_outside(bed, "192.0.2.7") != []
    assert send(bed) == [] and send(bed) != []
    bed.wait(lambda: bed.pg.sql("SELECT count(*), count(*) FILTER (WHERE over > 0) FROM mail.rate_usage")
             == [(3, 2)], what="counters")

    def why(who):
        return "\n".join(row[0] for row in bed.pg.sql("SELECT mail.why_limited(%s)", who))
    assert "limit for 192.0.2.7: 1 messages in 01:00:00, only without a login" in why("192.0.2.7")
    assert "used: 1, free: 0, next one at 20" in why("192.0.2.7") and ", 1 attempts over it" in why("192.0.2.7")
    assert "192.0.2.7: 1 message per hour reached" in why("192.0.2.7")
    assert "used by ann@example.test example.org: 1, free: 0" in why(ANN)
    assert "limit for ann@example.test example.org: 1 recipients in 01:00:00, sliding" in why("example.org")
    assert "limit for *: 9 messages" in why("*")
    # what a refused one had taken of the server's counter comes back when it is idle
    bed.wait(lambda: "used: 2, free: 7" in why("*"), 20, "the rest to come back")
    assert why("nobody.example") == "no limit for nobody.example"

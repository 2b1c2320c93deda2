"""Lists over DNS behind a real Postfix: what is listed shows its symbol; a list that refuses, lists everybody, or is
away says nothing about anybody, and that is told."""
import contextlib
import uuid

import pytest

from score_bed import RECORDS, SENDER, ScoreBed
from stack.dns import reverse
from stack.proc import wait_until


def name_of(address, zone):
    return f"{reverse(address).removesuffix('.in-addr.arpa.')}.{zone}."


LISTS = """UPDATE mail.dns_lists SET enabled = false;
INSERT INTO mail.dns_lists (zone, about, test_listed, test_unlisted) VALUES
    ('bl.test', 'client', '2.0.0.127', '1.0.0.127'), ('wl.test', 'client', '', ''), ('uri.test', 'url', 'test', ''),
    ('from.test', 'from', '', ''), ('helo.test', 'helo', '', ''), ('name.test', 'name', '', ''),
    ('sender.test', 'sender', '', '');
INSERT INTO mail.dns_list_answers (name, zone, about, codes, weight) VALUES
    ('BL_SPAM', 'bl.test', 'client', '127.0.0.2', 3), ('BL_WORSE', 'bl.test', 'client', '127.0.0.4-7', 5),
    ('WL', 'wl.test', 'client', '127.0.*.3', -1), ('URI_BLACK', 'uri.test', 'url', '127.0.0.&2', 4),
    ('URI_GREY', 'uri.test', 'url', '127.0.0.&4', 1), ('FROM_BAD', 'from.test', 'from', '127.0.0.2', 2),
    ('HELO_BAD', 'helo.test', 'helo', '127.0.0.2', 1), ('NAME_BAD', 'name.test', 'name', '127.0.0.2', 1),
    ('SENDER_BAD', 'sender.test', 'sender', '127.0.0.2', 1)"""
OURS = {"BL_SPAM", "BL_WORSE", "WL", "URI_BLACK", "URI_GREY", "FROM_BAD", "HELO_BAD", "NAME_BAD", "SENDER_BAD", "PARKED"}
ANSWERS = ["2.0.0.127.bl.test. 60 A 127.0.0.2", "test.uri.test. 60 A 127.0.0.14"]


class ListBed(ScoreBed):
    records = RECORDS + ANSWERS

    def states(self):
        return dict(self.pg.sql("SELECT zone, state FROM mail.dns_list_health WHERE zone LIKE '%%.test'"))

    def is_good(self):
        return set(self.states().values()) == {"good"} and len(self.states()) == 7

    def shown(self, client=SENDER, body="hello", sender="ann@free.test", name="free.test", greeting="free.test"):
        """Which of our lists' symbols a message of this client shows, with their points. Resolvers remember
        that there was no answer: each test has clients of its own."""
        message_id = f"{uuid.uuid4()}@sender.test"
        text = (f"From: Ann <{sender}>\r\nTo: ann@example.test\r\nSubject: lunch\r\nMessage-ID: <{message_id}>\r\n"
                f"Date: Sun, 29 Nov 2026 12:00:00 +0000\r\n\r\n{body}\r\n")
        before = [f"XCLIENT ADDR={client} NAME=mail.{name}", f"EHLO mail.{greeting}"]
        assert self.send(text, sender=sender, before=before).code == 250
        return {s["name"]: s["score"] for s in self.row(message_id)["symbols"] if s["name"] in OURS}


@pytest.fixture(scope="module")
def bed():
    with ListBed(dns_lists_probe="1s", dns_deadline="2s") as running:
        running.pg.sql(LISTS)
        wait_until(running.is_good, what="all lists to be good")
        yield running


@contextlib.contextmanager
def listed(bed, client, code="127.0.0.2", zone="bl.test"):
    record = name_of(client, zone)
    bed.dns.add(f"{record} 1 A {code}")
    try:
        yield record
    finally:
        bed.dns.remove(record)


def test_of_a_client_that_is_listed(bed):
    with listed(bed, "203.0.113.1"):
        assert bed.shown("203.0.113.1") == {"BL_SPAM": 3}
        assert bed.shown("203.0.113.2") == {}


def test_codes_tell_what_it_is_listed_as(bed):
    with listed(bed, "203.0.113.3", "127.0.0.6"), listed(bed, "203.0.113.4", "127.0.12.3", "wl.test"):
        assert bed.shown("203.0.113.3") == {"BL_WORSE": 5}
        assert bed.shown("203.0.113.4") == {"WL": -1}


def test_links_are_asked_about_by_their_domain(bed):
    """Each domain once; what stands in front of it does not matter."""
    bed.dns.add("spammy.test.uri.test. 1 A 127.0.0.6")
    body = "see http://a.b.spammy.test/x and http://www.spammy.test/ and http://fine.test/"
    assert bed.shown(body=body) == {"URI_BLACK": 4, "URI_GREY": 1}
    assert bed.shown(body="see http://fine.test/") == {}


def test_names_of_the_session(bed):
    for record in ("author.test.from", "helo.test.helo", "named.test.name", "other.test.sender"):
        bed.dns.add(f"{record}.test. 1 A 127.0.0.2")
    names = {"name": "named.test", "greeting": "helo.test"}
    assert bed.shown("203.0.113.5", sender="eve@other.test", **names) == {"HELO_BAD": 1, "NAME_BAD": 1, "SENDER_BAD": 1}
    assert bed.shown("203.0.113.5", sender="eve@author.test", **names) == {"HELO_BAD": 1, "NAME_BAD": 1, "FROM_BAD": 2}


def state_is(bed, state):
    wait_until(lambda: bed.states()["bl.test"] == state, what=f"the state {state}")


def test_a_list_that_refuses_says_nothing(bed):
    """Its answer may look like a listing: the symbol is not there; the log, SQL and check() tell; and it is asked
    again when its test points are right."""
    bed.dns.remove("2.0.0.127.bl.test.")
    bed.dns.add("2.0.0.127.bl.test. 1 A 127.255.255.254")
    state_is(bed, "refuses")
    with listed(bed, "203.0.113.6"):
        assert bed.shown("203.0.113.6") == {}
        assert bed.score.lines("event=dns_lists", "state=refuses", "bl.test")
        assert bed.pg.value("SELECT count(*) FROM mail.check() WHERE what LIKE 'DNS list bl.test refuses%%'") == 1
        assert bed.pg.value("SELECT count(*) FROM mail.events WHERE kind = 'dns_list' AND who = 'bl.test'") >= 1
        bed.dns.remove("2.0.0.127.bl.test.")
        bed.dns.add(ANSWERS[0])
        state_is(bed, "good")
        assert bed.shown("203.0.113.6") == {"BL_SPAM": 3}
    assert bed.pg.value("SELECT count(*) FROM mail.check() WHERE what LIKE 'DNS list bl.test%%'") == 0


def test_a_refusal_about_mail_ends_the_asking(bed):
    """Before anybody looks at the test points again."""
    bed.pg.sql("UPDATE mail.dns_list_answers SET codes = '127.*.*.*' WHERE name = 'BL_WORSE'")
    wait_until(lambda: bed.pg.value("SELECT count(*) FROM mail.snapshot_dns_list_answers WHERE codes = '127.*.*.*'"),
               what="the codes")
    with listed(bed, "203.0.113.7", "127.255.255.254"):
        assert bed.shown("203.0.113.7") == {}
    bed.pg.sql("UPDATE mail.dns_list_answers SET codes = '127.0.0.4-7' WHERE name = 'BL_WORSE'")
    state_is(bed, "good")


def test_a_list_that_lists_everybody_says_nothing(bed):
    """A zone that somebody parked."""
    bed.dns.add("2.0.0.127.parked.test. 1 A 127.0.0.2", "1.0.0.127.parked.test. 1 A 127.0.0.2")
    bed.pg.sql("INSERT INTO mail.dns_lists (zone, about, test_listed, test_unlisted)"
               " VALUES ('parked.test', 'client', '2.0.0.127', '1.0.0.127')")
    bed.pg.sql("INSERT INTO mail.dns_list_answers (name, zone, about, codes, weight)"
               " VALUES ('PARKED', 'parked.test', 'client', '127.0.0.2', 9)")
    wait_until(lambda: bed.states().get("parked.test") == "broken", what="the state")
    with listed(bed, "203.0.113.8", zone="parked.test"):
        assert bed.shown("203.0.113.8") == {}
    bed.pg.sql("DELETE FROM mail.dns_lists WHERE zone = 'parked.test'")
    bed.pg.sql("DELETE FROM mail.dns_list_health WHERE zone = 'parked.test'")
    assert bed.pg.value("SELECT count(*) FROM mail.score_symbols WHERE name = 'PARKED'") == 0


def test_sql_switches_and_weighs(bed):
    with listed(bed, "203.0.113.9"):
        assert bed.shown("203.0.113.9") == {"BL_SPAM": 3}
        bed.pg.sql("UPDATE mail.dns_list_answers SET weight = 0.5 WHERE name = 'BL_SPAM'")
        wait_until(lambda: bed.shown("203.0.113.9") == {"BL_SPAM": 0.5}, what="the weight")
        bed.pg.sql("UPDATE mail.dns_lists SET enabled = false WHERE zone = 'bl.test'")
        wait_until(lambda: bed.shown("203.0.113.9") == {}, what="the list to be off")
        bed.pg.sql("UPDATE mail.dns_lists SET enabled = true WHERE zone = 'bl.test'")
        bed.pg.sql("UPDATE mail.dns_list_answers SET weight = 3 WHERE name = 'BL_SPAM'")
        wait_until(lambda: bed.shown("203.0.113.9") == {"BL_SPAM": 3}, what="the list to be on")


def test_without_dns_mail_passes_and_lists_are_away(bed):
    """Fault 18. Last of all: what was added to the server is gone with it."""
    bed.dns.stop()
    assert bed.shown("203.0.113.10") == {}
    wait_until(lambda: "away" in bed.states().values(), what="the state")
    bed.dns.process.start()
    wait_until(bed.is_good, 120, "all lists to be good again")
    with listed(bed, "203.0.113.11"):
        assert bed.shown("203.0.113.11") == {"BL_SPAM": 3}

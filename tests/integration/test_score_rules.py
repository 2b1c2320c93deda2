"""The admin's own rules: patterns in SQL, found in the parts of a message they are meant for."""
import subprocess
import time

import pytest
from exposition import read
from score_bed import SENDER, THIEF, ScoreBed
from stack.clients import message
from stack.postward import build
from stack.proc import wait_until

# name, kind, field, pattern, flags, what fires it, what is near and does not
RULES = [
    ("R_HEADER", "header", "X-Mailer", r"^Bulk\d+ Ünit$", "iu",
     {"extra": "X-Mailer: =?utf-8?q?bulk42_=C3=BCnit?=\r\n"}, {"extra": "X-Other: Bulk42 Ünit\r\n"}),
    ("R_RAW", "raw header", "", r"^X-Odd:\t", "m", {"extra": "X-Odd:\tx\r\n"}, {"extra": "X-Odd: x\r\n"}),
    ("R_SUBJECT", "subject", "", r"\bparcel \d{6}\b", "i",
     {"subject": "=?utf-8?b?WW91ciBQYXJjZWwgMTIzNDU2?="}, {"subject": "Your parcel 12345"}),
    ("R_BODY", "body", "", r"buy seven ducks", "i",
     {"body": "Please buy\r\n  Seven   ducks now.\r\n"}, {"body": "Please buy seventy ducks now.\r\n"}),
    ("R_RAW_BODY", "raw body", "", r"^Please  buy$", "m",
     {"body": "Well\r\nPlease  buy\r\nducks\r\n"}, {"body": "Well\r\nPlease buy\r\nducks\r\n"}),
    ("R_URL", "url", "", r"^https?://[^/]*\.ducks\.test/", "i",
     {"body": "See http://www.ducks.test/pond for more.\r\n"}, {"body": "See http://www.geese.test/ for more.\r\n"}),
]


@pytest.fixture(scope="module")
def bed():
    with ScoreBed() as running:
        for name, kind, field, pattern, flags, _, _ in RULES:
            add(running, name, kind, pattern, field=field, flags=flags, weight=1.25, description=f"own {kind}")
        yield running


def add(bed, name, kind, pattern, field="", flags="i", weight=1, dry_run=False, description=""):
    bed.pg.sql("INSERT INTO mail.score_rules (name, kind, field, pattern, flags, weight, dry_run, description)"
               " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", name, kind, field, pattern, flags, weight, dry_run,
               description)


def marker(name):
    return f"{name}-{time.time():.6f}@sender.test"


def symbols(bed, text=None, **options):
    """What a message showed, by name."""
    one = marker("rule")
    text = text or message("ann@sender.test", "ann@example.test", message_id=one, **options)
    assert bed.send(text.replace("MARKER", one)).code == 250
    return {s["name"]: s for s in bed.row(one)["symbols"]}


def known(bed, name, **options):
    """Until the rule works: the snapshot comes with the next message or so."""
    return wait_until(lambda: symbols(bed, **options).get(name), 30, name)


@pytest.mark.parametrize("rule", RULES, ids=[r[0] for r in RULES])
def test_each_kind_fires_and_a_near_miss_does_not(bed, rule):
    name, fires, misses = rule[0], rule[-2], rule[-1]
    assert known(bed, name, **fires)["score"] == 1.25
    assert name not in symbols(bed, **misses)


def test_names_of_attachments_and_of_what_archives_hold(bed):
    add(bed, "R_FILE", "attachment", r"^invoice_\d+\.pdf$")
    part = ("From: ann@sender.test\r\nTo: ann@example.test\r\nSubject: files\r\nMessage-ID: <MARKER>\r\n"
            "Date: Sun, 29 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n'
            "--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=NAME\r\n\r\n"
            "%PDF-1.4\r\n--b--\r\n")
    hit = wait_until(lambda: symbols(bed, part.replace("NAME", "Invoice_77.pdf")).get("R_FILE"), 30, "R_FILE")
    assert hit["evidence"] == "Invoice_77.pdf"
    assert "R_FILE" not in symbols(bed, part.replace("NAME", "invoice.pdf"))


def test_the_receipt_says_what_was_found(bed):
    one = marker("receipt")
    text = message("ann@sender.test", "ann@example.test", message_id=one, body="Buy seven ducks!\r\n")
    assert bed.send(text).code == 250
    row = bed.row(one)
    said = bed.pg.sql("SELECT score::float, evidence, meaning FROM mail.explain(%s) WHERE symbol = 'R_BODY'",
                      row["queue_id"])
    assert said == [(1.25, "Buy seven ducks", "own body")]
    assert "R_BODY=1.250" in bed.score.lines(row["queue_id"], "action=")[0]


def test_a_change_in_sql_takes_effect_without_a_restart(bed):
    started = bed.score.process.pid
    body = {"body": "a heron stands in the reeds\r\n"}
    add(bed, "HERON", "body", "heron")
    assert known(bed, "HERON", **body)["score"] == 1
    bed.pg.sql("UPDATE mail.score_rules SET pattern = 'stork', weight = 2 WHERE name = 'HERON'")
    wait_until(lambda: "HERON" not in symbols(bed, **body), 30, "the new pattern")
    assert symbols(bed, body="a stork\r\n")["HERON"]["score"] == 2
    bed.pg.sql("DELETE FROM mail.score_rules WHERE name = 'HERON'")
    wait_until(lambda: "HERON" not in symbols(bed, body="a stork\r\n"), 30, "no rule")
    assert bed.score.process.pid == started


def test_a_dry_run_is_shown_and_not_counted(bed):
    one = {"body": "the coot dives\r\n"}
    add(bed, "COOT", "body", r"\bcoot\b", weight=50, dry_run=True)
    hit = known(bed, "COOT", **one)
    assert hit["dry_run"] and hit["score"] == 50
    bed.pg.sql("UPDATE mail.score_rules SET weight = 3, dry_run = false WHERE name = 'COOT'")
    wait_until(lambda: not symbols(bed, **one)["COOT"].get("dry_run"), 30, "the real run")


def test_a_bad_pattern_is_refused_and_named(bed):
    add(bed, "BAD_NEST", "body", "(a+)+$")
    add(bed, "BAD_SYNTAX", "subject", "(")
    bed.pg.sql("INSERT INTO mail.score_rules (name, kind, pattern, weight, enabled)"
               " VALUES ('BAD_OFF', 'body', '(', 1, false)")

    def problems():
        return dict(bed.pg.sql("SELECT substring(what FROM 'rule (\\S+)'), what FROM mail.check()"
                               " WHERE what LIKE 'rule %'"))
    said = wait_until(lambda: len(problems()) == 2 and problems(), 30, "two problems")
    assert "repetitions in repetitions" in said["BAD_NEST"] and "missing closing parenthesis" in said["BAD_SYNTAX"]
    assert bed.score.lines("event=row_unusable", "BAD_NEST: repetitions in repetitions")
    assert symbols(bed, body="Buy seven ducks, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\r\n")["R_BODY"]
    bed.pg.sql("UPDATE mail.score_rules SET pattern = 'aaaa!' WHERE name = 'BAD_NEST'")
    assert "BAD_NEST" not in problems()
    assert known(bed, "BAD_NEST", body="aaaaaaaaaa!\r\n")
    bed.pg.sql("DELETE FROM mail.score_rules WHERE name LIKE 'BAD%%'")
    wait_until(lambda: not bed.pg.sql("SELECT FROM mail.score_rule_problems"), 30, "no problem")


def test_a_rule_that_runs_away_on_a_message_is_given_up_and_told_once(bed):
    add(bed, "SLOW", "body", r"\w+\d")
    assert known(bed, "SLOW", body="number 5 is alive5\r\n")
    begin = time.monotonic()
    for _ in range(3):
        said = symbols(bed, body="a" * 990 + ("\r\n" + "a" * 990) * 3 + "\r\nbuy seven ducks\r\n", subject="run")
        assert "SLOW" not in said and "R_BODY" in said
        one = "".join("b" * 76 + "=\r\n" for _ in range(3000))  # one word of 228,000 letters
        text = (f"From: ann@sender.test\r\nTo: ann@example.test\r\nSubject: run\r\nMessage-ID: <MARKER>\r\n"
                "Date: Sun, 29 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
                f"Content-Transfer-Encoding: quoted-printable\r\n\r\nbuy seven ducks\r\n{one}\r\n")
        said = symbols(bed, text)
        assert "SLOW" not in said and "R_BODY" in said
    assert time.monotonic() - begin < 60
    lines = bed.score.lines("event=rule_given_up")
    assert len(lines) == 1 and "rule=SLOW" in lines[0]
    bed.score.process.kill(10)  # SIGUSR1: write the counters
    wait_until(lambda: (bed.score.state / "metrics.prom").exists() and read(
        (bed.score.state / "metrics.prom").read_text())["postward_score_rules_limited_total"] >= 3, 30, "counter")
    bed.pg.sql("DELETE FROM mail.score_rules WHERE name = 'SLOW'")


def test_scan_has_the_same_rules(bed, tmp_path):
    add(bed, "BAD_SCAN", "body", "(a|a)*b")
    path = tmp_path / "one.eml"
    path.write_text(message("ann@sender.test", "ann@example.test", body="Buy seven ducks\r\n"), newline="")
    done = subprocess.run([build() / "bin/postwardctl", "scan", "--database", bed.pg.conninfo(), path],
                          capture_output=True, text=True, check=True)
    assert "R_BODY" in done.stdout and done.returncode == 0 and "BAD_SCAN is left out: repetitions in repetitions" in done.stderr
    done = subprocess.run([build() / "bin/postwardctl", "scan", "--no-database", path],
                          capture_output=True, text=True, check=True)
    assert "R_BODY" not in done.stdout and not done.stderr
    bed.pg.sql("DELETE FROM mail.score_rules WHERE name = 'BAD_SCAN'")


ELSEWHERE = {"source": THIEF, "helo": "mail.sender.test", "sender": "eve@away.test"}
# property, entries, options of a message that fires, of one that is near
MAPS = [
    ("client", ["198.51.100.0/29", "2001:db8::/32"], {}, ELSEWHERE),
    ("name", [".sender.test"], {}, ELSEWHERE),
    ("helo", ["odd.sender.test"], {"helo": "ODD.sender.test"}, {"helo": "very.odd.sender.test"}),
    ("sender", ["eve@sender.test"], {"sender": "Eve@Sender.test"}, {"sender": "steve@sender.test"}),
    ("sender", [".club.test"], {"sender": "eve@members.club.test"}, {"sender": "eve@club.test"}),
    ("from", ["writer.test"], {"author": "bob@writer.test"}, {"author": "bob@ghost.writer.test"}),
    ("recipient", ["trap@example.test"], {"rcpts": ["ann@example.test", "trap+x@example.test"]},
     {"rcpts": ["trapper@example.test"]}),
]


def shown(bed, author=None, **options):
    one = marker("map")
    author = author or options.get("sender", "ann@sender.test")
    assert bed.send(message(author, "ann@example.test", message_id=one), **options).code == 250
    return {s["name"]: s for s in bed.row(one)["symbols"]}


def test_maps(bed):
    for n, (prop, entries, _, _) in enumerate(MAPS):
        bed.pg.sql("INSERT INTO mail.score_maps (name, property, weight) VALUES (%s, %s, %s)", f"m_{n}", prop, 0.5)
        bed.pg.sql("INSERT INTO mail.score_map_entries (map, entry) SELECT %s, unnest(%s::text[])", f"m_{n}", entries)
    wait_until(lambda: "M_0" in shown(bed), 30, "the maps")
    for n, (_, _, fires, misses) in enumerate(MAPS):
        assert shown(bed, **fires)[f"M_{n}"]["score"] == 0.5, MAPS[n]
        assert f"M_{n}" not in shown(bed, **misses), MAPS[n]
    assert shown(bed)["M_0"]["evidence"] == SENDER
    bed.pg.sql("DELETE FROM mail.score_map_entries WHERE map = 'M_0' AND entry LIKE '198%%'")
    wait_until(lambda: "M_0" not in shown(bed), 30, "the change")


def test_a_map_may_want_an_author_who_is_one(bed):
    bed.pg.sql("INSERT INTO mail.score_maps (name, property, weight, authenticated, dry_run)"
               " VALUES ('FRIENDS', 'from', -5, true, true), ('MATES', 'sender', -5, true, true)")
    bed.pg.sql("INSERT INTO mail.score_map_entries (map, entry) SELECT m, d FROM unnest('{FRIENDS,MATES}'::text[]) AS m,"
               " unnest('{sender.test,club.test}'::text[]) AS d")
    hit = wait_until(lambda: shown(bed).get("FRIENDS"), 30, "FRIENDS")
    assert hit["dry_run"] and "MATES" in shown(bed)
    said = shown(bed, author="ann@club.test", sender="ann@club.test")  # has neither SPF nor DMARC
    assert "FRIENDS" not in said and "MATES" not in said

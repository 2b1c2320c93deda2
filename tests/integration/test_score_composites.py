"""Composites: symbols that are made of other symbols, built in and the admin's own, on the receipt of a message."""
import subprocess
import time

import pytest
from score_bed import ScoreBed
from stack.clients import message
from stack.postward import build
from stack.proc import wait_until

LIST = ("List-Id: <birds.sender.test>\r\nList-Post: <mailto:birds@sender.test>\r\n"
        "List-Unsubscribe: <mailto:leave@sender.test>\r\n")
MUA = "X-Mailer: Microsoft Outlook Express 6.00.2800.1106\r\n"
DUCKS, GEESE = "buy seven ducks\r\n", "buy nine geese\r\n"


@pytest.fixture(scope="module")
def bed():
    with ScoreBed() as running:
        for name, pattern, weight in (("DUCKS", "seven ducks", 3), ("GEESE", "nine geese", 2), ("SWANS", "a swan", 1)):
            running.pg.sql("INSERT INTO mail.score_rules (name, kind, pattern, weight) VALUES (%s, 'body', %s, %s)",
                           name, pattern, weight)
        wait_until(lambda: "SWANS" in judged(running, "a swan\r\n")[0], 30, "rules")
        yield running


def add(bed, name, expression, weight=1, parts="keep", dry_run=False, description=""):
    bed.pg.sql("INSERT INTO mail.score_composites (name, expression, weight, parts, dry_run, description)"
               " VALUES (%s, %s, %s, %s, %s, %s)", name, expression, weight, parts, dry_run, description)


def judged(bed, body, **options):
    """What a message showed by name, and its row."""
    one = f"composite-{time.time():.6f}@sender.test"
    text = message("ann@sender.test", "ann@example.test", message_id=one, body=body, **options)
    assert bed.send(text).code in (250, 550)
    row = bed.row(one)
    return {s["name"]: s for s in row["symbols"]}, row


def known(bed, name, body, **options):
    """Until the composite works: the snapshot comes with the next message or so."""
    return wait_until(lambda: name in (said := judged(bed, body, **options))[0] and said, 30, name)


def remove(bed, name, body):
    bed.pg.sql("DELETE FROM mail.score_composites WHERE name = %s", name)
    wait_until(lambda: name not in judged(bed, body)[0], 30, f"{name} gone")


def receipt(bed, row):
    return bed.pg.sql("SELECT symbol, score::float, total::float, evidence, meaning FROM mail.explain(%s)", row["queue_id"])


def adds_up(bed, row):
    lines = receipt(bed, row)
    assert "(limits)" not in [line[0] for line in lines]
    assert round(sum(line[1] for line in lines[:-1]), 3) == lines[-1][2] == row["score"]
    return {line[0]: line for line in lines}


def test_a_composite_fires_with_its_parts_and_not_near_them(bed):
    add(bed, "birds", "DUCKS & (GEESE | SWANS) & !UPSTREAM_SPAM_FLAG", 1.5, description="two kinds of birds")
    said, row = known(bed, "BIRDS", DUCKS + GEESE)
    assert said["BIRDS"]["score"] == 1.5 and said["BIRDS"]["evidence"] == "DUCKS GEESE"
    assert adds_up(bed, row)["BIRDS"][4] == "two kinds of birds"
    assert "BIRDS" in judged(bed, DUCKS + "a swan\r\n")[0]
    for body, extra in ((DUCKS, ""), (GEESE + "a swan\r\n", ""), (DUCKS + GEESE, "X-Spam-Flag: YES\r\n")):
        assert "BIRDS" not in judged(bed, body, extra=extra)[0]
    remove(bed, "BIRDS", DUCKS + GEESE)


def test_points_of_the_parts_go_in_a_line_of_their_own(bed):
    add(bed, "FLOCK", "DUCKS & GEESE", 4, "remove weight")
    said, row = known(bed, "FLOCK", DUCKS + GEESE)
    assert (said["DUCKS"]["score"], said["GEESE"]["score"], said["parts:FLOCK"]["score"]) == (3, 2, -5)
    lines = adds_up(bed, row)
    assert lines["parts:FLOCK"][3:] == ("points of its parts", "FLOCK stands for its parts")
    assert "parts:FLOCK=-5.000" in bed.score.lines(row["queue_id"], "action=")[0]
    alone, other = judged(bed, DUCKS)
    assert "parts:FLOCK" not in alone and round(row["score"] - other["score"], 3) == 1  # 4 instead of 3
    bed.pg.sql("UPDATE mail.score_composites SET parts = 'remove symbol', expression = '+DUCKS & GEESE'")
    said, row = wait_until(lambda: "GEESE" not in (said := judged(bed, DUCKS + GEESE))[0] and said, 30, "the change")
    assert said["DUCKS"]["score"] == 3 and said["FLOCK"]["evidence"] == "DUCKS GEESE" and "parts:FLOCK" not in said
    adds_up(bed, row)
    remove(bed, "FLOCK", DUCKS + GEESE)


def test_a_dry_run_is_shown_and_changes_nothing(bed):
    before = judged(bed, DUCKS + GEESE)[1]["score"]
    add(bed, "DRY", "DUCKS & GEESE", 50, "remove symbol", dry_run=True)
    said, row = known(bed, "DRY", DUCKS + GEESE)
    assert said["DRY"]["dry_run"] and said["DRY"]["score"] == 50
    assert said["GEESE"]["score"] == 2 and row["score"] == before and row["action"] == "none"
    remove(bed, "DRY", DUCKS + GEESE)


def test_expressions_that_cannot_be_used_are_named_and_the_others_serve(bed):
    add(bed, "GOOD", "DUCKS & own")
    add(bed, "BAD_NAME", "DUCKS & NO_SUCH_BIRD")
    add(bed, "BAD_FORM", "(DUCKS")
    add(bed, "BAD_SELF", "DUCKS | GOOD")

    def problems():
        return dict(bed.pg.sql("SELECT substring(what FROM 'composite (\\S+)'), what FROM mail.check()"
                               " WHERE what LIKE 'composite %'"))
    said = wait_until(lambda: len(problems()) == 3 and problems(), 30, "three problems")
    assert said["BAD_NAME"].endswith("no symbol NO_SUCH_BIRD at character 9")
    assert said["BAD_FORM"].endswith("no end of the parenthesis at character 1")
    assert said["BAD_SELF"].endswith("GOOD is a composite itself, at character 9")
    assert bed.score.lines("event=row_unusable", "BAD_NAME: no symbol NO_SUCH_BIRD at character 9")
    shown = judged(bed, DUCKS)[0]
    assert "GOOD" in shown and not any(name.startswith("BAD") for name in shown)
    bed.pg.sql("UPDATE mail.score_composites SET expression = 'DUCKS' WHERE name = 'BAD_NAME'")
    assert "BAD_NAME" not in problems()
    known(bed, "BAD_NAME", DUCKS)
    bed.pg.sql("DELETE FROM mail.score_composites")
    wait_until(lambda: not bed.pg.sql("SELECT FROM mail.score_rule_problems"), 30, "no problem")


def test_what_lists_do_to_mail_is_forgiven_until_the_admin_says_otherwise(bed):
    forged = judged(bed, "Hello\r\n", extra=MUA)[0]
    assert "FORGED_MUA" in forged and "LIST_FORGIVEN" not in forged
    said, row = judged(bed, "Hello\r\n", extra=MUA + LIST)
    assert "MAILLIST" in said and "FORGED_MUA" not in said
    assert sorted(said["LIST_FORGIVEN"]["evidence"].split()) == ["FORGED_MUA", "MAILLIST"]
    assert adds_up(bed, row)["LIST_FORGIVEN"][4].startswith("list mail")
    assert "LIST_FORGIVEN" not in judged(bed, "Hello\r\n", extra=LIST)[0]  # nothing to forgive
    bed.pg.sql("UPDATE mail.score_symbols SET enabled = false WHERE name = 'LIST_FORGIVEN'")
    said = wait_until(lambda: "FORGED_MUA" in (said := judged(bed, "Hello\r\n", extra=MUA + LIST)[0]) and said, 30, "the change")
    assert "MAILLIST" in said and "LIST_FORGIVEN" not in said
    bed.pg.sql("UPDATE mail.score_symbols SET enabled = true WHERE name = 'LIST_FORGIVEN'")


def test_scan_has_the_same_composites(bed, tmp_path):
    add(bed, "SCANNED", "DUCKS & GEESE", 4, "remove weight")
    add(bed, "BAD_SCAN", "DUCKS &")
    path = tmp_path / "one.eml"
    path.write_text(message("ann@sender.test", "ann@example.test", body=DUCKS + GEESE), newline="")
    done = subprocess.run([build() / "bin/postwardctl", "scan", "--database", bed.pg.conninfo(), path],
                          capture_output=True, text=True, check=True)
    assert "4.000 SCANNED: DUCKS GEESE" in done.stdout and "-5.000 parts:SCANNED" in done.stdout
    assert "BAD_SCAN is left out: a name is missing at character 8" in done.stderr
    done = subprocess.run([build() / "bin/postwardctl", "scan", "--no-database", path],
                          capture_output=True, text=True, check=True)
    assert "SCANNED" not in done.stdout and not done.stderr
    bed.pg.sql("DELETE FROM mail.score_composites")


def test_the_symbols_that_are_built_in_are_offered(bed):
    assert bed.pg.sql("SELECT grp, built_in::float FROM mail.score_symbols WHERE name = 'LIST_FORGIVEN'") == [("composite", 0)]
    assert bed.pg.sql("SELECT built_in::float FROM mail.score_groups WHERE grp = 'composite'") == [(8,)]

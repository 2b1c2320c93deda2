"""postward-score behind a real Postfix: what it answers, leaves in the message and writes into
SQL, and what it does when the database or the DNS is away."""
import re
import time

import pytest
from score_bed import SENDER, SOURCE, THIEF, ScoreBed
from stack.clients import message
from stack.proc import wait_until

SPAMMY = ("Dear friend,\r\nACT NOW! Click here: http://192.0.2.9/x%20y\r\nViagra and cialis, lowest "
          "price, order now! 100% free, risk free, money back!\r\nTo be removed from our mailing "
          "list send remove in the subject. This is not spam.\r\n")


@pytest.fixture(scope="module")
def bed():
    with ScoreBed() as running:
        yield running


def mail(marker, sender="ann@sender.test", **options):
    return message(sender, "ann@example.test", message_id=marker, **options)


def marker(name):
    return f"{name}-{time.time():.6f}@sender.test"


def header(text, name):
    head = text.replace("\r\n", "\n").split("\n\n")[0]
    return [re.sub(r"\n[ \t]+", " ", value) for value in
            re.findall(rf"(?im)^{name}:[ \t]*(.*(?:\n[ \t].*)*)", head)]


def names(row):
    return {symbol["name"] for symbol in row["symbols"]}


def test_honest_mail_passes_with_its_results(bed):
    one = marker("ham")
    assert bed.send(mail(one)).code == 250
    text = bed.left(one)
    assert header(text, "Authentication-Results")[0].startswith("mx.example.test; spf=pass ")
    assert "dmarc=pass header.from=sender.test" in header(text, "Authentication-Results")[0]
    assert not header(text, "X-Spam") and header(text, "X-Spam-Status")[0].startswith("No, score=")
    row = bed.row(one)
    assert (row["action"], row["spf"], row["dkim"], row["dmarc"]) == ("none", "pass", "none", "pass")
    assert (row["client_address"], row["client_name"]) == (SENDER, "mail.sender.test")
    assert (row["sender"], row["recipients"]) == ("ann@sender.test", ["ann@example.test"])
    assert row["score"] < 1 and row["size"] > 200
    assert bed.score.lines(f"{row['queue_id']}: action=none, score_milli=", f"[{SENDER}]")


def test_forged_results_are_removed_and_others_stay(bed):
    one = marker("forged")
    forged = ["Authentication-Results: mx.example.test; spf=pass smtp.mailfrom=bank.test",
              "authentication-RESULTS: (x) MX.Example.Test 1; dmarc=pass header.from=bank.test",
              "Authentication-Results:\r\n mx.example.test;\r\n\tdkim=pass"
              + "".join(f"\r\n\t({'long ' * 20})" for _ in range(60)),
              'Authentication-Results: "mx.example.test"; none',
              "Authentication-Results: other.test; spf=fail",
              "Authentication-Results: mx.example.test.evil.test; spf=pass",
              *["Authentication-Results: mx.example.test; arc=pass"] * 50,
              "X-Spam: No", "X-Spam-Status: No, score=-100"]
    assert bed.send(mail(one, extra="".join(f"{line}\r\n" for line in forged))).code == 250
    text = bed.left(one)
    results = header(text, "Authentication-Results")
    assert [r.split(";")[0] for r in results] == ["mx.example.test", "other.test",
                                                  "mx.example.test.evil.test"]
    assert "bank.test" not in results[0] and "arc=none policy.arc-sets=0" in results[0]
    assert header(text, "X-Spam") == [] and "-100" not in text
    assert bed.score.lines(bed.row(one)["queue_id"], "forged=56")


def test_spam_is_marked_and_explained(bed):
    one = marker("spam")
    assert bed.send(mail(one, subject="ACT NOW!!! FREE VIAGRA", body=SPAMMY)).code == 250
    text, row = bed.left(one), bed.row(one)
    assert header(text, "X-Spam") == ["Yes"] and row["action"] == "add header"
    assert float(header(text, "X-Spam-Score")[0]) == row["score"] >= 6
    assert abs(sum(s["score"] for s in row["symbols"]) - row["score"]) < 1e-6
    lines = bed.pg.sql("SELECT symbol, total::float, meaning FROM mail.explain(%s)",
                       row["queue_id"])
    assert {"PHARMA", "SUBJ_ALL_CAPS"} <= {line[0] for line in lines}
    assert lines[-1][1] == row["score"] and all(line[2] for line in lines)


def test_weight_and_threshold_in_sql_count_at_once(bed):
    bed.pg.sql("UPDATE mail.score_symbols SET weight = 40 WHERE name = 'SUBJ_EXCLAIM'")

    def is_capped():
        one = marker("capped")
        assert bed.send(mail(one, subject="Hi!")).code == 250  # the group's cap holds
        return ("text", -32) in {(s["name"], s["score"]) for s in bed.row(one)["symbols"]}
    wait_until(is_capped, what="the new weight, capped")
    bed.pg.sql("UPDATE mail.score_groups SET max_score = 100 WHERE grp = 'text'")
    try:
        reply = wait_until(lambda: next((r for r in [bed.send(mail(marker("w"), subject="Hi!"))]
                                         if r.code == 550), None), what="a refusal")
        assert reply.text.startswith("5.7.1 ")
        bed.pg.sql("UPDATE mail.score_actions SET dry_run = true WHERE action = 'reject'")
        wait_until(lambda: bed.send(mail(marker("w"), subject="Hi!")).code == 250, what="dry run")
        assert bed.score.lines('action="add header"', "dry_run=reject")
    finally:
        bed.pg.sql("UPDATE mail.score_symbols SET weight = NULL WHERE name = 'SUBJ_EXCLAIM'")
        bed.pg.sql("UPDATE mail.score_groups SET max_score = NULL")
        bed.pg.sql("UPDATE mail.score_actions SET dry_run = false WHERE action = 'reject'")

    def counts_little():
        one = marker("w")
        return bed.send(mail(one, subject="Hi!")).code == 250 and bed.row(one)["score"] < 6
    wait_until(counts_little, what="the old weight")


def test_every_symbol_is_offered_to_sql(bed):
    count, bare = bed.pg.sql("SELECT count(*), count(*) FILTER (WHERE description = '')"
                             " FROM mail.score_symbols")[0]
    assert count > 100 and bare == 0
    table = (SOURCE / "common/core/symbols.def").read_text()
    assert bed.pg.value("SELECT count(*) FROM mail.score_groups") == table.count("\nPW_GROUP(")


def test_own_domain_from_a_stranger(bed):
    one = marker("local")
    assert bed.send(mail(one, sender="bob@example.test")).code == 250
    assert "SPOOF_LOCAL_DOMAIN" in names(bed.row(one))


def test_client_is_the_one_xclient_names(bed):
    one = marker("xclient")
    before = (f"XCLIENT ADDR={THIEF} NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE]"
              " HELO=localhost", "EHLO localhost")
    assert bed.send(mail(one, sender="x@nothing.test"), "x@nothing.test", before=before).code == 250
    row = bed.row(one)
    assert row["client_address"] == THIEF
    assert {"RDNS_NONE", "HELO_LOCALHOST", "SPF_NA", "AUTH_NONE"} <= names(row)


def test_dmarc_reject_reaches_the_client(bed):
    text = mail(marker("dmarc"), sender="ceo@bank.test")
    reply = bed.send(text, "ceo@bank.test", THIEF, "thief.test")
    assert reply.code == 550 and reply.text.startswith("5.7.26 ") and "bank.test" in reply.text
    bed.score.reload(dmarc_reject="dry-run")
    try:
        wait_until(lambda: bed.send(mail(marker("dmarc"), sender="ceo@bank.test"), "ceo@bank.test",
                                    THIEF, "thief.test").code == 250, what="the dry run")
        assert bed.score.lines('dry_run="dmarc reject"')
    finally:
        bed.score.reload(dmarc_reject="reject")


def test_dns_away_is_silence(bed):
    bed.dns.stop()
    bed.score.stop()
    bed.score.start(dns_deadline="1s")
    try:
        one = marker("nodns")
        begin = time.monotonic()
        assert bed.send(mail(one, sender="ceo@bank.test"), "ceo@bank.test").code == 250
        assert time.monotonic() - begin < 25
        row = bed.row(one)
        assert (row["spf"], row["dmarc"]) == ("temperror", "temperror")
        assert not names(row) & {"AUTH_NONE", "SPF_FAIL", "DMARC_FAIL_REJECT", "RDNS_NONE"}
    finally:
        bed.dns.process.start()
        wait_until(lambda: (bed.dns.root / "control").exists(), what="DNS server")
        bed.score.stop()
        bed.score.start(dns_deadline="5s")


def test_goes_on_without_the_database(bed):
    bed.pg.stop()
    try:
        bed.score.stop()
        bed.score.start(snapshot_wait="0s")  # from the snapshot it stored
        one = marker("nodb")
        assert bed.send(mail(one, sender="bob@example.test")).code == 250
        assert "SPOOF_LOCAL_DOMAIN" in bed.left(one)  # the domain is in the snapshot alone
    finally:
        bed.pg.start()
    assert bed.row(one)["action"] in ("none", "add header")  # written once it is back

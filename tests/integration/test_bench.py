"""The benches still run: with sizes that say nothing about speed."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stack.dialect import is_2_4
from stack.postward import SOURCE

sys.path.append(str(SOURCE / "tests/bench"))
import accuracy_stats as stats  # noqa: E402
import corpora  # noqa: E402


HARAKA = Path("/var/tmp/postward-haraka")  # where an earlier bench left it


def ratios_of(*command):
    done = subprocess.run([*map(str, command)], check=False, timeout=600, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert all(value > 0 for value in said["ratios"].values())
    return said


@pytest.mark.long
@pytest.mark.skipif(is_2_4(), reason="the bench sets up the stock driver of Dovecot 2.3")
def test_the_auth_bench_runs():
    said = ratios_of(SOURCE / "tests/bench/auth", "--json", "--users", 200, "--pairs", 1,
                     "--seconds", 0.3, "--messages", 10)
    assert {"userdb_vs_stock", "passdb_vs_stock", "auth_vs_stock", "append_p50_vs_count",
            "userdb_p50_ms_under_bcrypt"} <= set(said["ratios"])


@pytest.mark.long
def test_the_edge_bench_runs():
    edges = (["direct", "nginx", "proxy", "null", "queue", "live"]
             + (["haraka"] if HARAKA.is_dir() else []))
    said = ratios_of(SOURCE / "tests/bench/edge", "--json", "--quick", "--edges", ",".join(edges))
    assert set(said["rows"]["10 kB, 20 at once"]) == set(edges)
    assert 0 < said["origin_pss_mb_100_sessions"] < 15
    assert {"proxy_rate_vs_nginx_10k", "proxy_rate_vs_null_10k"} <= set(said["ratios"])
    if HARAKA.is_dir():
        assert {"live_rate_vs_haraka_10k", "live_rate_vs_haraka_100k", "live_time_vs_haraka_rtt20",
                "edge_cpu_vs_haraka", "edge_pss_vs_haraka"} <= set(said["ratios"])


@pytest.mark.long
def test_the_policy_bench_runs():
    said = ratios_of(SOURCE / "tests/bench/policy", "--json", "--quick")
    assert {"rate_vs_null_32", "p99_ms_paced_2000", "max_answer_ms_frozen_db"} <= set(said["ratios"])
    assert said["ratios"]["max_answer_ms_frozen_db"] < 500  # answer_deadline
    assert ("rate_vs_postfwd_32" in said["ratios"]) == ("postfwd" not in said["missing"])


@pytest.mark.long
def test_the_dkim_bench_runs():
    said = ratios_of(SOURCE / "tests/bench/dkim", "--json", "--quick")
    assert "cpu_vs_limit" in said["ratios"]
    assert {"null", "rsa", "ed25519", "both", "raw"} <= set(said["rows"]["10 kB, 8 at once"])
    if "opendkim" not in said["missing"]:
        assert {"rsa_rate_vs_opendkim_10k_8", "cpu_vs_opendkim", "rss_vs_opendkim"} <= set(said["ratios"])


def test_recall_is_told_at_a_share_of_ham():
    ham, spam = list(range(200)), [150.0, 198.0, 199.0, 300.0]
    found = stats.figures(ham, spam, 199, (0.005, 0.01))
    assert found["false_positives"][0] == 1 / 200
    assert found["recall"][0] == 2 / 4
    assert found["recall_at_0.5"][0] == 2 / 4  # one of ham may lie above: those over 198
    assert found["recall_at_1"][0] == 3 / 4
    assert found["auc"][0] == pytest.approx((150.5 + 198.5 + 199.5 + 200) / 4 / 200)
    assert all(low <= value <= high for value, low, high in found.values())


def test_the_same_scores_tell_nothing_apart():
    assert stats.auc([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 0.5
    assert stats.recall_at([1.0] * 3, [1.0] * 3, 0.01) == 0


LISTED = b"""From bounce@lists.example Mon Sep  2 10:00:00 2024
Received: from lists.sourceforge.net (lists.sourceforge.net [216.105.38.7])
\tby mail.lfdr.de (Postfix) with ESMTPS id AAA; Mon, 02 Sep 2024 10:00:05 +0000
Received: from relay.shop.example (unknown [8.9.10.11])
\tby sfi-mx-2.v28.lw.sourceforge.com with ESMTPS id BBB; Mon, 02 Sep 2024 10:00:01 +0000
X-Spam-Flag: YES
X-MS-Exchange-Organization-SCL: 5
X-MSMail-Priority: High
List-Id: <osst-users.lists.sourceforge.net>
From: Shop via osst-users <osst-users@lists.sourceforge.net>
Reply-To: Shop <shop@shop.example>
To: osst-users@lists.sourceforge.net
Subject: [SPAM] [osst-users] Offer

Text for phishing@pot of osst-users.
"""


def test_mail_of_a_corpus_does_not_tell_its_label():
    text, envelope = corpora.clean(LISTED, "corpus-new", "osst-users")
    assert text == (b"X-MSMail-Priority: High\nFrom: \"Shop\" <shop@shop.example>\nTo: user@example.net\n"
                    b"Subject: Offer\n\nText for user@example.net of project.\n")
    assert (envelope["ip"], envelope["helo"]) == ("8.9.10.11", "relay.shop.example")
    assert envelope["client"] == "p-8-9-10-11.rev.test"
    assert envelope["recipient"] == "user@example.net"
    assert envelope["sender"] == "bounce@lists.example"


def test_old_mail_keeps_the_fields_of_its_list():
    text, envelope = corpora.clean(LISTED, "corpus", "easy_ham")
    assert b"List-Id: <osst-users" in text and b"X-Spam" not in text and b"[SPAM]" not in text
    assert envelope["ip"] == "216.105.38.7" and text.count(b"Received:") == 1  # the field of the MX itself is gone


HAM = """From: Ann <ann@ham{n}.example>
To: Bob <bob@example.net>
Subject: The meeting of day {n}
Date: Mon, 2 Sep 2024 10:00:00 +0000
Message-ID: <{n}@ham{n}.example>
X-Spam-Flag: YES

We met at nine, as agreed; the minutes follow in a week. {n}
"""
SPAM = """From: "MAKE MONEY" <x{n}@spam.example>
Subject: ACT NOW!!! YOU HAVE WON $1,000,000 {n}

Dear friend, I am the widow of a minister and need your help to transfer 25 million dollars out of
the country. This is 100% risk free. Click http://192.0.2.{n}/win to claim your prize.
"""


@pytest.fixture
def mail_folders(tmp_path):
    """TRAIN and TEST."""
    for folder, first in (("train", 1), ("test", 101)):
        for label, text in (("ham", HAM), ("spam", SPAM)):
            (tmp_path / folder / label).mkdir(parents=True)
            for n in range(first, first + 20):
                (tmp_path / folder / label / str(n)).write_text(text.format(n=n))
    return tmp_path / "train", tmp_path / "test"


@pytest.mark.long
def test_the_accuracy_bench_runs(mail_folders, tmp_path):
    said = ratios_of(SOURCE / "tests/bench/accuracy", *mail_folders, "--json", "--work", tmp_path / "work",
                     "--cache", tmp_path / "cache", "--systems", "postward,rspamd", "--bayes", "no")
    rows = said["rows"]["test"]["rules"]
    assert rows["postward"]["auc"][0] == 1 and rows["postward"]["recall"][0] == 1
    assert rows["postward"]["false_positives"][0] == 0  # X-Spam-Flag would have been 4 points
    assert ("rspamd" in rows) == ("rspamd" not in said["missing"])
    if "rspamd" in rows:
        assert rows["rspamd"]["auc"][0] > 0.9 and len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.long
@pytest.mark.skipif(not os.environ.get("PW_TEST_DATA"), reason="no corpora: set PW_TEST_DATA")
def test_the_score_bench_runs():
    said = ratios_of(SOURCE / "tests/bench/score", "--json", "--quick")
    assert said["rows"]["DNS at once"]["postward"]["rate"] > 0
    if "rspamd" not in said["missing"]:
        assert set(said["ratios"]) == {"rate_vs_rspamd", "cpu_vs_rspamd", "p99_vs_rspamd", "pss_vs_rspamd",
                                       "p50_vs_rspamd_slow_dns"}
        assert said["questions"]["rspamd"]["zen.spamhaus.org A"] > 0

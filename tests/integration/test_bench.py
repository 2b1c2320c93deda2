"""The benches still run: with sizes that say nothing about speed."""
import json
import subprocess
from pathlib import Path

import pytest

from stack.dialect import is_2_4
from stack.postward import SOURCE


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

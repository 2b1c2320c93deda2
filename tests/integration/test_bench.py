"""The benches still run: with sizes that say nothing about speed."""
import json
import subprocess

import pytest

from stack.dialect import is_2_4
from stack.postward import SOURCE


@pytest.mark.long
@pytest.mark.skipif(is_2_4(), reason="the bench sets up the stock driver of Dovecot 2.3")
def test_the_auth_bench_runs():
    done = subprocess.run([SOURCE / "tests/bench/auth", "--json", "--users", "200", "--pairs", "1",
                           "--seconds", "0.3", "--messages", "10"], check=False, timeout=600,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ratios = json.loads(done.stdout.splitlines()[-1])["ratios"]
    assert {"userdb_vs_stock", "passdb_vs_stock", "auth_vs_stock", "append_p50_vs_count",
            "userdb_p50_ms_under_bcrypt"} <= set(ratios)
    assert all(value > 0 for value in ratios.values())

"""100,000 lookups of the auth driver in a real Dovecot whose auth process runs under valgrind, and
with the driver built with the address sanitizer: nothing leaks, no wild access."""
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from dovecot_bed import children
from stack.dialect import is_2_4
from stack.netns import run
from stack.postward import SOURCE
from stack.proc import wait_until

sys.path.append(str(SOURCE / "tests/bench"))

pytestmark = [pytest.mark.long,
              pytest.mark.skipif(is_2_4(), reason="it sets up auth in the words of Dovecot 2.3")]

USERS = 34000
REACHABLE_MAX = 1 << 20  # what is still held at the end does not grow with the lookups
# GDB: Dovecot keeps modules loaded to the end, so that their names can be told
CHECKED = """
import_environment = TZ GDB=1
service auth {{
  executable = %s
  user = root
  vsz_limit = 0
}}
"""


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    program = tmp_path_factory.mktemp("load") / "auth_load"
    run("cc", "-O2", "-std=gnu17", "-o", program, SOURCE / "tests/bench/auth_load.c")
    return program


@pytest.fixture(scope="module")
def database():
    from auth_beds import Database
    bed = Database(USERS)
    yield bed
    bed.close()


@pytest.fixture(scope="module")
def sanitized():
    """The driver with the sanitizers, and their libraries."""
    run("cmake", "--preset", "asan", "-G", "Ninja", cwd=SOURCE)
    run("cmake", "--build", "build-asan", "--target", "authdb_postward", cwd=SOURCE, timeout=600)
    return (SOURCE / "build-asan/lib/auth/libauthdb_postward.so",
            ":".join(run("cc", f"-print-file-name={name}.so").strip() for name in ("libasan", "libubsan")))


def auth_binary():
    return run("doveconf", "-dh", "libexec_dir").strip() + "/auth"


def checked_run(database, load, command, driver=None):
    """All lookups while auth runs under command; the auth process has then ended by itself, and
    the log says how. What it complained of stands in the checker's own log."""
    from auth_beds import OURS, AuthDovecot
    dovecot = AuthDovecot(database.dir / f"checked-{driver is None}",
                          OURS.replace("{cache}", "0") + CHECKED % f"{command} {auth_binary()}")
    if driver:
        shutil.copy(driver, dovecot.modules / "auth")
    dovecot.start()
    try:
        for mode in ("user", "pass", "auth"):
            done = dovecot.load(load, mode, "-c", 4, "-u", USERS, "-w", "-t", 500, timeout=1500)
            assert done["ok"] > 0 and done["failed"] == 0
        ours = [c.pid for c in children(dovecot.process.pid)
                if "auth" in os.readlink(f"/proc/{c.pid}/exe") or "auth_" in c.title or "/auth" in c.title]
        assert ours
        for pid in ours:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in ours), 300, "auth's end")
    finally:
        dovecot.stop()
    return dovecot.crashes()


def said(database, name):
    return "\n".join(p.read_text() for p in database.dir.glob(name + "*"))


def test_valgrind_finds_nothing(database, load):
    crashes = checked_run(database, load, f"/usr/bin/valgrind --leak-check=full --num-callers=30"
                          f" --log-file={database.dir}/valgrind.%%p")
    text = said(database, "valgrind.")
    lost = re.findall(r"(?:definitely|indirectly|possibly) lost: ([\d,]+) bytes", text)
    errors = re.findall(r"ERROR SUMMARY: (\d+) errors", text)
    held = [int(n.replace(",", "")) for n in re.findall(r"still reachable: ([\d,]+) bytes", text)]
    assert errors and set(errors) == {"0"}, text
    assert lost and set(lost) == {"0"}, text
    assert max(held) < REACHABLE_MAX, text
    assert not crashes


def test_the_address_sanitizer_finds_nothing(database, load, sanitized):
    driver, libraries = sanitized
    log = database.dir / "asan"
    crashes = checked_run(database, load, f"/usr/bin/env LD_PRELOAD={libraries} ASAN_OPTIONS=detect_leaks=1:"
                f"log_path={log}:atexit=1 UBSAN_OPTIONS=log_path={log}:print_stacktrace=1", driver)
    text = said(database, "asan")
    assert "Stats:" in text  # it was there
    assert not re.search("ERROR|LeakSanitizer|runtime error", text), text
    assert not crashes

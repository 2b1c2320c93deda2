"""The database room against a real PostgreSQL that is stopped, frozen and started under it.

Each C program of tests/unit/db does the work; this file lends it a throw-away server."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PW_BUILD", ROOT / "build"))
PG_BIN = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
PROGRAMS = ["test_pool", "test_session", "test_async", "test_snapshot", "test_writer"]

# The server's own word for the C programs. A frozen PostgreSQL is all its processes stopped;
# they are children of the postmaster, whose pid is the first line of postmaster.pid.
CONTROL = """#!/bin/sh
pid=$(head -1 {data}/postmaster.pid 2>/dev/null)
case $1 in
start) exec runuser -u postgres -- {bin}/pg_ctl -D {data} -w -l {data}/log start >/dev/null ;;
stop)  exec runuser -u postgres -- {bin}/pg_ctl -D {data} -w -m immediate stop >/dev/null ;;
freeze) kill -STOP $pid $(ps -o pid= --ppid $pid) ;;
thaw)   kill -CONT $pid $(ps -o pid= --ppid $pid) ;;
esac
"""


@pytest.fixture(scope="module")
def server():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pw-db-"))
    data, control = folder / "data", folder / "control"
    shutil.chown(folder, "postgres")
    run = ["runuser", "-u", "postgres", "--"]
    subprocess.run([*run, PG_BIN / "initdb", "-D", data, "-A", "trust", "-U", "postgres",
                    "-E", "UTF8", "--no-sync"], check=True, stdout=subprocess.DEVNULL)
    with open(data / "postgresql.conf", "a") as conf:
        conf.write(f"listen_addresses = ''\nunix_socket_directories = '{folder}'\n"
                   "fsync = off\nport = 15500\n")
    control.write_text(CONTROL.format(data=data, bin=PG_BIN))
    control.chmod(0o755)
    subprocess.run([control, "start"], check=True)
    try:
        yield {"PW_TEST_DATABASE": f"host={folder} port=15500 user=postgres dbname=postgres",
               "PW_TEST_SERVER": str(control)}
    finally:
        subprocess.run([control, "thaw"], check=False, stderr=subprocess.DEVNULL)
        subprocess.run([control, "stop"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder)


@pytest.mark.parametrize("program", PROGRAMS)
def test_against_postgresql(server, program):
    path = BUILD / "tests" / "unit" / f"unit_db_{program}"
    done = subprocess.run([path], env={**os.environ, **server}, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout

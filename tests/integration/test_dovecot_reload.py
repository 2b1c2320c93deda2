"""Dovecot that is reloaded or given a module of another Dovecot, PostgreSQL that wants TLS from one
moment to the next: nobody is told `wrong`. Faults by their number in the project's list."""
import os
import re
import socket
import threading

import pytest

from dovecot_bed import wait_until
from login_bed import ANN, PASSWORDS, Bed
from stack.netns import run


@pytest.fixture
def bed():
    b = Bed()
    yield b
    b.close()


def verdict(bed, password=PASSWORDS[ANN]):
    """OK, wrong, away; lost: the auth process ended under the question, as any reload does."""
    try:
        verb, fields = bed.plain(ANN, password)
    except (OSError, EOFError, AssertionError):
        return "lost"
    return "OK" if verb == "OK" else "away" if fields.get("code") == "temp_fail" else "wrong"


def logs_in(bed):
    wait_until(lambda: verdict(bed) == "OK", 30, "a login")


# ---- fault 31: TLS from one moment to the next

ADDRESS = f"127.31.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"


def new_certificate(postgres):
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=db",
        "-keyout", postgres.data / "server.key", "-out", postgres.data / "server.crt")
    run("chown", "postgres:", postgres.data / "server.key", postgres.data / "server.crt")
    run("chmod", "0600", postgres.data / "server.key")


def demand(postgres, kind):
    """host or hostssl: how Dovecot may come. It has to come again."""
    (postgres.data / "pg_hba.conf").write_text(f"local all all trust\n{kind} all all 127.0.0.0/8 trust\n")
    postgres.sql("SELECT pg_reload_conf()")
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dovecot'")


def comes_by_tls(postgres):
    return postgres.sql("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                        "WHERE usename = 'dovecot'") == [(True,)]


def test_fault_31_database_suddenly_wants_tls(bed):
    postgres = bed.postgres
    postgres.stop()
    with open(postgres.data / "postgresql.auto.conf", "a", encoding="utf8") as conf:
        conf.write(f"listen_addresses = '{ADDRESS}'\n")
    postgres.start()
    demand(postgres, "host")
    bed.dovecot.stop()
    bed.write_settings(database=f"host={ADDRESS} user=dovecot dbname=mail")
    bed.dovecot.start()
    logs_in(bed)
    assert not comes_by_tls(postgres)
    new_certificate(postgres)
    postgres.sql("ALTER SYSTEM SET ssl = on")
    demand(postgres, "hostssl")
    logs_in(bed)
    wait_until(lambda: comes_by_tls(postgres), 20, "TLS")
    new_certificate(postgres)
    demand(postgres, "hostssl")
    logs_in(bed)
    bed.dovecot.stop()
    bed.write_settings(database=f"host={ADDRESS} user=dovecot dbname=mail sslmode=disable")
    bed.dovecot.start()
    assert verdict(bed) == verdict(bed, "wrong") == "away"
    assert bed.dovecot.lines("no encryption")


# ---- fault 34: reload, and a module of another Dovecot

def test_fault_34_reload_under_logins(bed):
    said = set()
    stop = threading.Event()

    def log_in():
        while not stop.is_set():
            said.add(verdict(bed))

    threads = [threading.Thread(target=log_in) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(5):
        begun = len(bed.dovecot.lines("SIGHUP received"))
        bed.dovecot.doveadm("reload")
        wait_until(lambda n=begun: len(bed.dovecot.lines("SIGHUP received")) > n, 20, "the reload")
        logs_in(bed)
    stop.set()
    for t in threads:
        t.join()
    assert "OK" in said
    assert said <= {"OK", "lost", "away"}


def test_fault_34_module_of_another_abi(bed):
    """The auth process does not begin; IMAP answers (that it waits, or BYE) and nobody is refused.
    With the right module all is well."""
    module = bed.dovecot.modules / "auth/libauthdb_postward.so"
    right = module.read_bytes()
    foreign, count = re.subn(rb"(2\.\d\.ABI)v", rb"\1w", right)
    assert count
    bed.dovecot.stop()
    module.write_bytes(foreign)
    bed.dovecot.start()
    with socket.create_connection(("127.0.0.1", bed.dovecot.port), 20) as imap:
        wait_until(lambda: bed.dovecot.lines("different ABI version"), 20, "the log says why")
        imap.settimeout(20)
        assert imap.recv(100).startswith((b"* OK", b"* BYE"))
    assert bed.dovecot.process.is_running()
    assert not bed.dovecot.lines("child", "killed with signal")
    bed.dovecot.stop()
    bed.dovecot.log.unlink()  # what it holds is Fatal, and said so above
    module.write_bytes(right)
    bed.dovecot.start()
    logs_in(bed)

"""The installed services of a machine, with what tests/stack's own instances have as well: the story
does not see the difference."""
import contextlib
import ctypes
import os
import platform
import re
import shlex
import threading
from pathlib import Path

import psycopg2

from stack.dovecot import crashes
from stack.postward import PROGRAMS
from stack.proc import wait_until

SPOOL = Path("/var/spool/postfix")
# glibc's own would change all threads
SYS_SETRESUID = {"x86_64": 117, "aarch64": 147}


class Postfix:
    def __init__(self, machine):
        self.machine, self.ns = machine, machine.ns

    def queue(self):
        """Files in the queue (names of the queue folders incoming to hold)."""
        spool = self.machine.file(SPOOL)
        return [f for folder in ("maildrop", "incoming", "active", "deferred", "hold")
                for f in (spool / folder).rglob("*") if f.is_file()]

    def lines(self, *words, start=0):
        return self.machine.lines(*words, start=start)

    def log_size(self):
        return self.machine.log_size()

    def set(self, *settings):
        self.postconf("-e", *settings)

    def postconf(self, *args):
        return self.machine.run(f"postconf {shlex.join(args)}")

    def reload(self):
        old, told = self._servers(), len(self.lines("reload -- version"))
        self.machine.run("postfix reload")
        wait_until(lambda: len(self.lines("reload -- version")) > told, 60, "Postfix to reload", 0.1)
        wait_until(lambda: not old & self._servers(), 60, "Postfix's old processes to go", 0.1)

    def _servers(self):
        """Processes that read settings at their start."""
        found = set()
        for pid in self.machine.processes():
            with contextlib.suppress(OSError):
                program = Path(os.readlink(f"/proc/{pid}/exe"))
                if "postfix" in program.parts and program.name in ("smtpd", "cleanup", "lmtp"):
                    found.add(pid)
        return found

    def hold(self, transport):
        """What is for a transport waits in the queue."""
        self.set(f"defer_transports = {transport}")
        self.reload()

    def release(self):
        self.postconf("-X", "defer_transports")
        self.reload()
        self.flush()

    def flush(self):
        self.machine.run("postqueue -f")


class Postgres:
    """Reached by its socket, as the user postgres: what stock peer authentication lets in."""

    def __init__(self, machine, database="postward"):
        self.machine, self.database = machine, database

    def start(self):
        self.machine.run("systemctl start postgresql")
        wait_until(self._answers, what="PostgreSQL", step_s=0.1)

    def stop(self):
        self.machine.run("systemctl stop postgresql 'postgresql@*'")

    def _answers(self):
        try:
            self.connect("postgres").close()
            return True
        except (psycopg2.OperationalError, OSError):
            return False

    def connect(self, database=None):
        folder = os.open(self.machine.live("/run/postgresql"), os.O_PATH)
        uid = int(re.search(r"^postgres:[^:]*:(\d+):", self.machine.read("/etc/passwd"), re.M)[1])
        try:
            with _as_user(uid):
                connection = psycopg2.connect(f"host=/proc/self/fd/{folder} user=postgres"
                                              f" dbname={database or self.database}")
        finally:
            os.close(folder)
        connection.autocommit = True
        return connection

    def sql(self, statement, *values, database=None):
        """Rows of one statement (a list of tuples; empty if it returns none)."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, statement, *values, **options):
        """First column of the first row, or None."""
        rows = self.sql(statement, *values, **options)
        return rows[0][0] if rows else None


class _as_user:
    """The calling thread alone, for a connect() whose peer asks who it is."""

    def __init__(self, uid):
        self.uid = uid

    def __enter__(self):
        self._set(self.uid)

    def __exit__(self, *_):
        self._set(0)

    @staticmethod
    def _set(uid):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(SYS_SETRESUID[platform.machine()], -1, uid, -1) != 0:
            raise OSError(ctypes.get_errno(), f"setresuid in {threading.current_thread().name}")


class Program:
    """One of our daemons: its unit, and its part of the journal."""

    def __init__(self, machine, name):
        self.machine, self.name = machine, name
        _, self.role = PROGRAMS[name]
        self.unit = f"{name}.service"

    @property
    def sockets(self):
        name = self.name.replace("postward-", "").replace("policyd", "policy")
        return [self.machine.live(SPOOL / f"postward/{name}.sock")]

    def is_running(self):
        return self.machine.try_run(f"systemctl is-active {self.unit}").stdout.strip() == "active"

    def lines(self, *words):
        return self.machine.lines(f" {self.name}[", *words)


class Dovecot:
    def __init__(self, machine):
        self.machine = machine

    def doveadm(self, *args):
        return self.machine.run(f"doveadm {shlex.join(args)}")

    def lines(self, *words, start=0):
        return self.machine.lines(" dovecot[", *words, start=start)

    def crashes(self):
        """Lines no healthy run has."""
        return crashes(self.lines())

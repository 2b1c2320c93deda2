"""A throw-away PostgreSQL, reached over its unix socket only."""
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg2

from .proc import Process, wait_until


def binaries():
    """Folder of the newest installed server's programs."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))[-1]


class Postgres:
    def __init__(self, root, ns=None):
        self.root, self.ns = root, ns
        self.data, self.socket = root / "data", root / "run"
        self.process = None

    def create(self):
        self.root.mkdir()
        self.socket.mkdir()
        for folder in (self.root, self.socket):
            shutil.chown(folder, "postgres", "postgres")
            folder.chmod(0o755)
        self._as_postgres(binaries() / "initdb", "-D", self.data, "-A", "trust", "-N",
                          "--locale=C.UTF-8", "-E", "UTF8", "-U", "postgres")
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf8") as conf:
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.socket}'\n"
                       "fsync = off\nfull_page_writes = off\nshared_buffers = 32MB\n"
                       "max_connections = 60\n")
        return self

    @staticmethod
    def _as_postgres(*command):
        subprocess.run(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                        *map(str, command)], check=True, capture_output=True, cwd="/")

    def start(self):
        self.process = Process("postgres", ["setpriv", "--reuid=postgres", "--regid=postgres",
                                            "--init-groups", binaries() / "postgres", "-D",
                                            self.data], self.root / "postgres.log", self.ns)
        self.process.start()
        wait_until(self._answers, what="PostgreSQL")
        return self

    def _answers(self):
        try:
            self.connect("postgres").close()
            return True
        except psycopg2.OperationalError:
            if not self.process.is_running():
                raise
            return False

    def stop(self, number=signal.SIGINT):
        """SIGINT: fast shutdown; SIGQUIT: as in a crash."""
        if self.process is not None:
            self.process.stop(number, 20)
            self.process = None

    def conninfo(self, user="postgres", database="mail"):
        return f"host={self.socket} user={user} dbname={database}"

    def connect(self, database="mail", user="postgres"):
        connection = psycopg2.connect(self.conninfo(user, database))
        connection.autocommit = True
        return connection

    def sql(self, statement, *values, user="postgres", database="mail"):
        """Rows of one statement (a list of tuples; empty if it returns none)."""
        connection = self.connect(database, user)
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

"""PostgreSQL with the schema and some users, and a Dovecot that asks it: what the tests of
logins share."""
import contextlib
import os
import signal
import subprocess

from auth_client import AuthClient
from dovecot_bed import Dovecot, MAIL_UID, children, place, remove, wait_until
from stack.postgres import Postgres
from stack.postward import SOURCE

CONFIG = """
mail_location = sdbox:~/mail
mail_home = {root}/mail/%d/%n
auth_mechanisms = plain login scram-sha-256 scram-sha-1 cram-md5
auth_cache_size = {cache}
passdb {{
  driver = postward
  args = {root}/../postward-dovecot.conf
}}
userdb {{
  driver = postward
  args = {root}/../postward-dovecot.conf
}}
"""

PASSWORDS = {"ann@example.test": "correct-horse-battery", "bob@example.test": "staple-of-bob-16"}
ANN, BOB = PASSWORDS
GONE = "gone@example.test"  # disabled


def new_database(directory):
    postgres = Postgres(directory / "pg").create().start()
    postgres.sql("CREATE DATABASE mail", database="postgres")
    for migration in sorted((SOURCE / "sql/migrations").glob("*.sql")):
        postgres.sql(migration.read_text())
    postgres.sql("SELECT mail.add_domain('example.test')")
    postgres.sql("UPDATE mail.settings SET value = %s WHERE name IN ('mail_uid', 'mail_gid')",
                 str(MAIL_UID))
    for user, password in PASSWORDS.items():
        add_user(postgres, user, hashed("SSHA512", password))
    add_user(postgres, GONE, hashed("SSHA512", PASSWORDS[ANN]), enabled=False)
    return postgres


def hashed(scheme, password, user=ANN):
    """user: a few schemes have the name in the hash."""
    return subprocess.run(["doveadm", "pw", "-s", scheme, "-p", password, "-u", user], check=True,
                          capture_output=True, text=True).stdout.strip()


def add_user(postgres, user, password, enabled=True):
    postgres.sql("INSERT INTO mail.virtual_users (email, password, enabled, quota_mb) "
                 "VALUES (%s, %s, %s, 5)", user, password, enabled)


def keep_any_hash(postgres):
    """What SQL's CHECK refuses is for tables of one's own."""
    postgres.sql("ALTER DOMAIN mail.password_hash DROP CONSTRAINT IF EXISTS password_hash")
    postgres.sql("ALTER TABLE mail.virtual_users "
                 "DROP CONSTRAINT IF EXISTS virtual_users_password_check")


class Bed:
    """PostgreSQL and Dovecot together.

    cache: auth_cache_size. config: more of dovecot.conf. settings: of the drivers."""

    def __init__(self, cache="0", config="", **settings):
        self.dir = place()
        self.postgres = new_database(self.dir)
        self.settings = {"database": self.postgres.conninfo("dovecot"), "auth_socket": "",
                         **settings}
        self.write_settings()
        self.dovecot = Dovecot(self.dir / "dovecot", CONFIG.replace("{cache}", cache) + config)
        self.dovecot.start()

    def write_settings(self, **changes):
        self.settings.update(changes)
        (self.dir / "postward-dovecot.conf").write_text(
            "".join(f"{name} = {value}\n" for name, value in self.settings.items()))

    def client(self):
        return AuthClient(self.dovecot.root / "run" / "auth-client")

    def plain(self, user, password, **options):
        with self.client() as c:
            return c.plain(user, password, **options)

    def definite(self, user, password, **options):
        """The answer of a database that is there; on a busy machine it may take too long."""
        answers = []

        def is_definite():
            answers.append(self.plain(user, password, **options))
            return answers[-1][1].get("code") != "temp_fail"

        wait_until(is_definite, what="a definite answer")
        return answers[-1]

    def connections(self):
        return self.postgres.value("SELECT count(*) FROM pg_stat_activity "
                                   "WHERE application_name = 'postward-dovecot'")

    def signal_database(self, number):
        """The server and all its processes."""
        main = self.postgres.process.pid
        for pid in [main, *(c.pid for c in children(main))]:
            os.kill(pid, number)

    def workers(self):
        """Process ids of Dovecot's auth workers."""
        return [c.pid for c in children(self.dovecot.process.pid)
                if c.title.startswith("dovecot/auth") and c.title != "dovecot/auth"]

    @contextlib.contextmanager
    def stopped_workers(self):
        workers = self.workers()
        assert workers
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    def kill_workers(self):
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)
            self.dovecot.killed.add(pid)

    def crash_database(self):
        self.postgres.stop(signal.SIGQUIT)

    def close(self):
        self.dovecot.stop()
        self.postgres.stop()
        try:
            self.dovecot.check_log()
        finally:
            remove(self.dir)



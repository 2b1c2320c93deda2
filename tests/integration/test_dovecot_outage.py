"""PostgreSQL that is not there, refuses, stands behind PgBouncer or moves to another machine: logins
wait or fail as temporary, nobody is told `wrong`. Faults by their number in the project's list."""
import itertools
import shutil
import signal
import threading
import time

import pytest

from dovecot_bed import wait_until
from login_bed import ANN, BOB, PASSWORDS, Bed, add_user, hashed
from stack.postgres import Postgres, binaries
from stack.proc import Process


@pytest.fixture
def bed():
    b = Bed()
    yield b
    b.close()


@pytest.fixture(scope="module")
def mended():
    """For tests that mend what they spoil."""
    b = Bed()
    yield b
    b.close()


def verdict(bed, user=ANN, password=None, **options):
    """OK, wrong or away."""
    verb, fields = bed.plain(user, password or PASSWORDS[user], **options)
    return "OK" if verb == "OK" else "away" if fields.get("code") == "temp_fail" else "wrong"


def recovers(bed, timeout_s=30):
    wait_until(lambda: verdict(bed) == "OK", timeout_s, "recovery")
    says(bed, "wrong", ANN, PASSWORDS[BOB])


def says(bed, expected, *whom):
    """Once it is there and answers in time, it says this and nothing else."""
    seen = set()
    wait_until(lambda: seen.add(v := verdict(bed, *whom)) or v != "away", 30, "a definite answer")
    assert seen <= {expected, "away"}


def away_for_all(bed):
    """Right, wrong and unknown are temporary failures alike; asked at once, they wait together."""
    with bed.client() as c:
        for user, password in ((ANN, PASSWORDS[ANN]), (ANN, PASSWORDS[BOB]), ("eve@x.test", "x")):
            c.start("PLAIN", f"\0{user}\0{password}".encode())
        answers = [c._line(60) for _ in range(3)]
    return all(a.startswith("FAIL\t") and "code=temp_fail" in a for a in answers)


# ---- fault 5: not there when we start

def test_fault_5_database_down_at_start(bed):
    bed.dovecot.stop()
    bed.crash_database()
    bed.dovecot.start()
    assert away_for_all(bed)
    assert bed.dovecot.lines("postward: database unreachable")
    bed.postgres.start()
    recovers(bed)


# ---- fault 6: it refuses

REFUSALS = {
    "rights": ("REVOKE EXECUTE ON FUNCTION mail.dovecot_passdb(text, text, text) FROM postward_dovecot",
               "GRANT EXECUTE ON FUNCTION mail.dovecot_passdb(text, text, text) TO postward_dovecot",
               "permission denied"),
    "schema": ("ALTER FUNCTION mail.dovecot_passdb(text, text, text) RENAME TO dovecot_passdb_new",
               "ALTER FUNCTION mail.dovecot_passdb_new(text, text, text) RENAME TO dovecot_passdb",
               "does not exist"),
    "role": ("ALTER ROLE dovecot NOLOGIN", "ALTER ROLE dovecot LOGIN", "not permitted to log in"),
    "connections": ("ALTER ROLE dovecot CONNECTION LIMIT 0", "ALTER ROLE dovecot CONNECTION LIMIT -1",
                    "too many connections"),
    "database": ("ALTER DATABASE mail ALLOW_CONNECTIONS false", "ALTER DATABASE mail ALLOW_CONNECTIONS true",
                 "not currently accepting connections"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_fault_6_database_refuses(mended, what):
    spoil, mend, told = REFUSALS[what]
    says(mended, "OK")
    mended.postgres.sql(spoil, database="postgres" if what == "database" else "mail")
    mended.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dovecot'",
                     database="postgres")
    if what in ("rights", "schema"):  # of the function for one look-up: there is no waiting
        assert {verdict(mended), verdict(mended, ANN, PASSWORDS[BOB]),
                verdict(mended, "eve@x.test", "x")} == {"away"}
    else:
        assert away_for_all(mended)
    wait_until(lambda: mended.dovecot.lines(told), 20, "the log says why")
    mended.postgres.sql(mend, database="postgres" if what == "database" else "mail")
    recovers(mended)


# ---- fault 7: it dies in the middle

def test_fault_7_database_dies_under_many_logins(bed):
    """Each gets one answer, OK or temporary; none of them a wrong verdict."""
    verdict(bed)
    with bed.client() as c:
        for _ in range(200):
            c.start("PLAIN", f"\0{ANN}\0{PASSWORDS[ANN]}".encode())
        bed.crash_database()
        ids = {}
        for _ in range(200):
            verb, number, *fields = c._line(30).split("\t")
            assert number not in ids
            ids[number] = verb
            assert verb == "OK" or "code=temp_fail" in fields
        assert len(ids) == 200
    bed.postgres.start()
    recovers(bed)


def test_fault_7_connection_cut_again_and_again(bed):
    """Only the connection dies; nobody hears `wrong`."""
    wrong = []
    stop = threading.Event()

    def log_in():
        while not stop.is_set():
            if (v := verdict(bed)) == "wrong":
                wrong.append(v)

    threads = [threading.Thread(target=log_in) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(10):
        bed.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dovecot'")
        time.sleep(0.3)
    stop.set()
    for t in threads:
        t.join()
    assert not wrong


# ---- fault 8: it swallows everything

def test_fault_8_database_hangs(bed):
    says(bed, "OK")
    bed.signal_database(signal.SIGSTOP)
    try:
        start = time.monotonic()
        assert verdict(bed) == "away"
        assert 2.5 < time.monotonic() - start
    finally:
        bed.signal_database(signal.SIGCONT)
    recovers(bed)


# ---- fault 9: another server

class Pair:
    """A primary and a standby that streams from it; `primary` is the one of the bed."""

    def __init__(self, bed, attributes):
        self.primary = bed.postgres
        self.standby = Postgres(bed.dir / "standby")
        self.copy()
        bed.dovecot.stop()
        bed.write_settings(database=f"host={self.primary.socket},{self.standby.socket} "
                                    f"user=dovecot dbname=mail target_session_attrs={attributes}")
        bed.dovecot.start()

    def copy(self):
        root = self.standby.root
        root.mkdir()
        self.standby.socket.mkdir()
        for folder in (root, self.standby.socket):
            shutil.chown(folder, "postgres", "postgres")
            folder.chmod(0o755)
        self.primary.sql("ALTER SYSTEM SET hot_standby_feedback = on", database="postgres")
        Postgres._as_postgres(binaries() / "pg_basebackup", "-h", self.primary.socket, "-U", "postgres",
                              "-D", self.standby.data, "-R", "-X", "stream", "-c", "fast")
        with open(self.standby.data / "postgresql.auto.conf", "a", encoding="utf8") as conf:
            conf.write(f"unix_socket_directories = '{self.standby.socket}'\n")
        self.standby.start()
        wait_until(lambda: self.standby.value("SELECT count(*) FROM mail.virtual_users") >= 2, 30,
                   "the standby's copy")

    def promote(self):
        self.standby.sql("SELECT pg_promote(wait => true)", database="postgres")


class Load:
    """Logins at a rate, right and wrong ones; every answer with its time."""

    def __init__(self, bed, rate):
        self.bed, self.rate = bed, rate
        self.answers = []  # (password was right, verdict)
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(rate // 5)]
        for t in self.threads:
            t.start()

    def run(self):
        pause = len(self.threads) / self.rate
        with self.bed.client() as c:
            for n in itertools.count(1):
                if self.stop.wait(pause):
                    return
                right = n % 10 != 0
                verb, fields = c.plain(ANN, PASSWORDS[ANN if right else BOB], wait_s=60)
                self.answers.append((right, "OK" if verb == "OK" else
                                     "away" if fields.get("code") == "temp_fail" else "wrong"))

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()
        return self.answers


@pytest.mark.long
@pytest.mark.parametrize("attributes", ["any", "read-write"])
def test_fault_9_failover_during_100_logins_a_second(bed, attributes):
    pair = Pair(bed, attributes)
    try:
        says(bed, "OK")
        load = Load(bed, 100)
        time.sleep(5)
        pair.primary.stop(signal.SIGQUIT)
        time.sleep(1)
        pair.promote()
        time.sleep(8)
        answers = load.end()
        assert len(answers) > 500
        assert {v for right, v in answers if right} <= {"OK", "away"}
        assert {v for right, v in answers if not right} <= {"wrong", "away"}
        assert "OK" in {v for right, v in answers[-100:] if right}
        away = sum(v == "away" for _, v in answers)
        print(f"{len(answers)} logins, {away} temporary failures")
        recovers(bed)
    finally:
        bed.dovecot.stop()
        pair.standby.stop()


@pytest.mark.long
def test_fault_9_a_standby_serves_logins_and_nothing_is_written_there(bed):
    bed.postgres.sql("UPDATE mail.settings SET value = 'SHA512-CRYPT' WHERE name = 'password_scheme'")
    pair = Pair(bed, "any")
    try:
        pair.primary.stop(signal.SIGQUIT)
        for _ in range(5):
            says(bed, "OK")
            says(bed, "wrong", ANN, PASSWORDS[BOB])
        time.sleep(1)
        assert not bed.dovecot.lines("hashed anew") and not bed.dovecot.lines("read-only")
    finally:
        bed.dovecot.stop()
        pair.standby.stop()


def test_fault_9_old_primary_answers_read_only(bed):
    """Reads go on; what would be written (a new hash) waits for better times, quietly."""
    bed.postgres.sql("UPDATE mail.settings SET value = 'SHA512-CRYPT' WHERE name = 'password_scheme'")
    bed.postgres.sql("ALTER ROLE dovecot SET default_transaction_read_only = on")
    for _ in range(3):
        says(bed, "OK")
    says(bed, "wrong", ANN, PASSWORDS[BOB])
    hash_of_ann = "SELECT password FROM mail.virtual_users WHERE email = %s"
    time.sleep(1)
    assert bed.postgres.value(hash_of_ann, ANN).startswith("{SSHA512}")
    assert not bed.dovecot.lines("hashed anew")
    bed.postgres.sql("ALTER ROLE dovecot RESET default_transaction_read_only")
    bed.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dovecot'")
    wait_until(lambda: verdict(bed) == "OK" and
               bed.postgres.value(hash_of_ann, ANN).startswith("{SHA512-CRYPT}"), 20, "the new hash")


# ---- PgBouncer

PGBOUNCER = """[databases]
mail = host={server} dbname=mail user=dovecot
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 2
server_reset_query_always = 0
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


@pytest.fixture(scope="module")
def pooled():
    b = Bed(cache="1M")
    folder = b.dir / "pgbouncer"
    folder.mkdir()
    shutil.chown(folder, "postgres", "postgres")
    (folder / "pgbouncer.ini").write_text(PGBOUNCER.format(server=b.postgres.socket, folder=folder))
    bouncer = Process("pgbouncer", ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                                    "pgbouncer", folder / "pgbouncer.ini"], b.dir / "pgbouncer.out")
    bouncer.start()
    wait_until(lambda: (folder / ".s.PGSQL.6432").exists(), 20, "PgBouncer")
    b.dovecot.stop()
    b.write_settings(prepared_statements="no",
                     database=f"host={folder} port=6432 user=dovecot dbname=mail")
    b.dovecot.start()
    b.bouncer = bouncer
    yield b
    b.dovecot.stop()
    bouncer.stop()
    b.close()


def test_through_pgbouncer_in_transaction_mode(pooled):
    add_user(pooled.postgres, "slow@example.test", hashed("SHA512-CRYPT", PASSWORDS[ANN]))
    app = pooled.postgres.value("SELECT mail.add_app_password(%s, 'phone')", ANN)
    with pooled.client() as c:
        for n in range(200):
            user, password = [(ANN, PASSWORDS[ANN]), (ANN, app), (BOB, PASSWORDS[BOB]),
                              ("slow@example.test", PASSWORDS[ANN])][n % 4]
            c.start("PLAIN", f"\0{user}\0{password}".encode(), rip=f"192.0.2.{n}")  # not cached
        for _ in range(200):
            line = c._line(60)
            assert line.startswith("OK\t") or "code=temp_fail" in line
    says(pooled, "wrong", ANN, PASSWORDS[BOB])
    pooled.postgres.sql("INSERT INTO mail.virtual_users (email) SELECT 'many' || n || '@example.test' "
                        "FROM generate_series(1, 1500) n")
    assert len(pooled.dovecot.doveadm("user", "*").split()) == pooled.postgres.value(
        "SELECT count(*) FROM mail.virtual_users")


def test_changes_are_followed_through_pgbouncer(pooled):
    for _ in range(2):
        says(pooled, "OK", BOB)
    pooled.postgres.sql("UPDATE mail.virtual_users SET suspended = 'x' WHERE email = %s", BOB)
    wait_until(lambda: verdict(pooled, BOB) != "OK", 20, "the change")


def test_pgbouncer_restarts(pooled):
    says(pooled, "OK")
    pooled.bouncer.stop(signal.SIGKILL)
    pooled.bouncer.start()
    recovers(pooled)


# ---- many users

@pytest.mark.long
def test_iteration_of_100000_users(bed):
    bed.postgres.sql("INSERT INTO mail.virtual_users (email) SELECT 'many' || n || '@example.test' "
                     "FROM generate_series(1, 100000) n")
    bed.postgres.sql("ANALYZE")
    start = time.monotonic()
    listed = bed.dovecot.doveadm("user", "*").split()
    print(f"{len(listed)} users in {time.monotonic() - start:.1f} s")
    assert len(listed) == len(set(listed)) == bed.postgres.value("SELECT count(*) FROM mail.virtual_users")

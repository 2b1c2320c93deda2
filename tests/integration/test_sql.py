"""Schema mail: migrations by postwardctl, pgTAP files, dump and restore, notifications."""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from stack.postgres import Postgres, binaries
from stack.postward import build
from stack.proc import wait_until

ROOT = Path(__file__).resolve().parents[2]
CTL = build() / "bin/postwardctl"
MIGRATIONS = ROOT / "sql/migrations"
PASSWORDS = [  # password, salt, rounds
    ("pw", "saltsalt", None), ("p", "s", None), ("sixteen letters.", "ABC./xyz01234567", 1000),
    ("Grüße an alle, ẞ und 漢字", "abc", None), ("Grüße an alle, ẞ und 漢字", "abc", 4999),
    ("x" * 63, "salt", None), ("x" * 64, "salt", None), ("x" * 65, "salt", 1001),
    ("y" * 200, "longsaltlongsalt", None), ("tab\there 'quote' \\ back", "s.s/", 5000),
]


class Server(Postgres):
    """The throw-away PostgreSQL of the harness, with several databases."""

    def run(self, program, *args):
        return subprocess.run([str(binaries() / program), "-h", str(self.socket), "-U", "postgres", *map(str, args)],
                              check=True, capture_output=True, text=True).stdout

    def create_database(self, name):
        self.sql(f"CREATE DATABASE {name}", database="postgres")

    def ctl(self, name, *args, **more):
        return subprocess.run([str(CTL), *args, "--database", self.conninfo(database=name)],
                              capture_output=True, text=True, timeout=60, **more)

    def dump(self, name):
        # newer pg_dumps put a random word into \restrict
        return [line for line in self.run("pg_dump", "--schema-only", name).splitlines()
                if not line.startswith("\\")]


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="pw-sql-"))
    folder.chmod(0o755)
    made = Server(folder / "pg").create().start()
    yield made
    made.stop()
    shutil.rmtree(folder)


@pytest.fixture
def database(server):
    """A fresh database with the schema; its name."""
    name = "t%d" % time.monotonic_ns()
    server.create_database(name)
    done = server.ctl(name, "schema", "migrate", "--dir", str(MIGRATIONS))
    assert done.returncode == 0, done.stdout + done.stderr
    return name


def fill_vectors(server, name):
    cursor = server.connect(name).cursor()
    cursor.execute("CREATE EXTENSION pgtap; CREATE TABLE address_vectors (input text, normal text);"
                   "CREATE TABLE crypt_vectors (password text, salt text, rounds int, hash text)")
    for line in (ROOT / "tests/vectors/addresses.tsv").read_text().splitlines():
        if not line.startswith("#"):
            given, normal = line.split("\t")
            cursor.execute("INSERT INTO address_vectors VALUES (%s, %s)",
                           (given, None if normal in ("null", "syntax", "limit") else normal))
    for password, salt, rounds in PASSWORDS:
        full = salt if rounds is None else f"rounds={rounds}${salt}"
        made = subprocess.run(["openssl", "passwd", "-6", "-salt", full, "-stdin"], check=True, text=True,
                              capture_output=True, input=password + "\n").stdout.strip()
        cursor.execute("INSERT INTO crypt_vectors VALUES (%s, %s, %s, %s)", (password, salt, rounds, made))


@pytest.mark.parametrize("path", sorted((ROOT / "tests/pgtap").glob("*.sql")), ids=lambda p: p.stem)
def test_pgtap(server, database, path):
    fill_vectors(server, database)
    done = subprocess.run(["pg_prove", "-h", str(server.socket), "-U", "postgres", "-d", database, "--verbose",
                           str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", [p for p in sorted((ROOT / "docs").glob("*.md")) if "```sql\n" in p.read_text()],
                         ids=lambda p: p.stem)
def test_statements_of_the_pages_run(server, database, page):
    server.sql("SELECT mail.add_domain(d), mail.add_user('ann@' || d, 'sixteen letters.')"
               " FROM unnest('{example.org,example.test}'::text[]) AS d", database=database)
    script = "".join(re.findall("```sql\n(.*?)```", page.read_text(), re.DOTALL))
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(server.socket), "-U", "postgres", "-d", database],
                          input=script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_migrate_twice_changes_nothing(server, database):
    before = server.dump(database)
    again = server.ctl(database, "schema", "migrate", "--dir", str(MIGRATIONS), "--json")
    assert again.returncode == 0 and json.loads(again.stdout)["applied_now"] == 0
    assert server.dump(database) == before
    verify = server.ctl(database, "schema", "verify", "--dir", str(MIGRATIONS))
    assert verify.returncode == 0, verify.stdout


def test_upgrade_keeps_what_is_there(server, tmp_path):
    """From the schema before logins got their switches: data stays, and everybody may go on logging in."""
    old = tmp_path / "sql"
    old.mkdir()
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < "0013":
            shutil.copy(path, old)
    server.create_database("upgrade")
    assert server.ctl("upgrade", "schema", "migrate", "--dir", str(old)).returncode == 0
    cursor = server.connect("upgrade").cursor()
    cursor.execute("SELECT mail.add_domain('d.test'), mail.add_user('ann@d.test', 'sixteen letters.', 7);"
                   "SELECT mail.add_user('off@d.test', 'sixteen letters.');"
                   "UPDATE mail.virtual_users SET enabled = false WHERE email = 'off@d.test';"
                   "SELECT mail.record_usage('[{\"user\": \"ann@d.test\", \"bytes\": 5, \"messages\": 2}]')")
    cursor.execute("SELECT password FROM mail.virtual_users WHERE email = 'ann@d.test'")
    password, = cursor.fetchone()
    cursor.execute("SELECT mail.generation()")
    before, = cursor.fetchone()
    assert server.ctl("upgrade", "schema", "migrate", "--dir", str(MIGRATIONS)).returncode == 0
    verify = server.ctl("upgrade", "schema", "verify", "--dir", str(MIGRATIONS))
    assert verify.returncode == 0, verify.stdout
    cursor.execute("SELECT \"user\", password, nologin FROM mail.dovecot_passdb('ann@d.test', 'imap')")
    assert cursor.fetchall() == [("ann@d.test", password, False)]  # of daemons not yet upgraded
    cursor.execute("SELECT login, credential, refusal FROM unnest(ARRAY['ann@d.test', 'off@d.test']) AS login,"
                   "mail.dovecot_passdb(login, 'pop3', '') ORDER BY login")
    assert cursor.fetchall() == [("ann@d.test", 0, None), ("off@d.test", 0, "disabled")]
    cursor.execute("SELECT quota_bytes, used_bytes, used_messages, warned_percent FROM mail.snapshot_quotas"
                   " WHERE address = 'ann@d.test'")
    assert cursor.fetchall() == [(7 << 20, 5, 2, 0)]
    cursor.execute("SELECT login FROM mail.dovecot_changes(%s)", (before,))
    assert cursor.fetchall() == [(None,), ("*",)]  # nobody followed changes then: caches forget all


def test_two_migrate_at_once(server):
    server.create_database("together")
    command = [str(CTL), "schema", "migrate", "--dir", str(MIGRATIONS), "--database", server.conninfo(database="together")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert run.returncode == 0, out + err
    cursor = server.connect("together").cursor()
    cursor.execute("SELECT count(*), max(version) FROM mail.schema_version")
    files = sorted(MIGRATIONS.glob("*.sql"))
    assert cursor.fetchone() == (len(files), int(files[-1].name[:4]))


def test_status_before_and_exit_codes(server):
    server.create_database("empty")
    status = server.ctl("empty", "schema", "status", "--dir", str(MIGRATIONS), "--json")
    assert status.returncode == 1
    assert {row["state"] for row in json.loads(status.stdout)["migrations"]} == {"pending"}
    assert server.ctl("empty", "schema", "nonsense").returncode == 2
    assert server.ctl("empty", "schema", "status", "--dir", "/nowhere").returncode == 66
    assert server.ctl("no_such_database", "schema", "status", "--dir", str(MIGRATIONS)).returncode == 69


def test_broken_migration_leaves_nothing(server, database, tmp_path):
    copy = tmp_path / "sql"
    shutil.copytree(MIGRATIONS, copy)
    before = server.dump(database)
    broken = copy / "9000-broken.sql"
    broken.write_text("CREATE TABLE mail.half (x int);\n-- ü\nSELECT nothing FROM mail.users;\n")
    done = server.ctl(database, "schema", "migrate", "--dir", str(copy))
    assert done.returncode == 70 and "9000-broken.sql:3: " in done.stderr
    broken.write_text("CREATE TABLE mail.half (x int); COMMIT; BEGIN;")
    done = server.ctl(database, "schema", "migrate", "--dir", str(copy))
    assert done.returncode == 70 and "ends the transaction" in done.stderr
    server.connect(database).cursor().execute("DROP TABLE mail.half")
    assert server.dump(database) == before
    broken.unlink()
    with open(copy / "0002-names.sql", "a") as file:
        file.write("-- changed\n")
    done = server.ctl(database, "schema", "migrate", "--dir", str(copy))
    assert done.returncode == 1 and "0002-names" in done.stdout


@pytest.mark.parametrize("harm, word", [
    ("GRANT EXECUTE ON FUNCTION mail.check() TO PUBLIC", "everybody"),
    ("GRANT SELECT ON mail.messages TO PUBLIC", "everybody"),
    ("ALTER TABLE mail.virtual_users DISABLE TRIGGER tidy", "switched off"),
    ("ALTER FUNCTION mail.check() RESET search_path", "search_path"),
    ("ALTER TABLE mail.events OWNER TO postgres", "belongs to"),
])
def test_verify_finds(server, database, harm, word):
    server.connect(database).cursor().execute(harm)
    done = server.ctl(database, "schema", "verify", "--dir", str(MIGRATIONS))
    assert done.returncode == 1 and word in done.stdout


def test_dump_and_restore_give_the_same(server, database, tmp_path):
    source = server.connect(database).cursor()
    source.execute("SELECT mail.add_domain('d.test'), mail.add_user('ann@d.test', 'sixteen letters.'),"
                   "mail.add_alias('info@d.test', 'ann@d.test')")
    copy = database + "copy"
    server.create_database(copy)
    whole = tmp_path / "whole.dump"
    server.run("pg_dump", "-Fc", "-f", whole, database)
    server.run("pg_restore", "--exit-on-error", "-d", copy, whole)
    assert server.dump(copy) == server.dump(database)
    target = server.connect(copy).cursor()
    for cursor in (source, target):
        cursor.execute("SELECT array_agg(e) FROM mail.resolve_ends('info@d.test') AS e")
        assert cursor.fetchone() == (["ann@d.test"],)
    target.execute("SELECT mail.add_user('bob@d.test', 'sixteen letters.')")
    assert server.ctl(copy, "schema", "verify", "--dir", str(MIGRATIONS)).returncode == 0


def wait_notices(connection, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not connection.notifies:
        select.select([connection], [], [], max(0, end - time.monotonic()))
        connection.poll()
    return [n.payload for n in connection.notifies]


def test_changes_notify_and_reads_do_not(server, database):
    listener = server.connect(database, "postward_policy")
    listen = listener.cursor()
    listen.execute("LISTEN postward; SELECT mail.generation()")
    before = listen.fetchone()[0]
    admin = server.connect(database).cursor()
    admin.execute("INSERT INTO mail.virtual_domains (name) VALUES ('d.test')")
    assert wait_notices(listener, 60) == ["virtual_domains"]
    listen.execute("SELECT mail.generation()")
    assert listen.fetchone()[0] == before + 1
    listener.notifies.clear()
    dkim = server.connect(database, "postward_dkim").cursor()
    dkim.execute("SELECT * FROM mail.dkim_take_requests()")  # asked at each notification
    listen.execute("SELECT mail.record_usage('[]'), mail.record_events('[{\"kind\": \"x\"}]')")
    assert wait_notices(listener, 0.5) == []


def blocked(server):
    return server.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", database="postgres")


def test_two_who_change_at_once_are_both_heard(server, database):
    """Whoever follows the feed while one change is held open misses neither it nor the next one."""
    server.sql("SELECT mail.add_domain('d.test')", database=database)
    server.sql("INSERT INTO mail.virtual_users (email) VALUES ('ann@d.test'), ('bob@d.test')", database=database)
    follower = server.connect(database, "dovecot").cursor()

    def heard(since):
        follower.execute("SELECT generation, login FROM mail.dovecot_changes(%s)", (since,))
        rows = follower.fetchall()
        return rows[0][0], {login for _, login in rows[1:]}

    before, _ = heard(0)
    first = server.connect(database)
    first.autocommit = False
    first.cursor().execute("UPDATE mail.virtual_users SET may_pop3 = false WHERE email = 'ann@d.test'")
    second = threading.Thread(target=server.sql, kwargs={"database": database}, args=(
        "UPDATE mail.virtual_users SET may_imap = false WHERE email = 'bob@d.test'",))
    second.start()
    wait_until(lambda: blocked(server), 20, "the second to wait")
    assert heard(before) == (before, set())
    first.commit()
    second.join(20)
    assert heard(before) == (before + 2, {"ann@d.test", "bob@d.test"})
    assert heard(before + 1) == (before + 2, {"bob@d.test"})


def test_passwd_from_standard_input(server, database):
    cursor = server.connect(database).cursor()
    cursor.execute("SELECT mail.add_domain('d.test'), mail.add_user('ann@d.test', 'sixteen letters.')")
    done = server.ctl(database, "passwd", "Ann@d.test", input="ein langes Paßwort\n")
    assert done.returncode == 0, done.stderr
    cursor.execute("SELECT password, mail.sha512_crypt('ein langes Paßwort', split_part(password, '$', 4),"
                   "                                   100000) FROM mail.virtual_users")
    stored, made = cursor.fetchone()
    assert stored == "{SHA512-CRYPT}" + made
    assert server.ctl(database, "passwd", "ann@d.test", input="short\n").returncode == 65
    assert server.ctl(database, "passwd", "nobody@d.test", input="sixteen letters.\n").returncode == 65


def test_passwd_from_a_terminal_shows_nothing(server, database):
    cursor = server.connect(database).cursor()
    cursor.execute("SELECT mail.add_domain('d.test'), mail.add_user('ann@d.test', 'sixteen letters.')")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(CTL, [str(CTL), "passwd", "--database", server.conninfo(database=database), "ann@d.test"])
    seen, typed, end = b"", 0, time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                piece = os.read(terminal, 1000)
            except OSError:
                break
            seen += piece
        if typed < 2 and seen.count(b": ") > typed:
            time.sleep(0.1)  # the prompt stands before the echo is off
            os.write(terminal, b"typed by somebody\n")
            typed += 1
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert b"typed" not in seen

"""docs/migrate.md, run as it is written: users of other systems, DKIM keys, mail; and the files
that are nothing of the kind."""
import base64
import imaplib
import json
import os
import re
import shutil
import subprocess
import time

import psycopg2.errors
import pytest

from dovecot_bed import MAIL_UID, Dovecot, place, remove
from login_bed import Bed
from stack.dialect import is_2_4
from stack.postgres import Postgres
from stack.postward import SOURCE, build

PAGE = (SOURCE / "docs/migrate.md").read_text()
VECTORS = SOURCE / "tests/vectors/migrate"
PASSWORD = "correct-horse-battery"  # of most hashes there
TABLES = {
    "virtual_domains": "name, enabled, note", "alias_domains": "name, target, enabled",
    "virtual_users": "email, password, quota_mb, quota_messages, enabled, may_receive, name, may_imap, may_pop3, may_smtp,"
                     " may_sieve, allow_nets",
    "virtual_aliases": "source, destination, enabled", "sender_permissions": "login, pattern",
}
# What MariaDB's client printed, and a docker that runs what it is told on this host.
MYSQL = """#!/bin/sh
for last; do :; done
exec cat "$VECTORS/${last#SELECT \\* FROM }.tsv"
"""
DOCKER = """#!/bin/sh
[ "$1 $2 $3 $4" = "compose exec -T mysql-mailcow" ] || exit 64
shift 4
exec "$@"
"""


def blocks(heading):
    """The shell commands below a heading."""
    text = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", PAGE, re.M | re.S)[1]
    return re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)


@pytest.fixture(scope="module")
def server():
    folder = place()
    made = Postgres(folder / "pg").create().start()
    made.sql("CREATE DATABASE ready", database="postgres")
    subprocess.run([build() / "bin/postwardctl", "schema", "migrate", "--dir", SOURCE / "sql/migrations", "--database",
                    made.conninfo(database="ready")], check=True, capture_output=True)
    yield made
    made.stop()
    remove(folder)


class Host:
    """A shell where the default database is a fresh one; /etc/opendkim.conf and its like are ours."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.etc = folder / "etc"
        (folder / "bin").mkdir()
        for name, text in (("mysql", MYSQL), ("docker", DOCKER)):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        self.env = {**os.environ, "PATH": f"{folder / 'bin'}:{build() / 'bin'}:{os.environ['PATH']}",
                    "PGHOST": str(server.socket), "PGUSER": "postgres", "LANG": "C.UTF-8"}

    def fresh(self):
        for statement in ("DROP DATABASE IF EXISTS postward", "CREATE DATABASE postward TEMPLATE ready"):
            self.server.sql(statement, database="postgres")
        return self

    def sh(self, script, vectors="", codes=(0,)):
        hide = "[ ! -d /etc/postward ] || mount -t tmpfs none /etc/postward\n"
        if self.etc.exists():
            hide = f"mount --bind {self.etc} /etc\n"
        done = subprocess.run(["unshare", "-m", "sh", "-c", hide + script], cwd=self.folder, capture_output=True, text=True,
                              env={**self.env, "VECTORS": str(vectors)}, timeout=120, check=False)
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ctl(self, *args, code=0, **env):
        started = time.monotonic()
        done = subprocess.run([build() / "bin/postwardctl", *map(str, args), "--database", "dbname=postward"],
                              cwd=self.folder, capture_output=True, text=True, env={**self.env, **env}, timeout=60, check=False)
        assert time.monotonic() - started < 30
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code < 2 else done.stderr

    def report(self, *args, code=0, **env):
        return json.loads(self.ctl(*args, "--json", code=code, **env).splitlines()[-1])

    def sql(self, statement, *values):
        return self.server.sql(statement, *values, database="postward")

    def rows(self):
        return {table: sorted(self.sql(f"SELECT {columns} FROM mail.{table}"), key=str) for table, columns in TABLES.items()}

    def users(self):
        return {row[0]: row[1:] for row in self.rows()["virtual_users"]}

    def aliases(self):
        return {(source, to) for source, to, _ in self.rows()["virtual_aliases"]}


@pytest.fixture
def host(server):
    folder = place()
    yield Host(server, folder).fresh()
    remove(folder)


def whys(notes):
    return {(note["file"].rsplit("/", 1)[-1], note["line"]): note["why"] for note in notes}


# users ---------------------------------------------------------------------------------------

def test_postfixadmin(host):
    export, _, take = blocks("PostfixAdmin")
    host.sh(export, VECTORS / "postfixadmin")
    assert (host.folder / "mailbox.tsv").read_text() == (VECTORS / "postfixadmin/mailbox.tsv").read_text()
    said = host.sh(take, codes=(1,))
    assert "dry run: nothing has been changed\n" in said
    assert "\nmade: 1 domains, 2 alias_domains, 5 mailboxes, 8 aliases, 0 sender_permissions\n" in said
    users = host.users()
    assert users["ann@d.test"] == ("{SHA512-CRYPT}$6$abcdefgh$VjH.aY28RycA9VBuHEPPgS30hXZKt2LRGqbYkCdxhwWMLtu7TL6x15kf9AiGk2a"
                                   "jFw5AlB1ioHZ5TSh8at6q.0", 977, 0, True, True, "Ann Müller", True, True, True, True, None)
    assert users["bob@d.test"][5] == 'Bob \\ "the\tbuilder"' and users["bob@d.test"][8] is False
    assert users["bob@d.test"][0].startswith("{BLF-CRYPT}$2y$05$")
    assert users["carl@d.test"][0] is None and users["dora@d.test"][0] is None
    assert users["gone@d.test"][3:5] == (False, False) and users["gone@d.test"][0].startswith("{BLF-CRYPT}$2y$05$")
    assert host.aliases() == {
        ("@d.test", "ann@d.test"), ("bob@d.test", "bob@d.test"), ("bob@d.test", "bob@elsewhere.test"),
        ("carl@d.test", "carl@d.test"), ("info@d.test", "ann@d.test"), ("info@d.test", "bob@d.test"),
        ("old@d.test", "ann@d.test"), ("round@d.test", "trip@d.test")}
    assert ("old@d.test", "ann@d.test", False) in host.rows()["virtual_aliases"]
    assert host.rows()["alias_domains"] == [("alias.test", "d.test", True), ("off.test", "d.test", False)]
    assert host.rows()["virtual_domains"] == [("d.test", True, "Our own\tdomain")]
    assert host.sql("SELECT * FROM mail.who_gets('abuse@alias.test')")


def test_what_postfixadmin_has_and_postward_has_not_is_said(host):
    files = sorted((VECTORS / "postfixadmin").glob("*.tsv"))
    report = host.report("import", "users", "postfixadmin", *files, code=1)
    assert report["ok"] is False and report["dry_run"] is False
    skipped = whys(report["skipped"])
    assert set(skipped) == {("alias.tsv", 4), ("alias.tsv", 7), ("alias.tsv", 10), ("alias.tsv", 12), ("domain.tsv", 4),
                            ("domain.tsv", 7), ("mailbox.tsv", 6)}
    assert "vacation" in skipped["alias.tsv", 7] and "circle" in skipped["alias.tsv", 12]
    assert "alias domain" in skipped["alias.tsv", 4] and "backup.test" in skipped["mailbox.tsv", 6]
    locked = whys(report["without_password"])
    assert set(locked) == {("mailbox.tsv", 4), ("mailbox.tsv", 5)}
    assert "weak" in locked["mailbox.tsv", 4] and "DES" in locked["mailbox.tsv", 5]
    assert "VPvOrZmz54" not in json.dumps(report) and "WXuMaSVnzYM" not in json.dumps(report)
    problems = {what for _, what, _ in host.sql("SELECT severity, what, hint FROM mail.check()")}
    assert {"mailbox carl@d.test has no password", "mailbox dora@d.test has no password"} <= problems


def test_postfixadmin_with_postgresql_says_the_same(host):
    """Its booleans are t and f, its format is CSV."""
    files = sorted((VECTORS / "postfixadmin").glob("*.tsv"))
    host.ctl("import", "users", "postfixadmin", *files, code=1)
    expected = host.rows()
    host.fresh()
    host.server.sql("DROP DATABASE IF EXISTS postfix", database="postgres")
    host.server.sql("CREATE DATABASE postfix", database="postgres")
    for file in files:
        names, *lines = file.read_text().splitlines()
        columns = [f"{name} {'boolean' if 'active' in name or name == 'backupmx' else 'text'}" for name in names.split("\t")]
        host.server.sql(f"CREATE TABLE {file.stem} ({', '.join(columns)})", database="postfix")
        values = ["(" + ", ".join(["%s"] * len(columns)) + ")"] * len(lines)
        fields = [field.replace("\\t", "\t").replace("\\\\", "\\") for line in lines for field in line.split("\t")]
        host.server.sql(f"INSERT INTO {file.stem} VALUES {', '.join(values)}", *fields, database="postfix")
    _, export, take = blocks("PostfixAdmin")
    host.sh(export)
    assert "active" in (host.folder / "alias.csv").read_text() and ",t" in (host.folder / "alias.csv").read_text()
    host.sh(take, codes=(1,))
    assert host.rows() == expected


def test_mailcow(host):
    (host.folder / "mailcow.conf").write_text("DBNAME=mailcow\nDBUSER=mailcow\nDBPASS='se cret'\n")
    export, take = blocks("mailcow")
    host.sh(export, VECTORS / "mailcow")
    said = host.sh(take, codes=(1,))
    assert "made: 1 domains, 1 alias_domains, 4 mailboxes, 3 aliases, 2 sender_permissions\n" in said
    users = host.users()
    assert users["ann@cow.test"][1:] == (3072, 0, True, True, "Ann", True, False, True, False, None)
    assert users["bob@cow.test"][3:5] == (False, True), "2: no login, mail goes on"
    assert users["off@cow.test"][3:5] == (False, False)
    assert users["ldap@cow.test"][0] is None and "ldap@cow.test" in said and "room@cow.test" in said
    assert host.aliases() == {("info@cow.test", "ann@cow.test"), ("info@cow.test", "bob@cow.test"), ("@cow.test", "bob@cow.test")}
    assert host.rows()["sender_permissions"] == [("ann@cow.test", "sales@cow.test"), ("bob@cow.test", "@cow.test")]
    assert "null" not in said and "void@cow.test" in said and "may send as anybody" in said


def test_docker_mailserver(host):
    for file in (VECTORS / "docker-mailserver").iterdir():
        shutil.copy(file, host.folder)
    take, = blocks("docker-mailserver")
    host.sh(take, codes=(1,))
    users = host.users()
    assert set(users) == {"ann@dms.test", "bob@dms.test", "carl@second.test"}
    assert users["ann@dms.test"][1] == 10240 and users["bob@dms.test"][1] == 512
    assert users["carl@second.test"][0] is None, "clear text is not kept"
    assert host.aliases() == {
        ("info@dms.test", "ann@dms.test"), ("info@dms.test", "bob@dms.test"), ("ann@dms.test", "ann@dms.test"),
        ("ann@dms.test", "ann@elsewhere.test"), ("list@dms.test", "ann@dms.test"), ("list@dms.test", "carl@second.test"),
        ("@second.test", "carl@second.test")}
    assert host.rows()["alias_domains"] == [("third.test", "dms.test", True)]
    report = host.report("import", "users", "docker-mailserver", "postfix-regexp.cf", "dovecot-masters.cf", code=1)
    assert set(whys(report["skipped"])) == {("postfix-regexp.cf", 1), ("dovecot-masters.cf", 1)}
    assert "$6$" not in json.dumps(report)
    assert "known by their names" in host.ctl("import", "users", "docker-mailserver", "bin/mysql", code=65)


def test_passwd_file(host):
    shutil.copy(VECTORS / "passwd-file/users", host.folder)
    take, = blocks("Dovecot's passwd-file")
    said = host.sh(take, codes=(1,))
    users = host.users()
    assert users["ann@pf.test"][1:6] == (1024, 5000, True, True, "Ann Able")
    assert users["bob@example.org"][0].startswith("{SHA512-CRYPT}$6$")
    assert users["carl@pf.test"][3] is False and users["carl@pf.test"][10] is not None
    assert users["dora@pf.test"][:2] == (None, 2048) and "users:5: without password: dora@pf.test: its hash is malformed" in said
    assert "eric@pf.test" not in users and "users:6: skipped: eric@pf.test" in said, "a network nobody can read is no freedom"
    assert "users:8: skipped" in said


def test_bytes_of_others_are_no_commands_to_the_terminal(host):
    (host.folder / "users").write_bytes(b"a\x1b]0;x\x07b:{PLAIN}p\n")
    said = host.ctl("import", "users", "passwd-file", "users", code=1)
    assert "users:1: skipped: a ]0;x b: is no mail address" in said and "\x1b" not in said
    (host.folder / "keytable").write_bytes(b"k e.test:s:/no\x1bwhere\nl\x1bm e.test\n")
    said = host.ctl("dkim", "import", "--keytable", "keytable", code=1)
    assert "refused: s._domainkey.e.test: /no where: No such file" in said
    assert "keytable:2: skipped: l m: is not domain:selector:file" in said and "\x1b" not in said


def test_again_changes_nothing_and_update_does(host):
    first = host.folder / "users"
    first.write_text("ann@d.test:{PLAIN}x::::::userdb_quota_rule=*:storage=1G\nbob@d.test:$6$abcdefgh$x\n")
    host.ctl("import", "users", "passwd-file", first, code=1)
    shutil.copy(VECTORS / "postfixadmin/mailbox.tsv", host.folder)
    before, events = host.rows(), host.sql("SELECT count(*) FROM mail.events")
    again = host.report("import", "users", "passwd-file", first, code=1)
    assert not any(again["made"].values()) and again["kept"]["mailboxes"] == 2
    assert [(row["line"], row["what"], row["why"]) for row in again["kept_rows"]] == [
        (1, "d.test", "domain"), (1, "ann@d.test", "mailbox"), (2, "bob@d.test", "mailbox")]
    assert host.rows() == before and host.sql("SELECT count(*) FROM mail.events") == events
    first.write_text(f"ann@d.test:{hash_of('ann@d.test')}\n")
    assert host.report("import", "users", "passwd-file", first, "--update", "--dry-run")["updated"]["mailboxes"] == 1
    assert host.rows() == before
    assert host.report("import", "users", "passwd-file", first, "--update")["ok"]
    assert host.users()["ann@d.test"][:2] == ("{SHA512-CRYPT}" + hash_of("ann@d.test"), 1024), "what is not said stays"
    first.write_text("ann@d.test:*\n")
    assert host.report("import", "users", "passwd-file", first, "--update", code=1)["without_password"]
    assert host.users()["ann@d.test"][0] == "{SHA512-CRYPT}" + hash_of("ann@d.test"), "no password takes none away"


def hash_of(user):
    for line in (VECTORS / "postfixadmin/mailbox.tsv").read_text().splitlines():
        if line.startswith(user):
            return line.split("\t")[1]
    raise AssertionError(user)


def test_administrators_may_import(host):
    """postward_admin reads no hashes; writing them is enough."""
    host.server.sql("DROP ROLE IF EXISTS helga", database="postgres")
    host.server.sql("CREATE ROLE helga LOGIN IN ROLE postward_admin", database="postgres")
    files = sorted((VECTORS / "postfixadmin").glob("*.tsv"))
    made = host.report("import", "users", "postfixadmin", *files, code=1, PGUSER="helga")
    assert made["made"]["mailboxes"] == 5
    assert host.report("import", "users", "postfixadmin", *files, "--update", code=1, PGUSER="helga")["updated"]["mailboxes"] == 5
    refused = host.report("import", "users", "postfixadmin", *files, code=1, PGUSER="postward_score")
    assert not any(refused["made"].values()) and "permission denied" in refused["skipped"][-1]["why"]


def test_nothing_is_changed_by_half_a_file(host):
    mailbox = host.folder / "mailbox.csv"
    mailbox.write_text('username,password,quota\n"ann@d.test",,0\n"bob@d.test,,0\n')
    assert f"{mailbox}:3: a quote is never closed" in host.ctl("import", "users", "postfixadmin", mailbox, code=65)
    mailbox.write_text("username,password,quota\nann@d.test,,0\nbob@d.test\n")
    assert f"{mailbox}:3: fewer fields" in host.ctl("import", "users", "postfixadmin", mailbox, code=65)
    mailbox.write_bytes(b"username,password,quota\nann@d.test,\0,0\n")
    assert "byte of zero" in host.ctl("import", "users", "postfixadmin", mailbox, code=65)
    mailbox.write_text("id,mailbox,password\n1,ann@d.test,x\n")
    assert "none of the tables" in host.ctl("import", "users", "mailcow", mailbox, code=65)
    mailbox.write_text("")
    assert "empty" in host.ctl("import", "users", "mailcow", mailbox, code=65)
    assert not any(host.rows().values())


@pytest.mark.parametrize("source", ["postfixadmin", "passwd-file"])
def test_what_is_no_file_is_refused_at_once(source, host):
    os.mkfifo(host.folder / "fifo")
    for path in (host.folder / "fifo", host.folder, "/dev/zero", "/nonexistent", "/dev/null"):
        assert str(path) in host.ctl("import", "users", source, path, code=66)


def test_hostile_values_harm_nobody(host):
    """Names of any bytes; each row stands or falls by itself."""
    bad = ["ann'--@d.test", "\\r\\n@d.test", "x" * 70 + "@d.test", "@d.test", "a@b@d.test", "ann@d..test", "ann d@d.test", "", "NULL"]
    rows = "".join(f"{name}\t{hash_of('ann@d.test')}\t1\n" for name in bad)
    (host.folder / "mailbox.tsv").write_bytes(b"username\tpassword\tquota\tname\n" + "".join(
        line + "\tx\n" for line in rows.splitlines()).encode() + b"eve@d.test\t\t99999999999999999999\tM\xfcller\n")
    report = host.report("import", "users", "postfixadmin", "mailbox.tsv", code=1)
    assert set(host.users()) == {"ann'--@d.test", "eve@d.test"} and len(report["skipped"]) == len(bad) - 1
    assert host.users()["eve@d.test"][5] == "M\ufffdller"


# DKIM keys ---------------------------------------------------------------------------------------

def openssl(*args, text=None):
    return subprocess.run(["openssl", *args], input=text, check=True, capture_output=True).stdout


def record_of(pem):
    """As RFC 6376 and RFC 8463 have it, by openssl alone."""
    der = openssl("pkey", "-pubout", "-outform", "DER", text=pem)
    is_rsa = len(der) > 60
    return f"v=DKIM1; k={'rsa' if is_rsa else 'ed25519'}; p=" + base64.b64encode(der if is_rsa else der[-32:]).decode()


@pytest.fixture(scope="module")
def keys():
    """A key of each kind."""
    made = {"pkcs1": openssl("genrsa", "-traditional", "2048"), "small": openssl("genrsa", "512"),
            "weak": openssl("genrsa", "1024"), "ed25519": openssl("genpkey", "-algorithm", "ed25519"),
            "ec": openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"), "large": openssl("genrsa", "4104")}
    made["pkcs8"] = openssl("pkcs8", "-topk8", "-nocrypt", text=made["pkcs1"])
    made["dos"] = made["pkcs1"].replace(b"\n", b"\r\n")
    made["public"] = openssl("pkey", "-pubout", text=made["pkcs1"])
    made["encrypted"] = openssl("pkcs8", "-topk8", "-passout", "pass:secret", text=made["pkcs1"])
    made["encrypted-pkcs1"] = openssl("rsa", "-aes128", "-traditional", "-passout", "pass:secret", text=made["pkcs1"])
    made["ec8"] = openssl("pkcs8", "-topk8", "-nocrypt", text=made["ec"])
    made["two"] = made["pkcs1"] + made["ed25519"]
    made["empty"], made["blank"], made["noise"] = b"", b"\n \n", os.urandom(2000)
    made["der"] = openssl("rsa", "-outform", "DER", text=made["pkcs1"])
    made["cut"] = made["pkcs1"][:600]
    made["damaged"] = made["pkcs1"].replace(b"\nMII", b"\nMIJ")
    made["huge"] = made["pkcs1"] + b"#" * 100000
    return made


@pytest.fixture
def signer(host):
    host.sql("SELECT mail.add_domain('example.org')")
    return host


def stored(host):
    return host.sql("SELECT domain::text, selector::text, algorithm, public_record, state FROM mail.dkim_keys ORDER BY 1, 2")


@pytest.mark.parametrize("kind", ["pkcs1", "pkcs8", "dos", "weak", "ed25519"])
def test_a_key_is_taken(kind, keys, signer):
    (signer.folder / "key").write_bytes(keys[kind])
    report = signer.report("dkim", "import", "Example.org", "s1", "key")
    algorithm = "ed25519-sha256" if kind == "ed25519" else "rsa-sha256"
    assert stored(signer) == [("example.org", "s1", algorithm, record_of(keys[kind]), "active")]
    assert report["ok"] and report["keys"][0]["result"] == "made" and report["keys"][0]["record"] == record_of(keys[kind])
    assert signer.sql("SELECT count(*) FROM mail.snapshot_dkim_keys") == [(1,)]
    assert signer.report("dkim", "import", "example.org", "S1", "key")["keys"][0]["result"] == "kept"
    assert len(stored(signer)) == 1


@pytest.mark.parametrize("kind, word", [
    ("encrypted", "encrypted"), ("encrypted-pkcs1", "encrypted"), ("two", "more than one"), ("public", "public key"),
    ("ec", "neither RSA nor Ed25519"), ("ec8", "neither RSA nor Ed25519"), ("empty", "empty"), ("blank", "empty"),
    ("noise", "no private key in PEM"), ("der", "no private key in PEM"), ("cut", "damaged"), ("damaged", "damaged"),
    ("small", "1024"), ("large", "4096"), ("huge", "too large"),
])
def test_what_is_no_usable_key_is_said(kind, word, keys, signer):
    (signer.folder / "key").write_bytes(keys[kind])
    report = signer.report("dkim", "import", "example.org", "s1", "key", code=1)
    assert word in report["keys"][0]["why"] and not stored(signer)


def test_no_key_file_is_waited_for(signer):
    os.mkfifo(signer.folder / "fifo")
    for path, word in ((signer.folder / "fifo", "regular"), (signer.folder, "folder"), ("/dev/zero", "regular"),
                       ("/nonexistent", "No such file")):
        assert word in signer.report("dkim", "import", "example.org", "s1", path, code=1)["keys"][0]["why"]


def test_names_that_cannot_be(keys, signer):
    (signer.folder / "key").write_bytes(keys["pkcs8"])
    (signer.folder / "other").write_bytes(keys["ed25519"])

    def why(*names, file="key"):
        return signer.report("dkim", "import", *names, file, code=1)["keys"][0]["why"]
    assert "mail.add_domain('example.net')" in why("example.net", "s1")
    for selector in ("", "a b", "s1'--", "é", "x" * 64, ".a"):
        assert "selector" in why("example.org", selector)
    assert "not a domain name" in why("exam ple.org", "s1")
    signer.ctl("dkim", "import", "example.org", "s1", "key")
    assert "another key" in why("example.org", "s1", file="other")
    assert len(stored(signer)) == 1


def test_a_record_with_more_tags_is_the_same_key(keys, signer):
    (signer.folder / "key").write_bytes(keys["pkcs8"])
    signer.ctl("dkim", "import", "example.org", "s1", "key")
    signer.sql("UPDATE mail.dkim_keys SET public_record = replace(public_record, 'k=rsa;', 'k=rsa; t=s;')")
    assert signer.report("dkim", "import", "example.org", "s1", "key")["keys"][0]["result"] == "kept"


def test_dry_run_of_a_key(keys, signer):
    (signer.folder / "key").write_bytes(keys["pkcs8"])
    assert signer.report("dkim", "import", "example.org", "s1", "key", "--dry-run")["keys"][0]["result"] == "made"
    assert not stored(signer)


def test_one_file_and_out_again(keys, signer):
    (signer.folder / "mail.private").write_bytes(keys["pkcs1"])
    take, export = blocks("One file")
    said = signer.sh(take)
    assert said.startswith("made: mail._domainkey.example.org\nmail._domainkey.example.org. IN TXT (")
    out = signer.sh(export)
    assert openssl("rsa", "-traditional", text=out.encode()) == keys["pkcs1"]
    assert "".join(re.findall(r'"([^"]*)"', out)) == record_of(keys["pkcs1"])
    (signer.folder / "again").write_text(out)
    assert signer.report("dkim", "import", "example.org", "mail", "again")["keys"][0]["result"] == "kept"


def test_who_may_see_private_keys(keys, signer):
    (signer.folder / "key").write_bytes(keys["ed25519"])
    signer.ctl("dkim", "import", "example.org", "s1", "key", PGUSER="postgres")
    as_signer = signer.report("dkim", "export", "example.org", "s1", PGUSER="postward_dkim")["keys"][0]
    assert as_signer == signer.report("dkim", "export", "example.org")["keys"][0]
    assert as_signer["record"] == record_of(keys["ed25519"]) and "PRIVATE KEY" in as_signer["private_key"]
    signer.server.sql("DROP ROLE IF EXISTS otto", database="postgres")
    signer.server.sql("CREATE ROLE otto LOGIN IN ROLE postward_admin", database="postgres")
    for role in ("otto", "postward_score", "postward_policy"):
        assert "PRIVATE" not in signer.ctl("dkim", "export", "example.org", code=77, PGUSER=role)
    signer.ctl("dkim", "export", "example.org", "s2", code=1)
    signer.ctl("dkim", "export", "example.org", "a b", code=1)
    assert signer.report("dkim", "import", "example.org", "s2", "key", PGUSER="otto")["keys"][0]["result"] == "made"


@pytest.fixture
def opendkim(host, keys):
    """Its files below /etc, as on Debian."""
    shutil.copytree("/etc", host.etc, symlinks=True, ignore=lambda folder, names: {"postward", "opendkim"} & set(names))
    folder = host.etc / "opendkim"
    for name in ("keys/d.test", "keys/e.test"):
        (folder / name).mkdir(parents=True)
    shutil.copy(VECTORS / "opendkim/opendkim.conf", host.etc)
    for name in ("key.table", "signing.table"):
        shutil.copy(VECTORS / "opendkim" / name, folder)
    (folder / "keys/d.test/main.private").write_bytes(keys["pkcs1"])
    (folder / "keys/d.test/second.private").write_bytes(keys["weak"])
    (folder / "keys/e.test/s1.private").write_bytes(keys["ed25519"])
    for name in ("d.test", "e.test"):
        host.sql("SELECT mail.add_domain(%s)", name)
    return host


def test_opendkim(opendkim, keys):
    take, = blocks("OpenDKIM")
    dry, wet = [line for line in take.splitlines()]
    opendkim.sh(dry, codes=(1,))
    assert not stored(opendkim)
    said = opendkim.sh(wet, codes=(1,))
    assert stored(opendkim) == [("d.test", "main", "rsa-sha256", record_of(keys["pkcs1"]), "active"),
                                ("e.test", "s1", "ed25519-sha256", record_of(keys["ed25519"]), "active")]
    assert "refused: lost._domainkey.lost.test: /etc/opendkim/keys/lost.test/lost.private: No such file" in said
    for line in (1, 3, 5, 6, 7, 9):
        assert f"/etc/opendkim/signing.table:{line}: skipped: " in said
    for line in (4 + 1, 6):
        assert f"/etc/opendkim/key.table:{line}: skipped: " in said
    before = stored(opendkim)
    assert "made" not in opendkim.sh(wet, codes=(1,)) and stored(opendkim) == before


@pytest.mark.parametrize("conf, made, code", [
    ("Domain d.test, e.test\nSelector mail\nKeyFile ROOT/key\n", [("d.test", "mail"), ("e.test", "mail")], 0),
    ("domain\tcsl:d.test\nSELECTOR mail\nKeyFile ROOT/key # mine\n", [("d.test", "mail")], 0),
    ("KeyTable ROOT/keys\n", [("d.test", "a"), ("d.test", "b")], 1),
    ("KeyTable ROOT/keys\nMultipleSignatures yes\n", [("d.test", "a"), ("d.test", "b")], 0),
    ("KeyTable file:ROOT/keys\nSigningTable ROOT/plain\n", [("d.test", "b")], 1),
    ("KeyTable ROOT/keys\nSigningTable refile:ROOT/plain\n", [], 1),
    ("KeyTable dsn:pgsql://dkim\n", [], 65), ("KeyTable refile:\n", [], 65), ("Mode v\n", [], 65), ("", [], 65),
    ("Domain /etc/domains\nSelector s\nKeyFile ROOT/key\n", [], 65), ("KeyTable ROOT/absent\n", [], 66),
    ("KeyTable ROOT/fifo\n", [], 66),
])
def test_settings_of_opendkim(conf, made, code, host, keys):
    for name in ("d.test", "e.test"):
        host.sql("SELECT mail.add_domain(%s)", name)
    for name in ("key", "key2"):
        (host.folder / name).write_bytes(keys["pkcs8" if name == "key" else "ed25519"])
    (host.folder / "keys").write_text("k d.test:a:ROOT/key\nl d.test:b:ROOT/key2\n".replace("ROOT", str(host.folder)))
    (host.folder / "plain").write_text("d.test l\n")
    os.mkfifo(host.folder / "fifo")
    (host.folder / "conf").write_text(conf.replace("ROOT", str(host.folder)))
    host.ctl("dkim", "import", "--opendkim", "--conf", "conf", code=code)
    expected = made if "MultipleSignatures" in conf or len({d for d, _ in made}) == len(made) else made[:1]
    assert [row[:2] for row in stored(host)] == expected


def test_tables_by_name_below_a_root(opendkim, keys):
    root = opendkim.etc.parent
    report = opendkim.report("dkim", "import", "--keytable", "etc/opendkim/key.table", "--signingtable",
                             f"refile:{opendkim.etc}/opendkim/signing.table", "--root", root, code=1)
    assert [(key["selector"], key["result"]) for key in report["keys"]] == [("main", "made"), ("s1", "made"), ("lost", "refused")]
    assert opendkim.report("dkim", "import", "--opendkim", "--root", root, code=1)["keys"][0]["result"] == "kept"


@pytest.mark.parametrize("args", [
    [], ["nonsense"], ["import"], ["import", "d.test", "s"], ["import", "--opendkim", "d.test", "s", "f"],
    ["import", "--conf", "x", "d.test", "s", "f"], ["import", "--signingtable", "x"], ["import", "--opendkim", "--keytable", "x"],
    ["export"], ["export", "a", "b", "c"], ["new", "d.test", "e.test"],
], ids=" ".join)
def test_wrong_use_of_dkim(args, host):
    assert "usage: postwardctl dkim" in host.ctl("dkim", *args, code=2)


@pytest.mark.parametrize("args", [[], ["users"], ["users", "postfixadmin"], ["nobody", "mailcow", "f"], ["users", "exim", "f"]],
                         ids=" ".join)
def test_wrong_use_of_import(args, host):
    assert "usage: postwardctl import" in host.ctl("import", *args, code=2)


# logins and mail -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def bed():
    made = Bed(config="namespace inbox {{\n  inbox = yes\n}}\n")  # as Debian has it
    yield made
    made.close()


def take_users(bed, source, *files, more=()):
    subprocess.run([build() / "bin/postwardctl", "import", "users", source, *files, *more, "--database",
                    bed.postgres.conninfo()], capture_output=True, check=False, timeout=60)


def test_imported_hashes_log_in(bed):
    for source in ("postfixadmin", "mailcow"):
        take_users(bed, source, *(VECTORS / source).glob("*.tsv"))
    take_users(bed, "docker-mailserver", *(VECTORS / "docker-mailserver").glob("*.cf"))
    take_users(bed, "passwd-file", VECTORS / "passwd-file/users", more=("--domain", "pf.test"))
    for user in ("ann@d.test", "bob@d.test", "ann@alias.test", "ann@cow.test", "ann@dms.test", "bob@dms.test", "ann@pf.test",
                 "bob@pf.test"):
        assert bed.definite(user, PASSWORD)[0] == "OK", user
        assert bed.definite(user, PASSWORD[:8])[0] == "FAIL", user
    for user in ("carl@d.test", "dora@d.test", "gone@d.test", "bob@cow.test", "ldap@cow.test", "carl@second.test", "fred@pf.test",
                 "dora@pf.test"):
        assert bed.definite(user, PASSWORD)[0] == "FAIL", user


OLD = """
mail_home = {root}/mail/%d/%n
mail_location = maildir:~/Maildir
mail_uid = MAIL_UID
mail_gid = MAIL_UID
auth_master_user_separator = *
passdb {{
  driver = static
  args = password=master-word
  master = yes
}}
passdb {{
  driver = passwd-file
  args = {root}/users
}}
userdb {{
  driver = passwd-file
  args = {root}/users
}}
""".replace("MAIL_UID", str(MAIL_UID))


@pytest.fixture
def old_server():
    directory = place()
    made = Dovecot(directory / "old", OLD)
    (made.root / "users").write_text(f"ann@d.test:{{PLAIN}}old-word:{MAIL_UID}:{MAIL_UID}::{made.root}/mail/d.test/ann::\n")
    made.start()
    yield made
    made.stop()
    remove(directory)


def messages(server, user, password, folder="INBOX"):
    """UIDVALIDITY and what each message is."""
    with imaplib.IMAP4("127.0.0.1", server.port) as imap:
        imap.login(user, password)
        imap.select(folder, readonly=True)
        validity = imap.response("UIDVALIDITY")[1]
        found = imap.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    return validity, [(re.sub(rb"^\d+ \(", b"", part[0]), part[1]) for part in found if isinstance(part, tuple)]


def mail(subject):
    """dsync tells messages apart by Date and Message-ID."""
    return (f"Subject: {subject}\r\nDate: Mon, 2 Nov 2020 10:00:00 +0000\r\nMessage-ID: <{subject}@d.test>\r\n\r\n"
            f"{subject}\r\n")


def fill(server):
    with imaplib.IMAP4("127.0.0.1", server.port) as imap:
        imap.login("ann@d.test", "old-word")
        imap.create("Archive.2020")
        for folder, flags, subject in (("INBOX", r"(\Seen)", "one"), ("INBOX", r"(\Flagged $Label)", "two"),
                                       ("Archive.2020", "", "three")):
            imap.append(folder, flags, '"02-Nov-2020 10:00:00 +0000"', mail(subject).encode())


def page_settings(bed, old):
    """The page's file, with the old server and the master's password as they are here."""
    text = re.search(rf"^```dovecot-{'2.4' if is_2_4() else '2.3'}\n(.*?)^```$", PAGE, re.M | re.S)[1]
    for was, now in (("/etc/dovecot/dovecot.conf", str(bed.dovecot.conf)), ("old.example.org", "127.0.0.1"),
                     ("imapc_port = 993", f"imapc_port = {old.port}"), ("imapc_ssl = imaps", "imapc_ssl = no"),
                     ("the master user's password", "master-word")):
        assert was in text
        text = text.replace(was, now)
    (bed.dovecot.root / "migrate.conf").write_text(text)
    return bed.dovecot.root / "migrate.conf"


def subjects(found):
    return sorted(text.strip() for _, text in found[1])


def test_mail_moves(bed, old_server):
    take_users(bed, "postfixadmin", *(VECTORS / "postfixadmin").glob("*.tsv"))
    fill(old_server)
    backup, everybody, sync = blocks("Mail")
    conf = page_settings(bed, old_server)

    def doveadm(script):
        script = script.replace("/root/migrate.conf", str(conf)).replace("ann@example.org", "ann@d.test")
        script = script.replace("doveadm user", f"doveadm -c {bed.dovecot.conf} user")
        done = subprocess.run(bed.dovecot.ns.command(*bed.dovecot.with_modules("sh", "-c", script)), capture_output=True, text=True,
                              timeout=120, check=False, cwd=bed.dir)
        assert done.returncode == 0, done.stderr
    doveadm(backup)
    for here, there in (("INBOX", "INBOX"), ("Archive/2020", "Archive.2020")):
        assert messages(bed.dovecot, "ann@d.test", PASSWORD, here) == messages(old_server, "ann@d.test", "old-word", there)
    old_server.deliver("ann@d.test", mail("late"))
    doveadm(everybody)  # the old server knows but one of them
    failed = (bed.dir / "failed").read_text().split()
    assert "bob@d.test" in failed and "ann@d.test" not in failed
    assert subjects(messages(bed.dovecot, "ann@d.test", PASSWORD)) == [b"Subject: late", b"Subject: one", b"Subject: two"]
    old_server.deliver("ann@d.test", mail("last"))
    bed.dovecot.deliver("ann@d.test", mail("new"))
    doveadm(sync)
    assert subjects(messages(bed.dovecot, "ann@d.test", PASSWORD)) == [
        b"Subject: last", b"Subject: late", b"Subject: new", b"Subject: one", b"Subject: two"]
    assert b"Subject: new" not in subjects(messages(old_server, "ann@d.test", "old-word"))


def test_both_dialects_of_the_page_say_the_same():
    both = [set(re.search(rf"^```dovecot-{v}\n(.*?)^```$", PAGE, re.M | re.S)[1].splitlines()) for v in ("2.3", "2.4")]
    assert both[0] ^ both[1] == {"imapc_user = %u", "imapc_user = %{user}", "imapc_features = rfc822.size fetch-headers",
                                  "dovecot_config_version = 2.4.0", "dovecot_storage_version = 2.4.0"}


def test_statements_of_the_page_are_understood(host):
    host.sql("SELECT mail.add_domain('example.org')")
    statements = re.findall(r"`((?:SELECT|UPDATE|INSERT)[^`]*;)`", PAGE)
    assert len(statements) >= 6
    for statement in statements:
        statement = statement.replace("threshold = ...", "threshold = 14").replace("'QUEUEID'", "'4jWmP50hkkz1c8yj'")
        try:
            host.sql(statement.replace("%", "%%"))
        except psycopg2.errors.NoDataFound:
            pass  # no such message here

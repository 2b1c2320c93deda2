"""PostgreSQL on another host, as docs/remote-postgresql.md has it: the page's snippets, word for
word, between two machines."""
import imaplib
import re
import shutil
import socket

import pytest

from remote_bed import DATABASE, MAIL, PAGE, PASSWORD, USER, RemoteBed, snippet
from stack.clients import last_reply
from stack.proc import Process, wait_until

CONNINFO = re.search(r"^database = (.*\n.*)$", snippet("postward.conf"), re.M)[1].replace("\n", "")
ROLES = {"postward_score", "postward_dkim", "postward_policy", "dovecot", "postfix"}
MESSAGE = "From: {0}\r\nTo: {1}\r\nMessage-ID: <{2}@sender.test>\r\nSubject: hello\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def bed():
    with RemoteBed() as running:
        yield running
        running.dovecot.stop()
        assert not running.dovecot.crashes()


def test_mail_comes_in_is_judged_and_read(bed):
    with bed.smtp() as client:
        result = client.send("ann@sender.test", [USER], MESSAGE.format("ann@sender.test", USER, "in"))
    assert last_reply(result).code == 250
    with bed.imap() as imap:
        found = wait_until(lambda: imap.find("<in@sender.test>"), what="the message")
    assert b"Authentication-Results:" in found[0]
    wait_until(lambda: bed.pg.value("SELECT count(*) FROM mail.messages", database="postward") == 1,
               what="its row of the history")


def test_mail_of_a_login_is_signed(bed):
    bed.pg.sql("UPDATE mail.settings SET value = 'no' WHERE name = 'dkim_wait_for_dns'", database="postward")
    bed.ctl("dkim", "new", "example.test", "--algorithm", "ed25519")
    wait_until(lambda: bed.pg.value("SELECT count(*) FROM mail.dkim_keys", database="postward") == 1)
    with bed.smtp(tls="starttls", login=(USER, PASSWORD)) as client:
        def signed():
            result = client.send(USER, ["bob@example.net"], MESSAGE.format(USER, "bob@example.net", "out"))
            assert last_reply(result).code == 250
            return bed.logged(bed.dkim, "action=sign")
        wait_until(signed, what="a signature", step_s=0.2)


def test_what_sql_does_not_know_is_refused(bed):
    assert bed.rcpt("nobody@example.test").code == 550
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        bed.imap(PASSWORD + "x")


def test_all_that_comes_over_the_wire_is_encrypted(bed):
    bed.rcpt()
    with bed.imap():
        rows = [r.split("|") for r in bed.psql(snippet("sql-look")).splitlines()]
    remote = [r for r in rows if r[2] == MAIL]
    assert {r[0] for r in remote} == ROLES
    assert all(r[3] == "t" and r[4].startswith("TLSv1.") for r in remote)


def test_no_program_reads_the_password_of_another(bed):
    for name, uid in (("score", 61002), ("dkim", 61003), ("policyd", 61004)):
        for other in {"score", "dkim", "policyd"} - {name}:
            with pytest.raises(RuntimeError, match="Permission denied"):
                bed.mail.run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--groups=61000", "cat",
                             f"/etc/postward/postward-{other}.conf")


@pytest.mark.parametrize("change, why", [
    (("db-ca.pem", "other-ca.pem"), "certificate verify failed"),
    (("host=db.example.org", "host=mail.example.org"),
     'server certificate for "..." does not match host name'),
    (("db-ca.pem", "none.pem"), 'root certificate file "..." does not exist'),
    (("sslmode=verify-full sslrootcert=/etc/postward/db-ca.pem", "sslmode=disable"),
     "no pg_hba.conf entry for ..., no encryption"),
    (("user=mailadmin", "user=mailadmin password=wrong"), "password authentication failed"),
])
def test_what_the_page_says_of_errors(bed, change, why, tmp_path):
    bed.mail.write("/etc/postward/other-ca.pem", bed.other_ca(tmp_path))
    assert f"\n| `{why}` |" in PAGE and change[0] in CONNINFO
    # another name needs its own line of .pgpass, or no password is found at all
    code, said = bed.try_ctl(CONNINFO.replace(*change) +
                             (" password=x" if change[0].startswith("host") else ""))
    assert code == 69
    assert re.search(".*".join(map(re.escape, why.split("..."))), said), said
    assert "mailadmin-secret" not in said


def test_with_the_wrong_ca_mail_waits_and_the_logs_say_why(bed, tmp_path):
    """Nobody is told "no", and when the certificate is put right all goes on by itself."""
    fresh = bed.program("postward-policyd", "policy", tag="-fresh")
    queue(bed, "queued")
    bed.trust(bed.other_ca(tmp_path))
    try:
        bed.cut()
        set_and_reload(bed, "defer_transports=")
        fresh.start()
        wait_until(lambda: bed.rcpt().code == 451, what="RCPT to be deferred", step_s=0.2)
        refused(bed)
        bed.postfix.flush()
        wait_until(lambda: bed.postfix.lines("status=deferred", "address resolver failure"),
                   what="a try to deliver")
        assert len(bed.postfix.queue()) == 1
        for program in (bed.score, bed.dkim, bed.policyd, fresh):
            wait_until(lambda p=program: bed.logged(p, "database=unreachable", 'why="connection to server at ',
                                                    "certificate verify failed"), what=program.name)
        assert not [p for p in (bed.score, bed.dkim, bed.policyd, fresh) if not p.is_running()]
        assert bed.postfix.lines("warning: connect to pgsql server ", "certificate verify failed") or \
            bed.postfix.lines("warning: pgsql query failed: ")  # the one that still was connected
        assert bed.postfix.lines("table lookup problem")
        with pytest.raises(RuntimeError, match="certificate verify failed"):
            look_up(bed, "domain")
        assert bed.dovecot.lines("postward: database unreachable: connection to server at ",
                                 "certificate verify failed")
    finally:
        bed.trust(bed.ca)
    bed.postfix.reload()  # by itself it asks again after a minute
    wait_until(lambda: bed.rcpt().code == 250, what="RCPT to be taken again", step_s=0.5)
    wait_until(lambda: logs_in(bed), 60, "logins to work again", 0.5)
    bed.postfix.flush()
    with bed.imap() as imap:
        wait_until(lambda: imap.find("<queued@sender.test>"), what="the queued message")
    wait_until(lambda: bed.logged(fresh, "database=snapshot_loaded"), 60, "a snapshot")
    fresh.stop()
    assert "secret" not in "".join(p.log_text() for p in (bed.score, bed.dkim, bed.policyd, fresh))
    assert not bed.postfix.lines("secret") and not bed.dovecot.lines("secret")


def set_and_reload(bed, setting):
    bed.postfix.set(setting)
    bed.postfix.reload()


def queue(bed, name):
    """A message that is accepted and not yet delivered."""
    set_and_reload(bed, "defer_transports=lmtp")
    with bed.smtp() as client:
        text = MESSAGE.format("ann@sender.test", USER, name)
        assert last_reply(client.send("ann@sender.test", [USER], text)).code == 250
    wait_until(lambda: bed.postfix.lines("status=deferred"), what="the message to be deferred")


def look_up(bed, table):
    return bed.mail.run("postmap", "-c", bed.postfix.etc, "-q", "example.test",
                        f"pgsql:/etc/postward/postfix/{table}.cf").strip()


def refused(bed):
    """A login fails, but not as a wrong password."""
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        bed.imap()


def logs_in(bed):
    try:
        bed.imap().logout()
        return True
    except imaplib.IMAP4.error as error:
        assert "UNAVAILABLE" in str(error)
        return False


# ---- two servers

def two(first_is_away):
    text = snippet("conninfo-two").strip()
    if first_is_away:
        text = re.sub(r"(host|hostaddr)=([^, ]+),(\S+)", r"\1=\3,\2", text)
    return re.sub(r"host=\S+ hostaddr=\S+", text, CONNINFO)


@pytest.mark.parametrize("first_is_away", [False, True])
def test_of_two_servers_the_one_that_is_there_is_used(bed, first_is_away):
    assert two(True) != two(False)
    assert bed.try_ctl(two(first_is_away)) == (0, "")


def test_a_program_finds_the_server_that_is_there(bed):
    conninfo = two(True).replace("user=mailadmin", "user=postward_dkim password=dkim-secret")
    dkim = bed.program("postward-dkim", "dkim", ("database", conninfo), tag="-two")
    dkim.start()
    try:
        wait_until(lambda: bed.logged(dkim, "database=snapshot_loaded"), what="a snapshot")
    finally:
        dkim.stop()


def test_postfix_asks_either_server(bed):
    table = bed.mail.write("/etc/postward/postfix/two.cf", re.sub(
        r"^hosts = .*\n", lambda _: snippet("hosts-two"), snippet("domain.cf"), flags=re.M))
    assert table.read_text().count("postgresql://") == 2
    for _ in range(6):  # in random order
        assert look_up(bed, "two") == "example.test"


# ---- PgBouncer

@pytest.fixture
def bouncer(bed):
    folder = bed.db.etc_seen / "pgbouncer"
    folder.mkdir(exist_ok=True)
    shutil.chown(folder, "postgres")
    bed.db.write("/etc/pgbouncer/pgbouncer.ini", snippet("pgbouncer.ini"))
    bed.db.shell(snippet("sh-userlist"), "postgres", PGHOST=str(bed.pg.socket))
    assert (folder / "userlist.txt").stat().st_mode & 0o027 == 0
    bed.bouncer = Process("pgbouncer", ["setpriv", "--reuid=postgres", "--regid=postgres",
                                        "--init-groups", "pgbouncer", "/etc/pgbouncer/pgbouncer.ini"],
                          bed.root / "pgbouncer.out", bed.db).start()
    try:
        wait_until(lambda: listens(bed.mail, DATABASE, 6432), what="PgBouncer")
        yield bed.bouncer
    finally:
        bed.bouncer.stop()


def listens(ns, address, port):
    with ns.enter():
        try:
            socket.create_connection((address, port), 5).close()
            return True
        except ConnectionRefusedError:
            return False


def test_preparing_through_pgbouncer_is_refused(bed, bouncer):
    assert "| `unsupported startup parameter` |" in PAGE
    code, said = bed.try_ctl(f"{CONNINFO} port=6432")
    assert code == 69 and "unsupported startup parameter" in said


def test_programs_through_pgbouncer(bed, bouncer):
    policyd = bed.program("postward-policyd", "policy", ("prepared_statements", "no"),
                          ("snapshot_poll", "1s"), ("database", database_of("postward-policyd")),
                          tag="-pooled")
    policyd.start()
    try:
        wait_until(lambda: bed.logged(policyd, "database=snapshot_loaded"), what="a snapshot")
        bed.pg.sql("INSERT INTO mail.rate_limits (who, limit_count) VALUES ('@example.test', 7)",
                   database="postward")
        generation = bed.pg.value("SELECT mail.generation()", database="postward")
        wait_until(lambda: bed.logged(policyd, "database=snapshot_loaded", f"generation={generation}"),
                   what="a change, by polling")
        assert not bed.logged(policyd, "database=writer_refused")
    finally:
        policyd.stop()


def database_of(program):
    """Its connection string, with PgBouncer's port."""
    text = re.search(r"^database = (.*\n.*)$", snippet(f"{program}.conf"), re.M)[1]
    return text.replace("\n", "") + " port=6432"


def test_dovecot_through_pgbouncer(bed, bouncer):
    path = bed.mail.etc_seen / "dovecot/postward-dovecot.conf"
    before = path.read_text()
    path.write_text(before.replace("dbname=postward", "dbname=postward port=6432") +
                    "prepared_statements = no\n")
    try:
        bed.dovecot.stop()
        bed.dovecot.start()
        with bed.imap():
            through = bed.pg.sql("SELECT client_addr FROM pg_stat_activity WHERE usename = 'dovecot'",
                                 database="postward")
        assert through == [("127.0.0.1",)]
    finally:
        path.write_text(before)
        bed.dovecot.stop()
        bed.dovecot.start()


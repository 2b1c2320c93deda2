"""Postfix's tables from policyd: the same answers as SQL's, and mail for known users while the
database is away."""
import collections
import os
import random
import re
import signal
import subprocess
import threading
import time

import psycopg2
import pytest

from policy_bed import Closed
from stack.clients import SmtpClient, last_reply
from stack.proc import wait_until
from tables_bed import FUNCTIONS, PGSQL, TABLES, MapClient, TablesBed

FRESH_S = 5  # longest time until a change is seen, on a busy machine


@pytest.fixture(scope="module")
def bed():
    with TablesBed() as running:
        yield running


@pytest.fixture
def away(bed):
    """The database is stopped; afterwards it is back and known to be."""
    bed.pg.stop()
    yield
    if bed.pg.process is None:
        bed.pg.start()
    fresh(bed)


def fresh(bed):
    """Wait until policyd knows that what it has is what there is."""
    def is_sure():
        with bed.maps() as maps:
            return maps.ask("mailboxes", "nobody@example.test")[0] == "NOTFOUND"
    wait_until(is_sure, what="a definite answer")


# ---- the same answers as SQL's

LOCALS = ["ann", "Bob", "bob+news", "o'neil", '"a b"', '"a b+c d"', '"x,y"', '"q\\"+z"', '"p@q"', "zoë", "Ä", "root",
          "+lead", "a.b-c_d", "very" * 15, "admin", "info", "sales", "team", "keep"]
DOMAINS = ["d1.test", "d2.test", "off.test", "bücher.test"]
OTHERS = ["alias1.test", "alias2.test", "alias-off.test", "alias-of-off.test"]
FOREIGN = ["x@example.com", '"f g"@example.com', "y@alias-off.test", "z@alias-of-off.test", "u@off.test"]


def populate(bed, seed):
    """Whatever SQL lets one make of these names."""
    pick = random.Random(seed)
    connection = bed.pg.connect()
    cursor = connection.cursor()

    def run(statement, *values):
        try:
            cursor.execute(statement, values)
            return True
        except psycopg2.Error:
            return False

    for table in ("sender_permissions", "virtual_aliases", "virtual_users", "alias_domains", "virtual_domains"):
        cursor.execute(f"DELETE FROM mail.{table}")
    for name in DOMAINS:
        cursor.execute("INSERT INTO mail.virtual_domains (name) VALUES (%s)", (name,))
    for name, target in zip(OTHERS, ("d1.test", "d2.test", "d1.test", "off.test")):
        cursor.execute("INSERT INTO mail.alias_domains (name, target, enabled) VALUES (%s, %s, %s)",
                       (name, target, name != "alias-off.test"))
    users = [f"{local}@{domain}" for domain in DOMAINS for local in LOCALS if pick.random() < 0.5]
    for user in users:
        run("INSERT INTO mail.virtual_users (email, may_receive, enabled) VALUES (%s, %s, %s)",
            user, pick.random() < 0.8, pick.random() < 0.9)
    names = [f"{local}@{domain}" for domain in DOMAINS for local in LOCALS]
    made = 0
    for _ in range(250):
        source = pick.choice(names) if pick.random() < 0.95 else "@" + pick.choice(DOMAINS)
        target = pick.choice(names + users + FOREIGN + [f"{pick.choice(LOCALS)}@{d}" for d in OTHERS])
        if pick.random() < 0.15:
            target = source
        made += run("INSERT INTO mail.virtual_aliases (source, destination, enabled) VALUES (%s, %s, %s)",
                    source, target, pick.random() < 0.95)
    assert made > 100
    # two who forward to each other, with copies, until one of them has no mailbox any more
    for one, other in (("team@d1.test", "keep@d1.test"), ("keep@d1.test", "team@d1.test")):
        run("INSERT INTO mail.virtual_users (email) VALUES (%s)", one)
        run("INSERT INTO mail.virtual_aliases (source, destination) VALUES (%s, %s)", one, one)
        run("INSERT INTO mail.virtual_aliases (source, destination) VALUES (%s, %s)", one, other)
    if seed % 2:
        run("DELETE FROM mail.virtual_users WHERE email = 'keep@d1.test'")
    for _ in range(60):
        run("INSERT INTO mail.sender_permissions (login, pattern) VALUES (%s, %s)", pick.choice(users),
            pick.choice(names + ["@" + d for d in DOMAINS] + FOREIGN + ["@example.com"]))
    cursor.execute("UPDATE mail.virtual_domains SET enabled = false WHERE name = 'off.test'")
    connection.close()


def keys():
    """Addresses as Postfix may write them, and what it asks besides."""
    domains = DOMAINS + OTHERS + ["example.com"]
    for local in LOCALS + ["nobody", "ann+x+y", "keep+1", '"a b+c"', '"ann"', '"ann+x y"', "."]:
        for domain in domains:
            yield f"{local}@{domain}"
            yield f"{local}@{domain}".upper()
            if not local.startswith('"'):
                yield f"{local}+ext@{domain}"
    for domain in domains:
        yield from (domain, domain.upper(), f"{domain}.", f"@{domain}", f".{domain}")
    yield from (*FOREIGN, "ann", "*", '"', "ann@", "a b@d1.test", "ann@d1.test.", "<ann@d1.test>", "ann@[192.0.2.1]",
                "@@d1.test", "ann@d1.test@d2.test", "x" * 300 + "@d1.test", "ann@" + "d." * 200 + "test")


def parts(value):
    """The values of an answer, quoted commas left alone."""
    return sorted(re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^",])+', value))


def of_sql(bed, questions):
    """(table, key) -> sorted values."""
    found = {}
    for table in TABLES:
        rows = bed.pg.sql(f"SELECT k, array(SELECT mail.postfix_{FUNCTIONS[table]}(k)) FROM unnest(%s) AS k",
                          list(questions), user="postfix")
        found.update({(table, key): sorted(values) for key, values in rows})
    return found


@pytest.mark.parametrize("seed", range(6))
def test_all_answers_are_those_of_sql(bed, seed):
    populate(bed, seed)
    bed.settle()
    questions = list(dict.fromkeys(keys()))
    expected = of_sql(bed, questions)
    kinds = collections.Counter()
    with bed.maps() as maps:
        for (table, key), values in expected.items():
            word, value = maps.ask(table, key)
            assert (word, parts(value)) == ("OK" if values else "NOTFOUND", values), (table, key)
            kinds[table, word, len(values) > 1] += 1
    for table in TABLES:  # the population has something of everything
        assert kinds[table, "OK", False] > 3 and kinds[table, "NOTFOUND", False] > 50, kinds
    assert kinds["aliases", "OK", True] > 10 and kinds["senders", "OK", True] > 10


def test_postfix_finds_the_same_in_both_kinds_of_table(bed):
    """Names in ASCII: of others Postfix's pgsql client before 3.8 says that they are not UTF-8."""
    home(bed)
    bed.pg.sql("INSERT INTO mail.virtual_users (email) VALUES ('\"a b\"@example.test')")
    bed.pg.sql("SELECT mail.add_alias('team@example.test', d) FROM unnest(ARRAY['ann@example.test', 'x@example.com']) AS d")
    bed.settle()
    folder = bed.write_pgsql()
    for key in ("example.test", "example.net", "example.com", "ann@example.test", "ann+x@example.test",
                '"a b+c"@example.test', "team@example.test", "team@example.net", "any@catch.test", "@catch.test"):
        for table, name in FUNCTIONS.items():
            ours = bed.postmap(key, f"socketmap:unix:{bed.map}:{table}")
            theirs = bed.postmap(key, f"pgsql:{folder}/{name}.cf")
            assert parts(ours or "") == parts(theirs or ""), (table, key)
    assert bed.postmap("example.test", f"socketmap:unix:{bed.map}:domains") == "example.test"


def test_mail_is_the_same_with_pgsql_tables(bed):
    """The alternative: three lines of main.cf."""
    home(bed)
    everybody = ("ann@example.test", "ann+x@example.test", "sales@example.test", "deaf@example.test",
                 "nobody@example.test", "any@catch.test", "cid@catch.test", "ann@example.net", "x@example.com")
    ours = bed.rcpt(*everybody)
    assert ours == [250, 250, 250, 550, 550, 250, 250, 250, 554]
    folder = bed.write_pgsql()
    before = {name: bed.postfix.postconf("-h", name).strip() for name in PGSQL}
    bed.postfix.set(*(f"{name} = proxy:pgsql:{folder}/{file}.cf" for name, file in PGSQL.items()))
    bed.postfix.reload(("smtpd", "cleanup", "trivial-rewrite", "proxymap"))
    try:
        assert bed.rcpt(*everybody) == ours
    finally:
        bed.postfix.set(*(f"{name} = {value}" for name, value in before.items()))
        bed.postfix.reload(("smtpd", "cleanup", "trivial-rewrite"))


# ---- a small population for the rest

def home(bed):
    for table in ("sender_permissions", "virtual_aliases", "virtual_users", "alias_domains", "virtual_domains"):
        bed.pg.sql(f"DELETE FROM mail.{table}")
    for name in ("example.test", "catch.test"):
        bed.pg.sql("SELECT mail.add_domain(%s)", name)
    bed.pg.sql("INSERT INTO mail.alias_domains (name, target) VALUES ('example.net', 'example.test')")
    for user in ("ann@example.test", "bob@example.test", "deaf@example.test", "cid@catch.test"):
        bed.pg.sql("INSERT INTO mail.virtual_users (email, may_receive) VALUES (%s, %s)", user, "deaf" not in user)
    for source, destination in (("sales@example.test", "ann@example.test"), ("@catch.test", "ann@example.test")):
        bed.pg.sql("SELECT mail.add_alias(%s, %s)", source, destination)
    bed.settle()
    fresh(bed)


@pytest.fixture
def small(bed):
    home(bed)
    return bed


@pytest.mark.parametrize("port", [25, 26], ids=["chrooted", "not chrooted"])
def test_rcpt(small, port):
    assert small.rcpt("ann@example.test", "nobody@example.test", "x@example.com", port=port) == [250, 550, 554]
    assert not small.postfix.lines("warning:", "map.sock")


def test_a_catch_all_never_swallows_a_mailbox(small):
    assert last_reply(small.send("cid+x@catch.test", "for-cid")).code == 250
    assert last_reply(small.send("any@catch.test", "for-all")).code == 250
    sent = wait_until(lambda: len(small.postfix.lines("status=sent")) >= 2 and small.postfix.lines("status=sent"),
                      what="both delivered")
    assert any("to=<cid+x@catch.test>" in l for l in sent)
    assert any("to=<ann@example.test>, orig_to=<any@catch.test>" in l for l in sent)


def test_a_change_counts_at_once(small):
    """Deleted is refused within two seconds, and never by way of a 4xx; made is taken."""
    assert small.rcpt("bob@example.test", "eve@example.test") == [250, 550]
    small.pg.sql("DELETE FROM mail.virtual_users WHERE email = 'bob@example.test'")
    small.pg.sql("INSERT INTO mail.virtual_users (email) VALUES ('eve@example.test')")
    begin, seen = time.monotonic(), []
    while time.monotonic() - begin < FRESH_S:
        seen.append(tuple(small.rcpt("bob@example.test", "eve@example.test")))
        if seen[-1] == (550, 250):
            break
    assert seen[-1] == (550, 250), seen
    assert {code for pair in seen for code in pair} <= {250, 550}, seen
    print(f"{time.monotonic() - begin:.2f} s")


# ---- the database is away

KNOWN = ("ann@example.test", "ann+x@example.test", "sales@example.test", "ann@example.net", "cid@catch.test")
UNKNOWN = ("nobody@example.test", "nobody@example.net", "deaf@example.test", "any@catch.test")


def test_stopped(small, away):
    assert small.rcpt(*KNOWN) == [250] * len(KNOWN)
    assert small.rcpt(*UNKNOWN) == [451] * len(UNKNOWN)
    assert small.rcpt("x@example.com") == [554]
    reply = last_reply(small.send("sales@example.test", "while-away"))
    assert reply.code == 250
    wait_until(lambda: small.postfix.lines("status=sent", "orig_to=<sales@example.test>"), what="delivery")
    assert small.postfix.lines("lookup error", "map.sock") or small.postfix.lines("table lookup problem")
    begin = time.monotonic()
    small.pg.start()
    wait_until(lambda: small.rcpt(*KNOWN[:1], *UNKNOWN[:1]) == [250, 550], what="recovery")
    took = time.monotonic() - begin
    print(f"back after {took:.1f} s")
    assert took < 30


def test_a_sender_domain_is_not_unknown_then(small, away):
    """reject_unknown_sender_domain resolves the sender's domain: that it is not ours is good enough."""
    del away
    with small.maps() as maps:
        assert maps.ask("domains", "sender.test") == ("NOTFOUND", "")
        assert maps.ask("aliases", "x@sender.test") == ("NOTFOUND", "")
        small.program.reload(stale_domain="defer")
        wait_until(lambda: small.program.lines("event=reload"), what="the reload")
        assert maps.ask("domains", "sender.test")[0] == "TEMP"
        assert maps.ask("domains", "example.test") == ("OK", "example.test")
    small.program.reload(stale_domain="foreign")
    with small.maps() as maps:
        wait_until(lambda: maps.ask("domains", "sender.test")[0] == "NOTFOUND", what="the setting")


def test_frozen(small):
    """Nobody says that the database is gone; known users notice nothing."""
    small.freeze()
    try:
        begin = time.monotonic()
        wait_until(lambda: small.rcpt("nobody@example.test") == [451], 60, "that it is noticed", 0.2)
        print(f"noticed after {time.monotonic() - begin:.1f} s")
        assert small.rcpt(*KNOWN, *UNKNOWN) == [250] * len(KNOWN) + [451] * len(UNKNOWN)
        with small.maps() as maps:
            begin = time.monotonic()
            for _ in range(100):
                assert maps.ask("mailboxes", KNOWN[0])[0] == "OK"
            assert time.monotonic() - begin < 2
    finally:
        small.thaw()
    fresh(small)
    assert small.rcpt(KNOWN[0], UNKNOWN[0]) == [250, 550]


def test_started_without_a_database(small, away):
    """From the snapshot on disk; and with none at all everything is 451."""
    del away
    small.program.stop()
    small.program.start()
    assert small.rcpt(*KNOWN, *UNKNOWN) == [250] * len(KNOWN) + [451] * len(UNKNOWN)
    small.program.stop()
    for file in small.program.state.glob("snapshot.*"):
        file.unlink()
    small.program.start()
    assert small.rcpt(KNOWN[0], UNKNOWN[0]) == [451, 451]
    small.pg.start()
    wait_until(lambda: small.rcpt(KNOWN[0], UNKNOWN[0]) == [250, 550], what="the first data")


def test_a_dead_policyd(small):
    """Nobody of ours is known then, whatever default_action the policy service has."""
    small.program.stop(signal.SIGKILL)
    if small.map.exists():
        small.map.unlink()
    try:
        assert small.rcpt(KNOWN[0], UNKNOWN[0]) == [451, 451]
    finally:
        small.program.start()
    fresh(small)
    assert small.rcpt(KNOWN[0], UNKNOWN[0]) == [250, 550]


def test_a_restart_under_load_gives_no_wrong_answer(small):
    stop, wrong, right = threading.Event(), [], collections.Counter()
    expected = {"ann@example.test": {250, 451}, "nobody@example.test": {550, 451}}

    def ask():
        while not stop.is_set():
            try:
                with SmtpClient(small.ns, "127.0.0.1") as client:
                    client.command("MAIL FROM:<stranger@sender.test>")
                    for _ in range(20):
                        for recipient, codes in expected.items():
                            reply = client.command(f"RCPT TO:<{recipient}>")
                            right[recipient, reply.code] += 1
                            if reply.code not in codes:
                                wrong.append((recipient, str(reply)))
            except OSError as error:
                wrong.append(("connection", str(error)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            time.sleep(1)
            small.program.stop(number)
            if small.map.exists():
                small.map.unlink()
            small.program.start()
        time.sleep(1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:5]
    assert right["ann@example.test", 250] > 100 and right["nobody@example.test", 550] > 20, right
    fresh(small)


def test_a_socket_that_is_passed_in_stays(small, tmp_path):
    """Socket activation: who connects while policyd is not there is answered when it is."""
    tmp_path.chmod(0o755)
    small.program.stop()
    script = ("import os, socket, sys\n"
              "s = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen(10)\nos.chmod(sys.argv[1], 0o666)\n"
              "os.dup2(s.fileno(), 3)\nos.set_inheritable(3, True)\nos.environ.update(LISTEN_FDS='1', LISTEN_FDNAMES='map')\n"
              "pid = os.fork()\n"
              "if pid == 0:\n"
              "    input()\n"
              "    os.environ['LISTEN_PID'] = str(os.getpid())\n"
              f"    os.setgid({small.program.uid}); os.setuid({small.program.uid})\n"
              "    os.execv(sys.argv[2], sys.argv[2:])\n"
              "os.close(3); os.waitpid(pid, 0)\n")
    path = tmp_path / "map.sock"
    command = small.program.process._command
    program = command[command.index("-c") - 1]
    with subprocess.Popen(["/usr/bin/python3", "-c", script, path, program, "-c", small.program.conf],
                          stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        try:
            wait_until(path.exists, what="the socket")
            with MapClient(path) as maps:
                maps.socket.sendall(maps.request("mailboxes", "ann@example.test"))
                holder.stdin.write(b"\n")
                holder.stdin.flush()
                assert maps.answer() == ("OK", "ann@example.test")
        finally:
            children = subprocess.run(["pgrep", "-P", str(holder.pid)], capture_output=True, text=True, check=False)
            for pid in children.stdout.split():
                os.kill(int(pid), signal.SIGTERM)
            holder.wait(20)
            small.program.start()
    fresh(small)


# ---- the bytes

def test_any_cut_of_a_request_gives_the_same_answer(small):
    whole = MapClient.request("aliases", "sales@example.test") + MapClient.request("domains", "example.com")
    for cut in range(len(whole) + 1):
        with small.maps() as maps:
            maps.socket.sendall(whole[:cut])
            time.sleep(0.002)
            maps.socket.sendall(whole[cut:])
            assert [maps.answer(), maps.answer()] == [("OK", "ann@example.test"), ("NOTFOUND", "")]


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.0\r\n\r\n", b"3:a b;", b"100001:" + b"x" * 100, b"7:domains,", b"00003:a b,", b"request=x\n\n",
    b"99999999999999999999", b"4:a \0b,",
], ids=range(8))
def test_what_is_no_request_is_closed_with_one_line(small, garbage):
    before = len(small.program.lines("event=not_our_protocol, socket=map"))
    with small.maps() as maps:
        maps.socket.sendall(garbage)
        with pytest.raises(Closed):
            maps.answer()
    wait_until(lambda: len(small.program.lines("event=not_our_protocol, socket=map")) == before + 1, what="the line")
    with small.maps() as maps:
        assert maps.ask("domains", "example.test") == ("OK", "example.test")


def test_the_longest_request(small):
    with small.maps() as maps:
        assert maps.ask("mailboxes", "x" * (100000 - len("mailboxes "))) == ("NOTFOUND", "")
        assert maps.ask("users", "ann@example.test")[0] == "PERM"
        for _ in range(2000):  # many at once
            maps.socket.sendall(maps.request("mailboxes", "ann@example.test") * 5)
            assert [maps.answer()[0] for _ in range(5)] == ["OK"] * 5


def test_answers_are_counted(small):
    def count(word):
        small.program.process.kill(signal.SIGUSR1)
        text = "".join(f.read_text() for f in small.program.state.glob("metrics.prom"))
        found = re.search(rf'^postward_policyd_map_answers_total{{answer="{word}"}} (\d+)$', text, re.M)
        return int(found[1]) if found else 0

    before = count("ok")
    with small.maps() as maps:
        for _ in range(7):
            assert maps.ask("domains", "example.test")[0] == "OK"
    wait_until(lambda: count("ok") >= before + 7, what="the counter")


# ---- senders

@pytest.fixture
def judged_by_postfix(stack):
    """docs/postfix.md: whose address a sender is, looked up by Postfix."""
    stack.inner.set("smtpd_sender_login_maps=socketmap:unix:policy/map.sock:senders",
                    "smtpd_sender_restrictions=reject_sender_login_mismatch")
    stack.inner.reload()
    yield stack
    stack.inner.postconf("-X", "smtpd_sender_login_maps", "smtpd_sender_restrictions")
    stack.inner.reload()


def test_a_login_sends_as_itself_alone(judged_by_postfix):
    stack = judged_by_postfix
    stack.pg.sql("SELECT mail.add_alias('postbox@example.test', 'ann@example.test')")
    try:
        wait_until(lambda: sends_as(stack, "postbox@example.test").code == 250, what="the alias", step_s=0.2)
        assert sends_as(stack, "ann@example.test").code == sends_as(stack, "ANN+shop@example.test").code == 250
        for other in ("bob@example.test", "nobody@example.test", "x@elsewhere.test"):
            reply = sends_as(stack, other)
            assert (reply.code, "not owned by user ann@example.test" in reply.text) == (553, True), reply
    finally:
        stack.pg.sql("DELETE FROM mail.virtual_aliases WHERE source = 'postbox@example.test'")


def sends_as(stack, sender):
    with stack.submission("ann@example.test") as client:
        client.command(f"MAIL FROM:<{sender}>")
        return client.command("RCPT TO:<friend@elsewhere.test>")


# ---- size

def test_memory_of_100000_addresses(bed):
    home(bed)
    # without triggers, which look at each row: it is the number that is wanted
    bed.pg.sql("SET session_replication_role = replica;"
               " INSERT INTO mail.virtual_users (email, domain_id) SELECT 'user' || i || '@example.test', d.id"
               " FROM generate_series(1, 80000) AS i, mail.virtual_domains AS d WHERE d.name = 'example.test';"
               " INSERT INTO mail.virtual_aliases (source, destination, domain_id)"
               " SELECT 'alias' || i || '@example.test', 'user' || i || '@example.test', d.id"
               " FROM generate_series(1, 20000) AS i, mail.virtual_domains AS d WHERE d.name = 'example.test'")
    bed.pg.sql("SELECT mail.add_alias('last@example.test', 'ann@example.test')")
    bed.settle()
    bed.program.stop()
    bed.program.start()  # as after any start: what was there before has gone
    fresh(bed)
    with bed.maps() as maps:
        assert maps.ask("aliases", "alias20000@example.test") == ("OK", "user20000@example.test")
        assert maps.ask("mailboxes", "user80000@example.test") == ("OK", "user80000@example.test")
        assert maps.ask("senders", "alias77@example.test") == ("OK", "user77@example.test")
    with open(f"/proc/{bed.program.process.pid}/smaps_rollup", encoding="utf8") as rollup:
        pss_kb = int(re.search(r"^Pss:\s+(\d+) kB", rollup.read(), re.M)[1])
    print(f"PSS {pss_kb / 1024:.1f} MB")
    assert pss_kb < 40 * 1024

"""postward-dkim behind a real Postfix: what leaves is signed so that python3-dkim accepts it,
or is not signed at all."""
import json
import signal
import subprocess
import uuid

import dkim
import pytest

from dkim_bed import DkimBed
from stack.postward import build
from stack.proc import wait_until


@pytest.fixture(scope="module")
def bed():
    """Its guard looks at every message; nothing that these tests send may trouble it."""
    with DkimBed(guard_one_in=1) as running:
        running.records = new_keys(running)
        yield running
        signed = metric(running, 'postward_dkim_messages_total{action="sign"}')
        guard = 'postward_dkim_guard_total{result="%s"}'
        assert metric(running, guard % "broken") == 0
        wait_until(lambda: metric(running, guard % "fine") + metric(running, guard % "undecided") == signed,
                   what="the guard")
        assert metric(running, guard % "fine") * 2 >= signed


def new_keys(bed, domain="example.test", *args):
    """Keys made on request; name to record, once the program signs with them."""
    answer = json.loads(bed.ctl("dkim", "new", domain, "--json", *args))
    count = bed.pg.value("SELECT count(*) FROM mail.snapshot_dkim_keys")
    wait_until(lambda: metric(bed, "postward_dkim_keys ") == count, what="the new keys' snapshot")
    return {key["name"]: key["record"] for key in answer["keys"]}


def metric(bed, name):
    """A number of metrics.prom, written afresh."""
    path = bed.program.state / "metrics.prom"
    path.unlink(missing_ok=True)
    bed.program.process.kill(signal.SIGUSR1)
    wait_until(path.exists, what="metrics.prom")
    line, = (l for l in path.read_text().splitlines() if l.startswith(name))
    return int(line.rsplit(" ", 1)[1])


def message(sender="ann@example.test", body="Hello\r\n", **fields):
    """Bytes of a message, and its Message-ID."""
    message_id = f"<{uuid.uuid4()}@example.test>"
    fields = {"From": f"Ann <{sender}>", "To": "dave@elsewhere.test", "Subject": "Hi",
              "Message-ID": message_id} | fields
    header = "".join(f"{n}: {v}\r\n" for n, v in fields.items() if v is not None)
    body = body if isinstance(body, bytes) else body.encode()
    return header.encode() + b"\r\n" + body, message_id


def signatures(data):
    return [v for n, v in dkim.rfc822_parse(data)[0] if n.lower() == b"dkim-signature"]


def verdicts(data, records):
    """What python3-dkim says about each signature."""
    def lookup(name, timeout=None):
        record = records.get(name.decode().rstrip("."))
        return record.encode() if record else None

    def verify(index):
        try:
            return dkim.DKIM(data).verify(idx=index, dnsfunc=lookup)
        except dkim.DKIMException:
            return False
    return [verify(i) for i in range(len(signatures(data)))]


BODIES = {
    "plain": "Hello\r\n",
    "empty": "",
    "line ends": "\r\n\r\n\r\n",
    "blanks and dots": "a  b \t\r\n..\r\n.\r\n \r\nc\r\n\r\n",
    "8-bit": "Grüße €\r\n",
    "no UTF-8": b"\xff\xfe\x80 x\r\n",
    "longest line": "x" * 998 + "\r\n",
    "200 KB": "0123456789abcdef 0123456789abcdef\r\n" * 6000,
}


@pytest.mark.parametrize("label", BODIES)
def test_bodies(bed, label):
    """Bad input 10: bodies as RFC 6376 3.4 has them, no line end at the end or nothing but them among them."""
    data, message_id = message(body=BODIES[label])
    assert bed.submit(data, "ann@example.test").code == 250
    left = bed.left(message_id)
    assert verdicts(left, bed.records) == [True, True]
    changed = left.replace(b"Subject: Hi", b"Subject: Ho")
    assert changed != left and verdicts(changed, bed.records) == [False, False]


FIELDS = {
    "folded": {"Subject": "one\r\n two\r\n\tthree  four ", "References": "<a@b>\r\n\t<c@d>"},
    "encoded and raw": {"Subject": "Grüße =?utf-8?q?Gr=C3=BC=C3=9Fe?="},
    "long": {"Subject": " ".join(["word"] * 500).replace("word word word word word word",
                                                         "word word word word word\r\n word")},
    "many": {f"X-{i}": "y" for i in range(300)} | {"Cc": ", ".join(["a@b.example"] * 50)},
    "empty": {"Subject": "", "Cc": "\r\n bob@example.net"},
    "an alias": {"From": "sales@example.test"},
    "a subaddress": {"From": "ann+x@example.test"},
    "a comment": {"From": "(me) \"Ann, A.\"\r\n <ANN@example.test>"},
}


@pytest.mark.parametrize("label", FIELDS)
def test_fields(bed, label):
    data, message_id = message(**FIELDS[label])
    assert bed.submit(data, "ann@example.test").code == 250
    assert verdicts(bed.left(message_id), bed.records) == [True, True]


FOREIGN = {
    "somebody else": {"From": "bob@example.test"},
    "another domain": {"From": "ann@example.org"},
    "own address as the name": {"From": '"ann@example.test" <bob@example.test>'},
    "two addresses": {"From": "ann@example.test, bob@example.test"},
    "a group": {"From": "me: ann@example.test;"},
    "no address": {"From": "Ann"},
    "two fields": {"FROM": "bob@example.test"},
}


@pytest.mark.parametrize("label", FOREIGN)
def test_from_must_be_the_logins(bed, label):
    """Bad input 18."""
    data, message_id = message(**FOREIGN[label])
    reply = bed.submit(data, "ann@example.test")
    assert reply.code == 550 and reply.text.startswith("5.7.1 header From")
    assert bed.sink.find(message_id) == []
    assert bed.program.lines("action=reject", "login=ann@example.test")


def test_form(bed):
    data, message_id = message()
    bed.submit(data, "ann@example.test")
    values = signatures(bed.left(message_id))
    assert [b"a=rsa-sha256" in values[0], b"a=ed25519-sha256" in values[1]] == [True, True]
    for value in values:
        tags = dict(t.strip().split(b"=", 1) for t in value.split(b";") if t.strip())
        assert tags[b"h"].lower().split(b":").count(b"from") == 2
        assert tags[b"c"] == b"relaxed/relaxed" and b"l" not in tags
        assert all(len(line) <= 78 for line in value.split(b"\r\n"))
    line, = bed.program.lines("action=sign", bed.postfix.lines(message_id)[0].split()[5])
    assert "domain=example.test" in line and "signatures=2" in line


def test_a_second_from_breaks_both(bed):
    """Bad input 19."""
    data, message_id = message()
    bed.submit(data, "ann@example.test")
    left = bed.left(message_id)
    assert verdicts(b"From: eve@evil.example\r\n" + left, bed.records) == [False, False]


def test_local_programs_are_signed(bed):
    data, message_id = message()
    bed.postfix.sendmail(data.replace(b"\r\n", b"\n"), "-f", "ann@example.test",
                         "dave@elsewhere.test")
    assert verdicts(bed.left(message_id), bed.records) == [True, True]


def test_port_25_is_not_signed(bed):
    """A stranger's message goes on as it is, whatever its From, and has no line in the log."""
    before = len(bed.program.lines("action="))
    data, message_id = message()
    assert bed.submit(data).code == 250
    assert signatures(bed.left(message_id)) == []
    assert len(bed.program.lines("action=")) == before


def test_a_domain_without_key_is_left_unsigned(bed):
    bed.pg.sql("SELECT mail.add_domain('nokey.test')")
    bed.pg.sql("SELECT mail.add_alias('ann@nokey.test', 'ann@example.test')")

    def accepted():
        data, message_id = message("ann@nokey.test")
        return bed.submit(data, "ann@example.test").code == 250 and message_id
    message_id = wait_until(accepted, what="the new alias in the snapshot")
    assert signatures(bed.left(message_id)) == []
    assert bed.program.lines("action=unsigned", "cause=no_key")


def test_a_line_too_long_is_left_unsigned(bed):
    data, message_id = message(body="x" * 999 + "\r\n")
    assert bed.submit(data, "ann@example.test").code == 250
    assert signatures(bed.left(message_id)) == []
    assert bed.program.lines("action=unsigned", "cause=line_too_long")


def test_several_messages_of_one_session(bed):
    ids = []
    for _ in range(3):
        data, message_id = message(body=f"{len(ids)}\r\n" * 10)
        ids.append(message_id)
        bed.submit(data, "ann@example.test")
    assert [verdicts(bed.left(i), bed.records) for i in ids] == [[True, True]] * 3


def test_new_keys_and_old_ones(bed):
    """A second pair signs too; retired keys do not."""
    bed.records |= new_keys(bed, "example.test", "--algorithm", "ed25519", "--selector", "extra")
    assert "extra._domainkey.example.test" in bed.records
    data, message_id = message()
    bed.submit(data, "ann@example.test")
    assert verdicts(bed.left(message_id), bed.records) == [True] * 3
    bed.pg.sql("UPDATE mail.dkim_keys SET state = 'retired' WHERE selector = 'extra'")
    wait_until(lambda: metric(bed, "postward_dkim_keys ") == 2, what="the key to retire")
    data, message_id = message()
    bed.submit(data, "ann@example.test")
    assert verdicts(bed.left(message_id), bed.records) == [True] * 2


def test_records_for_people(bed):
    text = bed.ctl("dkim", "new", "example.test", "--algorithm", "rsa", "--selector", "people")
    assert text.startswith('people._domainkey.example.test. IN TXT ( "v=DKIM1; k=rsa; p=')
    assert all(len(part) <= 255 for part in text.split('"')[1::2])
    bed.pg.sql("DELETE FROM mail.dkim_keys WHERE selector = 'people'")


def test_a_domain_that_is_not_ours_gets_no_key(bed):
    with pytest.raises(subprocess.CalledProcessError) as failure:
        bed.ctl("dkim", "new", "elsewhere.test")
    assert failure.value.returncode == 1 and "elsewhere.test is not ours" in failure.value.stderr


def test_a_taken_selector_is_refused(bed):
    with pytest.raises(subprocess.CalledProcessError) as failure:
        for _ in range(2):
            bed.ctl("dkim", "new", "example.test", "--algorithm", "rsa", "--selector", "twice")
    assert failure.value.returncode == 1
    assert bed.program.lines("event=key_refused", "selector=twice")
    bed.pg.sql("DELETE FROM mail.dkim_keys WHERE selector = 'twice'")


def test_a_function_of_owners_of_ones_own(bed):
    """What mail.sender_owners says counts; rows of it that are no names are left out."""
    data, _ = message("bob@example.test")
    own = bed.pg.value("SELECT pg_get_functiondef('mail.sender_owners(text)'::regprocedure)")
    wait_until(lambda: bed.submit(data, "ann@example.test").code == 550, what="the snapshot")
    bed.pg.sql("CREATE OR REPLACE FUNCTION mail.sender_owners(address text, OUT login text, OUT pattern text)"
               " RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER"
               " SET search_path = pg_catalog, mail, pg_temp AS"
               " $$SELECT s.login, s.pattern FROM mail.senders() AS s UNION ALL VALUES (NULL, 'x@y.test'),"
               "   ('ann@example.test', repeat('y', 2000)), ('ann@example.test', 'bob@example.test')$$;"
               "UPDATE mail.settings SET value = value WHERE name = 'mx_hosts'")
    try:
        wait_until(lambda: bed.submit(data, "ann@example.test").code == 250, what="the function to count")
        assert bed.program.lines("event=row_left_out", "table=snapshot_senders", "count=2")
    finally:
        bed.pg.sql(own)
        bed.pg.sql("UPDATE mail.settings SET value = value WHERE name = 'mx_hosts'")
        wait_until(lambda: bed.submit(data, "ann@example.test").code == 550, what="the stock one to count")


def test_reload_and_broken_keys():
    """SIGHUP takes the settings over; a key that cannot be read is a 451 and a line that says
    which; a message leaves with a valid signature or with none."""
    with DkimBed() as bed:
        new_keys(bed)
        data, message_id = message("bob@example.test")
        assert bed.submit(data, "ann@example.test").code == 550
        bed.program.reload(foreign_from="unsigned")
        wait_until(lambda: bed.submit(data, "ann@example.test").code == 250, what="the reload")
        assert signatures(bed.left(message_id)) == []
        bed.pg.sql("UPDATE mail.dkim_keys SET state = 'retired'")
        bed.pg.sql("INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key,"
                   " public_record) VALUES ('example.test', 'broken', 'rsa-sha256',"
                   " '-----BEGIN PRIVATE KEY-----\nAAAA\n', 'v=DKIM1; p=AAAA')")
        wait_until(lambda: bed.program.lines("event=key_unusable", "broken of example.test"),
                   what="the broken key")
        wait_until(lambda: bed.submit(message()[0], "ann@example.test").code == 451, what="451")
        assert bed.program.lines("action=defer", "cause=key_unusable")
        assert "AAAA" not in bed.program.process.log_text()


def test_without_database():
    """Fault 5. PostgreSQL away: signing goes on, over a restart too; a From that may have become the
    login's since is 451; so is everything without a copy on disk, or unsigned where that is
    set."""
    with DkimBed(snapshot_wait="1s") as bed:
        records = new_keys(bed)
        copy, = bed.program.state.glob("snapshot*")
        assert copy.stat().st_mode & 0o777 == 0o600
        bed.pg.stop()
        for _ in range(2):
            data, message_id = message()
            assert bed.submit(data, "ann@example.test").code == 250
            assert verdicts(bed.left(message_id), records) == [True, True]
            foreign, _ = message("bob@example.test")
            wait_until(lambda text=foreign: bed.submit(text, "ann@example.test").code == 451,
                       what="the loss to be noticed")
            assert bed.program.stop() == 0
            bed.program.start()
        bed.program.stop()
        copy.unlink()
        bed.program.start()
        data, message_id = message()
        assert bed.submit(data, "ann@example.test").code == 451
        bed.program.reload(on_no_database="pass")
        wait_until(lambda: bed.submit(data, "ann@example.test").code == 250, what="the reload")
        assert signatures(bed.left(message_id)) == []
        loads = len(bed.program.lines("database=snapshot_loaded"))
        bed.pg.start()
        wait_until(lambda: len(bed.program.lines("database=snapshot_loaded")) > loads, 60,
                   "the snapshot")
        data, message_id = message()
        assert bed.submit(data, "ann@example.test").code == 250
        assert verdicts(bed.left(message_id), records) == [True, True]


RULES = """INSERT INTO mail.dkim_rules (author, domain, adds, identity, expires_after, headers, oversign) VALUES
    ('@.example.test', 'example.test', false, 'author_domain', NULL, NULL, NULL),
    ('*', 'example.test', false, NULL, '30 days', '+ X-Ticket', NULL),
    ('bob@example.test', NULL, false, 'author', NULL, 'To Date X-Absent', 'X-Absent'),
    ('@example.test', 'other.test', true, NULL, NULL, NULL, NULL)"""


def test_rules_choose_domain_fields_and_times():
    """Subdomains, a default domain, a second domain besides, a list of fields: what leaves verifies."""
    with DkimBed() as bed:
        bed.pg.sql("SELECT mail.add_domain('other.test')")
        records = new_keys(bed) | new_keys(bed, "other.test", "--algorithm", "ed25519")
        bed.pg.sql(RULES)
        bed.pg.sql("INSERT INTO mail.dkim_rules (author, action) VALUES ('list@example.test', 'unsigned')")
        for pattern in ("@sub.example.test", "@foreign.test", "list@example.test"):
            bed.pg.sql("INSERT INTO mail.sender_permissions (login, pattern) VALUES ('ann@example.test', %s)", pattern)
        loaded(bed)
        signed = {}
        for sender, fields in (("ann@sub.example.test", {}), ("ann@foreign.test", {"X-Ticket": "7"}),
                               ("bob@example.test", {}), ("list@example.test", {})):
            text, message_id = message(sender=sender, **fields)
            login = sender if sender.startswith("bob") else "ann@example.test"
            assert bed.submit(text, login)[0] == 250
            signed[sender] = bed.left(message_id)
            assert all(verdicts(signed[sender], records)), sender
        tags = {sender: [tags_of(value) for value in signatures(data)] for sender, data in signed.items()}
        below, = {(t["d"], t["i"], "x" in t) for t in tags["ann@sub.example.test"]}
        assert below == ("example.test", "@sub.example.test", False)
        for t in tags["ann@foreign.test"]:
            assert t["d"] == "example.test" and int(t["x"]) - int(t["t"]) == 30 * 86400
            assert t["h"].split(":")[-1] == "X-Ticket"
        assert [t["d"] for t in tags["bob@example.test"]] == ["example.test"] * 2 + ["other.test"]
        own = tags["bob@example.test"][0]
        assert (own["i"], own["h"]) == ("bob@example.test", "From:From:To:Date:X-Absent")
        assert tags["list@example.test"] == []


def loaded(bed):
    """Wait until the program has taken over what SQL holds now."""
    wanted = bed.pg.value("SELECT mail.generation()")
    wait_until(lambda: any(int(line.rpartition("generation=")[2].split(",")[0]) >= wanted
                           for line in bed.program.lines("database=snapshot_loaded")), what="the snapshot")


def tags_of(value):
    """Of a DKIM-Signature, without blanks."""
    pairs = (pair.split("=", 1) for pair in "".join(value.decode().split()).split(";") if pair)
    return {name: text for name, text in pairs}


@pytest.mark.parametrize("setting, code", [("pass", 250), ("defer", 451), ("reject", 550)])
def test_each_class_of_failure_has_its_setting(failing, setting, code):
    bed = failing
    bed.program.reload(on_no_key=setting, on_bad_key="pass")
    assert answer_to(bed, "ann@nokey.test", code) == [f"cause={cause}" for cause in ("no_key",)]
    assert answer_to(bed, "ann@pending.test", code) == ["cause=key_pending"]
    assert answer_to(bed, "ann@bad.test", 250) == ["cause=key_unusable"]
    bed.program.reload(on_no_key="pass", on_bad_key=setting)
    assert answer_to(bed, "ann@bad.test", code) == ["cause=key_unusable"]
    assert answer_to(bed, "ann@nokey.test", 250) == ["cause=no_key"]


@pytest.fixture(scope="module")
def failing():
    with DkimBed() as running:
        for domain in ("nokey.test", "pending.test", "bad.test"):
            running.pg.sql("SELECT mail.add_domain(%s)", domain)
            running.pg.sql("INSERT INTO mail.sender_permissions (login, pattern) VALUES ('ann@example.test', %s)",
                           f"@{domain}")
        running.pg.sql("INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record, state)"
                       " VALUES ('pending.test', 'w', 'rsa-sha256', '-----BEGIN PRIVATE KEY-----', 'v=DKIM1;', 'waiting'),"
                       " ('bad.test', 'b', 'rsa-sha256', '-----BEGIN PRIVATE KEY-----', 'v=DKIM1;', 'active')")
        loaded(running)
        yield running


def answer_to(bed, sender, code):
    """Submit until the settings of a reload are there; the cause in the log."""
    def ask():
        text, _ = message(sender=sender)
        return bed.submit(text, login="ann@example.test")[0] == code
    wait_until(ask, what=f"{code} for {sender}")
    line = bed.program.lines("action=", f"from=<{sender}>")[-1]
    return [part.strip() for part in line.split(",") if part.strip().startswith("cause=")]


def alarms(bed, domain, count):
    """Letters with a signature that does not hold, looked at by the guard; how many it found."""
    done = subprocess.run(bed.ns.command(build() / "tests/probe/probe_guard", bed.pg.conninfo(user="postward_dkim"),
                                         domain, str(count)), check=True, capture_output=True, text=True, timeout=120)
    return int(done.stdout)


def test_alarms_of_the_guard_are_events(bed):
    """One an hour and domain, however many there are and from however many programs; mail.check() tells."""
    assert alarms(bed, "example.test", 20) == 20
    assert alarms(bed, "example.test", 1) == 1
    assert alarms(bed, "other.test", 1) == 1
    rows = bed.pg.sql("SELECT who, actor, detail ->> 'why', detail ->> 'queue_id' FROM mail.events WHERE kind = 'dkim_guard'"
                      " ORDER BY id")
    assert [tuple(row) for row in rows] == [(domain, "postward_dkim", "body hash mismatch", "4fQ2xT1z9Yz")
                                            for domain in ("example.test", "other.test")]
    assert bed.pg.value("SELECT count(*) FROM mail.check() WHERE what LIKE '%does not hold%'") == 2
    bed.pg.sql("DELETE FROM mail.events WHERE kind = 'dkim_guard'")


def test_an_alarm_without_a_database_is_a_line_in_the_log(bed):
    """Fault 7 for the guard: it neither waits for PostgreSQL nor ends."""
    done = subprocess.run(bed.ns.command(build() / "tests/probe/probe_guard", "host=/nonexistent user=postward_dkim",
                                         "example.test", "3"), check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "3\n"
    assert done.stderr.count("event=guard") == 3

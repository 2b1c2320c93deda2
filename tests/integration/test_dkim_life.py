"""The life of DKIM keys against name servers that publish late, never and wrongly, behind a
real Postfix: no message is signed with a key that a verifier cannot see. And private keys at
rest: a dump of the database holds none that can be used."""
import base64
import json
import os
import re
import signal
import stat
import subprocess

import pytest

import test_dkim
from dkim_bed import SOURCE, DkimBed
from stack.dns import Dns, txt
from stack.host import loaded
from stack.postward import build
from stack.proc import wait_until

RESOLVER, SERVERS = "198.51.100.53", ("198.51.100.54", "198.51.100.55")
ZONE = ["example.test. 60 IN NS ns1.example.test.", "example.test. 60 IN NS ns2.example.test.",
        *(f"ns{i}.example.test. 60 IN A {a}" for i, a in enumerate(SERVERS, 1))]


class LifeBed(DkimBed):
    """With a resolver and two name servers of example.test. What a name server shows is put
    there by hand; the resolver knows what either has."""

    waits = True
    parts = (*DkimBed.parts, "resolver", "one", "two")

    def _start(self):
        super()._start()
        self.ns.address("lo", *(f"{a}/32" for a in (RESOLVER, *SERVERS)))
        self.resolver, self.one, self.two = (
            Dns(self.root / name, self.ns, address).start(ZONE)
            for name, address in zip(("resolver", "one", "two"), (RESOLVER, *SERVERS)))
        self.pg.sql("UPDATE mail.settings SET value = '0' WHERE name = 'dkim_settle_minutes'")
        self.shown = {self.one: {}, self.two: {}, self.resolver: {}}

    def show(self, name, record, *servers):
        """The record is at these servers and at no other; None: at none."""
        for server, records in self.shown.items():
            if records.pop(name, None):
                server.remove(f"{name}.")
            if record and server in servers:
                server.add(txt(f"{name}.", record))
                records[name] = record

    def look(self):
        """dns check --record; state of each key by its selector, as DNS has it."""
        env = {**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations")}
        done = subprocess.run(self.ns.command(build() / "bin/postwardctl", "dns", "check", "--keys", "--record", "--json",
                                              "--dns", RESOLVER, "--timeout", "6000", "--database", self.pg.conninfo()),
                              env=env, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1, 75), done.stderr
        return {r["name"].split(".")[0]: (r["state"], r["problem"]) for r in json.loads(done.stdout)["records"]}

    def key(self, selector):
        return self.pg.value("SELECT state FROM mail.dkim_keys WHERE selector = %s", selector)

    def signers(self):
        """Selectors of the signatures of a message that leaves now; all of them verify at either
        name server."""
        generation = self.pg.value("SELECT mail.generation()")
        wait_until(lambda: loaded(self.program) >= generation, what="the snapshot")
        data, message_id = test_dkim.message()
        assert self.submit(data, "ann@example.test").code == 250
        left = self.left(message_id)
        values = test_dkim.signatures(left)
        for server in (self.one, self.two):
            assert all(test_dkim.verdicts(left, self.shown[server])), (values, self.shown[server])
        return sorted(re.search(rb"[;\s]s=([^;\s]+)", v)[1].decode() for v in values)


@pytest.fixture(scope="module")
def bed():
    with LifeBed() as running:
        yield running


def new(bed, selector):
    answer = json.loads(bed.ctl("dkim", "new", "example.test", "--algorithm", "rsa", "--selector", selector, "--json"))
    return answer["keys"][0]["name"], answer["keys"][0]["record"]


def test_fault_17_published_late_never_and_wrongly(bed):
    name, record = new(bed, "first")
    everywhere = (bed.resolver, bed.one, bed.two)
    assert bed.look()["first"][0] == "missing" and bed.signers() == []
    bed.show(name, record, bed.resolver, bed.one)
    assert bed.look()["first"] == ("missing", "") and bed.signers() == []
    bed.show(name, record, bed.resolver, bed.two)
    assert bed.look()["first"][0] == "missing" and bed.signers() == []
    bed.show(name, record.replace("p=MI", "p=AA"), *everywhere)
    assert bed.look()["first"][0] == "differs" and bed.signers() == []
    bed.show(name, record, *everywhere)
    bed.shown[bed.two][name] = None  # one server has an older zone: another key
    bed.two.remove(f"{name}.")
    bed.two.add(txt(f"{name}.", record.replace("p=MI", "p=AA")))
    assert bed.look()["first"][0] == "differs" and bed.key("first") == "pending" and bed.signers() == []
    bed.two.remove(f"{name}.")
    bed.show(name, record, *everywhere)
    bed.two.stop()
    state, problem = bed.look()["first"]
    assert state == "unknown" and problem.startswith("name server ns2.example.test: DNS did not answer"), problem
    assert bed.key("first") == "pending" and bed.signers() == []
    bed.two.start([*ZONE, txt(f"{name}.", record)])
    wait_until(lambda: bed.look()["first"][0] == "ok", what="the server to be back")
    assert bed.key("first") == "active" and bed.signers() == ["first"]


def test_a_lame_server_is_no_answer(bed):
    bed.two._control("local_zone", "example.test.", "refuse")
    try:
        assert bed.look()["first"][0] == "unknown" and bed.key("first") == "active"
    finally:
        bed.two._control("local_zone_remove", "example.test.")


def test_rotation_with_dns_that_takes_its_time(bed):
    """The old key signs until all servers show the new one, and its record stays."""
    request, = bed.pg.sql("SELECT selector FROM mail.dkim_rotate('example.test')")
    selector = request[0]
    wait_until(lambda: bed.key(selector) == "pending", what="the next key")
    record = bed.pg.value("SELECT public_record FROM mail.dkim_keys WHERE selector = %s", selector)
    name = f"{selector}._domainkey.example.test"
    bed.look()
    assert bed.signers() == ["first"]
    bed.show(name, record, bed.resolver, bed.one)
    bed.look()
    assert bed.signers() == ["first"]
    bed.show(name, record, bed.resolver, bed.one, bed.two)
    bed.look()
    assert (bed.key("first"), bed.key(selector)) == ("retiring", "active") and bed.signers() == [selector]
    bed.show(name, None)
    bed.look()
    assert (bed.key("first"), bed.key(selector)) == ("active", "pending") and bed.signers() == ["first"]
    bed.show(name, record, bed.resolver, bed.one, bed.two)
    bed.look()
    assert bed.signers() == [selector]
    bed.pg.sql("SELECT mail.dkim_step(now() + interval '8 days')")
    assert bed.key("first") == "revoked" and bed.signers() == [selector]
    assert bed.pg.value("SELECT value FROM mail.dns_records WHERE name LIKE 'first.%%'") == "v=DKIM1; k=rsa; p="


def host_key(bed):
    return bed.program.state / "host.key"


def test_the_database_holds_no_usable_key(bed):
    mode = host_key(bed).stat()
    assert stat.S_IMODE(mode.st_mode) == 0o400
    assert "PRIVATE KEY" not in subprocess.run(["pg_dump", "--data-only", bed.pg.conninfo()], check=True, capture_output=True, text=True).stdout
    assert "PRIVATE KEY" not in "".join(str(r) for r in bed.pg.sql("SELECT detail FROM mail.events"))
    assert all(b"PRIVATE KEY" not in f.read_bytes() for f in bed.program.state.iterdir() if f.is_file())


def test_a_key_in_clear_is_sealed_and_signs_on(bed):
    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True, text=True).stdout
    bed.pg.sql("INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record) VALUES"
               " ('example.test', 'old', 'ed25519-sha256', %s, 'v=DKIM1; k=ed25519; p=AAAA')", pem)
    wait_until(lambda: bed.pg.value("SELECT private_key LIKE 'pwk1:%%' FROM mail.dkim_keys WHERE selector = 'old'"), what="sealing")
    count = bed.pg.value("SELECT count(*) FROM mail.snapshot_dkim_keys")
    wait_until(lambda: test_dkim.metric(bed, "postward_dkim_keys ") == count, what="the sealed key to be used")
    bed.pg.sql("DELETE FROM mail.dkim_keys WHERE selector = 'old'")
    selector, = bed.signers()
    assert bed.key(selector) == "active"


def test_a_sealed_key_in_another_ones_place_is_refused(bed):
    """Whoever can write the table cannot have one domain's key sign for another."""
    bed.pg.sql("SELECT mail.add_domain('other.test')")
    bed.pg.sql("INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record)"
               " SELECT 'other.test', selector, algorithm, private_key, public_record FROM mail.dkim_keys"
               " WHERE state = 'active' AND domain = 'example.test'")
    wait_until(lambda: bed.program.lines("event=key_unusable", "of other.test"), what="the refusal")
    bed.pg.sql("DELETE FROM mail.dkim_keys WHERE domain = 'other.test'")


def host_keys(bed, *args, **more):
    done = subprocess.run([build() / "bin/postwardctl", "dkim", "host-key", *args, "--file", str(host_key(bed))],
                          capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_new_host_key_takes_over_what_is_sealed(bed):
    before = bed.pg.value("SELECT split_part(private_key, ':', 2) FROM mail.dkim_keys WHERE state = 'active'")
    shown = json.loads(host_keys(bed, "show", "--json"))
    assert shown["ok"] and [k["id"] for k in shown["keys"]] == [before]
    owner = host_key(bed).stat()
    host_keys(bed, "new")
    after = host_key(bed).stat()
    assert (stat.S_IMODE(after.st_mode), after.st_uid) == (0o400, owner.st_uid)
    now = [k["id"] for k in json.loads(host_keys(bed, "show", "--json"))["keys"]]
    assert len(now) == 2 and now[1] == before
    wait_until(lambda: bed.pg.value("SELECT split_part(private_key, ':', 2) FROM mail.dkim_keys WHERE state = 'active'") == now[0],
               what="keys under the new host key")
    assert len(bed.signers()) == 1


def test_an_export_opens_what_is_sealed(bed, tmp_path):
    selector, = bed.signers()
    domain = bed.pg.value("SELECT domain::text FROM mail.dkim_keys WHERE selector = %s", selector)
    command = [build() / "bin/postwardctl", "dkim", "export", domain, selector, "--json", "--database",
               bed.pg.conninfo(), "--host-key"]
    done = subprocess.run([*command, host_key(bed)], capture_output=True, text=True, check=True)
    key, = json.loads(done.stdout)["keys"]
    public = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=key["private_key"].encode(),
                            capture_output=True, check=True).stdout
    assert base64.b64encode(public).decode() in key["record"]
    other = tmp_path / "host.key"
    subprocess.run([build() / "bin/postwardctl", "dkim", "host-key", "new", "--file", other],
                   capture_output=True, check=True)
    for file, code in ((other, 65), (tmp_path / "none", 66)):
        done = subprocess.run([*command, file], capture_output=True, text=True, check=False)
        assert done.returncode == code and "PRIVATE" not in done.stdout and done.stderr


def test_host_keys_are_shared_by_nodes(bed, tmp_path):
    text = host_keys(bed, "export")
    other = tmp_path / "host.key"
    command = [build() / "bin/postwardctl", "dkim", "host-key", "import", "--file", str(other)]
    assert subprocess.run(command, input=text, capture_output=True, text=True, check=False).returncode == 0
    assert other.read_text() == text and stat.S_IMODE(other.stat().st_mode) == 0o400
    for wrong, why in (("no key\n", "line 1"), ("", "holds no key")):
        done = subprocess.run(command, input=wrong, capture_output=True, text=True, check=False)
        assert done.returncode == 65 and why in done.stderr and other.read_text() == text
    bed.pg.sql("INSERT INTO mail.dkim_hosts VALUES ('second', '{0123456789abcdef}', now())")
    assert bed.pg.value("SELECT count(*) FROM mail.check() WHERE what LIKE 'node second lacks host key%%'")
    bed.pg.sql("DELETE FROM mail.dkim_hosts WHERE host = 'second'")


def test_fault_16_a_host_key_that_others_may_read(bed):
    """No key is used then, and no message leaves with a broken signature; put right, all goes on."""
    host_key(bed).chmod(0o644)
    bed.pg.sql("UPDATE mail.settings SET value = value WHERE name = 'mx_hosts'")
    wait_until(lambda: test_dkim.metric(bed, "postward_dkim_keys ") == 0, what="the keys to be refused")
    assert bed.program.lines("event=host_key", "others may read")
    data, _ = test_dkim.message()
    assert bed.submit(data, "ann@example.test").code == 451
    host_key(bed).chmod(0o400)
    bed.pg.sql("UPDATE mail.settings SET value = value WHERE name = 'mx_hosts'")
    assert len(bed.signers()) == 1


def test_fault_22_reloads_while_keys_change(bed):
    """SIGHUP again and again while keys come and go: no session fails, and none is signed with a
    key that is gone once the snapshot is loaded."""
    selector, = bed.signers()
    for round_ in range(5):
        bed.pg.sql("UPDATE mail.dkim_keys SET state = 'published' WHERE selector = %s", selector)
        for _ in range(10):
            bed.program.process.kill(signal.SIGHUP)
        assert bed.signers() == [], round_
        bed.pg.sql("UPDATE mail.dkim_keys SET state = 'active' WHERE selector = %s", selector)
        for _ in range(10):
            bed.program.process.kill(signal.SIGHUP)
        assert bed.signers() == [selector], round_


def test_fault_23_a_restart_keeps_host_key_and_keys(bed):
    """Also without the database: the copy on disk holds sealed keys, the host key opens them."""
    selector, = bed.signers()
    before = host_key(bed).read_bytes()
    bed.pg.stop()
    try:
        bed.program.stop()
        bed.program.start()
        data, message_id = test_dkim.message()
        wait_until(lambda: bed.submit(data, "ann@example.test").code == 250, what="the stored snapshot")
        left = bed.left(message_id)
        assert test_dkim.signatures(left) and all(test_dkim.verdicts(left, bed.shown[bed.one]))
    finally:
        bed.pg.start()
    assert host_key(bed).read_bytes() == before and bed.signers() == [selector]

"""postwardctl dns check: what DNS says is compared by its meaning, and kept."""
import contextlib
import json
import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from stack.postgres import Postgres
from stack.postward import SOURCE, build

KEY = "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuW" + "x" * 300
GOOD = {
    "d.test": {"MX": [[5, "other.test"], [10, "mx.d.test"]], "TXT": ["v=spf1 a:mx.d.test -all", "unrelated"]},
    "s._domainkey.d.test": {"TXT": [KEY.replace("; ", ";").replace("MIIB", "MI IB")]},
    "_dmarc.d.test": {"TXT": ["v=DMARC1; p=none; rua=mailto:r@d.test"]},
    "_imaps._tcp.d.test": {"SRV": [[5, 0, 993, "MX.d.test"]]},
    "_submissions._tcp.d.test": {"SRV": [[0, 1, 465, "mx.d.test"]]},
    "mx.d.test": {"A": ["192.0.2.7"], "AAAA": ["2001:db8::7"]},
    "7.2.0.192.in-addr.arpa": {"PTR": ["mx.d.test"]},
    "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": {"PTR": ["mx.d.test"]},
}


@pytest.fixture(scope="module")
def postgres():
    with tempfile.TemporaryDirectory(prefix="pw-dns-") as folder:
        os.chmod(folder, 0o755)
        server = Postgres(Path(folder) / "pg").create().start()
        server.sql("CREATE DATABASE mail", database="postgres")
        done = ctl(server, "schema", "migrate")
        assert done.returncode == 0, done.stderr
        server.sql("INSERT INTO mail.virtual_domains (name) VALUES ('d.test')")
        server.sql("INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record) VALUES"
                   " ('d.test', 's', 'rsa-sha256', '-----BEGIN PRIVATE KEY-----x', %s)", KEY)
        server.sql("UPDATE mail.settings SET value = 'mx.d.test' WHERE name = 'mx_hosts'")
        yield server
        server.stop()


@pytest.fixture
def database(postgres):
    """What tests set is as it was before each of them."""
    postgres.sql("UPDATE mail.settings SET value = '192.0.2.7 2001:db8::7' WHERE name = 'mx_addresses'")
    postgres.sql("DELETE FROM mail.dns_seen")
    return postgres


def ctl(server, *args):
    env = {**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations")}
    verb = 2 if args[0] == "dns" else 1
    return subprocess.run([build() / "bin/postwardctl", *args[:verb], "--database", server.conninfo(), *args[verb:]],
                          capture_output=True, text=True, timeout=60, check=False, env=env)


@pytest.fixture
def check(database, tmp_path):
    def run(*args, code=0, **changes):
        """changes: other records of a name, dots as two underscores."""
        zone = {**GOOD, **{name.replace("__", "."): records for name, records in changes.items()}}
        (tmp_path / "zone.json").write_text(json.dumps({n: r for n, r in zone.items() if r is not None}))
        done = ctl(database, "dns", "check", "--zone", tmp_path / "zone.json", *args)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout
    return run


def states(text):
    return {(r["kind"], r["name"], r["type"]): (r["state"], r["problem"]) for r in json.loads(text)["records"]}


def test_all_is_well(check):
    answer = json.loads(check("--json"))
    assert answer["ok"] and {r["state"] for r in answer["records"]} == {"ok"}
    assert sorted(r["kind"] for r in answer["records"]) == ["address"] * 2 + ["dkim", "dmarc", "mx"] + ["ptr"] * 2 + ["spf"] + ["srv"] * 2
    assert "ok       _dmarc.d.test TXT DMARC: start with p=none where unsure\n         DNS says:   v=DMARC1; p=none; rua" in check()


S = "s._domainkey.d.test"
CASES = [  # label, records changed, record that is not well, its state, problem, exit code
    ("no MX", {"d.test": {"TXT": GOOD["d.test"]["TXT"]}}, ("mx", "d.test", "MX"), "missing", "there is no such record", 1),
    ("other MX", {"d.test": {**GOOD["d.test"], "MX": [[1, "x.test"]]}}, ("mx", "d.test", "MX"), "differs", "other hosts take", 1),
    ("SPF of others", {"d.test": {**GOOD["d.test"], "TXT": ["v=spf1 ip4:192.0.2.7 -all"]}}, ("spf", "d.test", "TXT"), "differs",
     "mail from 2001:db8::7 gets spf=fail", 1),
    ("SPF twice", {"d.test": {**GOOD["d.test"], "TXT": ["v=spf1 mx -all", "v=spf1 mx ~all"]}}, ("spf", "d.test", "TXT"), "differs",
     "several SPF records", 1),
    ("no SPF", {"d.test": {**GOOD["d.test"], "TXT": ["unrelated"]}}, ("spf", "d.test", "TXT"), "missing", "there is no SPF record", 1),
    ("broken SPF", {"d.test": {**GOOD["d.test"], "TXT": ["v=spf1 nonsense -all"]}}, ("spf", "d.test", "TXT"), "differs",
     "spf=permerror", 1),
    ("SPF that asks on", {"d.test": {**GOOD["d.test"], "TXT": ["v=spf1 include:x.test -all"]}, "x.test": {"rcode": "TIMEOUT"}},
     ("spf", "d.test", "TXT"), "unknown", "spf=temperror", 75),
    ("no key", {S: None}, ("dkim", S, "TXT"), "missing", "there is no such record", 1),
    ("other key", {S: {"TXT": ["v=DKIM1; p=AAAA"]}}, ("dkim", S, "TXT"), "differs", "another key", 1),
    ("key of another kind", {S: {"TXT": [KEY.replace("k=rsa", "k=ed25519")]}}, ("dkim", S, "TXT"), "differs", "another key", 1),
    ("key revoked", {S: {"TXT": ["v=DKIM1; p="]}}, ("dkim", S, "TXT"), "differs", "another key", 1),
    ("two keys", {S: {"TXT": [KEY, "v=DKIM1; p=AAAA"]}}, ("dkim", S, "TXT"), "differs", "several records", 1),
    ("DNS fails for the key", {S: {"rcode": "SERVFAIL"}}, ("dkim", S, "TXT"), "unknown", "DNS did not answer (SERVFAIL)", 75),
    ("no DMARC", {"_dmarc.d.test": None}, ("dmarc", "_dmarc.d.test", "TXT"), "missing", "there is no such record", 1),
    ("DMARC among others", {"_dmarc.d.test": {"TXT": ["hello"]}}, ("dmarc", "_dmarc.d.test", "TXT"), "missing", "no DMARC record", 1),
    ("broken DMARC", {"_dmarc.d.test": {"TXT": ["v=DMARC1; p=maybe"]}}, ("dmarc", "_dmarc.d.test", "TXT"), "differs", "cannot be read", 1),
    ("name that leads elsewhere", {"7.2.0.192.in-addr.arpa": {"PTR": ["x.test"]}, "x.test": {"A": ["192.0.2.8"]}},
     ("ptr", "7.2.0.192.in-addr.arpa", "PTR"), "differs", "does not lead back", 1),
    ("name that DNS does not know now", {"7.2.0.192.in-addr.arpa": {"PTR": ["x.test"]}, "x.test": {"rcode": "SERVFAIL"}},
     ("ptr", "7.2.0.192.in-addr.arpa", "PTR"), "unknown", "did not answer", 75),
    ("no name", {"7.2.0.192.in-addr.arpa": None}, ("ptr", "7.2.0.192.in-addr.arpa", "PTR"), "missing", "there is no such", 1),
]


@pytest.mark.parametrize("changes, record, state, problem, code", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_one_is_not_well(check, changes, record, state, problem, code):
    found = states(check("--json", code=code, **{name.replace(".", "__"): r for name, r in changes.items()}))
    assert found.pop(record)[0] == state
    assert {s for s, _ in found.values()} == {"ok"}
    found = states(check("--json", code=code, **{name.replace(".", "__"): r for name, r in changes.items()}))
    assert problem in found[record][1]


def test_another_name_that_leads_back_will_do(check):
    check(**{"7__2__0__192__in-addr__arpa": {"PTR": ["x.test"]}, "x__test": {"A": ["192.0.2.7"]}})


def test_what_to_publish(check):
    text = check("d.test", code=1, **{S.replace(".", "__"): None})
    assert f"missing  {S} TXT DKIM key, rsa-sha256\n         there is no such record\n" in text
    value = text.split(f"publish:    {S}. IN TXT ( ")[1].split(" )")[0]
    assert "".join(part for part in value.split('"') if part != " ") == KEY
    assert all(len(part) <= 255 for part in value.split('"'))


def test_addresses_are_found_by_dns(database, check):
    database.sql("UPDATE mail.settings SET value = '' WHERE name = 'mx_addresses'")
    assert {k[0] for k in states(check("--json"))} == {"mx", "spf", "dkim", "dmarc", "srv"}
    assert {k[0] for k in states(check("--json", "--record"))} == {"mx", "spf", "dkim", "dmarc", "srv", "address", "ptr"}
    assert database.value("SELECT value FROM mail.settings WHERE name = 'mx_addresses'") == "mx.d.test=192.0.2.7 mx.d.test=2001:db8::7"
    found = states(check("--json", code=1, **{"mx__d__test": {"A": ["192.0.2.7"]}}))
    assert found[("address", "mx.d.test", "AAAA")] == ("missing", "there is no such record")


def test_addresses_are_not_guessed_from_half_an_answer(database, check):
    database.sql("UPDATE mail.settings SET value = '' WHERE name = 'mx_addresses'")
    check("--record", code=1, **{"mx__d__test": {"A": ["192.0.2.8"], "rcode": "SERVFAIL"}, "d__test": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]}})
    assert database.value("SELECT value FROM mail.settings WHERE name = 'mx_addresses'") == ""


def test_host_without_an_address(database, check):
    database.sql("UPDATE mail.settings SET value = '' WHERE name = 'mx_addresses'")
    found = states(check("--json", code=1, **{"mx__d__test": None}))
    assert found[("mx", "d.test", "MX")] == ("differs", "mx.d.test has no address")
    found = states(check("--json", code=1, **{"mx__d__test": {"rcode": "TIMEOUT"}}))
    assert found[("mx", "d.test", "MX")][0] == "unknown"


def test_what_was_seen_is_kept(database, check):
    check("--record", code=1, **{"_dmarc__d__test": None})
    assert database.sql("SELECT severity, what, hint FROM mail.check() WHERE what LIKE 'DNS%%'") == [
        ("warning", "DNS, _dmarc.d.test TXT: there is no such record", "postwardctl dns check d.test --record")]
    check("--record", code=75, **{"_dmarc__d__test": {"rcode": "SERVFAIL"}})
    assert database.sql("SELECT state, failed_at > checked_at FROM mail.dns_seen WHERE name = '_dmarc.d.test'") == [("missing", True)]
    check("--record")
    assert database.sql("SELECT what FROM mail.check() WHERE what LIKE 'DNS%%'") == []
    assert database.value("SELECT count(*) FROM mail.dns_seen WHERE state = 'ok'") == 10


def test_keys_not_in_use_may_be_missing(database, check):
    database.sql("INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record, state) VALUES"
                 " ('d.test', 'next', 'rsa-sha256', '-----BEGIN PRIVATE KEY-----x', 'v=DKIM1; p=BBBB', 'waiting')")
    try:
        assert states(check("--json", "--record"))[("dkim", "next._domainkey.d.test", "TXT")] == ("missing", "")
        assert database.sql("SELECT what FROM mail.check() WHERE what LIKE 'DNS%%'") == []
    finally:
        database.sql("DELETE FROM mail.dkim_keys WHERE selector = 'next'")


def test_which_domains(database, check):
    database.sql("INSERT INTO mail.virtual_domains (name) VALUES ('e.test')")
    try:
        assert states(check("--json", "D.test")).keys() == states(check("--json", "d.test")).keys()
        assert ("spf", "e.test", "TXT") in states(check("--json", code=1))
        assert ("mx", "d.test", "MX") not in states(check("--json", "e.test", code=1))
    finally:
        database.sql("DELETE FROM mail.virtual_domains WHERE name = 'e.test'")
    done = ctl(database, "dns", "check", "foreign.test")
    assert (done.returncode, done.stderr) == (65, "postwardctl dns: foreign.test is no domain that we take mail for\n")


def test_all_questions_share_one_deadline(database):
    """A server that takes questions and never answers: each has been asked once before any is asked again, so
    none began when another had run out of time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        done = ctl(database, "dns", "check", "--json", "--dns", f"127.0.0.1@{silent.getsockname()[1]}", "--timeout", "1500")
        asked = questions(silent)
    assert done.returncode == 75
    assert {s for s, _ in states(done.stdout).values()} == {"unknown"}
    different = len(set(asked))
    assert different > 3 and len(set(asked[:different])) == different, asked


def questions(server):
    """What it was sent, in that order: (name, type)."""
    found = []
    server.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            labels, rest = [], server.recv(4096)[12:]
            while rest[0]:
                labels.append(rest[1:rest[0] + 1].decode().lower())
                rest = rest[rest[0] + 1:]
            found.append((".".join(labels), int.from_bytes(rest[1:3], "big")))
    return found


def test_terminal_is_not_spoken_to(check):
    text = check("d.test", code=1, **{"d__test": {**GOOD["d.test"], "TXT": ["v=spf1 \u001b[2J -all"]}})
    assert "\x1b" not in text


def test_wrong_use(database):
    for args in ([], ["look"], ["check", "--timeout", "0"], ["check", "--none"]):
        assert ctl(database, "dns", *args).returncode == 2

"""postwardctl scan and verify: what they print about messages in files, whatever is in these;
passwd --app."""
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import dkim
import pytest

from stack.postgres import Postgres

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PW_BUILD", ROOT / "build"))
MESSAGE = (b"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: Hi\r\n"
           b"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nHello\r\n")
DMARC = {"_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject; adkim=s"]}}
SPF = {"example.org": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"], "A": ["192.0.2.7"]}}


def ctl(*args, text=None, code=0):
    done = subprocess.run([BUILD / "bin/postwardctl", *map(str, args)], input=text, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def zone(tmp_path):
    def write(*parts):
        path = tmp_path / "zone.json"
        path.write_text(json.dumps({name: types for part in parts for name, types in part.items()}))
        return path
    return write


@pytest.fixture
def message(tmp_path):
    def write(data, name="message.eml"):
        path = tmp_path / name
        path.write_bytes(data)
        return path
    return write


@pytest.fixture(scope="module")
def signed():
    """The message signed as example.org, and the zone with the key."""
    pem = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem, capture_output=True,
                         check=True).stdout
    signature = dkim.sign(MESSAGE, b"s", b"example.org", pem)
    record = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
    return signature + MESSAGE, {"s._domainkey.example.org": {"TXT": [record]}}


def verify(path, *args):
    return json.loads(ctl("verify", *args, path))


@pytest.mark.parametrize("ip, is_signed, spf, dmarc, alignment", [
    ("192.0.2.7", True, "pass", "pass", ["spf", "dkim"]),
    ("192.0.2.7", False, "pass", "pass", ["spf"]),
    ("192.0.2.8", True, "fail", "pass", ["dkim"]),
    ("192.0.2.8", False, "fail", "fail", []),
    (None, True, "none", "pass", ["dkim"]),
])
def test_verify_spf_and_dmarc(ip, is_signed, spf, dmarc, alignment, signed, zone, message):
    envelope = ["--ip", ip, "--helo", "mx.example.org", "--from", "ann@example.org"] if ip else []
    got = verify(message(signed[0] if is_signed else MESSAGE), "--zone", zone(SPF, DMARC, signed[1]), *envelope)
    assert got["spf"]["result"] == spf
    assert got["dkim_result"] == ("pass" if is_signed else "none")
    published = got["dmarc"].pop("published")
    assert (published["p"], published["np"], published["pct"]) == ("reject", "reject", 100)
    assert got["dmarc"] == {"result": dmarc, "policy": "reject", "alignment": alignment, "domain": "example.org", "reason": "",
                            "disposition": "reject" if dmarc == "fail" else "none"}
    assert got["arc"] == {"result": "none", "reason": "", "sets": 0}
    if not ip:
        assert got["spf"]["reason"] == "no client address"


def test_verify_without_a_policy(signed, zone, message):
    got = verify(message(signed[0]), "--zone", zone(signed[1]))
    assert got["dmarc"]["result"] == "none" and got["dkim_result"] == "pass"


@pytest.mark.parametrize("change", [
    lambda data: data, lambda data: data.replace(b"\r\n", b"\n"),
    lambda data: b"From ann@example.org Mon Nov  2 10:00:00 2026\n" + data.replace(b"\r\n", b"\n"),
    lambda data: data.replace(b"Hello\r\n", b"Hello\n"),
], ids=["CRLF", "LF", "mbox", "mixed"])
def test_line_ends_of_the_file_do_not_matter(change, signed, zone, message):
    got = verify(message(change(signed[0])), "--zone", zone(signed[1]))
    assert got["dkim_result"] == "pass"


def test_scan_prints_decimals(message):
    spam = MESSAGE.replace(b"Subject: Hi", b"Subject: FREE VIAGRA!!! act now").replace(b"Message-ID", b"X-No")
    out = ctl("scan", "--no-database", "--json", message(spam))
    answer = json.loads(out)
    assert len(answer["symbols"]) > 1 and answer["score"] != 0
    for number in re.findall(r'"score": ?(\S+?)[,}\s]', out):
        assert re.fullmatch(r"-?\d+(\.\d{0,2}[1-9])?", number), out
    total = sum(symbol["score"] for symbol in answer["symbols"])
    assert answer["score"] == pytest.approx(total, abs=0.0005)


def test_scan_judges_old_mail_as_of_its_arrival(signed, zone, message):
    """Its signature has expired since; it was good when the message came."""
    received = b"Received: from a by b; Mon, 2 Nov 2026 10:00:10 +0000\r\n"
    made = int(re.search(rb"t=(\d+)", signed[0])[1])
    ask = {"file": str(message(received + signed[0])), "now": made}
    answer = json.loads(ctl("scan", "--no-database", "--batch", "--zone", zone(signed[1]), text=json.dumps(ask)))
    assert answer["dkim"] == "pass" and answer["verified"]


@pytest.mark.parametrize("command", ["scan", "verify"])
@pytest.mark.parametrize("line", [
    "", "{", "[]", "{}", '{"file": 7}', '{"file": "/nonexistent"}', '{"file": "FILE", "now": 9223372036854775807}',
    '{"file": "FILE", "now": "x"}', '{"file": "FILE", "ip": "192.0.2.999"}', '{"file": "' + "x" * 1500000 + '"}',
], ids=lambda line: line[:30])
def test_a_bad_line_is_answered_and_the_next_one_too(command, line, zone, message):
    path = str(message(MESSAGE))
    text = line.replace("FILE", path) + "\n" + json.dumps({"file": path})
    args = ["--no-database"] if command == "scan" else ["--zone", zone(DMARC)]
    first, second = [json.loads(answer) for answer in ctl(command, "--batch", *args, text=text, code=1).splitlines()]
    assert "error" in first and "error" not in second and second["file"] == path


@pytest.mark.parametrize("args, code", [
    ([], 2), (["scan"], 2), (["scan", "--batch", "file"], 2), (["scan", "--now", "x", "file"], 2),
    (["scan", *["--rcpt", "a@b"] * 101, "file"], 2), (["verify", "--help"], 0), (["nonsense"], 2),
    (["verify", "--zone", "/nonexistent", "file"], 66), (["verify", "--zone", "/dev/null", "file"], 65),
    (["dkim", "new", "example.org", "--algorithm", "nonsense"], 2),
    (["passwd", "--database", "nonsense=1", "ann@example.org"], 78),
    (["passwd", "--app", "ann@example.org"], 2), (["passwd", "ann@example.org", "phone"], 2),
    (["passwd", "--list", "ann@example.org"], 2), (["passwd", "--net", "192.0.2.7", "ann@example.org"], 2),
    (["passwd", "--app", "--revoke", "--list", "ann@example.org"], 2), (["passwd", "--app", "--list", "a@b.test", "x"], 2),
    (["passwd", "--app", "--revoke", "--expires", "2027-01-01", "ann@example.org", "x"], 2),
], ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else str(value))
def test_exit_codes(args, code):
    ctl(*args, code=code)


@pytest.fixture(scope="module")
def database():
    """A server whose schema knows ann@d.test and bob@d.test."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pw-tools-"))
    folder.chmod(0o755)
    server = Postgres(folder / "pg").create().start()
    server.sql("CREATE DATABASE mail", database="postgres")
    ctl("schema", "migrate", "--dir", ROOT / "sql/migrations", "--database", server.conninfo())
    server.sql("SELECT mail.add_domain('d.test')")
    server.sql("INSERT INTO mail.virtual_users (email) VALUES ('ann@d.test'), ('bob@d.test')")
    yield server
    server.stop()
    shutil.rmtree(folder)


def app(database, *args, code=0):
    return ctl("passwd", "--app", *args, "--database", database.conninfo(), code=code)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_connects_as_postgres(database):
    """Where nobody else is named; libpq then asks for the role of that name."""
    database.sql("CREATE DATABASE roots", database="postgres")
    ctl("schema", "migrate", "--dir", ROOT / "sql/migrations", "--database",
        f"host={database.socket} dbname=roots")
    assert database.sql("SELECT DISTINCT applied_by FROM mail.schema_version", database="roots") == [("postgres",)]


def test_app_password_is_shown_once(database):
    shown = app(database, "Ann@d.test", "phone")
    assert re.fullmatch("([a-km-np-z2-9]{6}-){3}[a-km-np-z2-9]{6}\n", shown)
    kept = base64.b64decode(database.value("SELECT substr(password, 10) FROM mail.app_passwords WHERE name = 'phone'"))
    assert kept[:64] == hashlib.sha512(shown.strip().encode() + kept[64:]).digest()
    assert shown.strip() not in app(database, "--list", "ann@d.test") + app(database, "--list", "--json", "ann@d.test")
    app(database, "ann@d.test", "phone", code=65)
    app(database, "--revoke", "ann@d.test", "phone")
    app(database, "--revoke", "ann@d.test", "phone", code=65)
    assert app(database, "--list", "ann@d.test") == ""


def test_app_password_with_a_scope(database):
    made = json.loads(app(database, "bob@d.test", "my laptop", "--protocol", "imap,smtp", "--net", "192.0.2.0/24", "--net",
                          "2001:db8::/32", "--expires", "2100-01-31", "--json"))
    assert set(made) == {"password"}
    row, = json.loads(app(database, "--list", "--json", "bob@d.test"))["app_passwords"]
    assert (row["name"], row["protocols"], row["nets"]) == ("my laptop", "imap,smtp", "192.0.2.0/24,2001:db8::/32")
    assert row["expires_at"].startswith("2100-01-31 ") and row["last_used_at"] is None
    line = app(database, "--list", "bob@d.test")
    assert line.startswith("my laptop, only for imap,smtp, only from 192.0.2.0/24,2001:db8::/32, expires 2100-01-31 ")
    assert json.loads(app(database, "--revoke", "--json", "bob@d.test", "my laptop")) == {"ok": True}


@pytest.mark.parametrize("args", [
    ["nobody@d.test", "phone"], ["no address", "phone"], ["bob@d.test", ""], ["bob@d.test", "x", "--protocol", "ftp"],
    ["bob@d.test", "x", "--protocol", ""], ["bob@d.test", "x", "--net", "192.0.2.7/24"], ["bob@d.test", "x", "--net", ""],
    ["bob@d.test", "x", "--expires", "soon"], ["--list", "nobody@d.test"],
], ids=" ".join)
def test_app_password_refused(args, database):
    app(database, *args, code=65)
    assert database.value("SELECT count(*) FROM mail.app_passwords AS a JOIN mail.virtual_users AS u ON u.id = a.user_id"
                          " WHERE u.email = 'bob@d.test'") == 0

"""Auth policy over HTTP: for Dovecots that have not our auth driver. A real Dovecot asks, and a
small client does what none would do."""
import base64
import http.client
import imaplib
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from auth_driver import Driver
from dovecot_bed import MAIL_UID, Dovecot, free_port
from login_bed import hashed
from policy_bed import Bed
from stack import dialect
from stack.postward import PROGRAMS, SOURCE, build

ANN, BOB, CID = "ann@example.test", "bob@example.test", "cid@example.test"
PASSWORD = "a long enough password"
KEY = "dovecot:a key of many letters"
HEADER = "Basic " + base64.b64encode(KEY.encode()).decode()
PATIENCE_S = 60

# no driver of ours; loopback speaks for its clients, as a webmail does
CONFIG = """
mail_location = sdbox:~/mail
mail_home = {{root}}/mail/%d/%n
auth_mechanisms = plain
passdb {{{{
  driver = passwd-file
  args = {{root}}/passwd
}}}}
userdb {{{{
  driver = static
  args = uid={uid} gid={uid}
}}}}
login_trusted_networks = 127.0.0.0/8
service anvil {{{{
  unix_listener anvil-auth-penalty {{{{
    mode = 0
  }}}}
}}}}
{policy}
"""

imaplib.Commands["ID"] = ("NONAUTH", "AUTH")


def settings_of_the_page(version):
    """The lines docs/guessed-passwords.md shows for a version of Dovecot."""
    page = (SOURCE / "docs/guessed-passwords.md").read_text()
    return page.partition(f"# Dovecot {version}\n")[2].partition("```")[0]


class HttpBed(Bed):
    dovecot = None

    def _build(self):
        super()._build()
        self.port = free_port()
        self.key = self.root / "auth-policy.key"
        self.key.write_text(KEY + "\n")
        os.chown(self.key, PROGRAMS["postward-policyd"][0], -1)
        self.key.chmod(0o600)
        self.program.stop()
        self.program.start(auth_policy_listen=f"inet:127.0.0.1:{self.port}", auth_policy_key=self.key)
        self.settle()

    def limit(self, kind, failures, block_s=600):
        self.pg.sql("UPDATE mail.auth_limits SET enabled = kind = %s, failures = %s,"
                    " block = make_interval(secs => %s)", kind, failures, block_s)
        self.settle()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def post(self, command, fields, connection=None, header=HEADER, method="POST"):
        """(code, object)"""
        connection = connection or self.connect()
        body = fields if isinstance(fields, (bytes, str)) else json.dumps(fields)
        connection.request(method, f"/?command={command}", body,
                           {"Authorization": header, "Content-Type": "application/json"} if header else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def ask(self, login, remote):
        code, answer = self.post("allow", {"login": login, "remote": remote, "protocol": "imap"})
        assert code == 200
        return answer["status"]

    def fail(self, login, remote, pwhash):
        code, answer = self.post("report", {"login": login, "remote": remote, "protocol": "imap", "pwhash": pwhash,
                                            "success": False, "policy_reject": False})
        assert (code, answer["status"]) == (200, 0)

    def start_dovecot(self):
        policy = settings_of_the_page("2.4" if dialect.is_2_4() else "2.3").replace("127.0.0.1:8009", f"127.0.0.1:{self.port}")
        assert "auth_policy_server_url" in policy and "NAME_AND_KEY" in policy
        policy = policy.replace("NAME_AND_KEY", base64.b64encode(KEY.encode()).decode())
        self.dovecot = Dovecot(self.root / "dovecot", CONFIG.format(uid=MAIL_UID, policy=policy.replace("{", "{{").replace("}", "}}")))
        (self.root / "dovecot/passwd").write_text(
            "".join(f"{user}:{hashed('SSHA512', PASSWORD)}\n" for user in (ANN, BOB)))
        self.dovecot.start()

    def close(self):
        if self.dovecot is not None:
            self.dovecot.stop()
        super().close()

    def login(self, client, password=PASSWORD, user=ANN):
        imap = imaplib.IMAP4("127.0.0.1", self.dovecot.port, timeout=60)
        try:
            imap._simple_command("ID", f'("x-originating-ip" "{client}" "x-originating-port" "4321")')
            imap.login(user, password)
            return True
        except imaplib.IMAP4.error as error:
            assert "AUTHENTICATIONFAILED" in str(error) or "too many failures" in str(error), error
            return False
        finally:
            imap.shutdown()


@pytest.fixture(scope="module")
def bed():
    with HttpBed() as running:
        yield running


@pytest.fixture(scope="module")
def dovecot(bed):
    bed.start_dovecot()
    return bed.dovecot


def test_what_is_reported_over_http_blocks_on_both_sides(bed):
    guesser = "192.0.2.10"
    bed.limit("network", 3)
    for _ in range(5):
        bed.fail(ANN, guesser, "0ac")  # the same one
    assert bed.ask(ANN, guesser) == 0
    with Driver(bed.auth) as driver:
        driver.fail("x@example.test", guesser)
        assert driver.ask(ANN, guesser) is True
        bed.fail(ANN, guesser, "0ad")
        assert driver.ask(ANN, guesser) > 500
    assert bed.ask(ANN, guesser) == -1
    assert bed.ask(ANN, "192.0.2.11") == 0
    assert bed.program.lines("action=block", "kind=network", f"client={guesser}")


def test_who_is_no_login_does_not_fill_the_table_of_logins(bed):
    bed.limit("login", 2)
    for n in range(4):
        bed.fail("nobody@example.test", f"203.0.113.{n}", "001")
        bed.fail(BOB, f"203.0.113.{n}", "001")
    assert bed.ask("nobody@example.test", "192.0.2.1") == 0
    assert bed.ask(BOB, "192.0.2.1") == -1
    assert bed.program.lines("event=auth_failure", "login=nobody@example.test", "why=unknown")


def test_success_makes_a_home_and_a_refusal_counts_nothing(bed):
    home = "198.51.100.7"
    bed.limit("login", 1)
    bed.post("report", {"login": ANN, "remote": home, "protocol": "imap", "success": True})
    bed.post("report", {"login": ANN, "remote": "203.0.113.7", "success": False, "policy_reject": True})
    bed.post("report", {"login": ANN, "remote": "203.0.113.7", "success": False, "fail_type": "internal"})
    assert bed.ask(ANN, "203.0.113.7") == 0
    bed.fail(ANN, "203.0.113.7", "001")
    assert bed.ask(ANN, "203.0.113.7") == -1
    assert bed.ask(ANN, home) == 0
    bed.wait(lambda: bed.pg.value("SELECT host(address) FROM mail.logins WHERE email = %s AND protocol = 'imap'",
                                  ANN) == home, PATIENCE_S, "last login")


@pytest.mark.parametrize("code, command, body, header, method", [
    pytest.param(401, "allow", {}, None, "POST", id="no key"),
    pytest.param(401, "report", {}, HEADER[:-1] + "x", "POST", id="another key"),
    pytest.param(405, "allow", "", HEADER, "GET", id="GET"),
    pytest.param(404, "delete", {}, HEADER, "POST", id="another command"),
    pytest.param(400, "allow", "{", HEADER, "POST", id="half an object"),
    pytest.param(400, "allow", "", HEADER, "POST", id="nothing"),
    pytest.param(400, "allow", b"\xff\xfe", HEADER, "POST", id="no JSON"),
    pytest.param(413, "allow", "{" + " " * 9000 + "}", HEADER, "POST", id="too long"),
])
def test_what_is_not_understood(bed, code, command, body, header, method):
    assert bed.post(command, body, header=header, method=method)[0] == code
    assert bed.ask(CID, "192.0.2.20") == 0


def test_bytes_that_are_no_http_and_clients_that_say_nothing(bed):
    silent = [socket.create_connection(("127.0.0.1", bed.port), 30) for _ in range(100)]
    for rubbish in (b"\0" * 5000, b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 20000, b"rubbish\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", bed.port), 30) as client:
            try:
                client.sendall(rubbish)
                client.recv(1000)
            except OSError:
                pass
    assert bed.ask(CID, "192.0.2.20") == 0
    with Driver(bed.auth) as driver:
        assert driver.ask(CID, "192.0.2.20") is True
    for client in silent:
        client.close()


def test_a_connection_is_kept_and_a_request_may_come_byte_by_byte(bed):
    connection = bed.connect()
    for _ in range(50):
        assert bed.post("allow", {"login": CID, "remote": "192.0.2.20"}, connection)[0] == 200
    body = json.dumps({"login": CID, "remote": "192.0.2.20"})
    text = (f"POST /?command=allow HTTP/1.1\r\nHost: x\r\nAuthorization: {HEADER}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}").encode()
    with socket.create_connection(("127.0.0.1", bed.port), 30) as client:
        for byte in text:
            client.sendall(bytes([byte]))
        answer = b"".join(iter(lambda: client.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 200") and b'"status":0' in answer


def test_many_ask_at_once_and_nobody_waits_for_the_database(bed):
    slowest = []

    def ask():
        connection = bed.connect()
        for _ in range(50):
            begin = time.monotonic()
            assert bed.post("allow", {"login": CID, "remote": "192.0.2.20"}, connection)[0] == 200
            slowest.append(time.monotonic() - begin)
    postmaster = int((bed.root / "pg/data/postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGSTOP)
    try:
        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        os.kill(postmaster, signal.SIGCONT)
    assert len(slowest) == 1000 and max(slowest) < 2


def test_a_key_is_needed_where_an_address_is(bed, tmp_path):
    def starts(**settings):
        conf = tmp_path / "policyd.conf"
        conf.write_text("".join(f"{k} = {v}\n" for k, v in settings.items()))
        done = subprocess.run([build() / "bin/postward-policyd", "-c", conf, "-t"], capture_output=True,
                              text=True, timeout=60, check=False)
        return done.returncode == 0, done.stderr
    assert starts(auth_policy_listen="unix:/run/x.sock")[0]
    assert starts(auth_policy_listen="inet:127.0.0.1:8009", auth_policy_key="/etc/x")[0]
    ok, why = starts(auth_policy_listen="inet:127.0.0.1:8009")
    assert not ok and "auth_policy_key" in why


def test_a_real_dovecot_without_our_driver_is_answered(bed, dovecot):
    guesser, telephone, other = "198.51.100.50", "198.51.100.51", "198.51.100.52"
    bed.limit("network", 3)
    for _ in range(5):
        assert not bed.login(telephone, "the password of last year")
    assert bed.login(telephone)
    for n in range(3):
        assert not bed.login(guesser, f"a wrong password {n}")
    bed.wait(lambda: not bed.login(guesser), PATIENCE_S, "a refusal of the right password")
    assert bed.login(other)
    with Driver(bed.auth) as driver:
        assert driver.ask(ANN, guesser) > 500
    assert bed.program.lines("event=auth_failure", f"client={guesser}", f"login={ANN}", "service=imap")
    bed.wait(lambda: bed.pg.value("SELECT host(address) FROM mail.logins WHERE email = %s AND protocol = 'imap'",
                                  ANN) == other, PATIENCE_S, "last login")


def test_a_real_dovecot_goes_on_while_policyd_is_away(bed, dovecot):
    client = "198.51.100.60"
    assert bed.program.stop() == 0
    assert bed.login(client, user=BOB)
    bed.program.start()
    bed.limit("network", 1)
    bed.wait(lambda: not bed.login(client, "a wrong password again", user=BOB) and bed.ask(BOB, client) == -1,
             PATIENCE_S, "policyd to be told again")

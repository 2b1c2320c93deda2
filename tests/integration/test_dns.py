"""io/dns against a real name server (nsd) on a loopback port, through probe_dns."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PW_BUILD", ROOT / "build"))
PORTS = range(15600, 15650)
NSD = shutil.which("nsd", path=os.environ["PATH"] + ":/usr/sbin")

ZONE = """\
$ORIGIN example.test.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
@ TXT "v=spf1 " "mx -all"
@ MX 10 mx
@ MX 20 mx2
mx A 198.51.100.25
mx AAAA 2001:db8::25
odd MX 5 good
odd MX 6 bad\\.dot
odd MX 7 bad\\032blank
odd MX 8 bad\\007bell
null MX 0 .
alias CNAME example.test.
alias2 CNAME alias
away CNAME nothing
blank\\032name TXT "found"
"""
WORDS = "".join(f"w{i} TXT w{i}.example.test\n" for i in range(500))
LARGE = "".join(f'large TXT "{i:03} {"x" * 200}"\n' for i in range(40))
GIANT = "giant TXT " + " ".join(f'"{"y" * 250}"' for _ in range(40)) + '\ngiant TXT "small"\n'
REVERSE = """\
$ORIGIN 100.51.198.in-addr.arpa.
$TTL 300
@ SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 60
@ NS ns.example.test.
25 PTR mx.example.test.
"""
CONF = """\
server:
  ip-address: 127.0.0.1@{port}
  zonesdir: {dir}
  database: ""
  pidfile: {dir}/nsd.pid
  xfrdfile: {dir}/xfrd
  zonelistfile: {dir}/zonelist
  username: ""
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: example.test
  zonefile: example.zone
zone:
  name: 100.51.198.in-addr.arpa
  zonefile: reverse.zone
zone:
  name: broken.test
  zonefile: not-there.zone
"""


def free_port():
    for port in PORTS:
        with contextlib.closing(socket.socket()) as tcp, \
                contextlib.closing(socket.socket(type=socket.SOCK_DGRAM)) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


class Server:
    """One nsd; all its processes are one group."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None
        (folder / "nsd.conf").write_text(CONF.format(port=self.port, dir=folder))
        (folder / "example.zone").write_text(ZONE + WORDS + LARGE + GIANT)
        (folder / "reverse.zone").write_text(REVERSE)

    def start(self):
        self.process = subprocess.Popen([NSD, "-d", "-c", self.folder / "nsd.conf"],
                                        start_new_session=True, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("nsd does not come up")

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def stop(self):
        if self.process is None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        self.process.wait(10)
        self.process.stderr.close()
        self.process = None


class Probe:
    """One probe_dns process: a resolver with its cache."""

    def __init__(self, servers):
        self.process = subprocess.Popen([BUILD / "tests/probe/probe_dns", servers],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        encoding="utf-8", errors="surrogateescape")

    def send(self, *lines):
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def wait(self, ms=20000):
        """Answers as {(type, name): (rcode, ttl, records)} and the milliseconds it took."""
        self.send(f"wait {ms}")
        answers = {}
        for line in self.process.stdout:
            fields = line.rstrip("\n").split(" ", 4)
            if fields[0] == "waited":
                return answers, int(fields[1])
            records = sorted(fields[4].split("|")) if fields[4] else []
            answers[fields[0], fields[1]] = (fields[2], int(fields[3]), records)
        raise AssertionError("probe_dns ended")

    def ask(self, kind, name, ms=20000):
        self.send(f"ask {kind} {name}")
        answers, took = self.wait(ms)
        rcode, _, records = answers[kind, name]
        return rcode, records, took

    def close(self):
        """Leaks and wild accesses show in the exit code of a sanitizer build."""
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.process.stdout.close()


@pytest.fixture
def server(tmp_path):
    s = Server(tmp_path)
    s.start()
    yield s
    s.stop()


@pytest.fixture
def probe(server):
    p = Probe(f"127.0.0.1@{server.port}")
    yield p
    p.close()


@pytest.mark.parametrize("kind, name, rcode, records", [
    ("TXT", "example.test", "OK", ["v=spf1 mx -all"]),
    ("MX", "example.test", "OK", ["10 mx.example.test", "20 mx2.example.test"]),
    ("A", "mx.example.test", "OK", ["198.51.100.25"]),
    ("AAAA", "mx.example.test", "OK", ["2001:db8::25"]),
    ("PTR", "25.100.51.198.in-addr.arpa", "OK", ["mx.example.test"]),
    ("A", "MX.Example.TEST.", "OK", ["198.51.100.25"]),
    ("TXT", "alias2.example.test", "OK", ["v=spf1 mx -all"]),
    ("TXT", "away.example.test", "NXDOMAIN", []),
    ("TXT", "mx.example.test", "OK", []),
    ("TXT", "nothing.example.test", "NXDOMAIN", []),
    ("MX", "null.example.test", "OK", ["0 "]),
    ("MX", "odd.example.test", "OK", ["5 good.example.test"]),
    ("TXT", "blank\\032name.example.test", "NXDOMAIN", []),  # a backslash is a byte like others
    ("TXT", "broken.test", "SERVFAIL", []),
])
def test_answer(probe, kind, name, rcode, records):
    assert probe.ask(kind, name)[:2] == (rcode, records)


def test_a_record_over_the_bound_is_left_out_and_the_others_stay(probe):
    assert probe.ask("TXT", "giant.example.test")[:2] == ("OK", ["small"])


def test_truncated_answer_comes_over_tcp(probe):
    rcode, records, _ = probe.ask("TXT", "large.example.test")
    assert rcode == "OK" and len(records) == 40
    assert records[39] == "039 " + "x" * 200


def test_ttl_is_known(probe):
    probe.send("ask TXT example.test")
    assert 295 <= probe.wait()[0]["TXT", "example.test"][1] <= 300


def test_questions_filed_together_are_answered_together(probe):
    names = [f"w{i}.example.test" for i in range(300)]
    probe.send(*(f"ask TXT {name}" for name in names))
    answers, took = probe.wait()
    assert [answers["TXT", n][2] for n in names] == [[n] for n in names]
    assert took < 10000


def test_eight_threads_with_abandoned_questions(probe):
    probe.send("storm 600")
    assert probe.process.stdout.readline().split() == ["storm", "3200", "0"]


def test_silent_server_costs_one_deadline_and_is_used_again(server, probe):
    assert probe.ask("TXT", "w1.example.test")[0] == "OK"
    server.signal(signal.SIGSTOP)
    probe.send(*(f"ask TXT w{i}.example.test" for i in range(100, 150)))
    answers, took = probe.wait(700)
    assert {a[0] for a in answers.values()} == {"TIMEOUT"}
    assert 700 <= took < 10000  # not one each
    # what was answered before comes from the cache
    assert probe.ask("TXT", "w1.example.test", 5000)[:2] == ("OK", ["w1.example.test"])
    server.signal(signal.SIGCONT)
    deadline = time.monotonic() + 60
    while probe.ask("TXT", "w2.example.test", 1000)[0] != "OK":
        assert time.monotonic() < deadline
    # questions given up while it was silent have filled the cache, or are asked anew
    while probe.ask("TXT", "w100.example.test", 1000)[0] != "OK":
        assert time.monotonic() < deadline


def test_stopped_server_is_an_error_and_not_no_data(server, probe):
    server.stop()
    rcode, records, took = probe.ask("TXT", "example.test", 1500)
    assert rcode in ("TIMEOUT", "SERVFAIL") and records == []
    assert took < 10000
    server.start()
    deadline = time.monotonic() + 60
    while probe.ask("TXT", "w3.example.test", 1000)[0] != "OK":
        assert time.monotonic() < deadline


def test_first_server_dead_second_answers(server):
    probe = Probe(f"127.0.0.1@{free_port()}, 127.0.0.1@{server.port}")
    for i in range(20):
        assert probe.ask("TXT", f"w{i}.example.test")[:2] == ("OK", [f"w{i}.example.test"])
    probe.close()


def test_dropped_question_still_fills_the_cache(server, probe):
    for i in range(5):  # nobody tells when the answer has come
        dropped, other = f"w{2 * i}.example.test", f"w{2 * i + 1}.example.test"
        probe.send(f"ask TXT {dropped}", "drop", f"ask TXT {other}")
        assert probe.wait()[0]["TXT", other][0] == "OK"
        time.sleep(0.2 * (i + 1))
        server.signal(signal.SIGSTOP)
        answer = probe.ask("TXT", dropped, 3000)[:2]
        server.signal(signal.SIGCONT)
        if answer[0] == "OK":
            break
    assert answer == ("OK", [dropped])


def test_end_with_questions_in_flight(server, probe):
    server.signal(signal.SIGSTOP)
    probe.send(*(f"ask TXT w{i}.example.test" for i in range(400)), "drop")


def test_spf_over_dns(server):
    command = [BUILD / "bin/postwardctl", "spf", "--dns", f"127.0.0.1@{server.port}", "--helo", "h.test",
               "--from", "a@alias.example.test"]
    assert '"pass"' in subprocess.run([*command, "--ip", "198.51.100.25"], capture_output=True,
                                      encoding="utf-8", check=True).stdout
    assert '"fail"' in subprocess.run([*command, "--ip", "198.51.100.26"], capture_output=True,
                                      encoding="utf-8", check=True).stdout
    server.signal(signal.SIGSTOP)
    start = time.monotonic()
    command += ["--timeout", "800"]
    assert '"temperror"' in subprocess.run([*command, "--ip", "198.51.100.25"], capture_output=True,
                                           encoding="utf-8", check=True).stdout
    assert time.monotonic() - start < 15

"""postward-dkim behind a stock Postfix, another stock Postfix behind that, then a sink: what arrives there is
verified by python3-dkim and by Mail::DKIM."""
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

from dkim_bed import HOST, MAIN, SINK, DkimBed
from stack.postfix import Postfix
from stack.proc import wait_until

ORACLES = Path(__file__).resolve().parents[1] / "oracle"
SECOND = "10.9.0.3"
RELAY = f"""myhostname = second.example.test
inet_interfaces = {SECOND}
mynetworks = {HOST}
smtp_line_length_limit = 998
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [{SINK}]:2525
"""


OURS = re.compile(rb"d=(example|xn--bcher-kva)\.test;")


class ExactBed(DkimBed):
    """Local mail of any author is signed with example.test's keys. `first`: lines for the main.cf of the
    Postfix that signs; `checks`: its header_checks."""

    parts = ("postfix", "second", "program", "dovecot", "pg", "sink")

    def __init__(self, first="", checks="", **settings):
        super().__init__(guard_one_in=1, **settings)
        self.first, self.checks = first, checks

    def main(self):
        return MAIN.replace(f"[{SINK}]:2525", f"[{SECOND}]") + (
            f"smtp_bind_address = {HOST}\nsmtp_line_length_limit = 998\n"
            f"header_checks = regexp:{self.root}/header_checks\n{self.first}\n")

    def _start(self):
        (self.root / "header_checks").write_text(self.checks)
        super()._start()
        self.ns.address("lo", f"{SECOND}/32")
        self.second = Postfix(self.root / "second", self.ns).create(
            RELAY, [f"{SECOND}:smtp inet n - y - - smtpd"])
        self.second.start()
        self.records = self.new_keys()

    def new_keys(self):
        self.pg.sql("INSERT INTO mail.dkim_rules (author, domain) VALUES ('*', 'example.test')")
        self.pg.sql("SELECT mail.add_domain('b\u00fccher.test')")
        self.pg.sql("INSERT INTO mail.sender_permissions (login, pattern) VALUES ('ann@example.test', '@b\u00fccher.test')")
        records = {}
        for domain in ("example.test", "b\u00fccher.test"):
            answer = json.loads(self.ctl("dkim", "new", domain, "--json"))
            records |= {key["name"].encode("idna").decode(): key["record"] for key in answer["keys"]}
        wanted = self.pg.value("SELECT mail.generation()")
        wait_until(lambda: any(int(line.rpartition("generation=")[2].split(",")[0]) >= wanted
                               for line in self.program.lines("database=snapshot_loaded")), what="the snapshot")
        return records

    def drop(self, data):
        """One message by sendmail(1), lines ended by LF."""
        self.postfix.sendmail(data.replace(b"\r\n", b"\n"), "-i", "-f", "ann@example.test", "dave@elsewhere.test")

    def arrived(self):
        """{the X-Exact-Id: bytes}"""
        found = {}
        for *_, data in list(self.sink.messages):
            match = re.search(rb"^X-Exact-Id: (\w+)\r\n", data, re.M)
            if match:
                found[match[1].decode()] = data
        return found

    def wait_for(self, names, timeout_s=30):
        wait_until(lambda: set(names) <= set(self.arrived()), timeout_s, "all messages to leave")
        return self.arrived()

    def cause(self, name):
        """Why the message of that X-Exact-Id was left unsigned."""
        match = re.search(rb"by inner\.example\.test \(Postfix[^)]*\)\s[^;]*?\bid (\w+)",
                          self.arrived()[name].replace(b"\r\n", b""))
        line, = self.program.lines(f"{match[1].decode()}: action=")
        return re.search(r"cause=(\w+)", line)[1]

    def judge(self, names):
        """{name: (verdicts of python3-dkim, of Mail::DKIM)} on what arrived, for our signatures alone."""
        folder, paths = self.root / "judge", {}
        folder.mkdir(exist_ok=True)
        zone = folder / "zone.json"
        zone.write_text(json.dumps({name: {"TXT": [record]} for name, record in self.records.items()}))
        for name, data in self.arrived().items():
            if name in names:
                paths[name] = str(folder / name)
                (folder / name).write_bytes(only_ours(data))
        one, other = python_dkim(paths.values(), zone), mail_dkim(paths.values(), zone)
        return {name: (one.get(path, []), other.get(path, [])) for name, path in paths.items()}


def only_ours(data):
    """Without signatures and DomainKeys that were there before."""
    fields, _, body = data.partition(b"\r\n\r\n")
    kept = [f for f in re.split(rb"\r\n(?![ \t])", fields)
            if not f.lower().startswith((b"dkim-signature:", b"domainkey-signature:")) or OURS.search(f)]
    return b"\r\n".join(kept) + b"\r\n\r\n" + body


def corpus(count):
    """[(name, bytes)] of so many messages of PW_TEST_DATA, the smallest hashes first, each kind alike."""
    from hashlib import sha256
    root, kinds = Path(os.environ.get("PW_TEST_DATA") or "/nonexistent"), []
    for archive in sorted(root.glob("corpus*/*.tar.xz")):
        with tarfile.open(archive) as tar:
            found = [(member.name, tar.extractfile(member).read()) for member in tar if member.isfile()]
        kinds.append(sorted(((n, d) for n, d in found if len(d) < 200000), key=lambda f: sha256(f[1]).digest()))
    each = -(-count // len(kinds)) if kinds else 0
    return [message for kind in kinds for message in kind[:each]][:count]


def python_dkim(paths, zone):
    """{path: [verdicts of its signatures from the top]}"""
    return told([ORACLES / "dkim_verify.py", zone, *paths])


def mail_dkim(paths, zone):
    return told(["perl", ORACLES / "dkim_verify.pl", zone, *paths])


def told(command):
    done = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, timeout=900)
    verdicts = {}
    for line in done.stdout.splitlines():
        path, _, verdict = line.rsplit(" ", 2)
        verdicts.setdefault(path, []).append(verdict)
    return verdicts

"""Beds of the DKIM bench: milters that sign, each behind a unix socket of its own. OpenDKIM is Debian's
package, unpacked and not installed: nothing of it starts by itself."""
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from stack.postgres import Postgres
from stack.postward import PROGRAMS, SOURCE, Program, build
from stack.proc import Process, wait_until

PEERS = {"opendkim": "opendkim"}
NOBODY = 65534
#            name    domain whose keys sign, kinds of keys
OURS = {"rsa":     ("rsa.example", ["rsa-sha256"]),
        "ed25519": ("ed25519.example", ["ed25519-sha256"]),
        "both":    ("both.example", ["rsa-sha256", "ed25519-sha256"])}
# As Debian's opendkim.conf has it but for the names; it signs what comes from anywhere.
OPENDKIM = """Syslog yes
SyslogSuccess yes
Canonicalization relaxed/relaxed
Mode s
OversignHeaders From
Domain rsa.example
Selector peer
KeyFile {key}
Socket local:{socket}
UMask 000
RequireSafeKeys no
InternalHosts {root}/hosts
"""


def place(folder, name):
    root = folder / name
    root.mkdir()
    root.chmod(0o777)
    return root


def new_key(folder, algorithm):
    path = folder / f"{algorithm}.pem"
    kind = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if algorithm == "rsa" \
        else ["-algorithm", "ed25519"]
    subprocess.run(["openssl", "genpkey", *kind, "-out", path], check=True, capture_output=True)
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o600)
    return path


class Filter:
    """A milter that is one process."""

    def __init__(self, name, root, command, sender="ann@rsa.example", env=None):
        self.name, self.socket, self.sender, self.fields = name, root / "milter.sock", sender, 1
        self.process = Process(name, command, root / "log", uid=NOBODY, env=env)
        self.process.start()
        wait_until(lambda: self.socket.exists() or not self.process.is_running(), what=name)
        if not self.process.is_running():
            raise RuntimeError(f"{name}: {self.process.log_text()[-2000:]}")

    @property
    def pid(self):
        return self.process.pid

    def close(self):
        self.process.stop()


def null(folder, program, *options):
    root = place(folder, "null" + "".join(options))
    return Filter("null", root, [program, root / "milter.sock", *options])


def opendkim(folder, peers, key):
    root = place(folder, "opendkim")
    (root / "hosts").write_text("0.0.0.0/0\n")
    (root / "conf").write_text(OPENDKIM.format(root=root, key=key, socket=root / "milter.sock"))
    inside = peers / "usr/sbin/opendkim"
    libraries = {str(f.parent) for f in (peers / "usr/lib").rglob("lib*.so*")}
    return Filter("opendkim", root, [inside if inside.exists() else "/usr/sbin/opendkim", "-f", "-x",
                                     root / "conf"],
                  env={"LD_LIBRARY_PATH": ":".join(sorted(libraries))})


class Signer:
    """Ours, with a real PostgreSQL: a domain for each kind of keys, and others beside them."""

    def __init__(self, others):
        self.program, self.pg = None, None
        self.folder = tempfile.TemporaryDirectory(prefix="postward-dkim-")
        try:
            self._build(Path(self.folder.name), others)
        except BaseException:
            self.close()
            raise

    def _build(self, root, others):
        root.chmod(0o755)
        self.pg = Postgres(root / "pg").create().start()
        self.pg.sql("CREATE DATABASE mail", database="postgres")
        self.ctl("schema", "migrate")
        # one key is copied to ten thousand domains, which sealed ones forbid
        self.pg.sql("UPDATE mail.settings SET value = 'no' WHERE name = 'dkim_seal'")
        self.pg.sql("SELECT mail.add_domain('d' || n || '.example') FROM generate_series(1, %s) AS n", others)
        (root / "conf").mkdir()
        place(root, "run")
        self.socket = root / "run/milter.sock"
        for domain, _ in OURS.values():
            self.pg.sql("SELECT mail.add_domain(%s)", domain)
            self.pg.sql("SELECT mail.add_user(%s, 'correct horse battery', 0)", f"ann@{domain}")
        self.program = Program("postward-dkim", root / "conf", None, {"socket": f"unix:{self.socket}"},
                               [self.socket], self.pg).start()
        for domain, kinds in OURS.values():
            for kind in kinds:
                self.pg.sql("INSERT INTO mail.dkim_requests (domain, algorithm) VALUES (%s, %s)", domain, kind)
        wait_until(lambda: self.pg.value("SELECT count(*) FROM mail.dkim_requests WHERE state <> 'done'") == 0,
                   what="keys")
        self.pg.sql("UPDATE mail.dkim_keys SET state = 'active'")
        wait_until(self._signs, what="keys in use")

    def _signs(self):
        """Has it taken over what SQL holds now?"""
        wanted = self.pg.value("SELECT mail.generation()")
        seen = [int(line.rpartition("generation=")[2].split(",")[0])
                for line in self.program.lines("database=snapshot_loaded")]
        return bool(seen) and seen[-1] >= wanted

    def give_keys(self):
        """Each of the other domains a key, the same one in a text of its own; how long until they sign."""
        return self.change("INSERT INTO mail.dkim_keys (domain, selector, algorithm, private_key, public_record)"
                           " SELECT d.name, 'x', k.algorithm, k.private_key || repeat(E'\\n', (d.id % 1000)::int),"
                           " k.public_record FROM mail.virtual_domains AS d, (SELECT * FROM mail.dkim_keys"
                           " WHERE domain = 'rsa.example') AS k WHERE d.name LIKE 'd%.example'")

    def take_key(self, number):
        """One domain's key away: seconds until the program knows."""
        return self.change(f"DELETE FROM mail.dkim_keys WHERE domain = 'd{number}.example'")

    def change(self, sql):
        self.pg.sql(sql)
        start = time.monotonic()
        wait_until(self._signs, 120, "the change", 0.005)
        return time.monotonic() - start

    def ctl(self, *args):
        subprocess.run([build() / "bin/postwardctl", args[0], "--database", self.pg.conninfo(), *args[1:]],
                       env={**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations")}, check=True,
                       capture_output=True)

    @property
    def pid(self):
        return self.program.process.pid

    def as_filter(self, name):
        return OurFilter(self, *OURS[name])

    def close(self):
        for part in (self.program, self.pg):
            if part is not None:
                part.stop()
        self.folder.cleanup()


class OurFilter:
    """Ours as the sender of one domain sees it."""

    def __init__(self, signer, domain, kinds):
        self.name, self.socket, self.pid = domain, signer.socket, signer.pid
        self.sender, self.fields = f"ann@{domain}", len(kinds)


def lookup(domains):
    """What a decision costs among so many domains; None where the probe is not built."""
    for folder in (build(), SOURCE / "build"):
        probe = folder / "tests/probe/probe_lookup"
        if probe.exists():
            return json.loads(subprocess.run([probe, str(domains)], check=True, capture_output=True, text=True).stdout)
    return None


def memory_kb(pid):
    """The most it ever held, and what of it is its own."""
    peak = next(l for l in Path(f"/proc/{pid}/status").read_text().splitlines() if l.startswith("VmHWM"))
    return int(peak.split()[1])


def load(program, peer, connections, size, seconds):
    """What milter_load says; a message that was not signed spoils the bench."""
    said = json.loads(subprocess.run(
        [program, "-c", str(connections), "-s", str(size), "-t", str(int(seconds * 1000)), "-f",
         peer.sender, "-p", str(peer.pid), peer.socket], check=True, capture_output=True, text=True).stdout)
    if said["failed"] or said["fields"] != said["done"] * peer.fields:
        raise RuntimeError(f"{peer.name}: {said}")
    return said


def raw(program, key, milliseconds=300):
    return json.loads(subprocess.run([program, key, str(milliseconds)], check=True, capture_output=True,
                                     text=True).stdout)["cpu_ms"]

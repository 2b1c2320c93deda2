"""Beds of the policy bench: servers of Postfix's policy protocol, each behind a unix socket of its own.
The peers are Debian's packages, unpacked and not installed: nothing of them starts by itself."""
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from policy_bed import Bed
from stack.proc import Process, wait_until

#        name                  package
PEERS = {"postfwd": "postfwd", "policyd-rate-limit": "policyd-rate-limit", "postgrey": "postgrey"}
NOBODY = 65534
RATE = 1000000
HASH = "{SSHA512}" + base64.b64encode(bytes(72)).decode()  # of nobody's password
# Limits nobody reaches, of a day: what a node leases of them lasts. A login's question meets the nearest
# of those in messages (40 of logins, one of everybody) and in recipients (30 of domains, every other a
# window, and one of everybody); others are looked for and do not fit.
RULES = """INSERT INTO mail.rate_limits (key, who, unit, kind, period, authenticated, limit_count)
    SELECT key, who, unit, kind, interval '1 day', authenticated, 1000000000 FROM (
        SELECT 'login', 'user' || n || '@d' || n %% %(domains)s || '.example', 'messages', 'bucket',
               NULL::bool FROM generate_series(0, 39) AS n
        UNION ALL SELECT 'login', '@d' || n || '.example', 'recipients',
               CASE n %% 2 WHEN 0 THEN 'bucket' ELSE 'window' END, NULL FROM generate_series(0, 29) AS n
        UNION ALL VALUES ('login', '*', 'messages', 'bucket', NULL::bool),
            ('login', '*', 'recipients', 'bucket', NULL::bool)
        UNION ALL SELECT 'client', '10.0.' || n || '.0/24', 'messages', 'bucket', false
            FROM generate_series(0, 9) AS n
        UNION ALL SELECT 'sender_domain', '@s' || n || '.example', 'messages', 'bucket', NULL
            FROM generate_series(0, 9) AS n
        UNION ALL SELECT 'login recipient_domain', 'user' || n || '@other.example', 'recipients', 'window',
               true FROM generate_series(0, 4) AS n
        UNION ALL VALUES ('client', '*', 'recipients', 'bucket', false),
            ('recipient', '*', 'messages', 'bucket', false), ('server_port', '25', 'messages', 'bucket', false)
    ) AS rules (key, who, unit, kind, authenticated)"""
PRL = """debug: False
user: nobody
group: nogroup
pidfile: {root}/prl.pid
sqlite_config:
    database: {root}/prl.sqlite3
backend: 0
SOCKET: {socket}
socket_permission: 0666
limits:
    - [{rate}, 3600]
limits_by_id: {{}}
limit_by_sasl: True
limit_by_sender: False
limit_by_ip: False
limited_networks: []
success_action: dunno
fail_action: defer_if_permit
db_error_action: dunno
report: False
delay_to_close: 300
"""


class Policyd(Bed):
    """Ours, with a real PostgreSQL: `users` accounts in `domains` domains and 100 rules."""

    def __init__(self, users, domains):
        self.users, self.domains = users, domains
        super().__init__()

    def _build(self):
        super()._build()
        self.pg.sql("SELECT mail.add_domain('d' || n || '.example') FROM generate_series(0, %s) AS n",
                    self.domains - 1)
        self.pg.sql("INSERT INTO mail.virtual_users (email, password) SELECT 'user' || n || '@d' || "
                    "n %% %s || '.example', %s FROM generate_series(0, %s) AS n", self.domains, HASH, self.users - 1)
        connection = self.pg.connect()
        with connection.cursor() as cursor:
            cursor.execute(RULES, {"domains": self.domains})
        connection.close()
        assert self.pg.value("SELECT count(*) FROM mail.rate_limits") == 100
        self.settle()

    @property
    def socket(self):
        return self.policy

    def postgres_processes(self):
        pid = self.pg.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def late_answers(self):
        """How many answers came after their deadline, since the start."""
        path = self.program.state / "metrics.prom"
        path.unlink(missing_ok=True)
        self.program.process.kill(signal.SIGUSR1)
        wait_until(path.exists, what="metrics")
        line = next(l for l in path.read_text().splitlines()
                    if l.startswith("postward_policyd_late_answers_total"))
        return int(line.split()[-1])


class Server:
    """A server that is one process, in a folder of its own that it may write to."""

    def __init__(self, name, root, command, uid=NOBODY):
        self.name, self.socket = name, socket_of(root)
        self.process = Process(name, command, root / "log", uid=uid)

    def start(self):
        self.process.start()
        wait_until(lambda: self.socket.exists() or not self.process.is_running(), what=self.name)
        if not self.socket.exists():
            raise RuntimeError(f"{self.name}: {self.process.log_text()[-2000:]}")
        return self

    def close(self):
        self.process.stop()


class Daemon(Server):
    """One that puts itself into the background and says where it is in a file."""

    def start(self):
        self.process.start()
        wait_until(lambda: self.socket.exists() and self._pid_file().exists(), what=self.name)
        return self

    def _pid_file(self):
        return self.socket.parent / "pid"

    def close(self):
        pid = int(self._pid_file().read_text())
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), what=f"end of {self.name}")
        self.process.stop()


def socket_of(root):
    return root / "policy.sock"


def place(folder, name):
    root = folder / name
    root.mkdir()
    root.chmod(0o777)
    return root


def null(folder, program):
    root = place(folder, "null")
    return Server("null", root, [program, socket_of(root)]).start()


def perl(peers, script):
    """Taint mode, which both ask for, does not read PERL5LIB."""
    folders = [peers / "usr/share/perl5", *peers.glob("usr/lib/*/perl5/*")]
    return ["perl", "-T", *(f"-I{f}" for f in folders), found(peers, script)]


def found(peers, path):
    """In the folder of the peers, or in the system."""
    inside = peers / path
    return inside if inside.exists() else Path("/", path)


def postfwd(folder, peers):
    """postfwd1, the faster of the two, without its log; it has one rule."""
    root = place(folder, "postfwd")
    (root / "rules").write_text(f"id=R1; action=rate(sasl_username/{RATE}/3600/450 4.7.1 limit)\n")
    return Daemon("postfwd", root, [
        *perl(peers, "usr/sbin/postfwd1"), "--daemon", "--perfmon", "--norulelog", "--nodns",
        "--proto", "unix", "--port", socket_of(root), "--umask", "0000", "--user", "nobody",
        "--group", "nogroup", "--pidfile", root / "pid", "--file", root / "rules"]).start()


def postgrey(folder, peers):
    root = place(folder, "postgrey")
    place(root, "db")
    return Server("postgrey", root, [
        *perl(peers, "usr/sbin/postgrey"), f"--unix={socket_of(root)}", "--socketmode=0666",
        f"--dbdir={root}/db", "--user=nobody", "--group=nogroup", f"--pidfile={root}/pid", "--quiet",
        "--whitelist-clients=/dev/null", "--whitelist-recipients=/dev/null"]).start()


def policyd_rate_limit(folder, peers):
    """With SQLite, the faster of its databases."""
    root = place(folder, "policyd-rate-limit")
    (root / "conf.yaml").write_text(PRL.format(root=root, socket=socket_of(root), rate=RATE))
    return Server("policyd-rate-limit", root, [
        "env", f"PYTHONPATH={peers}/usr/lib/python3/dist-packages", "/usr/bin/python3",
        found(peers, "usr/bin/policyd-rate-limit"), "--file", root / "conf.yaml"]).start()


def load(program, server, *options):
    """What policy_load says. A server that leaves a question unanswered spoils the bench."""
    done = subprocess.run([program, server.socket, *map(str, options)], capture_output=True, text=True,
                          check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{server.socket}: {done.stderr}")
    said = json.loads(done.stdout)
    if said["lost"] or "malformed" in said["actions"]:
        raise RuntimeError(f"{server.socket}: {done.stdout}")
    return said


def ours_under_load(program, bed, *options):
    """The same for ours, whose every answer must be DUNNO."""
    said = load(program, bed, *options)
    if set(said["actions"]) != {"DUNNO"}:
        raise RuntimeError(f"policyd: {said}")
    return said


def signal_all(bed, number):
    for pid in bed.postgres_processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def frozen(program, bed, span_s, *options):
    """Load while PostgreSQL stands still: from a second on until the end."""
    running = subprocess.Popen([program, bed.socket, "-t", str(int((1 + span_s) * 1000)),
                                *map(str, options)], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(1)
        signal_all(bed, signal.SIGSTOP)
        said = json.loads(running.communicate(timeout=120)[0])
    finally:
        running.kill()
        signal_all(bed, signal.SIGCONT)
    if said["lost"] or set(said["actions"]) != {"DUNNO"}:
        raise RuntimeError(f"policyd: {said}")
    return said

"""Beds of the benches of scores: filters of mail in a network namespace without a route, each with a DNS of its own
that knows a neutral world. Peers are Debian's packages, unpacked and not installed."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from corpora import delivered
from stack.netns import Namespace
from stack.postgres import Postgres
from stack.postward import SOURCE, Program, build
from stack.proc import Process, wait_until

HERE = Path(__file__).resolve().parent
#         name           packages; one with - behind cannot stand beside them
PEERS = {"rspamd":       "rspamd redis-server libvectorscan5-",
         "spamassassin": "spamassassin spamd"}
NOBODY = 65534
SCORE = re.compile(r"(?:score=|\[)(-?[\d.]+)")
SYMBOL = re.compile(r"([A-Za-z][\w:]{2,})(?:=|\()(-?[\d.]+)")
# What is switched on in both or off in both; the rest is as the package has it.
RSPAMD = {
    "options.inc": 'dns {{ nameserver = ["127.0.0.1:{dns}"]; }}\nlocal_addrs = [];\n'
                   'control_socket = "{root}/run/control.sock mode=0600";\n',
    "logging.inc": 'type = "file"; filename = "{root}/rspamd.log"; level = "error";\n',
    "redis.conf": 'servers = "{root}/run/redis.sock";\n',
    "greylist.conf": "enabled = false;\n",  # a message seen before would not be looked at
    "milter_headers.conf": 'use = ["x-spamd-result", "x-spam-status", "authentication-results"];\n'
                           "skip_local = false;\nskip_authenticated = false;\n",
    "worker-proxy.inc": 'bind_socket = "{root}/run/milter.sock mode=0666";\ncount = 2;\n'
                        'upstream "local" {{ default = yes; self_scan = yes; }}\n',
    "worker-normal.inc": 'bind_socket = "127.0.0.1:11333";\ncount = 1;\n',
    "worker-controller.inc": 'bind_socket = "127.0.0.1:11334";\nsecure_ip = "127.0.0.1";\n',
    "actions.conf": "reject = {reject};\n",
}
RSPAMD_LISTS = """rbls {
  one { rbl = "one.lists.test"; checks = ["from"]; symbol = "BENCH_ONE"; }
  two { rbl = "two.lists.test"; checks = ["from"]; symbol = "BENCH_TWO"; }
}
"""


class Room:
    """The namespace in which all of it runs, and the folder in which all of it lies."""

    def __init__(self, folder):
        self.folder = folder
        folder.chmod(0o755)
        self.ns = Namespace(f"pws{os.getpid() % 100000}")
        self.ns.create("127.0.0.1", "")
        self.stub, self.load = folder / "dns_stub", folder / "milter_load"
        for program, libraries in ((self.stub, []), (self.load, ["-pthread"])):
            subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-o", program, HERE / f"{program.name}.c",
                            *libraries], check=True)

    def place(self, name):
        root = self.folder / name
        root.mkdir()
        root.chmod(0o777)
        return root

    def close(self):
        self.ns.remove()


class Dns:
    """The neutral world at a port; what was asked since `begin()`."""

    def __init__(self, room, name, port, delay_ms=0):
        self.port, self._counts = port, room.folder / f"dns-{name}-{delay_ms}"
        self.process = Process("dns_stub", [room.stub, str(port), "-z", HERE / "dnsbl_zones.txt", "-d", str(delay_ms),
                                            "-c", self._counts], room.folder / "dns.log", room.ns).start()
        wait_until(self._counts.exists, what="DNS")

    def begin(self):
        self.asked()

    def asked(self):
        """{"zone or kind, type": number}."""
        self._counts.unlink(missing_ok=True)
        self.process.kill(signal.SIGUSR1)
        wait_until(self._counts.exists, what="counts of the DNS")
        rows = [line.rpartition(" ") for line in self._counts.read_text().splitlines()]
        return {kind: int(number) for kind, _, number in rows}

    def close(self):
        self.process.stop()


def of_process(pid, name):
    """A file of /proc; nothing once the process has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid):
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in of_process(pid, f"task/{task.name}/children").split():
            found += children(int(child))
    return found


def cpu_s(pids):
    """Those that have ended are counted with the one that started them."""
    ticks = 0
    for pid in pids:
        ticks += sum(int(t) for t in of_process(pid, "stat").rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_kb(pids):
    lines = [line for pid in pids for line in of_process(pid, "smaps_rollup").splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


class Milter:
    """What is spoken to as Postfix does. `processes`: {name: pid of its first process}."""

    name, socket, processes = "", None, {}
    thresholds = {"add": 6, "reject": 15}  # the defaults
    room = dns = None

    def judge(self, mails, clients=8):
        """{digest: (score, {symbol: points})}."""
        listed, told = self.room.folder / "list", self.room.folder / "verdicts"
        write_list(mails, listed)
        done = subprocess.run([self.room.load, "-c", str(clients), "-l", listed, "-o", told, self.socket], check=True,
                              capture_output=True, text=True)
        said = json.loads(done.stdout)
        if said["failed"] or said["done"] != len(mails):
            raise RuntimeError(f"{self.name}: {said} of {len(mails)}")
        found = {}
        for line in told.read_text(errors="replace").splitlines():
            number, _, _, *fields = line.split("\t")
            text = " ".join(fields)
            score = SCORE.search(text)
            if score is None:
                raise RuntimeError(f"{self.name} tells no score: {line[:300]}")
            found[mails[int(number)].digest] = float(score[1]), {n: float(p) for n, p in SYMBOL.findall(
                text[score.end():])}
        return found

    def load(self, mails, clients, seconds):
        """What milter_load says of so many seconds, with CPU and memory of each of the processes."""
        listed = self.room.folder / "list"
        write_list(mails, listed)
        pids = {name: children(pid) for name, pid in self.processes.items()}
        before = {name: cpu_s(p) for name, p in pids.items()}
        done = subprocess.run([self.room.load, "-c", str(clients), "-w", "0", "-t", str(int(seconds * 1000)), "-l", listed,
                               self.socket], check=True, capture_output=True, text=True)
        said = json.loads(done.stdout)
        if said["failed"] or not said["done"]:
            raise RuntimeError(f"{self.name}: {said}")
        pids = {name: children(pid) for name, pid in self.processes.items()}
        said["cpu"] = {n: 1000 * (cpu_s(p) - before[n]) / said["done"] for n, p in pids.items()}
        said["pss_kb"] = {n: pss_kb(p) for n, p in pids.items()}
        return said


    def forget(self):
        """What it knows of the DNS."""

    def memory_kb(self, pss_kb):
        return sum(pss_kb.values())


def write_list(mails, path):
    path.write_text("".join("\t".join((m.ip, m.client, m.helo, m.sender, m.recipient, m.path)) + "\n" for m in mails))


class Ours(Milter):
    """postward-score with a PostgreSQL of its own. refuses: as shipped; else every message gets its fields."""

    name = "postward"

    def __init__(self, room, dns, refuses=False, tag="postward"):
        self.room, self.dns = room, dns
        self.pg = self.program = None
        root = room.place(tag)
        try:
            self._start(root, refuses)
        except BaseException:
            self.close()
            raise

    def _start(self, root, refuses):
        self.pg = Postgres(root / "pg", self.room.ns).create().start()
        self.pg.sql("CREATE DATABASE mail", database="postgres")
        self.ctl("schema", "migrate")
        rows = self.pg.sql("SELECT action, threshold::float FROM mail.score_actions WHERE action <> 'greylist'")
        self.thresholds = {"add" if action == "add header" else action: at for action, at in rows}
        if not refuses:
            self.pg.sql("UPDATE mail.score_actions SET enabled = false WHERE action = 'reject'")
        self.pg_before_kb = pss_kb(children(self.pg.process.pid))
        run = root / "run"
        run.mkdir()
        run.chmod(0o777)
        self.socket = run / "milter.sock"
        (root / "conf").mkdir()
        self.program = Program("postward-score", root / "conf", self.room.ns, {
            "socket": f"unix:{self.socket}", "dns_servers": f"127.0.0.1@{self.dns.port}",
            "dmarc_reject": "reject" if refuses else "score"}, [self.socket], self.pg).start()
        self._note()

    def _note(self):
        wait_until(lambda: self.program.lines("database=snapshot_loaded"), what="snapshot")
        self.processes = {"postward": self.program.process.pid, "postgres": self.pg.process.pid}

    def restart(self):
        self.program.stop()
        self.program.start()
        self._note()

    def forget(self):
        self.restart()

    def memory_kb(self, pss_kb):
        """PostgreSQL's growth counts, not what it takes before anybody asks it."""
        return pss_kb["postward"] + max(0, pss_kb["postgres"] - self.pg_before_kb)

    def ctl(self, *args):
        subprocess.run(self.room.ns.command(build() / "bin/postwardctl", args[0], "--database", self.pg.conninfo(),
                                            *args[1:]), check=True, capture_output=True,
                       env={**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations")})

    @staticmethod
    def has_bayes():
        done = subprocess.run([build() / "bin/postwardctl", "learn", "--help"], check=False, capture_output=True)
        return done.returncode == 0

    def train(self, mails):
        for label in ("ham", "spam"):
            files = [m.path for m in mails if m.label == label]
            for at in range(0, len(files), 200):
                self.ctl("learn", label, *files[at:at + 200])

    def close(self):
        for part in (self.program, self.pg):
            if part is not None:
                part.stop()


class Tree:
    """A folder into which a peer was unpacked, or the system."""

    def __init__(self, folder):
        self.folder = folder
        libraries = {str(f.parent) for f in (folder / "usr/lib").rglob("lib*.so*")}
        self.env = {"LD_LIBRARY_PATH": ":".join(sorted(libraries))}
        perl = [folder / "usr/share/perl5", *(folder / "usr/lib").glob("*/perl5/5*")]
        self.perl = ["perl", "-T", *(f"-I{p}" for p in perl)]

    def __truediv__(self, path):
        return self.folder / path


def run(tree, *command, **more):
    return subprocess.run([str(c) for c in command], env={**os.environ, **tree.env}, check=True, capture_output=True,
                          text=True, **more).stdout


def version_of(system, tree):
    """A peer's version."""
    if system == "rspamd":
        return run(tree, tree / "usr/bin/rspamd", "--version").split()[-1]
    return run(tree, *tree.perl, "-MMail::SpamAssassin", "-e", "print Mail::SpamAssassin::Version()")


class Rspamd(Milter):
    """rspamd with a Redis of its own, as Debian ships it but for RSPAMD above."""

    name = "rspamd"

    def __init__(self, room, dns, tree, refuses=False, lists=False, tag="rspamd"):
        self.room, self.dns, self.tree = room, dns, tree
        self.parts, self.root = [], room.place(tag)
        for name in ("db", "run", "conf", "conf/local.d", "redis"):
            (self.root / name).mkdir()
            (self.root / name).chmod(0o777)
        for name, text in RSPAMD.items():
            (self.root / "conf/local.d" / name).write_text(
                text.format(root=self.root, dns=dns.port, reject=15 if refuses else 1000))
        if lists:
            (self.root / "conf/local.d/rbl.conf").write_text(RSPAMD_LISTS)
        self.socket = self.root / "run/milter.sock"
        try:
            self._start_redis()
            self._start()
        except BaseException:
            self.close()
            raise

    def _start_redis(self):
        tree = self.tree
        redis = Process("redis", [tree / "usr/bin/redis-server", "--port", "0", "--unixsocket",
                                  self.root / "run/redis.sock", "--unixsocketperm", "777", "--save", "", "--dir",
                                  self.root / "redis"], self.root / "redis.log", self.room.ns, uid=NOBODY, env=tree.env)
        self.parts.append(redis.start())
        wait_until((self.root / "run/redis.sock").exists, what="redis")
        self.redis = redis

    def _start(self):
        tree = self.tree
        share = tree / "usr/share/rspamd"
        places = {"CONFDIR": tree / "etc/rspamd", "LOCAL_CONFDIR": self.root / "conf", "DBDIR": self.root / "db",
                  "RUNDIR": self.root / "run", "LOGDIR": self.root, "PLUGINSDIR": share / "plugins",
                  "RULESDIR": share / "rules", "LUALIBDIR": share / "lualib", "SHAREDIR": share,
                  "WWWDIR": share / "www"}
        rspamd = Process("rspamd", [tree / "usr/bin/rspamd", "-f", "-c", tree / "etc/rspamd/rspamd.conf",
                                    *(f"--var={k}={v}" for k, v in places.items())],
                         self.root / "output", self.room.ns, uid=NOBODY, env=tree.env)
        self.parts[1:] = [rspamd.start()]
        wait_until(lambda: self.socket.exists() or not rspamd.is_running(), what="rspamd")
        if not rspamd.is_running():
            raise RuntimeError(f"rspamd: {rspamd.log_text()[-2000:]}")
        wait_until(self._answers, what="rspamd's controller")
        self.processes = {"rspamd": rspamd.pid, "redis": self.redis.pid}

    def restart(self):
        self.parts.pop().stop()
        self.socket.unlink(missing_ok=True)
        self._start()

    def _connect(self):
        with self.room.ns.enter():
            link = http.client.HTTPConnection("127.0.0.1", 11334, timeout=120)
            link.connect()
        return link

    def _answers(self):
        try:
            link = self._connect()
            link.request("GET", "/ping")
            return link.getresponse().status == 200
        except OSError:
            return False

    @staticmethod
    def has_bayes():
        return True

    def train(self, mails):
        for mail in mails:
            link = self._connect()
            link.request("POST", f"/learn{mail.label}", Path(mail.path).read_bytes())
            answer = link.getresponse()
            link.close()
            if answer.status not in (200, 204, 208):  # 208: learned before; 204: too few words
                raise RuntimeError(f"rspamd learns: {answer.status}")

    def close(self):
        for part in reversed(self.parts):
            part.stop()
        shutil.rmtree(self.root / "db", ignore_errors=True)


class SpamAssassin:
    """spamd with its rules, without network tests (-L), its Bayes in files."""

    name = "spamassassin"
    thresholds = {"add": 5, "reject": 15}

    def __init__(self, room, dns, tree, tag="spamassassin"):
        del dns
        self.room, self.tree, self.root = room, tree, room.place(tag)
        self.socket = self.root / "spamd.sock"
        (self.root / "site").mkdir()
        (self.root / "bayes").mkdir()
        for pre in (tree / "etc/spamassassin").glob("*.pre"):
            shutil.copy(pre, self.root / "site")
        (self.root / "site/local.cf").write_text(
            f"bayes_path {self.root}/bayes/bayes\nbayes_auto_learn 0\nbayes_file_mode 0777\nlock_method flock\n")
        self.places = ["--configpath", tree / "usr/share/spamassassin", "--siteconfigpath", self.root / "site"]
        self.process = Process("spamd", [*tree.perl, tree / "usr/sbin/spamd", "-L", "-x", "-m", str(os.cpu_count()),
                                         "--socketpath", self.socket, "--socketmode", "0666", "--syslog", "null",
                                         *self.places],
                               self.root / "spamd.log", room.ns, env=tree.env).start()
        wait_until(lambda: self.socket.exists() or not self.process.is_running(), what="spamd")
        if not self.process.is_running():
            raise RuntimeError(f"spamd: {self.process.log_text()[-2000:]}")

    @staticmethod
    def has_bayes():
        return True

    def train(self, mails):
        for label in ("ham", "spam"):
            if all(m.label != label for m in mails):
                continue
            folder = self.room.place(f"learn-{label}-{time.monotonic_ns()}")
            for mail in mails:
                if mail.label == label:
                    (folder / mail.digest).write_bytes(delivered(mail))
            run(self.tree, *self.tree.perl, self.tree / "usr/bin/sa-learn", "-L", f"--{label}", *self.places, folder)
            shutil.rmtree(folder)

    def _ask(self, mail):
        data = delivered(mail)
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(300)
            link.connect(str(self.socket))
            link.sendall(f"SYMBOLS SPAMC/1.5\r\nContent-length: {len(data)}\r\nUser: bench\r\n\r\n".encode() + data)
            link.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: link.recv(65536), b"")).decode(errors="replace")
        score = re.search(r"Spam: \w+ ; (-?[\d.]+) /", answer)
        return mail.digest, (float(score[1]), dict.fromkeys(answer.split("\r\n\r\n", 1)[1].strip().split(","), 1.0))

    def judge(self, mails):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return dict(pool.map(self._ask, mails))

    def close(self):
        self.process.stop()

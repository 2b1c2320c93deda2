"""Beds of the edge bench: one inner Postfix that takes all mail and throws it away, and before it the
edges that are compared, each with a port of its own on the public address."""
import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from origin_bed import EDGE, EDGE_LINK, INNER_LINK
from stack.bed import Bed
from stack.netns import run, wire
from stack.postfix import Postfix
from stack.postward import PROGRAMS, Program
from stack.proc import Process, wait_until

NO_NAMESERVER = "127.0.0.1"  # refuses at once: names stand in the hosts file
SOURCES = [f"198.51.100.{n}" for n in range(100, 140)]
LONG_WIRE_PORT = 2525  # on the edge: the inner, a round trip away
HOSTS = (f"{EDGE} mx.example.test\n{EDGE_LINK} edge.example.test\n{INNER_LINK} inner.example.test\n"
         + "".join(f"{a} client{n}.sender.test\n" for n, a in enumerate(SOURCES)))
PORTS = {"live": 25, "queue": 26, "proxy": 27, "null": 28, "nginx": 29, "haraka": 30}
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")

COMMON = """default_process_limit = 200
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
smtpd_client_event_limit_exceptions =
"""
INNER = COMMON + f"""myhostname = inner.example.test
inet_interfaces = {INNER_LINK}
mynetworks =
relay_domains = example.test
relay_recipient_maps = static:ok
transport_maps = static:discard:
smtpd_relay_restrictions = reject_unauth_destination
smtpd_authorized_xclient_hosts = {EDGE_LINK}
smtpd_authorized_xforward_hosts = {EDGE_LINK}
"""
EDGES = COMMON + f"""myhostname = mx.example.test
inet_interfaces = {EDGE}, {EDGE_LINK}
mynetworks =
relay_domains = example.test
relay_recipient_maps =
max_use = 1000
smtpd_relay_restrictions = reject_unauth_destination
"""
NGINX = """load_module /usr/lib/nginx/modules/ngx_mail_module.so;
worker_processes 1; daemon off; user www-data;
pid {root}/pid; error_log {root}/error.log warn;
events {{ worker_connections 2048; }}
mail {{
  server_name mx.example.test; auth_http 127.0.0.1:8090/auth; xclient on;
  server {{
    listen {edge}:{port}; protocol smtp; smtp_auth none; proxy_smtp_auth off;
    smtp_capabilities "8BITMIME" "SIZE 10240000" "PIPELINING";
  }}
}}
http {{
  access_log off; client_body_temp_path {root}/b; proxy_temp_path {root}/p;
  fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  server {{
    listen 127.0.0.1:8090;
    location /auth {{
      add_header Auth-Status OK; add_header Auth-Server {inner}; add_header Auth-Port {inner_port};
      return 200;
    }}
  }}
}}
"""
HARAKA = {
    "plugins": "rcpt_to.in_host_list\nqueue/smtp_forward\n",
    "host_list": "example.test\n",
    "me": "mx.example.test\n",
    "smtp_forward.ini": "host={inner}\nport={inner_port}\n",
    "smtp.ini": "listen={edge}:{port}\nnodes=0\n",
    "log.ini": "[main]\nlevel=notice\nformat=default\n",
}


class Edge:
    """One way in. `parts` start in order and stop in reverse; `processes` are ids of the trees that
    its work is done in."""

    def __init__(self, bed, name, parts=(), host=EDGE, postfix=None):
        self.bed, self.name, self.parts, self.postfix = bed, name, list(parts), postfix
        self.host, self.port = host, PORTS.get(name, 25)
        self.is_running = False

    def start(self):
        for part in self.parts:
            part.start()
        try:
            self.bed.wait_for_port(self.host, self.port)
        except TimeoutError as error:
            logs = [part.log_text()[-2000:] for part in self.parts if hasattr(part, "log_text")]
            raise RuntimeError(f"{self.name}: {error}\n" + "\n".join(logs)) from error
        self.is_running = True
        return self

    def stop(self):
        for part in reversed(self.parts):
            part.stop()
        self.is_running = False

    def processes(self):
        roots = [self.pid_of(part) for part in self.parts]
        return [pid for root in roots for pid in tree(root)]

    @staticmethod
    def pid_of(part):
        part = getattr(part, "process", part)
        return part.pid() if callable(part.pid) else part.pid

    def cpu_ms(self):
        """Of all its processes and of those that have ended."""
        return sum(cpu_ms(pid) for pid in self.processes())

    def pss_mb(self):
        return sum(pss_mb(pid) for pid in self.processes())

    def settle(self):
        """Until nothing is under way any more."""
        for postfix in (self.postfix, self.bed.inner):
            if postfix:
                wait_until(lambda p=postfix: not p.queue(), 120, f"the queue of {self.name}")


class EdgeBed(Bed):
    """tools: a folder with the programs smtp_load and relay. haraka: Haraka's folder, or None."""

    parts = ("edges", "wires", "inner")

    def __init__(self, tools, haraka=None, round_trip_ms=20):
        super().__init__()
        self.tools, self.haraka, self.round_trip_ms = tools, haraka, round_trip_ms

    def _start(self):
        self.net, self.edge_ns, self.inner_ns = map(self.namespace, ("net", "edge", "inner"))
        self._network()
        self.inner = Postfix(self.root / "inner", self.inner_ns).create(
            INNER, [f"{INNER_LINK}:smtp inet n - y - - smtpd"]).start()
        self.edges, self.wires = Group(), Group()
        self.wires.append(self._program("long-wire", [
            self.tools / "relay", f"{EDGE_LINK}:{LONG_WIRE_PORT}", INNER_LINK, "25",
            self.round_trip_ms]).start())

    def _network(self):
        for ns in (self.net, self.edge_ns, self.inner_ns):
            ns.create(NO_NAMESERVER, HOSTS)
        wire(self.net, "pub", self.edge_ns, "pub")
        wire(self.edge_ns, "vpn", self.inner_ns, "vpn")
        self.net.address("pub", *(f"{a}/24" for a in SOURCES))
        self.edge_ns.address("pub", f"{EDGE}/24")
        self.edge_ns.address("vpn", f"{EDGE_LINK}/24")
        self.inner_ns.address("vpn", f"{INNER_LINK}/24")
        # direct: the edge is a router
        self.edge_ns.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.net.ip("route", "add", f"{INNER_LINK}/32", "via", EDGE)
        self.inner_ns.ip("route", "add", "198.51.100.0/24", "via", EDGE_LINK)

    def wait_for_port(self, host, port):
        ns = self.inner_ns if host == INNER_LINK else self.edge_ns
        wait_until(lambda: f"{host}:{port} " in ns.run("ss", "-Hltn"), what=f"{host}:{port}")

    def _program(self, name, command, **options):
        return Process(name, command, self.root / f"{name}.log", self.edge_ns, **options)

    # edges

    def edge(self, name, far=False):
        """One by its name, not started. far: the inner is a round trip away."""
        inner, port = (EDGE_LINK, LONG_WIRE_PORT) if far else (INNER_LINK, 25)
        folder = self.root / f"{name}-{len(self.edges)}"
        folder.mkdir()
        folder.chmod(0o755)
        made = getattr(self, f"_{name}")(folder, inner, port)
        self.edges.append(made)
        return made

    def _direct(self, *_):
        return Edge(self, "direct", host=INNER_LINK)

    def _postfix(self, folder, name, main, *services):
        return Postfix(folder / "postfix", self.edge_ns).create(
            EDGES + main, [f"{EDGE}:{PORTS[name]} inet n - y - - smtpd", *services])

    def _origin(self, folder, postfix, inner, port, **sockets):
        """postward-origin with these sockets: setting=name of a file."""
        spool = postfix.socket_folder("origin", PROGRAMS["postward-origin"][0])
        paths = {setting: spool / name for setting, name in sockets.items()}
        return Program("postward-origin", folder / "conf", self.edge_ns,
                       {"inner": f"{inner}:{port}", "trace_name": "mx.example.test",
                        **{setting: f"unix:{path}" for setting, path in paths.items()}},
                       paths.values())

    def _live(self, folder, inner, port):
        postfix = self._postfix(folder, "live", "smtpd_milters = unix:origin/origin.sock\n")
        origin = self._origin(folder, postfix, inner, port, socket="origin.sock")
        return Edge(self, "live", [origin, postfix], postfix=postfix)

    def _queue(self, folder, inner, port):
        postfix = self._postfix(
            folder, "queue", "relay_transport = postward:unix:origin/queue.sock\n",
            "postward unix - - y - - lmtp -o lmtp_send_xforward_command=yes"
            " -o lmtp_line_length_limit=0")
        origin = self._origin(folder, postfix, inner, port, socket="origin.sock",
                              queue_socket="queue.sock")
        return Edge(self, "queue", [origin, postfix], postfix=postfix)

    def _proxy(self, folder, inner, port):
        postfix = self._postfix(folder, "proxy", "smtpd_proxy_filter = unix:origin/proxy.sock\n")
        origin = self._origin(folder, postfix, inner, port, socket="origin.sock",
                              proxy_socket="proxy.sock")
        return Edge(self, "proxy", [origin, postfix], postfix=postfix)

    def _null(self, folder, inner, port):
        postfix = self._postfix(folder, "null", "smtpd_proxy_filter = unix:null/null.sock\n")
        socket = postfix.socket_folder("null", 0) / "null.sock"
        null = Process("null", [self.tools / "relay", f"unix:{socket}", inner, port],
                       folder / "log", self.edge_ns)
        return Edge(self, "null", [null, postfix], postfix=postfix)

    def _nginx(self, folder, inner, port):
        (folder / "nginx.conf").write_text(NGINX.format(
            root=folder, edge=EDGE, port=PORTS["nginx"], inner=inner, inner_port=port))
        return Edge(self, "nginx", [self._program("nginx", [
            "nginx", "-c", folder / "nginx.conf", "-e", folder / "error.log"])])

    def _haraka(self, folder, inner, port):
        package = self.haraka / "node_modules/Haraka"
        config = folder / "config"
        for path in (config, folder / "queue"):
            path.mkdir()
        (config / "connection.ini").write_text((package / "config/connection.ini").read_text())
        for name, text in HARAKA.items():
            (config / name).write_text(text.format(edge=EDGE, port=PORTS["haraka"], inner=inner,
                                                   inner_port=port))
        return Edge(self, "haraka", [self._program(
            "haraka", ["node", package / "bin/haraka", "-c", folder],
            env={"NODE_PATH": str(self.haraka / "node_modules")})])

    # load

    def load(self, edge, size, sessions, span_s, mails=1):
        """What smtp_load says; a mail that was refused spoils the bench."""
        done = subprocess.run(
            self.net.command(self.tools / "smtp_load", edge.host, edge.port, "-s", sessions, "-l",
                             size, "-t", int(span_s * 1000), "-k", mails, "-b", ",".join(SOURCES)),
            capture_output=True, text=True, check=False, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"{edge.name}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def pss_under_load_mb(self, edge, processes, size, sessions, span_s):
        """The most that was seen while mail goes through; processes(): whose."""
        seen, stop = [], threading.Event()

        def look():
            while not stop.wait(0.2):
                seen.append(sum(pss_mb(pid) for pid in processes()))
        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            self.load(edge, size, sessions, span_s)
        finally:
            stop.set()
            watcher.join()
        return max(seen)


class Group(list):
    """Parts that are stopped together."""

    def stop(self):
        for part in self:
            part.stop()


def tree(root):
    """A process and its children, and theirs."""
    found = [root]
    for pid in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += [int(p) for p in (task / "children").read_text().split()]
    return found


def cpu_ms(pid):
    """User and system time of a process, and of the children it has seen end."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15])) * TICK_MS


def pss_mb(pid):
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024

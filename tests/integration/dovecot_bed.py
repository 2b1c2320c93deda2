"""A throw-away Dovecot with the modules of the build and only what its tests need, on loopback;
and what they drive it with."""
import collections
import os
import pathlib
import shutil
import smtplib
import socket
import socketserver
import subprocess
import tempfile
import threading

from stack import dovecot, postward
from stack.dovecot import MAIL_UID
from stack.netns import run
from stack.proc import wait_until


class Here:
    """The host itself, where the stack expects a namespace; mounts stay inside."""
    name = "here"
    etc = pathlib.Path("/etc")

    @staticmethod
    def command(*args):
        return ["unshare", "-m", *map(str, args)]

    def run(self, *args, **options):
        return run(*self.command(*args), **options)


def place():
    """A directory others may enter, as pytest's tmp_path is not."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="postward-"))
    directory.chmod(0o755)
    return directory


def remove(directory):
    shutil.rmtree(directory, ignore_errors=True)


def free_port():
    for port in range(15900, 15950):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


Child = collections.namedtuple("Child", "pid title")


def children(pid):
    pids = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Child(int(p), pathlib.Path(f"/proc/{p}/cmdline").read_text().strip("\0 "))
            for p in pids]


class Dovecot(dovecot.Dovecot):
    """IMAP on a loopback port, LMTP and auth on sockets below run/, no TLS."""

    CONFIG = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
listen = 127.0.0.1
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_plugin_dir = {root}/modules
auth_failure_delay = 0
auth_verbose = yes
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
"""

    def __init__(self, root, extra):
        """extra: settings; {root} in them is ours."""
        super().__init__(root, Here(), "127.0.0.1")
        self.port = free_port()
        root.mkdir()
        for name in ("mail", "state"):
            (root / name).mkdir()
        os.chown(self.home, MAIL_UID, MAIL_UID)
        self._lay_out_modules(postward.build() / "lib")
        self.write_conf((self.CONFIG + extra).format(root=root, port=self.port))

    def start(self):
        super().start()
        wait_until(self.is_up, what="Dovecot's sockets")
        return self

    def is_up(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return all((self.root / "run" / name).exists() for name in ("auth-client", "lmtp"))

    def signal(self, service, number):
        """The one process of a service."""
        ours = [c.pid for c in children(self.process.pid) if c.title.endswith("/" + service)]
        assert len(ours) == 1, ours
        os.kill(ours[0], number)

    def text(self):
        return "\n".join(self.lines())

    def check_log(self):
        """No module may ever bring a process of Dovecot down, or leave something behind."""
        assert not self.crashes() + self.lines("leak"), self.text()

    def doveadm_exit(self, *args):
        command = self.ns.command(*self.with_modules("doveadm", "-c", self.conf, *args))
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    def deliver(self, user, text, sender="out@example.org"):
        """Over LMTP; returns nothing, or raises with the server's reply."""
        with smtplib.LMTP(str(self.root / "run" / "lmtp")) as lmtp:
            lmtp.sendmail(sender, [user], text)


class UsageServer:
    """Stands at policyd's usage socket: knows limits, remembers reports."""

    def __init__(self, path):
        self.path = str(path)
        self.limits = {}    # user -> (bytes, messages)
        self.usage = {}     # user -> (bytes, messages)
        self.reports = 0
        self.silent = threading.Event()
        self.server = None

    def handle(self, stream):
        stream.write(b"postward-usage\t1\n")
        stream.flush()
        if stream.readline() != b"postward-usage\t1\n":
            return
        for line in stream:
            if self.silent.is_set():
                continue
            stream.write(self.answer(line.decode().rstrip("\n").split("\t")).encode() + b"\n")
            stream.flush()

    def answer(self, fields):
        verb, user = fields[:2]
        if user not in self.limits:
            return "unknown"
        if verb == "limit":
            return "ok\t%d\t%d" % self.limits[user]
        self.usage[user] = tuple(int(n) for n in fields[2:])
        self.reports += 1
        return "ok"

    def start(self):
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    outer.handle(_Both(self.rfile, self.wfile))
                except OSError:
                    pass

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

        if os.path.exists(self.path):
            os.unlink(self.path)
        self.server = Server(self.path, Handler)
        os.chmod(self.path, 0o666)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            os.unlink(self.path)


class _Both:
    def __init__(self, reader, writer):
        self.readline, self.write, self.flush = reader.readline, writer.write, writer.flush
        self.reader = reader

    def __iter__(self):
        return iter(self.reader)

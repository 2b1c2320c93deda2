"""A throw-away Dovecot with the modules of the build and only what its tests need, on loopback;
and what they drive it with."""
import collections
import contextlib
import os
import pathlib
import random
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
    for port in random.sample(range(15900, 16900), 50):
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
        self.killed = set()  # processes a test ended itself
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
        bad = self.crashes() + self.lines("leak")
        own = [f"child {pid} killed with signal 9" for pid in self.killed]
        assert not [l for l in bad if not any(o in l for o in own)], self.text()

    def doveadm_exit(self, *args):
        command = self.ns.command(*self.with_modules("doveadm", "-c", self.conf, *args))
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    def deliver(self, user, text, sender="out@example.org"):
        """Over LMTP; returns nothing, or raises with the server's reply."""
        with smtplib.LMTP(str(self.root / "run" / "lmtp")) as lmtp:
            lmtp.sendmail(sender, [user], text)


class UsageServer:
    """Stands at policyd's usage socket: knows limits and tells them, remembers usage."""

    GREETING = b"postward-usage\t2\n"

    def __init__(self, path):
        self.path = str(path)
        self.limits = {}    # user -> (bytes, messages[, grace bytes]); by set_limit() while open
        self.usage = {}     # user -> (bytes, messages), of the count that began last
        self.began = {}
        self.reports = self.refused = 0
        self.watchers = set()   # (user, connection)
        self.silent = threading.Event()
        self.refusing = threading.Event()   # usage cannot be taken now
        self.lock = threading.Lock()
        self.server = None
        self.open = set()

    def set_limit(self, user, *limit):
        with self.lock:
            self.limits[user] = limit
            for name, stream in self.watchers:
                if name == user and not self.silent.is_set():
                    stream.write(self.limit_line(user))
                    stream.flush()

    def limit_line(self, user):
        numbers = (*self.limits[user], 0, 0)[:3]
        return ("limit\t%s\t%d\t%d\t%d\n" % (user, *numbers)).encode()

    def handle(self, stream):
        stream.write(self.GREETING)
        stream.flush()
        if stream.readline() != self.GREETING:
            return
        try:
            for line in stream:
                if self.silent.is_set():
                    continue
                with self.lock:
                    stream.write(self.answer(stream, line.decode().rstrip("\n").split("\t")))
                    stream.flush()
        finally:
            with self.lock:
                self.watchers = {w for w in self.watchers if w[1] is not stream}

    def answer(self, stream, fields):
        verb, user = fields[:2]
        if verb == "leave":
            self.watchers.discard((user, stream))
            return b""
        if verb == "watch":
            self.watchers.add((user, stream))
        if user not in self.limits:
            return f"unknown\t{user}\n".encode()
        if verb == "watch":
            return self.limit_line(user)
        if self.refusing.is_set():
            self.refused += 1
            return f"fail\t{user}\n".encode()
        *numbers, began = (int(n) for n in fields[2:])
        if began >= self.began.get(user, 0):
            self.usage[user], self.began[user] = tuple(numbers), began
        self.reports += 1
        return f"told\t{user}\t{began}\n".encode()

    def start(self):
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer.open.add(self.connection)
                try:
                    outer.handle(_Both(self.rfile, self.wfile))
                except OSError:
                    pass
                finally:
                    outer.open.discard(self.connection)

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
        """As policyd when it ends: its connections are closed too."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            os.unlink(self.path)
            for connection in list(self.open):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Both:
    def __init__(self, reader, writer):
        self.readline, self.write, self.flush = reader.readline, writer.write, writer.flush
        self.reader = reader

    def __iter__(self):
        return iter(self.reader)

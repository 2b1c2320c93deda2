"""postward-policyd's tables behind a stock Postfix, and Postfix's look-ups as such."""
import os
import pwd
import signal
import socket
import subprocess
from pathlib import Path

from policy_bed import Bed, Closed
from stack.clients import SmtpClient
from stack.netns import Namespace
from stack.postfix import Postfix

TABLES = ("domains", "mailboxes", "aliases", "senders")
FUNCTIONS = dict(zip(TABLES, ("domain", "mailbox", "alias", "senders")))

MAIN = """myhostname = tables.example.test
mynetworks =
virtual_mailbox_domains = socketmap:unix:policy/map.sock:domains
virtual_mailbox_maps = socketmap:unix:policy/map.sock:mailboxes
virtual_alias_maps = socketmap:unix:policy/map.sock:aliases
virtual_transport = discard:
default_transport = discard:
recipient_delimiter = +
smtpd_relay_restrictions = reject_unauth_destination
smtpd_hard_error_limit = 10000
smtpd_error_sleep_time = 0
"""
# the other way, as docs/postfix.md has it
PGSQL = {"virtual_mailbox_domains": "domain", "virtual_mailbox_maps": "mailbox", "virtual_alias_maps": "alias"}


class MapClient:
    """One of Postfix's processes, as policyd sees it: socketmap_table(5)."""

    def __init__(self, path, timeout_s=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.socket.connect(str(path))
        self.rest = b""

    @staticmethod
    def request(table, key):
        text = f"{table} {key}".encode()
        return b"%d:%s," % (len(text), text)

    def answer(self):
        """(word, value)"""
        while True:
            head, colon, rest = self.rest.partition(b":")
            if colon and len(rest) > int(head):
                break
            more = self.socket.recv(65536)
            if not more:
                raise Closed
            self.rest += more
        text, end, self.rest = rest[:int(head)], rest[int(head):int(head) + 1], rest[int(head) + 1:]
        assert end == b","
        word, blank, value = text.decode().partition(" ")
        assert blank  # Postfix insists
        return word, value

    def ask(self, table, key):
        self.socket.sendall(self.request(table, key))
        return self.answer()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TablesBed(Bed):
    """Postfix's smtpd, cleanup and trivial-rewrite are chrooted, its queue manager is not."""

    ns = postfix = None

    def _build(self):
        super()._build()
        self.ns = Namespace(f"tables-{os.getpid()}").create("127.0.0.1", "")
        self.postfix = Postfix(self.root / "postfix", self.ns)
        self.postfix.create(MAIN, ["127.0.0.1:25 inet n - y - - smtpd",
                                   "127.0.0.1:26 inet n - n - - smtpd"])
        self.program.stop()
        self.map = self.postfix.socket_folder("policy", self.program.uid) / "map.sock"
        self.program.sockets.append(self.map)
        self.program.start(map_socket=self.map, snapshot_poll="1s")
        self.postfix.start()
        self.settle()

    def maps(self, **options):
        return MapClient(self.map, **options)

    def rcpt(self, *recipients, sender="stranger@sender.test", port=25):
        """Codes of the replies to recipients, in a session of its own."""
        with SmtpClient(self.ns, "127.0.0.1", port) as client:
            assert client.command(f"MAIL FROM:<{sender}>").code == 250
            return [client.command(f"RCPT TO:<{r}>").code for r in recipients]

    def send(self, recipient, name):
        with SmtpClient(self.ns, "127.0.0.1") as client:
            return client.send("stranger@sender.test", [recipient],
                               f"Message-ID: <{name}@sender.test>\r\nSubject: {name}\r\n\r\n{name}\r\n")

    def write_pgsql(self):
        """The pgsql: tables; returns their folder."""
        folder = self.root / "maps"
        folder.mkdir(exist_ok=True)
        for name in FUNCTIONS.values():
            (folder / f"{name}.cf").write_text(
                f"hosts = unix:{self.pg.socket}\nuser = postfix\ndbname = mail\n"
                f"query = SELECT * FROM mail.postfix_{name}('%s')\n")
        return folder

    def postmap(self, key, table):
        """What Postfix itself finds, or None."""
        user = pwd.getpwnam("postfix")
        done = subprocess.run(self.ns.command(
            "setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "postmap", "-c",
            self.postfix.etc, "-q", key, table), capture_output=True, text=True, check=False)
        assert done.stderr == "", done.stderr
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    def freeze(self, number=signal.SIGSTOP):
        """All of PostgreSQL's processes: a server that is there and says nothing."""
        first = self.pg.process.pid
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == first or int(entry.name) == first:
                os.kill(int(entry.name), number)

    def thaw(self):
        self.freeze(signal.SIGCONT)

    def close(self):
        if self.postfix is not None:
            self.postfix.stop()
        if self.ns is not None:
            self.ns.remove()
        super().close()

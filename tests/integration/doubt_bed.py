"""The bed of the relay with what it takes to lose a reply: a link to the inner server that can be cut
in the midst of a message, and a Dovecot inside that holds the mailboxes."""
import collections
import socket
import threading

from origin_bed import INNER_LINK, OriginBed
from stack import dovecot
from stack.clients import accept_each, pass_on
from stack.dovecot import MAIL_UID
from stack.netns import run
from stack.postward import SOURCE
from stack.proc import wait_until

LINK_PORT = 2525

CONF = """base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = lmtp
ssl = no
mail_home = {root}/mail/%d/%n
mail_location = maildir:~/Maildir
mail_uid = {uid}
mail_gid = {uid}
first_valid_uid = 1000
recipient_delimiter = +
passdb {{
  driver = static
  args = password=x
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} allow_all_users=yes
}}
plugin {{
  sieve_before = {root}/sieve/retry.sieve
  sieve_before2 = {root}/sieve/junk.sieve
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
service lmtp {{
  unix_listener {lmtp} {{
    user = postfix
    group = postfix
    mode = 0600
  }}
}}
"""


class MailStore(dovecot.Dovecot):
    """LMTP alone, for whatever user Postfix names."""

    def make(self, spool):
        self.root.mkdir()
        for name in ("run", "state", "mail"):
            (self.root / name).mkdir()
        run("chown", f"{MAIL_UID}:{MAIL_UID}", self.home)
        run("cp", "-r", SOURCE / "dovecot-plugins/sieve", self.root / "sieve")
        for script in (self.root / "sieve").glob("*.sieve"):
            run("sievec", script)
        self.write_conf(CONF.format(root=self.root, uid=MAIL_UID, lmtp=spool / "private/dovecot-lmtp"))
        return self

    def with_modules(self, *command):
        return list(command)

    def mails(self, user, marker):
        """Messages of a user's folders that hold marker."""
        folder = self.home / "example.test" / user
        return [f for f in folder.rglob("*") if f.parent.name in ("new", "cur") and marker.encode() in f.read_bytes()]


class Link:
    """127.0.0.1:2525 of the edge, leading to the inner server. fault: what happens at each final dot
    from now on: `swallow` = it arrives, its reply does not; `cut` = it does not arrive."""

    DOT = b"\r\n.\r\n"

    def __init__(self, ns, host, port=25):
        self._ns, self._target, self.fault = ns, (host, port), None
        self.dots = collections.Counter()
        self._ends = set()
        self.up()

    def up(self):
        with self._ns.enter():
            self._listener = socket.create_server(("127.0.0.1", LINK_PORT), backlog=64)
        self._is_down = False
        threading.Thread(target=accept_each, args=(self._listener, self._serve), daemon=True).start()

    def down(self):
        """Nobody gets through any more, who was does not either."""
        self._is_down = True
        self._close(self._listener)
        for end in list(self._ends):
            self._close(end)

    close = down

    def _serve(self, near):
        if (far := pass_on(near, self._ns, self._target)) is None:
            return
        far.settimeout(None)
        self._ends |= {near, far}
        if self._is_down:  # it was on its way when the others were cut
            self.down()
            return
        swallow = threading.Event()
        threading.Thread(target=self._back, args=(near, far, swallow), daemon=True).start()
        self._forth(near, far, swallow)

    def _forth(self, near, far, swallow):
        tail = b""
        try:
            while data := near.recv(65536):
                tail = (tail + data)[-5:]
                if tail == self.DOT and self.fault:
                    self.dots[self.fault] += 1
                    if self.fault == "cut":
                        self._close(far)
                        break
                    swallow.set()
                far.sendall(data)
        except OSError:
            pass
        self._close(near)
        if not swallow.is_set():
            self._close(far)

    def _back(self, near, far, swallow):
        try:
            while data := far.recv(65536):
                if swallow.is_set():  # this is the reply to the final dot
                    break
                near.sendall(data)
        except OSError:
            pass
        self._close(far)
        self._close(near)

    def _close(self, end):
        self._ends.discard(end)
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        end.close()


class DoubtBed(OriginBed):
    parts = (*OriginBed.parts, "store", "link")

    def _start(self):
        super()._start()
        self.store = MailStore(self.root / "dovecot", self.inner_ns, INNER_LINK).make(self.inner.spool)
        self.store.start()
        self.inner.set("virtual_transport = lmtp:unix:private/dovecot-lmtp")
        self.origin.stop()  # its connections in store are sessions of processes with the old settings
        self.inner.reload()
        self.link = Link(self.edge_ns, INNER_LINK)
        self.origin.start(inner=f"127.0.0.1:{LINK_PORT}")

    def settle(self):
        """Nothing is on its way any more."""
        wait_until(lambda: not self.inner.queue(), what="the inner queue to be empty")

    def count(self, marker, user="ann"):
        self.settle()
        return len(self.store.mails(user, marker))

    def kill_origin(self):
        """kill -9, and start it again."""
        self.origin.stop(9)
        self.socket.unlink(missing_ok=True)
        self.origin.start()

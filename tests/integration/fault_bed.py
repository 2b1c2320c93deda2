"""The origin bed with faults: what can break between the client and the inner mailbox, at every stage
of a message, and a ledger of all mail."""
import contextlib
import itertools
import os
import re
import shutil
import signal
import stat
import threading
import time

from origin_bed import (EDGE, EDGE_LINK, EDGE_MAIN, INNER_LINK, INNER_SERVICES, OPTIONS, SENDER,
                        OriginBed)
from queue_bed import PROXY_OPTIONS
from stack.clients import SmtpClient, last_reply, message
from stack.ledger import Book, id_of
from stack.netns import run
from stack.postfix import processes_of
from stack.proc import wait_until
from tap import Tap

WAYS = {"live": 25, "proxy": 2525, "queue": 2526}  # ports of the edge
TAP_PORT, INNER_PORT = 2640, 2641
CONNECT_S, COMMAND_S, DOT_S = 1, 3, 10  # how long postward-origin waits
NOBODY = "02:00:00:00:00:01"            # a link-layer address nobody has
RECIPIENT = "ann@example.test"


class FaultBed(OriginBed):
    """The edge has a port for each way inside."""
    parts = ("tap", *OriginBed.parts)
    # without its address towards the inner: a process that begins while that is gone would die
    edge_main = re.sub("inet_interfaces = .*", "inet_interfaces = all", EDGE_MAIN) + """
relay_transport = postward:unix:origin/queue.sock
notify_classes =
"""
    edge_services = [
        f"{EDGE}:{WAYS['proxy']} inet n - y - - smtpd -o smtpd_milters= {PROXY_OPTIONS}",
        f"{EDGE}:{WAYS['queue']} inet n - y - - smtpd -o smtpd_milters=",
        "postward unix - - y - - lmtp -o lmtp_send_xforward_command=yes"
        " -o lmtp_line_length_limit=0"]
    inner_services = [*INNER_SERVICES, f"{INNER_LINK}:{INNER_PORT} inet n - y - - smtpd {OPTIONS}"
                      f" -o smtpd_authorized_xclient_hosts={INNER_LINK}"]
    origin_settings = {"inner": f"{INNER_LINK}:{TAP_PORT}", "connect_timeout": f"{CONNECT_S}s",
                       "command_timeout": f"{COMMAND_S}s", "dot_timeout": f"{DOT_S}s"}

    def _prepare(self):
        folder = self.root / "edge/spool/origin"
        self.origin_settings = {**self.origin_settings,
                                "queue_socket": f"unix:{folder}/queue.sock",
                                "proxy_socket": f"unix:{folder}/proxy.sock"}
        self.tap = Tap(self.inner_ns, INNER_LINK, TAP_PORT, (INNER_LINK, INNER_PORT))

    @contextlib.contextmanager
    def changed(self, postfixes, lines, **settings):
        """These settings of Postfixes and of postward-origin; afterwards as before."""
        names = [line.split(" = ")[0] for line in lines]
        before = [(p, [f"{n} = {p.postconf('-hx', n).strip()}" for n in names]) for p in postfixes]
        kept = dict(self.origin.settings)
        self._change([(p, lines) for p in postfixes], settings)
        try:
            yield
        finally:
            self._change(before, kept)

    def _change(self, changes, settings):
        self.origin.stop()
        for postfix, lines in changes:
            postfix.stop()  # at a reload a session that nobody ends would keep its old process
            postfix.set(*lines)
            postfix.start()
        self.origin.start(**settings)

    # faults, and their ends

    def kill_daemon(self):
        self.origin.process.kill(signal.SIGKILL)

    def revive_daemon(self):
        """The sockets of the process before are there still, and say nothing."""
        self.origin.stop()
        before = len(self.origin.lines("event=started"))
        self.origin.start()
        wait_until(lambda: len(self.origin.lines("event=started")) > before, what="postward-origin")

    def kill_inner(self):
        """All of it at once, as when its power fails."""
        for pid in [self.inner.pid(), *processes_of(self.inner.root)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def revive_inner(self):
        wait_until(lambda: not processes_of(self.inner.root), what="the inner to be gone")
        (self.inner.spool / "pid/master.pid").unlink(missing_ok=True)
        self.inner.start()

    def cut_tunnel(self):
        """The link is down and everybody knows."""
        self.edge_ns.ip("link", "set", "vpn", "down")

    def mend_tunnel(self):
        self.edge_ns.ip("link", "set", "vpn", "up")

    def mute_tunnel(self):
        """Nothing comes through, and nobody is told."""
        for ns, other in self._ends():
            ns.ip("neigh", "replace", other, "lladdr", NOBODY, "dev", "vpn", "nud", "permanent")

    def unmute_tunnel(self):
        for ns, other in self._ends():
            ns.ip("neigh", "del", other, "dev", "vpn")

    def _ends(self):
        return (self.edge_ns, INNER_LINK), (self.inner_ns, EDGE_LINK)

    @contextlib.contextmanager
    def small_disk(self, folder, megabytes):
        """This folder is a disk of its own, so large. Nothing of the edge runs when it comes and
        goes."""
        kept = folder.with_name(f"{folder.name}.kept")
        folder.rename(kept)
        folder.mkdir()
        shutil.copystat(kept, folder)
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", folder)
        try:
            run("cp", "-a", f"{kept}/.", folder)
            yield
        finally:
            run("umount", "-l", folder)
            folder.rmdir()
            kept.rename(folder)

    # mail

    def outside(self, source=SENDER, way="live", **options):
        return SmtpClient(self.net, EDGE, WAYS[way], source=source, **options)

    def messages(self):
        """All that lie in mailboxes, as bytes."""
        return [f.read_bytes() for f in self.mail.glob("*/new/*")]

    def copies(self, message_id):
        return [m for m in self.messages() if id_of(m) == message_id]

    def settle(self, timeout_s=60):
        """Until nothing is queued anywhere."""
        for postfix in (self.edge, self.inner):
            postfix.flush()
            wait_until(lambda p=postfix: not queued(p), timeout_s,
                       f"the queue of {postfix.ns.name}")


def field(message, name):
    """The value of a header field; None without."""
    for line in message.split(b"\n\n", 1)[0].splitlines():
        if line.lower().startswith(name.lower().encode() + b":"):
            return line.split(b":", 1)[1].strip().decode()
    return None


def is_told_as_retry(copies):
    """Is each copy but one marked as a retry of the same transaction? Our Sieve script
    inside throws such copies away."""
    ids = {field(c, "Postward-Transaction") for c in copies}
    first = [c for c in copies if field(c, "Postward-Retry") is None]
    return len(first) == 1 and len(ids) == 1 and None not in ids


def queued(postfix):
    """Queue files that are whole: an unfinished one, of a killed cleanup(8), was never promised to
    anybody, and Postfix throws it away some day."""
    return [f for f in postfix.queue() if is_whole(f)]


def is_whole(path):
    try:
        return path.stat().st_mode & stat.S_IXUSR
    except FileNotFoundError:  # delivered
        return False


def text_of(message_id, sender="ann@sender.test", fields=80, lines=4000):
    """A message; its header and its body each fill more than one buffer of a relay."""
    extra = "".join(f"X-Filler-{n}: {'h' * 900}\r\n" for n in range(fields))
    return message(sender, RECIPIENT, message_id=message_id, extra=extra,
                   body=("b" * 70 + "\r\n") * lines)


class Sender:
    """A mail server of the world: it writes each message of its book until it is taken."""

    def __init__(self, bed, way="live", sender="ann@sender.test"):
        self.bed, self.way, self.sender = bed, way, sender
        self.book = Book()
        self.attempts = 0

    def once(self, message_id, text=None, at_connect=None):
        """One attempt: its reply, or None when the session broke. at_connect(): when the edge has
        greeted."""
        self.attempts += 1
        try:
            with self.bed.outside(way=self.way) as client:
                if at_connect:
                    at_connect()
                reply = last_reply(client.send(self.sender, [RECIPIENT],
                                               text or text_of(message_id, self.sender)))
        except (OSError, EOFError) as error:  # smtplib's errors are OSErrors
            self.book.note(f"{message_id}: {error!r}")
            return None
        if reply.code == 250:
            self.book.take(message_id, RECIPIENT)
        else:
            self.book.note(f"{message_id}: {reply}")
        return reply

    def until_taken(self, message_id, text=None, timeout_s=90):
        """As often as it takes; a refusal for good is none of these faults."""
        end = time.monotonic() + timeout_s
        while True:
            reply = self.once(message_id, text)
            if reply is not None and reply.code == 250:
                return
            assert reply is None or reply.code < 500, reply
            assert time.monotonic() < end, f"{message_id} is still refused: {reply}"
            time.sleep(0.2)


class Load:
    """So many senders at once, each with one message after the other, until finish(); then a last
    chance for what is not taken yet."""

    def __init__(self, bed, senders, way="live", pause_s=0.05):
        self.senders = [Sender(bed, way) for _ in range(senders)]
        self._stop, self._pause_s = threading.Event(), pause_s
        self._begun = time.monotonic_ns()
        self._threads = [threading.Thread(target=self._live, args=pair, daemon=True)
                         for pair in enumerate(self.senders)]
        self.problems = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(180)
        assert not any(t.is_alive() for t in self._threads)

    def _live(self, number, sender):
        for count in itertools.count():
            if self._stop.is_set():
                return
            message_id = f"load-{self._begun}-{number}-{count}@sender.test"
            try:
                sender.until_taken(message_id, text_of(message_id, fields=1, lines=200))
            except AssertionError as error:
                self.problems.append(error)
                return
            self._stop.wait(self._pause_s)

    def taken(self):
        return [i for s in self.senders for i in s.book.taken]

    def attempts(self):
        return sum(s.attempts for s in self.senders)

    def lost_and_doubled(self, messages):
        """Of all senders."""
        parts = [s.book.lost_and_doubled(messages) for s in self.senders]
        return [i for lost, _ in parts for i in lost], [i for _, twice in parts for i in twice]

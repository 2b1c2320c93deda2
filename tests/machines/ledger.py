"""Mail without a pause, and a book of it: each message that was taken is to be found once, and what
was said to those who sent it."""
import contextlib
import itertools
import smtplib
import threading
import time

from stack.clients import SmtpClient, last_reply, message
from stack.ledger import Book
from stack.proc import wait_until
from stack.world import EDGE, SENDER

STRANGERS, USERS = 4, 2  # sessions at once: on port 25, on 587


class Ledger(Book):
    """Writes from outside to users, and from users to users and outward, until finish()."""

    def __init__(self, stack, users, pause_s=0.05):
        super().__init__()
        self.stack, self.users, self.pause_s = stack, users, pause_s
        self.longest_s = 0.0
        self._stop, self._numbers = threading.Event(), itertools.count()
        work = [self._stranger] * STRANGERS + [self._user] * USERS
        self._threads = [threading.Thread(target=self._repeat, args=(w,), daemon=True) for w in work]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def finish(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
        assert not any(t.is_alive() for t in self._threads)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.finish()

    # work

    def _repeat(self, session):
        while not self._stop.is_set():
            begin = time.monotonic()
            try:
                session(next(self._numbers))
            except (OSError, smtplib.SMTPException) as error:
                self.note(f"{session.__name__}: {error!r}")
            with self._lock:
                self.longest_s = max(self.longest_s, time.monotonic() - begin)
            self._stop.wait(self.pause_s)

    def _stranger(self, number):
        with SmtpClient(self.stack.net, EDGE, source=SENDER) as client:
            for to in (self.users[number % len(self.users)], self.users[(number + 1) % len(self.users)]):
                self.send(client, "stranger@sender.test", to, sign=True)

    def _user(self, number):
        sender = self.users[number % len(self.users)]
        with self.stack.submission(sender) as client:
            for to in (self.users[(number + 1) % len(self.users)], "friend@elsewhere.test"):
                self.send(client, sender, to)

    def send(self, client, sender, to, sign=False, message_id=None):
        """One message of the book; its reply."""
        message_id = message_id or f"ledger-{time.time():.6f}-{threading.get_ident()}@{sender.split('@')[1]}"
        text = message(sender, to, message_id=message_id)
        reply = last_reply(client.send(sender, [to], self.stack.signer.sign(text) if sign else text))
        if reply.code == 250:
            self.take(message_id, to)
        else:
            self.note(f"{sender} to {to}: {reply}")
        return reply

    # the end

    def wait_until_delivered(self, timeout_s=120):
        self.stack.inner.flush()
        with contextlib.suppress(TimeoutError):  # the book tells what is missing
            wait_until(lambda: not self.stack.inner.queue(), timeout_s, "an empty queue", 0.5)

    def messages(self):
        """The Message-ID of all that is in mailboxes or came to the sink."""
        found = [data for _, _, _, data in list(self.stack.sink.messages)]
        for user in self.users:
            with self.stack.imap(user) as imap:
                for folder in ("INBOX", "Junk"):
                    found += _message_ids(imap, folder)
        return found


def _message_ids(imap, folder):
    kind, _ = imap.select(folder, readonly=True)
    if kind != "OK":
        return []
    _, data = imap.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    return [part[1] for part in data if isinstance(part, tuple)]

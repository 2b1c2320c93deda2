"""All users together, and the comparison at the end."""
import collections
import random
import threading
import time

from stack.clients import Imap
from stack.proc import wait_until
from stack.stack import INNER_LINK

from .model import random_size
from .person import PATIENCE_S, Person

LIMIT_MB = 1        # of every fourth user
DELIVERERS = 4      # who send to those without a limit while their sessions work
PROBLEMS_MAX = 10   # then all stop
KINDS = "append", "copy", "move", "expunge", "look_somewhere", "receive", "deliver", "overquota"
KINDS_WAIT_S = 120  # a slow machine has so much longer to do each of them once


class Fleet:
    """stack: with these users (addresses), their passwords known. pause_s: what each waits on
    average after an operation."""

    def __init__(self, stack, users, pause_s=0.0, seed=1):
        self.stack, self.pause_s = stack, pause_s
        self.problems = []
        self._stop = threading.Event()
        lmtp = str(stack.inner.spool / "private/dovecot-lmtp")
        self.people = [Person(user, self._connect, lmtp, limit_of(n) * 1048576, seed * 10000 + n)
                       for n, user in enumerate(users)]
        self.expected = {}  # login -> (bytes, messages), after run()

    def run(self, seconds):
        """Work so long, and until each kind of work was done; what is in self.problems afterwards
        should not be."""
        join(self._start([(self._begin, p) for p in self.people]))
        free = [p for p in self.people if not p.model.limit]
        work = self._start([(self._live, p) for p in self.people] +
                           [(self._send, free)] * DELIVERERS)
        if not self._stop.wait(seconds):
            wait_until(lambda: self._stop.is_set() or not self.missing(), KINDS_WAIT_S,
                       "work of each kind", 0.2)
        self._stop.set()
        join(work)
        join(self._start([(self._close, p) for p in self.people]))

    def _start(self, work):
        threads = [threading.Thread(target=self._guarded, args=each) for each in work]
        for thread in threads:
            thread.start()
        return threads

    def _connect(self, login):
        imap = Imap(self.stack.inner_ns, INNER_LINK, timeout_s=PATIENCE_S)
        imap.login(login, self.stack.passwords[login])
        return imap

    def _guarded(self, work, *args):
        try:
            work(*args)
        except Exception as error:  # told by the test, in its own thread
            self.problems.append(f"{getattr(args[0], 'login', '')} {work.__name__}: {error!r}")
            if len(self.problems) >= PROBLEMS_MAX:
                self._stop.set()

    def _begin(self, person):
        person.begin()

    def _live(self, person):
        while not self._stop.is_set():
            person.step()
            if self.pause_s:
                self._stop.wait(person.rng.uniform(0, 2 * self.pause_s))

    def _send(self, people):
        rng = random.Random()
        while people and not self._stop.is_set():
            rng.choice(people).deliver(random_size(rng))
            if self.pause_s:
                # all of them together: a fourth of what the sessions do
                self._stop.wait(rng.uniform(0, 8 * self.pause_s) * DELIVERERS / len(people))

    def _close(self, person):
        self.expected[person.login] = person.end()

    def done(self):
        """Operations of all."""
        total = collections.Counter()
        for person in self.people:
            total.update(dict(person.done))
        return dict(total)

    def missing(self):
        return set(KINDS) - self.done().keys()

    # the end

    def in_sql(self):
        """login -> (bytes, messages) of mail.usage, as mail.quota_usage shows it."""
        rows = self.stack.pg.sql(
            "SELECT q.email, g.bytes, q.messages, q.used_mb = round(g.bytes / 1048576.0, 1)"
            " FROM mail.quota_usage AS q JOIN mail.virtual_users AS u USING (email)"
            " JOIN mail.usage AS g ON g.user_id = u.id")
        return {email: (size, count) for email, size, count, is_shown in rows if is_shown}

    def wait_for_sql(self, timeout_s):
        """Differences that are left when usage has had its time to get there."""
        end = time.monotonic() + timeout_s
        while self._differences() and time.monotonic() < end:
            time.sleep(0.2)
        return self._differences()

    def _differences(self):
        told = self.in_sql()
        return {login: (told.get(login), truth) for login, truth in self.expected.items()
                if told.get(login) != truth}

    def recount(self):
        """Dovecot's own numbers: login -> (kilobytes, messages)."""
        text = self._doveadm("-f", "tab", "quota", "get", "-A")
        found = collections.defaultdict(dict)
        for line in text.splitlines()[1:]:
            login, _, kind, value = line.split("\t")[:4]
            found[login][kind] = int(value)
        return {login: (kinds["STORAGE"], kinds["MESSAGE"]) for login, kinds in found.items()}

    def recalculate(self):
        self._doveadm("quota", "recalc", "-A")

    def _doveadm(self, *args):
        dovecot = self.stack.dovecot
        return dovecot.ns.run(*dovecot.with_modules("doveadm", "-c", dovecot.conf, *args),
                              timeout=600)

    def wait_for_limits(self, timeout_s):
        """Until policyd tells sessions the limits of users that are new."""
        limited = [p for p in self.people if p.model.limit]
        wait_until(lambda: all(self._knows_limit(p.login) for p in limited[-1:]), timeout_s,
                   "limits of the new users", 0.2)

    def _knows_limit(self, login):
        with self.stack.imap(login) as imap:
            return b"STORAGE" in b"".join(x for part in imap.getquotaroot("INBOX")[1] for x in part)


def limit_of(number):
    """Megabytes for the n-th user; 0 = none."""
    return LIMIT_MB if number % 4 == 0 else 0


def join(threads):
    for thread in threads:
        thread.join()

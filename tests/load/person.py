"""One user: an IMAP session that appends, copies, moves and expunges, and mail that comes by LMTP."""
import itertools
import random
import re
import smtplib
import threading

from .model import BOXES, KEPT_MAX, Message, Model, body, expand, random_size

LMTP_HEADERS_MAX = 2000  # bytes a delivery may add
PATIENCE_S = 120         # for one reply


class Wrong(Exception):
    """A reply that the model does not allow."""


def must(claim, *said):
    if not claim:
        raise Wrong(" ".join(map(str, said)))


class Person:
    """connect(): a logged-in imaplib session. lmtp: path of the socket. limit: bytes, 0 = none."""

    def __init__(self, login, connect, lmtp, limit, seed):
        self.login, self.lmtp = login, lmtp
        self.rng = random.Random(seed)
        self.model = Model(limit)
        self.done = {}  # operation -> how often
        self._connect, self._imap = connect, None
        self._tokens = itertools.count()
        self._lock = threading.Lock()
        self._coming = set()  # tokens of deliveries the session has not seen yet

    # life

    def begin(self):
        self._imap = self._connect(self.login)
        for box in BOXES[1:]:
            kind, data = self._imap.create(box)
            must(kind == "OK", "CREATE:", kind, data)
        while self.model.limit and not self.done.get("overquota"):
            self._append("INBOX", self.model.limit // 5)  # those with a limit begin at it

    def step(self):
        operation = self._choose()
        operation()
        self._count(operation.__name__)

    def end(self):
        """Every message is where the model has it; returns (bytes, messages) of all."""
        for box in BOXES:
            self.look(box)
        must(not self._coming, "delivered, but not there:", self._coming)
        self._imap.logout()
        return self.model.used(), self.model.count()

    def _count(self, name):
        with self._lock:
            self.done[name] = self.done.get(name, 0) + 1

    def _choose(self):
        if self.model.count() == 0:
            return self.append
        if any(len(box) > KEPT_MAX for box in self.model.boxes.values()):
            return self.expunge
        deliver = [self.receive] * 2 if self.model.limit else []
        return self.rng.choice([self.append] * 4 + [self.copy] * 3 + [self.expunge] * 2 +
                               [self.move, self.look_somewhere] + deliver)

    def _token(self, kind):
        return f"{kind}-{next(self._tokens)}-{self.login}"

    # operations

    def append(self):
        self._append(self.rng.choice(BOXES), random_size(self.rng))

    def _append(self, box, size):
        token = self._token("append")
        text = body(token, size)
        kind, data = self._imap.append(box, None, None, text)
        if self._went(kind, data, len(text)):
            uid = int(self._code("APPENDUID").split()[1])
            self.model.add(box, uid, Message(token, len(text)))

    def copy(self):
        source, target = self.rng.sample(BOXES, 2)
        uids = self._some_of(source)
        kind, data = self._imap.uid("COPY", ",".join(map(str, uids)), target) if uids else ("", 0)
        if uids and self._went(kind, data, self.model.size_of(source, uids)):
            self.model.copy(source, target, self._copied(uids))

    def move(self):
        source, target = self.rng.sample(BOXES, 2)
        uids = self._some_of(source)
        if not uids:
            return
        kind, data = self._imap.uid("MOVE", ",".join(map(str, uids)), target)
        must(kind == "OK", "MOVE:", kind, data)  # what is there already always fits
        self.model.copy(source, target, self._copied(uids))
        self.model.remove(source, uids)

    def expunge(self):
        box = max(BOXES, key=lambda b: len(self.model.boxes[b]))
        uids = self._some_of(box, 12)
        self._imap.uid("STORE", ",".join(map(str, uids)), "+FLAGS.SILENT", r"(\Deleted)")
        self._imap.untagged_responses.clear()
        kind, data = self._imap.uid("EXPUNGE", ",".join(map(str, uids)))
        must(kind == "OK", "EXPUNGE:", kind, data)
        gone = self._imap.response("EXPUNGE")[1]
        must(len(gone) == len(uids), "EXPUNGE of", len(uids), "told of", gone)
        self.model.remove(box, uids)

    def receive(self):
        """A delivery of a user with a limit: nothing else happens meanwhile, so its fate is known
        but for the header fields LMTP adds."""
        size = random_size(self.rng)
        before = self.model.used()
        taken = self.deliver(size)
        self.look("INBOX")
        added = self.model.used() - before
        if taken:
            must(size <= added <= size + LMTP_HEADERS_MAX, "a delivery of", size, "took", added)
            must(before + added <= self.model.limit, "delivered over the limit", before, added)
        else:
            must(added == 0, "refused, but", added, "bytes came")
            must(not self.model.fits(size + LMTP_HEADERS_MAX), "refused below the limit", before, size)

    def deliver(self, size):
        """By LMTP, from any thread; returns whether it was taken."""
        with self._lock:
            token = self._token("deliver")
            self._coming.add(token)
        text = body(token, size)
        with smtplib.LMTP(self.lmtp, local_hostname="load.example.org", timeout=PATIENCE_S) as lmtp:
            try:
                lmtp.sendmail("load@example.org", [self.login], text)
            except smtplib.SMTPDataError as refused:
                must(self.model.limit and refused.smtp_code == 552, "LMTP:", refused)
                self._coming.discard(token)
                return False
        if not self.model.limit:
            self._count("deliver")
        return True

    def look_somewhere(self):
        self.look(self.rng.choice(BOXES))

    def look(self, box):
        """All sizes of a box; what is new must be a delivery."""
        self._select(box)
        known, there = self.model.boxes[box], self._sizes("1:*")
        must(not known.keys() - there.keys(), box, "lost", known.keys() - there.keys())
        for uid, size in there.items():
            if uid not in known:
                known[uid] = Message(self._arrived(uid), size)
            must(known[uid].size == size, box, uid, "has", size, "bytes, not", known[uid])

    # the session

    def _went(self, kind, data, size):
        """Taken (True) or refused (False), as the limit says."""
        fits = self.model.fits(size)
        must((kind == "OK") == fits, kind, data, "used", self.model.used(), "and", size, "of",
             self.model.limit)
        must(fits or b"[OVERQUOTA]" in data[0], kind, data)
        if not fits:
            self._count("overquota")
        return fits

    def _select(self, box):
        kind, data = self._imap.select(box)
        must(kind == "OK", "SELECT:", kind, data)

    def _some_of(self, box, most=5):
        self._select(box)
        self._imap.untagged_responses.clear()
        return self.model.some(box, self.rng, most)

    def _code(self, name):
        values = self._imap.response(name)[1]
        must(values and values[-1], "no", name)
        return values[-1].decode()

    def _copied(self, uids):
        _, source, target = self._code("COPYUID").split()
        pairs = list(zip(expand(source), expand(target)))
        must([old for old, _ in pairs] == uids, "COPYUID", source, "for", uids)
        return pairs

    def _sizes(self, uids):
        kind, data = self._imap.uid("FETCH", uids, "(RFC822.SIZE)")
        must(kind == "OK", "FETCH:", kind, data)
        found = {}
        for line in (d for d in data if d):
            uid, size = (re.search(rb"%s (\d+)" % word, line) for word in (b"UID", b"RFC822.SIZE"))
            found[int(uid[1])] = int(size[1])
        return found

    def _arrived(self, uid):
        kind, data = self._imap.uid("FETCH", str(uid), "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        must(kind == "OK" and data and data[0], "FETCH:", kind, data)
        token = data[0][1].decode().split(":", 1)[1].strip()
        with self._lock:
            must(token in self._coming, "came, but nobody sent it:", token)
            self._coming.discard(token)
        return token

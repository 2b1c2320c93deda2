"""What must be in one user's mailboxes. Pure: no sockets, no clock."""
import random
from collections import namedtuple

BOXES = "INBOX", "Work", "Archive"
KEPT_MAX = 40  # messages in a box; beyond, expunging comes first

Message = namedtuple("Message", "token size")


class Model:
    """boxes: name -> {uid: Message}. limit: bytes, 0 = none."""

    def __init__(self, limit=0):
        self.limit = limit
        self.boxes = {name: {} for name in BOXES}

    def used(self):
        return sum(m.size for box in self.boxes.values() for m in box.values())

    def count(self):
        return sum(len(box) for box in self.boxes.values())

    def fits(self, size):
        return not self.limit or self.used() + size <= self.limit

    def size_of(self, box, uids):
        return sum(self.boxes[box][uid].size for uid in uids)

    def add(self, box, uid, message):
        assert uid not in self.boxes[box], f"{box}: UID {uid} given twice"
        self.boxes[box][uid] = message

    def copy(self, source, target, pairs):
        for old, new in pairs:
            self.add(target, new, self.boxes[source][old])

    def remove(self, box, uids):
        for uid in uids:
            del self.boxes[box][uid]

    def some(self, box, rng, most=5):
        """A few UIDs of a box, sorted; none if it is empty."""
        uids = sorted(self.boxes[box])
        return sorted(rng.sample(uids, min(len(uids), rng.randint(1, most))))


def body(token, size):
    """A message of that many bytes, at least."""
    head = f"From: load@example.org\r\nSubject: {token}\r\n\r\n"
    lines, rest = divmod(max(size - len(head), 0), 72)
    return (head + ("y" * 70 + "\r\n") * lines + "y" * rest).encode()


def random_size(rng: random.Random):
    """Mostly small, now and then large."""
    return rng.randint(40_000, 250_000) if rng.random() < 0.05 else rng.randint(200, 12_000)


def expand(text):
    """UIDs of a set such as 3:5,9 in its order."""
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)

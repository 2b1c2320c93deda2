"""A book of mail by Message-ID: what was taken, and what was said to those who sent it; in the end each
message that was taken is to be found once."""
import collections
import threading
import time


class Book:
    def __init__(self):
        self.taken = {}    # message id -> recipient
        self.refused = []  # what was said instead of 250, or what broke
        self._lock = threading.Lock()

    def take(self, message_id, recipient):
        with self._lock:
            self.taken[message_id] = recipient

    def note(self, line):
        with self._lock:
            self.refused.append(f"{time.strftime('%H:%M:%S')} {line}")

    def lost_and_doubled(self, messages):
        """Message ids that are nowhere, and those that are somewhere twice. messages: all that were
        found, as bytes (their headers will do)."""
        found = collections.Counter(id_of(m) for m in messages)
        return [i for i in self.taken if not found[i]], [i for i in self.taken if found[i] > 1]


def id_of(message):
    """Its Message-ID without the brackets; empty without one."""
    for line in message.splitlines():
        if line.lower().startswith(b"message-id:"):
            return line.split(b"<", 1)[1].split(b">", 1)[0].decode()
    return ""

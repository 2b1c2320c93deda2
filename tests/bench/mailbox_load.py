"""Messages into a mailbox over IMAP APPEND and over LMTP, one after the other; how long each took."""
import socket
import statistics
import time

MESSAGE = (b"From: ann@example.org\r\nTo: bob@example.org\r\nSubject: bench\r\n"
           b"Message-ID: <bench@example.org>\r\n\r\n" + (b"x" * 70 + b"\r\n") * 25)


class Lines:
    """A connection that speaks in lines."""

    def __init__(self, family, address):
        self.socket = socket.socket(family)
        self.socket.settimeout(60)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("hung up")
        return line

    def reply(self, code):
        """An SMTP reply, its last line."""
        line = self.line()
        while line[3:4] == b"-":
            line = self.line()
        if not line.startswith(code):
            raise ValueError(f"{code} expected: {line}")

    def tagged(self, tag):
        """An IMAP command's end."""
        line = self.line()
        while not line.startswith(tag + b" "):
            line = self.line()
        if not line.startswith(tag + b" OK"):
            raise ValueError(line)

    def close(self):
        self.file.close()
        self.socket.close()


def timed_ms(work, count):
    """The median of so many."""
    took = []
    for _ in range(count):
        begin = time.perf_counter()
        work()
        took.append((time.perf_counter() - begin) * 1000)
    return statistics.median(took)


def append_ms(dovecot, user, password, count):
    imap = Lines(socket.AF_INET, ("127.0.0.1", dovecot.port))
    imap.line()
    imap.send(f"l LOGIN {user} {password}\r\n".encode())
    imap.tagged(b"l")

    def append():
        imap.send(b"a APPEND INBOX {%d+}\r\n" % len(MESSAGE) + MESSAGE + b"\r\n")
        imap.tagged(b"a")
    median = timed_ms(append, count)
    imap.close()
    return median


def lmtp_ms(dovecot, user, count):
    lmtp = Lines(socket.AF_UNIX, str(dovecot.root / "run" / "lmtp"))
    lmtp.reply(b"220")
    lmtp.send(b"LHLO bench.example.org\r\n")
    lmtp.reply(b"250")

    def deliver():
        for command, code in ((b"MAIL FROM:<ann@example.org>", b"250"),
                              (f"RCPT TO:<{user}>".encode(), b"250"), (b"DATA", b"354"),
                              (MESSAGE + b".", b"250")):
            lmtp.send(command + b"\r\n")
            lmtp.reply(code)
    median = timed_ms(deliver, count)
    lmtp.close()
    return median

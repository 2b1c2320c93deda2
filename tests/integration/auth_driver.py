"""Dovecot's auth driver, as policyd sees it (docs/auth-socket.md)."""
import itertools
import socket

GREETING = "postward-auth\t2"
GREETING_1 = "postward-auth\t1"  # of drivers of before


def xtext(value):
    """A field: bytes other than 33..126, and + and =, as +XX; empty as -."""
    encoded = "".join(chr(b) if 33 <= b <= 126 and b not in b"+=" else f"+{b:02X}"
                      for b in str(value).encode())
    return {"": "-", "-": "+2D"}.get(encoded, encoded)


class Driver:
    def __init__(self, path, greeting=GREETING, timeout_s=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("r", newline="\n")
        self.ids = itertools.count()
        self.flushed = []
        self.send(greeting)
        answer, _, self.nonce = self.line().partition(greeting)
        assert answer == "" and len(self.nonce) == (33 if greeting == GREETING else 0)

    def send(self, *fields):
        self.socket.sendall(("\t".join(map(str, fields)) + "\n").encode())

    def line(self):
        """The next line; "" once the connection is closed."""
        try:
            return self.file.readline().rstrip("\n")
        except ConnectionResetError:
            return ""

    def answer(self):
        """The next answer; what policyd says unasked on the way is kept in flushed."""
        while True:
            fields = self.line().split("\t")
            if fields[0] != "flush":
                return fields
            self.flushed.append(fields[1])

    def ask(self, login, remote="192.0.2.7", service="imap"):
        """True: may be tried; else the seconds for which it may not."""
        number = str(next(self.ids))
        self.send("ask", number, xtext(login), xtext(remote), xtext(service))
        answer = self.answer()
        assert answer[1] == number, answer
        if answer[0] == "ok":
            return True
        assert answer[0] == "refuse", answer
        return int(answer[2])

    def report(self, login, result, remote="192.0.2.7", *, service="imap", port=40123,
               credential=0, session="s1", password=None):
        """password: the number of its hash, 1 to 4096."""
        self.send("report", xtext(login), xtext(remote), port, xtext(service), result, credential,
                  xtext(session), *([] if password is None else [password]))

    def fail(self, login, remote="192.0.2.7", times=1, **more):
        for _ in range(times):
            self.report(login, "failure", remote, credential=-1, **more)

    def wait_flush(self, login):
        """Read until policyd has said to forget about login."""
        while login not in self.flushed:
            line = self.line()
            assert line.startswith("flush\t"), line
            self.flushed.append(line.split("\t")[1])
        self.flushed.clear()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

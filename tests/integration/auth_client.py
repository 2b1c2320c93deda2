"""Dovecot's authentication protocol as a login process or Postfix speaks it."""
import base64
import hashlib
import hmac
import os
import socket


class AuthClient:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rwb")
        self.id = 0
        self._send("VERSION\t1\t1", f"CPID\t{os.getpid()}{id(self) % 1000}")
        while self._line() != "DONE":
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def _send(self, *lines):
        self.file.write("".join(line + "\n" for line in lines).encode())
        self.file.flush()

    def _line(self, wait_s=30):
        self.socket.settimeout(wait_s)
        line = self.file.readline()
        if not line:
            raise ConnectionError("auth hung up")
        return line.decode().rstrip("\n")

    def start(self, mechanism, response, service="imap"):
        self.id += 1
        self._send(f"AUTH\t{self.id}\t{mechanism}\tservice={service}\tsecured\tno-penalty"
                   f"\tfinal-resp-ok\tresp={base64.b64encode(response).decode()}")

    def proceed(self, response):
        self._send(f"CONT\t{self.id}\t{base64.b64encode(response).decode()}")

    def answer(self, wait_s=30):
        """(verb, fields): fields without the id; a value is a text, a flag is True."""
        verb, number, *rest = self._line(wait_s).split("\t")
        assert number == str(self.id)
        if verb == "CONT":
            return verb, base64.b64decode(rest[0])
        return verb, {k: v if eq else True for k, eq, v in (f.partition("=") for f in rest)}

    def plain(self, user, password, service="imap", wait_s=30):
        self.start("PLAIN", f"\0{user}\0{password}".encode(), service)
        return self.answer(wait_s)

    def scram(self, user, password):
        """SCRAM-SHA-256 of RFC 5802 and 7677; checks the server's proof too."""
        bare = f"n={user},r={base64.b64encode(os.urandom(12)).decode()}"
        self.start("SCRAM-SHA-256", b"n,," + bare.encode())
        verb, first = self.answer()
        if verb != "CONT":
            return verb, first
        values = dict(part.split("=", 1) for part in first.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(values["s"]),
                                     int(values["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        end = f"c={base64.b64encode(b'n,,').decode()},r={values['r']}"
        spoken = f"{bare},{first.decode()},{end}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), spoken, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.proceed(f"{end},p={base64.b64encode(proof).decode()}".encode())
        verb, fields = self.answer()
        if verb == "OK":
            server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), spoken, "sha256")
            assert fields["resp"] == base64.b64encode(
                b"v=" + base64.b64encode(server)).decode()
        return verb, fields

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
        return line.decode(errors="replace").rstrip("\n")

    def start(self, mechanism, response, service="imap", **told):
        """told: what a login process says of the client: rip, rport, session ..."""
        self.id += 1
        fields = [f"service={service}", "secured", "no-penalty", "final-resp-ok",
                  *(f"{name}={value}" for name, value in told.items())]
        if response is not None:
            fields.append(f"resp={base64.b64encode(response).decode()}")
        self._send("\t".join(["AUTH", str(self.id), mechanism, *fields]))

    def proceed(self, response):
        self._send(f"CONT\t{self.id}\t{base64.b64encode(response).decode()}")

    def answer(self, wait_s=30):
        """(verb, fields): fields without the id; a value is a text, a flag is True."""
        verb, number, *rest = self._line(wait_s).split("\t")
        assert number == str(self.id)
        if verb == "CONT":
            return verb, base64.b64decode(rest[0])
        return verb, {k: v if eq else True for k, eq, v in (f.partition("=") for f in rest)}

    def plain(self, user, password, service="imap", wait_s=30, master_for="", **told):
        self.start("PLAIN", f"{master_for}\0{user}\0{password}".encode(), service, **told)
        return self.answer(wait_s)

    def login(self, user, password, **told):
        """LOGIN, which asks for both."""
        self.start("LOGIN", None, **told)
        for text in (user, password):
            verb, _ = self.answer()
            assert verb == "CONT"
            self.proceed(text.encode())
        return self.answer()

    def cram_md5(self, user, password, **told):
        self.start("CRAM-MD5", None, **told)
        verb, challenge = self.answer()
        assert verb == "CONT"
        digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
        self.proceed(f"{user} {digest}".encode())
        return self.answer()

    def scram(self, user, password, **told):
        """SCRAM-SHA-256 of RFC 5802 and 7677; checks the server's proof too."""
        bare = f"n={user},r={base64.b64encode(os.urandom(12)).decode()}"
        self.start("SCRAM-SHA-256", b"n,," + bare.encode(), **told)
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

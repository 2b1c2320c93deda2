"""The client's side of the SASL mechanisms Dovecot offers, for protocols whose Python clients lack
them."""
import base64
import hashlib
import hmac
import os


class Sasl:
    """One exchange. step() takes a challenge and gives the response; what the client says first
    answers an empty challenge."""

    def __init__(self, mechanism, user, password):
        self.user, self.password = user, password
        self.step = {"PLAIN": self._plain, "LOGIN": self._login, "CRAM-MD5": self._cram,
                     "SCRAM-SHA-256": self._scram_first}[mechanism]

    def __call__(self, challenge):
        """As imaplib's authenticate() wants it."""
        return self.step(challenge)

    def base64_step(self, challenge):
        """The same in base64, as other protocols carry it."""
        return base64.b64encode(self.step(base64.b64decode(challenge))).decode()

    def _plain(self, _challenge):
        return f"\0{self.user}\0{self.password}".encode()

    def _login(self, _challenge):
        self.step = lambda _: self.password.encode()
        return self.user.encode()

    def _cram(self, challenge):
        digest = hmac.new(self.password.encode(), challenge, "md5").hexdigest()
        return f"{self.user} {digest}".encode()

    def _scram_first(self, _challenge):
        self.bare = f"n={self.user},r={base64.b64encode(os.urandom(12)).decode()}"
        self.step = self._scram_proof
        return b"n,," + self.bare.encode()

    def _scram_proof(self, first):
        """RFC 5802 and 7677."""
        values = dict(part.split("=", 1) for part in first.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(),
                                     base64.b64decode(values["s"]), int(values["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        end = f"c={base64.b64encode(b'n,,').decode()},r={values['r']}"
        spoken = f"{self.bare},{first.decode()},{end}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), spoken, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), spoken, "sha256")
        self.step = lambda challenge: self._scram_end(challenge, server)
        return f"{end},p={base64.b64encode(proof).decode()}".encode()

    @staticmethod
    def _scram_end(challenge, server):
        assert challenge == b"v=" + base64.b64encode(server), "the server has not proved itself"
        return b""

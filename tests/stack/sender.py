"""The stranger's own DKIM: a key, its DNS record, and signatures by Debian's python3-dkim."""
import base64
import subprocess

import dkim


class Signer:
    def __init__(self, domain, selector):
        self.domain, self.selector = domain, selector
        self._pem = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], check=True,
                                   capture_output=True).stdout
        der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], check=True,
                             input=self._pem, capture_output=True).stdout
        self._public = base64.b64encode(der).decode()

    def record(self):
        """(name, value) of the TXT record."""
        return f"{self.selector}._domainkey.{self.domain}.", f"v=DKIM1; k=rsa; p={self._public}"

    def sign(self, message):
        message = message.encode() if isinstance(message, str) else message
        header = dkim.sign(message, self.selector.encode(), self.domain.encode(), self._pem,
                           include_headers=[b"from", b"to", b"subject", b"date", b"message-id"])
        return header + message


def verify(message, records, index=0):
    """Does signature number index of a message verify, with TXT records given as a dict name ->
    value (names with a final dot)?"""
    def lookup(name, timeout=5):
        del timeout
        name = name.decode() if isinstance(name, bytes) else name
        value = records.get(name if name.endswith(".") else name + ".")
        return value.encode() if value is not None else None
    return dkim.DKIM(message).verify(idx=index, dnsfunc=lookup)

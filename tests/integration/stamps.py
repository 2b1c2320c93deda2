"""Stamps made by the text of their format, without our C: what tests of role inner send."""
import base64
import hashlib
import hmac
import os
import re
import time


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    def __init__(self, raw=None, not_before=None, not_after=None):
        now = int(time.time())
        self.raw = raw or os.urandom(32)
        self.not_before = now - 86400 if not_before is None else not_before
        self.not_after = now + 86400 if not_after is None else not_after
        self.id = hashlib.sha256(b"postward key id" + self.raw).hexdigest()[:8]
        first = hmac.new(b"\0" * 32, self.raw, "sha256").digest()  # HKDF, RFC 5869
        self.mac = hmac.new(first, b"stamp mac v1\1", "sha256").digest()
        self.addr = hmac.new(first, b"stamp addr v1\1", "sha256").digest()

    def line(self):
        def date(at):
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        return (f"{self.id} {date(self.not_before)} {date(self.not_after)} "
                f"{base64.b64encode(self.raw).decode()}\n")


def write_keys(path, keys, uid):
    path.write_text("".join(key.line() for key in keys))
    os.chown(path, uid, uid)
    path.chmod(0o600)


def digest(message):
    """(count of fields, digest) of a whole message with CRLF line ends."""
    header, _, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", header)
    text = b""
    for field in fields:
        name, _, value = field.partition(b":")
        value = re.sub(rb"\r\n(?=[ \t])", b"", value)
        value = re.sub(rb"[ \t]+", b" ", value).strip(b" \t")
        text += name.strip().lower() + b":" + value + b"\r\n"
    while body.endswith(b"\r\n"):
        body = body[:-2]
    return len(fields), hashlib.sha256(text + b"\r\n" + body + b"\r\n").digest()


def xtext(value):
    return "".join(c if "!" <= c <= "~" and c not in "+=;" else f"+{ord(c):02X}" for c in value)


def stamp(key, message, sender, recipients, at=None, nonce=None, client="198.51.100.7", **changes):
    """The field's value. changes: tags with another value than what is right."""
    nonce = nonce or os.urandom(12)

    def hashed(address):
        address = address.encode()
        local, at_sign, domain = address.rpartition(b"@")
        address = local + at_sign + domain.lower()
        return b64(hmac.new(key.addr, nonce + b"\0" + address, "sha256").digest()[:8])
    count, body_digest = digest(message)
    tags = {"v": "1", "k": key.id, "t": int(time.time()) if at is None else at, "n": b64(nonce),
            "e": "mx.example.test", "q": "4fQ2xT1z9Yz", "a": client, "p": "40000",
            "nm": "mail.sender.test", "pt": "mail.sender.test", "h": xtext("mail.sender.test"),
            "pr": "ESMTP", "tl": "-", "cf": "-", "lg": "-", "da": "198.51.100.25", "dp": "25",
            "f": hashed(sender), "rc": ",".join(hashed(r) for r in recipients), "hn": count,
            "dg": b64(body_digest), **changes}
    text = ";".join(f"{name}={value}" for name, value in tags.items() if name != "m") + ";m="
    mac = changes.get("m") or b64(hmac.new(
        key.mac, b"postward-origin-v1\0" + text.encode(), "sha256").digest())
    return fold(text + mac)


def fold(text):
    lines, line = [], " "
    for tag in re.findall(r"[^;]*;|[^;]+$", text):
        if len(line) + len(tag) > 70:
            lines.append(line)
            line = "\t"
        line += tag if line in (" ", "\t") else " " + tag
    return "\r\n".join(lines + [line])


def stamped(value, message):
    """The message as the edge's queue sends it: the stamp above all, then what Postfix adds."""
    return (f"Postward-Origin:{value}\r\n"
            "Received: from mail.sender.test (mail.sender.test [198.51.100.7])\r\n"
            "\tby mx.example.test (Postfix) with ESMTP id 4fQ2xT1z9Yz\r\n"
            "\tfor <ann@example.test>; Mon, 30 Nov 2026 10:00:00 +0000 (UTC)\r\n"
            ).encode() + message

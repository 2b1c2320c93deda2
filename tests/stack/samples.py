"""One spam and one honest message for the story: picked by hash from the corpus of PW_TEST_DATA,
or the ones in tests/vectors/story where there is none."""
import hashlib
import os
import re
import tarfile
from pathlib import Path

from .postward import SOURCE


def pick(kind):
    """(name, bytes with CRLF) of the corpus message whose SHA-256 is the smallest."""
    archive = Path(os.environ.get("PW_TEST_DATA") or "/nonexistent") / f"corpus/{kind}.tar.xz"
    if not archive.exists():
        path = SOURCE / f"tests/vectors/story/{kind}.eml"
        return path.name, to_crlf(path.read_bytes())
    with tarfile.open(archive) as tar:
        found = ((hashlib.sha256(data).digest(), member.name, data)
                 for member in tar if member.isfile()
                 for data in [tar.extractfile(member).read()])
        _, name, data = min(found)
    return name, to_crlf(data)


def to_crlf(data):
    """Without the mbox line, with CRLF line ends."""
    data = re.sub(rb"\AFrom [^\n]*\n", b"", data)
    return re.sub(rb"\r?\n", b"\r\n", data)


def with_message_id(data, message_id):
    """The message under a Message-ID of our own, so that it can be found again."""
    line = b"X-Story-Id: <" + message_id.encode() + b">\r\n"
    return line + data

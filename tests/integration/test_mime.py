"""The tree of a message's parts, as postwardctl scan --tree prints it: against the standard library's
parser, which was written by others. Where the two disagree the difference must be of a class below."""
import base64
import email
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PW_BUILD", ROOT / "build"))
VECTORS = pathlib.Path(os.environ.get("PW_TEST_DATA", "/nonexistent")) / "mime"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="no vectors: set PW_TEST_DATA")


def scan(paths, *args):
    ask = "".join(json.dumps({"file": str(path)}) + "\n" for path in paths)
    done = subprocess.run([BUILD / "bin/postwardctl", "scan", "--batch", "--tree", "--no-database", *args],
                          input=ask, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def tree(tmp_path, text):
    path = tmp_path / "message.eml"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    return scan([path])[0]["tree"]


def as_read(data):
    """What scan makes of a file: no mbox line, CRLF everywhere."""
    if data.startswith((b"From ", b">From ")):
        data = data.partition(b"\n")[2]
    lines = data.split(b"\n")
    return b"\n".join([line if line.endswith(b"\r") else line + b"\r" for line in lines[:-1]] + lines[-1:])


def flaws(message):
    return {type(defect).__name__ for defect in message.defects}


def children(message):
    return message.get_payload() if message.is_multipart() else []


def has_flaw(name):
    return lambda ours, theirs: name in flaws(theirs)


def is_type(*types):
    return lambda ours, theirs: theirs.get_content_type() in types


def shares_boundary(ours, theirs):
    return any("StartBoundaryNotFoundDefect" in flaws(part) and part.get_param("boundary") ==
               theirs.get_param("boundary") for part in children(theirs))


def name_of(theirs):
    return theirs.get_filename() or ""


def size_of(theirs):
    return len(theirs.get_payload(decode=True) or b"")


# What differs, why, and when that is what it is. Nothing else may differ.
TREE = {
    "a report's status is one part: its blocks are no messages (RFC 3464 2.1)":
        is_type("message/delivery-status"),
    "a fragment is one part: what it is of is elsewhere (RFC 2046 5.2.2)":
        is_type("message/partial"),
    "a message in base64 is decoded before it is walked (against RFC 2046 5.2.1, as mail programs do)":
        lambda ours, theirs: "encoded-tree" in ours["flags"],
    "folds are undone before a value is read (RFC 5322 2.2.3)":
        lambda ours, theirs: "\n" in str(theirs["Content-Type"]) and
        ("\n" in theirs.get_content_type() or "\n" in str(theirs.get_param("boundary"))),
    "a header goes on behind a field whose name is none, as a mail server hands it on":
        has_flaw("MissingHeaderBodySeparatorDefect"),
    "a message that begins with blanks has no header":
        has_flaw("FirstHeaderLineIsContinuationDefect"),
    "a boundary that two levels share is the inner one's":
        shares_boundary,
}
NAME = {
    "encoded words in names are decoded, as mail programs do":
        lambda ours, theirs: "=?" in name_of(theirs),
    "raw 8-bit names are kept":
        lambda ours, theirs: not name_of(theirs).isascii(),
    "a backslash quotes the next character (RFC 5322 3.2.4)":
        lambda ours, theirs: name_of(theirs).replace("\\", "") == ours["name"],
}
SIZE = {
    "a multipart without parts is read as text; its size is that of its body":
        lambda ours, theirs: "no-parts" in ours["flags"],
    "broken base64 is decoded as far as it goes":
        lambda ours, theirs: "broken-base64" in ours["flags"],
    "the last line end of a part that no boundary ends is its own (RFC 2046 5.1.1)":
        lambda ours, theirs: ours["decoded_size"] - size_of(theirs) == 2,
    "a field's name that is none ends no header":
        has_flaw("MissingHeaderBodySeparatorDefect"),
}


def class_of(classes, ours, theirs):
    return next((name for name, fits in classes.items() if fits(ours, theirs)), None)


def differences(ours, theirs):
    """(class or None, what) of each difference; a part of another shape is one."""
    parts = children(theirs)
    if "encoded-tree" in ours["flags"] or ours["type"] != theirs.get_content_type() or len(ours.get("parts", [])) != len(parts):
        yield class_of(TREE, ours, theirs), (ours["type"], theirs.get_content_type(), len(parts))
        return
    if ours["name"] != name_of(theirs):
        yield class_of(NAME, ours, theirs), (ours["name"], name_of(theirs))
    if not parts and ours.get("decoded_size") != size_of(theirs):
        yield class_of(SIZE, ours, theirs), (ours["type"], ours.get("decoded_size"), size_of(theirs))
    for one, other in zip(ours.get("parts", []), parts):
        yield from differences(one, other)


def vectors():
    return [path for path in sorted(VECTORS.rglob("*")) if path.is_file() and path.suffix != ".json" and
            "LICENSE" not in path.name and "COPYING" not in path.name]


@needs_vectors
def test_trees_agree_or_differ_for_a_reason():
    paths = vectors()
    found, wrong = {}, []
    for path, answer in zip(paths, scan(paths), strict=True):
        assert "error" not in answer, answer
        message = email.message_from_bytes(as_read(path.read_bytes()))
        for reason, what in differences(answer["tree"], message):
            found.setdefault(reason, set()).add(path)
            if reason is None:
                wrong.append((str(path.relative_to(VECTORS)), what))
    assert not wrong
    assert len(paths) > 300
    assert len(set().union(*found.values())) < len(paths) * 0.16
    unused = set(TREE) | set(NAME) | set(SIZE)
    assert not unused - set(found), "classes that nothing needs any more"


def test_tree_names_what_is_there(tmp_path):
    got = tree(tmp_path, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\n"
               "Content-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable\n\n"
               "<p>gr=C3=BC=C3=9Fe</p>\n--a\nContent-Type: image/gif; name=x.gif\n"
               "Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nTVqQAAMAAAAEAAAA\n")
    assert (got["type"], got["flags"]) == ("multipart/mixed", ["no-end"])
    html, picture = got["parts"]
    assert html == {"type": "text/html", "encoding": "quoted-printable", "charset": "UTF-8", "disposition": "",
                    "name": "", "size": 22, "decoded_size": 14, "magic": "", "flags": []}
    assert (picture["name"], picture["disposition"], picture["magic"]) == ("x.gif", "attachment", "pe")


def test_encoded_message_is_read(tmp_path):
    inner = ("Content-Type: multipart/mixed; boundary=i\n\n--i\nContent-Type: text/html\n\n<form>x</form>\n--i\n"
             "Content-Type: application/zip; name=a.zip\n\nPK\n--i--\n").replace("\n", "\r\n")
    text = base64.encodebytes(inner.encode()).decode()
    got = tree(tmp_path, f"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n"
               f"Content-Transfer-Encoding: base64\n\n{text}\n--b\nContent-Type: text/plain\n\nx\n--b--\n")
    assert [part["type"] for part in got["parts"]] == ["message/rfc822", "text/plain"]
    assert got["parts"][0]["flags"] == ["encoded-tree"]
    (message,) = got["parts"][0]["parts"]
    assert [(p["type"], p["name"]) for p in message["parts"]] == [("text/html", ""), ("application/zip", "a.zip")]


def test_tree_for_people(tmp_path):
    path = tmp_path / "message.eml"
    path.write_bytes(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: text/x\r\n"
                     b"Content-Disposition: inline; filename*=utf-8''a%0A%1B[1mb\r\n\r\nx\r\n--a--\r\n")
    done = subprocess.run([BUILD / "bin/postwardctl", "scan", "--no-database", "--tree", path],
                          capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-2].startswith("  multipart/mixed, 7bit, ")
    assert lines[-1] == "    text/x, 7bit, inline, name a??[1mb, 1 bytes"


def test_names_of_an_archive_stand_in_the_tree():
    folder = ROOT / "tests/vectors/score"
    got = scan([folder / "ARCHIVE_BAD_EXT.fires.eml"])[0]["tree"]["parts"][1]
    assert got["archive"] == {"flags": [], "names": ["minutes.txt", "minutes.scr"]}


def nested(levels):
    head = "".join(f"Content-Type: multipart/mixed; boundary=b{i}x\n\n--b{i}x\n" for i in range(levels))
    return head + "Content-Type: text/plain\n\nhello\n"


HOSTILE = {
    "nothing at all": "",
    "no body": "Subject: x\nContent-Type: text/plain\n",
    "header alone, no end of line": "Subject: x",
    "body alone": "\nhello\n",
    "NUL everywhere": "Subject: a\0b\n\n\0\0\0\0\n",
    "100,000 fields": "".join(f"X-{i}: y\n" for i in range(100_000)) + "\nbody\n",
    "1,000 levels": nested(1000),
    "100,000 siblings": "Content-Type: multipart/mixed; boundary=a\n\n" + "--a\n\nx\n" * 100_000,
    "messages in base64, 100": "Content-Type: multipart/mixed; boundary=a\n\n" + (
        "--a\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" +
        base64.encodebytes(nested(90).encode()).decode()) * 100,
    "messages in messages": "Content-Type: message/rfc822\n\n" * 1000 + "hello\n",
    "boundary of 100,000 bytes": f"Content-Type: multipart/mixed; boundary={'b' * 100_000}\n\n--{'b' * 100_000}\n\nx\n",
    "empty boundary": 'Content-Type: multipart/mixed; boundary=""\n\n--\n\nx\n----\n',
    "boundary of dashes": "Content-Type: multipart/mixed; boundary=--\n\n----\n\nx\n------\n",
    "boundary is part of another": "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: "
                                   "multipart/mixed; boundary=aa\n\n--aa\n\nx\n--aa--\n--a--\n",
    "100,000 pieces of a name": "Content-Type: text/plain; " + "; ".join(f"name*{i}=x" for i in range(100_000)) + "\n\nx\n",
    "1 MB of equal signs": "Content-Transfer-Encoding: quoted-printable\n\n" + "=" * 1_000_000,
    "1 MB of base64 without a line end": "Content-Transfer-Encoding: base64\n\n" + "A" * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_anything_has_a_tree(text, tmp_path):
    def walk(part, depth=0):
        assert depth <= 202
        return 1 + sum(walk(child, depth + 1) for child in part.get("parts", []))
    got = tree(tmp_path, text)
    assert walk(got) <= 1000

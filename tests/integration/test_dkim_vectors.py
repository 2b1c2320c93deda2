"""Signed messages of other projects, and hostile ones, through `postwardctl verify --batch`."""
import base64
import hashlib
import json
import os
import pathlib
import subprocess

import dkim
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PW_BUILD", ROOT / "build"))
VECTORS = ROOT / "tests/vectors/dkim"
CASES_WANTED = 40

HEADER = b"From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: Hi\r\nDate: today\r\n"
MESSAGE = HEADER + b"\r\nHello\r\n"


def verify(zone, requests, tmp_path):
    """Answers of one process to requests, in order."""
    zone_file = tmp_path / "zone.json"
    zone_file.write_text(json.dumps(zone))
    done = subprocess.run(
        [BUILD / "bin/postwardctl", "verify", "--batch", "--zone", zone_file],
        input="".join(json.dumps(r) + "\n" for r in requests), capture_output=True,
        text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_vectors(tmp_path):
    zone = json.loads((VECTORS / "zone.json").read_text())
    rows = [line.split("\t") for line in (VECTORS / "index.tsv").read_text().splitlines()
            if not line.startswith("#")]
    requests = [{"file": str(VECTORS / name)} | ({} if now == "-" else {"now": int(now)})
                for name, _, now, _ in rows]
    answers = verify(zone, requests, tmp_path)
    wrong = [(name, wanted, answer["dkim"])
             for (name, wanted, _, _), answer in zip(rows, answers)
             if answer["dkim_result"] != wanted]
    assert wrong == []
    assert len(answers) == CASES_WANTED


DATA = pathlib.Path(os.environ.get("PW_TEST_DATA") or "/nonexistent") / "dkim"


# Where the collection itself does not follow the RFCs to the end.
DEVIATIONS = {
    # RFC 8301 3.1: "rsa-sha1 MUST NOT be used for signing or verifying"; the collection says so of
    # other messages, and passes over this one because a fourth field names no algorithm
    "mail-dkim/multiple_2.txt": "policy",
    # RFC 8601 2.7.1, none: "The message was not signed"
    "opendkim/t-test116.eml": "none",
    "opendkim/t-test58.eml": "none",
}


def zone_of_vector(row):
    """A name whose answer its origin does not tell is not there."""
    return {name: {"rcode": key["rcode"]} if "rcode" in key else {"TXT": [key["txt"]]}
            for name, key in row["keys"].items() if key.get("rcode") != "UNKNOWN"}


@pytest.mark.skipif(not (DATA / "index.jsonl").exists(), reason="no vectors: set PW_TEST_DATA")
def test_all_vectors(tmp_path):
    """Every message of the collection; what RFC 8301 says of SHA-1 and of short keys comes on top."""
    wrong, rows = [], [json.loads(line) for line in (DATA / "index.jsonl").read_text().splitlines()]
    for number, row in enumerate(rows):
        path = tmp_path / f"{number}.eml"
        data = (DATA / row["file"]).read_bytes()
        path.write_bytes(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if row.get("eol") == "lf" else data)
        request = {"file": str(path)} | ({"now": row["now"]} if row.get("now") else {})
        answer, = verify(zone_of_vector(row), [request], tmp_path)
        wanted, got = row.get("rfc6376") or row["expected"], answer["dkim_result"]
        if {"rsa-sha1-only", "rsa-under-1024"} & set(row.get("flags") or []) and wanted == "pass":
            wanted = "policy"
        wanted = DEVIATIONS.get(row["file"], wanted)
        if got != wanted or got in (row.get("not") or []):
            wrong.append((row["file"], wanted, got, answer["dkim"]))
    assert len(rows) > 60
    assert wrong == []


@pytest.fixture(scope="module")
def key():
    """A private key for dkimpy, and the zone that publishes it as s._domainkey.example.org."""
    pem = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem,
                         capture_output=True, check=True).stdout
    return pem, "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()


def zone_of(record):
    return {"s._domainkey.example.org": {"TXT": [record]}}


def sign(message, key, **options):
    signer = dkim.DKIM(message)
    return signer.sign(b"s", b"example.org", key[0], canonicalize=(b"relaxed", b"simple"),
                       **options)


def results(zone, message, tmp_path, **request):
    path = tmp_path / "message.eml"
    path.write_bytes(message)
    answer, = verify(zone, [{"file": str(path)} | request], tmp_path)
    return [one["result"] for one in answer["dkim"]], answer


def edit(signature, old, new):
    assert old in signature
    return signature.replace(old, new, 1)


# What is done to a right signature, and what has to come out.
TAGS = {
    "untouched": (lambda s: s, "pass"),
    "v=2": (lambda s: edit(s, b"v=1", b"v=2"), "permerror"),
    "v= missing": (lambda s: edit(s, b"v=1; ", b""), "permerror"),
    "v= twice": (lambda s: edit(s, b"v=1;", b"v=1; v=1;"), "permerror"),
    "unknown algorithm": (lambda s: edit(s, b"rsa-sha256", b"rsa-sha999"), "permerror"),
    "unknown canonicalisation": (lambda s: edit(s, b"relaxed/", b"nowsp/"), "permerror"),
    "d= of another": (lambda s: edit(s, b"d=example.org", b"d=example.net"), "permerror"),
    "d= with an apostrophe": (lambda s: edit(s, b"d=example.org", b"d='; --"), "permerror"),
    "s= overlong": (lambda s: edit(s, b"s=s;", b"s=" + b"a" * 300 + b";"), "permerror"),
    "h= without From": (lambda s: edit(s, b"from : ", b"").replace(b" : from", b""),
                        "permerror"),
    "i= of another": (lambda s: edit(s, b"i=@example.org", b"i=@example.net"), "permerror"),
    "q= without dns/txt": (lambda s: edit(s, b"q=dns/txt", b"q=http"), "permerror"),
    "t= of 30 digits": (lambda s: edit(s, b" t=", b" t=" + b"9" * 30), "permerror"),
    "l= negative": (lambda s: edit(s, b"v=1;", b"v=1; l=-1;"), "permerror"),
    "l= of 20 digits": (lambda s: edit(s, b"v=1;", b"v=1; l=" + b"9" * 20 + b";"), "permerror"),
    "l= beyond the body": (lambda s: edit(s, b"v=1;", b"v=1; l=5000;"), "permerror"),
    "b= garbage": (lambda s: edit(s, b"bh=", b"bh=!"), "permerror"),
    "10,000 tags": (lambda s: edit(s, b"v=1;", b"v=1;" + b"".join(
        b" a%d=x;" % i for i in range(10000))), "permerror"),
    "64 KB of nothing": (lambda s: edit(s, b"v=1;", b"v=1; n=" + b"x" * 65536 + b";"),
                         ("fail", "permerror")),
    "an empty tag at the end twice": (lambda s: s.rstrip(b"\r\n") + b";;\r\n", "permerror"),
    "an unknown tag that was not signed": (lambda s: edit(s, b"v=1;", b"v=1; n=x;"), "fail"),
}


@pytest.mark.parametrize("label", TAGS)
def test_signature_tags(label, key, tmp_path):
    """Bad inputs 11, 13, 14 and 15: tags that are wrong, missing, twice, endless or garbage."""
    change, wanted = TAGS[label]
    signature = sign(MESSAGE, key, identity=b"@example.org")
    got, answer = results(zone_of(key[1]), change(signature) + MESSAGE, tmp_path)
    assert got == [wanted] or got[0] in wanted, answer


def test_key_above_4096_bits(tmp_path):
    """Bad input 16: RFC 8301 3.2: verifiers may take more than 4096 bits; up to 8192 are taken."""
    pem, public = rsa(4352)
    record = "p=" + public
    signature = sign(MESSAGE, (pem, record))
    of_below = sign(MESSAGE, (pem, record), identity=b"@sub.example.org")
    below = b"DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
    for message, text, wanted in (
            (signature + MESSAGE, record, ["pass"]),
            (below + signature + MESSAGE, record, ["permerror", "pass"]),
            (signature + MESSAGE + b"more\r\n", record, ["fail"]),
            (signature + MESSAGE.replace(b"Hi", b"Ha"), record, ["fail"]),
            (of_below + MESSAGE, record, ["pass"]),
            (of_below + MESSAGE, "t=s; " + record, ["permerror"])):
        got, answer = results(zone_of(text), message, tmp_path)
        assert got == wanted, answer
        assert answer["dkim"][-1]["key_bits"] == 4352


def rsa(bits):
    """p= of a fresh key, and the key."""
    pem = subprocess.run(["openssl", "genrsa", str(bits)], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem, capture_output=True, check=True).stdout
    return pem, base64.b64encode(der).decode()


# What DNS says of the key, from its right record.
RECORDS = {
    "as it is": (lambda r: r, "pass"),
    "revoked": (lambda r: "v=DKIM1; p=", "permerror"),
    "no p=": (lambda r: "v=DKIM1; k=rsa", "permerror"),
    "p= garbage": (lambda r: r.split("p=")[0] + "p=!!!!", "permerror"),
    "60,000 times =": (lambda r: "v=DKIM1; p=" + "=" * 60000, "permerror"),
    "k= unknown": (lambda r: r.replace("k=rsa", "k=dsa"), "permerror"),
    "h= of another hash": (lambda r: r.replace("k=rsa", "k=rsa; h=sha1"), "permerror"),
    "s= of another service": (lambda r: r.replace("k=rsa", "k=rsa; s=web"), "permerror"),
    "testing": (lambda r: r.replace("k=rsa", "k=rsa; t=y"), "pass"),
    "an Ed25519 key of 31 bytes": (lambda r: "v=DKIM1; k=ed25519; p=" + base64.b64encode(b"x" * 31).decode(), "permerror"),
    "an Ed25519 key of 33 bytes": (lambda r: "v=DKIM1; k=ed25519; p=" + base64.b64encode(b"x" * 33).decode(), "permerror"),
    "another RSA key, of 512 bits": (lambda r: "v=DKIM1; p=" + rsa(512)[1], "fail"),
    "v= of SPF": (lambda r: "v=spf1 -all", "permerror"),
    "16 KB of notes": (lambda r: r.replace("k=rsa", "k=rsa; n=" + "x" * 16000), "permerror"),
}


@pytest.mark.parametrize("label", RECORDS)
def test_key_records(label, key, tmp_path):
    """Bad inputs 15, 16 and 17: keys that are revoked, weak, broken, of another kind, endless."""
    change, wanted = RECORDS[label]
    got, answer = results(zone_of(change(key[1])), sign(MESSAGE, key) + MESSAGE, tmp_path)
    assert got == [wanted], answer


def test_several_records_at_one_name(key, tmp_path):
    """Bad input 17: what else lies at the selector is passed over, or the key is not usable; never another
    key's pass."""
    name = "s._domainkey.example.org"
    for records, wanted in (([key[1], "v=spf1 -all"], ("pass", "permerror")), (["v=spf1 -all", key[1]], ("pass", "permerror")),
                            (["x" * 200] * 100, ("permerror",))):
        got, answer = results({name: {"TXT": records}}, sign(MESSAGE, key) + MESSAGE, tmp_path)
        assert got[0] in wanted and len(got) == 1, answer


def versionless(made, key, tmp_path):
    """A field that is right but for v=, of a message of one line."""
    body_hash = base64.b64encode(hashlib.sha256(b"Hello\r\n").digest())
    value = b"a=rsa-sha256; d=example.org; s=s; h=from; c=relaxed/relaxed; t=%d; bh=%s; b=" % (made, body_hash)
    (tmp_path / "key.pem").write_bytes(key[0])
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", tmp_path / "key.pem"], check=True, capture_output=True,
                          input=b"from:Ann <ann@example.org>\r\ndkim-signature:" + value)
    return b"DKIM-Signature: " + value + base64.b64encode(done.stdout) + b"\r\n"


def test_without_version(key, tmp_path):
    """RFC 6376 6.1.1: ignored, with PERMFAIL. Of mail older than the tag, what does not fit is told as that."""
    old, new = (versionless(made, key, tmp_path) for made in (1146680862, 1200000000))
    zone = zone_of(key[1])
    for message, wanted in (
            (old + MESSAGE, ("permerror", "v= missing")),
            (old + MESSAGE + b"more\r\n", ("fail", "body hash mismatch")),
            (old + MESSAGE.replace(b"Ann", b"Eve"), ("fail", "signature mismatch")),
            (new + MESSAGE, ("permerror", "v= missing")),
            (new + MESSAGE.replace(b"Ann", b"Eve"), ("permerror", "v= missing"))):
        _, answer = results(zone, message, tmp_path)
        assert (answer["dkim"][0]["result"], answer["dkim"][0]["reason"]) == wanted
    for zone in ({}, {"s._domainkey.example.org": {"rcode": "TIMEOUT"}}):
        assert results(zone, old + MESSAGE, tmp_path)[0] == ["permerror"]


def test_times(key, tmp_path):
    """Bad input 14: x= past, t= of the future; --now is believed, whatever the clock says."""
    signature = sign(MESSAGE, key)
    made = int(signature.split(b" t=")[1].split(b";")[0])
    for now, wanted in ((made, "pass"), (made - 200, "pass"), (made - 400, "permerror"),
                        (made + 10**8, "pass")):
        got, answer = results(zone_of(key[1]), signature + MESSAGE, tmp_path, now=now)
        assert got == [wanted], answer


def test_length(key, tmp_path):
    """Bad input 13: l= is honoured and shown; what it leaves out may change."""
    signature = sign(MESSAGE, key, length=True)
    got, answer = results(zone_of(key[1]), signature + MESSAGE + b"<p>more</p>\r\n", tmp_path)
    assert got == ["pass"] and answer["dkim"][0]["length_used"]


def test_oversigned_from(key, tmp_path):
    """Bad input 19: a From that comes later fails, above and below."""
    signature = sign(MESSAGE, key, include_headers=[b"from", b"from", b"subject"])
    assert results(zone_of(key[1]), signature + MESSAGE, tmp_path)[0] == ["pass"]
    for top in (True, False):
        extra = b"From: eve@evil.example\r\n"
        changed = extra + signature + MESSAGE if top else signature + HEADER + extra + b"\r\nHello\r\n"
        assert results(zone_of(key[1]), changed, tmp_path)[0] == ["fail"]


def test_every_field_used_up(key, tmp_path):
    """h= takes every field of the message and asks for more: libopendkim's array of them
    must not overflow (also run under AddressSanitizer)."""
    message = b"From: a@example.org\r\n\r\nHello\r\n"
    signature = sign(message, key)
    names = b"h=dkim-signature : " + b"".join(b"x%d : " % i for i in range(50))
    got, _ = results(zone_of(key[1]), edit(signature, b"h=", names) + message, tmp_path)
    assert got == ["fail"]


@pytest.mark.parametrize("count", [9, 100, 10000])
def test_many_signatures(count, key, tmp_path):
    """Bad input 12: Eight are verified, those of the author's domain first; sixty-four are reported."""
    others = b"".join(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=x%d.example; s=s;\r\n"
                      b" h=from; bh=AAAA; b=AAAA\r\n" % i for i in range(min(count, 63)))
    rest = b"DKIM-Signature: v=1; a=rsa-sha256; d=y.example; s=s; h=from; bh=A; b=A\r\n"
    signature = sign(MESSAGE, key)
    message = others + signature + rest * (count - min(count, 63)) + MESSAGE
    got, answer = results(zone_of(key[1]), message, tmp_path)
    assert len(got) == min(count + 1, 64)
    if count + 9 < 1000:
        assert answer["dkim_result"] == "pass"
        assert got.count("neutral") == len(got) - 8


def test_too_many_fields(key, tmp_path):
    signature = sign(MESSAGE, key)
    got, answer = results(zone_of(key[1]), b"X: y\r\n" * 100000 + signature + MESSAGE, tmp_path)
    assert got == ["permerror"] and answer["dkim"][0]["reason"] == "too many header fields"


FROMS = {
    "none": b"To: a@b\r\n",
    "empty": b"From:\r\n",
    "no address": b"From: Ann\r\n",
}


@pytest.mark.parametrize("label", FROMS)
def test_unusable_from(label, key, tmp_path):
    """Bad input 18."""
    signature = sign(MESSAGE, key)
    got, _ = results(zone_of(key[1]), signature + FROMS[label] + b"\r\nHello\r\n", tmp_path)
    assert got == ["permerror"]


# Bytes that need an answer, whatever it is.
ODD = {
    "nothing": b"",
    "only a line end": b"\r\n",
    "NUL in the header": b"From: a\0b@example.org\r\n" + MESSAGE,
    "NUL in a name": b"Fr\0om: x@y\r\n" + MESSAGE,
    "no field at all": b"hello",
    "bare CR": b"From: a@example.org\rX: y\r\n\r\na\rb\r",
    "bare LF": b"From: a@example.org\r\n\r\na\nb\n.\n",
    "a field of 1 MB": b"Subject: " + b"x" * 1000000 + b"\r\n" + MESSAGE,
    "a body of line ends": HEADER + b"\r\n" * 100000,
}


@pytest.mark.parametrize("label", ODD)
def test_any_bytes_get_an_answer(label, key, tmp_path):
    """Bad inputs 8, 10 and 15."""
    signature = sign(MESSAGE, key)
    for message in (ODD[label], signature + ODD[label], ODD[label] + signature):
        _, answer = results(zone_of(key[1]), message, tmp_path)
        assert answer["dkim_result"] in ("none", "pass", "fail", "permerror")
        assert answer["dkim_result"] != "pass" or label in ("nothing", "a field of 1 MB")

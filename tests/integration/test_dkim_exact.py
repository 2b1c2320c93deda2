"""What is signed is what Postfix sends: behind two stock Postfixes every message carries signatures that two
independent verifiers accept, or none."""
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from dkim_bed import HOST
from dkim_exact_bed import OURS, ExactBed, corpus
from stack.clients import SmtpClient
from stack.samples import to_crlf

FINE = (["pass", "pass"], ["pass", "invalid"])  # this Mail::DKIM knows no Ed25519
FINE_NEWER = (["pass", "pass"], ["pass", "pass"])
CHECKS = r"""/^Subject:(.*)secret(.*)$/ REPLACE Subject:${1}hidden${2}
/^X-Prepend:/ PREPEND X-Prepended: here
/^X-Drop:/ IGNORE
"""
MENDED = {b"from", b"to", b"cc", b"reply-to", b"sender"}  # cleanup(8) mends addresses of local mail
ADDED = {b"date", b"message-id", b"to"}  # cleanup(8) adds them to local mail
LONG = " " + "word " * 300 + "end"  # 1,500 bytes in one line
HEAD = "From: Ann <ann@example.test>\r\nTo: dave@elsewhere.test\r\nSubject: Hi\r\nDate: Tue, 1 Dec 2026 01:02:03 +0000\r\n"
U = "Gr\u00fc\u00dfe"
# name: (header, body, wanted); wanted: "signed", or the cause of none
CASES = {
    "plain": (HEAD, "Hello\r\n", "signed"),
    "nothingbutfrom": ("From: ann@example.test\r\n", "Hello\r\n", "signed"),
    "incompleteaddresses": ("From: ann@example.test\r\nTo: dave\r\nCc: eve, frank@host\r\n", "x\r\n", "signed"),
    "replacedbycheck": (HEAD.replace("Hi", "a secret thing"), "x\r\n", "signed"),
    "prependedanddropped": (HEAD + "X-Prepend: 1\r\nX-Drop: 1\r\n", "x\r\n", "signed"),
    "longsignedfield": (HEAD.replace(" Hi", LONG), "x\r\n", "line_too_long"),
    "longunsignedfield": (HEAD + f"X-Long:{LONG}\r\n", "x\r\n", "signed"),
    "foldedlongfield": (HEAD.replace(" Hi", LONG[:900] + "\r\n" + LONG[900:]), "x\r\n", "signed"),
    "longbodyline": (HEAD, "x" * 999 + "\r\n", "line_too_long"),
    "longestbodyline": (HEAD, "x" * 998 + "\r\n", "signed"),
    "eightbitfields": (HEAD.replace("Hi", U).replace("Ann", U), U + "\r\n", "signed"),
    "noutf8": (HEAD.encode().replace(b"Hi", b"\xff\xfe"), b"\x80\xff\r\n", "signed"),
    "blanks": (HEAD + "Cc:  a@b.test ,\r\n\t c@d.test  \r\nReply-To:\r\n", " a \t b \r\n\r\n\r\n", "signed"),
    "empty": (HEAD, "", "signed"),
    "dots": (HEAD, ".\r\n..\r\n.x\r\n", "signed"),
    "barecr": (HEAD, "a\rb\r\n", "signed"),  # smtpd makes a blank of it before milters see it
    "formfeedinfield": (HEAD.replace("Hi", "a\fb"), "x\r\n", "stray_bytes"),
    "manyfields": (HEAD + "X-Other: a\r\n" * 2000, "x\r\n", "signed"),
    "trace": (HEAD + "Resent-To: a@b.test\r\nList-Id: <l.test>\r\nAutocrypt: addr=a@b.test\r\n", "x\r\n", "signed"),
    "mime": (HEAD + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\"b\"\r\n",
             "--b\r\n\r\n" + U + "\r\n--b--\r\n", "signed"),
}
OTHERS = ["nofinalcrlf", "smtputf8", "utf8domain"]


@pytest.fixture(scope="module")
def bed():
    with ExactBed("always_add_missing_headers = yes", CHECKS) as running:
        send_cases(running)
        running.judged = running.judge(running.wait_for([*CASES, *OTHERS]))
        yield running
        assert not running.program.lines("event=guard")


def send_cases(bed):
    with SmtpClient(bed.ns, HOST, 587, source=HOST, login=("ann@example.test", "any")) as client:
        for name, (header, body, _) in CASES.items():
            header, body = (t if isinstance(t, bytes) else t.encode() for t in (header, body))
            text = b"X-Exact-Id: " + name.encode() + b"\r\n" + header + b"\r\n" + body
            assert client.send("ann@example.test", ["dave@elsewhere.test"], text)["data"].code == 250, name
        client.command("MAIL FROM:<ann@example.test> SMTPUTF8 BODY=8BITMIME")
        client.command("RCPT TO:<dave@elsewhere.test>")
        utf8 = HEAD.replace("dave@", f"{U}@") + f"X-Exact-Id: smtputf8\r\nReply-To: {U}@example.test\r\n\r\n{U}\r\n"
        assert client.data(utf8.encode()).code == 250
        client.command("MAIL FROM:<ann@example.test> SMTPUTF8 BODY=8BITMIME")
        client.command("RCPT TO:<dave@elsewhere.test>")
        utf8 = HEAD.replace("ann@example.test", f"{U}@b\u00fccher.test") + f"X-Exact-Id: utf8domain\r\n\r\n{U}\r\n"
        assert client.data(utf8.encode()).code == 250
    bed.drop((HEAD + "X-Exact-Id: nofinalcrlf\r\n\r\nHello").encode())


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case[2] == "signed"] + OTHERS)
def test_signatures_hold(bed, name):
    assert bed.judged[name] in (FINE, FINE_NEWER)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case[2] != "signed"])
def test_what_would_not_hold_is_left_unsigned(bed, name):
    assert bed.judged[name] == ([], [])
    assert bed.cause(name) == CASES[name][2]


def test_domains_of_other_letters_are_as_dns_has_them(bed):
    """RFC 8616: verifiers that know nothing of it find the key too."""
    assert b"d=xn--bcher-kva.test;" in bed.arrived()["utf8domain"]


def test_header_checks_come_first(bed):
    assert b"Subject: a hidden thing\r\n" in bed.arrived()["replacedbycheck"]
    assert b"X-Prepended: here\r\nX-Prepend: 1\r\n" in bed.arrived()["prependedanddropped"]
    assert b"X-Drop" not in bed.arrived()["prependedanddropped"]


def test_missing_fields_are_added_first(bed):
    header = bed.arrived()["nothingbutfrom"].partition(b"\r\n\r\n")[0]
    assert b"\r\nDate: " in header and b"\r\nMessage-" in header


@pytest.mark.parametrize("count, signed_min", [(60, 40), pytest.param(1300, 1000, marks=pytest.mark.long)])
def test_real_mail(count, signed_min):
    """Real messages, mended by nobody: signed ones verify everywhere, their bodies and all signed fields
    are as they were, but for addresses that Postfix mends in one of twenty at most."""
    messages = {f"m{i}": to_crlf(data) for i, (_, data) in enumerate(corpus(count))}
    if not messages:
        pytest.skip("no corpora: set PW_TEST_DATA")
    with ExactBed() as bed:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: bed.drop(b"X-Exact-Id: " + name.encode() + b"\r\n" + messages[name]), messages))
        arrived = bed.wait_for(messages, 30 + count)
        judged = bed.judge(messages)
        signed = [name for name, verdicts in judged.items() if verdicts != ([], [])]
        assert [(name, judged[name]) for name in signed if judged[name] not in (FINE, FINE_NEWER)] == []
        assert len(signed) >= signed_min
        causes = {bed.cause(name) for name in messages if name not in signed}
        assert causes <= {"from_syntax", "line_too_long", "stray_bytes"}
        assert [n for n in signed if body_of(arrived[n]) != body_of(messages[n])] == []
        changed = {n: names for n in signed if (names := changed_fields(messages[n], arrived[n]))}
        assert {n: names for n, names in changed.items() if not names <= MENDED} == {}
        assert len(changed) <= len(signed) * 0.05, changed
        assert not bed.program.lines("event=guard")


def changed_fields(sent, arrived):
    """Names of the fields our signatures cover that did not arrive byte for byte; one that was not there may come."""
    before, after = fields_of(sent), fields_of(arrived)
    ours = [s for s in after[b"dkim-signature"] if OURS.search(s)]
    names = {n.strip().lower() for s in ours for n in re.search(rb";\s*h=([^;]*)", s)[1].split(b":")}
    assert b"from" in names
    return {n for n in names if before.get(n, []) != after.get(n, []) and (n in before or n not in ADDED)}


def fields_of(data):
    """{name in small letters: [each field's bytes]}"""
    fields = {}
    for field in re.split(rb"\r\n(?![ \t])", data.partition(b"\r\n\r\n")[0]):
        fields.setdefault(field.partition(b":")[0].strip().lower(), []).append(field)
    return fields


def body_of(data):
    """A file may end without line end; mail may not. Postfix makes a blank of a CR alone."""
    body = re.sub(rb"\r(?!\n)", b" ", data.partition(b"\r\n\r\n")[2])
    return body if body.endswith(b"\r\n") or not body else body + b"\r\n"

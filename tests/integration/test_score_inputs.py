"""Bad inputs 1 to 32 of the list of reliability, by number, through a real Postfix: each gets an answer
in time and a verdict in SQL, the mail arrives, the daemon and its readers live, the log stays clean."""
import base64
import io
import itertools
import re
import time
import zipfile

import pytest
from score_bed import SENDER, ScoreBed
from stack.clients import SmtpClient
from stack.dns import txt
from stack.proc import wait_until

ANSWER_S = 20
DATE = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
numbers = itertools.count(1)

SPF = {  # 22: what a domain may publish
    "loop": "v=spf1 include:loop.test -all", "twice": "v=spf1 all -all all",
    "macro": "v=spf1 exists:%{d2147483648}.%{i}._ip.%{h}._ehlo.%{d} -all",
    "long": "v=spf1 " + "ip4:192.0.2.1 " * 60 + "-all", "junk": "v=spf1 \\\" x=/ -all", "ptr": "v=spf1 ptr -all",
    "upper": "V=SPF1 MX -ALL", "eleven": "v=spf1 " + " ".join(f"a:a{i}.test" for i in range(11)) + " -all",
    "mapped": "v=spf1 ip6:::ffff:198.51.100.7 -all", "name": f"v=spf1 exists:{'%{d}.' * 60}x -all",
}
DMARC = {  # 23
    "missing": "v=DMARC1; rua=mailto:x@missing.test", "zero": "v=DMARC1; p=reject; pct=0",
    "over": "v=DMARC1; p=quarantine; pct=101", "under": "v=DMARC1; p=quarantine; pct=-1",
    "doubled": "v=DMARC1; p=none; p=reject", "huge": "v=DMARC1; p=reject; rua=" + "mailto:a@b.test," * 1000,
    "inject": "v=DMARC1; p=none; rua=mailto:a@b.test%0d%0aBcc:c@d.test",
}
KEYS = {  # 16, 17
    "revoked": "v=DKIM1; p=", "weak": "v=DKIM1; k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK", "kind": "v=DKIM1; k=x; p=AA",
    "junk": "v=spf1 -all", "huge": "v=DKIM1; p=" + "A" * 16000, "short": "v=DKIM1; k=ed25519; p=" + "A" * 40,
}


class InputBed(ScoreBed):
    records = (*ScoreBed.records,
               *[txt(f"spf-{name}.test.", record) for name, record in SPF.items()],
               *[txt(f"_dmarc.dmarc-{name}.test.", record) for name, record in DMARC.items()],
               txt("_dmarc.dmarc-two.test.", "v=DMARC1; p=none"), txt("_dmarc.dmarc-two.test.", "v=DMARC1; p=reject"),
               *[txt(f"{name}._domainkey.sender.test.", record) for name, record in KEYS.items()],
               *[f"c{i}._domainkey.sender.test. 60 CNAME c{(i + 1) % 20}._domainkey.sender.test." for i in range(20)])


@pytest.fixture(scope="module")
def bed():
    with InputBed() as running:
        running.pg.sql("UPDATE mail.score_actions SET dry_run = true WHERE action = 'reject'")
        running.pg.sql("INSERT INTO mail.score_rules (name, kind, pattern, weight) VALUES"
                       " ('REGEX_DOS', 'body', '(x+x+)+y', 1), ('SLOW', 'body', '\\w+\\d', 1)")
        yield running


def mail(body=b"Hello there, this is a short note.\r\n", **fields):
    """A message; a field of None is left out, of a list repeats, its name may hold '_' for '-'."""
    head = {"From": "Ann <ann@sender.test>", "To": "Bob <ann@example.test>", "Subject": "Hello", "Date": DATE,
            "Message-ID": f"<{next(numbers)}.{time.time():.6f}@sender.test>", "MIME-Version": "1.0"}
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [(name, one) for name, value in head.items() for one in (value if isinstance(value, list) else [value])
             if one is not None]
    encode = lambda value: value if isinstance(value, bytes) else value.encode()
    return b"".join(encode(n) + b": " + encode(v) + b"\r\n" for n, v in lines) + b"\r\n" + encode(body)


def part(content, head):
    return mail(b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n" + head + b"\r\n\r\n" + content +
                b"\r\n--b--\r\n", Content_Type="multipart/mixed; boundary=b")


def file(name, content):
    return part(base64.encodebytes(content).replace(b"\n", b"\r\n"),
                b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
                b"Content-Disposition: attachment; filename=" + name)


def zipped(content, name="0", depth=1):
    for _ in range(depth):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        content, name = buffer.getvalue(), "1.zip"
    return content


def html(text):
    return mail(text, Content_Type="text/html; charset=utf-8")


def signature(**tags):
    tags = {"v": "1", "a": "rsa-sha256", "d": "sender.test", "s": "revoked", "h": "from", "bh": "AAAA", "b": "AAAA"} | tags
    return "; ".join(f"{name}={value}" for name, value in tags.items() if value is not None)


def seals(instance, cv="none"):
    return {"ARC-Seal": f"i={instance}; a=rsa-sha256; cv={cv}; d=sender.test; s=revoked; b=AAAA",
            "ARC-Message-Signature": f"i={instance}; a=rsa-sha256; d=sender.test; s=revoked; h=from; bh=AAAA; b=AAAA",
            "ARC-Authentication-Results": f"i={instance}; sender.test; spf=pass"}


def levels(n):
    head = "".join(f"Content-Type: multipart/mixed; boundary=b{i}x\r\n\r\n--b{i}x\r\n" for i in range(n))
    return f"From: <ann@sender.test>\r\n{head}Content-Type: text/plain\r\n\r\nhello\r\n".encode()


SQL = ["'; DROP TABLE mail.messages; --", "$$ $1 \\' \\\\", b"\xbf\x27 OR 1=1 --"]
INPUTS = {
    1: [mail(X_Long="x" * 100_000), mail(X_Long="x" * 1_000_000), mail(X_Long=" x\r\n" * 250_000 + " y"), mail(To="a@b.test, " * 9000)],
    2: [mail(**{f"X-{i}": "y" for i in range(100_000)})],
    4: [levels(1000), mail(b"--b\r\n\r\nx\r\n" * 100_000, Content_Type="multipart/mixed; boundary=b"),
        mail(b"--b\r\nnever closed", Content_Type="multipart/mixed; boundary=b"),
        mail(b"--" + b"b" * 3000 + b"\r\n\r\nx", Content_Type="multipart/mixed;\r\n boundary=" + "b" * 3000),
        mail(b"--\r\n\r\nx\r\n----\r\n", Content_Type='multipart/mixed; boundary=""')],
    5: [file(b"42.zip", zipped(b"\0" * 5_000_000)), file(b"deep.zip", zipped(b"\0" * 100_000, depth=30)),
        file(b"r.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\0" * 1000)],
    6: [file(b"report.xml", b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "' + b"&a;" * 9999 + b'">]><x>&b;</x>')],
    7: [mail(Subject=b"\xff\xfe\xc0\xaf\xed\xa0\x80"), mail(From=b"\xe9\xff <ann@sender.test>"), mail("Hällo".encode("utf-16")),
        mail(b"\xc0\xaf\xed\xa0\x80\xff", Content_Type="text/plain; charset=utf-8"), mail(To=b"\xff\xfe@example.test")],
    8: [mail(Subject=b"a\0b"), mail(From=b"a\0n <ann@sender.test>"), mail(b"a\0b\0\r\n"), mail(b"\0" * 100_000)],
    9: [mail(b"a\nb\n\n.c\n"), mail(b"a\rb\r\rc\r\n"), mail(b"a\r\r\nb\r\r\n\r\r\n"), mail(b"a\n.\r\nMAIL FROM:<x@y.test>\r\n")],
    10: [mail(b""), mail(b"\r\n" * 1000), mail(b"no end"), mail(b"x")],
    11: [mail(DKIM_Signature=signature(z="x" * 64_000)), mail(DKIM_Signature="; ".join(f"t{i}=x" for i in range(10_000))),
         *[mail(DKIM_Signature=signature(**{tag: None})) for tag in "vbdsh"], mail(DKIM_Signature=signature(bh=None)),
         mail(DKIM_Signature=signature(v="2")), mail(DKIM_Signature=signature() + "; d=other.test; tag=tag=;"), mail(DKIM_Signature="")],
    12: [mail(DKIM_Signature=[signature(s=f"s{i}") for i in range(n)]) for n in (100, 400)],
    13: [mail(DKIM_Signature=signature(l=value)) for value in ("0", "5", "-1", "9" * 20, "999999")],
    14: [mail(DKIM_Signature=signature(t=t, x=x)) for t, x in (("9" * 10, None), ("2", "1"), ("9" * 30, "9" * 30), ("-1", "x"))],
    15: [mail(DKIM_Signature=signature(b=b, bh="!!!!")) for b in ("!!!", " " * 5000, "=" * 90_000)],
    16: [mail(DKIM_Signature=signature(s=name)) for name in KEYS],
    17: [mail(DKIM_Signature=signature(s=name)) for name in ("huge", "junk", "c0", "nosuch")],
    18: [mail(From=["Ann <ann@sender.test>", "Bob <bob@bank.test>"]), mail(From=["a@b.test"] * 3), mail(From="a@b.test, c@d.test"),
         mail(From=""), mail(From="us: a@b.test, c@d.test;"), mail(From=None), mail(From='"A <x@y.test>"@z.test'),
         mail(From="(" * 100 + ")" * 100 + " a@b.test"), mail(From="<@a.test,@b.test:c@d.test>"), mail(From="@"), mail(From="<>")],
    19: [mail(DKIM_Signature=signature(), From=["Ann <ann@sender.test>", "Bank <x@bank.test>"]), mail(Date=[DATE, DATE], Subject=["a", "b"])],
    20: [mail(Authentication_Results=["mx.example.test; spf=pass smtp.mailfrom=bank.test"] * n) for n in (1, 2, 3, 50)] +
        [mail(Authentication_Results="(x) MX.Example.TEST 1;\r\n dmarc=pass (" + "x" * 4000 + ") header.from=bank.test")],
    21: [mail(**seals(1)), mail(**seals(0)), mail(**seals(51)), mail(**seals(2, "pass")), mail(ARC_Seal="x"), mail(ARC_Seal=["i=1", "i=1"]),
         mail(ARC_Message_Signature="i=1"), mail(ARC_Seal="i=" + "9" * 30)],
    24: [mail(From="=?utf-8?Q?a=0D=0AX-Evil:_1?= <ann@sender.test>"), mail(Subject="=?utf-8?B?DQpYLUV2aWw6IDE=?="),
         mail(From='"a\\\r\n X-Evil: 1" <ann@sender.test>')],
    25: [mail(Subject="\033[2J]: NOQUEUE: action=none"), mail(From="=?utf-8?Q?=0A4fQ2xT1z9Yz:_action=3Dnone?= <ann@sender.test>"),
         mail(Message_ID="<a\033b@sender.test>")],
    26: [mail(Subject=text) for text in SQL] + [mail(From=b'"' + (t if isinstance(t, bytes) else t.encode()).replace(b"\\", b"") +
                                                     b'" <ann@sender.test>') for t in SQL],
    27: [mail(From=f"<{address}>") for address in ("x" * 100 + "@sender.test", "a@" + "b." * 150 + "test", '"a b"@sender.test', "@",
         "a@sender.test.", "a@[192.0.2.1]", "a@xn--bcher-kva.test", "a@bücher.test", "a+" + "x" * 1024 + "@sender.test", "A@SENDER.test")],
    28: [mail(b"x" * 900 + b" y\r\n"), mail(b"a" * 50_000 + b"\r\n"), mail((b"b" * 76 + b"=\r\n") * 3000,
                                                                      Content_Transfer_Encoding="quoted-printable")],
    29: [html(b"<p>" + b"<b>x" * 500_000), html(b"<div>" * 200_000), html(b"<a href='" + b"x" * 1_000_000), html(b"&#" * 400_000),
         html(b'<a href="data:text/html;base64,' + b"QUJD" * 100_000 + b'">x</a>'), html(b"<!--" * 300_000), html(b"</" * 500_000)],
    30: [mail(Subject=" ".join(["=?utf-8?B?QUJD?="] * 10_000)), mail(Subject="=?nosuch?Q?x?= =?utf-8?Z?x?= =?utf-8?B?!?="),
         mail(Subject="=?utf-8?B?" + "QUJD" * 250_000 + "?="), mail(Subject="=?utf-8?B?YQBi?=")],
    31: [mail(Content_Type="text/plain; " + "; ".join(f"name*{i}=x" for i in range(100_000))),
         mail(Content_Type="text/plain; name*0=a; name*2=c; name*0=b; name*99999999999999999999=d; name*1*=%zz")],
    32: [file(name, b"MZ\x90\0" + b"\0" * 200) for name in (b'"a.exe%00.txt"', "\"a\u202etxt.exe\"".encode(), b'"' + b"n" * 10_000 + b'.exe"',
         b'"../../etc/passwd"', b'"a.exe\0.txt"', b'"C:\\\\x\\\\y.pdf.exe"', b"*=utf-8''a%00b%0D%0A.exe")],
}
LEFT_OUT = {3: "test_input_3_many_recipients", 22: "test_input_22_records_of_spf", 23: "test_input_23_records_of_dmarc"}


def row_of(bed, queue_id):
    return wait_until(lambda: bed.pg.sql("SELECT action, score::float, symbols, spf, dmarc FROM mail.messages"
                                         " WHERE queue_id = %s", queue_id), 60, f"row of {queue_id}")[0]


def sent(bed, text, sender="ann@sender.test", helo="mail.sender.test", rcpts=("ann@example.test",)):
    """Send it; its row, after what holds for every input was looked at."""
    arrived, begin = len(bed.sink.messages), time.monotonic()
    reply = bed.send(text, sender=sender, helo=helo, rcpts=rcpts)
    assert time.monotonic() - begin < ANSWER_S
    assert reply.code == 250, reply
    queue_id = re.search(r"queued as (\w+)", reply.text).group(1)
    row = row_of(bed, queue_id)
    assert row[0] in ("none", "add header", "reject") and "UNREADABLE" not in {s["name"] for s in row[2]}
    assert abs(sum(s["score"] for s in row[2] if not s.get("dry_run")) - row[1]) < 1e-6
    wait_until(lambda: len(bed.sink.messages) > arrived, 60, what="the mail at its destination")
    return row


def names(row):
    return {symbol["name"] for symbol in row[2]}


@pytest.fixture(autouse=True)
def daemon_lives(bed):
    pid = bed.score.process.pid
    yield
    assert bed.score.is_running() and bed.score.process.pid == pid
    log = bed.score.process.log_text()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", log)
    assert "crashed" not in log and "reader=" not in log
    assert sent(bed, mail())[0] == "none"


@pytest.mark.parametrize("number", INPUTS)
def test_bad_input(number, bed):
    for text in INPUTS[number]:
        sent(bed, text)


def test_every_number_is_there():
    assert sorted([*INPUTS, *LEFT_OUT]) == list(range(1, 33))
    assert all(name in globals() for name in LEFT_OUT.values())


def test_input_3_many_recipients(bed):
    sent(bed, mail(), rcpts=[f"user{i}@example.test" for i in range(1000)])


def test_input_4_is_said(bed):
    assert "MIME_LIMIT" in names(sent(bed, levels(1000)))


def test_input_18_has_one_rule(bed):
    assert {"MULTIPLE_FROM"} <= names(sent(bed, mail(From="a@b.test, c@d.test")))
    assert {"MISSING_FROM"} <= names(sent(bed, mail(From=None)))
    assert {"FROM_INVALID"} <= names(sent(bed, mail(From="@")))


@pytest.mark.parametrize("name", SPF)
def test_input_22_records_of_spf(name, bed):
    row = sent(bed, mail(From=f"Ann <ann@spf-{name}.test>"), sender=f"ann@spf-{name}.test")
    assert row[3] == {"twice": "pass", "loop": "permerror", "junk": "permerror", "eleven": "permerror"}.get(name, "fail")


@pytest.mark.parametrize("name", [*DMARC, "two"])
def test_input_23_records_of_dmarc(name, bed):
    row = sent(bed, mail(From=f"Ann <ann@dmarc-{name}.test>"))
    assert row[4] in ("fail", "none", "permerror"), row


def test_input_24_adds_no_header(bed):
    for text in INPUTS[24]:
        sent(bed, text)
        head = bed.sink.messages[-1][3].split(b"\r\n\r\n")[0]
        assert not re.search(rb"(?m)^X-Evil", head)


def test_input_26_is_stored_as_it_is(bed):
    sent(bed, mail(Subject=SQL[0]))
    assert bed.pg.sql("SELECT count(*) > 0 FROM mail.messages WHERE subject = %s", SQL[0])[0][0]


def test_input_28_is_no_match_and_reported_once(bed):
    assert "REGEX_DOS" not in names(sent(bed, mail(b"x" * 900 + b" y1\r\n")))  # refused: no rule at all
    wait_until(lambda: "SLOW" in names(sent(bed, mail(b"alive5\r\n"))), 30, "the rule")
    for _ in range(2):
        assert "SLOW" not in names(sent(bed, INPUTS[28][-1]))
    assert len(bed.score.lines("event=rule_given_up", "rule=SLOW")) == 1


def test_input_32_goes_by_the_last_extension(bed):
    assert {"BAD_EXTENSION"} <= names(sent(bed, file("\"a\u202etxt.exe\"".encode(), b"MZ\x90\0")))
    assert {"BAD_UNICODE_NAME"} <= names(sent(bed, file("\"a\u202etxt.exe\"".encode(), b"MZ\x90\0")))

"""The whole way of a stamp: postward-origin on the edge makes it, live or for the queue, real
Postfixes carry it, postward-origin on the inner host believes it. Nothing inside takes XCLIENT."""
import time

import pytest
from origin_bed import EDGE_MAIN, INNER_LINK, LIAR, SENDER, SENDER6
from stack.clients import message
from stack.proc import wait_until
from stamp_bed import UID, VERIFY, StampBed
from stamps import Key, write_keys
from test_origin_stamp import header, tags

ANN, BOB = "ann@example.test", "bob@example.test"


class Bed(StampBed):
    edge_main = EDGE_MAIN + (f"relay_transport = smtp:[{INNER_LINK}]:{VERIFY}\n"
                             "smtp_line_length_limit = 0\nsmtp_destination_recipient_limit = 1\n")

    def _start(self):
        super()._start()
        keys = self.root / "edge.keys"
        write_keys(keys, [self.key], UID)
        self.edge_keys = keys
        self.reload_origin(carry="stamp", inner=f"{INNER_LINK}:{VERIFY}", stamp_keys=keys)

    def give(self, text, to=(ANN,), source=SENDER, sender="ann@sender.test", **options):
        with self.outside(source, **options) as client:
            return client.send(sender, list(to), text)

    def client_of(self, user, marker):
        """What the inner host was told of a delivered message's client."""
        text = self.delivered(user, marker)
        assert not header(text, "Postward-Origin")
        client, = header(text, "Postward-Client")
        return tags(client)


@pytest.fixture(scope="module")
def bed():
    with Bed() as running:
        yield running


@pytest.fixture
def queueing(bed):
    """The live way leads nowhere, known recipients are queued; the queue's way is open."""
    assert bed.give(mail("known"), [ANN, BOB])["data"].code == 250
    bed.reload_origin(fallback="queue", carry="xclient", inner=f"{INNER_LINK}:2699")
    yield
    bed.reload_origin(fallback="defer", carry="stamp", inner=f"{INNER_LINK}:{VERIFY}")


def mail(marker, **options):
    return message("ann@sender.test", ANN, message_id=f"{marker}@sender.test", **options)


HOSTILE = "x) by+2Bmx;a=203.0.113.1;-"
WILD = "\r\n".join([".", "..", ".x", "x.", "", "a" * 5000, "tab\tand \xfc", "cr \r inside", "-- ",
                    " ", ""] * 300) + "\r\n\r\n"
FIELDS = ("Subject2:no blank\r\nX-Fold: one\r\n\ttwo\r\n  three\r\nReceived: from forged\r\n"
          "X-Empty:\r\nX-Long: " + "y" * 3000 + "\r\n")
FORGED = ("Postward-Origin: v=1; k=00000000\r\nPostward-Client: v=1; t=1; a=203.0.113.1\r\n"
          "postward-client: v=1\r\nPostward-Retry: yes\r\nPostward-Transaction: AAAA\r\n"
          "Postward-Check: stamp\r\nPostward-Else: x\r\nPostward-Retry : yes\r\n"
          "Postward-Transaction\t: BBBB\r\nPOSTWARD-origin : x\r\n")


@pytest.fixture(params=["live", "queue"])
def way(request, bed):
    """Both ways a stamp goes."""
    if request.param == "queue":
        request.getfixturevalue("queueing")
    yield request.param
    wait_until(lambda: bed.edge.queue() == [], what="an empty queue on the edge")


@pytest.mark.parametrize("source,name,helo", [
    (SENDER, "mail.sender.test", "mail.sender.test"), (SENDER6, "mail.sender.test", "x"),
    (LIAR, "-", "liar"), (SENDER, "mail.sender.test", HOSTILE)])
def test_the_true_client_arrives(bed, way, source, name, helo):
    marker = f"{way}-{source}-{len(helo)}"
    start = bed.edge.log_size()
    assert bed.give(mail(marker), source=source, helo=helo)["data"].code == 250
    facts = bed.client_of("ann", f"{marker}@sender.test")
    assert (facts["a"], facts["nm"]) == (source, name)
    assert facts["pt"] == ("liar.sender.test" if source == LIAR else name)
    assert facts["h"] == helo.replace("+", "+2B").replace(" ", "+20").replace(
        ";", "+3B").replace("=", "+3D")
    assert bool(bed.edge.lines("status=sent", start=start)) == (way == "queue")


@pytest.mark.parametrize("text", [
    pytest.param(mail("wild-WAY", body=WILD, extra=FIELDS), id="wild"),
    pytest.param(mail("forged-WAY", extra=FORGED), id="forged"),
    pytest.param(mail("bodyless-WAY", body=""), id="bodyless"),
    pytest.param("X-Only: field\r\nMessage-ID: <only-WAY@sender.test>\r\n\r\nx", id="only"),
    pytest.param(mail("lines-WAY", body="\r\n" * 500), id="lines"),
    pytest.param(mail("many-WAY", extra="".join(f"X-F{i}: {i}\r\n" for i in range(700))), id="many"),
    pytest.param(mail("big-WAY", body="z" * 70 + "\r\n" + ("q" * 76 + "\r\n") * 20000), id="big"),
])
def test_every_byte_is_digested_alike(bed, way, text):
    """What the two Postfixes may do to a message on the way is none of the digest's matter."""
    text = text.replace("-WAY@", f"-{way}@")
    marker = text.split("Message-ID: <")[1].split(">")[0]
    with bed.outside() as client:
        client.smtp.putcmd("MAIL", "FROM:<ann@sender.test> BODY=8BITMIME")
        assert client.smtp.getreply()[0] == 250
        client.command(f"RCPT TO:<{ANN}>")
        client.command("DATA")
        raw = text.encode("latin-1")
        if not raw.endswith(b"\r\n"):
            raw += b"\r\n"
        client.smtp.send(b"\r\n".join(b"." + l if l.startswith(b".") else l
                                      for l in raw.split(b"\r\n")) + b".\r\n")
        assert client.smtp.getreply()[0] == 250
    facts = bed.client_of("ann", marker)
    assert facts["a"] == SENDER
    got = bed.delivered("ann", marker)
    assert not [n for n in ("Postward-Check", "Postward-Else", "Postward-Retry") if header(got, n)]
    assert header(got, "Postward-Transaction") != [" AAAA"]
    assert got.split(b"\n\n")[0].lower().count(b"\npostward-") == 2


@pytest.mark.parametrize("recipient", [
    "ann@EXAMPLE.test", "Ann@example.test", '"ann"@example.test'])
def test_addresses_are_those_of_the_envelope(bed, way, recipient):
    marker = f"addr-{way}-{sum(recipient.encode())}"
    result = bed.give(mail(marker), [recipient], sender='"odd one"@Sender.TEST')
    assert result["data"].code == 250
    bed.client_of("ann", f"{marker}@sender.test")


def test_null_sender(bed, way):
    assert bed.give(mail(f"null-{way}"), sender="")["data"].code == 250
    assert bed.client_of("ann", f"null-{way}@sender.test")["a"] == SENDER


def test_several_recipients(bed, way):
    """Live: one message; queue: a delivery for each, and none of them is a replay."""
    assert bed.give(mail(f"both-{way}"), [ANN, BOB])["data"].code == 250
    for user in ("ann", "bob"):
        bed.client_of(user, f"both-{way}@sender.test")
        assert not header(bed.delivered(user, f"both-{way}@sender.test"), "Postward-Retry")


def test_many_recipients(bed, way):
    """More than a stamp lists."""
    result = bed.give(mail(f"many-rcpt-{way}"), [ANN] * 250)
    assert result["data"].code == 250
    bed.client_of("ann", f"many-rcpt-{way}@sender.test")


# Live alone.

def test_refusals_reach_the_client(bed):
    recipients = ["ann", "no-such-user", "percent", "later"]
    result = bed.give(mail("each"), [f"{r}@example.test" for r in recipients])
    assert [r.code for r in result["rcpt"]] == [250, 550, 550, 450]
    assert result["data"].code == 250
    assert bed.give(mail("spam"), sender="spam@sender.test")["data"].code == 550
    bed.client_of("ann", "each@sender.test")
    assert bed.edge.queue() == []


def test_a_key_the_inner_host_does_not_know(bed):
    """Rotation in the wrong order: nothing is lost, and nothing arrives with another origin."""
    write_keys(bed.edge_keys, [Key()], UID)
    bed.reload_origin()
    try:
        reply = bed.give(mail("early"))["data"]
        assert reply.code == 451 and "cannot be believed" in reply.text
        assert bed.verify.lines("action=defer", 'why="unknown key"')
    finally:
        write_keys(bed.edge_keys, [bed.key], UID)
        bed.reload_origin()
    assert bed.give(mail("late"))["data"].code == 250
    bed.client_of("ann", "late@sender.test")


def test_the_queue_waits_for_the_key(bed, queueing):
    write_keys(bed.edge_keys, [Key()], UID)
    bed.reload_origin()
    new = Key()
    try:
        write_keys(bed.edge_keys, [new], UID)
        bed.reload_origin()
        assert bed.give(mail("rotated"))["data"].code == 250
        wait_until(lambda: bed.edge.lines("status=deferred", "cannot be believed"), what="451")
        write_keys(bed.keys, [bed.key, new], UID)
        bed.verify.reload()
        assert bed.client_of("ann", "rotated@sender.test")["a"] == SENDER
    finally:
        for path in (bed.keys, bed.edge_keys):
            write_keys(path, [bed.key], UID)
        bed.verify.reload()


def test_a_reply_that_was_lost_on_the_way_back(bed, queueing):
    """The edge's queue sends the message again: it passes, and is marked for Sieve."""
    bed.inner.hold("virtual")
    try:
        bed.edge.set("smtp_data_done_timeout = 2s")
        bed.edge.reload()
        start = bed.inner.log_size()
        assert bed.give(mail("dawdle"), sender="dawdle@sender.test")["data"].code == 250
        # the inner host takes 12 s for its reply, the edge waits for two
        wait_until(lambda: bed.edge.lines("status=deferred", "timed out"), 30, "a lost reply")
        bed.edge.set("smtp_data_done_timeout = 60s")
        bed.edge.reload()
        bed.edge.flush()
        wait_until(lambda: bed.verify.lines("action=retry", "from=<dawdle@sender.test>"), 60, "retry")
    finally:
        bed.edge.postconf("-X", "smtp_data_done_timeout")
        bed.edge.reload()
        bed.inner.release()
    time.sleep(0.1)
    assert len(bed.inner.lines("message-id=<dawdle@sender.test>", start=start)) >= 2

"""The whole way round: live, into the queue while the inner server is away, out of it with the true client,
in doubt on either way, refused in the end; the mailbox holds what was sent, once."""
import pytest
from doubt_bed import DoubtBed
from origin_bed import EDGE_LINK, EDGE_MAIN, LIAR, SENDER
from stack.clients import message
from stack.dns import txt
from stack.proc import wait_until

ANN, BOB = "ann@example.test", "bob@example.test"
HOLD = "127.0.0.1:10027"
MAPS = "virtual_mailbox_maps = inline:{{ {{ ann@example.test = ann/ }} {} }}"


class RoundBed(DoubtBed):
    edge_main = EDGE_MAIN.replace(f", {EDGE_LINK}", ", 127.0.0.1") + """
relay_transport = postward:unix:origin/queue.sock
notify_classes =
lmtp_connection_cache_on_demand = no
"""
    edge_services = [
        f"{HOLD} inet n - y - - smtpd -o smtpd_milters= -o smtpd_authorized_xforward_hosts=127.0.0.1"
        " -o mynetworks=127.0.0.1/32 -o smtpd_relay_restrictions=permit_mynetworks,reject"
        " -o smtpd_recipient_restrictions=check_recipient_access,static:HOLD",
        "postward unix - - y - - lmtp -o lmtp_send_xforward_command=yes -o lmtp_line_length_limit=0"]

    def _prepare(self):
        self.origin_settings = {"queue_socket": f"unix:{self.root}/edge/spool/origin/queue.sock", "fallback": "queue",
                                "hold_listener": HOLD, "pool_size": "0", "dns_servers": "198.51.100.53"}
        self.dns.add(txt("sender.test", f"v=spf1 ip4:{SENDER} -all"))

    def _start(self):
        super()._start()
        for user in (ANN, BOB):
            assert give(self, mail(f"first-{user}"), to=[user]).code == 250

    def status(self, queue_id, word, start=0):
        """The edge's line about a message of its queue."""
        return wait_until(lambda: self.edge.lines(f" {queue_id}: ", f"status={word}", start=start), 60,
                          f"{queue_id} {word}")[-1]


@pytest.fixture(scope="module")
def bed():
    with RoundBed() as running:
        yield running


@pytest.fixture(autouse=True)
def clean(bed):
    yield
    bed.link.fault = None
    bed.edge.ns.run("postsuper", "-c", bed.edge.etc, "-d", "ALL")


def mail(marker, sender="ann@sender.test", body="Hello.\r\n"):
    text = message(sender, ANN, message_id=f"{marker}@sender.test", body=body)
    return "".join(line + "\r\n" if not line.startswith("Date:") else "Date: Mon, 30 Nov 2026 12:00:00 +0000\r\n"
                   for line in text.split("\r\n")[:-1])


def give(bed, text, sender="ann@sender.test", to=(ANN,), source=SENDER):
    with bed.outside(source) as client:
        result = client.send(sender, list(to), text)
    assert result["data"], client.replies
    return result["data"]


def queued(bed, *args, **more):
    """Given while the inner server is away; its queue id. It is away still."""
    bed.link.down()
    reply = give(bed, *args, **more)
    assert reply.code == 250
    return reply.text.split()[-1]


def test_out_of_the_queue_with_the_true_client(bed):
    start = bed.inner.log_size()
    queue_id = queued(bed, mail("true"), source=LIAR)
    bed.link.up()
    bed.status(queue_id, "sent")
    assert bed.count("true@") == 1
    assert bed.inner.lines(f"client=unknown[{LIAR}]", start=start)
    assert bed.origin.lines(f" {queue_id}: action=queue") and bed.origin.lines(f" {queue_id}: action=relay")


@pytest.mark.parametrize("fault,stored", [("swallow", 1), ("cut", 0)])
def test_in_doubt_live_then_queued(bed, fault, stored):
    """The client's next try finds the inner server away; it is a retry all the same."""
    text = mail(f"mixed-{fault}", body="x\r\n" * 20000)
    bed.link.fault = fault
    assert give(bed, text).code == 451
    bed.link.fault = None
    assert bed.count(f"mixed-{fault}@") == stored
    queue_id = queued(bed, text)
    bed.link.up()
    bed.status(queue_id, "sent")
    assert "retry_of=" in bed.origin.lines(f" {queue_id}: action=relay")[-1]
    assert bed.count(f"mixed-{fault}@") == 1


@pytest.mark.parametrize("fault", ["swallow", "cut"])
def test_in_doubt_on_the_way_out_of_the_queue(bed, fault):
    queue_id = queued(bed, mail(f"out-{fault}"), to=[ANN, BOB])
    start = bed.edge.log_size()
    bed.link.fault = fault
    bed.link.up()
    bed.status(queue_id, "deferred", start)
    wait_until(lambda: bed.origin.lines(f" {queue_id}: ", "cause=in_doubt"), what="doubt")
    bed.link.fault = None
    bed.status(queue_id, "sent")
    assert [bed.count(f"out-{fault}@", user) for user in ("ann", "bob")] == [1, 1]


def test_killed_on_the_way_out_of_the_queue(bed):
    start = bed.inner.log_size()
    queue_id = queued(bed, mail("killed", "dawdle@sender.test", "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 1000),
                      sender="dawdle@sender.test")
    bed.link.up()
    wait_until(lambda: bed.inner.lines("message-id=<killed@", start=start), 60)
    bed.origin.stop(9)
    for file in (bed.socket, bed.socket.parent / "queue.sock"):
        file.unlink(missing_ok=True)
    bed.origin.start()
    wait_until(lambda: bed.store.mails("ann", "killed@"), 30)
    bed.status(queue_id, "sent")
    assert bed.count("killed@") == 1


def test_refused_late_and_spf_passes_it_is_a_bounce(bed):
    queue_id = queued(bed, mail("late", "spam@sender.test"), sender="spam@sender.test")
    bed.link.up()
    assert "spam: 100% sure" in bed.status(queue_id, "bounced")
    assert bed.origin.lines(f" {queue_id}: action=bounce, spf=pass")


def test_refused_late_and_spf_does_not_pass_nobody_hears_of_it(bed):
    start = bed.edge.log_size()
    queue_id = queued(bed, mail("forged", "spam@sender.test"), sender="spam@sender.test", source=LIAR)
    bed.link.up()
    bed.status(queue_id, "sent")
    assert bed.origin.lines(f" {queue_id}: action=hold, spf=fail")
    assert len(bed.edge.queue()) == 1 and "hold" in bed.edge.queue()[0].parts
    assert not bed.edge.lines("from=<>", start=start)
    assert bed.count("forged@") == 0


def test_released_from_hold_it_arrives_with_its_true_client(bed):
    """The mailbox was missing, and the administrator has made it."""
    assert give(bed, mail("before"), to=[BOB]).code == 250
    bed.inner.set(MAPS.format(""))
    bed.inner.reload()
    queue_id = queued(bed, mail("released"), to=[BOB], source=LIAR)
    bed.link.up()
    bed.status(queue_id, "sent")
    assert bed.count("released@", "bob") == 0
    bed.inner.set(MAPS.format("{ bob@example.test = bob/ }"))
    bed.inner.reload()
    start = bed.inner.log_size()
    bed.edge.ns.run("postsuper", "-c", bed.edge.etc, "-r", "ALL")
    wait_until(lambda: bed.store.mails("bob", "released@"), 60, "the released message")
    assert bed.count("released@", "bob") == 1
    assert bed.inner.lines(f"client=unknown[{LIAR}]", start=start)
    text = bed.store.mails("bob", "released@")[0].read_text()
    assert "X-Postward-Refused: 550 5.1.1" in text

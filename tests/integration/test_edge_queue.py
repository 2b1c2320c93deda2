"""The queue of an edge as `edge init` and `setup --fallback queue` lay it out: what is taken while the inner
host is away, how it arrives, and where it is when the inner host refuses it then."""
import contextlib
import json
import shutil

import pytest
from edge_bed import EdgeBed
from origin_bed import SENDER
from stack.clients import last_reply, message
from stack.proc import wait_until

pytestmark = pytest.mark.skipif(shutil.which("nft", path="/usr/sbin") is None, reason="nft is not installed")


@pytest.fixture(scope="module")
def bed():
    with EdgeBed("--fallback", "queue", "--postscreen", "no") as made:
        yield made


def send(bed, marker, recipient="ann@example.test"):
    with bed.outside(SENDER) as client:
        return last_reply(client.send("stranger@sender.test", [recipient], message(
            "stranger@sender.test", recipient, message_id=marker)))


@contextlib.contextmanager
def inner_away(bed):
    bed.inner_ns.ip("link", "set", "vpn", "down")
    try:
        yield
    finally:
        bed.inner_ns.ip("link", "set", "vpn", "up")


def test_mail_waits_and_arrives_as_its_clients(bed):
    assert send(bed, "known@sender.test").code == 250  # from now on ann is known
    bed.delivered("ann", "known@sender.test")
    with inner_away(bed):
        assert send(bed, "waits@sender.test").code == 250
        assert send(bed, "unknown@sender.test", "bob@example.test").code == 451
        assert len(bed.edge.queue()) == 1
    bed.edge.flush()
    text = bed.delivered("ann", "waits@sender.test", 60).decode()
    assert f"mail.sender.test [{SENDER}]" in text and "Postward-Origin" not in text
    assert [l for l in bed.inner.lines(f"client=mail.sender.test[{SENDER}]")]
    wait_until(lambda: bed.edge.queue() == [], what="an empty queue")


def test_what_is_refused_then_is_held_with_the_reason(bed):
    with inner_away(bed):
        assert send(bed, "refused@sender.test").code == 250
        before = (bed.inner.etc / "main.cf").read_text()
        bed.inner.set("virtual_mailbox_maps = inline:{ {bob@example.test = bob/} }")
        bed.inner.reload()
    try:
        bed.edge.flush()
        wait_until(lambda: json.loads(bed.ctl("edge", "held", "--json").stdout)["held"], 60, "held mail")
        held, = json.loads(bed.ctl("edge", "held", "--json").stdout)["held"]
        assert held["recipients"] == ["ann@example.test"] and held["sender"] == "stranger@sender.test"
        assert held["refused"].startswith("550 ") and "User unknown" in held["refused"]
    finally:
        (bed.inner.etc / "main.cf").write_text(before)
        bed.inner.reload()
    # the mailbox is there again: the hint of `edge held` sends it inside, still as its client's
    told = len(bed.inner.lines(f"client=mail.sender.test[{SENDER}]"))
    bed.edge_ns.run("postsuper", "-c", bed.edge.etc, "-H", held["id"])
    bed.edge.flush()
    bed.delivered("ann", "refused@sender.test", 60)
    assert len(bed.inner.lines(f"client=mail.sender.test[{SENDER}]")) > told


def test_edge_check_has_nothing_to_say(bed):
    assert bed.look()[0] == []

"""An edge with postscreen in front, as `edge init` and `setup --postscreen yes` make it: the client's own
facts go inside all the same, who speaks too early goes no further, and edge check has nothing to say."""
import re
import shutil
import socket

import pytest
from edge_bed import EdgeBed
from origin_bed import EDGE, SENDER, SENDER6
from stack.clients import last_reply, message

pytestmark = pytest.mark.skipif(shutil.which("nft", path="/usr/sbin") is None, reason="nft is not installed")


@pytest.fixture(scope="module")
def bed():
    with EdgeBed("--postscreen", "yes") as made:
        made.edge.set("postscreen_greet_wait=2s")
        made.edge.reload()
        yield made


def send(bed, source, marker):
    with bed.outside(source) as client:
        reply = last_reply(client.send("stranger@sender.test", ["ann@example.test"], message(
            "stranger@sender.test", "ann@example.test", message_id=marker)))
    assert reply.code == 250, reply
    return bed.delivered("ann", marker).decode()


@pytest.mark.parametrize("source, client", [
    (SENDER, f"mail.sender.test[{SENDER}]"),
    (SENDER6, f"mail.sender.test[{SENDER6}]"),
])
def test_the_client_is_known_inside(bed, source, client):
    for number in (1, 2):  # a new client, and one that postscreen knows
        text = send(bed, source, f"screen{number}-{source.replace(':', '')}@sender.test")
        assert re.search(rf"Received: from \S+ \({re.escape(client.split('[')[0])} \[", text)
    assert len([l for l in bed.inner.lines("client=") if f"client={client}" in l]) == 2
    assert bed.edge.lines("postscreen", "PASS") and bed.edge.queue() == []


def test_recipients_are_still_the_inner_servers_to_judge(bed):
    with bed.outside(SENDER) as client:
        client.command("MAIL FROM:<stranger@sender.test>")
        reply = client.command("RCPT TO:<nobody@example.test>")
    assert reply.code == 550 and "User unknown" in reply.text


def test_who_speaks_too_early_goes_no_further(bed):
    with bed.net.enter():
        client = socket.create_connection((EDGE, 25), timeout=30, source_address=("198.51.100.8", 0))
    with client:
        client.sendall(b"EHLO early.sender.test\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n")
        said = b""
        while chunk := client.recv(4096):
            said += chunk
    assert b"\n550 5.5.1 Protocol error" in said or b"\n521 " in said, said
    assert not bed.inner.lines("198.51.100.8")


def test_edge_check_has_nothing_to_say(bed):
    assert bed.look()[0] == []

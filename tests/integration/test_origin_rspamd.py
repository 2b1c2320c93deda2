"""rspamd behind postward-origin on an inner host that takes no XCLIENT: its external_relay finds
the client in the Received field that the edge wrote."""
import pytest
from origin_bed import NAMESERVER
from stack import rspamd
from stack.clients import message
from stamp_bed import StampBed, listener
from stamps import stamp, stamped

pytestmark = pytest.mark.skipif(
    rspamd.root() is None, reason="rspamd is neither installed nor unpacked ($PW_RSPAMD)")
PORT = 2640


class Bed(StampBed):
    parts = ("rspamd", *StampBed.parts)
    inner_services = [*StampBed.inner_services,
                      listener(PORT, "verify/verify.sock", "rspamd/milter.sock")]

    def _start(self):
        super()._start()
        folder = self.inner.spool / "rspamd"
        folder.mkdir()
        folder.chmod(0o755)
        self.rspamd = rspamd.Rspamd(self.root / "rspamd", self.inner_ns, folder / "milter.sock",
                                    NAMESERVER, '"EDGE" { strategy = "local"; }', '["10.9.0.0/24"]')
        self.rspamd.start()


@pytest.fixture(scope="module")
def bed():
    with Bed() as running:
        yield running


def mail(marker):
    return message("ann@sender.test", "ann@example.test", message_id=marker).encode()


def test_the_true_client_is_read_from_the_edges_received(bed):
    """As the edge's queue sends it: Postfix's Received below the stamp."""
    text = mail("queued@sender.test")
    value = stamp(bed.key, text, "ann@sender.test", ["ann@example.test"])
    assert bed.send(stamped(value, text), port=PORT).code == 250
    assert "ip: 198.51.100.7," in bed.rspamd.task("queued@sender.test")


def test_mail_of_the_edge_itself_is_the_edges(bed):
    assert bed.send(b"Received: from localhost (localhost [127.0.0.1])\r\n"
                    b"\tby mx.example.test (Postfix); Mon, 30 Nov 2026 10:00:00 +0000\r\n"
                    + mail("own@sender.test"), port=PORT).code == 250
    assert "ip: 127.0.0.1," in bed.rspamd.task("own@sender.test")

"""Mail of an edge whose stamp postward-origin believed: postward-score, the next milter, judges
the client that the stamp names."""
import re

import pytest
from score_bed import HOST, NAMESERVER, SENDER, THIEF, ScoreBed
from stack.clients import SmtpClient, message
from stack.postward import PROGRAMS, Program
from stack.proc import wait_until
from stamps import Key, stamp, stamped, write_keys

EDGE = NAMESERVER  # any address that SPF does not name
BEHIND = 2525


class Bed(ScoreBed):
    parts = ("verify", *ScoreBed.parts)

    def _start(self):
        super()._start()
        uid = PROGRAMS["postward-origin"][0]
        self.key, keys = Key(), self.root / "origin.keys"
        write_keys(keys, [self.key], uid)
        socket = self.postfix.socket_folder("verify", uid) / "verify.sock"
        self.verify = Program("postward-origin", self.root / "verify", self.ns,
                              {"role": "inner", "socket": f"unix:{socket}", "stamp_keys": keys,
                               "trusted_edges": EDGE}, [socket])
        self.verify.start()
        master = self.postfix.etc / "master.cf"
        master.write_text(master.read_text() + f"{HOST}:{BEHIND} inet n - y - - smtpd"
                          " -o smtpd_milters=unix:verify/verify.sock,unix:score/score.sock\n")
        self.postfix.reload()
        self.score.reload(trusted_edges=EDGE)
        wait_until(lambda: self.score.lines("event=reloaded"), what="reload")

    def from_edge(self, text, sender="ann@sender.test", source=EDGE):
        with SmtpClient(self.ns, HOST, BEHIND, source=source, helo="mx.example.test") as client:
            return client.send(sender, ["ann@example.test"], text)["data"]


@pytest.fixture(scope="module")
def bed():
    with Bed() as running:
        yield running


def mail(marker, sender="ann@sender.test", extra=""):
    return message(sender, "ann@example.test", message_id=marker, extra=extra).encode()


def stamped_mail(bed, marker, sender="ann@sender.test", client=SENDER, **how):
    text = mail(marker, sender)
    return stamped(stamp(bed.key, text, sender, ["ann@example.test"], client=client, **how), text)


def test_the_client_of_the_stamp_is_judged(bed):
    assert bed.from_edge(stamped_mail(bed, "good@sender.test")).code == 250
    text = bed.left("good@sender.test")
    assert re.search(r"^Authentication-Results: mx\.example\.test;\s+spf=pass ", text, re.M)
    assert "Postward-Client" not in text and "Postward-Origin" not in text
    assert "Postward-Transaction:" in text  # Sieve's
    row = bed.row("good@sender.test")
    assert (row["client_address"], row["client_name"]) == (SENDER, "mail.sender.test")
    assert (row["spf"], row["dmarc"]) == ("pass", "pass")
    line = bed.score.lines(f"{row['queue_id']}: action=none")[0]
    assert f"client=mail.sender.test[{SENDER}], edge={EDGE}, " in line and "forged" not in line


def test_a_thief_is_refused_though_the_edge_brings_it(bed):
    text = stamped_mail(bed, "thief@bank.test", "ceo@bank.test", THIEF, nm="-", pt="-")
    reply = bed.from_edge(text, "ceo@bank.test")
    assert reply.code == 550 and reply.text.startswith("5.7.26 ")


def test_two_messages_of_one_session_have_clients_of_their_own(bed):
    with SmtpClient(bed.ns, HOST, BEHIND, source=EDGE, helo="mx.example.test") as client:
        for marker, text in (("first@sender.test", stamped_mail(bed, "first@sender.test")),
                             ("second@sender.test", mail("second@sender.test")),
                             ("third@sender.test", stamped_mail(bed, "third@sender.test",
                                                                client=THIEF))):
            client.send("ann@sender.test", ["ann@example.test"], text)
    assert bed.row("first@sender.test")["client_address"] == SENDER
    # no stamp: the edge's own mail
    assert bed.score.lines(f"client=unknown[{EDGE}]")
    assert bed.score.lines('action="dmarc reject"', f"client=mail.sender.test[{THIEF}]")


@pytest.mark.parametrize("source", [EDGE, SENDER])
def test_a_forged_client_field_is_not_believed(bed, source):
    forged = f"Postward-Client: v=1; t=1; e=x; q=x; a={SENDER}; p=1; nm=x.test; pt=-; h=x; " \
             "pr=ESMTP; tl=-; cf=-; lg=bob+40example.test; da=-; dp=-\r\n"
    marker = f"forged-{source}@sender.test"
    text = forged.encode() + mail(marker, "ann@nothing.test")
    assert bed.from_edge(text, "ann@nothing.test", source).code == 250
    assert "Postward-Client" not in bed.left(marker)
    assert bed.row(marker)["client_address"] == source

"""Chains that reach postward-score: what it says of them, and whom it believes about DMARC."""
import base64
import subprocess
import time

import pytest
from score_bed import RECORDS, ScoreBed, build, txt
from stack.clients import message
from stack.proc import wait_until

SEALERS = ("list.test", "other.test")
PASS = "dmarc=pass (p=reject) header.from=bank.test"


class ArcBed(ScoreBed):
    """The sealers' keys are in the DNS; `trust` names whom SQL trusts."""

    def _start(self):
        self.key = self.root / "sealer.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], capture_output=True, check=True)
        der = subprocess.run(["openssl", "rsa", "-in", self.key, "-pubout", "-outform", "DER"], capture_output=True,
                             check=True).stdout
        record = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
        self.records = RECORDS + [txt(f"s._domainkey.{name}.", record) for name in SEALERS]
        super()._start()

    def seal(self, text, domain, results):
        """The message with one more set, as a host of domain adds it."""
        said = f"Authentication-Results: {domain}; {results}\r\n"
        done = subprocess.run(
            [build() / "tests/probe/probe_arc_seal", domain, "s", self.key, str(int(time.time())), domain, ""],
            input=(said + text).encode(), capture_output=True, check=True)
        return done.stdout.decode().replace("\n", "\r\n") + said + text

    def trust(self, *domains):
        self.pg.sql("DELETE FROM mail.arc_trusted_sealers")
        for domain in domains:
            self.pg.sql(f"INSERT INTO mail.arc_trusted_sealers VALUES ('{domain}')")
        generation = self.pg.value("SELECT mail.generation()")
        wait_until(lambda: self.score.lines(f"generation={generation}"), what="the snapshot of those sealers")


@pytest.fixture(scope="module")
def bed():
    with ArcBed() as running:
        yield running


def forwarded(name):
    one = f"{name}-{time.time():.6f}@bank.test"
    return one, message("ceo@bank.test", "ann@example.test", message_id=one)


def test_whom_sql_trusts_is_believed(bed):
    bed.trust("other.test")
    _, text = forwarded("untrusted")
    reply = bed.send(bed.seal(text, "list.test", f"arc=none; {PASS}"))
    assert reply.code == 550 and reply.text.startswith("5.7.26 ")
    bed.trust("list.test")
    one, text = forwarded("trusted")
    assert bed.send(bed.seal(text, "list.test", f"arc=none; {PASS}")).code == 250
    left = bed.left(one).replace("\r\n\t", " ")
    assert "arc=pass policy.arc-sets=1" in left
    assert ('dmarc=fail reason="trusted_forwarder" header.from=bank.test policy.dmarc=none policy.published=reject'
            " policy.arc-sealer=list.test") in left
    row = bed.row(one)
    names = {symbol["name"] for symbol in row["symbols"]}
    assert (row["dmarc"], row["arc"]) == ("fail", "pass")
    assert {"ARC_PASS", "ARC_TRUSTED"} <= names and "DMARC_FAIL_REJECT" not in names
    assert bed.score.lines(row["queue_id"], "arc=pass", "arc_sealer=list.test")


def change_body(text):
    return text.replace("short note", "short bill")


def change_author(text):
    return text.replace("ceo@bank.test>", "cfo@bank.test>", 1)


def fail_there(bed, text):
    return bed.seal(text, "list.test", "arc=none; dmarc=fail header.from=bank.test")


def other_author(bed, text):
    return bed.seal(text, "list.test", "arc=none; dmarc=pass header.from=list.test")


def stranger_on_top(bed, text):
    return bed.seal(bed.seal(text, "list.test", f"arc=none; {PASS}"), "other.test", "arc=pass; dmarc=fail")


def changed_since(bed, text):
    return change_body(bed.seal(text, "list.test", f"arc=none; {PASS}"))


def author_changed_since(bed, text):
    return change_author(bed.seal(text, "list.test", f"arc=none; {PASS}"))


def said_fail_of_the_chain(bed, text):
    return bed.seal(text, "list.test", f"arc=fail; {PASS}")


@pytest.mark.parametrize("make, chain", [
    (fail_there, "pass"), (other_author, "pass"), (stranger_on_top, "pass"), (changed_since, "fail"),
    (author_changed_since, "fail"), (said_fail_of_the_chain, "fail")], ids=lambda v: getattr(v, "__name__", v))
def test_otherwise_dmarc_stands(bed, make, chain):
    bed.trust("list.test")
    one, text = forwarded(make.__name__)
    reply = bed.send(make(bed, text))
    assert reply.code == 550 and reply.text.startswith("5.7.26 ")
    assert bed.row(one)["arc"] == chain


def test_a_chain_of_trusted_hosts(bed):
    bed.trust("list.test", "other.test")
    one, text = forwarded("both")
    assert bed.send(stranger_on_top(bed, text)).code == 250
    assert "policy.arc-sealer=list.test" in bed.left(one)

"""Authentication through a real Postfix: SPF of both names, DMARC to the end with its reasons, what is said of it
in Authentication-Results and kept in SQL for reports."""
import base64
import subprocess

import dkim
import pytest
from score_bed import RECORDS, SENDER, THIEF, ScoreBed
from stack.dns import txt
from stack.proc import wait_until
from test_score import header, mail, marker, names

REPORTS = "rua=mailto:dmarc@np.test"


def make_key(bits):
    """A private key, and the record of its public one."""
    pem = subprocess.run(["openssl", "genrsa", str(bits)], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem, capture_output=True, check=True).stdout
    return pem, "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()


class AuthBed(ScoreBed):
    keys = {"s1": make_key(1024), "weak": make_key(768)}
    records = [
        *RECORDS,
        txt("mail.bank.test.", "v=spf1 -all"), txt("soft.bank.test.", "v=spf1 ~all"),
        txt("helo.sender.test.", "v=spf1 a -all"), f"helo.sender.test. 60 A {SENDER}",
        txt("_dmarc.pct.test.", "v=DMARC1; p=reject; pct=0"), txt("pct.test.", "v=spf1 -all"),
        txt("_dmarc.mode.test.", "v=DMARC1; p=quarantine; t=y"),
        txt("_dmarc.np.test.", f"v=DMARC1; p=none; sp=quarantine; np=reject; fo=1:d; {REPORTS}"),
        f"real.np.test. 60 A {SENDER}", "six.np.test. 60 AAAA 2001:db8::7", "post.np.test. 60 MX 10 mail.sender.test.",
        txt("x.empty.np.test.", "below a name without records"),
        *(txt(f"{selector}._domainkey.sender.test.", record) for selector, (_, record) in keys.items()),
    ]

    def sign(self, text, selector="s1"):
        text = text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
        return (dkim.sign(text, selector.encode(), b"sender.test", self.keys[selector][0], identity=b"@sender.test",
                          include_headers=[b"From", b"Subject"]) + text).decode()

    def result(self, one, method):
        """What our field says of a method, in order."""
        value = header(self.left(one), "Authentication-Results")[0]
        return [part.strip() for part in value.split(";") if part.strip().startswith(f"{method}=")]

    def kept(self, one):
        """messages.auth of a message."""
        return wait_until(lambda: self.pg.value("SELECT auth FROM mail.messages WHERE message_id = %s", f"<{one}>"),
                          60, f"row of {one}")


@pytest.fixture(scope="module")
def bed():
    with AuthBed() as running:
        yield running


def send(bed, name, author="ann@sender.test", **options):
    """Send a message of that author; its id and the reply."""
    one = marker(name)
    return one, bed.send(mail(one, sender=author), **options)


def test_spf_of_the_host_name_too(bed):
    """RFC 7208 2.3: HELO is looked at beside MAIL FROM, and both are told."""
    one, reply = send(bed, "helo", helo="mail.bank.test")
    assert reply.code == 250
    assert bed.result(one, "spf") == ["spf=pass smtp.mailfrom=ann@sender.test", "spf=fail smtp.helo=mail.bank.test"]
    assert {"SPF_PASS", "SPF_HELO_FAIL"} <= names(bed.row(one))
    assert bed.kept(one)["spf"] == [{"domain": "sender.test", "scope": "mfrom", "result": "pass"},
                                    {"domain": "mail.bank.test", "scope": "helo", "result": "fail"}]
    for helo, result in (("soft.bank.test", "softfail"), ("helo.sender.test", "pass"), ("nothing.test", "none")):
        one, _ = send(bed, "helo", helo=helo)
        assert bed.result(one, "spf")[1] == f"spf={result} smtp.helo={helo}"
        assert "SPF_HELO_FAIL" not in names(bed.row(one))


def test_a_bounce_has_one_spf(bed):
    one, _ = send(bed, "bounce", sender="", helo="helo.sender.test")
    assert bed.result(one, "spf") == ["spf=pass smtp.helo=helo.sender.test"]
    assert bed.kept(one)["spf"] == [{"domain": "helo.sender.test", "scope": "helo", "result": "pass"}]
    one, _ = send(bed, "literal", helo=f"[{SENDER}]")
    assert len(bed.result(one, "spf")) == 1


def test_every_signature_is_told(bed):
    one = marker("signed")
    text = bed.sign(bed.sign(mail(one)).replace("Subject: ", "Subject:  ", 1))
    assert bed.send(text).code == 250
    first, second = bed.result(one, "dkim")
    assert first.startswith("dkim=pass header.d=sender.test header.i=@sender.test header.s=s1 header.a=rsa-sha256 header.b=")
    assert second.startswith("dkim=")
    assert "dmarc=pass header.from=sender.test policy.dmarc=none" in bed.result(one, "dmarc")
    assert bed.result(one, "iprev") == [f"iprev=pass policy.iprev={SENDER}"]
    assert f"smtp.remote-ip={SENDER}" in bed.result(one, "arc")[0]
    kept = bed.kept(one)
    assert {"domain": "sender.test", "selector": "s1", "result": "pass", "algorithm": "rsa-sha256"} in kept["dkim"]
    assert kept["evaluated"] == {"disposition": "none", "spf": "pass", "dkim": "pass", "asked": "reject"}
    assert "DKIM_WEAK_KEY" not in names(bed.row(one))


def test_a_weak_key_is_as_no_signature(bed):
    """RFC 8301 3.2: no pass below 1024 bits."""
    one = marker("weak")
    assert bed.send(bed.sign(mail(one), "weak")).code == 250
    assert bed.result(one, "dkim")[0].startswith('dkim=policy reason="RSA key below 1024 bits" header.d=sender.test')
    assert "DKIM_WEAK_KEY" in names(bed.row(one)) and "DKIM_PASS" not in names(bed.row(one))
    assert bed.kept(one)["evaluated"]["dkim"] == "fail"


def test_nobody_signed_and_no_name(bed):
    one, _ = send(bed, "bare", author="x@nothing.test", sender="x@nothing.test", source=THIEF, helo="nothing.test")
    assert bed.result(one, "dkim") == ["dkim=none"]
    assert bed.result(one, "dmarc") == ["dmarc=none header.from=nothing.test"]
    assert bed.result(one, "iprev") == [f"iprev=permerror policy.iprev={THIEF}"]
    assert "policy" not in bed.kept(one)


@pytest.mark.parametrize("domain, asked, disposition, reason, symbol", [
    ("pct.test", "reject", "quarantine", "sampled_out", "DMARC_FAIL_QUARANTINE"),
    ("mode.test", "quarantine", "none", "policy_test_mode", "DMARC_FAIL_NONE")])
def test_less_than_asked_has_its_reason(bed, domain, asked, disposition, reason, symbol):
    """RFC 7489 6.6.4: outside of pct the next milder policy holds."""
    one, reply = send(bed, "softer", author=f"ceo@{domain}")
    assert reply.code == 250
    assert bed.result(one, "dmarc") == [f'dmarc=fail reason="{reason}" header.from={domain} policy.dmarc={disposition}'
                                        f" policy.published={asked}"]
    assert symbol in names(bed.row(one))
    assert bed.kept(one)["evaluated"] == {"disposition": disposition, "spf": "fail", "dkim": "fail", "asked": asked,
                                          "reason": reason}


def test_subdomains_that_exist_and_that_do_not(bed):
    """RFC 9091 2.6: np is for names with neither A nor AAAA nor MX; the others have sp."""
    for name in ("ghost", "empty"):
        _, reply = send(bed, "np", author=f"ceo@{name}.np.test")
        assert reply.code == 550 and reply.text.startswith("5.7.26 "), name
    for name in ("real", "six", "post"):
        one, reply = send(bed, "sp", author=f"ceo@{name}.np.test")
        assert reply.code == 250, name
        assert bed.kept(one)["evaluated"]["disposition"] == "quarantine"
    one, reply = send(bed, "p", author="ceo@np.test")
    assert bed.kept(one)["policy"] == {"domain": "np.test", "p": "none", "sp": "quarantine", "np": "reject", "adkim": "r",
                                       "aspf": "r", "pct": 100, "fo": "1:d", "rua": "mailto:dmarc@np.test"}


def test_a_refusal_is_kept_for_the_report(bed):
    one, reply = send(bed, "refused", author="ceo@bank.test", source=THIEF)
    assert reply.code == 550
    assert bed.kept(one)["evaluated"] == {"disposition": "reject", "spf": "fail", "dkim": "fail", "asked": "reject"}
    row = bed.pg.sql("SELECT host(source_ip), header_from, envelope_from, policy_domain, result, disposition, reason"
                     " FROM mail.dmarc_results WHERE queue_id = %s", bed.row(one)["queue_id"])
    assert row == [(THIEF, "bank.test", "ann@sender.test", "bank.test", "fail", "reject", None)]
    bed.score.reload(dmarc_reject="dry-run")
    try:
        def is_let_in():
            two, answer = send(bed, "dry", author="ceo@bank.test")
            return two if answer.code == 250 else None
        two = wait_until(is_let_in, what="the dry run")
        assert bed.kept(two)["evaluated"] == {"disposition": "none", "spf": "fail", "dkim": "fail", "asked": "reject",
                                              "reason": "local_policy"}
    finally:
        bed.score.reload(dmarc_reject="reject")


def override(bed, domain, disposition):
    bed.pg.sql("DELETE FROM mail.dmarc_overrides")
    bed.pg.sql("INSERT INTO mail.dmarc_overrides (domain, disposition) VALUES (%s, %s)", domain, disposition)
    generation = bed.pg.value("SELECT mail.generation()")
    wait_until(lambda: bed.score.lines(f"generation={generation}"), what="the snapshot with the override")


def test_the_admin_may_do_otherwise(bed):
    """RFC 7489 6.7: local policy, with its reason."""
    try:
        override(bed, "Bank.test", "quarantine")
        one, reply = send(bed, "local", author="ceo@bank.test")
        assert reply.code == 250
        assert bed.result(one, "dmarc") == ['dmarc=fail reason="local_policy" header.from=bank.test policy.dmarc=quarantine'
                                            " policy.published=reject"]
        assert "DMARC_FAIL_QUARANTINE" in names(bed.row(one))
        assert bed.kept(one)["evaluated"]["reason"] == "local_policy"
        override(bed, ".np.test", "none")
        assert send(bed, "local", author="ceo@ghost.np.test")[1].code == 250
        assert send(bed, "local", author="ceo@bank.test")[1].code == 550
        override(bed, ".bank.test", "none")
        assert send(bed, "local", author="ceo@bank.test")[1].code == 550
        override(bed, "np.test", "reject")
        assert send(bed, "local", author="ceo@np.test")[1].code == 550
        override(bed, "sender.test", "reject")
        assert send(bed, "local")[1].code == 250  # it passes
    finally:
        bed.pg.sql("DELETE FROM mail.dmarc_overrides")

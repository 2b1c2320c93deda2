"""TLS between the edge and the inner server: STARTTLS before XCLIENT, the certificate checked, and
never a word about a client without it."""
import pytest
from engine_bed import XCLIENT, EngineBed
from origin_bed import INNER_LINK, INNER_SERVICES, OPTIONS, SENDER, SENDER6
from stack.clients import message
from stack.netns import run
from stack.proc import wait_until

KEY = "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"
CERTIFICATES = {  # name: subjectAltName, days
    "good": (f"DNS:inner.example.test,IP:{INNER_LINK}", 30),
    "other": ("DNS:other.example.test", 30),
    "late": ("DNS:inner.example.test", 0),
    "part": ("DNS:in*.example.test", 30),
}
PORTS = {name: 2660 + i for i, name in enumerate(CERTIFICATES)}
PLAIN_PORT, OLD_PORT = 2670, 2671


class TlsBed(EngineBed):
    def _prepare(self):
        super()._prepare()
        self.pki = self.root / "pki"
        self.pki.mkdir()
        run("openssl", "req", "-x509", *KEY, "-days", "90", "-subj", "/CN=Test CA", "-keyout",
            self.pki / "ca.key", "-out", self.pki / "ca.pem")
        (self.pki / "ca.pem").chmod(0o644)
        services = []
        for name, (names, days) in CERTIFICATES.items():
            self._certificate(name, names, days)
            services.append(self._service(PORTS[name], name, "encrypt"))
        services += [self._service(OLD_PORT, "good", "encrypt -o smtpd_tls_mandatory_protocols=TLSv1.1"),
                     f"{INNER_LINK}:{PLAIN_PORT} inet n - y - - smtpd {OPTIONS} {XCLIENT}"]
        self.inner_services = INNER_SERVICES + services

    def _certificate(self, name, names, days):
        request, extra = self.pki / f"{name}.csr", self.pki / f"{name}.ext"
        extra.write_text(f"subjectAltName={names}\n")
        run("openssl", "req", *KEY, "-subj", f"/CN={name}", "-keyout", self.pki / f"{name}.key",
            "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.pki / "ca.pem", "-CAkey",
            self.pki / "ca.key", "-CAcreateserial", "-days", days, "-extfile", extra, "-out",
            self.pki / f"{name}.pem")

    def _service(self, port, name, level):
        return (f"{INNER_LINK}:{port} inet n - y - - smtpd {OPTIONS} {XCLIENT}"
                f" -o smtpd_tls_security_level={level} -o smtpd_tls_loglevel=1"
                f" -o smtpd_tls_cert_file={self.pki}/{name}.pem"
                f" -o smtpd_tls_key_file={self.pki}/{name}.key")


@pytest.fixture(scope="module")
def bed():
    with TlsBed() as running:
        yield running
        assert running.origin.process.stop() == 0


def speak_tls(bed, port, name="inner.example.test", **more):
    bed.reload_origin(**{"inner": f"{INNER_LINK}:{port}", "inner_tls": "yes", "inner_tls_name": name,
                         "inner_tls_ca": bed.pki / "ca.pem", "pool_size": "3", **more})


def send(bed, marker, source=SENDER):
    with bed.outside(source) as client:
        result = client.send(f"{marker}@sender.test", ["ann@example.test"], message(
            "ann@sender.test", "ann@example.test", message_id=f"{marker}@sender.test",
            body=("x" * 70 + "\r\n") * 3000))
    return result


@pytest.mark.parametrize("pool_size", ["3", "0"])
def test_the_origin_goes_inside_over_tls(bed, pool_size):
    speak_tls(bed, PORTS["good"], pool_size=pool_size)
    start = bed.inner.log_size()
    for source in (SENDER, SENDER6, SENDER):
        marker = f"tls{pool_size}{len(source)}"
        assert send(bed, marker, source)["data"].code == 250
        bed.delivered("ann", f"{marker}@sender.test")
        assert bed.policy.asked(f"{marker}@sender.test")["client_address"] == source
    established = bed.inner.lines("TLS connection established from edge.example.test", start=start)
    assert len(established) >= 3 and all("TLSv1.3" in line for line in established)


def test_what_waits_in_store_speaks_tls_too(bed):
    start = bed.inner.log_size()
    speak_tls(bed, PORTS["good"])
    wait_until(lambda: len(bed.inner.lines("TLS connection established", start=start)) == 3)


def test_the_certificate_may_be_for_the_address(bed):
    speak_tls(bed, PORTS["good"], name="")
    assert send(bed, "byaddress")["data"].code == 250


@pytest.mark.parametrize("pool_size", ["3", "0"])
@pytest.mark.parametrize("port,name,ca", [
    (PORTS["other"], "inner.example.test", "ca.pem"),  # another's name
    (PORTS["good"], "inner", "ca.pem"),
    (PORTS["good"], "192.0.2.1", "ca.pem"),
    (PORTS["late"], "inner.example.test", "ca.pem"),  # not valid any more
    (PORTS["part"], "inner.example.test", "ca.pem"),  # half a wildcard
    (PORTS["good"], "inner.example.test", "good.pem"),  # signed by somebody else
    (PORTS["good"], "inner.example.test", ""),  # not known to the system
    (OLD_PORT, "inner.example.test", "ca.pem"),  # TLS 1.1
    (PLAIN_PORT, "inner.example.test", "ca.pem"),  # no STARTTLS
], ids=["name", "short", "address", "late", "wildcard", "signer", "system", "old", "plain"])
def test_without_proof_nothing_is_said(bed, port, name, ca, pool_size):
    speak_tls(bed, port, name, inner_tls_ca=bed.pki / ca if ca else "", pool_size=pool_size)
    start = bed.inner.log_size()
    result = send(bed, "unproved")
    assert result["mail"].code == 451
    assert "cause=tls" in bed.origin.lines("action=defer")[-1]
    assert not bed.inner.lines(f"[{SENDER}]", start=start)
    assert not bed.inner.lines("xclient", start=start)


def test_an_authority_that_cannot_be_read_keeps_the_old_settings(bed):
    speak_tls(bed, PORTS["good"])
    before = len(bed.origin.lines("action=keep_old"))
    bed.origin.reload(inner_tls_ca="/nonexistent.pem")
    wait_until(lambda: len(bed.origin.lines("action=keep_old")) > before)
    assert bed.origin.lines("inner_tls_ca")
    assert send(bed, "oldsettings")["data"].code == 250

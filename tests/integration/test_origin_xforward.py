"""What the relay's other two ways in stand on, shown of the stock Postfix that runs here: its LMTP
client sends XFORWARD over a unix socket, and smtpd_proxy_filter takes one. Nothing of ours runs."""
import contextlib
import pwd
import shutil
import socket
import threading

import pytest
from stack.bed import Bed
from stack.clients import SmtpClient, message
from stack.dns import Dns, reverse
from stack.netns import wire
from stack.postfix import Postfix
from stack.proc import wait_until

EDGE, NAMESERVER, NAMED, NAMELESS = ("198.51.100.25", "198.51.100.53", "198.51.100.7",
                                     "198.51.100.8")
NAMED6, EDGE6 = "2001:db8::7", "2001:db8::25"
OFFERS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES",
          "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")

EDGE_MAIN = f"""myhostname = mx.example.test
inet_interfaces = {EDGE}, {EDGE6}
mynetworks =
relay_domains = example.test
smtpd_relay_restrictions = reject_unauth_destination
relay_transport = postward:unix:recorder/lmtp.sock
smtpd_peername_lookup = yes
"""
SERVICES = [
    f"{EDGE}:smtp inet n - y - - smtpd", f"[{EDGE6}]:smtp inet n - y - - smtpd",
    f"{EDGE}:2525 inet n - y - - smtpd -o smtpd_proxy_filter=unix:recorder/smtp.sock",
    "postward unix - - y - - lmtp -o lmtp_send_xforward_command=yes",
]


class Recorder:
    """An LMTP or SMTP server on a unix socket that takes everything and keeps what it is told."""

    def __init__(self, path, greeting):
        self.commands, self.messages, self.peers, self._greeting = [], [], [], greeting
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o660)
        shutil.chown(path, None, "postfix")
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.peers.append(near.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        commands, recipients = [], 0
        self.commands.append(commands)
        with near, near.makefile("rb") as lines, contextlib.suppress(OSError):
            say = lambda text: near.sendall(text.encode() + b"\r\n")
            say("220 recorder")
            for line in lines:
                commands.append(line.decode().rstrip("\r\n"))
                verb = line.split()[0].upper()
                if verb in (b"LHLO", b"EHLO"):
                    say("\r\n".join(f"250-{o}" for o in ("recorder", *OFFERS)) + "\r\n250 SIZE")
                elif verb == b"DATA":
                    say("354 go")
                    self.messages.append(self._data(lines))
                    for _ in range(recipients if self._greeting == "LHLO" else 1):
                        say("250 2.0.0 Ok: in the words of the recorder")
                    recipients = 0
                elif verb == b"QUIT":
                    say("221 bye")
                    return
                else:
                    recipients += verb == b"RCPT"
                    say("250 2.1.0 Ok")

    @staticmethod
    def _data(lines):
        out = []
        for line in lines:
            if line == b".\r\n":
                break
            out.append(line)
        return b"".join(out)

    def close(self):
        self._listener.close()


class XforwardBed(Bed):
    parts = ("edge", "lmtp", "smtp", "dns")

    def _start(self):
        self.net, self.edge_ns = self.namespace("net"), self.namespace("edge")
        for ns in (self.net, self.edge_ns):
            ns.create(NAMESERVER, f"{EDGE} mx.example.test\n")
        wire(self.net, "pub", self.edge_ns, "pub")
        self.net.address("pub", f"{NAMESERVER}/24", f"{NAMED}/24", f"{NAMELESS}/24", f"{NAMED6}/64")
        self.edge_ns.address("pub", f"{EDGE}/24", f"{EDGE6}/64")
        self.dns = Dns(self.root / "dns", self.net, NAMESERVER).start([
            *(f"{reverse(a)} 60 PTR mail.sender.test." for a in (NAMED, NAMED6)),
            f"mail.sender.test. 60 A {NAMED}", f"mail.sender.test. 60 AAAA {NAMED6}"])
        self.edge = Postfix(self.root / "edge", self.edge_ns).create(EDGE_MAIN, SERVICES)
        folder = self.edge.socket_folder("recorder", 0)
        self.lmtp = Recorder(folder / "lmtp.sock", "LHLO")
        self.smtp = Recorder(folder / "smtp.sock", "EHLO")
        self.edge.start()

    def client(self, source=NAMED, port=25):
        return SmtpClient(self.net, EDGE6 if ":" in source else EDGE, port, source=source)


@pytest.fixture(scope="module")
def bed():
    with XforwardBed() as running:
        yield running


def mail(marker):
    return message("ann@sender.test", "ann@example.test", message_id=marker)


def heard(recorder, marker):
    """The commands of the session that a message came by, and the message."""
    wait_until(lambda: any(marker.encode() in m for m in recorder.messages), what=marker)
    return recorder.commands[-1], [m for m in recorder.messages if marker.encode() in m][0]


def xforward(commands):
    """What XFORWARD said in sum, and how many commands it took."""
    lines = [c.split()[1:] for c in commands if c.startswith("XFORWARD ")]
    return dict(pair.split("=", 1) for line in lines for pair in line), len(lines)


def test_the_queue_sends_xforward_over_a_unix_socket(bed):
    with bed.client() as client:
        result = client.send("ann@sender.test", ["ann@example.test"], mail("q1@sender.test"))
    queue_id = result["data"].text.split()[-1]
    commands, _ = heard(bed.lmtp, "q1@sender.test")
    facts, _ = xforward(commands)
    assert facts == {"NAME": "mail.sender.test", "ADDR": NAMED, "PORT": facts["PORT"],
                     "PROTO": "ESMTP", "HELO": "mail.sender.test", "IDENT": queue_id,
                     "SOURCE": "REMOTE"}
    assert int(facts["PORT"]) > 0
    assert commands[0].startswith("LHLO ")


def test_ipv6_client_of_the_queue(bed):
    with bed.client(NAMED6) as client:
        client.send("ann@sender.test", ["ann@example.test"], mail("q6@sender.test"))
    facts, _ = xforward(heard(bed.lmtp, "q6@sender.test")[0])
    assert facts["ADDR"] == f"IPv6:{NAMED6}" and facts["NAME"] == "mail.sender.test"


def test_no_name_is_no_attribute(bed):
    with bed.client(NAMELESS) as client:
        client.send("ann@sender.test", ["ann@example.test"], mail("q2@sender.test"))
    facts, _ = xforward(heard(bed.lmtp, "q2@sender.test")[0])
    assert "NAME" not in facts and facts["ADDR"] == NAMELESS


def send_locally(bed, marker):
    bed.edge.sendmail(mail(marker).replace("\r\n", "\n").encode(), "-f", "cron@mx.example.test",
                      "ann@example.test")


def test_mail_born_on_the_edge_has_no_address(bed):
    send_locally(bed, "q3@sender.test")
    facts, _ = xforward(heard(bed.lmtp, "q3@sender.test")[0])
    assert facts == {"SOURCE": "LOCAL"}


def test_one_cached_session_carries_several_origins(bed):
    """And mail born on the edge among them, of which nothing is said but that."""
    before = len(bed.lmtp.commands)
    bed.edge.hold("postward")
    for number, source in enumerate((NAMED, NAMED6, NAMELESS) * 5):
        with bed.client(source) as client:
            client.send("ann@sender.test", ["ann@example.test"], mail(f"c{number}@sender.test"))
        send_locally(bed, f"l{number}@sender.test")
    bed.edge.release()
    for number in range(15):
        heard(bed.lmtp, f"c{number}@sender.test")
        heard(bed.lmtp, f"l{number}@sender.test")
    sessions = [[c for c in commands if c.startswith(("XFORWARD", "MAIL"))]
                for commands in bed.lmtp.commands[before:]]
    assert any(sum(c.startswith("MAIL") for c in session) > 1 for session in sessions)
    for session in sessions:
        for number, command in enumerate(session):
            if command.startswith("MAIL"):  # each message says anew where it is from
                told = session[number - 1]
                assert told.endswith("SOURCE=REMOTE") or told == "XFORWARD SOURCE=LOCAL"


def test_the_proxy_filter_takes_a_unix_socket(bed):
    with bed.client(port=2525) as client:
        result = client.send("ann@sender.test", ["ann@example.test", "bob@example.test"],
                             mail("p1@sender.test"))
    assert result["data"].text == "2.0.0 Ok: in the words of the recorder"
    commands, text = heard(bed.smtp, "p1@sender.test")
    assert text.startswith(b"Received: from mail.sender.test ")
    facts, count = xforward(commands)
    assert count == 1 and facts["ADDR"] == NAMED and facts["NAME"] == "mail.sender.test"
    assert facts["HELO"] == "mail.sender.test" and facts["PROTO"] == "ESMTP"


def test_only_postfix_speaks_to_the_sockets(bed):
    uid = pwd.getpwnam("postfix").pw_uid
    for packed in bed.lmtp.peers + bed.smtp.peers:
        assert int.from_bytes(packed[4:8], "little") == uid

"""The edge of origin_bed.py with postward-origin behind Postfix's queue and as its proxy filter
instead of as a milter."""
import socket

from origin_bed import EDGE, EDGE6, EDGE_LINK, EDGE_MAIN, SENDER, SENDER6, OriginBed
from stack.clients import SmtpClient
from stack.dns import txt
from stack.proc import wait_until

PROXY = 2525  # the port of the edge with smtpd_proxy_filter
PROXY_OPTIONS = "-o smtpd_proxy_filter=unix:origin/proxy.sock -o smtpd_proxy_timeout=300s"
HOLD = "127.0.0.1:10027"
# ends of a message to one server or another, but to none that reads RFC 5321
LOOK_ALIKES = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r",
               b"\n\r.\r\n", b"\r\n\0.\r\n"]


class Lmtp:
    """Postfix's LMTP client, played by hand (by root, who may)."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def reply(self):
        """The next reply, lines joined."""
        lines = []
        while not lines or lines[-1][3:4] == "-":
            lines.append(self._lines.readline().decode().rstrip("\r\n"))
            if not lines[-1]:
                raise EOFError("hung up")
        return "\n".join(lines)

    def say(self, data):
        self._socket.sendall(data if isinstance(data, bytes) else data.encode())

    def ask(self, line):
        self.say(line + "\r\n")
        return self.reply()

    def send(self, xforward, sender, recipients, text):
        """A message in one go, as Postfix pipelines it: what is said of each recipient."""
        self.say("LHLO mx.example.test\r\n")
        group = [f"XFORWARD {xforward}", f"MAIL FROM:<{sender}>",
                 *(f"RCPT TO:<{r}>" for r in recipients), "DATA"]
        self.say("".join(line + "\r\n" for line in group))
        replies = [self.reply() for _ in range(len(group) + 2)]  # greeting and LHLO's
        if not replies[-1].startswith("354"):
            return replies[-1:] * len(recipients)
        self.say((text if isinstance(text, bytes) else text.encode()) + b"\r\n.\r\n")
        return [self.reply() for _ in recipients]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()


class QueueBed(OriginBed):
    """Port 25 of the edge takes everything and queues it; port PROXY asks the inner live. SPF of
    sender.test knows mail.sender.test, but not LIAR."""
    # without the tunnel's address: Postfix's processes end when an interface they name is gone
    edge_main = EDGE_MAIN.replace("smtpd_milters = unix:origin/origin.sock\n", "").replace(
        f", {EDGE_LINK}", ", 127.0.0.1") + """
relay_transport = postward:unix:origin/queue.sock
notify_classes =
transport_retry_time = 2s
service_throttle_time = 1s
"""
    edge_services = [
        f"{EDGE}:{PROXY} inet n - y - - smtpd {PROXY_OPTIONS}",
        f"[{EDGE6}]:{PROXY} inet n - y - - smtpd {PROXY_OPTIONS}",
        f"{HOLD} inet n - y - - smtpd -o smtpd_milters="
        " -o smtpd_authorized_xforward_hosts=127.0.0.1 -o mynetworks=127.0.0.1/32 -o smtpd_relay_restrictions=permit_mynetworks,reject"
        " -o smtpd_recipient_restrictions=check_recipient_access,static:HOLD",
        "postward unix - - y - - lmtp -o lmtp_send_xforward_command=yes"
        " -o lmtp_line_length_limit=0"]

    def _prepare(self):
        folder = self.root / "edge/spool/origin"
        self.origin_settings = {"queue_socket": f"unix:{folder}/queue.sock",
                                "proxy_socket": f"unix:{folder}/proxy.sock",
                                "drain_deadline": "30s", "hold_listener": HOLD}
        self.dns.add(txt("sender.test.", f"v=spf1 ip4:{SENDER} ip6:{SENDER6} -all"))

    def outside(self, source=SENDER, port=25, **options):
        host = EDGE6 if ":" in source else EDGE
        return SmtpClient(self.net, host, port, source=source, **options)

    def start_again(self):
        """After SIGKILL: the sockets of the process before are there still."""
        before = len(self.origin.lines("event=started"))
        self.origin.start()
        wait_until(lambda: len(self.origin.lines("event=started")) > before, what="postward-origin")

    def lmtp(self):
        return Lmtp(self.root / "edge/spool/origin/queue.sock")

    def held(self):
        """Messages on hold on the edge, as text with their envelope."""
        return [self.edge.ns.run("postcat", "-c", self.edge.etc, file)
                for file in (self.edge.spool / "hold").rglob("*") if file.is_file()]

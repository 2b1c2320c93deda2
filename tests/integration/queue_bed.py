"""The edge of origin_bed.py with postward-origin behind Postfix's queue and as its proxy filter
instead of as a milter."""
from origin_bed import EDGE, EDGE6, EDGE_LINK, EDGE_MAIN, SENDER, SENDER6, OriginBed
from stack.clients import SmtpClient
from stack.dns import txt
from stack.proc import wait_until

PROXY = 2525  # the port of the edge with smtpd_proxy_filter
PROXY_OPTIONS = "-o smtpd_proxy_filter=unix:origin/proxy.sock -o smtpd_proxy_timeout=300s"
HOLD = "127.0.0.1:10027"


class QueueBed(OriginBed):
    """Port 25 of the edge takes everything and queues it; port PROXY asks the inner live. SPF of
    sender.test knows mail.sender.test, but not LIAR."""
    # without the tunnel's address: Postfix's processes end when an interface they name is gone
    edge_main = EDGE_MAIN.replace("smtpd_milters = unix:origin/origin.sock\n", "").replace(
        f", {EDGE_LINK}", ", 127.0.0.1") + """
relay_transport = postward:unix:origin/queue.sock
notify_classes =
"""
    edge_services = [
        f"{EDGE}:{PROXY} inet n - y - - smtpd {PROXY_OPTIONS}",
        f"[{EDGE6}]:{PROXY} inet n - y - - smtpd {PROXY_OPTIONS}",
        f"{HOLD} inet n - y - - smtpd -o smtpd_authorized_xforward_hosts=127.0.0.1"
        " -o mynetworks=127.0.0.1/32 -o smtpd_relay_restrictions=permit_mynetworks,reject"
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

    def held(self):
        """Messages on hold on the edge, as text with their envelope."""
        return [self.edge.ns.run("postcat", "-c", self.edge.etc, file)
                for file in (self.edge.spool / "hold").rglob("*") if file.is_file()]

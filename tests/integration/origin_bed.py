"""An edge Postfix with postward-origin and an inner Postfix, nothing else: what tests of the
relay need. The inner host delivers into maildirs that the tests read."""
import os

from stack.bed import Bed
from stack.clients import SmtpClient
from stack.dns import Dns, reverse
from stack.netns import wire
from stack.postfix import Postfix
from stack.postward import PROGRAMS, Program
from stack.proc import wait_until

EDGE, EDGE6, EDGE_LINK, INNER_LINK = "198.51.100.25", "2001:db8::25", "10.9.0.1", "10.9.0.2"
NAMESERVER, SENDER, SENDER6, LIAR = ("198.51.100.53", "198.51.100.7", "2001:db8::7",
                                     "198.51.100.8")
MAIL_UID = 61010

EDGE_MAIN = f"""myhostname = mx.example.test
inet_interfaces = {EDGE}, {EDGE6}, {EDGE_LINK}
mynetworks =
relay_domains = example.test
smtpd_relay_restrictions = reject_unauth_destination
smtpd_milters = unix:origin/origin.sock
in_flow_delay = 0
smtpd_peername_lookup = yes
"""
INNER_MAIN = f"""myhostname = inner.example.test
inet_interfaces = {INNER_LINK}
mynetworks =
virtual_mailbox_domains = example.test
virtual_mailbox_base = {{mail}}
virtual_mailbox_maps = inline:{{{{ {{{{ann@example.test = ann/}}}} {{{{bob@example.test = bob/}}}}
  {{{{percent@example.test = x/}}}} {{{{later@example.test = x/}}}} {{{{shut@example.test = x/}}}} }}}}
virtual_uid_maps = static:{MAIL_UID}
virtual_gid_maps = static:{MAIL_UID}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{{{{
  {{{{percent@example.test = 550 5.7.1 100% no}}}} {{{{later@example.test = 450 4.7.1 come back}}}}
  {{{{shut@example.test = 421 4.7.0 leaving}}}} }}}}
smtpd_sender_restrictions = check_sender_access inline:{{{{
  {{{{nobody@sender.test = 554 5.7.1 not you}}}} {{{{hold@sender.test = HOLD}}}} }}}}
smtpd_end_of_data_restrictions = check_sender_access inline:{{{{
  {{{{spam@sender.test = 550 5.7.1 spam: 100% sure}}}}
  {{{{slow@sender.test = 451 4.7.1 busy}}}} {{{{dawdle@sender.test = sleep 12}}}}
  {{{{ponder@sender.test = sleep 30}}}} }}}}
smtpd_reject_footer = Ask postmaster
"""
OPTIONS = "-o smtpd_sasl_auth_enable=no -o smtpd_relay_restrictions=reject_unauth_destination"
INNER_SERVICES = [
    f"{INNER_LINK}:smtp inet n - y - - smtpd {OPTIONS}"
    f" -o smtpd_authorized_xclient_hosts={EDGE_LINK}",
    # does not trust the edge
    f"{INNER_LINK}:2626 inet n - y - - smtpd {OPTIONS}",
    # speaks IPv4 only: refuses an IPv6 origin with 501
    f"{INNER_LINK}:2627 inet n - y - - smtpd {OPTIONS} -o inet_protocols=ipv4"
    f" -o smtpd_authorized_xclient_hosts={EDGE_LINK}",
    # gives up on an idle session soon
    f"{INNER_LINK}:2628 inet n - y - - smtpd {OPTIONS} -o smtpd_timeout=3s"
    f" -o smtpd_authorized_xclient_hosts={EDGE_LINK}",
]
HOSTS = f"{EDGE} mx.example.test\n{EDGE_LINK} edge.example.test\n{INNER_LINK} inner.example.test\n"


class OriginBed(Bed):
    parts = ("edge", "inner", "origin", "dns")
    # what a bed of more adds; {mail} and the like are filled in
    edge_main, inner_main, edge_services, inner_services = EDGE_MAIN, INNER_MAIN, [], INNER_SERVICES
    origin_settings = {}

    def _prepare(self):
        """Before the servers start; for what their settings name."""

    def _hosts(self):
        """Three hosts, their names, and a folder for the inner one's mail."""
        self.net, self.edge_ns, self.inner_ns = map(self.namespace, ("net", "edge", "inner"))
        self._network()
        self._name_server()
        self.mail = self.root / "mail"
        self.mail.mkdir()
        os.chown(self.mail, MAIL_UID, MAIL_UID)

    def _start(self):
        self._hosts()
        self._prepare()
        self.inner = Postfix(self.root / "inner", self.inner_ns).create(
            self.inner_main.format(mail=self.mail), self.inner_services)
        self.edge = Postfix(self.root / "edge", self.edge_ns).create(self.edge_main, [
            f"{EDGE}:smtp inet n - y - - smtpd", f"[{EDGE6}]:smtp inet n - y - - smtpd",
            f"{EDGE_LINK}:smtp inet n - y - - smtpd", *self.edge_services])
        socket = self.edge.socket_folder("origin", PROGRAMS["postward-origin"][0]) / "origin.sock"
        self.origin = Program("postward-origin", self.root / "conf", self.edge_ns,
                              {"socket": f"unix:{socket}", "inner": f"{INNER_LINK}:25",
                               "trace_name": "mx.example.test", **self.origin_settings},
                              [socket])
        self.socket = socket
        for part in (self.origin, self.inner, self.edge):
            part.start()

    def _name_server(self):
        self.dns = Dns(self.root / "dns", self.net, NAMESERVER).start(
            [f"{reverse(a)} 60 PTR {name}"
             for a, name in ((SENDER, "mail.sender.test."), (SENDER6, "mail.sender.test."),
                             (LIAR, "liar.sender.test."))]
            + [f"mail.sender.test. 60 A {SENDER}", f"mail.sender.test. 60 AAAA {SENDER6}",
               "liar.sender.test. 60 A 198.51.100.99"])

    def _network(self):
        for ns in (self.net, self.edge_ns, self.inner_ns):
            ns.create(NAMESERVER, HOSTS)
        wire(self.net, "pub", self.edge_ns, "pub")
        wire(self.edge_ns, "vpn", self.inner_ns, "vpn")
        self.net.address("pub", f"{NAMESERVER}/24", f"{SENDER}/24", f"{LIAR}/24",
                         f"{SENDER6}/64")
        self.edge_ns.address("pub", f"{EDGE}/24", f"{EDGE6}/64")
        self.edge_ns.address("vpn", f"{EDGE_LINK}/24")
        self.inner_ns.address("vpn", f"{INNER_LINK}/24")

    def outside(self, source=SENDER, **options):
        host = EDGE6 if ":" in source else EDGE
        return SmtpClient(self.net, host, source=source, **options)

    def delivered(self, user, marker, timeout_s=30):
        """The message of a user that holds marker, as bytes with LF line ends."""
        def find():
            for file in (self.mail / user / "new").glob("*"):
                if marker.encode() in file.read_bytes():
                    return file.read_bytes()
            return None
        return wait_until(find, timeout_s, f"{marker} delivered to {user}")

    def reload_origin(self, **changes):
        before = len(self.origin.lines("event=reloaded"))
        self.origin.reload(**changes)
        wait_until(lambda: len(self.origin.lines("event=reloaded")) > before, what="reload")

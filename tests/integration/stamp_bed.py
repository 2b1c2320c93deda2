"""OriginBed, and on its inner host postward-origin in role inner, behind listeners that take no
XCLIENT: 2630 believes the edge's stamps, the one on 2631 of another daemon has patience for a
second only; 2632 does take XCLIENT."""
from origin_bed import EDGE_LINK, INNER_LINK, INNER_SERVICES, OPTIONS, OriginBed
from stack.clients import SmtpClient
from stack.postward import PROGRAMS, Program
from stamps import Key, stamp, stamped, write_keys

VERIFY, STRICT, XCLIENT = 2630, 2631, 2632
UID = PROGRAMS["postward-origin"][0]


def listener(port, *milters):
    """A line of the inner host's master.cf."""
    milters = ",".join(f"unix:{m}" for m in milters)
    return f"{INNER_LINK}:{port} inet n - y - - smtpd {OPTIONS} -o smtpd_milters={milters}"


class StampBed(OriginBed):
    parts = ("edge", "inner", "origin", "verify", "strict", "dns")
    inner_services = [*INNER_SERVICES, listener(VERIFY, "verify/verify.sock"),
                      listener(XCLIENT, "verify/verify.sock")
                      + f" -o smtpd_authorized_xclient_hosts={EDGE_LINK}",
                      listener(STRICT, "verify/strict.sock")]

    def _start(self):
        super()._start()
        self.key = Key()
        self.keys = self.root / "origin.keys"
        write_keys(self.keys, [self.key], UID)
        folder = self.inner.socket_folder("verify", UID)
        self.verify = self._daemon("inner", folder / "verify.sock")
        self.strict = self._daemon("strict", folder / "strict.sock", stamp_patience="1s")

    def _daemon(self, name, socket, **more):
        daemon = Program("postward-origin", self.root / name, self.inner_ns,
                         {"role": "inner", "socket": f"unix:{socket}", "stamp_keys": self.keys,
                          "trusted_edges": EDGE_LINK, **more}, [socket])
        daemon.start()
        return daemon

    def from_edge(self, port=VERIFY, **options):
        """A session of the edge's queue with the inner host."""
        return SmtpClient(self.edge_ns, INNER_LINK, port=port, source=EDGE_LINK,
                          helo="mx.example.test", **options)

    def send(self, text, recipients=("ann@example.test",), sender="ann@sender.test", port=VERIFY):
        """One message as it is; the reply to its final dot."""
        with self.from_edge(port) as client:
            return client.send(sender, recipients, text)["data"]

    def send_stamped(self, message, recipients=("ann@example.test",), port=VERIFY, key=None,
                     stamp_sender="ann@sender.test", stamp_recipients=None, **how):
        """One stamped message; the reply to its final dot, and what was sent."""
        value = stamp(key or self.key, message, stamp_sender, stamp_recipients or recipients,
                      **how)
        text = stamped(value, message)
        return self.send(text, recipients, port=port), text

"""A mail host on a whole machine (or an edge and an inner one), set up as an admin does, with the
Internet of the tests around it."""
import contextlib
import shlex
import shutil
import types

from stack import dns as zone
from stack.clients import Sink
from stack.dns import Dns
from stack.host import MailHost
from stack.proc import wait_until
from stack.world import (EDGE, EDGE6, INNER_LINK, NAMESERVER, SENDER, SENDER6, SINK, THIEF, records)

from .machine import SURROUNDINGS
from .network import Network
from .services import Dovecot, Postfix, Postgres, Program

INTERNET = [f"{a}/24" for a in (NAMESERVER, SENDER, THIEF, SINK)] + [f"{SENDER6}/64",
                                                                    "2001:db8::8/64"]
INNER_PUBLIC = "198.51.100.40"  # what the inner host opens the tunnel from; it listens to nothing there
SINGLE = "postward-score", "postward-dkim", "postward-policyd"


class Surroundings(MailHost):
    """The Internet around machines. They are stopped at the end, and stay."""

    def __init__(self, *machines):
        super().__init__()
        self.machines = machines
        self.root = SURROUNDINGS / machines[0].name
        self.network = Network(f"{machines[0].name}-net", NAMESERVER, INTERNET)
        self.net = self.network.ns

    # life

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self, **options):
        self.root.mkdir(parents=True)
        self.network.create()
        self.dns = Dns(self.root / "dns", self.net, NAMESERVER)
        self.dns.start([*records(), zone.txt(*self.signer.record())])
        self.sink = Sink(self.net, SINK)
        self.boot(**options)
        return self

    def boot(self, **options):
        """Boot the machines; their options."""
        raise NotImplementedError

    def stop(self):
        for machine in self.machines:
            machine.stop()
        if self.sink:
            self.sink.close()
        if self.dns:
            self.dns.stop()
        self.network.remove()
        shutil.rmtree(self.root, ignore_errors=True)

    # what tests do

    def mail_machine(self):
        """Where mailboxes and database are."""
        return self.machines[-1]

    def ctl(self, *args, **_):
        return self.mail_machine().run(f"postwardctl {shlex.join(args)}")

    def furnish(self):
        """What the story wants on top of what setup made."""
        for login in ("ann@example.test", "bob@example.test"):
            self.add_user(login)
        self.pg.sql("SELECT mail.add_alias('sales@example.test', 'ann@example.test')")
        self.publish()
        self.settle()
        return self

    def publish(self):
        """The keys' records, as SQL shows them to the admin, into the zone; who has no name servers that
        the host could ask says that they are there."""
        for name, value in self.pg.sql("SELECT name, value FROM mail.dns_records"
                                       " WHERE type = 'TXT' AND name LIKE '%%._domainkey.%%'"):
            self.publish_key(name, value)
        self.pg.sql("UPDATE mail.settings SET value = 'no' WHERE name = 'dkim_wait_for_dns'")
        wait_until(lambda: not self.pg.sql("SELECT id FROM mail.dkim_keys WHERE state IN ('pending', 'published')"),
                   what="keys that sign")


class MachineStack(Surroundings):
    """A single host. machine: with what is to be tried in it, not booted."""

    def __init__(self, machine):
        super().__init__(machine)
        self.machine = machine
        self.users_ns, self.users_host = self.net, EDGE
        self.edge = self.inner = Postfix(machine)
        self.pg, self.dovecot = Postgres(machine), Dovecot(machine)
        self.programs = {name: Program(machine, name) for name in SINGLE}

    def boot(self, **options):
        self.machine.boot(self.network, f"{EDGE} mx.example.test mx\n", f"{EDGE}/24", f"{EDGE6}/64",
                          **options)


class PairStack(Surroundings):
    """An edge and an inner host. Users' mail programs are where the inner host's VPN is."""

    def __init__(self, edge, inner):
        super().__init__(edge, inner)
        self.edge_machine, self.inner_machine = edge, inner
        self.users_ns, self.users_host = inner.ns, INNER_LINK
        self.edge, self.inner = Postfix(edge), Postfix(inner)
        self.pg, self.dovecot = Postgres(inner), Dovecot(inner)
        self.programs = {name: Program(inner, name) for name in SINGLE}
        self.programs["postward-origin"] = Program(edge, "postward-origin")

    def boot(self, **options):
        self.edge_machine.boot(self.network, f"{EDGE} mx.example.test mx\n", f"{EDGE}/24",
                               f"{EDGE6}/64", **options)
        self.inner_machine.boot(self.network, f"{INNER_PUBLIC} inner.example.test inner\n",
                                f"{INNER_PUBLIC}/24", **options)

    @contextlib.contextmanager
    def pass_users(self):
        """What docs/edge.md has set up passes them on."""
        yield types.SimpleNamespace(name="haproxy")

    def link_down(self):
        """The inner host's cable is out: what the tunnel carries goes nowhere, without a word."""
        self.net.ip("link", "set", self.inner_machine.port, "down")

    def link_up(self):
        self.net.ip("link", "set", self.inner_machine.port, "up")

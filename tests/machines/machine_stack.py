"""A mail host on a whole machine (or an edge and an inner one), set up as an admin does, with the
Internet of the tests around it."""
import shlex
import shutil
import tempfile
from pathlib import Path

from stack import dns as zone
from stack.clients import Sink
from stack.dns import Dns
from stack.host import MailHost
from stack.world import (EDGE, EDGE6, NAMESERVER, SENDER, SENDER6, SINK, THIEF, records)

from .network import Network
from .services import Dovecot, Postfix, Postgres, Program

INTERNET = [f"{a}/24" for a in (NAMESERVER, SENDER, THIEF, SINK)] + [f"{SENDER6}/64",
                                                                    "2001:db8::8/64"]
SINGLE = "postward-score", "postward-dkim", "postward-policyd"


class MachineStack(MailHost):
    """A single host. machine: a Root with what is to be tried in it, not booted; it is stopped at the
    end and stays."""

    def __init__(self, machine, tag="pwm"):
        super().__init__()
        self.machine = machine
        self.root = Path(tempfile.mkdtemp(prefix="postward-machines-"))
        self.root.chmod(0o755)
        self.network = Network(f"{tag}-{machine.name}"[-20:] + "-net", NAMESERVER, INTERNET)
        self.net = self.users_ns = self.network.ns
        self.users_host = EDGE
        self.edge = self.inner = Postfix(machine)
        self.pg, self.dovecot = Postgres(machine), Dovecot(machine)
        self.programs = {name: Program(machine, name) for name in SINGLE}

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
        self.network.create()
        self.dns = Dns(self.root / "dns", self.net, NAMESERVER)
        self.dns.start([*records(), zone.txt(*self.signer.record())])
        self.sink = Sink(self.net, SINK)
        self._boot(**options)
        return self

    def _boot(self, **options):
        self.machine.boot(self.network, f"{EDGE} mx.example.test mx\n", f"{EDGE}/24", f"{EDGE6}/64",
                          **options)

    def stop(self):
        self.machine.stop()
        if self.sink:
            self.sink.close()
        if self.dns:
            self.dns.stop()
        self.network.remove()
        shutil.rmtree(self.root, ignore_errors=True)

    # what tests do

    def ctl(self, *args, **_):
        return self.machine.run(f"postwardctl {shlex.join(args)}")

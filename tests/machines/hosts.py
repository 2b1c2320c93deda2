"""Machines with our packages at hand: apt has them from a folder in there, and what they depend on
from what was fetched before, for a booted machine reaches no mirror."""
import shlex

from .filelist import listing
from .machine import Machine
from .machine_stack import MachineStack
from .packages import packages

REPOSITORY = "/opt/packages"
LIST = "/etc/apt/sources.list.d/packages.list"
SETUP = "postwardctl setup --yes --role single --domain example.test"
# what a minimal root lacks of an installed Debian; libidn2-0 because libc6 recommends it, so that
# whoever brings it along does not take it away again
USUAL = "ca-certificates", "openssl", "procps", "libnss-systemd", "libidn2-0"


def provide(machine, version=None, release=None):
    """Our packages into a root that is not booted: all its apt knows of them."""
    machine.sh(f"rm -rf {REPOSITORY}")
    machine.copy_in(packages(release or machine.release, version), REPOSITORY)
    machine.write(LIST, f"deb [trusted=yes] file:{REPOSITORY} ./\n")
    machine.sh("apt-get update -qq")


def provide_booted(machine, version=None):
    """The same into a machine that is booted: what a mirror has from now on."""
    machine.run(f"rm -rf {REPOSITORY}")
    machine.copy_in(packages(machine.release, version), REPOSITORY)
    machine.run(f"apt-get update -qq -o Dir::Etc::sourcelist={LIST} -o Dir::Etc::sourceparts=-"
                " -o APT::Get::List-Cleanup=0")


def fresh(name, release, fetch=("postward",), version=None, hostname="mx.example.test", now=()):
    """A machine that is not booted. fetch: packages to be installed in there later; now: at once."""
    machine = Machine(name, release).create(hostname=hostname)
    provide(machine, version)
    machine.sh(f"apt-get install -y -qq --no-install-recommends {shlex.join([*USUAL, *now])}")
    machine.sh(f"apt-get install -y -qq --download-only {shlex.join(fetch)}")
    return machine


def install(machine, *what):
    """apt in the booted machine; what it said."""
    return machine.run(f"apt-get install -y {shlex.join(what)} 2>&1", timeout_s=900)


class Host:
    """A single host: what apt and setup said, and the stack around it while it is up. Use as a
    context manager."""

    def __init__(self, release):
        self.release = release
        self.machine = self.stack = self.before = None
        self.apt = self.setup = ""
        self.databases = []  # after apt, before setup
        self.passwords = {}  # of its users, also while it is down

    def __enter__(self):
        self.machine = fresh(f"pw-{self.release}", self.release)
        self.before = listing(self.machine)
        try:
            self.up()
            self.apt = install(self.machine, "postward")
            self.databases = [row[0] for row in self.stack.pg.sql(
                "SELECT datname FROM pg_database WHERE datname LIKE 'postward%%'", database="postgres")]
            self.setup = self.machine.run(SETUP, timeout_s=300)
            self.stack.furnish()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.down()
        self.machine.drop()

    def up(self):
        """Boot it, if it is not up."""
        if self.stack is None:
            stack = MachineStack(self.machine)
            stack.passwords = self.passwords
            self.stack = stack.start()
        return self.stack

    def down(self):
        if self.stack is not None:
            self.stack.stop()
            self.stack = None

    def clone(self, name):
        """Another machine like it; it is down from then on."""
        self.down()
        return Machine(name, self.release).create(self.machine, hostname="mx.example.test")

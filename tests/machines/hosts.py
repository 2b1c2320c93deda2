"""Machines with our packages at hand: apt has them from a folder in there, and what they depend on
from what was fetched before, for a booted machine reaches no mirror."""
import shlex

from .machine import Machine
from .packages import packages

REPOSITORY = "/opt/packages"
LIST = "/etc/apt/sources.list.d/packages.list"
SINGLE = ("postward",)
# what a minimal root lacks of an installed Debian
USUAL = "ca-certificates", "openssl", "procps", "libnss-systemd", "locales"


def provide(machine, version=None, release=None):
    """Our packages into a root that is not booted, as the repository there."""
    folder = packages(release or machine.release, version)
    machine.sh(f"rm -rf {REPOSITORY}")
    machine.copy_in(folder, REPOSITORY)
    machine.write(LIST, f"deb [trusted=yes] file:{REPOSITORY} ./\n")


def fresh(name, release, fetch=SINGLE, version=None, hostname="mx.example.test", now=()):
    """A machine that is not booted. fetch: packages to be installed in there later; now: at once."""
    machine = Machine(name, release).create(hostname=hostname)
    provide(machine, version)
    machine.sh(f"""apt-get update -qq
        apt-get install -y -qq --no-install-recommends {shlex.join([*USUAL, *now])}
        apt-get install -y -qq --download-only {shlex.join(fetch)}""")
    return machine

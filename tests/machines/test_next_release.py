"""A Debian 12 that was set up becomes Debian 13 in place, with its mail, users and settings. The
packages are fetched before (download only, the machine not booted); the upgrade itself is apt
full-upgrade on the booted machine, so that all maintainer scripts meet running services, and a reboot,
as Debian's release notes have it. (Until then the old Postfix master runs with the new programs and
delivers nothing: with Debian's packages alone just so.)"""
import pytest

from . import health
from .bases import sources
from .hosts import provide
from .machine_stack import MachineStack
from .steps import SINGLE, tell

UPGRADE = ("apt-get full-upgrade -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confnew"
           " 2>&1")


@pytest.fixture(scope="module")
def upgraded(host):
    if host.release != "bookworm":
        pytest.skip("begins on Debian 12")
    machine = host.clone("pw-upgraded")
    try:
        machine.write("/etc/apt/sources.list", "\n".join(sources("trixie")) + "\n")
        for old in machine.file("/etc/apt/sources.list.d").glob("0000*"):
            old.unlink()
        provide(machine, release="trixie")
        machine.sh("apt-get full-upgrade -y -qq --download-only", timeout_s=3600)
        with MachineStack(machine) as stack:
            stack.passwords = host.passwords
            stack.publish()
            stack.said = machine.run(UPGRADE, timeout_s=3600)
            yield stack
    finally:
        machine.drop()


def test_it_is_debian_13(upgraded):
    print(upgraded.said[-8000:])
    machine = upgraded.machine
    assert machine.run(". /etc/os-release; echo $VERSION_CODENAME").strip() == "trixie"
    assert machine.run("dovecot --version").startswith("2.4.")
    assert "deb13" in machine.run("dpkg-query -W -f '${Version}' dovecot-postward")
    assert machine.run("dpkg --audit") == ""
    assert health.failed_units(machine) == []


def test_dovecot_works_at_once(upgraded):
    """2.4 with the drop-ins that were written anew."""
    with upgraded.imap("ann@example.test") as imap:
        assert imap.count() > 0
    dropins = upgraded.machine.run("cat /etc/dovecot/conf.d/*-postward*.conf")
    assert "for Dovecot 2.4" in dropins and "for Dovecot 2.3" not in dropins


def test_reboot(upgraded):
    upgraded.rebooted_at = upgraded.machine.log_size()
    upgraded.machine.reboot()
    assert health.failed_units(upgraded.machine) == []


@pytest.mark.parametrize("step", SINGLE, ids=lambda f: f.__name__)
def test_story(upgraded, step):
    assert tell(upgraded, step, 3) is None


def test_nothing_crashed(upgraded):
    since = "".join(l + "\n" for l in upgraded.machine.lines(start=upgraded.rebooted_at))
    assert [l for l in upgraded.dovecot.crashes() if l in since] == []
    assert [l for l in health.denials(upgraded.machine) if l in since] == []

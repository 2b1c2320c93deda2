"""Installed with apt, set up with one command, a host plays the story; and after a reboot again."""
import re

import pytest

from . import health
from .hosts import SETUP
from .steps import SINGLE, tell


def test_apt_installs_without_a_complaint(host):
    complaint = re.compile(r"(?m)^(E: .*|W: .*|dpkg: (?:error|warning).*|.*postward.*(?:error|warning|failed).*)$",
                           re.I)
    assert complaint.findall(host.apt) == []
    assert health.failed_units(host.machine) == []


def test_apt_makes_the_database(host):
    assert host.databases == ["postward"]


def settings(machine):
    """Checksums of all that setup writes."""
    return machine.run("find /etc/postfix /etc/dovecot /etc/postward /etc/sysctl.d -type f"
                       " -exec sha256sum {} + | sort -k 2")


def test_setup_again_changes_nothing(host):
    print(host.setup)
    before = settings(host.machine)
    again = host.machine.run(SETUP, timeout_s=300)
    assert settings(host.machine) == before, again


@pytest.mark.parametrize("step", SINGLE, ids=lambda f: f.__name__)
def test_story(host, step):
    assert tell(host.stack, step) is None


def test_units_are_hardened(host, number):
    found = health.exposure(host.machine)
    number(f"{host.release}, systemd-analyze security: " + ", ".join(
        f"{unit.removesuffix('.service')} {value}" for unit, value in sorted(found.items())))
    assert len(found) >= 4
    assert not {u: v for u, v in found.items() if v > health.WORST_EXPOSURE}


def test_reboot(host):
    """A system call that a unit's filter does not let through ends the program from now on."""
    health.deny_loudly(host.machine)
    host.machine.reboot()
    assert health.failed_units(host.machine) == []


@pytest.mark.parametrize("step", SINGLE, ids=lambda f: f.__name__)
def test_story_after_a_reboot(host, step):
    assert tell(host.stack, step, 2) is None


def test_nothing_crashed(host):
    assert host.stack.dovecot.crashes() == []
    assert health.denials(host.machine) == []
    assert health.ours_failing(host.machine) == []
    assert health.failed_units(host.machine) == []
    assert [n for n, p in host.stack.programs.items() if not p.is_running()] == []

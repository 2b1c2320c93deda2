"""Machines of the tests. One host a release is installed and set up, and all tests of that release use
it or copies of it, in the order of the files' names; it is stopped and gone at the end."""
import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machines.bases import RELEASES, Unavailable, base, lock, need_mirror, need_tools  # noqa: E402
from machines.hosts import Host  # noqa: E402
from machines.machine import sweep  # noqa: E402

CHOSEN = os.environ.get("PW_RELEASES", " ".join(RELEASES)).split()


NUMBERS = []  # what is told at the end, whether or not all passed


@pytest.fixture(scope="session")
def number():
    """For what is measured: a text for the end of the run."""
    return NUMBERS.append


def pytest_terminal_summary(terminalreporter):
    if NUMBERS:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(NUMBERS))


@pytest.fixture(scope="session", autouse=True)
def _can_run():
    """Without what machines need every test is skipped, with the reason."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave nothing behind either
    try:
        need_tools()
        with lock("run"):  # machines have names: one run at a time
            sweep()
            for release in CHOSEN:
                need_mirror(release)
                base(release)
            yield
    except Unavailable as missing:
        pytest.skip(f"no machines here: {missing}")


@pytest.fixture(scope="session", params=CHOSEN)
def release(request):
    return request.param


@pytest.fixture(scope="session")
def host(release):
    """A single host of that release."""
    with Host(release) as made:
        yield made


@pytest.fixture
def machines():
    """Where a test puts machines it makes; all are gone when it ends."""
    made = []
    yield made
    for machine in reversed(made):
        machine.drop()

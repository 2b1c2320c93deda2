"""Fixtures of the integration tests: one stack for all tests that change nothing for good, a
fresh one for those that break things."""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stack import Stack  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; runs only with PW_LONG=1 (tests/run --long)")


FIRST = "test_story_negative.py", "test_setup.py"  # the longest: else one process does them alone at the end


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in FIRST)
    if os.environ.get("PW_LONG") == "1":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long: PW_LONG=1 runs it"))


def furnished():
    with Stack() as running:
        running.furnish()
        # all tests together may fail more logins than one address should
        running.pg.sql("UPDATE mail.auth_limits SET failures = 1000")
        yield running
        running.dovecot.stop()
        assert not running.dovecot.crashes()


@pytest.fixture(scope="session")
def stack():
    """The shared stack, with domain example.test, users ann and bob, and DKIM keys."""
    yield from furnished()


@pytest.fixture
def fresh_stack():
    yield from furnished()


@pytest.fixture(scope="session")
def data():
    """The folder PW_TEST_DATA; without it the test is skipped."""
    folder = os.environ.get("PW_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("PW_TEST_DATA is not set: no data from outside the project")
    return Path(folder)

"""Usage in SQL is the truth after hard work: see tests/load."""
import base64
import hashlib
import os
import time

import pytest

from load import Fleet
from load.fleet import limit_of
from stack import Stack

PASSWORD = "one password for all"

# with TLS each session keeps a login process
DOVECOT = """
service imap-login {
  process_limit = 1000
}
"""


def add_users(stack, count):
    digest = hashlib.sha512(PASSWORD.encode() + b"salt").digest()
    secret = "{SSHA512}" + base64.b64encode(digest + b"salt").decode()
    users = [f"user{n}@example.test" for n in range(count)]
    stack.pg.sql("INSERT INTO mail.virtual_users (email, password, quota_mb)"
                 " SELECT * FROM unnest(%s, %s, %s::int[])",
                 users, [secret] * count, [limit_of(n) for n in range(count)])
    stack.passwords.update(dict.fromkeys(users, PASSWORD))
    return users


def check(users, seconds, pause_s):
    with Stack(dovecot=DOVECOT) as stack:
        stack.add_domain()
        stack.pg.sql("DELETE FROM mail.quota_warnings")  # mail that nobody here has sent
        fleet = Fleet(stack, add_users(stack, users), pause_s)
        fleet.wait_for_limits(60)
        begin = time.monotonic()
        fleet.run(seconds)
        print(f"{fleet.done()} in {time.monotonic() - begin:.0f} s")
        assert not fleet.problems, stack.dovecot.lines("Error")
        assert fleet.wait_for_sql(60) == {}
        recounted = fleet.recount()
        for login, (size, count) in fleet.expected.items():
            kilobytes, messages = recounted[login]
            assert messages == count and abs(kilobytes * 1024 - size) <= 1024, login
        fleet.recalculate()
        assert fleet.wait_for_sql(60) == {}  # and a recalculation changes nothing
        stack.dovecot.stop()
        assert not stack.dovecot.crashes()


def test_usage_is_the_recount_after_work():
    check(users=20, seconds=10, pause_s=0)


@pytest.mark.long
def test_usage_is_the_recount_after_ten_minutes_of_200_users():
    """PW_LOAD_USERS and PW_LOAD_SECONDS change the size."""
    check(users=int(os.environ.get("PW_LOAD_USERS", 200)),
          seconds=int(os.environ.get("PW_LOAD_SECONDS", 600)), pause_s=1.0)

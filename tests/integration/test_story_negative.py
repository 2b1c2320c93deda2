"""Each step of the story turns false when what it claims is broken on purpose."""
import contextlib

import pytest

from stack import dns as zone
from stack import story
from stack.passing import Haproxy
from stack.sender import Signer
from stack.stack import INNER_LINK, SENDER


@contextlib.contextmanager
def xclient_forbidden(stack):
    name = f"{INNER_LINK}:smtp/inet/smtpd_authorized_xclient_hosts"
    allowed = stack.inner.postconf("-Ph", name).strip()
    stack.inner.postconf("-P", f"{name}=127.0.0.9")
    stack.inner.reload()
    yield {"count": 1}
    stack.inner.postconf("-P", f"{name}={allowed}")
    stack.inner.reload()


@contextlib.contextmanager
def record(stack, name, good, bad):
    """A TXT record with another value while the step runs."""
    stack.dns.remove(name)
    stack.dns.add(zone.txt(name, bad))
    _forget_answers(stack)
    yield {}
    stack.dns.remove(name)
    stack.dns.add(zone.txt(name, good))
    _forget_answers(stack)


def _forget_answers(stack):
    score = stack.programs["postward-score"]
    score.stop()
    score.start()


def no_ipv6_in_spf(stack):
    # the name has other records, which go with the TXT; nothing else asks for them here
    return record(stack, "sender.test.", f"v=spf1 ip4:{SENDER} ip6:2001:db8::7 -all",
                  f"v=spf1 ip4:{SENDER} -all")


def bank_asks_for_nothing(stack):
    return record(stack, "_dmarc.bank.test.", "v=DMARC1; p=reject", "v=DMARC1; p=none")


@contextlib.contextmanager
def sql(stack, change, undo):
    stack.pg.sql(change)
    stack.settle()
    yield {}
    stack.pg.sql(undo)
    stack.settle()


def catch_all(stack):
    return sql(stack, "SELECT mail.add_alias('@example.test', 'ann@example.test')",
               "DELETE FROM mail.virtual_aliases WHERE source = '@example.test'")


def spam_is_never_marked(stack):
    return sql(stack, "UPDATE mail.score_actions SET threshold = 900 WHERE action = 'add header'",
               "UPDATE mail.score_actions SET threshold = 6 WHERE action = 'add header'")


def ann_may_be_bob(stack):
    return sql(stack, "INSERT INTO mail.sender_permissions (login, pattern) VALUES"
               " ('ann@example.test', 'bob@example.test')",
               "DELETE FROM mail.sender_permissions WHERE pattern = 'bob@example.test'")


@contextlib.contextmanager
def main_cf(stack, host, name, value):
    server = getattr(stack, host)
    before = server.postconf("-h", name).strip()
    server.set(f"{name} = {value}")
    server.reload()
    yield {}
    server.set(f"{name} = {before}")
    server.reload()


def no_origin_milter(stack):
    return main_cf(stack, "edge", "smtpd_milters", "")


def no_policy(stack):
    return main_cf(stack, "inner", "smtpd_recipient_restrictions", "")


def queue_without_origin(stack):
    """Postfix hands queued mail to the inner host itself: as the edge."""
    return main_cf(stack, "edge", "relay_transport", f"relay:[{INNER_LINK}]:25")


@contextlib.contextmanager
def wrong_key_published(stack):
    right = dict(stack.dkim_records)
    for name in right:
        stack.dkim_records[name] = Signer("example.test", "x").record()[1]
    yield {}
    stack.dkim_records.update(right)


@contextlib.contextmanager
def limit_of_six(stack):
    del stack
    yield {"limit": 6}


class Blind(Haproxy):
    """Says nothing about the client, to the port that asks for nothing."""

    def _text(self, inner):
        return super()._text(inner).replace(" send-proxy-v2", "").replace(f"{inner}:10", f"{inner}:")


@contextlib.contextmanager
def blind_proxy(stack):
    passes = stack.pass_users
    stack.pass_users = lambda: passes(Blind)
    yield {}
    stack.pass_users = passes


@contextlib.contextmanager
def database_stays(stack):
    stop, start = stack.pg.stop, stack.pg.start
    stack.pg.stop = stack.pg.start = lambda: None
    yield {}
    stack.pg.stop, stack.pg.start = stop, start


BREAKS = [(story.inbound, xclient_forbidden), (story.inbound6, no_ipv6_in_spf),
          (story.unknown_user, catch_all), (story.spoof, bank_asks_for_nothing),
          (story.spam, spam_is_never_marked), (story.link_down, no_origin_milter),
          (story.tunnel_down_queue, queue_without_origin),
          (story.outbound, wrong_key_published), (story.rate_limit, limit_of_six),
          (story.over_quota, no_policy), (story.ownership, ann_may_be_bob),
          (story.imap_through_edge, blind_proxy), (story.database_down, database_stays)]


@pytest.mark.parametrize("step,breaks", BREAKS, ids=lambda f: f.__name__)
def test_step_turns_false(stack, step, breaks):
    with breaks(stack) as options:
        facts, lines, reason = story.play(stack, step, **options)
    print("\n".join(lines), facts)
    assert reason is not None and "Traceback" not in reason


def test_every_step_is_broken_once():
    assert [step for step, _ in BREAKS] == story.STEPS

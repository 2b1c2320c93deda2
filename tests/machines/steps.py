"""Steps on top of the story, for hosts that were installed and set up whole: the ports users' mail
programs know."""
import contextlib
import poplib
import re
import time

from stack.clients import last_reply, message, tls_context
from stack.proc import wait_until
from stack.story import (STEPS, imap_through_edge, inbound, link_down, play, rate_limit,
                         tunnel_down_queue)

LOOKUPS_BACK_S = 90
LATENCIES = 30  # messages of the step inbound


def all_ports(step, stack):
    """ann sends by 465, bob reads by 995 and by 110 with STLS; nobody gives a password in clear. The
    database may just have been away: Postfix of Debian 12 asks it again after a minute."""
    message_id = f"ports-{time.time():.3f}@example.test"
    replies = []
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: replies.append(_by_465(stack, message_id)) or
                   "Temporary lookup failure" not in replies[-1].text, LOOKUPS_BACK_S, step_s=1)
    step.must(replies[-1].code == 250, f"465: {replies[-1]}")
    stack.delivered("bob@example.test", message_id)
    for port in (995, 110):
        got = _by_pop3(stack, "bob@example.test", port)
        step.must(any(message_id.encode() in m for m in got), f"{port}: {len(got)} message(s), one is it")
    with stack.outside() as client:
        client.smtp.ehlo()
        step.must("auth" not in client.smtp.esmtp_features, f"25: {sorted(client.smtp.esmtp_features)}")
    step.must(_refuses_clear_password(stack), "110: no password before TLS")


def _by_465(stack, message_id):
    """The reply to a message of ann for bob."""
    with stack.submission("ann@example.test", port=465) as client:
        return last_reply(client.send("ann@example.test", ["bob@example.test"], message(
            "ann@example.test", "bob@example.test", message_id=message_id)))


def _by_pop3(stack, login, port):
    """All messages of a mailbox."""
    with stack.users_ns.enter():
        pop = (poplib.POP3_SSL(stack.users_host, port, context=tls_context(), timeout=60)
               if port == 995 else poplib.POP3(stack.users_host, port, timeout=60))
    try:
        if port != 995:
            pop.stls(tls_context())
        pop.user(login)
        pop.pass_(stack.passwords[login])
        return [b"\r\n".join(pop.retr(n + 1)[1]) for n in range(pop.stat()[0])]
    finally:
        pop.close()


def _refuses_clear_password(stack):
    with stack.users_ns.enter():
        pop = poplib.POP3(stack.users_host, timeout=60)
    try:
        pop.user("bob@example.test")
        pop.pass_(stack.passwords["bob@example.test"])
        return False
    except poplib.error_proto as error:
        return re.search(rb"TLS|SSL|secure|cleartext|plaintext", error.args[0], re.I) is not None
    finally:
        pop.close()


SINGLE = [s for s in STEPS if s not in (link_down, tunnel_down_queue, imap_through_edge)] + [all_ports]


def tell(stack, step, round_=1):
    """Play one step and print what it saw; the reason it is false, or None. round_: a host that has
    been told the story before needs another login for the limit."""
    options = {inbound: {"count": LATENCIES}, rate_limit: {"login": f"carol{round_}@example.test"}}
    facts, lines, reason = play(stack, step, **options.get(step, {}))
    print("\n".join(lines), facts)
    return reason

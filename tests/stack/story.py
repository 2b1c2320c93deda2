"""The story: thirteen steps of a mail host's day, each true only by what the real system shows.

A step reads facts (Postfix's log, IMAP, SQL, the client's own socket) and fails with `False_` when
one is not as it must be. `python3 -m stack.story` plays all of them; see main()."""
import argparse
import imaplib
import json
import re
import signal
import smtplib
import socket
import statistics
import sys
import time
import traceback

from . import samples
from .clients import Forward, Imap, SmtpClient, last_reply, message
from .proc import wait_until
from .sender import verify
from .stack import Stack
from .world import EDGE, INNER_LINK, SENDER, SENDER6, THIEF


class False_(Exception):
    """A fact is not as the story tells it."""


class Step:
    """What one step saw: facts for --json, lines for the reader."""

    def __init__(self):
        self.facts, self.lines = {}, []

    def saw(self, line):
        self.lines.append(str(line))
        return line

    def must(self, claim, line):
        """Note the line that was read; the step is false unless the claim holds."""
        self.saw(line)
        if not claim:
            raise False_(f"not true: {line}")


def _transaction(stack, to, source=SENDER, sign=True, **options):
    """One message from mail.sender.test to `to`; (message id, result)."""
    text = message("stranger@sender.test", to, **options)
    message_id = re.search(r"Message-ID: <(.*?)>", text)[1]
    data = stack.signer.sign(text) if sign else text.encode()
    with stack.outside(source) as client:
        return message_id, client.send("stranger@sender.test", [to], data)


def _inner_client_line(stack, message_id):
    """The inner Postfix's client= line of the message with that id."""
    cleanup = wait_until(lambda: stack.inner.lines("postfix", f"message-id=<{message_id}>"),
                         what=f"message-id=<{message_id}> in the inner log")[-1]
    queue_id = re.search(r": (\w+): message-id", cleanup)[1]
    return queue_id, stack.inner.lines(f"{queue_id}: client=")[-1]


def _arrives(step, stack, source, shown):
    message_id, result = _transaction(stack, "ann@example.test", source)
    step.must(last_reply(result).code == 250, f"client: {last_reply(result)}")
    stack.delivered("ann@example.test", message_id)
    step.saw(f"IMAPS: <{message_id}> is in ann's INBOX")
    queue_id, line = _inner_client_line(stack, message_id)
    step.must(f"[{shown}]" in line, f"inner log: {line}")
    row = wait_until(lambda: stack.pg.sql(
        "SELECT host(client_address), spf, dkim, dmarc, score::float, symbols FROM mail.messages"
        " WHERE queue_id = %s", queue_id), what=f"row of {queue_id} in mail.messages")[0]
    step.must(row[:4] == (shown, "pass", "pass", "pass"), f"mail.messages: {row[:5]}")
    step.facts.update(zip(("client", "spf", "dkim", "dmarc", "score"), row))


def inbound(step, stack, count=200):
    """A stranger writes to ann: her INBOX has it, and every part saw the stranger's address."""
    _arrives(step, stack, SENDER, SENDER)
    times = _latencies(stack, count)
    step.facts["p50_ms"] = round(statistics.median(times), 1)
    step.facts["p95_ms"] = round(sorted(times)[int(len(times) * 0.95)], 1)
    step.saw(f"{count} messages, connect to INBOX: p50 {step.facts['p50_ms']} ms, "
             f"p95 {step.facts['p95_ms']} ms")


def _latencies(stack, count):
    """Milliseconds from connect to visible in INBOX, message by message."""
    times = []
    with stack.imap("ann@example.test") as imap:
        have = int(imap.select("INBOX")[1][0])
        for _ in range(count):
            begin = time.monotonic()
            _transaction(stack, "ann@example.test")
            have += 1
            while have > _exists(imap):
                if time.monotonic() - begin > 60:
                    raise False_("a message did not reach INBOX within 60 s")
            times.append((time.monotonic() - begin) * 1000)
    return times


def _exists(imap):
    imap.noop()
    data = imap.untagged_responses.get("EXISTS")
    return int(data[-1]) if data else 0


def inbound6(step, stack):
    """The same over IPv6."""
    _arrives(step, stack, SENDER6, SENDER6)


def unknown_user(step, stack):
    """A recipient who does not exist: the inner host's 550 reaches the client at RCPT."""
    _, result = _transaction(stack, "nobody@example.test")
    reply = last_reply(result)
    step.must(reply.code == 550 and reply.text.startswith("5.1.1"), f"client: {reply}")
    step.facts["reply"] = str(reply)


def spoof(step, stack):
    """Mail that claims a domain whose DMARC policy is reject, from a stranger's host."""
    text = message("ceo@bank.test", "ann@example.test", "Your account")
    with stack.outside(THIEF, helo="thief.test") as client:
        reply = last_reply(client.send("ceo@bank.test", ["ann@example.test"], text))
    step.must(500 <= reply.code < 600, f"client: {reply}")
    for host in dict.fromkeys((stack.edge, stack.inner)):
        wait_until(lambda h=host: not h.queue(), what="an empty queue")
        step.saw(f"{host.ns.name}: queue is empty")
    step.facts["reply"] = str(reply)


def spam(step, stack):
    """A spam message goes to Junk by the shipped Sieve script, an honest one to INBOX."""
    for kind, folder, source in (("spam", "Junk", THIEF), ("ham", "INBOX", SENDER)):
        name, data = samples.pick(kind)
        message_id = f"story-{kind}-{time.time():.3f}@sample.test"
        with stack.outside(source, helo="thief.test" if kind == "spam" else "mail.sender.test") as c:
            reply = last_reply(c.send("sender@sender.test" if kind == "ham" else "x@thief.test",
                                      ["ann@example.test"],
                                      samples.with_message_id(data, message_id)))
        step.must(reply.code == 250, f"client: {name}: {reply}")
        got = stack.delivered("ann@example.test", message_id, folder)
        score = re.search(rb"(?im)^X-Spam-Score:\s*(\S+)", got)
        step.must(score is not None, f"IMAPS: {name} is in {folder}, X-Spam-Score: "
                  f"{score[1].decode() if score else 'missing'}")
        step.facts[kind] = {"file": name, "folder": folder, "score": float(score[1])}


def link_down(step, stack):
    """The link between edge and inner is down: 451 at once, nothing queued, nothing lost."""
    message_id = f"linkdown-{time.time():.3f}@sender.test"
    stack.link_down()
    try:
        begin = time.monotonic()
        _, result = _transaction(stack, "ann@example.test", message_id=message_id)
        took = time.monotonic() - begin
        reply = last_reply(result)
        step.must(reply.code == 451 and took < 20, f"client, after {took:.1f} s: {reply}")
        step.must(not stack.edge.queue(), "edge: queue is empty")
    finally:
        stack.link_up()
    begin = time.monotonic()
    wait_until(lambda: last_reply(_transaction(stack, "ann@example.test",
                                               message_id=message_id)[1]).code == 250,
               60, "the retry to be accepted", 1)
    stack.delivered("ann@example.test", message_id)
    _, line = _inner_client_line(stack, message_id)
    step.must(f"[{SENDER}]" in line, f"inner log: {line}")
    step.facts.update(reply=str(reply), after_s=round(took, 2),
                      back_s=round(time.monotonic() - begin, 2))


def tunnel_down_queue(step, stack):
    """The same, where the operator says that mail for known recipients is to be queued: it waits on
    the edge, and arrives inside as from the client that brought it. Others are told to come again."""
    known, to = _transaction(stack, "ann@example.test"), "ann@example.test"
    step.must(last_reply(known[1]).code == 250, f"client, before: {last_reply(known[1])}")
    with stack.fallback("queue"):
        stack.link_down()
        try:
            message_id, result = _transaction(stack, to)
            reply = last_reply(result)
            step.must(reply.code == 250, f"client: {reply}")
            queued = wait_until(stack.edge.queue, what="the message in the edge's queue")
            step.saw(f"edge: {len(queued)} message in the queue")
            refused = last_reply(_transaction(stack, "nobody@example.test")[1])
            step.must(refused.code == 451, f"client, for somebody unknown: {refused}")
        finally:
            stack.link_up()
        begin = time.monotonic()
        stack.edge.flush()
        stack.delivered(to, message_id, timeout_s=60)
    queue_id, line = _inner_client_line(stack, message_id)
    step.must(f"client=mail.sender.test[{SENDER}]" in line, f"inner log: {line}")
    row = wait_until(lambda: stack.pg.sql("SELECT host(client_address), spf FROM mail.messages"
                                          " WHERE queue_id = %s", queue_id), what="mail.messages")[0]
    step.must(row == (SENDER, "pass"), f"mail.messages: {row}")
    wait_until(lambda: not stack.edge.queue(), what="an empty queue")
    step.facts.update(reply=str(reply), unknown=str(refused), client=row[0], spf=row[1],
                      back_s=round(time.monotonic() - begin, 2))


def outbound(step, stack):
    """ann logs in with her PostgreSQL password and sends; both signatures verify outside."""
    try:
        stack.imap("ann@example.test", "not the right password")
        raise False_("IMAP took a wrong password")
    except imaplib.IMAP4.error as error:
        step.must("AUTHENTICATIONFAILED" in str(error), f"IMAP, wrong password: {error}")
    try:
        stack.submission("ann@example.test", "not the right password")
        raise False_("SMTP took a wrong password")
    except smtplib.SMTPAuthenticationError as error:
        step.must(error.smtp_code == 535, f"SMTP, wrong password: {error.smtp_code}")
    stack.imap("ann@example.test").logout()
    message_id = f"outbound-{time.time():.3f}@example.test"
    with stack.submission("ann@example.test") as client:
        reply = last_reply(client.send(
            "ann@example.test", ["friend@elsewhere.test"],
            message("ann@example.test", "friend@elsewhere.test", message_id=message_id)))
    step.must(reply.code == 250, f"client: {reply}")
    _, _, _, data = wait_until(lambda: stack.sink.find(message_id), what="mail at the sink")[0]
    records = stack.dkim_records
    good = {}
    for index in range(data.lower().count(b"\ndkim-signature:") + data.lower().startswith(b"dkim-s")):
        algorithm = re.findall(rb"(?is)dkim-signature:.*?\ba=([\w-]+)", data)[index].decode()
        good[algorithm] = verify(data, records, index)
    step.must(good == {"rsa-sha256": True, "ed25519-sha256": True},
              f"python3-dkim over the bytes at the sink: {good}")
    step.facts.update(signatures=sorted(good), reply=str(reply))


def rate_limit(step, stack, limit=5, login="carol@example.test"):
    """Five messages an hour for carol: the sixth is refused and told why and until when."""
    if login not in stack.passwords:
        stack.add_user(login)
    stack.limit(login, limit, 3600)
    stack.settle()
    replies = []
    with stack.submission(login) as client:
        for _ in range(6):
            replies.append(last_reply(client.send(
                login, ["friend@elsewhere.test"], message(login, "friend@elsewhere.test"))))
    step.must([r.code for r in replies] == [250] * 5 + [450],
              f"client: {[r.code for r in replies]}")
    step.must(re.search(r"\d{4}-\d\d-\d\d", replies[5].text) is not None and "5" in replies[5].text,
              f"client: {replies[5]}")
    event = wait_until(lambda: stack.pg.sql(
        "SELECT kind, who, text FROM mail.events WHERE kind = 'rate' AND who = %s", login),
        what="the event")[0]
    step.saw(f"mail.events: {event}")
    step.facts.update(accepted=5, reply=str(replies[5]))


def over_quota(step, stack):
    """bob is over quota: 452 4.2.2 at RCPT; after an expunge he gets mail again."""
    bob = "bob@example.test"
    stack.pg.sql("UPDATE mail.virtual_users SET quota_mb = 0 WHERE email = %s", bob)
    stack.settle()
    message_id, result = _transaction(
        stack, bob, body="All work and no play makes Jack a dull boy.\r\n" * 30000)
    step.must(last_reply(result).code == 250, f"client: {last_reply(result)}")
    stack.delivered(bob, message_id)
    stack.pg.sql("UPDATE mail.virtual_users SET quota_mb = 1 WHERE email = %s", bob)
    reply = wait_until(lambda: _refused_at_rcpt(stack, bob), what="bob to be over quota", step_s=0.2)
    step.must(reply.code == 452 and reply.text.startswith("4.2.2"), f"client: {reply}")
    with stack.imap(bob) as imap:
        step.saw(f"IMAP: {imap.getquotaroot('INBOX')[1]}")
        imap.expunge_all()
    begin = time.monotonic()
    wait_until(lambda: not _refused_at_rcpt(stack, bob), what="bob to get mail again", step_s=0.2)
    message_id, _ = _transaction(stack, bob)
    stack.delivered(bob, message_id)
    step.facts.update(reply=str(reply), again_s=round(time.monotonic() - begin, 2))
    step.saw(f"client: 250 after {step.facts['again_s']} s")


def _refused_at_rcpt(stack, to):
    """The refusal of RCPT, or None; nothing is sent."""
    with stack.outside() as client:
        client.command("MAIL FROM:<stranger@sender.test>")
        reply = client.command(f"RCPT TO:<{to}>")
    return reply if reply.code != 250 else None


def ownership(step, stack):
    """ann may not send as bob, neither in MAIL FROM nor in From; as her alias she may."""
    cases = (("envelope", "bob@example.test", "ann@example.test", 5),
             ("header", "ann@example.test", "bob@example.test", 5),
             ("alias", "sales@example.test", "sales@example.test", 2))
    for name, envelope, header, wanted in cases:
        with stack.submission("ann@example.test") as client:
            reply = last_reply(client.send(envelope, ["friend@elsewhere.test"],
                                           message(header, "friend@elsewhere.test")))
        step.must(reply.code // 100 == wanted, f"{name}: {reply}")
        step.facts[name] = str(reply)


def imap_through_edge(step, stack):
    """Users come through public ports of the edge; inside they are known by their own address, and
    who guesses passwords is blocked by his: not the edge, and nobody behind it."""
    failures = stack.pg.value("SELECT failures FROM mail.auth_limits WHERE kind = 'network'")
    _failures_that_block(stack, 3)
    try:
        with stack.pass_users() as proxy:
            step.facts["proxy"] = proxy.name
            _through_edge(step, stack, "ann@example.test")
    finally:
        _failures_that_block(stack, failures)


def _failures_that_block(stack, count):
    stack.pg.sql("UPDATE mail.auth_limits SET failures = %s WHERE kind = 'network'", count)
    stack.settle()


def _through_edge(step, stack, user):
    password = stack.passwords[user]
    for n in range(3):
        _refused_login(step, stack, user, f"not the right password {n}")
    event = wait_until(lambda: stack.pg.sql(
        "SELECT kind, host(who::inet), text FROM mail.events WHERE kind = 'auth_block'"
        " AND at > now() - interval '1 minute' ORDER BY at DESC"), what="the event")[0]
    step.must(event[1] == THIEF, f"mail.events: {event}")
    _refused_login(step, stack, user, password)
    with Imap(stack.net, EDGE, source=SENDER) as imap:
        imap.login(user, password)
        step.saw(f"IMAPS, {EDGE}:993 from {SENDER}: {imap.select('INBOX')}")
    with SmtpClient(stack.net, EDGE, 465, SENDER, helo="laptop.example.test", tls="wrapped",
                    login=(user, password)) as client:
        step.saw(f"submission, {EDGE}:465 from {SENDER}: {client.command('NOOP')}")
    rows = wait_until(lambda: _logins_from(stack, user, SENDER), what="both logins in mail.logins")
    step.saw(f"mail.logins: {rows}")
    step.facts.update(client=SENDER, blocked=event[1])


def _refused_login(step, stack, user, password):
    """From the thief's address, through the edge."""
    try:
        Imap(stack.net, EDGE, source=THIEF).login(user, password)
        raise False_(f"a login from {THIEF} was let in")
    except imaplib.IMAP4.error as error:
        step.must("AUTHENTICATIONFAILED" in str(error), f"IMAPS from {THIEF}: {error}")


def _logins_from(stack, user, address):
    rows = stack.pg.sql("SELECT protocol, host(address) FROM mail.logins WHERE email = %s AND"
                        " protocol IN ('imap', 'smtp') AND address = %s ORDER BY 1", user, address)
    return rows if len(rows) == 2 else None


def database_down(step, stack):
    """PostgreSQL stops: mail for known users is taken, all else is told to come again, nothing is
    refused, nothing is lost."""
    queued = f"queued-{time.time():.3f}@sender.test"
    stack.inner.hold("lmtp")
    step.must(last_reply(_transaction(stack, "ann@example.test", message_id=queued)[1]).code == 250,
              "a message is taken and waits in the inner queue")
    stack.pg.stop()
    stack.inner.release()
    known, unknown = (f"{name}-{time.time():.3f}@sender.test" for name in ("known", "unknown"))
    reply = last_reply(_transaction(stack, "ann@example.test", message_id=known)[1])
    step.must(reply.code == 250, f"mail for a known user: {reply}")
    step.facts["known"] = str(reply)
    reply = last_reply(_transaction(stack, "nobody@example.test", message_id=unknown)[1])
    step.must(reply.code == 451, f"RCPT of an unknown user: {reply}")
    step.facts["unknown"] = str(reply)
    _logins_are_temporary(step, stack)
    took = _policy_answer_s(stack)
    step.must(took < 4, f"policyd answered in {took * 1000:.0f} ms")
    step.facts["policy_ms"] = round(took * 1000, 1)
    step.must(any("deferred" in l or "active" in l for l in map(str, stack.inner.queue())),
              f"inner queue holds {len(stack.inner.queue())} message(s)")
    stack.pg.start()
    begin = time.monotonic()
    wait_until(lambda: last_reply(_transaction(stack, "nobody@example.test",
                                               message_id=unknown)[1]).code == 550,
               60, "an unknown user to be refused again", 1)
    wait_until(lambda: _can_log_in(stack), 60, "logins to work again", 1)
    stack.inner.flush()
    for message_id in (queued, known):
        stack.delivered("ann@example.test", message_id, timeout_s=60)
    took = time.monotonic() - begin
    with stack.imap("ann@example.test") as imap:
        counts = [len(imap.find(i)) for i in (queued, known)]
    step.must(counts == [1, 1] and took < 30,
              f"after {took:.0f} s every Message-ID is in INBOX once: {counts}")
    step.facts["back_s"] = round(took, 1)


def _can_log_in(stack):
    try:
        stack.imap("ann@example.test").logout()
        return True
    except imaplib.IMAP4.error as error:
        if "UNAVAILABLE" not in str(error):
            raise
        return False


def _logins_are_temporary(step, stack):
    try:
        stack.imap("ann@example.test")
        raise False_("IMAP login worked without a database")
    except imaplib.IMAP4.error as error:
        step.must("UNAVAILABLE" in str(error), f"IMAP: {error}")
        step.facts["imap"] = str(error)
    try:
        stack.submission("ann@example.test")
        raise False_("SMTP AUTH worked without a database")
    except smtplib.SMTPResponseException as error:
        step.must(error.smtp_code == 454, f"SMTP AUTH: {error.smtp_code} {error.smtp_error}")
        step.facts["auth"] = f"{error.smtp_code} {error.smtp_error.decode()}"


def _policy_answer_s(stack):
    """Seconds policyd needs for one question about a login's message."""
    path = str(stack.programs["postward-policyd"].sockets[0])
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(30)
        link.connect(path)
        begin = time.monotonic()
        link.sendall(b"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
                     b"instance=story.1\nsender=ann@example.test\nrecipient=x@elsewhere.test\n"
                     b"sasl_username=ann@example.test\nclient_address=10.9.0.2\n\n")
        if not link.recv(4096).startswith(b"action="):
            raise False_("policyd did not answer")
        return time.monotonic() - begin


STEPS = [inbound, inbound6, unknown_user, spoof, spam, link_down, tunnel_down_queue, outbound,
         rate_limit, over_quota, ownership, imap_through_edge, database_down]


def play(stack, function, **options):
    """One step: (facts with `ok`, lines, reason or None)."""
    step = Step()
    begin = time.monotonic()
    reason = None
    try:
        function(step, stack, **options)
    except (False_, TimeoutError, OSError, smtplib.SMTPException, imaplib.IMAP4.error) as error:
        reason = f"{type(error).__name__}: {error}"
    except Exception:  # pylint: disable=broad-except
        reason = traceback.format_exc()
    facts = {"ok": reason is None, "seconds": round(time.monotonic() - begin, 2), **step.facts}
    if reason:
        facts["reason"] = reason
    return facts, step.lines, reason


def tell(number, function, facts, lines, reason, out):
    print(f"\n{number}. {function.__name__}: {function.__doc__}", file=out)
    for line in lines:
        print(f"     {line}", file=out)
    print(f"   {'TRUE' if not reason else 'FALSE: ' + reason} ({facts['seconds']} s)", file=out,
          flush=True)


def stay(stack, out):
    """Keep the stack up with IMAP and submission on loopback ports until Ctrl-C."""
    imap, submission = (Forward(stack.inner_ns, INNER_LINK, p) for p in (993, 587))
    try:
        print(f"""
The stack stays up. On this host:
  IMAP        127.0.0.1:{imap.port} (TLS)
  submission  127.0.0.1:{submission.port} (STARTTLS)
  user        ann@example.test
  password    {stack.passwords['ann@example.test']}
  psql        psql '{stack.pg.conninfo()}'
Ctrl-C ends it and leaves nothing behind.""", file=out, flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print("ending", file=out)
    for forward in (imap, submission):
        forward.close()


def main():
    parser = argparse.ArgumentParser(prog="quickstart", description="Play the story.")
    parser.add_argument("--once", action="store_true", help="end after the story")
    parser.add_argument("--json", action="store_true", help="last line: one JSON object")
    parser.add_argument("--only", help="these steps, separated by commas")
    parser.add_argument("--tunnel", choices=("wireguard", "veth"), default="wireguard",
                        help="between edge and inner host; veth where there is no WireGuard")
    options = parser.parse_args()
    chosen = [f for f in STEPS if not options.only or f.__name__ in options.only.split(",")]
    out = sys.stderr if options.json else sys.stdout
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave nothing behind either
    begin = time.monotonic()
    with Stack(tunnel=options.tunnel) as stack:
        stack.furnish()
        print(f"The stack is up ({time.monotonic() - begin:.1f} s), its edge and inner host joined by"
              f" {stack.tunnel}: {stack.root}", file=out)
        steps = {}
        for number, function in enumerate(chosen, 1):
            facts, lines, reason = play(stack, function)
            tell(number, function, facts, lines, reason, out)
            steps[function.__name__] = facts
        ok = all(s["ok"] for s in steps.values())
        if not options.once and ok:
            stay(stack, out)
    if options.json:
        print(json.dumps({"ok": ok, "tunnel": stack.tunnel, "steps": steps}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())

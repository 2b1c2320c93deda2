"""postward-origin in role inner: an edge's stamps are believed, and nobody else's. Stamps are
made by the tests, from the text of the format alone."""
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from origin_bed import INNER_LINK
from stack.clients import SmtpClient, message
from stack.proc import wait_until
from stamp_bed import STRICT, UID, VERIFY, XCLIENT, StampBed
from stamps import Key, b64, stamp, stamped, write_keys


@pytest.fixture(scope="module")
def bed():
    with StampBed() as running:
        yield running


def mail(marker, extra="", body="Hello.\r\n"):
    return message("ann@sender.test", "ann@example.test", message_id=marker, body=body,
                   extra=extra).encode()


def header(text, name):
    """Values of a field of a delivered message, unfolded."""
    head = text.split(b"\n\n")[0].decode()
    return [re.sub(r"\n(?=[ \t])", "", v).rstrip("\n") for n, v in
            re.findall(r"^([A-Za-z-]+):((?:.*\n?)(?:[ \t].*\n?)*)", head, re.M)
            if n.lower() == name.lower()]


def tags(value):
    return dict(tag.split("=", 1) for tag in re.sub(r"\s", "", value).split(";"))


def test_good_stamp_is_believed_and_taken_out(bed):
    text = mail("good@sender.test")
    reply, _ = bed.send_stamped(text)
    assert reply.code == 250
    got = bed.delivered("ann", "good@sender.test")
    assert not header(got, "Postward-Origin")
    client, = header(got, "Postward-Client")
    assert tags(client)["a"] == "198.51.100.7" and tags(client)["nm"] == "mail.sender.test"
    assert not set(tags(client)) & {"k", "n", "f", "rc", "hn", "dg", "m"}
    assert len(header(got, "Postward-Transaction")) == 1
    assert not header(got, "Postward-Retry")
    assert got.endswith(text.replace(b"\r\n", b"\n"))
    line = bed.verify.lines("action=accept")[-1]
    assert "client=mail.sender.test[198.51.100.7]" in line and "edge_id=4fQ2xT1z9Yz" in line
    assert "peer=10.9.0.1" in line and "from=<ann@sender.test>" in line
    queue_id = bed.inner.lines("good@sender.test")[0].split(": ")[1]
    assert f" {queue_id}: " in line


def test_mail_of_the_edge_itself_has_no_stamp(bed):
    reply = bed.send(mail("local@sender.test"))
    assert reply.code == 250
    assert not header(bed.delivered("ann", "local@sender.test"), "Postward-Client")
    assert 'action=pass, why="no stamp"' in bed.verify.lines("action=pass")[-1]


def test_every_byte_counts(bed):
    """What the way between the hosts may change does not matter, everything else does."""
    body = "\r\n".join([".", "..x", "tab\tand blank ", "", "x" * 3000, "", ""]) + "\r\n"
    extra = "X-Fold: one\r\n\ttwo\r\n   three\r\nX-Empty:\r\nx-low:  blanks  \r\n"
    text = mail("bytes@sender.test", extra, body)
    reply, _ = bed.send_stamped(text)
    assert reply.code == 250
    # more empty lines at the end, other folds
    value = stamp(bed.key, text, "ann@sender.test", ["ann@example.test"])
    changed = text.replace(b"X-Fold: one\r\n\ttwo", b"x-fold:one\r\n two") + b"\r\n\r\n"
    assert bed.send(stamped(value, changed)).code == 250
    for old, new in ((b"three", b"three "), (b"..x", b"..y"), (b"X-Empty:\r\n", b""),
                     (b"Subject: Hello", b"Subject: hello"), (b"blank \r\n", b"blank\r\n")):
        changed = text.replace(old, new, 1)
        value = stamp(bed.key, text, "ann@sender.test", ["ann@example.test"])
        code = bed.send(stamped(value, changed)).code
        assert code == (250 if new == b"three " else 451), (old, new)
    assert 'why=digest' in bed.verify.lines("action=defer")[-1]


def test_fields_put_on_top_change_nothing_and_below_they_do(bed):
    text = mail("top@sender.test")
    value = stamp(bed.key, text, "ann@sender.test", ["ann@example.test"])
    on_top = stamped(value, b"X-Hop: one\r\nX-Hop: two\r\n" + text)
    assert bed.send(on_top).code == 250
    value = stamp(bed.key, text, "ann@sender.test", ["ann@example.test"])
    below = stamped(value, text.replace(b"\r\n\r\n", b"\r\nX-Hop: one\r\n\r\n", 1))
    assert bed.send(below).code == 451


# The failure table: from a trusted peer.

FAILURES = [
    # what is wrong, how it is made, why, what becomes of it after the patience is over
    ("bad-mac", {"m": b64(b"\0" * 32)}, "bad mac", "hold"),
    ("no-mac", {"m": "x"}, "bad mac", "hold"),
    ("tag-changed", {"v": "2"}, "broken", "hold"),
    ("tag-added", {"x": "1"}, "broken", "hold"),
    ("sender", {"stamp_sender": "eve@sender.test"}, "sender", "hold"),
    ("recipient", {"stamp_recipients": ["bob@example.test"]}, "recipient", "hold"),
    ("digest", {"dg": b64(b"\0" * 32)}, "digest", "hold"),
    ("fields", {"hn": 6}, "digest", "hold"),
    ("fields-more", {"hn": 600}, "digest", "hold"),
    ("unknown-key", {"key": Key()}, "unknown key", "defer"),
    ("old", {"at": int(time.time()) - 8 * 86400}, "bad time", "defer"),
    ("future", {"at": int(time.time()) + 3600}, "bad time", "defer"),
]


@pytest.mark.parametrize("name,how,why,later", FAILURES, ids=[f[0] for f in FAILURES])
def test_wrong_stamp_of_a_trusted_peer(bed, name, how, why, later):
    why = f'"{why}"' if " " in why else why
    reply, text = bed.send_stamped(mail(f"{name}@sender.test"), port=STRICT, **how)
    assert reply.code == 451 and reply.text.startswith("4.7.1 ")
    assert f"action=defer, why={why}, peer=10.9.0.1" in bed.strict.lines("action=defer")[-1]
    assert bed.strict.lines("event=stamp_alarm", f"why={why}")
    time.sleep(1.1)
    reply = bed.send(text, port=STRICT)  # the edge's queue tries again
    if later == "defer":
        assert reply.code == 451
        return
    assert reply.code == 250
    queue_id = reply.text.split()[-1]
    assert (bed.inner.spool / "hold" / queue_id).exists()
    held = bed.inner.ns.run("postcat", "-c", bed.inner.etc, "-qh", queue_id)
    assert "Postward-" not in held and f"{name}@sender.test" in held
    assert f"action=hold, why={why}" in bed.strict.lines(f" {queue_id}: ")[-1]
    bed.inner.ns.run("postsuper", "-c", bed.inner.etc, "-d", queue_id)


def test_an_alarm_is_told_once_a_minute(bed):
    for i in range(3):
        bed.send_stamped(mail(f"alarm{i}@sender.test"), key=Key())
    assert len(bed.verify.lines("event=stamp_alarm", 'why="unknown key"')) == 1
    assert len(bed.verify.lines("action=defer", 'why="unknown key"')) == 3


def test_two_stamps_and_one_that_is_not_first(bed):
    text = mail("two@sender.test")
    value = stamp(bed.key, text, "ann@sender.test", ["ann@example.test"])
    forged = stamp(Key(), text, "ann@sender.test", ["ann@example.test"], client="203.0.113.1")
    # a client's stamp that the edge did not take out
    below = text.replace(b"Subject:", f"Postward-Origin:{forged}\r\nSubject:".encode(), 1)
    whole = stamp(bed.key, below, "ann@sender.test", ["ann@example.test"])
    assert bed.send(stamped(whole, below)).code == 451
    assert 'why="several stamps"' in bed.verify.lines("action=defer")[-1]
    assert bed.send(stamped(value, text).replace(
        b"Postward-Origin:", b"X-First: 1\r\nPostward-Origin:")).code == 451
    assert 'why="not first"' in bed.verify.lines("action=defer")[-1]
    # a client's alone: as if somebody had forged it, which he has
    assert bed.send(b"Received: by mx.example.test\r\n" + below).code == 451


def test_stamps_and_marks_of_strangers_are_taken_out(bed):
    """Right in every point, but not from an edge: a replay from somewhere else."""
    text = mail("stranger@sender.test", "Postward-Client: v=1; a=203.0.113.1\r\n"
                "Postward-Retry: yes\r\nPostward-Transaction: AAAAAAAAAAAAAAAA\r\n"
                "postward-origin: second\r\nPostward-Whatever: x\r\n"
                "Postward-Retry : yes\r\nPostward-Client\t: v=1\r\nPostward-Origin  : x\r\n"
                "Postward-Retry: no\r\n")
    value = stamp(bed.key, text, "ann@sender.test", ["ann@example.test"])
    before = len(bed.verify.lines("event=stamp_forged"))
    for _ in range(3):
        with SmtpClient(bed.inner_ns, INNER_LINK, port=VERIFY, source=INNER_LINK) as client:
            assert client.send("ann@sender.test", ["ann@example.test"],
                               stamped(value, text))["data"].code == 250
    got = bed.delivered("ann", "stranger@sender.test")
    assert b"ostward-" not in got.split(b"\n\n")[0]
    lines = bed.verify.lines("event=stamp_forged")[before:]
    assert len(lines) == 1 and "why=untrusted" in lines[0]


def test_foreign_client_field_of_the_edge_is_taken_out(bed):
    text = mail("client@sender.test", "Postward-Client: v=1; t=1; e=x; q=x; a=203.0.113.1\r\n")
    reply, _ = bed.send_stamped(text)
    assert reply.code == 250
    client, = header(bed.delivered("ann", "client@sender.test"), "Postward-Client")
    assert tags(client)["a"] == "198.51.100.7"
    assert bed.send(mail("client2@sender.test", "Postward-Client: v=1\r\n")).code == 250
    assert not header(bed.delivered("ann", "client2@sender.test"), "Postward-Client")


def test_behind_xclient_nobody_is_an_edge(bed):
    """Postfix begins anew with the client it was told of: who may use XCLIENT needs no stamp, and a
    client's is not believed because the edge passes it on."""
    text = mail("xclient@sender.test")
    value = stamp(bed.key, text, "ann@sender.test", ["ann@example.test"], client="203.0.113.9")
    with bed.from_edge(XCLIENT) as client:
        client.command("XCLIENT NAME=[UNAVAILABLE] ADDR=198.51.100.7")
        client.command("EHLO mail.sender.test")
        assert client.send("ann@sender.test", ["ann@example.test"],
                           stamped(value, text))["data"].code == 250
    assert b"Postward-" not in bed.delivered("ann", "xclient@sender.test").split(b"\n\n")[0]
    assert bed.inner.lines("client=unknown[198.51.100.7]")


# Replay.

def test_replay_of_the_same_message_is_marked_not_lost(bed):
    reply, text = bed.send_stamped(mail("again@sender.test"))
    assert reply.code == 250
    first = bed.delivered("ann", "again@sender.test")
    for file in (bed.mail / "ann/new").glob("*"):
        file.unlink()
    assert bed.send(text).code == 250
    second = bed.delivered("ann", "again@sender.test")
    assert header(second, "Postward-Retry") == [" yes"]
    assert header(second, "Postward-Transaction") == header(first, "Postward-Transaction")
    assert tags(header(second, "Postward-Client")[0])["a"] == "198.51.100.7"
    assert "action=retry" in bed.verify.lines("action=retry")[-1]


def test_replay_survives_kill_9(bed):
    reply, text = bed.send_stamped(mail("killed@sender.test"))
    assert reply.code == 250
    bed.verify.stop(9)
    bed.verify.sockets[0].unlink(missing_ok=True)
    bed.verify.start()
    bed.send_stamped(mail("new-after@sender.test"))
    assert not header(bed.delivered("ann", "new-after@sender.test"), "Postward-Retry")
    for file in (bed.mail / "ann/new").glob("*"):
        file.unlink()
    assert bed.send(text).code == 250
    assert header(bed.delivered("ann", "killed@sender.test"), "Postward-Retry") == [" yes"]


def test_replay_with_another_message_is_refused(bed):
    nonce = os.urandom(12)
    assert bed.send_stamped(mail("one@sender.test"), nonce=nonce)[0].code == 250
    reply, _ = bed.send_stamped(mail("other@sender.test"), nonce=nonce)
    assert reply.code == 550 and reply.text.startswith("5.7.1 ")
    assert "action=reject, why=replay" in bed.verify.lines("action=reject")[-1]


def test_of_many_at_once_one_is_new(bed):
    text = mail("atonce@sender.test")
    value = stamp(bed.key, text, "once@sender.test", ["ann@example.test"])
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: bed.send(stamped(value, text), sender="once@sender.test"),
                                range(30)))
    assert [r.code for r in replies] == [250] * 30
    assert len(bed.verify.lines("action=accept", "from=<once@sender.test>")) == 1
    assert len(bed.verify.lines("action=retry", "from=<once@sender.test>")) == 29


def test_one_message_in_several_deliveries(bed):
    """Postfix splits recipients; each delivery has the same stamp, and is new."""
    both = ["ann@example.test", "bob@example.test"]
    text = mail("split@sender.test")
    value = stamp(bed.key, text, "ann@sender.test", both)
    for recipient in both:
        assert bed.send(stamped(value, text), [recipient]).code == 250
    for user in ("ann", "bob"):
        assert not header(bed.delivered(user, "split@sender.test"), "Postward-Retry")


def test_hidden_recipients_stay_hidden(bed):
    """Whoever gets the message learns nothing of the others from what stays in it."""
    both = ["ann@example.test", "bob@example.test"]
    _, text = bed.send_stamped(mail("bcc@sender.test"), ["ann@example.test"],
                               stamp_recipients=both)
    assert b"bob@" not in text.split(b"Received")[0]
    got = bed.delivered("ann", "bcc@sender.test")
    assert set(tags(header(got, "Postward-Client")[0])) == {
        "v", "t", "e", "q", "a", "p", "nm", "pt", "h", "pr", "tl", "cf", "lg", "da", "dp"}
    # the hash of one message says nothing about the next
    hashes = {tags(stamp(bed.key, b"A: 1\r\n\r\n", "x", ["bob@example.test"]))["rc"]
              for _ in range(20)}
    assert len(hashes) == 20


def test_many_recipients_are_counted_only(bed):
    text = mail("many@sender.test")
    value = stamp(bed.key, text, "ann@sender.test", ["x"], rc="*201")
    assert bed.send(stamped(value, text)).code == 250
    value = stamp(bed.key, text, "ann@sender.test", ["x"], rc="*200")
    assert bed.send(stamped(value, text)).code == 451


@pytest.mark.parametrize("skew,code", [(-6 * 86400, 250), (290, 250), (310, 451)])
def test_clocks_that_differ(bed, skew, code):
    reply, _ = bed.send_stamped(mail(f"skew{skew}@sender.test"), at=int(time.time()) + skew)
    assert reply.code == code


def test_rotation(bed):
    """The inner host gets the new key first; the old one is good for eight days more."""
    now = int(time.time())
    new = Key(not_before=now - 10)
    old = Key(bed.key.raw, now - 86400, now - 7 * 86400 + 86400)
    over = Key(not_before=now - 100 * 86400, not_after=now - 9 * 86400)
    soon = Key(not_before=now + 3600)
    old = Key(bed.key.raw, now - 30 * 86400, now - 7 * 86400)
    assert bed.send_stamped(mail("rot0@sender.test"), key=new)[0].code == 451
    try:
        write_keys(bed.keys, [old, new, over, soon], UID)
        reloaded = len(bed.verify.lines("event=reloaded"))
        bed.verify.reload()
        wait_until(lambda: len(bed.verify.lines("event=reloaded")) > reloaded, what="reload")
        codes = {name: bed.send_stamped(mail(f"rot-{name}@sender.test"), key=key)[0].code
                 for name, key in (("old", old), ("new", new), ("over", over), ("soon", soon))}
        assert codes == {"old": 250, "new": 250, "over": 451, "soon": 451}
        assert 'why="key time"' in bed.verify.lines("action=defer")[-1]
    finally:
        write_keys(bed.keys, [bed.key], UID)
        bed.verify.reload()


def test_key_file_for_everybody_is_no_key_file(bed):
    bed.keys.chmod(0o640)
    try:
        kept = len(bed.verify.lines("action=keep_old"))
        bed.verify.reload()
        wait_until(lambda: len(bed.verify.lines("action=keep_old")) > kept, what="refusal")
        assert bed.send_stamped(mail("kept@sender.test"))[0].code == 250
        bed.verify.stop()
        with pytest.raises(RuntimeError, match="mode 0640"):
            bed.verify.start()
    finally:
        bed.keys.chmod(0o600)
        bed.verify.start()


def test_the_daemon_is_away(bed):
    bed.verify.stop()
    try:
        with bed.from_edge() as client:
            assert client.command("MAIL FROM:<ann@sender.test>").code == 451
    finally:
        bed.verify.start()


def test_edge_check_is_told_and_not_delivered(bed):
    for key, word in ((bed.key, "ok"), (Key(), "unknown_key")):
        reply, _ = bed.send_stamped(mail("probe@sender.test", "Postward-Check: stamp\r\n"), key=key)
        assert reply.code == 550 and reply.text.startswith(f"5.7.0 postward stamp={word}")
    reply, _ = bed.send_stamped(mail("probe@sender.test", "Postward-Check: stamp\r\n"),
                                at=int(time.time()) - 60)
    assert re.search(r"stamp=ok, skew_s=-6[0-2]\n", reply.text)
    assert not bed.inner.lines("probe@sender.test", "status=sent")


def test_counters(bed):
    _, text = bed.send_stamped(mail("count@sender.test"))
    assert bed.send(text).code == 250
    bed.send_stamped(mail("count2@sender.test"), key=Key())
    bed.verify.process.kill(10)  # SIGUSR1
    path = bed.verify.state / "metrics.prom"

    def number(action):
        found = path.exists() and re.search(rf'stamps_total{{action="{action}"}} (\d+)',
                                            path.read_text())
        return found and int(found[1])
    for action in ("accept", "retry", "defer"):
        wait_until(lambda a=action: number(a), what=action)

"""Lists, posting rights, greylisting, ownership and stolen accounts of postward-policyd with a real
PostgreSQL; what docs/access.md and docs/stolen-accounts.md say, run as it is written (test_sql.py runs every statement)."""
import re
import select
import time

import pytest
from auth_driver import Driver
from policy_bed import Bed, PostfixBed
from stack.clients import SmtpClient
from stack.postward import SOURCE, Program

ANN, BOB = "ann@example.test", "bob@example.test"


@pytest.fixture(scope="module")
def bed():
    with Bed() as running:
        yield running


@pytest.fixture(autouse=True)
def clean(bed):
    yield
    bed.pg.sql("DELETE FROM mail.access_lists")
    bed.pg.sql("DELETE FROM mail.posting_rights")
    bed.pg.sql("DELETE FROM mail.rate_limits")
    setting(bed, greylist="no", stolen_suspend="no", stolen_networks="20", stolen_messages="200",
            greylist_delay="5 minutes", stolen_exempt="")
    bed.settle()


def setting(bed, **values):
    for name, value in values.items():
        bed.pg.sql("UPDATE mail.settings SET value = %s WHERE name = %s", value, name)
    bed.settle()


def statements(page):
    """The statements of a page, one block after another."""
    text = (SOURCE / "docs" / page).read_text()
    return [block for block in re.findall(r"^```sql\n(.*?)^```$", text, re.M | re.S)]


def block(page, word):
    found = [b for b in statements(page) if word in b]
    assert len(found) == 1, f"{len(found)} blocks of {page} have {word}"
    return found[0]


def stranger(client, sender="x@example.org", **changes):
    return client.ask(**{"sender": sender, "sasl_username": "", "recipient": ANN, **changes})


def test_the_lists_of_the_page(bed):
    bed.pg.sql(block("access.md", "'pest@example.org'"))
    bed.settle()
    with bed.client() as client:
        ask = lambda sender, **more: stranger(client, sender, recipient=BOB, **more)
        assert ask("pest@example.org", client_address="203.0.113.9") == \
            f"554 5.7.1 <{BOB}>: mail from you is not taken"
        assert ask("a@x.spam.example", client_address="203.0.113.9") == \
            "554 5.7.1 no mail from a@x.spam.example here"
        assert ask("good@example.org", client_address="203.0.113.9") == "DUNNO"
        assert ask("good@example.org", client_address="198.51.100.9").startswith("554 ")
        assert ask("good@example.org", client_address="203.0.113.9",
                   client_name="h7.dynamic.example.net").startswith("554 ")
        # not verified: Postfix says unknown, whatever the reverse name claims
        assert ask("good@example.org", client_address="203.0.113.9", client_name="unknown",
                   reverse_client_name="h7.dynamic.example.net") == "DUNNO"
        assert ask("b@shop.example", client_address="203.0.113.9").startswith("554 ")
        assert stranger(client, "b@shop.example", client_address="203.0.113.9") == "DUNNO"
        assert client.ask(recipient="x@rival.example", client_address="203.0.113.9").startswith("554 ")
        line = bed.program.lines("cause=listed", "from=<pest@example.org>")[0]
        row = bed.pg.value("SELECT id FROM mail.access_lists WHERE pattern = 'pest@example.org'")
        assert f"row={row}" in line and "action=reject" in line
    # the office's network skips limits, all of them, END-OF-MESSAGE included
    bed.limit(ANN, 1)
    with bed.client() as client:
        assert [client.message(f"office{n}") for n in range(3)] == ["DUNNO"] * 3
        assert client.message("home0", client_address="203.0.113.9") == "DUNNO"
        assert client.message("home1", client_address="203.0.113.9").startswith("450 ")


def test_an_entry_that_expires_ends_by_itself(bed):
    bed.pg.sql("INSERT INTO mail.access_lists (kind, pattern, action, expires_at)"
               " VALUES ('sender', '@brief.example', 'deny', now() + interval '3 seconds')")
    bed.settle()
    with bed.client() as client:
        assert stranger(client, "x@brief.example").startswith("554 ")
        bed.wait(lambda: stranger(client, "x@brief.example") == "DUNNO", 20, "the end")


def test_an_entry_in_dry_run_is_only_logged(bed):
    bed.pg.sql("INSERT INTO mail.access_lists (kind, pattern, action, dry_run)"
               " VALUES ('sender', '@try.example', 'deny', true)")
    bed.settle()
    with bed.client() as client:
        assert stranger(client, "x@try.example") == "DUNNO"
    assert bed.program.lines("action=dunno", "cause=listed", "dry_run=yes", "from=<x@try.example>")


def test_who_writes_to_the_lists_of_the_page(bed):
    bed.pg.sql("SELECT mail.add_alias(a || '@example.test', %s) FROM unnest('{staff,news}'::text[]) AS a", BOB)
    bed.pg.sql(block("access.md", "INSERT INTO mail.posting_rights"))
    bed.settle()
    staff, news = "staff@example.test", "news@example.test"
    with bed.client() as client:
        assert client.ask(recipient=staff) == "DUNNO"
        assert stranger(client, ANN, recipient=staff) == \
            f"550 5.7.1 <{staff}>: you may not write to this address"
        assert client.ask(recipient=news) == "DUNNO"
        assert client.ask(recipient=news, sender=BOB, sasl_username=BOB) == \
            f"550 5.7.1 Only the editors write to {news}"
        bed.pg.sql("UPDATE mail.posting_rights SET who_may = 'members', trust_sender = true WHERE alias = %s", news)
        bed.settle()
        assert client.ask(recipient=news, sender=BOB, sasl_username=BOB) == "DUNNO"
        assert stranger(client, BOB, recipient=news) == "DUNNO"
        assert stranger(client, "x@example.org", recipient=news).startswith("550 ")
    assert bed.program.lines("cause=posting", f"rcpt=<{staff}>")


def grey(bed, sender, client_address="198.51.100.77", run=None):
    with (run or bed).client() as client:
        return stranger(client, sender, client_address=client_address)


def test_greylisting_as_the_page_switches_it_on(bed):
    assert grey(bed, "off@example.org") == "DUNNO"
    bed.pg.sql(block("access.md", "'greylist_delay'").split(";   -- dry_run")[0])
    setting(bed, greylist_delay="2 seconds")
    # until the table has come in nobody is refused
    bed.wait(lambda: grey(bed, "first@example.org") != "DUNNO", what="greylisting")
    assert grey(bed, "met@example.org") == f"450 4.7.1 <{ANN}>: greylisted, try again in 2 s"
    assert re.fullmatch(f"450 4.7.1 <{ANN}>: greylisted, try again in [12] s", grey(bed, "met@example.org"))
    assert bed.program.lines("action=defer", "cause=greylist", "from=<met@example.org>", "retry_s=2")
    with bed.client() as client:
        assert client.ask() == "DUNNO"  # a login does not wait
        assert stranger(client, "met@example.org", recipient="nobody@example.test") == "DUNNO"
    bed.wait(lambda: grey(bed, "met@example.org") == "DUNNO", 10, "the delay")
    rows = lambda: bed.pg.sql("SELECT passed_at IS NOT NULL FROM mail.greylist WHERE sender = 'met@example.org'"
                              " AND client = '198.51.100.0/24' AND recipient = %s", ANN)
    bed.wait(lambda: rows() == [(True,)], 10, "its row")
    # a restart remembers who passed, and who waits
    assert grey(bed, "waits@example.org").startswith("450 ")
    assert bed.program.stop() == 0
    bed.program.start()
    bed.wait(lambda: grey(bed, f"new{time.monotonic_ns()}x@example.net", "192.0.2.9") != "DUNNO" or
             grey(bed, "new@fresh.example", "203.0.113.9") != "DUNNO", what="greylist after the start")
    assert grey(bed, "met@example.org") == "DUNNO"
    bed.wait(lambda: grey(bed, "waits@example.org") == "DUNNO", 4, "the delay, begun before the restart")
    # an allow entry
    bed.pg.sql("INSERT INTO mail.access_lists (kind, pattern, action) VALUES ('sender', '@friend.example', 'allow')")
    bed.settle()
    assert grey(bed, "x@friend.example", "203.0.113.50") == "DUNNO"


class Node:
    """Another policyd on the same database."""

    def __init__(self, bed):
        folder = bed.root / "node"
        folder.mkdir()
        self.policy = bed.run / "node.sock"
        self.program = Program("postward-policyd", folder, None,
                               {"policy_socket": f"unix:{self.policy}", "usage_socket": "",
                                "auth_socket": ""}, [self.policy], bed.pg)
        self.program.start()

    client = Bed.client


def test_another_node_knows_who_was_met(bed):
    setting(bed, greylist="yes", greylist_delay="3 seconds")
    node = Node(bed)
    try:
        for run in (bed, node):
            bed.wait(lambda: grey(bed, f"probe-{id(run)}@n.example", "203.0.113.200", run) != "DUNNO",
                     what="greylisting")
        begun = time.monotonic()
        assert grey(bed, "both@example.org", "192.0.2.20").startswith("450 ")
        # the other one does not let it wait from the start again
        bed.wait(lambda: grey(bed, "both@example.org", "192.0.2.20", node) == "DUNNO", 20, "the other node")
        assert 2.9 <= time.monotonic() - begun
        bed.wait(lambda: bed.pg.sql("SELECT 1 FROM mail.greylist WHERE sender = 'both@example.org'"
                                    " AND passed_at IS NOT NULL"), 10, "row")
        bed.wait(lambda: grey(bed, "both@example.org", "192.0.2.20") == "DUNNO", 5, "back here")
        # with PostgreSQL away who was not met passes, who waits waits
        assert grey(bed, "waits-here@example.org", "192.0.2.21").startswith("450 ")
        bed.pg.stop()
        bed.wait(lambda: grey(bed, "unmet@example.org", "192.0.2.22") == "DUNNO", 30, "policyd to notice")
        bed.wait(lambda: grey(bed, "waits-here@example.org", "192.0.2.21") == "DUNNO", 30, "its time")
    finally:
        if bed.pg.process is None:
            bed.pg.start()
        node.program.stop()
    bed.pg.sql("SELECT 1")


def test_a_deny_entry_only_postpones_while_the_database_is_away(bed):
    bed.pg.sql("INSERT INTO mail.access_lists (kind, pattern, action) VALUES ('sender', '@bad.example', 'deny')")
    bed.settle()
    with bed.client() as client:
        assert stranger(client, "x@bad.example").startswith("554 ")
        bed.pg.stop()
        try:
            bed.wait(lambda: stranger(client, "x@bad.example").startswith("450 4.7.1"), 30, "a 450")
            assert stranger(client, "x@good.example") == "DUNNO"
        finally:
            bed.pg.start()
        bed.wait(lambda: stranger(client, "x@bad.example").startswith("554 "), 60, "a 554 again")


def test_sender_ownership_of_the_page(bed):
    bed.pg.sql("INSERT INTO mail.alias_domains (name, target) VALUES ('alias.test', 'example.test')")
    for login in (ANN, BOB):
        bed.pg.sql("SELECT mail.add_alias('team@example.test', %s)", login)
    bed.pg.sql(block("access.md", "INSERT INTO mail.sender_permissions"))
    bed.settle()
    with bed.client() as client:
        send = lambda login, sender: client.ask("MAIL", sender=sender, sasl_username=login, recipient="")
        for login in (ANN, BOB):
            assert send(login, "team@example.test") == send(login, "Team+x@alias.test") == "DUNNO"
        assert send(ANN, "anybody@brand.example") == "DUNNO"
        assert send(BOB, "anybody@brand.example").startswith("553 ")
        assert send(ANN, "anybody@sub.brand.example").startswith("553 ")
        assert send(BOB, ANN).startswith("553 ")
        own = bed.pg.value("SELECT pg_get_functiondef('mail.sender_owners(text)'::regprocedure)")
        bed.pg.sql(block("access.md", "CREATE OR REPLACE FUNCTION mail.sender_owners"))
        try:
            bed.settle()
            assert send(BOB, ANN) == "DUNNO"
            assert send(ANN, BOB).startswith("553 ")
            assert set(bed.pg.sql("SELECT mail.postfix_senders(%s)", ANN)) == {(ANN,), (BOB,)}
            # a function of one's own may be wrong: those rows alone are left out
            bed.pg.sql("CREATE OR REPLACE FUNCTION mail.sender_owners(address text, OUT login text, OUT pattern text)"
                       " RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER"
                       " SET search_path = pg_catalog, mail, pg_temp AS"
                       " $$SELECT s.login, s.pattern FROM mail.senders() AS s UNION ALL"
                       "   VALUES (NULL, 'x@y.test'), ('ann@example.test', repeat('y', 2000))$$")
            bed.pg.sql("UPDATE mail.settings SET note = note WHERE name = 'greylist'")
            bed.settle()
            assert send(ANN, ANN) == "DUNNO"
            assert len(bed.program.lines("event=row_left_out", "table=4")) >= 2
        finally:
            bed.pg.sql(own)
            bed.pg.sql("UPDATE mail.settings SET note = note WHERE name = 'greylist'")


def alarms(bed, who):
    return bed.pg.sql("SELECT text, detail FROM mail.events WHERE kind = 'stolen_account' AND who = %s ORDER BY id", who)


def test_a_login_from_many_networks_is_told_and_suspended(bed):
    login = f"many{time.monotonic_ns()}@example.test"
    bed.pg.sql("SELECT mail.add_user(%s, 'a long enough password')", login)
    for text in statements("stolen-accounts.md"):
        if "stolen_networks" in text or "stolen_suspend" in text:
            bed.pg.sql(text)
    setting(bed, stolen_networks="3")
    listener = bed.pg.connect()
    listener.cursor().execute("LISTEN postward_events")
    with bed.client() as client, Driver(bed.auth) as driver:
        # two by Postfix, two by Dovecot; a neighbour and loopback are no further ones
        for address in ("192.0.2.1", "192.0.2.200", "127.0.0.1", "198.51.100.1"):
            assert client.ask(sasl_username=login, sender=login, client_address=address) == "DUNNO"
        driver.report(login, "success", "203.0.113.5")
        assert not bed.program.lines("event=stolen_account", login)
        driver.report(login, "success", "2001:db8::5")
        bed.wait(lambda: alarms(bed, login), 20, "the event")
        text, detail = alarms(bed, login)[0]
        assert text == f"{login}: used from 4 networks within 180 minutes"
        assert detail == {"why": "networks", "count": 4, "limit": 3, "busiest_hour": 0, "suspended": True,
                          "networks": ["2001:db8::/64", "203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24"]}
        assert bed.program.lines("event=stolen_account", f"login={login}", "why=networks", "count=4", "limit=3")
        assert bed.pg.value("SELECT suspended FROM mail.virtual_users WHERE email = %s", login) == \
            "used from 4 networks within 180 minutes"
        bed.settle()
        assert client.ask(sasl_username=login, sender=login) == \
            f"550 5.7.1 <{login}>: may not send: suspended: used from 4 networks within 180 minutes"
    deadline = time.monotonic() + 20
    while not listener.notifies and time.monotonic() < deadline:
        select.select([listener], [], [], 1)
        listener.poll()
    assert '"kind": "stolen_account"' in listener.notifies[0].payload and login in listener.notifies[0].payload
    listener.close()
    back = block("stolen-accounts.md", "SET suspended = NULL").replace(ANN, login)
    bed.pg.sql(back)
    bed.settle()
    with bed.client() as client:
        ask = lambda: client.ask(sasl_username=login, sender=login, client_address="192.0.2.1")
        assert ask().startswith("421 4.7.0 ")  # its session is older than that
        bed.wait(lambda: ask() == "DUNNO", 20, "ann to be let in again")
    assert len(alarms(bed, login)) == 1


def test_sudden_volume_is_told_and_a_restart_keeps_what_is_usual(bed):
    calm, busy, news = (f"{n}{time.monotonic_ns()}@example.test" for n in ("calm", "busy", "news"))
    for login in (calm, busy, news):
        bed.pg.sql("SELECT mail.add_user(%s, 'a long enough password')", login)
    bed.pg.sql("SELECT mail.record_send_habits(jsonb_build_array(jsonb_build_object('user', %s::text, 'busiest', 1000)))", busy)
    setting(bed, stolen_messages="5", stolen_exempt=news)
    assert bed.program.stop() == 0
    bed.program.start()
    with bed.client() as client:
        send = lambda login: client.message(f"v{time.monotonic_ns()}", sasl_username=login, sender=login)
        # until it is known what is usual nothing is sudden
        bed.wait(lambda: send(calm) == "DUNNO" and alarms(bed, calm), 30, "the event")
        for login in (busy, news):
            assert [send(login) for _ in range(20)] == ["DUNNO"] * 20
    text, detail = alarms(bed, calm)[0]
    assert re.fullmatch(re.escape(calm) + r": \d+ messages in an hour, 0 in the busiest before", text)
    assert detail["why"] == "volume" and detail["suspended"] is False
    assert bed.pg.value("SELECT suspended FROM mail.virtual_users WHERE email = %s", calm) is None
    time.sleep(1)
    assert not alarms(bed, busy) and not alarms(bed, news)


def test_quota_behind_aliases_and_nobody(bed):
    bed.pg.sql("SELECT mail.add_alias(%s, %s)", "full@example.test", BOB)
    bed.pg.sql("SELECT mail.add_alias(%s, %s)", "chain@example.test", "full@example.test")
    for to in (BOB, "x@example.com"):
        bed.pg.sql("SELECT mail.add_alias(%s, %s)", "both@example.test", to)
    bed.settle()
    with bed.client() as client, bed.usage_client() as usage:
        bed.wait(lambda: usage.tell(BOB, 1 << 20, 3) == "told", what="usage")
        for recipient in (BOB, "bob+x@example.test", "full@example.test", "chain@example.test"):
            assert stranger(client, recipient=recipient) == f"452 4.2.2 <{recipient}>: mailbox full"
        for recipient in ("both@example.test", "nobody@example.test", "x@example.com", ""):
            assert stranger(client, recipient=recipient) == "DUNNO"
        assert usage.tell(BOB, 0, 0) == "told"


def test_through_postfix():
    """The name that Postfix verified, its words to the client, and a login that does not wait."""
    with PostfixBed() as bed:
        bed.pg.sql("INSERT INTO mail.access_lists (kind, pattern, action) VALUES ('client_name', 'dynamic.example.net', 'deny')")
        bed.pg.sql("INSERT INTO mail.posting_rights (alias, who_may) VALUES ('bob@example.test', 'domain')")
        setting(bed, greylist="yes", greylist_delay="1 second")

        def rcpt(address, to, sender="x@example.org", name="[UNAVAILABLE]", login="[UNAVAILABLE]"):
            client = SmtpClient(bed.ns, "127.0.0.1")
            assert client.command(f"XCLIENT ADDR={address} NAME={name} LOGIN={login}").code == 220
            client.command("EHLO mail.example.net")
            assert client.command(f"MAIL FROM:<{sender}>").code == 250
            reply = client.command(f"RCPT TO:<{to}>")
            client.close()
            return reply

        bed.wait(lambda: rcpt("203.0.113.200", ANN).code == 450, what="greylisting")
        assert rcpt("198.51.100.7", ANN, name="h7.dynamic.example.net").code == 554
        # the reverse name alone, which Postfix could not verify
        assert rcpt("198.51.100.7", ANN).code == 450
        bed.wait(lambda: rcpt("198.51.100.7", ANN).code == 250, 10, "the delay")
        assert rcpt("198.51.100.7", BOB).code == 550
        assert rcpt("198.51.100.7", BOB, sender=ANN, login=ANN).code == 250

"""What no Postfix says, or says without meaning it: bad inputs 35, 36, 37 and 41, by number, at the
policy socket of the real daemon."""
import resource
import socket
import time

import pytest

from policy_bed import Bed, Client, Closed

ANN = "ann@example.test"
GONE = (Closed, BrokenPipeError, ConnectionResetError)


@pytest.fixture(scope="module")
def bed():
    with Bed() as running:
        yield running


# ---- bad input 35: the protocol

REFUSED = {
    "an attribute of 10 MB": b"request=smtpd_access_policy\nsender=" + b"x" * 10_000_000 + b"\n\n",
    "100000 attributes": b"a=b\n" * 100_000 + b"\n",
    "101 attributes": b"request=smtpd_access_policy\n" + b"a=b\n" * 100 + b"\n",
    "no =": b"request=smtpd_access_policy\nprotocol_state\n\n",
    "a NUL": b"request=smtpd_access_policy\nsender=a\0@b\n\n",
    "no request=": b"protocol_state=RCPT\nsender=a@b\n\n",
    "nothing but an empty line": b"\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_35_is_hung_up_on(bed, name):
    with bed.client() as bystander, bed.client() as client:
        with pytest.raises(GONE):
            client.send(REFUSED[name])
            client.answer()
        assert bystander.ask(sasl_username="") == "DUNNO"


def test_bad_input_35_no_empty_line_is_no_question_yet(bed):
    with bed.client() as client:
        request = client.request(sasl_username="")
        client.send(request[:-1])
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.answer()
        client.socket.settimeout(30)
        client.send(b"\n")
        assert client.answer() == "DUNNO"


def test_bad_input_35_the_first_of_a_name_counts_and_unknown_ones_are_ignored(bed):
    bed.limit(ANN, 1)
    with bed.client() as client:
        for n, expected in enumerate(("DUNNO", "450")):
            request = client.request("RCPT", instance=f"twice{n}")[:-1]
            request += b"sasl_username=bob@example.test\nsender=bob@example.test\nno_such_name=1\n=\ninstance=other\n\n"
            client.send(request)
            assert client.answer()[:5].startswith(expected)
            if expected == "DUNNO":
                client.send(client.request("END-OF-MESSAGE", instance=f"twice{n}", recipient_count=1))
                assert client.answer() == "DUNNO"


def test_bad_input_35_crlf_pipelined_and_half_closed(bed):
    with bed.client() as client:
        request = client.request(sasl_username="").replace(b"\n", b"\r\n")
        client.send(request * 300)
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.answer() for _ in range(300)] == ["DUNNO"] * 300
        with pytest.raises(Closed):
            client.answer()


# ---- bad input 36: connections that say nothing

def connect(bed):
    """As a client that does not give up because the backlog is full for a moment."""
    while True:
        try:
            return Client(bed.policy)
        except BlockingIOError:
            time.sleep(0.01)


def test_bad_input_36_five_thousand_idle_connections(bed):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8000), hard))
    bed.program.reload(connections_max=1000)
    idle = []
    try:
        for _ in range(5000):
            idle.append(connect(bed))
            if len(idle) % 100 == 0:
                idle[-1].send(b"request=smtpd_acc")  # and some that begin
        began = time.monotonic()
        with bed.client() as client:
            for _ in range(10):
                assert client.ask(sasl_username="") == "DUNNO"
        assert time.monotonic() - began < 2
        with pytest.raises(GONE):  # the oldest had to go: Postfix asks again on a new one
            idle[0].ask(sasl_username="")
        assert idle[-1].send(b"") is None and idle[-2].ask(sasl_username="") == "DUNNO"
    finally:
        for client in idle:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        bed.program.reload(connections_max=5000)


# ---- bad input 37: values that lie

LIES = [
    {"recipient_count": 0, "size": 0}, {"recipient_count": -5, "size": -1}, {"size": 2 ** 63, "recipient_count": 2 ** 70},
    {"size": "much", "recipient_count": "some"}, {"sasl_username": "ann"}, {"sasl_username": "ANN@EXAMPLE.TEST"},
    {"sasl_username": "@example.test"}, {"sasl_username": "*"}, {"client_address": "unknown"}, {"client_address": ""},
    {"client_address": "::ffff:192.0.2.1"}, {"client_address": "192.0.2.1/0"}, {"client_name": "unknown"},
    {"client_name": "..%s.%n"}, {"server_port": "smtp"}, {"server_port": 2 ** 40}, {"sender": "<>"}, {"sender": "*"},
    {"sender": "@"}, {"sender": '"a b"@example.test'}, {"recipient": ""}, {"recipient": "x" * 1000}, {"instance": ""},
    {"instance": "y" * 4000}, {"policy_context": "z" * 4000}, {"sender": "ann@" + "d." * 600 + "test"},
    {"client_name": "n." * 900}, {"recipient": "\xff\xfe@example.org"},
]


@pytest.mark.parametrize("lie", range(len(LIES)))
def test_bad_input_37_is_answered_and_charged_within_bounds(bed, lie):
    if lie == 0:
        bed.pg.sql("DELETE FROM mail.rate_limits")
        for key in ("login", "sender", "sender_domain", "recipient", "client", "client_name", "policy_context",
                    "server_port", "server", "client sender recipient"):
            bed.pg.sql("INSERT INTO mail.rate_limits (key, unit, kind, limit_count) SELECT %s, u, k, 100000"
                       " FROM unnest('{messages,recipients,bytes}'::text[]) AS u, unnest('{bucket,window}'::text[]) AS k", key)
        bed.settle()
    for stage in ("RCPT", "DATA", "END-OF-MESSAGE"):
        with bed.client() as client:
            answer = client.ask(stage, **{"sasl_username": "", "instance": f"lie{lie}", **LIES[lie]})
            assert answer.split()[0] in ("DUNNO", "450", "451", "452", "553", "554"), answer
    with bed.client() as client:
        assert client.ask(sasl_username="", client_address="198.51.100.1", instance=f"truth{lie}") == "DUNNO"
    assert bed.pg.value("SELECT count(*) FROM mail.rate_usage WHERE used > limit_count OR used < 0") == 0


# ---- bad input 41: limits that are none; a user that goes while mail arrives

@pytest.mark.parametrize("value, code", [
    ("-1", "23514"), ("9223372036854775808", "22003"), ("NULL", "23502"), ("'10 GB '", "22P02"),
    ("9223372036854775807", "23514"),
])
def test_bad_input_41_a_limit_that_is_none(bed, value, code):
    with pytest.raises(Exception) as error:
        bed.pg.sql(f"INSERT INTO mail.rate_limits (key, limit_count) VALUES ('server', {value})")
    assert error.value.pgcode == code


def test_bad_input_41_a_limit_below_what_was_used_and_a_user_that_goes(bed):
    bed.pg.sql("DELETE FROM mail.rate_limits")
    bed.pg.sql("SELECT mail.add_user('gone@example.test', 'a long enough password')")
    rule = bed.limit("gone@example.test", 5)
    about = {"sasl_username": "gone@example.test", "sender": "gone@example.test"}
    with bed.client() as client:
        for n in range(4):
            assert client.message(f"gone{n}", **about) == "DUNNO"
        bed.pg.sql("UPDATE mail.rate_limits SET limit_count = 2 WHERE id = %s", rule)
        bed.settle()
        assert client.message("gone4", **about)[:3] == "450"
        bed.wait(lambda: bed.pg.sql("SELECT used, free FROM mail.rate_usage WHERE limit_id = %s", rule) == [(2, 0)],
                 what="usage above the limit")
        bed.pg.sql("UPDATE mail.rate_limits SET limit_count = 9 WHERE id = %s", rule)
        bed.settle()
        assert client.ask(instance="gone5", **about) == "DUNNO"
        bed.pg.sql("DELETE FROM mail.rate_limits WHERE id = %s", rule)
        bed.pg.sql("DELETE FROM mail.virtual_users WHERE email = 'gone@example.test'")
        bed.settle()
        # what was under way comes to its end; the next is refused
        assert client.ask("END-OF-MESSAGE", instance="gone5", recipient_count=1, **about) == "DUNNO"
        assert client.ask(instance="gone6", **about)[:3] in ("550", "553")

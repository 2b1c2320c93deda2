"""What odd questions come to (bad inputs 35 and 37, besides test_policy_bad_input.py): what can be read
is judged as it stands, and a value that lies is taken for what it is worth."""
import socket

import pytest
from policy_bed import Bed, Client, Closed

ANN = "ann@example.test"
HUNG_UP = Closed, BrokenPipeError, ConnectionResetError


@pytest.fixture(scope="module")
def running_bed():
    with Bed() as running:
        yield running


@pytest.fixture
def bed(running_bed):
    """No limit of an earlier test is left."""
    running_bed.pg.sql("DELETE FROM mail.rate_limits")
    running_bed.settle()
    return running_bed


question = Client.request


# ---- bad input 35: the protocol

NONE_OF_OURS = {
    "10 MB without a line end": b"x" * 10_000_000,
    "NUL in a name": b"request=smtpd_access_policy\nsen\0der=a\n\n",
    "another request": question().replace(b"smtpd_access_policy", b"smtpd_access_polic"),
    "only CR": b"\r\n\r\n",
    "another protocol": b"EHLO mail.example.net\r\n\r\n",
}


@pytest.mark.parametrize("name", NONE_OF_OURS)
def test_bad_input_35_is_hung_up_on_without_an_answer(bed, name):
    with bed.client() as bystander, bed.client() as client:
        assert bystander.ask(instance="before") == "DUNNO"
        with pytest.raises(HUNG_UP):
            client.send(NONE_OF_OURS[name])
            client.answer()
        assert client.rest == b""
        assert bystander.ask("END-OF-MESSAGE", instance="before") == "DUNNO"


READABLE = {
    "CRLF": question(sender="eve@example.test").replace(b"\n", b"\r\n"),
    "a name twice: the first counts": question(sender="eve@example.test").replace(
        b"recipient=", f"sender={ANN}\nrecipient=".encode(), 1),
    "100 attributes, most unknown": question(sender="eve@example.test")[:-1]
                                    + b"unknown_to_all=1\n" * 88 + b"\n",
    "in another order": b"".join(reversed(question(sender="eve@example.test").splitlines(True)[:-1]))
                        + b"\n",
    "an empty name, an empty value": question(sender="eve@example.test")[:-1] + b"=x\nstress=\n\n",
    "equals signs in a value": question(sender="eve@example.test", client_name="a=b=c"),
    "bytes over 127": question(sender="eve@example.test", client_name="m\u00fcll.example\u2028"),
    "15 kB": question(sender="eve@example.test", client_name="x" * 15_000),
}


@pytest.mark.parametrize("name", READABLE)
def test_bad_input_35_is_read_as_far_as_it_can_be(bed, name):
    """Each is of a sender that is not the login's own, which the answer must show."""
    assert len(READABLE["100 attributes, most unknown"].splitlines()) == 101  # and the empty line
    with bed.client() as client:
        client.send(READABLE[name])
        assert client.answer() == f"553 5.7.1 <eve@example.test>: not an address of login {ANN}"
        assert client.ask() == "DUNNO"


def test_bad_input_35_several_at_once_and_half_closed(bed):
    with bed.client() as client:
        client.send(question() + question(sender="eve@example.test") + question() + question()[:-1])
        answers = [client.answer() for _ in range(3)]
        assert [a[:5] for a in answers] == ["DUNNO", "553 5", "DUNNO"]
        client.send(b"\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer() == "DUNNO"
        with pytest.raises(Closed):
            client.answer()
    with bed.client() as client:  # no empty line ever
        client.send(question()[:-1])
        client.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(Closed):
            client.answer()


# ---- bad input 37: values that lie

def test_bad_input_37_no_recipient_count_costs_one_each(bed):
    """0 is what Postfix says at RCPT; nothing, less and too much are no more than that."""
    bed.limit(ANN, 7, unit="recipients")
    with bed.client() as client:
        for n, count in enumerate((0, "", -5, "many", 2 ** 63, 1000)):
            assert client.ask(instance="lies", recipient=f"r{n}@example.org",
                              recipient_count=count) == "DUNNO"
        assert client.ask("END-OF-MESSAGE", instance="lies", recipient_count=0) == "DUNNO"
        assert client.message("seventh") == "DUNNO"
        assert client.message("eighth").startswith("450 ")


@pytest.mark.parametrize("size", [0, "", -1, "big", 2 ** 63, 2 ** 63 - 1])
def test_bad_input_37_a_size_that_is_none(bed, size):
    """Only a size that is really there can be too big for a mailbox (bob's 1 MB)."""
    expected = "452 4.2.2 " if size == 2 ** 63 - 1 else "DUNNO"
    with bed.client() as client:
        answer = client.ask(sender="x@example.org", sasl_username="", recipient="bob@example.test",
                            size=size)
    assert answer.startswith(expected)


@pytest.mark.parametrize("login", ["ANN@EXAMPLE.TEST", "Ann@example.test", "ann@example.test."])
def test_bad_input_37_one_login_however_it_is_written(bed, login):
    bed.limit(ANN, 1)
    with bed.client() as client:
        assert client.message("own") == "DUNNO"
        assert client.message("other", sasl_username=login).startswith("450 4.7.1 <")


@pytest.mark.parametrize("login", ["ann", "@example.test", "ann@", "ann@@example.test", "'; --", "%",
                                   "*", pytest.param("x" * 2000, id="2000 letters")])
def test_bad_input_37_a_login_that_is_no_address_owns_none(bed, login):
    """One never seen may be too new for us, so it waits (limits.md); nobody else does."""
    with bed.client() as client:
        assert client.ask(sasl_username=login).startswith(f"451 4.3.0 <{ANN}>: cannot tell now ")
        assert client.ask() == "DUNNO"


@pytest.mark.parametrize("address", ["unknown", "", "999.1.2.3", "::1::", "fe80::1%eth0", "\u00e4",
                                     pytest.param("x" * 5000, id="5000 letters")])
def test_bad_input_37_a_client_address_that_is_none(bed, address):
    with bed.client() as client:
        assert client.ask(client_address=address, client_name=address) == "DUNNO"
        assert client.ask("END-OF-MESSAGE", client_address=address) == "DUNNO"


def test_bad_input_37_a_stage_that_is_none(bed):
    with bed.client() as client:
        for stage in ("", "rcpt", "DATA", "CONNECT", "BDAT", "x" * 1000):
            assert client.ask(stage) == "DUNNO"

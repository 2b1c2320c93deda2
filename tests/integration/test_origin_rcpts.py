"""The engine towards servers that answer as Postfix cannot be made to: recipients all at once, with
DATA behind them, and sessions that end in their midst."""
import socket
import subprocess
import threading
import time

import pytest
from stack.postward import build

BASIC = ["PIPELINING", "SIZE 1000000", "8BITMIME", "DSN"]


class Stub:
    """An SMTP server of one test. answers: what to say instead of 250, by the start of the command
    line; a list is used up one by one, and None hangs up instead. Remembers what it was told, a list
    a session, and the messages."""

    def __init__(self, answers=(), offers=tuple(BASIC)):
        self.answers = {key: list(value) if isinstance(value, list) else value
                        for key, value in dict(answers).items()}
        self.offers, self.sessions, self.messages, self.flights = offers, [], [], []
        self.pause_s = self.dot_pause_s = 0  # before the answer to each recipient, to the final dot
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.sessions.append([])
            threading.Thread(target=self._serve, args=[client, self.sessions[-1]], daemon=True).start()

    def _answer(self, line):
        for start, answer in self.answers.items():
            if line.startswith(start):
                if not isinstance(answer, list):
                    return answer
                if answer:
                    return answer.pop(0)
        if line.startswith("EHLO"):
            return "".join(f"250-{o}\r\n" for o in ("stub.test", *self.offers)) + "250 HELP"
        return {"DATA": "354 go on", "QUIT": "221 bye", ".": "250 2.0.0 Ok: queued as ABC123"}.get(
            line, "250 2.0.0 Ok")

    @staticmethod
    def _receive(client):
        try:
            return client.recv(65536)
        except OSError:  # gone, without having read everything
            return b""

    def _serve(self, client, told):
        rest, is_data, message = b"", False, []
        client.sendall(b"220 stub.test\r\n")
        while got := self._receive(client):
            self.flights.append(got)
            *lines, rest = (rest + got).split(b"\r\n")
            for line in (l.decode() for l in lines):
                if is_data and line != ".":
                    message.append(line)
                    continue
                told.append(line)
                time.sleep(self.pause_s if line.startswith("RCPT") else self.dot_pause_s if is_data else 0)
                answer = self._answer(line)
                if answer is None:
                    client.close()
                    return
                if is_data:
                    self.messages.append(message)
                client.sendall(answer.encode() + b"\r\n")
                is_data, message = line == "DATA" and answer.startswith("354"), []
        told.append("(closed)")
        client.close()

    def close(self):
        self._socket.close()


class Probe:
    def __init__(self, port):
        self._child = subprocess.Popen([build() / "tests/probe/probe_upstream", str(port)], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command, lines=1):
        self._child.stdin.write(command + "\n")
        self._child.stdin.flush()
        got = [self._child.stdout.readline().rstrip("\n") for _ in range(lines)]
        return got[0] if lines == 1 else got

    def end(self):
        self._child.stdin.close()
        return self._child.wait(20)


@pytest.fixture
def talk():
    """talk(answers, offers): a stub and a probe that speaks to it."""
    made = []

    def begin(answers=(), offers=tuple(BASIC)):
        stub = Stub(answers, offers)
        probe = Probe(stub.port)
        made.extend([stub, probe])
        return stub, probe
    yield begin
    for stub, probe in zip(made[::2], made[1::2]):
        assert probe.end() == 0
        stub.close()


def send(probe, text="Subject: x"):
    assert probe.ask(f"write {text}") == "written"
    return probe.ask("finish")


def test_one_flight_for_envelope_and_data(talk):
    stub, probe = talk({"RCPT TO:<b@": "550 5.1.1 no such"})
    assert probe.ask("mail <s@x>") == "ok 0 "
    assert probe.ask("rcpts <a@x> <b@x> <c@x>", 4) == ["0 ok 250 Ok", "1 refused 550 no such",
                                                      "2 ok 250 Ok", "ok 354 go on"]
    assert send(probe) == "ok 250 Ok: queued as ABC123"
    assert b"".join([b"MAIL FROM:<s@x>\r\n", *(b"RCPT TO:<%c@x>\r\n" % c for c in b"abc"),
                     b"DATA\r\n"]) in stub.flights
    assert stub.messages == [["Subject: x"]]


def test_no_recipient_no_message(talk):
    """A server that says 354 all the same is not given even an empty message."""
    stub, probe = talk({"RCPT": "550 5.1.1 no such"})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpts <a@x> <b@x>", 3)[2].startswith("refused ")
    probe.ask("reset")
    assert probe.ask("mail <s2@x>") == "ok 0 "
    assert stub.messages == [] and len(stub.sessions) == 2
    assert "." not in stub.sessions[0]


def test_no_recipient_and_a_server_that_knows(talk):
    stub, probe = talk({"RCPT TO:<b@": "450 4.7.1 later", "DATA": ["554 5.5.1 no valid recipients"]})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpts <b@x>", 2)[1].startswith("refused ")
    probe.ask("reset")
    probe.ask("mail <s@x>")
    assert probe.ask("rcpts <a@x>", 2)[1].startswith("ok 354")
    assert send(probe).startswith("ok 250")
    assert len(stub.sessions) == 1 and "RSET" in stub.sessions[0] and len(stub.messages) == 1


def test_a_refused_sender_is_told_to_each(talk):
    stub, probe = talk({"MAIL": ["554 5.7.1 not you"], "RCPT": ["503 need MAIL"] * 2,
                        "DATA": ["503 need RCPT"]})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpts <a@x> <b@x>", 3) == ["0 refused 554 not you", "1 refused 554 not you",
                                                "refused 554 not you"]
    probe.ask("reset")
    probe.ask("mail <s@x>")
    assert probe.ask("rcpts <a@x>", 2)[1].startswith("ok")
    assert send(probe).startswith("ok") and len(stub.sessions) == 1


def test_data_refused_after_recipients_were_taken(talk):
    stub, probe = talk({"DATA": "451 4.3.0 not now"})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpts <a@x>", 2)[1].startswith("ok")
    assert send(probe) == "refused 451 not now" and stub.messages == []


def test_very_many_recipients(talk):
    stub, probe = talk({"RCPT TO:<r77@": "550 5.1.1 no"})
    probe.ask("mail <s@x>")
    answers = probe.ask("rcpts 500", 501)
    assert [a.split()[1] for a in answers[:500]] == ["refused" if i == 77 else "ok" for i in range(500)]
    assert answers[500].startswith("ok 354") and send(probe).startswith("ok")
    assert sum(l.startswith("RCPT") for l in stub.sessions[0]) == 500


def test_a_server_that_takes_its_time_for_each(talk):
    """The probe's patience is 5 s: for a reply, not for all of them."""
    stub, probe = talk()
    stub.pause_s = 0.2
    probe.ask("mail <s@x>")
    assert probe.ask("rcpts 35", 36)[35].startswith("ok 354")
    assert send(probe).startswith("ok") and len(stub.messages) == 1


def test_one_refused_here_first_in_a_flight(talk):
    """The second flight begins with a recipient the stub is never told of."""
    stub, probe = talk(offers=["PIPELINING"])
    probe.ask("mail <s@x>")
    odd = "<b@x>,NOTIFY=SUCCESS"
    answers = probe.ask("rcpts " + " ".join(["<a@x>"] * 50 + [odd] + ["<c@x>"] * 2), 54)
    assert answers[50] == "50 refused 555 Server makes no delivery reports"
    assert answers[51:] == ["51 ok 250 Ok", "52 ok 250 Ok", "ok 354 go on"]
    assert send(probe).startswith("ok") and len(stub.messages) == 1


def test_one_at_a_time_where_that_is_all_there_is(talk):
    stub, probe = talk(offers=["8BITMIME"])
    assert probe.ask("mail <s@x>").startswith("ok 250")
    assert probe.ask("rcpts <a@x> <b@x>", 3)[2].startswith("ok")
    assert send(probe).startswith("ok")
    assert all(flight.count(b"\r\n") == 1 for flight in stub.flights if b"Subject" not in flight)


@pytest.mark.parametrize("line", ["MAIL", "RCPT TO:<a@", "DATA"])
def test_a_session_lost_before_anything_was_told_is_made_again(talk, line):
    stub, probe = talk({line: [None]})
    assert probe.ask("mail <s@x>").startswith("ok")
    assert probe.ask("rcpt <a@x>").startswith("ok")
    assert send(probe).startswith("ok 250")
    assert len(stub.sessions) == 2 and len(stub.messages) == 1
    assert stub.sessions[1] == ["EHLO probe.test", "MAIL FROM:<s@x>", "RCPT TO:<a@x>", "DATA", "."]


def test_but_once_only(talk):
    stub, probe = talk({"RCPT": [None, None, None]})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpt <a@x>") == "failed rcpt unavailable"
    assert len(stub.sessions) == 2


def test_a_recipient_refused_when_named_again_is_no_delivery(talk):
    stub, probe = talk({"RCPT TO:<a@": ["250 ok", "550 5.1.1 not any more"], "DATA": [None]})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpt <a@x>").startswith("ok")
    assert send(probe) == "failed data protocol error" and stub.messages == []


def test_421_among_replies_ends_it(talk):
    stub, probe = talk({"RCPT TO:<b@": "421 4.3.2 leaving"})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpts <a@x> <b@x> <c@x>", 3) == ["0 ok 250 Ok", "1 refused 421 leaving",
                                                      "failed rcpt unavailable"]
    assert stub.messages == []


def test_a_lost_reply_to_the_dot_is_in_doubt_and_never_said_again(talk):
    stub, probe = talk({".": [None]})
    probe.ask("mail <s@x>")
    probe.ask("rcpt <a@x>")
    assert send(probe) == "failed dot unavailable in doubt"
    assert len(stub.sessions) == 1


@pytest.mark.parametrize("answer", ["250-a\r\n251 b", "nonsense", "999 x", "250 " + "x" * 3000],
                         ids=["codes", "words", "code", "long"])
def test_what_is_no_reply_is_no_answer(talk, answer):
    stub, probe = talk({"RCPT": answer})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpt <a@x>") == "failed rcpt protocol error"
    assert stub.messages == []


def test_replies_lose_nothing(talk):
    _, probe = talk({"RCPT": "550-5.7.1 first\r\n550-5.7.1\r\n550 5.7.1 100% last"})
    probe.ask("mail <s@x>")
    assert probe.ask("rcpt <a@x>", 3) == ["refused 550 first", "", "100% last"]

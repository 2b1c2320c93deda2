"""postward-policyd as Postfix, Dovecot and an admin meet it, with a real PostgreSQL."""
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from policy_bed import Bed, Client, Closed, PostfixBed
from stack.clients import SmtpClient
from stack.postward import build
from stack.proc import wait_until

ANN, BOB = "ann@example.test", "bob@example.test"


@pytest.fixture(scope="module")
def bed():
    with Bed() as running:
        yield running


@pytest.fixture
def fresh_bed():
    with Bed() as running:
        yield running


def admitted(bed, connections, messages):
    """How many of so many messages of ann pass, sent over so many connections at once."""
    clients = [bed.client() for _ in range(connections)]
    passed = 0
    for first in range(0, messages, connections):
        asked = []
        for n, client in enumerate(clients[:messages - first]):
            client.send(client.request("RCPT", instance=f"{connections}.{first + n}"))
            asked.append((n, client))
        asked = [(n, client) for n, client in asked if client.answer() == "DUNNO"]
        for n, client in asked:
            client.send(client.request("END-OF-MESSAGE", instance=f"{connections}.{first + n}",
                                       recipient_count=1))
        passed += sum(client.answer() == "DUNNO" for _, client in asked)
    for client in clients:
        client.close()
    return passed


@pytest.mark.parametrize("connections", [1, 32, 100])
def test_exactly_the_limit_passes(bed, connections):
    bed.limit(ANN, 100, "1 day")
    assert admitted(bed, connections, 1000) == 100


def test_the_sixth_message_is_told_why_and_until_when(bed):
    rule = bed.limit(ANN, 5)
    with bed.client() as client:
        assert [client.message(f"six{n}") for n in range(5)] == ["DUNNO"] * 5
        answer = client.message("six5", recipient="late@example.org")
        client.message("six6")
    assert answer.startswith(f"450 4.7.1 <{ANN}>: 5 messages per hour reached; try again after 20")
    assert answer.endswith(" UTC")
    line = bed.program.lines("rcpt=<late@example.org>")[0]
    for field in ("action=defer", "cause=rate", f"login={ANN}", f"rule={rule}", "retry_s=7"):
        assert field in line
    bed.wait(lambda: bed.pg.sql("SELECT 1 FROM mail.events WHERE kind = 'rate'"
                                " AND detail ->> 'rule' = %s", str(rule)), what="event")
    rows = bed.pg.sql("SELECT who, text, (detail ->> 'limit')::int FROM mail.events"
                      " WHERE kind = 'rate' AND detail ->> 'rule' = %s", str(rule))
    assert rows == [(ANN, f"{ANN}: 5 messages per hour reached", 5)]
    bed.wait(lambda: bed.pg.sql("SELECT used, free FROM mail.rate_usage WHERE limit_id = %s",
                                rule) == [(5, 0)], what="rate_usage")


def test_a_message_that_comes_to_nothing_costs_nothing(bed):
    bed.limit(ANN, 1)
    for n in range(3):
        with bed.client() as client:
            assert client.ask(instance=f"nothing{n}") == "DUNNO"
        time.sleep(0.05)
    with bed.client() as one, bed.client() as two:
        assert one.ask(instance="a") == "DUNNO"
        assert two.ask(instance="b").startswith("450 ")
        assert one.ask(instance="c") == "DUNNO"
        assert one.ask("END-OF-MESSAGE", instance="c", recipient_count=1) == "DUNNO"
        assert two.ask(instance="d").startswith("450 ")


def test_a_limit_in_recipients(bed):
    bed.limit(ANN, 3, unit="recipients")
    with bed.client() as client:
        for n in range(3):
            assert client.ask(instance="many", recipient=f"r{n}@example.org") == "DUNNO"
        fourth = client.ask(instance="many", recipient="r3@example.org")
        assert fourth.startswith(f"450 4.7.1 <{ANN}>: 3 recipients per hour reached")
        # one of the three was refused by somebody else
        assert client.ask("END-OF-MESSAGE", instance="many", recipient_count=2) == "DUNNO"
        assert client.message("next") == "DUNNO"
        assert client.message("last").startswith("450 ")


def test_a_limit_changed_in_sql_counts_at_once_and_keeps_what_was_used(bed):
    rule = bed.limit(ANN, 1)
    with bed.client() as client:
        assert client.message("change1") == "DUNNO"
        assert client.message("change2").startswith("450 ")
        bed.pg.sql("UPDATE mail.rate_limits SET limit_count = 3 WHERE id = %s", rule)
        bed.settle()
        answers = [client.message(f"change{n}") for n in range(3, 6)]
        assert [a[:5] for a in answers] == ["DUNNO", "DUNNO", "450 4"]
        bed.pg.sql("UPDATE mail.rate_limits SET dry_run = true WHERE id = %s", rule)
        bed.settle()
        assert client.message("dry", recipient="dry@example.org") == "DUNNO"
    assert bed.program.lines("dry_run=yes", "rcpt=<dry@example.org>")


def test_a_restart_keeps_the_counters(bed):
    bed.limit(ANN, 2)
    with bed.client() as client:
        assert client.message("restart1") == "DUNNO"
        assert client.message("restart2") == "DUNNO"
    assert bed.program.stop() == 0
    bed.program.start()
    with bed.client() as client:
        assert client.message("restart3").startswith("450 ")


def test_over_quota_until_mail_is_expunged(bed):
    bed.settle()
    with bed.client() as client, bed.usage_client() as usage:
        ask = lambda: client.ask(sender="x@example.org", sasl_username="", recipient=BOB)
        assert usage.ask("watch", BOB) == f"limit\t{BOB}\t{1 << 20}\t0\t0"
        assert usage.ask("watch", ANN) == f"limit\t{ANN}\t0\t0\t0"
        bed.wait(lambda: usage.ask("watch", "eve@example.test") == "unknown\teve@example.test",
                 what="eve to be unknown for sure")
        assert ask() == "DUNNO"
        assert usage.tell(BOB, 1 << 20, 3) == "told"
        assert ask() == f"452 4.2.2 <{BOB}>: mailbox full"
        assert usage.tell(BOB, 1000, 1) == "told"
        assert ask() == "DUNNO"
    bed.wait(lambda: bed.pg.sql("SELECT messages FROM mail.quota_usage WHERE email = %s",
                                BOB) == [(1,)], what="usage in SQL")


def test_a_login_sends_as_itself(bed):
    bed.limit(ANN, 0)
    bed.pg.sql("SELECT mail.add_alias('sales@example.test', %s)", ANN)
    bed.settle()
    with bed.client() as client:
        assert client.ask("MAIL", recipient="") == "DUNNO"
        assert client.ask(sender="Sales@Example.Test") == "DUNNO"
        assert client.ask(sender="sales+x@example.test") == "DUNNO"
        assert client.ask(sender=BOB) == f"553 5.7.1 <{BOB}>: not an address of login {ANN}"
        assert client.ask(sender="").startswith("553 5.7.1 <>")
        assert client.ask(sender=BOB, sasl_username="") == "DUNNO"


def slowest_answer_s(bed, seconds):
    """The slowest of as many answers as 8 connections get in so many seconds."""
    slowest, end = [0.0] * 8, time.monotonic() + seconds

    def load(place):
        with bed.client() as client:
            n = 0
            while time.monotonic() < end:
                began = time.monotonic()
                answer = client.message(f"load{place}.{n}")
                slowest[place] = max(slowest[place], time.monotonic() - began)
                assert answer == "DUNNO", answer
                n += 1
                time.sleep(0.002)

    threads = [threading.Thread(target=load, args=(i,)) for i in range(len(slowest))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(slowest)


def postgres_processes(bed):
    pid = bed.pg.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid, *map(int, children.read().split())]


def test_answers_in_time_while_postgresql_hangs(fresh_bed):
    frozen = postgres_processes(fresh_bed)
    timer = threading.Timer(0.5, lambda: [os.kill(p, signal.SIGSTOP) for p in frozen])
    timer.start()
    try:
        assert slowest_answer_s(fresh_bed, 6) < 3  # it hangs for longer
    finally:
        timer.join()
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


def test_postgresql_stopped_and_back(fresh_bed):
    bed = fresh_bed
    timer = threading.Timer(0.5, lambda: bed.pg.stop(signal.SIGQUIT))
    timer.start()
    assert slowest_answer_s(bed, 3) < 3
    timer.join()
    with bed.client() as client, bed.usage_client() as usage:
        # known is accepted, for the rest there is no definite answer
        assert client.ask(sender=BOB).startswith("451 4.3.0 ")
        assert client.ask() == "DUNNO"
        assert usage.ask("watch", "eve@example.test") == "fail\teve@example.test"
        assert usage.tell(BOB, 1 << 20, 7) == "told"
        assert client.ask(sasl_username="", recipient=BOB).startswith("452 ")
        bed.pg.start()
        bed.wait(lambda: client.ask(sender=BOB).startswith("553 "), 60, "definite answers")
    bed.wait(lambda: bed.pg.sql("SELECT messages FROM mail.quota_usage WHERE email = %s",
                                BOB) == [(7,)], 60, "usage written afterwards")


def test_started_without_a_database(fresh_bed):
    bed = fresh_bed
    bed.limit(ANN, 1)
    bed.program.stop()
    bed.pg.stop()
    bed.program.start()
    with bed.client() as client:  # from the copy on disk
        assert client.message("copy1") == "DUNNO"
        assert client.message("copy2").startswith("450 ")
    bed.program.stop()
    for copy in bed.program.state.glob("snapshot*"):
        copy.unlink()
    bed.program.start()
    with bed.client() as client:  # known and unknown cannot be told apart
        began = time.monotonic()
        assert client.ask() == "451 4.3.0 accounts cannot be looked up now; try again later"
        assert time.monotonic() - began < 4  # Postfix waits for 5 s
        assert client.ask(sasl_username="") == "DUNNO"
        bed.pg.start()
        bed.wait(lambda: client.ask(sender=BOB).startswith("553 "), 60, "the first snapshot")


def test_a_stop_does_not_wait_for_a_database_that_is_away(fresh_bed):
    fresh_bed.limit(ANN, 10)
    fresh_bed.pg.stop()
    with fresh_bed.client() as client:
        assert client.message("last") == "DUNNO"
    began = time.monotonic()
    assert fresh_bed.program.stop() == 0
    assert time.monotonic() - began < 25


def test_2000_hangups_in_5_seconds(bed):
    bed.limit(ANN, 0)
    load = threading.Thread(target=slowest_answer_s, args=(bed, 5))
    load.start()
    pid, began = bed.program.process.pid, time.monotonic()
    for n in range(2000):
        os.kill(pid, signal.SIGHUP)
        time.sleep(max(0, began + n * 0.0025 - time.monotonic()))
    load.join()
    assert bed.program.process.is_running()
    before = len(bed.program.lines("event=reload"))
    assert before > 10
    os.kill(pid, signal.SIGHUP)
    bed.wait(lambda: len(bed.program.lines("event=reload")) > before, what="a reload")


def test_a_reload_keeps_the_old_settings_if_the_new_are_wrong(bed):
    bed.program.reload(idle_timeout="soon")
    bed.wait(lambda: bed.program.lines('event=reload_refused'), what="refusal")
    assert bed.program.lines("event=settings", "idle_timeout")
    bed.program.reload(idle_timeout="400s")
    with bed.client() as client:
        assert client.ask(sasl_username="") == "DUNNO"


GARBAGE = {
    "http": b"GET / HTTP/1.0\r\n\r\n",
    "no equals sign": b"request=smtpd_access_policy\nsender\n\n",
    "another request": b"request=junk_mail\n\n",
    "NUL": b"request=smtpd_access_policy\nsender=a\0b\n\n",
    "17 kB without an end": b"request=smtpd_access_policy\nsender=" + b"x" * 17000,
    "17 kB with an end": b"request=smtpd_access_policy\nsender=" + b"x" * 17000 + b"\n\n",
    "100000 attributes": b"a=b\n" * 100000 + b"\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_who_speaks_another_protocol_is_hung_up_on(bed, name):
    with bed.client() as bystander, bed.client() as client:
        assert bystander.ask(sasl_username="") == "DUNNO"
        with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)):
            client.send(GARBAGE[name])
            client.answer()
        assert bystander.ask(sasl_username="") == "DUNNO"


def test_usage_client_that_asks_and_does_not_read(bed):
    """It waits for its own reading; no request is lost and nobody hangs up on it."""
    count = 60000
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(60)
        peer.connect(str(bed.usage))
        asks = threading.Thread(target=peer.sendall, daemon=True, args=(
            b"postward-usage\t2\n" + b"watch\tnobody@example.test\n" * count,))
        asks.start()
        time.sleep(1)  # until both directions are full
        answers = b""
        while answers.count(b"\n") < count + 1:
            chunk = peer.recv(3000)
            assert chunk, "hung up"
            answers += chunk
        asks.join()
    assert answers == b"postward-usage\t2\n" + b"unknown\tnobody@example.test\n" * count


def test_usage_lines_that_are_none(bed):
    for line in ("delete\teverything", "usage\tann@example.test\tmany\t1\t1", "watch"):
        with bed.usage_client() as usage, pytest.raises((Closed, ConnectionResetError)):
            usage.ask(line)
    with bed.usage_client() as usage, pytest.raises((Closed, ConnectionError)):
        usage.ask("watch", "x" * 2000)


def test_a_request_in_pieces_pipelined_and_half_closed(bed):
    with bed.client() as client:
        for byte in client.request(sasl_username=""):
            client.send(bytes([byte]))
        assert client.answer() == "DUNNO"
        client.send(client.request(sasl_username="") * 500)
        assert [client.answer() for _ in range(500)] == ["DUNNO"] * 500
        client.send(client.request(sasl_username=""))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer() == "DUNNO"
        with pytest.raises(Closed):
            client.answer()


def test_a_peer_that_never_reads_harms_nobody(bed):
    with bed.client(timeout_s=1) as deaf, bed.client() as other:
        deaf.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            while True:
                deaf.send(deaf.request(sasl_username="") * 100)
        assert other.ask(sasl_username="") == "DUNNO"


def test_idle_connections_make_room(bed):
    bed.program.reload(connections_max=300)
    idle = [bed.client() for _ in range(300)]
    for client in idle:
        assert client.ask(sasl_username="") == "DUNNO"
    with bed.client() as late:
        assert late.ask(sasl_username="") == "DUNNO"
        assert idle[-1].ask(sasl_username="") == "DUNNO"
    with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)):
        idle[0].ask(sasl_username="")
    for client in idle:
        client.close()


def test_out_of_descriptors_it_goes_on(fresh_bed):
    bed = fresh_bed
    pid, uid = bed.program.process.pid, bed.program.uid
    used = len(os.listdir(f"/proc/{pid}/fd"))
    subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "prlimit",
                    "--pid", str(pid), f"--nofile={used + 20}"], check=True)
    clients = [bed.client() for _ in range(60)]
    assert clients[-1].ask(sasl_username="") == "DUNNO"
    with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)):
        clients[0].ask(sasl_username="")
    for client in clients:
        client.close()
    with bed.client() as client:
        assert client.ask(sasl_username="") == "DUNNO"


def test_one_instance_a_socket_and_none_left_behind(fresh_bed):
    bed = fresh_bed
    second = type(bed.program)("postward-policyd", bed.root / "second", None,
                               bed.program.settings, [bed.root / "never"])
    with pytest.raises(RuntimeError, match="answers there already"):
        second.start()
    with bed.client() as client:
        assert client.ask(sasl_username="") == "DUNNO"
    bed.program.process.stop(signal.SIGKILL)
    assert bed.policy.exists()
    bed.program.start()  # over the socket a dead process left
    bed.wait(lambda: len(bed.program.lines("event=start,")) == 2, what="start")
    with bed.client() as client:
        assert client.ask(sasl_username="") == "DUNNO"
    assert bed.program.stop() == 0
    assert not bed.policy.exists() and not bed.usage.exists()


def test_a_socket_of_systemd_stands_for_the_one_of_the_settings(fresh_bed, tmp_path):
    """And what is no unix socket is opened besides."""
    assert fresh_bed.program.stop() == 0
    program = fresh_bed.program
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program.write_settings(policy_socket=f"unix:/nowhere/not.sock inet:127.0.0.1:{port}")
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(tmp_path / "policy.sock"))
        os.chmod(tmp_path / "policy.sock", 0o666)
        held.listen(16)
        command = (f"exec 3<&{held.fileno()}; export LISTEN_FDS=1 LISTEN_FDNAMES=policy"
                   " LISTEN_PID=$$;" f" exec {build()}/bin/{program.name} -c {program.conf}")
        prefix = program.process._command  # pylint: disable=protected-access
        prefix = prefix[:prefix.index(str(build() / "bin" / program.name))]
        with open(tmp_path / "log", "wb") as log:
            daemon = subprocess.Popen([*prefix, "bash", "-c", command],
                                      pass_fds=(held.fileno(),), stderr=log)
        try:
            assert Client(tmp_path / "policy.sock").ask() == "DUNNO"
            with contextlib.closing(wait_until(lambda: tcp(port), what="TCP")) as client:
                client.sendall(Client.request())
                assert client.recv(4096) == b"action=DUNNO\n\n"
        finally:
            daemon.terminate()
            assert daemon.wait(60) == 0


def tcp(port):
    try:
        return socket.create_connection(("127.0.0.1", port), 30)
    except ConnectionRefusedError:
        return None


def test_counters_are_written(bed):
    with bed.client() as client:
        assert client.ask(sasl_username="") == "DUNNO"
    path = bed.program.state / "metrics.prom"
    bed.program.process.kill(signal.SIGUSR1)
    bed.wait(lambda: path.exists() and 'answers_total{cause="none"} 0\n' not in path.read_text()
             and 'postward_policyd_answers_total{cause="none"} ' in path.read_text(),
             what="metrics")


def test_a_postfix_that_asks_at_rcpt_alone_is_noticed_once(fresh_bed):
    fresh_bed.limit(ANN, 5)
    with fresh_bed.client() as client:
        for n in range(60):
            assert client.ask(instance=f"lost{n}") == "DUNNO"
    assert len(fresh_bed.program.lines("event=wrong_stage", "smtpd_end_of_data_restrictions")) == 1


@pytest.fixture
def postfix_bed():
    with PostfixBed() as running:
        yield running


TEXT = "Subject: hello\r\n\r\nhello\r\n"


def test_behind_a_real_postfix(postfix_bed):
    bed = postfix_bed
    bed.limit(ANN, 3)
    with bed.smtp(ANN) as client:
        # given up in the middle, twice: costs nothing
        for _ in range(2):
            assert client.command(f"MAIL FROM:<{ANN}>").code == 250
            assert client.command("RCPT TO:<one@example.org>").code == 250
            assert client.command("RSET").code == 250
        # three messages, one of them to two recipients, on two connections
        for recipients in (["one@example.org"], ["one@example.org", "two@example.org"]):
            assert client.send(ANN, recipients, TEXT)["data"].code == 250
        with bed.smtp(ANN) as other:
            assert other.send(ANN, ["one@example.org"], TEXT)["data"].code == 250
            fourth = other.send(ANN, ["one@example.org"], TEXT)["rcpt"][0]
        assert fourth.code == 450
        assert f"<{ANN}>: 3 messages per hour reached; try again after 20" in str(fourth)
        foreign = client.send(BOB, ["one@example.org"], TEXT)["rcpt"][0]
        assert foreign.code == 553 and "not an address of login" in str(foreign)
        assert client.send("", ["one@example.org"], TEXT)["rcpt"][0].code == 553
    assert not bed.program.lines("event=wrong_stage")
    with bed.usage_client() as usage, SmtpClient(bed.ns, "127.0.0.1") as stranger:
        assert usage.tell(BOB, 1 << 20, 3) == "told"
        full = stranger.send("x@example.org", [BOB, ANN], TEXT)
        assert full["rcpt"][0].code == 452 and "4.2.2" in str(full["rcpt"][0])
        assert full["rcpt"][1].code == 250 and full["data"].code == 250


def test_a_real_postfix_over_a_restart(postfix_bed):
    """policyd is replaced in the middle of a message: neither lost nor counted twice."""
    bed = postfix_bed
    bed.limit(ANN, 2)
    with bed.smtp(ANN) as client:
        assert client.command(f"MAIL FROM:<{ANN}>").code == 250
        assert client.command("RCPT TO:<one@example.org>").code == 250
        assert bed.program.stop() == 0
        bed.program.start()
        assert client.smtp.data(TEXT)[0] == 250
        assert client.send(ANN, ["one@example.org"], TEXT)["data"].code == 250
        assert client.send(ANN, ["one@example.org"], TEXT)["rcpt"][0].code == 450

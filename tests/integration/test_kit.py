"""What milters/kit promises, with real daemons and a real Postfix: sockets, signals, header
edits, and restarts that no client notices."""
import contextlib
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from origin_bed import MAIL_UID, OriginBed
from stack.clients import SmtpClient, message
from stack.netns import Namespace
from stack.postfix import Postfix, processes_of
from stack.postward import build
from stack.proc import Process, wait_until
from test_origin_rcpts import Stub


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="postward-kit-"))
    path.chmod(0o755)
    yield path
    for pid in processes_of(path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(path)


class Daemon(Process):
    """A postward-origin that no Postfix talks to: any milter of ours would do."""

    def __init__(self, folder, sock, name="daemon"):
        self.conf = folder / f"{name}.conf"
        self.settings = {"socket": sock, "inner": "127.0.0.1:9", "log_target": "stderr",
                         "state_directory": folder, "drain_deadline": "1s"}
        self.write()
        super().__init__(name, [build() / "bin/postward-origin", "-c", self.conf],
                         folder / f"{name}.log")

    def write(self, **changes):
        self.settings.update(changes)
        fresh = self.conf.with_suffix(".new")
        fresh.write_text("".join(f"{k} = {v}\n" for k, v in self.settings.items()))
        fresh.rename(self.conf)

    def up(self):
        self.start()
        wait_until(lambda: "event=started" in self.log_text() or not self.is_running(),
                   what=self.name)
        return self


def negotiate(address, actions=0x1FF):
    """A milter session as Postfix begins it; returns the daemon's (version, actions, steps)."""
    family = socket.AF_UNIX if isinstance(address, (str, Path)) else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(30)
        s.connect(str(address) if family == socket.AF_UNIX else address)
        s.sendall(struct.pack("!IcIII", 13, b"O", 6, actions, 0x1FFFFF))
        length = struct.unpack("!I", s.recv(4, socket.MSG_WAITALL) or bytes(4))[0]
        if length == 0:
            return None
        answer = s.recv(length, socket.MSG_WAITALL)
        assert answer[:1] == b"O"
        return struct.unpack("!III", answer[1:13])


def test_two_thousand_hangups_in_five_seconds(folder):
    sock = folder / "milter.sock"
    daemon = Daemon(folder, f"unix:{sock}").up()
    assert "becomes=" not in daemon.log_text()
    began = time.monotonic()
    for i in range(2000):
        daemon.kill(signal.SIGUSR1)
        daemon.kill(signal.SIGHUP)
        if i == 1000:
            daemon.write(private_networks="192.0.2.0/24 nonsense")
        if i % 200 == 0:
            negotiate(sock)
        time.sleep(max(0, began + (i + 1) * 0.0025 - time.monotonic()))
    assert time.monotonic() - began < 30
    assert daemon.is_running()
    assert negotiate(sock)[0] == 6
    # it read the file again, and said what is wrong with it
    wait_until(lambda: "action=keep_old" in daemon.log_text(), what="the broken settings' refusal")
    assert "nonsense" in daemon.log_text()
    before = daemon.log_text().count("event=reloaded")
    assert before > 0
    daemon.write(private_networks="192.0.2.0/24")
    daemon.kill(signal.SIGHUP)
    wait_until(lambda: daemon.log_text().count("event=reloaded") > before, what="a last reload")
    assert daemon.stop() == 0


def test_term_amid_hangups_still_ends_in_order(folder):
    for round_number in range(5):
        daemon = Daemon(folder, f"unix:{folder}/milter.sock", f"daemon{round_number}").up()
        for _ in range(50):
            daemon.kill(signal.SIGHUP)
        daemon.kill(signal.SIGTERM)
        for _ in range(50):
            with contextlib.suppress(ProcessLookupError):
                daemon.kill(signal.SIGHUP)
        assert daemon.stop() == 0
        assert "event=stopped" in daemon.log_text()
        assert not (folder / "milter.sock").exists()


def test_second_instance_is_refused(folder):
    sock = folder / "milter.sock"
    first = Daemon(folder, f"unix:{sock}", "first").up()
    assert stat.S_IMODE(sock.stat().st_mode) == 0o660
    second = Daemon(folder, f"unix:{sock}", "second").up()
    assert second.stop() == 1
    assert "another process answers" in second.log_text()
    assert negotiate(sock)[0] == 6  # the first one is untouched
    assert first.stop() == 0 and not sock.exists()


def test_socket_left_by_a_dead_process_is_replaced(folder):
    sock = folder / "milter.sock"
    daemon = Daemon(folder, f"unix:{sock}").up()
    daemon.stop(signal.SIGKILL)
    assert sock.exists()
    daemon.up()
    wait_until(lambda: daemon.log_text().count("event=started") == 2, what="the second start")
    assert negotiate(sock)[0] == 6
    assert daemon.stop() == 0


def test_a_file_in_the_way_stays(folder):
    (folder / "milter.sock").write_text("precious")
    daemon = Daemon(folder, f"unix:{folder}/milter.sock").up()
    assert daemon.stop() == 1
    assert "no socket is in the way" in daemon.log_text()
    assert (folder / "milter.sock").read_text() == "precious"


def test_tcp_socket(folder):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    daemon = Daemon(folder, f"inet:127.0.0.1:{port}", "first").up()
    assert negotiate(("127.0.0.1", port))[0] == 6
    second = Daemon(folder, f"inet:127.0.0.1:{port}", "second").up()
    assert second.stop() == 1
    assert daemon.stop() == 0


def test_no_reply_flags_are_asked_for(folder):
    daemon = Daemon(folder, f"unix:{folder}/milter.sock").up()
    steps = negotiate(folder / "milter.sock")[2]
    silent = 0x80 | 0x1000 | 0x2000 | 0x10000 | 0x40000 | 0x80000  # header conn helo data eoh body
    assert steps & silent == silent
    assert steps & (0x4000 | 0x8000) == 0  # MAIL and RCPT are answered
    assert steps & 0x100000  # leading blanks of values
    assert daemon.stop() == 0


def test_an_mta_that_cannot_do_what_a_milter_needs_is_turned_away(folder):
    sock = folder / "probe.sock"
    probe = Process("probe", [build() / "tests/probe/probe_edit", f"unix:{sock}", "add", "A", "1"],
                    folder / "probe.log").start()
    wait_until(sock.exists, what="probe")
    assert negotiate(sock, actions=0) is None
    assert negotiate(sock) is not None
    assert probe.stop() == 0
    assert "abandoned" not in probe.log_text()  # the refused session was closed as well


# header edits


@pytest.fixture
def postfix(folder):
    """One Postfix that takes mail from its own host, asks a probe, and delivers to a maildir."""
    ns = Namespace(f"kit{os.getpid() % 100000}").create("127.0.0.1", "127.0.0.1 mx.test\n")
    mail = folder / "mail"
    mail.mkdir()
    os.chown(mail, MAIL_UID, MAIL_UID)
    server = Postfix(folder / "mx", ns).create(f"""myhostname = mx.test
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.test
virtual_mailbox_base = {mail}
virtual_mailbox_maps = static:ann/
virtual_uid_maps = static:{MAIL_UID}
virtual_gid_maps = static:{MAIL_UID}
smtpd_milters = unix:{folder}/probe.sock
in_flow_delay = 0
""", ["127.0.0.1:smtp inet n - n - - smtpd"])
    server.mail = mail
    yield server.start()
    server.stop()
    ns.remove()


def edited(postfix, folder, header, *plan):
    """The header fields after the probe's plan was carried out on a message with that header,
    above the inner Received."""
    probe = Process("probe", [build() / "tests/probe/probe_edit", f"unix:{folder}/probe.sock",
                              *plan], folder / "probe.log").start()
    wait_until((folder / "probe.sock").exists, what="probe")
    (folder / "probe.sock").chmod(0o666)
    with SmtpClient(postfix.ns, "127.0.0.1") as client:
        result = client.send("a@sender.test", ["ann@example.test"], header + "\r\nBody.\r\n")
    assert probe.stop() == 0
    assert result["data"].code == 250, probe.log_text()
    file = wait_until(lambda: list((postfix.mail / "ann" / "new").glob("*")), what="delivery")[0]
    text = file.read_text().split("\n\n", 1)[0].replace("\n\t", "\\n\\t")
    file.unlink()
    return [l for l in text.split("\n") if not l.startswith(("Return-", "X-Orig", "Delivered"))]


def names(lines):
    return [l.split(":")[0] for l in lines]


HEADER = ("From: a@sender.test\r\nA: 1\r\nA:2\r\nB: x\r\nReceived: from old\r\nA: 3\r\n"
          "Message-ID: <1@x>\r\nDate: Sat, 21 Nov 2026 08:00:00 +0000\r\n")
HEADER_NAMES = ["From", "A", "A", "B", "Received", "A", "Message-ID", "Date"]


def test_deletes_count_in_the_message_as_received(postfix, folder):
    lines = edited(postfix, folder, HEADER, "delete", "1", "A", "delete", "3", "A")
    assert [l for l in lines if l.startswith("A:")] == ["A:2"]


def test_a_foreign_received_field_can_be_deleted(postfix, folder):
    lines = edited(postfix, folder, HEADER, "delete", "1", "Received")
    assert names(lines) == ["Received", "From", "A", "A", "B", "A", "Message-ID", "Date"]
    assert "from old" not in "".join(lines)


def test_inserts_and_adds_stand_where_the_plan_says(postfix, folder):
    lines = edited(postfix, folder, HEADER, "add", "Z1", "last", "insert", "0", "T1", "top",
                   "insert", "0", "T2", "second", "insert", "1", "U", "folded\n\tvalue",
                   "add", "Z2", "very last", "delete", "2", "A")
    assert names(lines) == ["T1", "T2", "Received", "U", "From", "A", "B", "Received", "A",
                            "Message-ID", "Date", "Z1", "Z2"]
    assert "U: folded\\n\\tvalue" in lines and "T1: top" in lines


# restarts


class HeldSocket:
    """A listening socket that outlives the daemon, as systemd holds it."""

    def __init__(self, path):
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        path.chmod(0o666)
        self.socket.listen(128)

    def start(self, program, log):
        fd = self.socket.fileno()
        command = (f"exec 3<&{fd}; export LISTEN_FDS=1 LISTEN_FDNAMES=milter LISTEN_PID=$$;"
                   f" exec {build()}/bin/{program.name} -c {program.conf}")
        with open(log, "ab") as out:
            return subprocess.Popen(program_prefix(program)
                                    + ["bash", "-c", command], pass_fds=(fd,), stderr=out)


def program_prefix(program):
    """The command of a program without the program: namespace and user."""
    command = program.process._command  # pylint: disable=protected-access
    return command[:command.index(str(build() / "bin" / program.name))]


def send_until(bed, stop, replies):
    count = 0
    while not stop.is_set():
        count += 1
        try:
            with bed.outside() as client:
                result = client.send("ann@sender.test", ["ann@example.test"],
                                     message("ann@sender.test", "ann@example.test"))
            replies += [result["mail"], *result["rcpt"]]
            replies += [result["data"]] if result["data"] else []
        except OSError as error:
            replies.append((0, str(error)))


def wait_more(replies):
    """Until some more messages have gone through."""
    enough = len(replies) + 30
    wait_until(lambda: len(replies) >= enough, 60, "replies")


def test_restarts_with_a_passed_socket_cost_no_client_anything():
    with OriginBed() as bed:
        assert bed.origin.stop() == 0
        held = HeldSocket(bed.socket)
        bed.origin.write_settings(socket="unix:/nowhere/not.sock")  # systemd's wins
        stop, replies = threading.Event(), []
        log = bed.root / "held.log"
        daemon = held.start(bed.origin, log)
        senders = [threading.Thread(target=send_until, args=(bed, stop, replies))
                   for _ in range(4)]
        for sender in senders:
            sender.start()
        try:
            for _ in range(5):
                wait_more(replies)
                daemon.send_signal(signal.SIGTERM)
                assert daemon.wait(60) == 0
                time.sleep(0.5)  # clients meet a socket nobody serves
                daemon = held.start(bed.origin, log)
            wait_more(replies)
        finally:
            stop.set()
            for sender in senders:
                sender.join()
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)
        assert [r for r in replies if r[0] != 250] == []
        assert "event=stopped" in log.read_text()
        assert "abandoned" not in log.read_text()


def test_an_idle_session_ends_with_the_drain_deadline(folder):
    sock = folder / "milter.sock"
    daemon = Daemon(folder, f"unix:{sock}").up()
    with socket.socket(socket.AF_UNIX) as session:
        session.connect(str(sock))
        session.sendall(struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF))
        assert session.recv(100)
        began = time.monotonic()
        assert daemon.stop() == 0
        assert 0.9 < time.monotonic() - began < 20
    assert "sessions_abandoned=1" in daemon.log_text()


class Mta:
    """What a Postfix says to a milter, packet by packet."""

    def __init__(self, sock):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(sock))
        self._replies = self.socket.makefile("rb")
        self.ask(b"O", struct.pack("!III", 6, 0x1FF, 0x1FFFFF))
        self.say(b"C", b"mail.sender.test\0" + b"4" + struct.pack("!H", 40000) + b"203.0.113.7\0")

    def say(self, letter, data=b""):
        self.socket.sendall(struct.pack("!Ic", 1 + len(data), letter) + data)

    def reply(self):
        return self._replies.read(struct.unpack("!I", self._replies.read(4))[0])

    def ask(self, letter, data=b""):
        self.say(letter, data)
        return self.reply()

    def message(self):
        assert self.ask(b"M", b"<ann@sender.test>\0") == b"c"
        assert self.ask(b"R", b"<bob@example.test>\0") == b"c"
        self.say(b"L", b"Subject\0 x\0")
        self.say(b"N")
        self.say(b"E")

    def close(self):
        self._replies.close()
        self.socket.close()


def test_a_session_may_say_mail_as_often_as_it_likes(folder):
    """What Postfix does not tell (TLS, a login) is asked for again with each message, at no cost."""
    daemon = Daemon(folder, f"unix:{folder}/milter.sock")
    daemon.write(pool_size="0")
    daemon.up()
    mta = Mta(folder / "milter.sock")
    for _ in range(2500):
        assert mta.ask(b"M", b"<ann@sender.test>\0")[:1] == b"y"
        mta.say(b"A")
    mta.close()
    assert daemon.stop() == 0
    assert "cause=connect" in daemon.log_text() and "cause=origin" not in daemon.log_text()


def test_a_verdict_that_postfix_cannot_be_told_is_in_doubt(folder):
    """The inner server has the message, the edge's Postfix is gone: what comes again says so."""
    inner = Stub({"XCLIENT": "220 go on", ".": ["250 2.0.0 Ok"] * 2},
                 offers=["PIPELINING", "XCLIENT NAME ADDR PORT PROTO HELO"])
    inner.dot_pause_s = 0.5
    daemon = Daemon(folder, f"unix:{folder}/milter.sock")
    daemon.write(pool_size="0", inner=f"127.0.0.1:{inner.port}")
    daemon.up()
    for count in (1, 2):
        mta = Mta(folder / "milter.sock")
        mta.message()
        if count == 1:
            mta.close()
            wait_until(lambda: inner.sessions and "(closed)" in inner.sessions[0])
    wait_until(lambda: len(inner.messages) == 2)
    assert mta.reply() == b"d"
    mta.close()
    first, again = inner.messages
    assert "Postward-Retry: yes" in again and "Postward-Retry: yes" not in first
    transaction, = [l for l in first if l.startswith("Postward-Transaction:")]
    assert transaction in again
    assert daemon.stop() == 0
    inner.close()

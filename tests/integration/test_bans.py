"""Bans where they belong: policyd gives its list to the edge alone, the edge fetches it with few rights
and nftables turns the banned away there."""
import contextlib
import imaplib
import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import threading
import time

import pytest
from auth_driver import Driver
from dovecot_bed import place, remove
from policy_bed import Bed
from stack.clients import Imap, SmtpClient
from stack.netns import run
from stack.passing import Haproxy
from stack.postward import PROGRAMS, SOURCE, build
from stack.proc import wait_until
from stack.stack import Stack
from stack.world import EDGE, EDGE6, EDGE_LINK, INNER_LINK, SENDER, THIEF

CTL = build() / "bin/postwardctl"
PORT = 10028
ANN, FAR6 = "ann@example.test", "2001:db8:0:9::7"
# no waiting for addresses that fail
DOVECOT = """
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""
needs_nft = pytest.mark.skipif(not shutil.which("nft", path="/usr/sbin:/usr/bin"),
                               reason="nftables is not installed")


# policyd

class BansBed(Bed):
    """policyd gives its list on loopback, to another loopback address than ours."""

    PEER, STRANGER = "127.0.0.2", "127.0.0.3"

    def _build(self):
        super()._build()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.program.stop()
        self.program.start(bans_listen=f"inet:127.0.0.1:{self.port}", bans_peers=self.PEER)
        self.settle()

    def text(self, source=PEER):
        with socket.create_connection(("127.0.0.1", self.port), 30, (source, 0)) as link:
            link.settimeout(30)
            return b"".join(iter(lambda: link.recv(65536), b"")).decode()

    def bans(self):
        """{client: seconds}"""
        *lines, end = self.text().splitlines()
        assert end == f"end {len(lines)}"
        return {client: int(seconds) for client, seconds in (l.split(" ") for l in lines)}


@pytest.fixture(scope="module")
def bed():
    with BansBed() as running:
        yield running


@pytest.fixture(autouse=True)
def clean(request):
    yield
    if "bed" in request.fixturenames:
        host = request.getfixturevalue("bed")
        host.pg.sql("DELETE FROM mail.bans")
        host.pg.sql("DELETE FROM mail.auth_exemptions")
        host.settle()


def test_what_sql_bans_is_in_the_list(bed):
    assert bed.text() == "end 0\n"
    bed.pg.sql("SELECT mail.ban('192.0.2.7', '1 hour', 'x'), mail.ban('2001:db8:0:7::9', '2 days')")
    bed.settle()
    bans = bed.bans()
    assert set(bans) == {"192.0.2.7", "2001:db8:0:7::/64"}
    assert 3590 < bans["192.0.2.7"] <= 3600 and 172790 < bans["2001:db8:0:7::/64"] <= 172800
    bed.pg.sql("SELECT mail.unban('192.0.2.7')")
    bed.settle()
    assert set(bed.bans()) == {"2001:db8:0:7::/64"}


def test_a_ban_that_ends_leaves_the_list(bed):
    bed.pg.sql("SELECT mail.ban('192.0.2.7', '2 seconds')")
    bed.settle()
    bed.wait(lambda: bed.text() == "end 0\n", what="the end of the ban")


def test_who_is_exempt_is_never_in_it(bed):
    bed.pg.sql("SELECT mail.ban('192.0.2.7', '1 hour'), mail.ban('192.0.2.8', '1 hour')")
    bed.pg.sql("INSERT INTO mail.auth_exemptions (net) VALUES ('192.0.2.7')")
    bed.settle()
    assert set(bed.bans()) == {"192.0.2.8"}


def test_who_guesses_passwords_is_in_it(bed):
    bed.pg.sql("UPDATE mail.auth_limits SET failures = 2, block = '1 hour', enabled = kind = 'network'")
    bed.settle()
    with Driver(bed.auth) as driver:
        for remote in ("198.51.100.7", "10.1.2.3", "2001:db8::7"):
            driver.fail(ANN, remote, 2)
        bed.wait(lambda: len(bed.program.lines("action=block")) >= 3, what="three blocks")
    assert set(bed.bans()) == {"198.51.100.7", "2001:db8::/64"}
    bed.pg.sql("UPDATE mail.auth_limits SET dry_run = true")
    bed.settle()
    assert bed.text() == "end 0\n"


def test_fail2ban_bans_at_the_edge_as_the_page_says(bed):
    page = (SOURCE / "docs/bans.md").read_text()
    actions = dict(re.findall(r'^(action\w+) = .* -c "(.*)"$', page, re.M))
    fill = lambda text: text.replace("<ip>", "192.0.2.7").replace("<bantime>", "600").replace("<name>", "postfix")
    bed.pg.sql(fill(actions["actionban"]))
    bed.settle()
    assert 590 < bed.bans()["192.0.2.7"] <= 600
    assert bed.pg.value("SELECT reason FROM mail.bans") == "fail2ban postfix"
    bed.pg.sql(fill(actions["actionunban"]))
    bed.settle()
    assert bed.text() == "end 0\n"


def test_the_list_is_for_the_edge_alone(bed):
    with contextlib.suppress(ConnectionResetError):
        assert bed.text(BansBed.STRANGER) == ""
    assert bed.program.lines("event=bans_refused", f"client={BansBed.STRANGER}")
    assert bed.text() == "end 0\n"


def test_a_hundred_thousand_and_no_more(bed):
    bed.pg.sql("SET session_replication_role = replica;"
               "INSERT INTO mail.bans (net, until, created_at) SELECT '198.18.0.0'::inet + i,"
               " now() + interval '1 hour', now() + i * interval '1 ms' FROM generate_series(1, 100100) AS i;"
               "SET session_replication_role = origin")
    bed.pg.sql("SELECT mail.ban('203.0.113.5', '1 hour')")
    bed.settle()
    begin = time.monotonic()
    bans = bed.bans()
    print(f"{len(bans)} in {time.monotonic() - begin:.2f} s")
    assert len(bans) == 100000 and "198.18.0.1" not in bans


def test_settings_that_make_no_sense_are_refused(bed):
    for settings, words in ((("bans_listen=inet:127.0.0.1:1",), "bans_peers: name the edge host"),
                            (("bans_listen=inet:127.0.0.1:1", "bans_peers=10.9.0.1 edge"),
                             "no address and no network: edge"),
                            (("bans_listen=inet:127.0.0.1:1", "bans_peers=" + " ".join(["10.9.0.1"] * 65)),
                             "bans_peers: more than 64")):
        command = [build() / "bin/postward-policyd", "-t", "-c", bed.program.conf]
        for setting in settings:
            command += ["-o", setting]
        if len(settings) == 1:
            command += ["-o", "bans_peers="]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and words in done.stdout + done.stderr


# postwardctl edge bans

class Server(socketserver.ThreadingTCPServer):
    """Says a text, or nothing, and closes, or not."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, text, closes=True):
        self.text, self.closes = text, closes
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def server_close(self):
        self.shutdown()
        super().server_close()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            self.request.sendall(self.server.text)
            if not self.server.closes:
                time.sleep(30)


def ctl(*args, ns=None, uid=None, **options):
    command = [str(a) for a in (CTL, "edge", "bans", *args)]
    if uid:
        command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command]
    if ns is not None:
        command = ns.command(*command)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def pull(server, state, *args):
    return ctl("pull", "--from", "127.0.0.1", "--port", server.port, "--state", state, *args)


@pytest.mark.parametrize("text, code, words", [
    (b"192.0.2.7 60\nend 1\n", 0, ""), (b"end 0\n", 0, ""),
    (b"192.0.2.7 60\n", 76, "line 2"), (b"", 76, "line 0"), (b"192.0.2.7 60\nend 2\n", 76, "line 2"),
    (b"; flush ruleset\nend 1\n", 76, "line 1"), (b"192.0.2.0/24 60\nend 1\n", 76, "line 1"),
    (b"192.0.2.7 60\n" * 100001 + b"end 100001\n", 76, ""), (b"x" * 20_000_000, 75, ""),
], ids=["good", "empty", "cut", "nothing", "count", "command", "network", "too many", "endless"])
def test_pull_takes_a_good_list_whole_or_none(tmp_path, text, code, words):
    state = tmp_path / "list"
    state.write_text("at 1\nend 0\n")
    with Server(text) as server:
        done = pull(server, state)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    kept = state.read_text()
    assert kept.split("\n", 1)[1] == text.decode() if code == 0 else kept == "at 1\nend 0\n"


def test_pull_waits_for_nobody(tmp_path):
    with Server(b"192.0.2.7 60\n", closes=False) as server:
        begin = time.monotonic()
        done = pull(server, tmp_path / "list", "--timeout", 500)
        assert done.returncode == 75 and time.monotonic() - begin < 5
    done = pull(server, tmp_path / "list")
    assert done.returncode == 75 and not (tmp_path / "list").exists()


def test_load_says_what_is_missing_or_wrong(tmp_path):
    state, allow = tmp_path / "list", tmp_path / "allow"
    load = lambda: ctl("load", "--dry-run", "--state", state, "--allow", allow)
    assert (load().returncode, str(state) in load().stderr) == (66, True)
    state.write_text(f"at {int(time.time())}\n192.0.2.7 60\nend 1\n")
    assert "192.0.2.7 timeout" in load().stdout
    allow.write_text("192.0.2.7\nnonsense\n")
    done = load()
    assert (done.returncode, f"{allow}:2" in done.stderr, done.stdout) == (65, True, "")
    allow.write_text("# ours\n192.0.2.7\n")
    assert "192.0.2.7" not in load().stdout
    shown = json.loads(ctl("show", "--json", "--state", state).stdout)
    assert [b["client"] for b in shown["bans"]] == ["192.0.2.7"] and 0 <= shown["age_s"] < 60
    assert ctl("load", "extra").returncode == ctl("unload").returncode == ctl().returncode == 2


# all of it

@pytest.fixture(scope="module")
def stack():
    with Stack(dovecot=DOVECOT) as all_of_it:
        all_of_it.furnish()
        policyd = all_of_it.programs["postward-policyd"]
        policyd.stop()
        policyd.start(bans_listen=f"inet:{INNER_LINK}:{PORT}", bans_peers=EDGE_LINK)
        all_of_it.settle()
        # in another /64 than the edge
        all_of_it.net.address("pub", f"{FAR6}/64")
        all_of_it.edge_ns.ip("route", "add", "2001:db8:0:9::/64", "dev", "pub")
        yield all_of_it


class EdgeBans:
    """The two units' work, with their rights."""

    ORIGIN = PROGRAMS["postward-origin"][0]
    LOADER = 61009

    def __init__(self, stack, folder):
        self.ns, self.state, self.allow = stack.edge_ns, folder / "list", folder / "bans.allow"
        os.chown(folder, self.ORIGIN, self.ORIGIN)

    def update(self):
        done = ctl("pull", "--from", INNER_LINK, "--state", self.state, ns=self.ns, uid=self.ORIGIN)
        assert done.returncode == 0, done.stderr
        assert self.state.stat().st_uid == self.ORIGIN
        return self.load()

    def load(self):
        caps = ["setpriv", f"--reuid={self.LOADER}", f"--regid={self.LOADER}", "--clear-groups",
                "--inh-caps=+net_admin", "--ambient-caps=+net_admin", "--bounding-set=-all,+net_admin"]
        return run(*self.ns.command(*caps, CTL, "edge", "bans", "load", "--from", INNER_LINK, "--state",
                                    self.state, "--allow", self.allow))


def reaches(stack, source, port=993, host=EDGE):
    with stack.net.enter():
        try:
            socket.create_connection((host, port), 1.5, (source, 0)).close()
            return True
        except TimeoutError:
            return False


@pytest.fixture
def edge(stack):
    folder = place()
    yield EdgeBans(stack, folder)
    remove(folder)


@needs_nft
@pytest.mark.skipif(not Haproxy.is_installed(), reason="haproxy is not installed")
def test_the_edge_turns_away_who_guesses_and_whom_sql_bans(stack, edge):
    stack.pg.sql("UPDATE mail.auth_limits SET failures = 3, block = '1 hour' WHERE kind = 'network'")
    stack.settle()
    with stack.pass_users():
        for n in range(3):
            with pytest.raises(imaplib.IMAP4.error):
                Imap(stack.net, EDGE, source=THIEF).login(ANN, f"not the right password {n}")
        assert "1 of 1 clients" in edge.update()
        assert not reaches(stack, THIEF) and not reaches(stack, THIEF, 25)
        assert reaches(stack, SENDER) and reaches(stack, SENDER, 25)
        assert reaches(stack, FAR6, 25, EDGE6)

        stack.pg.sql("SELECT mail.ban(%s, '1 hour'), mail.ban(%s, '1 hour')", SENDER, FAR6)
        stack.settle()
        assert "3 of 3 clients" in edge.update()
        assert not reaches(stack, SENDER) and not reaches(stack, FAR6, 25, EDGE6)

        edge.allow.write_text(f"{SENDER}  # the office\n")
        assert "2 of 3 clients" in edge.load()
        assert reaches(stack, SENDER) and not reaches(stack, FAR6, 25, EDGE6)

        stack.pg.sql("DELETE FROM mail.bans")
        stack.pg.sql("INSERT INTO mail.auth_exemptions (net) VALUES (%s)", THIEF)
        stack.settle()
        assert "0 of 0 clients" in edge.update()
        assert reaches(stack, THIEF) and reaches(stack, FAR6, 25, EDGE6)
        stack.pg.sql("UPDATE mail.auth_limits SET enabled = false")


@needs_nft
def test_neither_edge_nor_inner_host_nor_vpn_is_banned(stack, edge):
    """Whatever the list says: a wrong one may not cut the edge off."""
    edge.state.write_text(f"at {int(time.time())}\n{EDGE} 600\n{EDGE_LINK} 600\n{INNER_LINK} 600\n127.0.0.1 600\n"
                          f"{':'.join(EDGE6.split(':')[:2])}::/64 600\nend 5\n")
    assert "0 of 5 clients" in edge.load()
    with SmtpClient(stack.edge_ns, EDGE) as client:
        assert client.command("NOOP").code == 250


@needs_nft
def test_with_the_inner_host_away_bans_stay_and_end_by_themselves(stack, edge):
    stack.pg.sql("SELECT mail.ban(%s, '12 seconds')", SENDER)
    stack.settle()
    assert "1 of 1 clients" in edge.update()
    policyd = stack.programs["postward-policyd"]
    policyd.stop()
    try:
        assert not reaches(stack, SENDER, 25)
        done = ctl("pull", "--from", INNER_LINK, "--state", edge.state, ns=edge.ns, uid=edge.ORIGIN)
        assert done.returncode == 75
        stack.edge_ns.run("nft", "flush", "ruleset")  # as a firewall's start does
        assert reaches(stack, SENDER, 25)
        assert "1 of 1 clients" in edge.load()
        assert not reaches(stack, SENDER, 25)
        wait_until(lambda: reaches(stack, SENDER, 25), what="the end of the ban")
    finally:
        policyd.start()
        stack.settle()


@needs_nft
def test_other_tables_stay(stack, edge):
    """The firewall's table may come, go and be loaded again."""
    stack.edge_ns.run("nft", "add table inet postward; add set inet postward x { type ipv4_addr; }")
    edge.state.write_text(f"at {int(time.time())}\n203.0.113.77 600\nend 1\n")
    assert "1 of 1 clients" in edge.load()
    assert "203.0.113.77" in stack.edge_ns.run("nft", "list", "set", "inet", "postward_bans", "postward_bans4")
    assert "set x" in stack.edge_ns.run("nft", "list", "table", "inet", "postward")
    stack.edge_ns.run("nft", "delete table inet postward")
    assert "1 of 1 clients" in edge.load()

"""postwardctl edge init: every file it writes is taken by the program it is for, as it is."""
import json
import os
import re
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from setup_bed import USERS
from stack.bed import Bed
from stack.netns import run, wire
from stack.postfix import Postfix
from stack.postward import build
from stack.proc import Process, wait_until

CTL = build() / "bin/postwardctl"
FILES = {"edge/wg0.conf": 0o600, "edge/nftables.conf": 0o644, "edge/haproxy.cfg": 0o644,
         "edge/postfix.sh": 0o755, "edge/postward-origin.conf": 0o644, "edge/origin.keys": 0o600,
         "inner/wg0.conf": 0o600, "inner/nftables.conf": 0o644, "inner/postfix.sh": 0o755}
NEEDED = "--domain", "example.test", "--public", "192.0.2.10"


def init(folder, *args):
    return subprocess.run([CTL, "edge", "init", *NEEDED, "--out", folder, *args], capture_output=True,
                          text=True, check=False)


def need(program):
    if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edge") / "kit"
    done = init(folder, "--fallback", "queue", "--admin-network", "192.168.1.0/24",
                "--admin-network", "2001:db8::/64")
    assert done.returncode == 0, done.stderr
    return folder


class Host(Bed):
    """A namespace with the users of an edge."""

    def _start(self):
        self.ns = self.namespace("host").create("127.0.0.1", "")
        self.etc = self.root / "etc"
        self.etc.mkdir()
        for name in ("passwd", "group"):
            text = Path("/etc", name).read_text(encoding="utf8")
            tail = "{0}:x:{1}:{1}::/:/bin/false\n" if name == "passwd" else "{0}:x:{1}:\n"
            users = {**USERS, "haproxy": 61020}
            kept = [l for l in text.splitlines() if l.split(":")[0] not in users]
            (self.etc / name).write_text("\n".join(kept) + "\n" + "".join(
                tail.format(n, i) for n, i in users.items()))

    def run(self, *args, **options):
        binds = " && ".join(f"mount --bind {self.etc}/{n} /etc/{n}" for n in ("passwd", "group"))
        return run(*self.ns.command("unshare", "--mount", "sh", "-c", f"{binds} && exec \"$@\"", "-", *args),
                   **options)


@pytest.fixture(scope="module")
def host():
    with Host() as bed:
        yield bed


# what is written

def test_files_and_their_modes(kit):
    found = {str(p.relative_to(kit)): stat.S_IMODE(p.stat().st_mode) for p in kit.rglob("*") if p.is_file()}
    assert found == FILES
    assert {stat.S_IMODE(p.stat().st_mode) for p in (kit, kit / "edge", kit / "inner")} == {0o700}


def test_no_file_that_exists_is_touched(kit, tmp_path):
    before = {p: p.read_bytes() for p in kit.rglob("*") if p.is_file()}
    again = init(kit)
    assert again.returncode == 73 and "is there already" in again.stderr
    assert {p: p.read_bytes() for p in kit.rglob("*") if p.is_file()} == before
    # nor is a single one added beside it, not even behind a link that leads nowhere
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/postfix.sh").symlink_to("/nowhere/at/all")
    done = init(tmp_path)
    assert done.returncode == 73
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if not p.is_dir()] == ["inner/postfix.sh"]


def test_json(tmp_path):
    done = init(tmp_path / "kit", "--json")
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["files"]) == (True, list(FILES))


@pytest.mark.parametrize("code, words, args", [
    (2, "usage:", ["--domain", "example.test"]),
    (2, "usage:", ["--domain", "example.test", "--public", "192.0.2.1", "more"]),
    (65, "not a full domain name", ["--domain", "test", "--public", "192.0.2.1"]),
    (65, "not a network", ["--domain", "example.test", "--public", "192.0.2.1", "--admin-network", "home"]),
    (65, "two addresses of one kind", ["--domain", "example.test", "--public", "192.0.2.1",
                                       "--edge-address", "10.1.0.1", "--inner-address", "fd00::1"]),
])
def test_what_makes_no_sense_writes_nothing(code, words, args, tmp_path):
    done = subprocess.run([CTL, "edge", "init", "--out", tmp_path / "kit", *args], capture_output=True,
                          text=True, check=False)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "kit").exists()


def test_each_run_has_keys_of_its_own(kit, tmp_path):
    init(tmp_path / "kit")
    keys = [re.findall(r"Key = (\S+)", (f / "edge/wg0.conf").read_text()) for f in (kit, tmp_path / "kit")]
    assert len(keys[0]) == 3 and not set(keys[0]) & set(keys[1])


def keys(folder, *args):
    return subprocess.run([CTL, "edge", "keys", *args, "--file", folder / "keys"], capture_output=True, text=True,
                          check=False)


def test_stamp_keys_rotate(tmp_path):
    assert keys(tmp_path, "list").returncode == 1  # none
    first = json.loads(keys(tmp_path, "new", "--json").stdout)
    assert first["ok"] and [k["state"] for k in first["keys"]] == ["signs"]
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    # the second one waits a day, so that the inner host can have it before
    second = json.loads(keys(tmp_path, "new", "--json").stdout)
    assert [k["state"] for k in second["keys"]] == ["signs", "waits"]
    assert second["made"] == second["keys"][1]["id"]
    listed = keys(tmp_path, "list").stdout
    secrets = [l.split()[3] for l in (tmp_path / "keys").read_text().splitlines() if not l.startswith("#")]
    assert len(secrets) == 2 and not any(s in listed for s in secrets)


def test_stamp_keys_that_nothing_is_accepted_with_go(tmp_path):
    keys(tmp_path, "new", "--days", "1")
    text = (tmp_path / "keys").read_text()
    old = re.sub(r"20\d\d-", "2001-", text)
    (tmp_path / "keys").write_text("# mine\n" + old)
    new = json.loads(keys(tmp_path, "new", "--json").stdout)
    assert len(new["keys"]) == 1 and (tmp_path / "keys").read_text().startswith("# mine\n")


@pytest.mark.parametrize("content", ["nonsense\n", "01234567 2026-01-01 2027-01-01 AAAA\n"])
def test_a_file_of_something_else_stays(tmp_path, content):
    (tmp_path / "keys").write_text(content)
    done = keys(tmp_path, "new")
    assert done.returncode == 65 and "line 1" in done.stderr
    assert (tmp_path / "keys").read_text() == content


# what is done with it

def test_firewalls_are_taken(kit, host):
    need("nft")
    for side in ("edge", "inner"):
        host.run("nft", "-c", "-f", kit / side / "nftables.conf")
        host.run("nft", "-f", kit / side / "nftables.conf")
        host.run("nft", "-f", kit / side / "nftables.conf")  # again
        rules = host.run("nft", "list", "table", "inet", "postward")
        assert rules.count("policy drop") == 1
    assert "192.168.1.0/24" in rules and "2001:db8::/64" in rules
    host.run("nft", "delete", "table", "inet", "postward")


def test_a_firewall_leaves_other_tables_alone(kit, host):
    need("nft")
    host.run("nft", "add", "table", "inet", "mine")
    host.run("nft", "-f", kit / "inner/nftables.conf")
    assert "table inet mine" in host.run("nft", "list", "ruleset")
    host.run("nft", "delete", "table", "inet", "postward")


def test_haproxy_takes_its_file(kit, host):
    need("haproxy")
    host.run("haproxy", "-c", "-f", kit / "edge/haproxy.cfg")


def test_wg_quick_reads_both(kit):
    need("wg-quick")
    for side, address in (("edge", "10.9.0.1/32"), ("inner", "10.9.0.2/32")):
        stripped = run("wg-quick", "strip", kit / side / "wg0.conf")
        assert "PrivateKey" in stripped and address not in stripped


def test_postfix_takes_its_lines(kit, host, tmp_path):
    for side in ("edge", "inner"):
        server = Postfix(host.root / side, host.ns).create("", [])
        environment = {**os.environ, "MAIL_CONFIG": str(server.etc)}
        for _ in range(2):  # the second run finds all as it is
            host.run(kit / side / "postfix.sh", env=environment)
        lines = run("postconf", "-c", server.etc, "-M").splitlines()
        names = [" ".join(l.split()[:2]) for l in lines]
        assert len(names) == len(set(names))
        if side == "edge":
            assert {"smtp inet", "smtpd pass", "postward unix", "10.9.0.1:2525 inet",
                    "127.0.0.1:10027 inet"} <= set(names)
            assert run("postconf", "-c", server.etc, "-h", "in_flow_delay").strip() == "0"
        else:
            assert "10.9.0.2:smtp inet" in names and "postward unix" not in names


class Tunnel(Bed):
    """Two hosts with a wire between them, and WireGuard over it."""

    parts = ("one", "two")

    def _start(self):
        self.edge, self.inner = (self.namespace(n).create("127.0.0.1", "") for n in ("edge", "inner"))
        wire(self.edge, "pub", self.inner, "pub")
        self.edge.address("pub", "192.0.2.10/24")
        self.inner.address("pub", "192.0.2.20/24")

    def up(self, kit):
        for name, ns, side in (("one", self.edge, "edge"), ("two", self.inner, "inner")):
            device = f"wg-{side}"
            process = Process(name, ["env", "WG_PROCESS_FOREGROUND=1", "wireguard-go", "-f", device],
                              self.root / f"{name}.log", ns).start()
            setattr(self, name, process)
            wait_until(lambda ns=ns, device=device: device in ns.ip("-br", "link"), what=device)
            conf = self.root / f"{side}.conf"
            conf.write_text(run("wg-quick", "strip", kit / side / "wg0.conf"))
            ns.run("wg", "setconf", device, conf)
            text = (kit / side / "wg0.conf").read_text()
            ns.address(device, re.search(r"Address = (\S+)", text)[1])
            ns.ip("link", "set", device, "mtu", re.search(r"MTU = (\d+)", text)[1], "up")
            ns.ip("route", "add", re.search(r"AllowedIPs = (\S+)", text)[1], "dev", device)


def datagram(ns, address):
    """A socket whose packets nobody may cut into pieces."""
    with ns.enter():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    made.bind((address, 9))
    made.settimeout(20)
    return made


def test_a_tunnel_comes_up(kit):
    for program in ("wg", "wireguard-go"):
        need(program)
    if not Path("/dev/net/tun").exists():
        pytest.skip("no /dev/net/tun")
    with Tunnel() as bed:
        bed.up(kit)
        with datagram(bed.edge, "10.9.0.1") as edge, datagram(bed.inner, "10.9.0.2") as inner:
            inner.sendto(bytes(1392), ("10.9.0.1", 9))  # 1420 with its headers
            assert len(edge.recv(2000)) == 1392
            edge.sendto(bytes(1392), ("10.9.0.2", 9))
            assert len(inner.recv(2000)) == 1392
            with pytest.raises(OSError, match="too long"):
                edge.sendto(bytes(1393), ("10.9.0.2", 9))

"""A real WireGuard between two namespaces, by wireguard-go: where there is no kernel module it does the
same through /dev/net/tun."""
import os
import shutil

from .netns import run, wire
from .proc import Process, wait_until

CABLE = {"edge": "192.0.2.1", "inner": "192.0.2.2"}  # what the tunnel runs through
PORT = 51820
# each end has a /run of its own: wireguard-go's socket is named after the interface
SCRIPT = """set -e
mount -t tmpfs tmpfs /run
mkdir /run/wireguard
wireguard-go -f vpn &
until [ -S /run/wireguard/vpn.sock ]; do sleep 0.05; done
wg setconf vpn "$1"
ip link set vpn mtu 1420 up
touch "$2"
wait
"""


def is_possible():
    programs = all(shutil.which(p, path="/usr/sbin:/usr/bin") for p in ("wireguard-go", "wg"))
    return programs and os.access("/dev/net/tun", os.R_OK | os.W_OK)


class Tunnel:
    """Interface `vpn` at both ends; addresses are given to it by whoever asked for it."""

    cable = "lan"

    def __init__(self, root, edge, inner, edge_networks, inner_networks):
        """networks: what each end sends, for the other's AllowedIPs."""
        self.root = root
        root.mkdir(mode=0o700)
        wire(edge, self.cable, inner, self.cable)
        ends = (("edge", edge, edge_networks), ("inner", inner, inner_networks))
        keys = {name: run("wg", "genkey").strip() for name, _, _ in ends}
        self.processes = []
        for (name, ns, _), (other, _, networks) in zip(ends, reversed(ends)):
            ns.address(self.cable, f"{CABLE[name]}/30")
            public = run("wg", "pubkey", input=keys[other]).strip()
            conf = root / f"{name}.conf"
            conf.write_text(f"[Interface]\nPrivateKey = {keys[name]}\nListenPort = {PORT}\n"
                            f"[Peer]\nPublicKey = {public}\nEndpoint = {CABLE[other]}:{PORT}\n"
                            f"AllowedIPs = {', '.join(networks)}\nPersistentKeepalive = 25\n")
            self.processes.append(Process(f"wireguard-{name}", ns.command(
                "sh", "-c", SCRIPT, "-", conf, root / f"{name}.up"), root / f"{name}.log"))

    def start(self):
        for process in self.processes:
            process.start()
        for name, process in zip(CABLE, self.processes):
            wait_until(lambda n=name, p=process: (self.root / f"{n}.up").exists()
                       or not p.is_running(), what=f"WireGuard at {name}")
            if not process.is_running():
                raise RuntimeError(process.log_text())
        return self

    def stop(self):
        for process in self.processes:
            process.stop()


class Cable:
    """Plain veth in its place."""

    cable = "vpn"

    def __init__(self, edge, inner):
        wire(edge, self.cable, inner, self.cable)

    def stop(self):
        pass

"""Network namespaces joined by veth pairs; outside of the stack's own directory they are all it
leaves in the system, and removing them leaves nothing."""
import contextlib
import ctypes
import os
import shutil
import subprocess
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def run(*args, **options):
    """Run a command; a failure raises with what it printed, and so does a minute's silence."""
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True,
                          **{"timeout": 60, **options})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, args))}: exit {done.returncode}\n"
                           f"{done.stdout}{done.stderr}")
    return done.stdout


class Namespace:
    """One host. `with ns.enter():` puts the calling thread's new sockets into it."""

    def __init__(self, name):
        self.name = name
        self.etc = Path("/etc/netns") / name

    def create(self, nameserver, hosts):
        run("ip", "netns", "add", self.name)
        self.etc.mkdir(parents=True, exist_ok=True)
        (self.etc / "resolv.conf").write_text(f"nameserver {nameserver}\n")
        (self.etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n" + hosts)
        self.ip("link", "set", "lo", "up")
        return self

    def ip(self, *args):
        return run("ip", "-n", self.name, *args)

    def address(self, device, *addresses):
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            self.ip("addr", "add", address, "dev", device, *extra)

    def command(self, *args):
        return ["ip", "netns", "exec", self.name, *map(str, args)]

    def run(self, *args, **options):
        return run(*self.command(*args), **options)

    @contextlib.contextmanager
    def enter(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
            try:
                yield self
            finally:
                _setns(home)
        finally:
            os.close(there)
            os.close(home)

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)
        shutil.rmtree(self.etc, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.etc.parent.rmdir()


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def wire(one, one_device, two, two_device):
    """A veth pair between two namespaces, both ends up."""
    run("ip", "link", "add", "name", one_device, "netns", one.name, "type", "veth",
        "peer", "name", two_device, "netns", two.name)
    one.ip("link", "set", one_device, "up")
    two.ip("link", "set", two_device, "up")

"""A root that is booted with its own systemd, in a network namespace and cgroups of its own."""
import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from stack.netns import Namespace
from stack.postfix import processes_of
from stack.proc import grep, wait_until

from .bases import FOLDER, remove
from .cgroups import Cgroups
from .root import PATH, Root, checked, end_with_us

SURROUNDINGS = FOLDER / "surroundings"  # files of what runs around machines
BOOT_S = 120
REBOOT_STATUS = 133  # of nspawn, when the machine asks to be booted again
REBOOT_SIGNAL = signal.SIGRTMIN + 5  # what `systemctl reboot` comes to
ENVIRONMENT = [f"PATH={PATH}", "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash",
               "LANG=C.UTF-8", "TERM=dumb", "DEBIAN_FRONTEND=noninteractive"]


class Machine(Root):
    def __init__(self, name, release):
        super().__init__(name, release)
        self.ns, self.port = Namespace(name), f"m{name[-12:]}"  # the port on the network's bridge
        self.log, self.console = self.folder / "journal.log", self.folder / "console.log"
        self._nspawn = self._journal = None

    # life

    def boot(self, network, hosts, *addresses, memory_bytes=None):
        """addresses: with prefix lengths. hosts: lines of /etc/hosts below those of localhost."""
        self.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n" + hosts)
        self.write("/etc/resolv.conf", f"nameserver {network.nameserver}\n")
        self.ns.create(network.nameserver, "")
        network.join(self.ns, self.port, *addresses)
        self.cgroups.create(memory_bytes)
        return self.start()

    def start(self):
        self._nspawn = subprocess.Popen(
            [*self.nspawn(), "--boot", "--console=read-only", "--resolv-conf=off",
             f"--network-namespace-path=/run/netns/{self.name}", "--capability=CAP_NET_ADMIN",
             *(["--bind=/dev/net/tun"] if Path("/dev/net/tun").exists() else [])],
            stdin=subprocess.DEVNULL, stdout=open(self.console, "ab"), stderr=subprocess.STDOUT,
            env={**os.environ, "UNIFIED_CGROUP_HIERARCHY": "1",
                 "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
            start_new_session=True, preexec_fn=self.become)
        wait_until(self._is_up, BOOT_S, f"{self.name} to boot", 0.2)
        self._follow_journal()
        return self

    def _is_up(self):
        if self._nspawn.poll() is not None:
            tail = self.console.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} ended while booting:\n{tail}")
        return self.leader() and self.state() in ("running", "degraded")

    def _follow_journal(self):
        """The journal goes to self.log. Followed from outside: a process in there that is not
        of its systemd is waited for when it goes down, for 90 s. And anew after each boot, for
        `--follow` is about one."""
        self._end_journal()
        self._journal = subprocess.Popen(
            ["journalctl", "--quiet", f"--directory={self.file('/var/log/journal')}", "--follow",
             "--lines=all", "--output=short-iso"],
            stdin=subprocess.DEVNULL, stdout=open(self.log, "ab"), stderr=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=end_with_us)

    def reboot(self):
        os.kill(self.leader(), REBOOT_SIGNAL)
        status = self._nspawn.wait(90)
        if status != REBOOT_STATUS:
            raise RuntimeError(f"{self.name}: reboot ended with {status}")
        self.cgroups.empty()
        return self.start()

    def stop(self):
        """Power off in good order; after a minute by force. The root stays."""
        if self._nspawn is not None:
            with contextlib.suppress(ProcessLookupError):
                self._nspawn.terminate()  # nspawn passes it on as `halt`
            try:
                self._nspawn.wait(60)
            except subprocess.TimeoutExpired:
                print(f"{self.name} did not power off in 60 s: killed")
                self._kill()
            self._nspawn = None
        self._end_journal()
        self.ns.remove()
        self.cgroups.remove()

    def _kill(self):
        """Its pid 1 first: the kernel ends all others with it, and nspawn ends by itself."""
        leader = self.leader()
        if leader:
            os.kill(leader, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._nspawn.wait(10)
        self._nspawn.kill()
        self._nspawn.wait(10)

    def _end_journal(self):
        if self._journal is not None:
            self._journal.kill()
            self._journal.wait(10)
            self._journal = None

    def drop(self):
        """Stop and delete it; its journal is kept, for whoever looks into a failure."""
        self.stop()
        if self.log.exists():
            (FOLDER / "logs").mkdir(exist_ok=True)
            shutil.copy(self.log, FOLDER / "logs" / f"{self.name}.log")
        self.delete()

    # what it is

    def leader(self):
        """The host's number of the machine's pid 1, or None."""
        pid = self._nspawn.pid
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                status = Path(f"/proc/{child}/status").read_text()
                if status.split("NSpid:")[1].split("\n")[0].split()[1:] == ["1"]:
                    return int(child)
        return None

    def state(self):
        return self.try_run("systemctl is-system-running").stdout.strip()

    def processes(self):
        """The host's numbers of all its processes."""
        inside = os.stat(f"/proc/{self.leader()}/ns/pid").st_ino
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and os.stat(entry / "ns/pid").st_ino == inside:
                    found.append(int(entry.name))
        return found

    def live(self, path):
        """A path as the booted machine has it, its own /run and /tmp too; for a link at its end, the
        link."""
        return Path(f"/proc/{self.leader()}/root") / str(path).lstrip("/")

    # commands

    def _enter(self, commands):
        """With what its services have of capabilities: not the host's clock."""
        leader = self.leader()
        lost = ",".join(f"-cap_{n}" for n in _capabilities_lost(leader))
        return ["nsenter", "--target", str(leader), "--mount", "--uts", "--ipc", "--net", "--pid",
                "--cgroup", "--root", "--wd", "--", "/usr/bin/setpriv", f"--bounding-set={lost}",
                "/usr/bin/env", "-i", *ENVIRONMENT, "/bin/bash", "-c", f"cd /root; {commands}"]

    def _become_inside(self):
        end_with_us()
        _join_cgroups_of(self.leader())

    def try_run(self, commands, stdin=None, timeout_s=120):
        """Run commands in the booted machine, as root; the finished process."""
        return subprocess.run(self._enter(commands), input=stdin, capture_output=True, text=True,
                              errors="replace", timeout=timeout_s, check=False,
                              **({} if stdin is not None else {"stdin": subprocess.DEVNULL}),
                              preexec_fn=self._become_inside)

    def run(self, commands, **options):
        """The same; its output. A failure raises."""
        return checked(self.try_run(commands, **options), commands)

    # what it says

    def lines(self, *words, start=0):
        """Lines of the journal that hold all words."""
        return grep(self.log, *words, start=start)

    def log_size(self):
        return self.log.stat().st_size if self.log.exists() else 0


def sweep():
    """What a run that was killed left behind; nobody else's machines may be up."""
    for pid in processes_of(SURROUNDINGS):
        os.kill(pid, signal.SIGKILL)
    remove(SURROUNDINGS)
    for folder in (FOLDER / "m").glob("*"):
        cgroups = Cgroups(folder.name)
        cgroups.kill()
        wait_until(lambda c=cgroups: c.remove() or not any(f.exists() for f in c.folders),
                   what=f"processes of {folder.name} to go")
        for name in (folder.name, f"{folder.name}-net"):
            Namespace(name).remove()
        if not folder.name.startswith("build-"):
            remove(folder)


def _capabilities_lost(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.split("CapBnd:")[1].split()[0], 16)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    return [n for n in range(last + 1) if not mask >> n & 1]


def _join_cgroups_of(pid):
    """So that what a command uses counts as the machine's."""
    trees = {"": "unified", "name=systemd": "systemd", "memory": "memory"}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        tree = Path("/sys/fs/cgroup", trees.get(controllers, "-"), path.lstrip("/"))
        if tree.is_dir():
            (tree / "cgroup.procs").write_text(str(os.getpid()))

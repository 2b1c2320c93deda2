"""Cgroups of its own for each machine. Without them nspawn puts all machines into one, so that
stopping a unit of one fails: "Failed to kill control group". Memory is limited in version 1's
hierarchy, below the caller's own cgroup, so that a limit set from above still holds."""
import contextlib
import os
import signal
import zlib
from pathlib import Path

from .bases import FOLDER, Unavailable

TOP = Path("/sys/fs/cgroup")
# one folder for all machines of a work folder
TAG = f"postward-machines-{zlib.crc32(str(FOLDER).encode()):08x}"


class Cgroups:
    def __init__(self, name):
        self.name = name
        self.folders = [TOP / tree / TAG / name for tree in ("systemd", "unified")
                        if (TOP / tree).is_dir()]
        own = _own_memory()
        self.memory = own / TAG / name if own else None
        if self.memory:
            self.folders.append(self.memory)

    def create(self, memory_bytes=None):
        """memory_bytes: most that all of the machine may use, its file cache included."""
        self.remove()
        for folder in self.folders:
            folder.mkdir(parents=True)
        if memory_bytes is None:
            return
        if not self.memory:
            raise Unavailable("no memory controller of cgroup version 1")
        for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
            if (self.memory / name).exists():
                (self.memory / name).write_text(str(memory_bytes))

    def enter(self):
        """The calling process, and what it starts from now on."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def empty(self):
        """What a machine that went down left below."""
        for folder in self.folders:
            _remove_below(folder)

    def kills(self):
        """How often the kernel killed a process for want of memory."""
        for line in (self.memory / "memory.oom_control").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def kill(self):
        """Whatever is left in there."""
        for folder in self.folders:
            for procs in folder.rglob("cgroup.procs"):
                for pid in procs.read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)

    def remove(self):
        for folder in self.folders:
            _remove_below(folder)
            for each in (folder, folder.parent):
                _try_remove(each)


def _own_memory():
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        folder = TOP / "memory" / path.lstrip("/")
        if controllers == "memory" and folder.is_dir():
            return folder
    return None


def _remove_below(folder):
    for path, folders, _ in os.walk(folder, topdown=False):
        for name in folders:
            _try_remove(Path(path) / name)


def _try_remove(folder):
    """While a process is in it, or another machine's folder, it stays."""
    with contextlib.suppress(OSError):
        folder.rmdir()

"""A machine's root folder, and commands in it while it is not booted."""
import ctypes
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

from stack.netns import run

from .bases import FOLDER, base, lock, remove
from .cgroups import Cgroups

ARCHIVES = FOLDER / "archives"  # packages apt fetched, for all machines
PR_SET_PDEATHSIG = 1
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Where /run is a disk, nspawn does not clear its folder there and says so: it gets one of its own.
OWN_RUN = ["unshare", "--mount", "--propagation", "slave", "/bin/sh", "-c",
           "mkdir -p /run/systemd/nspawn && mount -t tmpfs -o mode=700 tmpfs /run/systemd/nspawn"
           ' && exec "$@"', "-"]


class Failed(RuntimeError):
    """A command in a machine ended with another status than 0."""


def checked(done, command):
    """The output of a finished command; a failure raises with all it printed."""
    if done.returncode != 0:
        raise Failed(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def end_with_us():
    """In a child: it ends when we do, however that is."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Root:
    def __init__(self, name, release):
        self.name, self.release = name, release
        self.folder = FOLDER / "m" / name
        self.path = self.folder / "root"
        self.cgroups = Cgroups(name)

    # life

    def create(self, source=None, hostname=None):
        """From another root that is not booted, or the release's base."""
        self.delete()
        self.folder.mkdir(parents=True)
        run("cp", "-a", source.path if source else base(self.release), self.path, timeout=300)
        self._write_identity(hostname or self.name)
        return self

    def _write_identity(self, hostname):
        self.write("/etc/hostname", hostname.split(".", maxsplit=1)[0] + "\n")
        self.write("/etc/machine-id", uuid.uuid4().hex + "\n")
        dbus = self.file("/var/lib/dbus/machine-id")
        if dbus.exists() and not dbus.is_symlink():
            dbus.unlink()
            dbus.symlink_to("/etc/machine-id")
        self.file("/etc/resolv.conf").unlink(missing_ok=True)
        remove(self.file("/var/log/journal"))
        self.file("/var/log/journal").mkdir()  # kept over reboots

    def delete(self):
        remove(self.folder)

    # files

    def file(self, path):
        """A file of the root as the host sees it. Not through links that begin with a slash."""
        return self.path / str(path).lstrip("/")

    def write(self, path, text, mode=0o644):
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def read(self, path):
        return self.file(path).read_text()

    # commands

    def become(self):
        """In a child, before it is nspawn."""
        end_with_us()
        self.cgroups.enter()

    def nspawn(self):
        ARCHIVES.mkdir(parents=True, exist_ok=True)
        return [*OWN_RUN, "systemd-nspawn", "--quiet", "--keep-unit", "--register=no",
                "--link-journal=no", "--timezone=off", f"--machine={self.name}",
                f"--bind={ARCHIVES}:/var/cache/apt/archives", f"--directory={self.path}"]

    def sh(self, commands, timeout_s=1800):
        """Run commands with the host's network, so apt works; no service is started. Only while it
        is not booted."""
        policy = self.file("/usr/sbin/policy-rc.d")
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        self.cgroups.create()
        try:
            with lock("apt"):  # the folder of packages is shared
                done = subprocess.run(
                    [*self.nspawn(), "--pipe", "--as-pid2", "--resolv-conf=bind-host",
                     "--setenv=DEBIAN_FRONTEND=noninteractive", "--setenv=LANG=C.UTF-8",
                     "--setenv=HOME=/root", f"--setenv=PATH={PATH}", "/bin/bash", "-ec", commands],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                    timeout=timeout_s, preexec_fn=self.become, check=False)
        finally:
            policy.unlink()
            self.cgroups.remove()
        return checked(done, commands)

    def copy_in(self, source, target):
        """A folder of the host into the root."""
        shutil.copytree(Path(source), self.file(target), dirs_exist_ok=True)

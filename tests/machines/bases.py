"""Where machines come from: a root of each release, made once by mmdebstrap and kept."""
import contextlib
import fcntl
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

from stack.netns import run

FOLDER = Path(os.environ.get("PW_MACHINES") or "/var/tmp/postward-machines")
RELEASES = "bookworm", "trixie"
INCLUDE = "systemd,systemd-sysv,dbus,iproute2"
TOOLS = "mmdebstrap", "systemd-nspawn", "ip", "nsenter", "setpriv", "unshare"


class Unavailable(Exception):
    """This host lacks what machines need; no fault of what is tested."""


def need_tools():
    if os.geteuid() != 0:
        raise Unavailable("not root: machines are namespaces and cgroups")
    missing = [t for t in TOOLS if not shutil.which(t)]
    if missing:
        raise Unavailable(f"missing: {', '.join(missing)} (apt install mmdebstrap systemd-container)")


@contextlib.contextmanager
def lock(name):
    """Held by one process at a time."""
    (FOLDER / "lock").mkdir(parents=True, exist_ok=True)
    FOLDER.chmod(0o755)  # apt's own user reads below
    with open(FOLDER / "lock" / name, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mirror(suite):
    """The address the host's apt has a suite from."""
    targets = run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)")
    for line in targets.splitlines():
        codename, _, uri = line.partition(" ")
        if codename == suite:
            return uri
    raise Unavailable(f"apt knows no mirror of {suite}")


def _mirrors():
    """Debian's and its security updates', as this host knows them."""
    here = next(line.split("=")[1].strip() for line in open("/etc/os-release", encoding="utf8")
                if line.startswith("VERSION_CODENAME="))
    return mirror(here), mirror(f"{here}-security")


def need_mirror(release):
    main, _ = _mirrors()
    try:
        urllib.request.urlopen(f"{main.rstrip('/')}/dists/{release}/Release", timeout=30).close()
    except OSError as error:
        raise Unavailable(f"{main} cannot be reached: {error}") from error


def sources(release):
    """sources.list of a release, from the mirrors the host uses."""
    main, security = _mirrors()
    return [f"deb {main} {release} main", f"deb {main} {release}-updates main",
            f"deb {security} {release}-security main"]


def base(release):
    """The folder of a release's root, made when it is missing."""
    folder = FOLDER / "base" / release
    with lock(f"base-{release}"):
        if not folder.exists():
            _make(release, folder)
    return folder


def _make(release, folder):
    new, log = folder.with_suffix(".new"), folder.with_suffix(".log")
    remove(new)
    new.parent.mkdir(exist_ok=True)
    with open(log, "wb") as out:
        made = subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={INCLUDE}",
             '--aptopt=Acquire::Languages "none"', release, str(new), *sources(release)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    if made.returncode != 0:
        raise Unavailable(f"no root of {release} could be made, see {log}")
    new.rename(folder)


def remove(folder):
    """Delete a root; what is mounted below it stays untouched."""
    run("rm", "-rf", "--one-file-system", folder, timeout=300)

"""Peers of the benches: Debian's packages, unpacked into a folder and not installed, so that nothing
of them starts by itself."""
import os
import subprocess
import sys


def unpack_peers(folder, peers):
    """Names of the peers (name -> package) that are there now: unpacked earlier, or now."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    there = []
    for name, package in peers.items():
        if not (folder / f"{name}.done").exists() and not unpack(folder, package):
            print(f"a peer is missing: package {package}", file=sys.stderr)
            continue
        (folder / f"{name}.done").touch()
        there.append(name)
    return there


def unpack(folder, package):
    """A package or several (NAME- for one that may not stand beside them), and what apt would install for it."""
    plan = apt("install", "-s", "--no-install-recommends", *package.split())
    if plan is None:
        apt("update", "-qq")
        plan = apt("install", "-s", "--no-install-recommends", *package.split())
    if plan is None:
        return False
    wanted = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    if wanted and apt("download", "-qq", *wanted, folder=folder) is None:
        return False
    for archive in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
        archive.unlink()
    return True


def apt(*words, folder=None):
    """What apt-get says; None when it cannot."""
    done = subprocess.run(["apt-get", *words], cwd=folder, check=False, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"})
    return done.stdout if done.returncode == 0 else None

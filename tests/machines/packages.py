"""The tree's packages for a release, built in a root of it and kept, with an index apt can read."""
import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from stack.postward import SOURCE

from .bases import FOLDER
from .root import Root

OLD = "0.0.1"  # this source under an older version's number, to upgrade from
KEPT = 6       # sets of packages


def packages(release, version=None):
    """A folder with the packages and their index. version: instead of the changelog's. PW_DEBS/RELEASE
    has them already."""
    ready = os.environ.get("PW_DEBS")
    if ready:
        return Path(ready) / (f"{release}-{version}" if version else release)
    folder = FOLDER / "debs" / f"{release}-{version or 'current'}-{_digest()}"
    if not folder.exists():
        _build(release, version, folder)
        _forget_old(folder.parent)
    return folder


def _digest():
    """Of what packages are made from."""
    found = hashlib.sha256()
    for path in sorted(_sources()):
        found.update(str(path.relative_to(SOURCE)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def _sources():
    for top in SOURCE.iterdir():
        if top.name == "tests":
            top = top / "pgtap"
        if top.name == ".git" or top.name.startswith(("build", "obj-")):
            continue
        yield from (p for p in [top, *top.rglob("*")] if p.is_file() and "__pycache__" not in p.parts)


def _build(release, version, folder):
    root = Root(f"build-{release}", release)
    if not root.path.exists():
        root.create()
    shutil.rmtree(root.file("/postward"), ignore_errors=True)
    tree = subprocess.run(["tar", "-c", "--exclude-vcs", "--exclude=./build", "--exclude=./build-*",
                           "--exclude=__pycache__", "-C", SOURCE, "."], check=True,
                          capture_output=True).stdout
    root.file("/postward").mkdir()
    subprocess.run(["tar", "-x", "--no-same-owner", "-C", root.file("/postward")], input=tree,
                   check=True)
    shutil.rmtree(root.file("/out"), ignore_errors=True)
    option = f"--version {version}" if version else ""
    root.sh(f"""apt-get update -qq
        apt-get install -y -qq --no-install-recommends dpkg-dev build-essential
        apt-get build-dep -y -qq --no-install-recommends /postward
        cd /postward && debian/build {option} /out
        cd /out && rm -f *-dbgsym_* && dpkg-scanpackages --multiversion . >Packages""")
    with gzip.open(root.file("/out/Packages.gz"), "wb") as index:
        index.write(root.file("/out/Packages").read_bytes())
    folder.parent.mkdir(exist_ok=True)
    shutil.copytree(root.file("/out"), folder.with_suffix(".new"), dirs_exist_ok=True)
    folder.with_suffix(".new").rename(folder)


def _forget_old(folder):
    for old in sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old)

"""Memory of a machine: the sum of PSS over its processes, so that what is shared counts once."""
import collections
import contextlib
import os
from pathlib import Path

MB = 1_000_000
LIMIT_BYTES = 1 << 30  # of the machine, file cache included


def by_program(machine):
    """program -> bytes."""
    found = collections.Counter()
    for pid in machine.processes():
        with contextlib.suppress(OSError):
            name = Path(os.readlink(f"/proc/{pid}/exe")).name
            found[name] += _pss(pid)
    return found


def _pss(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def ours(found):
    return sum(size for name, size in found.items() if name.startswith("postward"))


def table(title, found):
    """For the reader: the largest first."""
    lines = [f"{title}: {sum(found.values()) / MB:.0f} MB, postward's {ours(found) / MB:.0f} MB"]
    lines += [f"  {size / MB:7.1f} MB  {name}" for name, size in found.most_common() if size >= MB / 10]
    return "\n".join(lines)

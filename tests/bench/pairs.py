"""What the benches share: a peer and ours in turns, medians, the last line of --json."""
import json
import os
import statistics
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def build():
    """The folder of the programs: $PW_BUILD, or build/, made with preset release if absent."""
    folder = Path(os.environ.get("PW_BUILD") or SOURCE / "build").resolve()
    if not (folder / "bin").is_dir():
        subprocess.run(["cmake", "--preset", "release", "-G", "Ninja", "-B", folder], check=True,
                       cwd=SOURCE, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", folder], check=True, cwd=SOURCE,
                       stdout=subprocess.DEVNULL)
    return folder


def rounds(count, work):
    """[{name: value}]: each of `work` (name -> what measures it) `count` times, in turns; every other
    round the other way about."""
    done = []
    for number in range(count):
        names = list(work)[::-1 if number % 2 else 1]
        done.append({name: work[name]() for name in names})
    return done


def turns(count, peer, ours):
    """[(peer's, ours)]: both measured `count` times, each of them first every other time."""
    return [(r["peer"], r["ours"]) for r in rounds(count, {"peer": peer, "ours": ours})]


class Comparison:
    """Numbers of pairs, as a row for people and a ratio for --json."""

    def __init__(self, name, unit, pairs, peer_name="stock"):
        self.name, self.unit, self.peer_name = name, unit, peer_name
        self.peer = statistics.median(p for p, _ in pairs)
        self.ours = statistics.median(o for _, o in pairs)
        self.each = sorted(o / p for p, o in pairs)
        self.ratio = statistics.median(self.each)

    def __str__(self):
        return (f"{self.name:34} {self.peer_name:6}{self.peer:10.1f}  ours {self.ours:10.1f} {self.unit:4}"
                f"  ratio {self.ratio:5.2f}  ({self.each[0]:.2f} to {self.each[-1]:.2f})")

    def facts(self):
        return {self.peer_name: round(self.peer, 3), "ours": round(self.ours, 3),
                "unit": self.unit, "ratio": round(self.ratio, 3),
                "spread": [round(self.each[0], 3), round(self.each[-1], 3)]}


def last_line(ratios, more):
    """The object that ends the output of --json."""
    return json.dumps({"ratios": {name: round(value, 3) for name, value in ratios.items()}, **more})

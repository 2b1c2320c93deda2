"""What a page of docs says is to be typed, word for word: each block of commands has a name there."""
import re

from stack.postward import SOURCE
from stack.world import EDGE

# what stands for the reader's own
OWN = {"example.org": "example.test", "192.0.2.10": EDGE}


def blocks(path):
    """name -> text."""
    text = (SOURCE / path).read_text(encoding="utf8")
    found = dict(re.findall(r"(?ms)^```(\S+)\n(.*?)^```$", text))
    for ours, own in OWN.items():
        found = {name: block.replace(ours, own) for name, block in found.items()}
    return found


def follow(machine, block):
    """Type a block of commands; what was said. The first that fails is the end."""
    return machine.run(f"set -e\n{block}", timeout_s=900)

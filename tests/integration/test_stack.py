"""The harness leaves nothing behind, also when it is ended by a signal."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stack import Stack
from stack.postfix import processes_of

TESTS = Path(__file__).resolve().parents[1]


def namespaces():
    return {n.name for n in Path("/run/netns").glob("pw*")}


def test_a_stack_is_gone_without_a_trace():
    with Stack() as stack:
        names = {ns.name for ns in (stack.net, stack.edge_ns, stack.inner_ns)}
        assert names <= namespaces()
        assert processes_of(stack.root)
    assert not names & namespaces()
    assert not stack.root.exists()
    assert not processes_of(stack.root)
    assert not [n for n in names if Path("/etc/netns", n).exists()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_the_story_ends_clean_on_a_signal(number):
    story = subprocess.Popen([sys.executable, "-m", "stack.story", "--only", "unknown_user"],
                             env={**os.environ, "PYTHONPATH": str(TESTS)}, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             # tests in the background of a shell inherit that SIGINT is ignored
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    lines = []
    for line in story.stdout:
        lines.append(line)
        if "Ctrl-C ends it" in line:
            break
    assert "Ctrl-C ends it" in lines[-1], "".join(lines)
    root = next(l.rsplit(None, 1)[1] for l in lines if "stack is up" in l)
    assert Path(root).exists()
    story.send_signal(number)
    story.communicate(timeout=120)
    assert story.returncode == 0
    assert not Path(root).exists()
    assert not [n for n in namespaces() if n.startswith(f"pw{story.pid % 100000}")]

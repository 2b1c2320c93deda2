"""Each step of the story is true on the shared stack."""
import pytest

from stack.story import STEPS, inbound, play


@pytest.mark.parametrize("step", STEPS, ids=lambda f: f.__name__)
def test_step(stack, step):
    facts, lines, reason = play(stack, step, **({"count": 20} if step is inbound else {}))
    print("\n".join(lines), facts)
    assert reason is None


def test_nothing_crashed(stack):
    assert not stack.dovecot.crashes()
    assert not [n for n, p in stack.programs.items() if not p.process.is_running()]

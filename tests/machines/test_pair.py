"""An edge host (Debian 12) and an inner host (Debian 13) joined by WireGuard, both made by doing what
docs/edge.md says and nothing else; wireguard-go does what the kernel's module does elsewhere."""
import pytest

from stack.clients import last_reply, message
from stack.proc import wait_until
from stack.story import imap_through_edge, inbound, inbound6, link_down, outbound
from stack.world import SENDER

from . import health
from .bases import RELEASES
from .hosts import USUAL
from .machine import Machine
from .machine_stack import PairStack
from .packages import packages
from .page import blocks, follow
from .steps import tell

BROUGHT = "/root/postward"  # where the page has the packages
WIREGUARD = ("wireguard-go",)


def with_packages(name, release, hostname, block):
    """A machine with the packages where the page has them, and what they depend on fetched."""
    machine = Machine(name, release).create(hostname=hostname)
    machine.copy_in(packages(release), BROUGHT)
    install = block[block.index("apt-get install"):].replace("apt-get install", "apt-get install -qq -d")
    machine.sh(f"apt-get update -qq; apt-get install -y -qq --no-install-recommends {' '.join(USUAL)}\n"
               f"cp -r {BROUGHT} /tmp/p && cd /tmp/p && rm -f *-dbgsym_*.deb\n{install}\n"
               f"apt-get install -y -qq -d {' '.join(WIREGUARD)}")
    return machine


@pytest.fixture(scope="module")
def pair():
    page = blocks("docs/edge.md")
    edge = with_packages("pw-edge", RELEASES[0], "mx.example.test", page["sh-edge-packages"])
    inner = with_packages("pw-inner", RELEASES[1], "inner.example.test", page["sh-inner-packages"])
    try:
        with PairStack(edge, inner) as stack:
            stack.said = make(stack, page)
            stack.furnish()
            yield stack
    finally:
        edge.drop()
        inner.drop()


def bring(edge, inner, page):
    """What the page does with scp: these hosts have no way to each other but the tunnel."""
    assert page["sh-copy"].startswith("scp -r /root/postward-edge/inner root@")
    for name in edge.run("ls /root/postward-edge/inner").split():
        inner.write(f"/root/postward-edge/{name}", edge.run(f"cat /root/postward-edge/inner/{name}"), 0o600)
    follow(edge, page["sh-copy"].splitlines()[1])


def make(stack, page):
    """The page from top to bottom; what was said."""
    edge, inner = stack.edge_machine, stack.inner_machine
    said = [follow(edge, page["sh-edge-packages"]), follow(inner, page["sh-inner-packages"])]
    for machine in (edge, inner):
        machine.run(f"apt-get install -y {' '.join(WIREGUARD)}", timeout_s=300)
    said.append(follow(edge, page["sh-init"]))
    bring(edge, inner, page)
    said += [follow(edge, page["sh-edge-tunnel"]), follow(inner, page["sh-inner-tunnel"]),
             follow(inner, page["sh-inner"]), follow(edge, page["sh-edge"])]
    return "\n".join(said)


def test_the_edge_is_right(pair):
    """Every row of it, with a real tunnel, and firewalls on both hosts."""
    said = pair.edge_machine.try_run("postwardctl edge check").stdout
    print(said)
    assert "0 errors, 0 warnings" in said


def test_the_page_makes_two_healthy_hosts(pair):
    print(pair.said)
    for machine in pair.machines:
        assert health.failed_units(machine) == []
        assert "wireguard-go" in machine.run("ps -eo args")
    assert pair.programs["postward-origin"].is_running()


def test_nothing_of_the_inner_host_is_public(pair):
    """Whoever reaches its public address finds no port of ours open."""
    found = pair.inner_machine.run("ss -Hlnt | awk '{print $4}'").split()
    print(found)
    reachable = [f for f in found if not f.startswith(("127.", "[::1]", "10.9.0.2"))]
    assert reachable == []


@pytest.mark.parametrize("step", [inbound, inbound6, link_down, outbound, imap_through_edge],
                         ids=lambda f: f.__name__)
def test_story(pair, step):
    assert tell(pair, step) is None


def _send(pair, message_id):
    with pair.outside() as client:
        return last_reply(client.send("stranger@sender.test", ["ann@example.test"], message(
            "stranger@sender.test", "ann@example.test", message_id=message_id)))


def test_mail_waits_on_the_edge_where_that_is_wanted(pair):
    """The page's way to a queue, what it says of it, and its last command."""
    page = blocks("docs/edge.md")
    print(follow(pair.edge_machine, page["sh-queue"]))
    assert _send(pair, "page-known@sender.test").code == 250  # ann is known from now on
    pair.link_down()
    try:
        assert _send(pair, "page-waits@sender.test").code == 250
        assert len(pair.edge.queue()) == 1
    finally:
        pair.link_up()
    wait_until(lambda: pair.edge.flush() or not pair.edge.queue(), 120, "the queue to be empty", 5)
    text = pair.delivered("ann@example.test", "page-waits@sender.test")
    assert f"[{SENDER}]".encode() in text and b"Postward-Origin" not in text
    assert "nothing is on hold" in follow(pair.edge_machine, page["sh-held"])
    assert "0 errors, 0 warnings" in follow(pair.edge_machine, page["sh-edge-check"])


def test_story_after_a_reboot_of_both(pair):
    for machine in pair.machines:
        machine.reboot()
        assert health.failed_units(machine) == []
    for step in (inbound, outbound):
        assert tell(pair, step, 2) is None


def test_nothing_crashed(pair):
    assert pair.dovecot.crashes() == []
    for machine in pair.machines:
        assert health.denials(machine) == []
        assert health.ours_failing(machine) == []

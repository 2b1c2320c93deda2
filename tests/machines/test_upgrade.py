"""New packages come while mail flows: nothing is lost, nothing comes twice, nobody is told to come
again but who held a session open for longer than programs wait."""
import re
import smtplib
import time

import pytest

from stack.clients import Reply, SmtpClient, message
from stack.story import inbound, outbound
from stack.world import EDGE, SENDER

from . import health
from .hosts import SETUP, fresh, install, provide_booted
from .ledger import Ledger
from .machine_stack import MachineStack
from .packages import OLD
from .steps import tell

BEFORE_S, AFTER_S = 5, 8  # of load on either side
RESTARTS = 2              # of all our daemons besides
USERS = [f"user{n}@example.test" for n in range(6)]


@pytest.fixture
def old_host(release, machines):
    """A host with the version before."""
    machine = fresh(f"pw-old-{release}", release, version=OLD)
    machines.append(machine)
    with MachineStack(machine) as stack:
        install(machine, "postward")
        machine.run(SETUP, timeout_s=300)
        stack.furnish()
        for user in USERS:
            stack.add_user(user)
        stack.settle()
        yield stack


def versions(machine):
    text = machine.run("dpkg-query -W -f '${Package} ${Version}\\n' 'postward*' dovecot-postward")
    return dict(line.split() for line in text.splitlines() if len(line.split()) == 2)


def main_pids(machine):
    return machine.run("systemctl show -p MainPID --value postward-score postward-dkim postward-policyd").split()


class LongSession:
    """A client that says MAIL FROM and then nothing until finish()."""

    def __init__(self, stack, message_id):
        self.stack, self.message_id = stack, message_id
        self.client = SmtpClient(stack.net, EDGE, source=SENDER, timeout_s=300)
        self.client.command("MAIL FROM:<stranger@sender.test>")

    def finish(self, to):
        """The rest of it; what it was told (a client tries again then), or 250."""
        text = message("stranger@sender.test", to, message_id=self.message_id)
        try:
            reply = self.client.command(f"RCPT TO:<{to}>")
            if reply.code == 250:
                reply = self.client.data(self.stack.signer.sign(text))
        except (OSError, smtplib.SMTPException) as error:
            reply = Reply(421, repr(error))
        self.client.close()
        return reply


def test_upgrade_with_mail_flowing(old_host, release, number):
    machine = old_host.machine
    assert {v.split("-")[0] for v in versions(machine).values()} == {OLD}
    provide_booted(machine)
    pids = main_pids(machine)
    long_id = f"long-{time.time():.3f}@sender.test"
    with Ledger(old_host, USERS) as book:
        time.sleep(BEFORE_S)
        patient = LongSession(old_host, long_id)
        begin = time.monotonic()
        said = machine.run("apt-get upgrade -y 2>&1", timeout_s=600)
        took = time.monotonic() - begin
        time.sleep(AFTER_S)
        held_s = time.monotonic() - begin
        reply = patient.finish(USERS[0])
        for _ in range(RESTARTS):
            machine.run("systemctl restart postward-score postward-dkim postward-policyd")
            time.sleep(BEFORE_S)
    if reply.code != 250:
        with SmtpClient(old_host.net, EDGE, source=SENDER) as again:
            assert book.send(again, "stranger@sender.test", USERS[0], True, long_id).code == 250
    book.taken[long_id] = USERS[0]
    book.wait_until_delivered()
    lost, doubled = book.lost_and_doubled(book.messages())
    number(f"{release}, upgrade from {OLD} in {took:.0f} s: {len(book.taken)} messages, {len(lost)} lost,"
           f" {len(doubled)} doubled, {len(book.refused)} refused; longest session {book.longest_s:.1f} s;"
           f" session of {held_s:.0f} s: {reply}")
    print(said)
    assert {v.split("-")[0] for v in versions(machine).values()} != {OLD}
    assert not set(pids) & set(main_pids(machine))
    assert len(book.taken) > 100
    assert (lost, doubled) == ([], [])
    assert book.refused == []
    assert reply.code == 250 or reply.code // 100 == 4
    assert not re.search(r"(?mi)^.*postward.*(error|need a hand|failed)", said), said
    assert health.failed_units(machine) == []
    for step in (inbound, outbound):
        assert tell(old_host, step) is None

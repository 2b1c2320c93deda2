"""A host with 1 GB is enough, with room to spare."""
import contextlib
import time

import pytest

from stack.clients import SmtpClient
from stack.world import EDGE, SENDER, THIEF

from . import memory
from .machine_stack import MachineStack

SESSIONS = 50       # of each kind
ALL_MB, OURS_MB = 400, 80
USERS = [f"reader{n}@example.test" for n in range(10)]  # Dovecot takes ten sessions of one from one address
SETTLED_S = 20


@pytest.fixture
def small(host, machines):
    machine = host.clone(f"pw-small-{host.release}")
    machines.append(machine)
    stack = MachineStack(machine)
    try:
        yield stack.start(memory_bytes=memory.LIMIT_BYTES)
    finally:
        stack.stop()


def smtp_session(stack, nth):
    """Under TLS, in the middle of a message, so that every milter and policyd have heard of it."""
    client = SmtpClient(stack.net, EDGE, source=SENDER if nth % 2 else THIEF, tls="starttls")
    client.command("MAIL FROM:<stranger@sender.test>")
    assert client.command(f"RCPT TO:<{USERS[nth % len(USERS)]}>").code == 250
    return client


def imap_session(stack, nth):
    imap = stack.imap(USERS[nth % len(USERS)])
    imap.select("INBOX")
    return imap


def test_memory(small, release, number):
    for user in USERS:
        small.add_user(user)
    small.settle()
    time.sleep(SETTLED_S)
    idle = memory.by_program(small.machine)
    number(memory.table(f"{release}, idle", idle))
    with contextlib.ExitStack() as open_:
        for nth in range(SESSIONS):
            open_.enter_context(contextlib.closing(smtp_session(small, nth)))
            open_.callback(imap_session(small, nth).shutdown)
        busy = memory.by_program(small.machine)
    number(memory.table(f"{release}, {SESSIONS} SMTP and {SESSIONS} IMAP sessions", busy))
    assert sum(busy.values()) <= ALL_MB * memory.MB
    assert memory.ours(busy) <= OURS_MB * memory.MB
    assert small.machine.cgroups.kills() == 0

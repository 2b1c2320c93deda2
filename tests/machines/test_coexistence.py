"""On a host that has a life already: OpenDKIM, rspamd and postgrey beside a running Postfix. Our
packages touch nothing of it, setup adds to it, and a purge gives back what was there, byte for byte."""
import re
import time

import pytest

from stack.clients import last_reply, message
from stack.story import inbound, outbound
from stack.world import SENDER

from . import health
from .filelist import differences, listing
from .hosts import SETUP, fresh, install
from .machine_stack import MachineStack
from .steps import tell

THERE_BEFORE = ("postfix", "postfix-pgsql", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd",
                "dovecot-sieve", "dovecot-managesieved", "postgresql", "opendkim", "opendkim-tools",
                "rspamd", "postgrey")
OPENDKIM = """Syslog yes
UMask 007
Mode v
UserID opendkim
Socket inet:8891@127.0.0.1
PidFile /run/opendkim/opendkim.pid
InternalHosts 127.0.0.1
AlwaysAddARHeader yes
AuthservID opendkim.before
Nameservers {nameserver}
"""
SERVICES = "opendkim", "rspamd", "postgrey", "dovecot", "postfix"
# what the admin of that host had in main.cf
BEFORE = ("smtpd_milters = inet:127.0.0.1:8891", "non_smtpd_milters = inet:127.0.0.1:8891",
          "smtpd_recipient_restrictions = reject_unauth_destination,"
          " check_policy_service inet:127.0.0.1:10023")
PACKAGES = r"dpkg-query -W -f '${Package} ${db:Status-Status}\n' 'postward*' dovecot-postward"
FILES = "/etc/postfix", "/etc/dovecot", "/etc/opendkim.conf", "/etc/rspamd", "/etc/default"
# a purge keeps the users' mail, and PostgreSQL its own files; the rest comes and goes while servers run
# (libp11-kit0 came with libmicrohttpd; on Debian 13 systemd suggests it, and so apt keeps it)
KEPT = re.compile(r"^[-+~] /(srv/mail|var/lib/(postgresql|rspamd|postgrey|dovecot|postfix|ucf|misc|sgml-base)"
                  r"|var/spool/postfix/(active|bounce|corrupt|defer|deferred|flush|hold|incoming|maildrop"
                  r"|private|public|pid|saved|trace|etc|dev|lib|usr)|var/mail|var/backups)(/| )"
                  r"|^[-+~] /usr/(lib/[^/]+/libp11-kit\.|share/doc/libp11-kit0\b)")


@pytest.fixture(scope="module")
def lived_in(release):
    """The stack of such a host, our packages not installed yet; `before`: its files."""
    machine = fresh(f"pw-lived-{release}", release, now=THERE_BEFORE)
    stack = MachineStack(machine)
    try:
        machine.write("/etc/opendkim.conf", OPENDKIM.format(nameserver=stack.network.nameserver))
        machine.write("/etc/default/postgrey", 'POSTGREY_OPTS="--inet=10023 --delay=3"\n')
        stack.start()
        for setting in BEFORE:
            machine.run(f"postconf -e '{setting}'")
        machine.run("systemctl restart opendkim postfix")
        machine.stop()
        stack.before = listing(machine)
        stack.boot()
        stack.texts = texts(machine)
        yield stack
    finally:
        stack.stop()
        machine.drop()


def texts(machine):
    """What its settings are made of, byte for byte."""
    return machine.run(f"find {' '.join(FILES)} -type f -exec sha256sum {{}} + | sort -k 2")


def running(machine):
    return machine.try_run(f"systemctl is-active {' '.join(SERVICES)}").stdout.split()


def test_installing_touches_nothing(lived_in):
    machine = lived_in.machine
    pids = machine.run("pgrep -x master; pgrep -x opendkim; pgrep -o rspamd")
    install(machine, "postward")
    added = set(texts(machine).splitlines()) - set(lived_in.texts.splitlines())
    gone = set(lived_in.texts.splitlines()) - set(texts(machine).splitlines())
    assert (added, gone) == (set(), set())
    assert running(machine) == ["active"] * len(SERVICES)
    assert machine.run("pgrep -x master; pgrep -x opendkim; pgrep -o rspamd") == pids
    assert health.failed_units(machine) == []


def test_setup_adds_to_what_is_there(lived_in):
    machine = lived_in.machine
    print(machine.run(SETUP, timeout_s=300))
    milters = machine.run("postconf -hx smtpd_milters")
    assert "inet:127.0.0.1:8891" in milters and "postward/score.sock" in milters
    assert "check_policy_service inet:127.0.0.1:10023" in machine.run(
        "postconf -hx smtpd_recipient_restrictions")
    assert running(machine) == ["active"] * len(SERVICES)


def test_mail_passes_all_of_them(lived_in):
    lived_in.furnish()
    message_id = f"beside-{time.time():.3f}@sender.test"
    reply = send_until_postgrey_knows(lived_in, message_id)
    assert reply.code == 250, reply
    got = lived_in.delivered("ann@example.test", message_id)
    assert b"opendkim.before" in got
    assert b"spf=pass" in got
    for step in (inbound, outbound):
        assert tell(lived_in, step) is None


def send_until_postgrey_knows(stack, message_id):
    """The reply after the first refusal, which is postgrey's way of greeting."""
    for _ in range(20):
        text = message("stranger@sender.test", "ann@example.test", message_id=message_id)
        with stack.outside(SENDER) as client:
            reply = last_reply(client.send("stranger@sender.test", ["ann@example.test"],
                                           stack.signer.sign(text)))
        if reply.code != 450:
            return reply
        time.sleep(1)
    return reply


def purge(machine):
    """Our packages, and what came because of them alone; what apt said."""
    names = [line.split()[0] for line in machine.run(PACKAGES).splitlines()
             if line.split()[1:] in (["installed"], ["config-files"])]
    return machine.run(f"apt-get purge -y {' '.join(names)} 2>&1 && apt-get autoremove -y --purge 2>&1",
                       timeout_s=300)


def test_purge_leaves_nothing_but_the_database(lived_in):
    machine = lived_in.machine
    print(purge(machine))
    assert running(machine) == ["active"] * len(SERVICES)
    assert lived_in.pg.value("SELECT count(*) FROM mail.virtual_users") >= 2
    assert texts(machine).splitlines() == lived_in.texts.splitlines()
    machine.stop()
    left = [l for l in differences(lived_in.before, listing(machine)) if not KEPT.match(l)]
    print("\n".join(left))
    assert left == []
    assert list(machine.file("/srv/mail/example.test/ann").rglob("cur/*"))


def test_purge_with_a_yes_drops_the_database(lived_in):
    machine = lived_in.machine
    lived_in.boot()
    install(machine, "postward")
    machine.run("echo postward-schema postward-schema/purge-database boolean true | debconf-set-selections")
    print(purge(machine))
    databases = lived_in.pg.sql("SELECT datname FROM pg_database", database="postgres")
    assert ("postward",) not in databases
    roles = lived_in.pg.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'postward%%'",
                            database="postgres")
    assert roles == []

"""postward-policyd with a throw-away PostgreSQL and the real schema, and its two clients:
Postfix's policy protocol and the quota plugin's usage socket."""
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from stack.clients import SmtpClient
from stack.netns import Namespace
from stack.postfix import Postfix
from stack.postgres import Postgres
from stack.postward import PROGRAMS, SOURCE, Program, build

REQUEST = {
    "protocol_name": "ESMTP", "client_address": "192.0.2.7", "client_name": "mail.example.net",
    "sender": "ann@example.test", "recipient": "someone@example.org", "recipient_count": 0,
    "queue_id": "", "instance": "1", "size": 0, "sasl_username": "ann@example.test",
}


class Closed(Exception):
    """The daemon closed the connection instead of answering."""


class Client:
    """One smtpd, as policyd sees it."""

    def __init__(self, path, timeout_s=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.socket.connect(str(path))
        self.rest = b""

    @staticmethod
    def request(stage="RCPT", **changes):
        lines = {"request": "smtpd_access_policy", "protocol_state": stage, **REQUEST, **changes}
        return "".join(f"{k}={v}\n" for k, v in lines.items()).encode() + b"\n"

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        while b"\n\n" not in self.rest:
            more = self.socket.recv(65536)
            if not more:
                raise Closed
            self.rest += more
        answer, _, self.rest = self.rest.partition(b"\n\n")
        assert answer.startswith(b"action="), answer
        return answer[7:].decode()

    def ask(self, stage="RCPT", **changes):
        self.send(self.request(stage, **changes))
        return self.answer()

    def message(self, instance, **changes):
        """One message with one recipient: the answer at RCPT, or at the end if that was DUNNO."""
        answer = self.ask("RCPT", instance=instance, **changes)
        if answer != "DUNNO":
            return answer
        return self.ask("END-OF-MESSAGE", instance=instance, **{**changes, "recipient_count": 1})

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class UsageClient:
    """The quota plugin, as policyd sees it."""

    GREETING = "postward-usage\t2"

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw", newline="\n")
        assert self.ask(self.GREETING) == self.GREETING

    def ask(self, *fields):
        self.file.write("\t".join(map(str, fields)) + "\n")
        self.file.flush()
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line:
            raise Closed
        return line.rstrip("\n")

    def tell(self, user, size, messages):
        """Usage counted now; returns the first word of the answer."""
        return self.ask("usage", user, size, messages, time.monotonic_ns() // 1000).split("\t")[0]

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Bed:
    """policyd and PostgreSQL in one temporary folder."""

    program = None

    def __init__(self, env=None):
        """env: what policyd finds in its environment besides."""
        self.pg, self.env = None, env
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        self.root = Path(tempfile.mkdtemp(prefix="policyd-"))
        self.root.chmod(0o755)
        (self.root / "conf").mkdir()
        self.run = self.root / "run"
        self.run.mkdir()
        self.run.chmod(0o777)
        self.pg = Postgres(self.root / "pg").create()
        self.pg.start()
        self.pg.sql("CREATE DATABASE mail", database="postgres")
        subprocess.run([build() / "bin/postwardctl", "schema", "--database", self.pg.conninfo(),
                        "migrate"], check=True, capture_output=True,
                       env={**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations")})
        self.pg.sql("SELECT mail.add_domain('example.test')")
        for user, quota_mb in (("ann", 0), ("bob", 1)):
            self.pg.sql("SELECT mail.add_user(%s, 'a long enough password', %s)",
                        f"{user}@example.test", quota_mb)
        self.policy, self.usage = self.run / "policy.sock", self.run / "usage.sock"
        self.auth = self._folder_of_dovecot() / "auth.sock"
        self.program = Program("postward-policyd", self.root / "conf", None,
                               {"policy_socket": f"unix:{self.policy}",
                                "usage_socket": self.usage, "auth_socket": self.auth},
                               [self.policy, self.usage, self.auth], self.pg, self.env)
        self.program.start()

    def _folder_of_dovecot(self):
        """Where policyd makes sockets for the group of Dovecot's auth process."""
        folder = self.root / "auth"
        folder.mkdir()
        os.chown(folder, PROGRAMS["postward-policyd"][0], pwd.getpwnam("dovecot").pw_gid)
        folder.chmod(0o2750)
        return folder

    def client(self, **options):
        return Client(self.policy, **options)

    def usage_client(self):
        return UsageClient(self.usage)

    def limit(self, who, count, period="1 hour", **columns):
        """Set the one limit of who; it counts from zero."""
        columns = {"who": who, "limit_count": count, "period": period, **columns}
        self.pg.sql("DELETE FROM mail.rate_limits WHERE who = %s", who)
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        rows = self.pg.sql(f"INSERT INTO mail.rate_limits ({names}) VALUES ({marks})"
                           " RETURNING id", *columns.values())
        self.settle()
        return rows[0][0]

    def settle(self):
        """Wait until policyd has loaded what SQL holds now."""
        generation = self.pg.value("SELECT mail.generation()")
        self.wait(lambda: any(f"generation={generation}" in line or
                              int(line.rpartition("generation=")[2].split(",")[0]) > generation
                              for line in self.program.lines("database=snapshot_loaded")),
                  what=f"generation {generation}")

    @staticmethod
    def wait(claim, timeout_s=60, what="condition"):
        end = time.monotonic() + timeout_s
        while not claim():
            assert time.monotonic() < end, f"{what}: not within {timeout_s} s"
            time.sleep(0.02)

    def close(self):
        for part in (self.program, self.pg):
            if part is not None:
                part.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Clock:
    """A wall clock that can be set, for programs started with `env`."""

    SOURCE = r"""#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static const volatile int64_t *ahead_s;
__attribute__((constructor)) static void look(void)
{
	void *at = mmap(NULL, 8, PROT_READ, MAP_SHARED, open("@", O_RDONLY | O_CLOEXEC), 0);
	if (at != MAP_FAILED)
		ahead_s = at;
}
int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, clock, t);
	if (r == 0 && clock == CLOCK_REALTIME && ahead_s)
		t->tv_sec += *ahead_s;
	return r;
}
"""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="clock-"))
        self.folder.chmod(0o755)  # policyd's user loads it
        self.file, source, library = (self.folder / f"clock.{end}" for end in ("ahead", "c", "so"))
        self.file.write_bytes(bytes(8))
        source.write_text(self.SOURCE.replace("@", str(self.file)))
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        self.env = {"LD_PRELOAD": str(library)}

    def set(self, ahead_s):
        with open(self.file, "r+b") as file:
            file.write(int(ahead_s).to_bytes(8, "little", signed=True))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)


POSTFIX_MAIN = """myhostname = policy.example.test
mynetworks =
relay_domains = example.org
relay_transport = discard:
virtual_mailbox_domains = example.test
virtual_mailbox_maps = static:all
virtual_transport = discard:
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_policy_service {{ {service} }}, check_policy_service {{ {service} }}
smtpd_end_of_data_restrictions = check_policy_service {{ {service} }}
"""


class PostfixBed(Bed):
    """The same with a stock Postfix in front: its smtpd chrooted, the server in two of its
    lists by mistake, logins taken from XCLIENT."""

    ns = postfix = None

    def _build(self):
        super()._build()
        self.ns = Namespace(f"policy-{os.getpid()}").create("127.0.0.1", "")
        self.postfix = Postfix(self.root / "postfix", self.ns)
        service = "unix:policy/policy.sock, timeout=5s, try_limit=2, default_action=DEFER"
        self.postfix.create(POSTFIX_MAIN.format(service=service),
                            ["127.0.0.1:25 inet n - y - - smtpd"])
        self.program.stop()
        self.policy = self.postfix.socket_folder("policy", self.program.uid) / "policy.sock"
        self.program.sockets = [self.policy]
        self.program.start(policy_socket=f"unix:{self.policy}")
        self.postfix.start()

    def smtp(self, login):
        client = SmtpClient(self.ns, "127.0.0.1")
        reply = client.command(f"XCLIENT ADDR=192.0.2.7 NAME=mail.example.net LOGIN={login}")
        assert reply.code == 220, reply
        client.command("EHLO mail.example.net")
        return client

    def close(self):
        if self.postfix is not None:
            self.postfix.stop()
        if self.ns is not None:
            self.ns.remove()
        super().close()

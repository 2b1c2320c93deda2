"""One Postfix with postward-dkim behind submission and local mail, PostgreSQL, a stock Dovecot
that takes any password, and a sink that keeps the bytes that leave."""
import contextlib
import os
import socket
import subprocess
from pathlib import Path

from stack import dialect
from stack.bed import Bed
from stack.clients import Sink, SmtpClient
from stack.postfix import Postfix
from stack.postward import PROGRAMS, Program, build
from stack.postgres import Postgres
from stack.proc import Process, wait_until

SOURCE = Path(__file__).resolve().parents[2]
HOST, SINK = "10.9.0.2", "198.51.100.9"
MAIN = f"""myhostname = inner.example.test
inet_interfaces = {HOST}
mynetworks =
relayhost = [{SINK}]:2525
smtpd_milters = unix:dkim/dkim.sock
non_smtpd_milters = unix:dkim/dkim.sock
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"""
SERVICES = [f"{HOST}:submission inet n - y - - smtpd",
            # as port 25 would be: relays for anybody in the namespace, no login
            f"{HOST}:smtp inet n - y - - smtpd -o smtpd_relay_restrictions=permit_mynetworks,reject"
            f" -o mynetworks={HOST}"]
DOVECOT = """base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
passdb {{
  driver = static
  args = nopassword=y
}}
service auth {{
  unix_listener {spool}/private/auth {{
    mode = 0666
  }}
}}
"""


class DkimBed(Bed):
    """`settings`: of postward-dkim."""

    waits = False  # for DNS to show a key before it signs
    parts = ("postfix", "program", "dovecot", "pg", "sink")

    def __init__(self, **settings):
        super().__init__()
        self.settings = settings

    def _start(self):
        self.ns = self.namespace()
        self.ns.create("198.51.100.53", f"{HOST} inner.example.test\n")
        self.ns.address("lo", f"{HOST}/32", f"{SINK}/32")
        self.sink = Sink(self.ns, SINK, 2525)
        self.pg = Postgres(self.root / "pg", self.ns).create().start()
        self.pg.sql("CREATE DATABASE mail", database="postgres")
        self.ctl("schema", "migrate")
        if not self.waits:
            self.pg.sql("UPDATE mail.settings SET value = 'no' WHERE name = 'dkim_wait_for_dns'")
        self.pg.sql("SELECT mail.add_domain('example.test')")
        self.pg.sql("SELECT mail.add_user('ann@example.test', 'correct horse battery', 0)")
        self.pg.sql("SELECT mail.add_user('bob@example.test', 'correct horse battery', 0)")
        self.pg.sql("SELECT mail.add_alias('sales@example.test', 'ann@example.test')")
        self.postfix = Postfix(self.root / "postfix", self.ns).create(
            self.main(), SERVICES)
        folder = self.postfix.socket_folder("dkim", PROGRAMS["postward-dkim"][0])
        (self.root / "conf").mkdir()
        self.program = Program("postward-dkim", self.root / "conf", self.ns,
                               {"socket": f"unix:{folder}/dkim.sock", **self.settings},
                               [folder / "dkim.sock"], self.pg)
        self.program.start()
        self.postfix.start()
        self._logins()

    def main(self):
        """Of Postfix's main.cf."""
        return MAIN

    def _logins(self):
        root = self.root / "dovecot"
        root.mkdir()
        text = DOVECOT.format(root=root, spool=self.postfix.spool)
        (root / "dovecot.conf").write_text(dialect.say(text))
        self.dovecot = Process("dovecot", ["dovecot", "-F", "-c", root / "dovecot.conf"],
                               root / "out.log", self.ns).start()
        wait_until(self._auth_answers, what="Dovecot's auth server")

    def _auth_answers(self):
        """Has Dovecot's auth server said what it can do? Its socket is there earlier."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(30)
            client.connect(str(self.postfix.spool / "private/auth"))
            client.sendall(b"VERSION\t1\t1\nCPID\t%d\n" % os.getpid())
            answer = b""
            while b"DONE\n" not in answer:
                more = client.recv(4096)
                if not more:
                    return False
                answer += more
            return b"MECH\tPLAIN" in answer

    def ctl(self, *args):
        """postwardctl as the database's superuser; its standard output."""
        env = {**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations")}
        return subprocess.run([build() / "bin/postwardctl", args[0], "--database",
                               self.pg.conninfo(), *args[1:]], env=env, check=True,
                              capture_output=True, text=True).stdout

    def submit(self, message, login=None, sender="ann@example.test"):
        """One message, by submission if there is a login; the reply to the final dot."""
        with SmtpClient(self.ns, HOST, 587 if login else 25, source=HOST,
                        login=(login, "any") if login else None) as client:
            return client.send(sender, ["dave@elsewhere.test"], message)["data"]

    def left(self, message_id):
        """The bytes of a message as they reached the sink."""
        return wait_until(lambda: self.sink.find(message_id), what=message_id)[0][3]

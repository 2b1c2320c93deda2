"""One Postfix with postward-score, PostgreSQL, a DNS server, and a sink that keeps what is
delivered."""
import os
import subprocess
from pathlib import Path

from stack.bed import Bed
from stack.clients import Sink, SmtpClient
from stack.dns import Dns, reverse, txt
from stack.postfix import Postfix
from stack.postgres import Postgres
from stack.postward import PROGRAMS, Program, build
from stack.proc import wait_until

SOURCE = Path(__file__).resolve().parents[2]
HOST, SINK, NAMESERVER = "198.51.100.25", "198.51.100.9", "198.51.100.53"
SENDER, THIEF = "198.51.100.7", "198.51.100.66"
MAIN = f"""myhostname = mx.example.test
inet_interfaces = {HOST}
mynetworks =
relay_domains = example.test
relay_transport = smtp:[{SINK}]:2525
smtpd_relay_restrictions = reject_unauth_destination
smtpd_milters = unix:score/score.sock
smtpd_authorized_xclient_hosts = {SENDER}
"""
RECORDS = [
    f"{reverse(SENDER)} 60 PTR mail.sender.test.", f"mail.sender.test. 60 A {SENDER}",
    txt("sender.test.", f"v=spf1 ip4:{SENDER} -all"), txt("_dmarc.sender.test.", "v=DMARC1; p=reject"),
    txt("bank.test.", "v=spf1 -all"), txt("_dmarc.bank.test.", "v=DMARC1; p=reject"),
    txt("example.test.", "v=spf1 -all"),
]


class ScoreBed(Bed):
    parts = ("postfix", "score", "pg", "dns", "sink")
    records = RECORDS

    def __init__(self, **settings):
        """settings: of postward-score."""
        super().__init__()
        self.settings = settings

    def _start(self):
        self.ns = self.namespace()
        self.ns.create(NAMESERVER, f"{HOST} mx.example.test\n")
        self.ns.address("lo", *(f"{a}/32" for a in (HOST, SINK, NAMESERVER, SENDER, THIEF)))
        self.sink = Sink(self.ns, SINK, 2525)
        self.dns = Dns(self.root / "dns", self.ns, NAMESERVER).start(self.records)
        self.pg = Postgres(self.root / "pg", self.ns).create().start()
        self.pg.sql("CREATE DATABASE mail", database="postgres")
        self.ctl("schema", "migrate")
        self.pg.sql("SELECT mail.add_domain('example.test')")
        self.postfix = Postfix(self.root / "postfix", self.ns).create(
            MAIN, [f"{HOST}:smtp inet n - y - - smtpd"])
        folder = self.postfix.socket_folder("score", PROGRAMS["postward-score"][0])
        (self.root / "conf").mkdir()
        self.score = Program("postward-score", self.root / "conf", self.ns,
                             {"socket": f"unix:{folder}/score.sock", "dns_servers": NAMESERVER,
                              "snapshot_poll": "1s", **self.settings},
                             [folder / "score.sock"], self.pg)
        self.score.start()
        self.postfix.start()

    def ctl(self, *args):
        env = {**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations")}
        return subprocess.run([build() / "bin/postwardctl", args[0], "--database",
                               self.pg.conninfo(), *args[1:]], env=env, check=True,
                              capture_output=True, text=True).stdout

    def send(self, text, sender="ann@sender.test", source=SENDER, helo="mail.sender.test",
             before=(), rcpts=("ann@example.test",)):
        """One message to ann; the reply to its final dot. before: commands ahead of MAIL."""
        with SmtpClient(self.ns, HOST, 25, source=source, helo=helo) as client:
            for command in before:
                client.command(command)
            return client.send(sender, list(rcpts), text)["data"]

    def left(self, message_id):
        """The text of a message as it reached the sink."""
        found = wait_until(lambda: self.sink.find(message_id), what=message_id)
        return found[0][3].decode(errors="replace")

    def row(self, message_id):
        """Its row of the history, as a dictionary."""
        names = ("queue_id, action, score::float, symbols, spf, dkim, dmarc, arc, host(client_address),"
                 "client_name, sender, recipients, size, subject")
        found = wait_until(lambda: self.pg.sql(
            f"SELECT {names} FROM mail.messages WHERE message_id = %s", f"<{message_id}>"),
            60, f"row of {message_id}")[0]
        keys = [n.split("::")[0].replace("host(", "").strip(") ") for n in names.split(",")]
        return dict(zip(keys, found))

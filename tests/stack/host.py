"""A mail host of the tests, however it was made: what the story and the tests do with it."""
import json
import re

from . import dns as zone
from .clients import Imap, SmtpClient
from .proc import wait_until
from .sender import Signer
from .world import EDGE, EDGE6, SENDER, SENDER_SELECTOR


def loaded(program):
    """The generation of a program's snapshot, by its log."""
    lines = program.lines("database=snapshot_loaded")
    return int(re.search(r"generation=(\d+)", lines[-1])[1]) if lines else -1


class MailHost:
    """Who makes one fills in the parts, and says where its users sit: in the namespace users_ns,
    and users_host is the name or address their mail programs are given."""

    def __init__(self):
        self.net = self.users_ns = self.users_host = None
        self.dns = self.pg = self.edge = self.inner = self.sink = None
        self.signer = Signer("sender.test", SENDER_SELECTOR)
        self.programs, self.passwords, self.dkim_records = {}, {}, {}

    def ctl(self, *args, **options):
        """postwardctl with all rights; what it printed."""
        raise NotImplementedError

    def add_domain(self, name="example.test"):
        self.pg.sql("SELECT mail.add_domain(%s)", name)

    def add_user(self, email, quota_mb=0):
        """A user with a password of its own, returned and kept in `passwords`."""
        password = f"correct horse {email} battery"
        self.pg.sql("SELECT mail.add_user(%s, %s, %s)", email, password, quota_mb)
        self.passwords[email] = password
        return password

    def limit(self, login, count, period_s):
        """So many messages in a period for one login."""
        self.pg.sql("DELETE FROM mail.rate_limits WHERE who = %s", login)
        self.pg.sql("INSERT INTO mail.rate_limits (who, limit_count, period) VALUES"
                    " (%s, %s, make_interval(secs => %s))", login, count, period_s)

    def new_dkim_keys(self, domain="example.test"):
        """Keys made by postward-dkim, which sign at once; their records go into the zone."""
        self.pg.sql("UPDATE mail.settings SET value = 'no' WHERE name = 'dkim_wait_for_dns'")
        answer = json.loads(self.ctl("dkim", "new", domain, "--algorithm", "both", "--json"))
        for key in answer["keys"]:
            self.publish_key(key["name"], key["record"])
        return answer["keys"]

    def publish_key(self, name, record):
        """A TXT record of a DKIM key into the zone."""
        name = name.rstrip(".") + "."
        self.dns.add(zone.txt(name, record))
        self.dkim_records[name] = record

    def outside(self, source=SENDER, host=None, **options):
        """An SMTP session from the Internet to the public host."""
        host = host or (EDGE6 if ":" in source else EDGE)
        return SmtpClient(self.net, host, source=source, **options)

    def submission(self, login, password=None, port=587):
        """A session of a user's mail program, logged in."""
        return SmtpClient(self.users_ns, self.users_host, port, helo="laptop.example.test",
                          tls="wrapped" if port == 465 else "starttls",
                          login=(login, password or self.passwords[login]))

    def imap(self, login, password=None):
        imap = Imap(self.users_ns, self.users_host)
        try:
            imap.login(login, password or self.passwords[login])
        except BaseException:
            imap.shutdown()
            raise
        return imap

    def delivered(self, login, message_id, folder="INBOX", timeout_s=30):
        """Wait for a message; returns it as bytes."""
        with self.imap(login) as imap:
            return wait_until(lambda: imap.find(message_id, folder), timeout_s,
                              f"{message_id} in {folder} of {login}", 0.1)[0]

    def settle(self):
        """Wait until the programs that run have loaded what SQL holds now."""
        generation = self.pg.value("SELECT mail.generation()")
        for name, program in self.programs.items():
            if program.role and program.is_running():
                wait_until(lambda p=program: loaded(p) >= generation,
                           what=f"{name} at generation {generation}")

    def furnish(self):
        """What most tests want: example.test with ann and bob, ann's alias, and keys."""
        self.add_domain()
        self.add_user("ann@example.test")
        self.add_user("bob@example.test")
        self.pg.sql("SELECT mail.add_alias('sales@example.test', 'ann@example.test')")
        self.new_dkim_keys()
        return self

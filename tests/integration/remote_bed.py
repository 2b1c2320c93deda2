"""Two machines joined by a wire, PostgreSQL on one, everything that talks to it on the other, as
docs/remote-postgresql.md has them. Each machine has an /etc of its own, so that files lie where the
page puts them."""
import imaplib
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from stack.bed import Bed
from stack.clients import Imap, SmtpClient
from stack.dns import Dns
from stack.dovecot import MAIL_UID, Dovecot
from stack.netns import Namespace, run, wire
from stack.postfix import Postfix
from stack.postgres import Postgres
from stack.postward import PROGRAMS, SOURCE, build
from stack.proc import Process, wait_until

PAGE = (SOURCE / "docs/remote-postgresql.md").read_text()
DATABASE, MAIL = "10.9.0.3", "10.9.0.2"
GROUP = 61000  # postward
USER, PASSWORD = "ann@example.test", "correct horse battery staple"

MAIN = f"""myhostname = inner.example.test
inet_interfaces = {MAIL}, 127.0.0.1
mynetworks =
virtual_mailbox_domains = proxy:pgsql:/etc/postward/postfix/domain.cf
virtual_mailbox_maps = proxy:pgsql:/etc/postward/postfix/mailbox.cf
virtual_alias_maps = proxy:pgsql:/etc/postward/postfix/alias.cf
virtual_transport = lmtp:unix:private/dovecot-lmtp
default_transport = discard:
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_policy_service {{{{ unix:policy/policy.sock, default_action=DEFER }}}}
smtpd_milters = unix:score/score.sock, unix:dkim/dkim.sock
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_auth_only = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {{cert}}
smtpd_tls_key_file = {{key}}
"""
# max_use: what a process failed to look up it remembers as long as it lives
SERVICES = [f"{MAIL}:smtp inet n - y - - smtpd -o max_use=1"]

HBA = """local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


def snippet(language):
    found = re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", PAGE, re.M | re.S)
    assert len(found) == 1, language
    return found[0]


class Machine(Namespace):
    """A namespace whose commands see folders of the machine's own as /etc, /root, /run, /var/log."""

    def __init__(self, name, root):
        super().__init__(name)
        self.root = root
        self.etc_seen = root / "etc"

    def create(self, nameserver, hosts):
        super().create(nameserver, hosts)
        self.root.mkdir()
        run("cp", "-a", "/etc", self.etc_seen)
        for folder in ("root", "run/postgresql", "log/postgresql"):
            (self.root / folder).mkdir(parents=True)
        for name in ("resolv.conf", "hosts"):
            (self.etc_seen / name).unlink(missing_ok=True)
            shutil.copy(self.etc / name, self.etc_seen)
        for folder in ("run/postgresql", "log/postgresql"):
            shutil.chown(self.root / folder, "postgres")
        return self

    def command(self, *args):
        """Binding /run hides the namespaces' names: it comes after they were used."""
        binds = " && ".join(f"mount --bind {self.root / ours} {theirs}" for ours, theirs in (
            ("etc", "/etc"), ("root", "/root"), ("log", "/var/log"), ("run", "/run")))
        return super().command("sh", "-c", f'{binds} && exec "$@"', "-", *args)

    def write(self, path, text, mode=0o644, uid=0, gid=0):
        """A file as the machine sees it: below /etc or /root."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        os.chown(file, uid, gid)
        file.chmod(mode)
        return file

    def shell(self, script, user="root", **env):
        return self.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                        "sh", "-euc", script, env={**os.environ, "HOME": "/root", **env})


class RemoteBed(Bed):
    """All of it, up and running; parts are public attributes."""

    parts = ("postfix", "dovecot", "score", "dkim", "policyd", "bouncer", "pg", "dns")

    def _start(self):
        self.db = Machine(self.namespace("db").name, self.root / "db")
        self.mail = Machine(self.namespace("mail").name, self.root / "mail")
        for machine, address in ((self.db, DATABASE), (self.mail, MAIL)):
            machine.create("127.0.0.1", f"{MAIL} inner.example.test\n")
        wire(self.db, "wire", self.mail, "wire")
        self.db.address("wire", f"{DATABASE}/24")
        self.mail.address("wire", f"{MAIL}/24")
        self.mail.ip("route", "add", "unreachable", "10.9.0.4")
        self.dns = Dns(self.root / "dns", self.mail, "127.0.0.1").start([])
        self._database()
        self._settings()
        self.mail.shell(snippet("sh-mail"), PATH=f"{build() / 'bin'}:{os.environ['PATH']}",
                        PW_SQL_DIR=str(SOURCE / "sql/migrations"))
        self.psql(snippet("sql-roles"))
        self.pg.sql("SELECT mail.add_domain('example.test')", database="postward")
        self.pg.sql("SELECT mail.add_user(%s, %s)", USER, PASSWORD, database="postward")
        self._mail_server()

    # the database's host

    def _database(self):
        (self.db.etc_seen / "postgresql").mkdir(exist_ok=True)
        self.db.shell(snippet("sh"))
        self.pg = Postgres(self.root / "pg", self.db).create()
        with open(self.pg.data / "postgresql.auto.conf", "a", encoding="utf8") as conf:
            conf.write(snippet("postgresql.conf"))
        (self.pg.data / "pg_hba.conf").write_text(HBA + snippet("pg_hba.conf"))
        self.pg.start()
        for statement in snippet("sql").split(";\n"):
            if statement.strip():  # CREATE DATABASE wants to be alone
                self.pg.sql(statement, database="postgres")

    def psql(self, text):
        return self.db.shell('psql -XAt -v ON_ERROR_STOP=1 postward -c "$SQL"', "postgres",
                             PGHOST=str(self.pg.socket), SQL=text)

    # the mail host

    def trust(self, pem):
        """Put the CA's certificate where the page says."""
        self.mail.write("/etc/postward/db-ca.pem", pem)

    def _settings(self):
        write = self.mail.write
        self.ca = (self.db.etc_seen / "postgresql/db-ca.pem").read_text()
        self.trust(self.ca)
        write("/etc/postward/postward.conf", snippet("postward.conf"), 0o640, gid=GROUP)
        write("/root/.pgpass", snippet("pgpass"), 0o600)
        for name in ("postward-score", "postward-dkim", "postward-policyd"):
            write(f"/etc/postward/{name}.conf", snippet(f"{name}.conf"), 0o640,
                  gid=PROGRAMS[name][0])
        write("/etc/dovecot/postward-dovecot.conf", snippet("postward-dovecot.conf") +
              f"auth_socket = {self.root}/auth/auth.sock\n", 0o600)
        postfix = pwd.getpwnam("postfix")
        write("/etc/postward/postfix/pgpass", snippet("postfix-pgpass"), 0o600, postfix.pw_uid)
        for name in ("domain", "mailbox", "alias"):
            text = snippet("domain.cf")
            write(f"/etc/postward/postfix/{name}.cf", text.replace("postfix_domain", f"postfix_{name}"),
                  0o640, gid=postfix.pw_gid)

    def ctl(self, *args):
        return self.mail.run(build() / "bin/postwardctl", *args, env={
            **os.environ, "HOME": "/root", "PW_SQL_DIR": str(SOURCE / "sql/migrations")})

    def _mail_server(self):
        cert, key = self.root / "cert.pem", self.root / "key.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            "/CN=inner.example.test", "-keyout", key, "-out", cert)
        self.postfix = Postfix(self.root / "postfix", self.mail)
        self.postfix.create(MAIN.format(cert=cert, key=key), SERVICES)
        self.dovecot = Dovecot(self.root / "dovecot", self.mail, MAIL).create(
            build() / "lib", self.postfix.spool, cert, key, "/etc/dovecot/postward-dovecot.conf",
            f"quota = postward:User quota:socket={self.root}/usage/usage.sock",
            SOURCE / "dovecot-plugins/sieve")
        for folder, gid in (("usage", MAIL_UID), ("auth", pwd.getpwnam("dovecot").pw_gid)):
            (self.root / folder).mkdir()
            os.chown(self.root / folder, PROGRAMS["postward-policyd"][0], gid)
            (self.root / folder).chmod(0o2750)
        self.score = self.program("postward-score", "score", ("dns_servers", "127.0.0.1")).start()
        self.dkim = self.program("postward-dkim", "dkim").start()
        self.policyd = self.program("postward-policyd", "policy").start()
        for server in (self.postfix, self.dovecot):
            server.start()
        wait_until(lambda: all(self.logged(p, "database=snapshot_loaded") for p in
                               (self.score, self.dkim, self.policyd)), what="the first snapshots")

    def program(self, name, short, *settings, tag=""):
        """A daemon that reads the files of the page; only what is the test's own comes by -o."""
        uid = PROGRAMS[name][0]
        state = self.root / f"state-{name}{tag}"
        state.mkdir()
        os.chown(state, uid, uid)
        folder = self.postfix.socket_folder(short, uid)
        key = "policy_socket" if short == "policy" else "socket"
        settings = [(key, f"unix:{folder}/{short}{tag}.sock"), ("state_directory", state),
                    ("log_target", "stderr"), *settings]
        if short == "policy":
            settings += [("usage_socket", self.root / f"usage/usage{tag}.sock"),
                         ("auth_socket", self.root / f"auth/auth{tag}.sock"),
                         ("map_socket", f"{folder}/map{tag}.sock"), ("doveadm_socket", ""), ("lmtp_socket", "")]
        options = [word for name_, value in settings for word in ("-o", f"{name_}={value}")]
        return Process(name, ["setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={GROUP}",
                              build() / "bin" / name, *options],
                       self.root / f"{name}{tag}.log", self.mail)

    @staticmethod
    def logged(program, *words):
        return [l for l in program.log_text().splitlines() if all(w in l for w in words)]

    # people

    def smtp(self, **options):
        return SmtpClient(self.mail, MAIL, **options)

    def rcpt(self, address=USER):
        with self.smtp() as client:
            client.command("MAIL FROM:<stranger@sender.test>")
            return client.command(f"RCPT TO:<{address}>")

    def imap(self, password=PASSWORD):
        imap = Imap(self.mail, MAIL)
        try:
            imap.login(USER, password)
        except imaplib.IMAP4.error:
            imap.shutdown()
            raise
        return imap

    def cut(self):
        """End every connection of the mail host to the database."""
        self.pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr = %s",
                    MAIL, database="postward")

    def try_ctl(self, conninfo):
        """Exit status of postwardctl with a connection string, and what it said."""
        done = subprocess.run(self.mail.command(build() / "bin/postwardctl", "schema", "status",
                                                "--database", conninfo),
                              check=False, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOME": "/root",
                                   "PW_SQL_DIR": str(SOURCE / "sql/migrations")})
        return done.returncode, done.stderr

    @staticmethod
    def other_ca(folder):
        key, pem = Path(folder) / "other.key", Path(folder) / "other.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=somebody else", "-keyout", key, "-out", pem)
        return pem.read_text()

"""A host for `postwardctl setup`: the real paths (/etc, /run, /srv, /var/...) in mount and network
namespaces of its own, with a PostgreSQL, Postfix and Dovecot that nobody else sees."""
import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from stack.dovecot import module_folder
from stack.host import loaded
from stack.netns import Namespace, run
from stack.postgres import binaries
from stack.postward import SOURCE, Program, build
from stack.proc import Process, wait_until

PRIVATE = "10.9.0.2"
PEER = "10.9.0.1"
DOMAIN = "example.test"
# as Debian's packages make them
USERS = {"postward_origin": 61001, "postward_score": 61002, "postward_dkim": 61003,
         "postward_policy": 61004, "vmail": 61005}
GROUPS = {**USERS, "postward": 61006}
# what stands below these paths of the host is the bed's own; the rest is the host's
OWN = ("etc", "run", "srv", "var/lib", "var/log", "var/spool")
# what Debian's package asks for and writes as "Internet Site"
MAIN_CF = """smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
readme_directory = no
compatibility_level = 3.6
smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem
smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key
smtpd_tls_security_level=may
smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mail.example.test
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
mydestination = $myhostname, localhost.example.test, localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
maillog_file = /var/log/mail.log
"""


@functools.lru_cache(maxsize=None)
def cluster():
    """A folder with a fresh cluster, made once, copied often: peer authentication as Debian's, and
    whoever comes by TCP stands for a server elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="postward-setup-pg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    shutil.chown(folder, "postgres", "postgres")
    subprocess.run(["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                    binaries() / "initdb", "-D", folder / "data", "--auth-local=peer",
                    "--auth-host=trust", "-N",
                    "--locale=C.UTF-8", "-E", "UTF8", "-U", "postgres"],
                   check=True, capture_output=True, cwd="/")
    with open(folder / "data/postgresql.auto.conf", "a", encoding="utf8") as conf:
        conf.write("listen_addresses = '127.0.0.1'\nfsync = off\nshared_buffers = 32MB\n"
                   "unix_socket_directories = '/run/postgresql'\n")
    return folder


class Bed(Namespace):
    """Use as a context manager. `path("/etc/x")` is where the file of the bed lies outside."""

    def __init__(self, main_cf=MAIN_CF, master_cf=""):
        self.root = Path(tempfile.mkdtemp(prefix="postward-setup-"))
        self.root.chmod(0o755)
        super().__init__(f"pws{os.getpid() % 100000}{self.root.name[-2:].lower()}")
        self._main_cf, self._master_cf = main_cf, master_cf
        self.holder = self.postgres = self.dovecot = None
        self.programs, self.environment = [], {}

    def path(self, inside):
        return self.root / inside.lstrip("/")

    # life

    def __enter__(self):
        try:
            self.create("127.0.0.1", f"127.0.0.1 mail.{DOMAIN}\n")
            self._lay_out()
            self._hold()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for program in self.programs:
            program.stop()
        for command in ("postfix", "stop"), ("doveadm", "stop"):
            if self.holder is not None:
                subprocess.run(self.command(*command), check=False, capture_output=True)
        for process in (self.dovecot, self.postgres, self.holder):
            if process is not None:
                process.stop()
        self.remove()
        shutil.rmtree(self.root, ignore_errors=True)

    def _lay_out(self):
        (self.root / "var").mkdir()
        subprocess.run(["cp", "-a", "/etc", self.root / "etc"], check=True, capture_output=True)
        for name in ("netns", "postward", "letsencrypt", "postgresql"):
            shutil.rmtree(self.root / "etc" / name, ignore_errors=True)
        for folder in ("run/postgresql", "run/dovecot", "run/postward", "run/lock", "srv",
                       "var/lib/postfix", "var/lib/dovecot", "var/log", "var/spool/postfix"):
            (self.root / folder).mkdir(parents=True)
        shutil.chown(self.root / "run/postgresql", "postgres")
        shutil.chown(self.root / "var/lib/postfix", "postfix")
        self._add_users()
        self._add_dovecots_certificate()
        etc = self.root / "etc/postfix"
        if self._main_cf is None:
            (etc / "main.cf").unlink(missing_ok=True)
        else:
            (etc / "main.cf").write_text(self._main_cf)
        stock = Path("/usr/share/postfix/master.cf.dist").read_text(encoding="utf8")
        (etc / "master.cf").write_text(stock + self._master_cf)
        for name in ("etc/dovecot/local.conf", "etc/aliases.db"):
            (self.root / name).unlink(missing_ok=True)
        (self.root / "etc/aliases").write_text("postmaster: root\n")
        (self.root / "etc/dovecot/local.conf").write_text("log_path = /var/log/dovecot.log\n")

    def _add_dovecots_certificate(self):
        """That Debian's package makes, unless it is in a container."""
        folder = self.root / "etc/dovecot/private"
        folder.mkdir(exist_ok=True)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            "/CN=localhost", "-keyout", folder / "dovecot.key", "-out", folder / "dovecot.pem")

    def _add_users(self):
        for name, lines in (("passwd", [f"{n}:x:{i}:{i}::/srv/mail:/usr/sbin/nologin"
                                        for n, i in USERS.items()]),
                            ("group", [f"{n}:x:{i}:" for n, i in GROUPS.items()])):
            path = self.root / "etc" / name
            kept = [l for l in path.read_text().splitlines() if l.split(":")[0] not in GROUPS]
            path.write_text("\n".join([*kept, *lines]) + "\n")

    def _hold(self):
        """A process that keeps the namespaces; with our modules where Dovecot looks for its own."""
        modules = self.root / "modules"
        shutil.copytree(module_folder(), modules, symlinks=True)
        for plugin in (build() / "lib").rglob("*.so"):
            target = modules / plugin.relative_to(build() / "lib")
            target.parent.mkdir(exist_ok=True)
            shutil.copy(plugin, target)
        mounts = [f"mount --bind '{self.root}/{p}' '/{p}'" for p in OWN]
        script = " && ".join([*mounts, f"mount --bind '{modules}' '{module_folder()}'",
                              f"touch '{self.root}/ready'", "exec sleep infinity"])
        self.holder = Process("holder", ["ip", "netns", "exec", self.name, "unshare", "--mount",
                                         "--propagation", "private", "sh", "-c", script],
                              self.root / "holder.log").start()
        wait_until((self.root / "ready").exists, what="mounts")

    def command(self, *args):
        return ["nsenter", "--target", str(self.holder.pid), "--mount", "--net",
                "--wdns=/", *map(str, args)]

    # what tests do

    program = build() / "bin/postwardctl"

    def _call(self, *command):
        environment = {**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations"),
                       "PW_DOVECOT_DIR": str(SOURCE / "dovecot-plugins/conf"), **self.environment}
        return subprocess.run(self.command(*command), text=True, capture_output=True, env=environment,
                              check=False, timeout=120, stdin=subprocess.DEVNULL)

    def setup(self, *args):
        """The finished process of `postwardctl setup`."""
        return self._call(self.program, "setup", *args)

    def shell(self, line):
        return self._call("sh", "-c", line)

    def set_up(self, *args, role="single"):
        """The same where it has to succeed; what it says with --json."""
        done = self.setup("--yes", "--json", "--role", role, "--domain", DOMAIN, *args)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def main(self, name):
        return self.run("postconf", "-h", name).strip()

    def service(self, name):
        """Overrides of a service of master.cf."""
        lines = self.run("postconf", "-P").splitlines()
        pairs = [l.split(" = ", 1) if " = " in l else (l.removesuffix(" ="), "") for l in lines]
        return {k.split("/", 2)[2]: v for k, v in pairs if k.startswith(f"{name}/inet/")}

    def services(self):
        return [l.split()[0] for l in self.run("postconf", "-M").splitlines()
                if l.split()[1] == "inet"]

    def tree(self):
        """All files that setup could touch: content, mode, owner."""
        found = {}
        for top in ("etc", "var/lib/postward"):
            for path in sorted((self.root / top).rglob("*")):
                if path.is_symlink() or not path.is_file():
                    continue
                state = path.stat()
                found[str(path.relative_to(self.root))] = (
                    path.read_bytes(), state.st_mode, state.st_uid, state.st_gid)
        return found

    def sql(self, statement, database="postward"):
        return self.run("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "psql",
                        "-XAtq", "-d", database, "-c", statement).strip()

    def start_postgres(self):
        folder = self.root / "pg"
        if not folder.exists():
            subprocess.run(["cp", "-a", cluster(), folder], check=True)
        self.postgres = Process("postgres", self.command(
            "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
            binaries() / "postgres", "-D", folder / "data"), self.root / "postgres.log").start()
        socket = self.path("/run/postgresql/.s.PGSQL.5432")
        wait_until(socket.exists, what="PostgreSQL")
        wait_until(lambda: "ready to accept" in self.postgres.log_text(), what="PostgreSQL")
        return self

    def stop_postgres(self):
        self.postgres.stop(signal.SIGINT)
        self.postgres = None

    def start_programs(self):
        """postward's own, with sockets as the packages' units make them."""
        for folder, group in (("/var/spool/postfix/postward", "postfix"), ("/run/postward", "vmail")):
            path = self.path(folder)
            path.mkdir(exist_ok=True)
            shutil.chown(path, 0, group if group == "postfix" else USERS[group])
            path.chmod(0o2777)
        for name, key, socket in (("postward-score", "socket", "score"),
                                  ("postward-dkim", "socket", "dkim"),
                                  ("postward-policyd", "policy_socket", "policy")):
            inside = f"/var/spool/postfix/postward/{socket}.sock"
            program = Program(name, self.root / "conf", self, {key: f"unix:{inside}"},
                              [self.path(inside)])
            if name == "postward-policyd":
                program.settings["map_socket"] = "/var/spool/postfix/postward/map.sock"
            self.programs.append(program.start())

    def wait_for_keys(self):
        """Until mail is signed: setup asked for keys, which take a while to be made, and there is no DNS
        that could show them."""
        self.sql("UPDATE mail.settings SET value = 'no' WHERE name = 'dkim_wait_for_dns'")
        wait_until(lambda: self.sql("SELECT count(*) FROM mail.dkim_requests"
                                    " WHERE state IN ('pending', 'taken')") == "0", what="DKIM keys")
        wait_until(lambda: self.sql("SELECT count(*) FROM mail.dkim_keys"
                                    " WHERE state IN ('pending', 'published')") == "0", what="keys that sign")
        signer = next(p for p in self.programs if p.name == "postward-dkim")
        generation = int(self.sql("SELECT mail.generation()"))
        wait_until(lambda: loaded(signer) >= generation, what="postward-dkim to load them")

    def start_servers(self):
        self.run("newaliases")
        self.run("postfix", "start")
        self.start_dovecot()
        self.wait_for_dovecot()

    def start_dovecot(self):
        self.dovecot = Process("dovecot", self.command("dovecot", "-F"),
                               self.root / "dovecot.out").start()
        wait_until(lambda: "starting up" in self.log(), what="Dovecot")

    def wait_for_dovecot(self):
        """With the settings that setup writes."""
        wait_until(lambda: self.path("/var/spool/postfix/private/auth").exists(), what="Dovecot")

    def log(self):
        logs = [self.path("/var/log/mail.log"), self.path("/var/log/dovecot.log")]
        return "".join(l.read_text(errors="replace") for l in logs if l.exists())

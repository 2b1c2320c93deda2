"""postwardctl check on a host of the stack, as if that were a whole machine: an /etc of its own, with the
users that packages make and the files that setup writes, seen by the command alone."""
import json
import os
import shutil
import signal
import subprocess

from stack.dialect import version
from stack.dns import reverse, txt
from stack.dovecot import MAIL_UID, module_folder
from stack.netns import run
from stack.postward import SOURCE, build
from stack.proc import wait_until
from stack.stack import EDGE, EDGE6, EDGE_LINK, INNER_LINK

USERS = {"postward_origin": 61001, "postward_score": 61002, "postward_dkim": 61003, "postward_policy": 61004,
         "vmail": MAIL_UID}
LISTS = ("zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com", "bl.mailspike.net")
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
DROP_IN = {(2, 3): "passdb {\n  driver = postward\n}\n", (2, 4): "passdb postward {\n}\n"}


class CheckBed:
    """role: inner or edge."""

    def __init__(self, stack, role):
        self.stack, self.role = stack, role
        self.ns = stack.inner_ns if role == "inner" else stack.edge_ns
        self.postfix = stack.inner if role == "inner" else stack.edge
        self.root = stack.root / f"check-{role}"
        self.etc = self.root / "etc"
        self.root.mkdir()
        shutil.copytree("/etc", self.etc, symlinks=True, ignore=shutil.ignore_patterns("netns", "ssl", "alternatives"))
        for name in ("resolv.conf", "hosts"):
            (self.etc / name).unlink(missing_ok=True)
            shutil.copy(self.ns.etc / name, self.etc / name)
        with open(self.etc / "passwd", "a", encoding="utf8") as passwd:
            passwd.writelines(f"{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n" for name, uid in USERS.items())
        self._postward()
        self.environment = {"MAIL_CONFIG": str(self.postfix.etc), "PW_SQL_DIR": str(SOURCE / "sql/migrations")}

    def _postward(self):
        folder = self.etc / "postward"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.stack.root / "conf", folder, ignore=shutil.ignore_patterns("state", "*.log"))
        (folder / "postward.conf").write_text(f"database = {self.stack.pg.conninfo()}\n")
        address, peer = ((INNER_LINK, EDGE_LINK) if self.role == "inner" else (EDGE_LINK, INNER_LINK))
        (folder / "setup.conf").write_text(
            f"role = {self.role}\ndomain = example.test\nhostname = {self.hostname}\n"
            f"listen_private = {address}\npeer = {peer}\n")
        os.utime(folder / "setup.conf", (0, 0))  # not just now

    @property
    def hostname(self):
        return "inner.example.test" if self.role == "inner" else "mx.example.test"

    def certificate(self, name="good", days=60, host=None, is_self_signed=False):
        """A certificate with its key; returns their paths."""
        cert, key = self.root / f"{name}.pem", self.root / f"{name}.key"
        ca, ca_key = self.root / "ca.pem", self.root / "ca.key"
        if not ca.exists():
            run("openssl", "req", "-x509", *KEY, "-days", "90", "-subj", "/CN=Test CA",
                "-keyout", ca_key, "-out", ca)
        subject = ["-subj", f"/CN={host or self.hostname}", "-addext", f"subjectAltName=DNS:{host or self.hostname}"]
        signer = [] if is_self_signed else ["-CA", ca, "-CAkey", ca_key]
        run("openssl", "req", "-x509", *KEY, *subject, *signer, "-days", days,
            "-keyout", key, "-out", cert)
        key.chmod(0o600)
        return cert, key

    def use_certificate(self, cert, key):
        self.postfix.set(f"smtpd_tls_cert_file={cert}", f"smtpd_tls_key_file={key}")

    def dovecot(self):
        """Dovecot's settings as they would be in /etc/dovecot."""
        folder = self.etc / "dovecot"
        shutil.copy(self.stack.dovecot.conf, folder / "dovecot.conf")
        shutil.copy(self.stack.root / "postward-dovecot.conf", folder)
        (folder / "postward-dovecot.conf").chmod(0o600)
        for name in ("05-postward-auth.conf", "95-postward.conf"):
            (folder / "conf.d" / name).write_text(DROP_IN[version()])
        # doveconf says so if Dovecot runs with another file
        link = self.stack.dovecot.root / "run/dovecot.conf"
        link.unlink()
        link.symlink_to("/etc/dovecot/dovecot.conf")
        return folder

    def save(self):
        """Keep what tests change; restore() brings it back."""
        self._kept = self.root / "kept"
        shutil.rmtree(self._kept, ignore_errors=True)
        for number, folder in enumerate(self._changing()):
            shutil.copytree(folder, self._kept / str(number), symlinks=True)

    def restore(self):
        for number, folder in enumerate(self._changing()):
            shutil.rmtree(folder)
            shutil.copytree(self._kept / str(number), folder, symlinks=True)

    def _changing(self):
        return (self.postfix.etc, self.etc / "dovecot", self.etc / "postward")

    def cure(self, command):
        """Carry out the part of a cure that is for postconf."""
        assert command.startswith("postconf "), command
        subprocess.run(["sh", "-c", command.removesuffix(" && postfix reload")], check=True,
                       env={**os.environ, **self.environment})

    def edit(self, path, old, new):
        """Replace text in a file of this host's /etc."""
        file = self.etc / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def command(self, *args):
        """What runs postwardctl where all of that is true."""
        script = ('mount --bind "$1" /etc && mount --bind "$2" "$3" && shift 3 && exec "$@"')
        modules = self.stack.dovecot.modules
        return self.ns.command("unshare", "--mount", "sh", "-c", script, "-", self.etc, modules, module_folder(),
                               build() / "bin/postwardctl", *args)

    def ctl(self, *args, **environment):
        return subprocess.run(self.command(*args), capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **self.environment, **environment})

    def check(self, *args, **environment):
        """The object that check --json prints."""
        done = self.ctl("check", "--json", *args, **environment)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["ok"] == (done.returncode == 0)
        return answer

    def problems(self, *args, **environment):
        """[(group/name, severity, text, cure)]"""
        return [(f"{c['group']}/{c['name']}", p["severity"], p["text"], p["cure"])
                for c in self.check(*args, **environment)["checks"] for p in c["problems"]]


def numbers(stack):
    """Every program writes its numbers now."""
    for name, program in stack.programs.items():
        file = program.state / "metrics.prom"
        program.process.kill(signal.SIGUSR1)
        wait_until(file.exists, what=f"metrics of {name}")


def publish(stack):
    """All that DNS should say, and lists that answer."""
    stack.dns.add(txt("_dmarc.example.test.", "v=DMARC1; p=reject"),
                  f"{reverse(EDGE6)} 60 PTR mx.example.test.",
                  *(f"2.0.0.127.{zone}. 60 A 127.0.0.2" for zone in LISTS))
    stack.pg.sql("UPDATE mail.settings SET value = 'mx.example.test' WHERE name = 'mx_hosts'")
    stack.pg.sql("UPDATE mail.settings SET value = %s WHERE name = 'mx_addresses'", f"{EDGE} {EDGE6}")

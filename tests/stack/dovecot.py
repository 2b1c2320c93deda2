"""A stock Dovecot with our plugins from the build: IMAP, POP3, ManageSieve, LMTP, and authentication
for Postfix."""
import os
import shutil
from pathlib import Path

from . import dialect
from .netns import run
from .postward import PROGRAMS
from .proc import Process, grep, wait_until

CONF = """base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
info_log_path = {root}/dovecot.log
protocols = imap pop3 sieve lmtp
listen = {address}
mail_plugin_dir = {modules}
default_internal_user = dovecot
default_login_user = dovenull
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
auth_mechanisms = plain login scram-sha-256
auth_username_format = %Lu
mail_home = {root}/mail/%d/%n
mail_location = maildir:~/Maildir
mail_uid = {uid}
mail_gid = {uid}
mail_plugins = quota quota_postward
first_valid_uid = 1000
recipient_delimiter = +
lda_mailbox_autocreate = yes
auth_failure_delay = 1 secs

passdb {{
  driver = postward
  args = {auth_args}
}}
userdb {{
  driver = postward
  args = {auth_args}
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    special_use = \\Junk
    auto = subscribe
  }}
}}
plugin {{
  {quota}
  quota_grace = 0
  sieve_before = {sieve}/retry.sieve
  sieve_before2 = {sieve}/junk.sieve
  sieve = file:~/sieve;active=~/.dovecot.sieve
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = 993
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = 995
  }}
}}
service managesieve-login {{
  inet_listener sieve {{
    port = 4190
  }}
}}
service lmtp {{
  unix_listener {lmtp} {{
    user = postfix
    group = postfix
    mode = 0600
  }}
  unix_listener postward-lmtp {{
    mode = 0600
  }}
}}
service doveadm {{
  unix_listener postward-doveadm {{
    mode = 0600
  }}
}}
service auth {{
  unix_listener {sasl} {{
    user = postfix
    group = postfix
    mode = 0660
  }}
}}
"""


def module_folder():
    return Path(run("pkg-config", "--variable=moduledir", "dovecot").strip()
                if _has_pkg_config() else "/usr/lib/dovecot/modules")


def _has_pkg_config():
    try:
        run("pkg-config", "--exists", "dovecot")
        return True
    except (RuntimeError, OSError):
        return False


# A process that has just begun when Dovecot is stopped gets no settings any more, or is ended by
# SIGTERM before it listens to signals, and both are told as if they were the end of the world. Of what
# ends with 89 the master says so besides; the process itself has told why.
STOPPED = ("Failed to read configuration", "Error reading configuration", "killed with signal 15",
           "returned error 89 (Fatal failure)")


def crashes(lines):
    """Those of a log that no healthy run has, whenever it is stopped."""
    return [l for l in lines if any(w in l for w in ("Panic", "Fatal", "killed with"))
            and not any(w in l for w in STOPPED)]


MAIL_UID = 61005  # owns the mailboxes; no account is needed


class Dovecot:
    def __init__(self, root, ns, address):
        self.root, self.ns, self.address = root, ns, address
        self.modules = root / "modules"
        self.log = root / "dovecot.log"
        self.conf = root / "dovecot.conf"
        self.home = root / "mail"
        self.process = None
        self.owners = {}  # listener -> its owner: Dovecot itself takes only users with a name

    def create(self, plugins, spool, cert, key, auth_args, quota, sieve, extra=""):
        """plugins: folder with auth/ and lib15_*.so. spool: Postfix's queue directory. sieve: folder of
        the scripts. extra: settings on top."""
        self.root.mkdir()
        self.owners = {self.root / "run" / name: PROGRAMS["postward-policyd"][0]
                       for name in ("postward-doveadm", "postward-lmtp")}
        for name in ("run", "state", "mail"):
            (self.root / name).mkdir()
        os.chown(self.home, MAIL_UID, MAIL_UID)
        self._lay_out_modules(plugins)
        scripts = self.root / "sieve"
        shutil.copytree(sieve, scripts)
        for script in scripts.glob("*.sieve"):
            run("sievec", script)
        self.write_conf(CONF.format(
            root=self.root, uid=MAIL_UID, modules=self.modules, address=self.address, cert=cert, key=key,
            auth_args=auth_args, quota=quota, sieve=scripts,
            lmtp=spool / "private/dovecot-lmtp", sasl=spool / "private/auth") + extra)
        return self

    def write_conf(self, text):
        """text: in the words of 2.3, see dialect.py."""
        self.conf.write_text(dialect.say(text))

    def _lay_out_modules(self, plugins):
        """The installed modules and ours in one folder. The auth process looks only into
        the folder it was built with, so start() mounts this one there, for Dovecot alone."""
        shutil.copytree(module_folder(), self.modules, symlinks=True)
        for plugin in Path(plugins).rglob("*.so"):
            target = self.modules / plugin.relative_to(plugins)
            target.parent.mkdir(exist_ok=True)
            shutil.copy(plugin, target)

    def with_modules(self, *command):
        """A command that sees our modules where Dovecot was built to look for them; to be run
        where mounts stay inside (a namespace's command())."""
        return ["sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "-", self.modules,
                module_folder(), *command]

    def start(self):
        self.process = Process("dovecot", self.with_modules("dovecot", "-F", "-c", self.conf),
                               self.root / "start.log", self.ns)
        seen = self.log.stat().st_size if self.log.exists() else 0
        self.process.start()
        wait_until(lambda: self.lines("starting up", start=seen) or not self.process.is_running(),
                   what="Dovecot")
        if not self.process.is_running():
            raise RuntimeError(self.process.log_text())
        for listener, owner in self.owners.items():
            wait_until(listener.exists, what=listener.name)
            os.chown(listener, owner, -1)
        return self

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def doveadm(self, *args):
        return self.ns.run(*self.with_modules("doveadm", "-c", self.conf, *args))

    def lines(self, *words, start=0):
        return grep(self.log, *words, start=start)

    def crashes(self):
        """Lines no healthy run has."""
        return crashes(self.lines())

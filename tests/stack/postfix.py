"""A stock Postfix instance in a directory and a namespace of its own: the package's master.cf,
chroots included, with our settings on top as an admin would make them."""
import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from .netns import run
from .proc import grep, wait_until

DAEMONS = "/usr/lib/postfix/sbin"

BASE = """compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
maillog_file = {root}/mail.log
maillog_file_prefixes = {root}
mail_owner = postfix
setgid_group = postdrop
inet_protocols = all
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
biff = no
smtputf8_enable = yes
enable_long_queue_ids = yes
smtpd_forbid_bare_newline = normalize
smtpd_forbid_unauth_pipelining = yes
smtp_line_length_limit = 0
milter_default_action = tempfail
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
"""


class Postfix:
    def __init__(self, root, ns):
        self.root, self.ns = root, ns
        self.etc, self.spool, self.log = root / "etc", root / "spool", root / "mail.log"

    def create(self, main_cf, services):
        """main_cf: text on top of BASE. services: lines of master.cf instead of `smtp inet`."""
        for folder in (self.root, self.etc, self.spool, self.root / "data"):
            folder.mkdir()
            folder.chmod(0o755)
        shutil.chown(self.root / "data", "postfix")
        for name in ("dynamicmaps.cf", "postfix-files"):
            if Path("/etc/postfix", name).exists():
                shutil.copy(Path("/etc/postfix", name), self.etc)
        if Path("/etc/postfix/dynamicmaps.cf.d").exists():
            shutil.copytree("/etc/postfix/dynamicmaps.cf.d", self.etc / "dynamicmaps.cf.d")
        stock = Path("/usr/share/postfix/master.cf.dist").read_text(encoding="utf8")
        lines = [l for l in stock.splitlines() if l and not l.startswith(("#", "smtp  "))]
        lines += ["smtp unix - - y - - smtp"]
        (self.etc / "master.cf").write_text("\n".join(dict.fromkeys([*lines, *services])) + "\n")
        (self.etc / "main.cf").write_text(BASE.format(root=self.root, daemons=DAEMONS) + main_cf)
        self._fill_chroot()
        return self

    def _fill_chroot(self):
        """What Debian's start script copies: the chroot has its own resolv.conf and hosts."""
        etc = self.spool / "etc"
        etc.mkdir()
        for name in ("resolv.conf", "hosts"):
            shutil.copy(self.ns.etc / name, etc)
        for name in ("services", "nsswitch.conf", "localtime"):
            if Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), etc)

    def socket_folder(self, name, uid):
        """spool/NAME for a daemon's socket: user:postfix, setgid, so that the socket gets the
        group postfix."""
        folder = self.spool / name
        folder.mkdir(exist_ok=True)
        shutil.chown(folder, uid, "postfix")
        folder.chmod(0o2750)
        return folder

    def start(self):
        self.ns.run("postfix", "-c", self.etc, "start")
        wait_until(lambda: grep(self.log, "daemon started"), what=f"Postfix in {self.ns.name}")
        return self

    def pid(self):
        try:
            return int((self.spool / "pid/master.pid").read_text())
        except (OSError, ValueError):
            return 0

    def stop(self):
        pid = self.pid()
        if not pid:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="Postfix to stop")
        for process in processes_of(self.root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def set(self, *settings):
        self.postconf("-e", *settings)

    def postconf(self, *args):
        return run("postconf", "-c", self.etc, *args)

    def reload(self, servers=("smtpd", "cleanup", "lmtp")):
        """As `postfix reload`. The master ends postlogd when it has told of the reload: now and then
        the line goes with it (`postfix reload` waits for ever then), and it is told to once more.
        Then no process of those named goes on with old settings; an smtpd with a
        session would while that lasts, and an edge has some with its inner host: it starts anew then.
        (Ending such processes is no way: one in its first session counts as unable to start, and the
        master starts no other for a minute.)"""
        old = self._servers(servers)
        wait_until(self._told_to_reload, 60, "Postfix to reload")
        try:
            wait_until(lambda: not old & self._servers(servers), 3)
        except TimeoutError:  # a session kept in store, or cut off long ago
            self.stop()
            self.start()

    def _told_to_reload(self, patience_s=5):
        """Has the master said that it reloads? After that line it starts no process until it has read
        the new settings."""
        told = len(self.lines("reload -- version"))
        os.kill(self.pid(), signal.SIGHUP)
        with contextlib.suppress(TimeoutError):
            return wait_until(lambda: len(self.lines("reload -- version")) > told, patience_s)
        return False

    def _servers(self, names):
        """Process ids of the master's children of these names; they read settings at their start."""
        found = set()
        for pid in Path(f"/proc/{self.pid()}/task/{self.pid()}/children").read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() in names:
                    found.add(pid)
        return found

    def hold(self, transport):
        """What is for a transport waits in the queue."""
        self.set(f"defer_transports = {transport}")
        self.reload(("cleanup", "lmtp"))

    def release(self):
        self.postconf("-X", "defer_transports")
        self.reload(("cleanup", "lmtp"))
        self.flush()

    def flush(self):
        self.ns.run("postqueue", "-c", self.etc, "-f")

    def sendmail(self, message, *args):
        """The local program's way in."""
        subprocess.run(self.ns.command("sendmail", "-C", self.etc, *args), input=message,
                       check=True, capture_output=True)

    def queue(self):
        """Files in the queue (names of the queue folders incoming to hold)."""
        return [f for folder in ("maildrop", "incoming", "active", "deferred", "hold")
                for f in (self.spool / folder).rglob("*") if f.is_file()]

    def lines(self, *words, start=0):
        return grep(self.log, *words, start=start)

    def log_size(self):
        return self.log.stat().st_size if self.log.exists() else 0


def processes_of(root):
    """Processes whose command line or working directory names the folder root."""
    found, needle = [], str(root)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            if needle in command or os.readlink(entry / "cwd").startswith(needle):
                found.append(int(entry.name))
    return found

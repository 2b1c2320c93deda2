"""rspamd as a milter, with the few modules that tests of origins look at. From the package, or
from the folder tests/install unpacked it in (PW_RSPAMD names another): it depends on libhyperscan,
which cannot be installed beside libvectorscan."""
import os
import shutil
from pathlib import Path

from .proc import Process, grep, wait_until


def root():
    """The folder in which usr/bin/rspamd lies, or None."""
    places = [os.environ.get("PW_RSPAMD") or "/", "/var/cache/postward-tests/rspamd"]
    return next((Path(p) for p in places if Path(p, "usr/bin/rspamd").exists()), None)


class Rspamd:
    """external: lines of external_relay's rules. local: networks of the way inside."""

    def __init__(self, folder, ns, socket, nameserver, external="", local="[]"):
        self.folder, self.socket, self.log = folder, socket, folder / "rspamd.log"
        tree = root()
        share, lib = tree / "usr/share/rspamd", tree / "usr/lib"
        folder.mkdir()
        for name in ("db", "run"):
            (folder / name).mkdir()
        (folder / "tld").write_text("test\n")
        enabled = "true" if external else "false"
        modules = "".join(f'path = "{share}/plugins/{m}.lua"; ' for m in ("external_relay", "spf"))
        (folder / "rspamd.conf").write_text(f"""
options {{
  filters = "spf"; url_tld = "{folder}/tld"; hs_cache_dir = "{folder}/db/";
  dns {{ nameserver = ["{nameserver}"]; timeout = 1s; }}
  local_addrs = {local};
  control_socket = "{folder}/run/control.sock mode=0600";
}}
logging {{ type = "file"; filename = "{self.log}"; level = "info"; }}
modules {{ {modules} }}
external_relay {{ enabled = {enabled}; rules {{ {external} }} }}
actions {{ reject = 150; "add header" = 60; }}
worker "rspamd_proxy" {{
  bind_socket = "{socket} mode=0666";
  milter = yes; timeout = 20s; count = 1;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
""")
        variables = {"DBDIR": folder / "db", "RUNDIR": folder / "run", "LOGDIR": folder,
                     "PLUGINSDIR": share / "plugins", "RULESDIR": share / "rules",
                     "LUALIBDIR": share / "lualib", "SHAREDIR": share}
        libraries = f"{lib}/rspamd:{lib}/{os.uname().machine}-linux-gnu"
        self.process = Process(
            "rspamd", [tree / "usr/bin/rspamd", "-f", "-i", "-c", folder / "rspamd.conf",
                       *(f"--var={k}={v}" for k, v in variables.items())],
            folder / "output", ns, env={"LD_LIBRARY_PATH": libraries} if tree != Path("/") else {})

    def start(self):
        self.process.start()
        wait_until(lambda: self.socket.exists() or not self.process.is_running(), 60, "rspamd")
        if not self.process.is_running():
            raise RuntimeError(self.process.log_text()[-2000:])
        return self

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.folder / "db", ignore_errors=True)

    def task(self, message_id):
        """The line in which it tells of a message."""
        return wait_until(lambda: grep(self.log, "rspamd_task_write_log", f"<{message_id}>"), 30,
                          f"rspamd on {message_id}")[-1]

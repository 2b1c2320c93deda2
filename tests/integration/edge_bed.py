"""An edge and its inner host as `postwardctl edge init` makes them: its Postfix lines, its firewall,
and postwardctl as if the edge's namespace were a whole machine."""
import json
import os
import shutil
import subprocess
from pathlib import Path

from origin_bed import EDGE, EDGE_LINK, INNER_LINK, MAIL_UID, NAMESERVER, OriginBed
from setup_bed import USERS
from stack.netns import run
from stack.postfix import Postfix
from stack.postward import PROGRAMS, Program, build

DOMAIN = "example.test"
# all interfaces, as setup has it: one named that is gone ends processes of Postfix
INNER_MAIN = f"""mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {{mail}}
virtual_mailbox_maps = inline:{{{{ {{{{ann@example.test = ann/}}}} {{{{bob@example.test = bob/}}}}
  {{{{postmaster@example.test = postmaster/}}}} }}}}
virtual_uid_maps = static:{MAIL_UID}
virtual_gid_maps = static:{MAIL_UID}
"""


class EdgeBed(OriginBed):
    """options: of edge init."""

    def __init__(self, *options):
        super().__init__()
        self.options = options

    def _start(self):
        self._hosts()
        self.kit = self.root / "kit"
        run(build() / "bin/postwardctl", "edge", "init", "--domain", DOMAIN, "--public", EDGE,
            "--edge-address", EDGE_LINK, "--inner-address", INNER_LINK, "--out", self.kit, *self.options)
        self.inner = self._postfix("inner", self.inner_ns, INNER_MAIN.format(mail=self.mail))
        self.edge = self._postfix("edge", self.edge_ns, "")
        self._lay_out_etc()
        folder = self.edge.socket_folder("postward", PROGRAMS["postward-origin"][0])
        keys = self.root / "origin.keys"  # that of /etc is root's in here
        shutil.copy(self.kit / "edge/origin.keys", keys)
        os.chown(keys, PROGRAMS["postward-origin"][0], -1)
        given = dict(l.split(" = ") for l in (self.kit / "edge/postward-origin.conf").read_text().splitlines())
        self.origin = Program("postward-origin", self.root / "conf", self.edge_ns,
                              {**given, "stamp_keys": keys, "socket": f"unix:{folder}/origin.sock",
                               "queue_socket": f"unix:{folder}/queue.sock", "dns_servers": NAMESERVER,
                               "pool_size": 0},  # reloads of the inner server wait for nobody
                              [folder / "origin.sock", folder / "queue.sock"])
        for part in (self.origin, self.inner, self.edge):
            part.start()
        self.firewall()

    def _postfix(self, side, ns, main_cf):
        server = Postfix(self.root / side, ns).create(main_cf, [])
        ns.run(self.kit / side / "postfix.sh", env={**os.environ, "MAIL_CONFIG": str(server.etc)})
        return server

    def _lay_out_etc(self):
        self.etc = self.root / "etc"
        shutil.copytree("/etc", self.etc, symlinks=True, ignore=shutil.ignore_patterns(
            "netns", "ssl", "alternatives", "postward"))
        for name in ("resolv.conf", "hosts"):
            (self.etc / name).unlink(missing_ok=True)
            shutil.copy(self.edge_ns.etc / name, self.etc / name)
        users = {**USERS, "haproxy": 61020}
        for name, line in (("passwd", "{0}:x:{1}:{1}::/:/bin/false\n"), ("group", "{0}:x:{1}:\n")):
            path = self.etc / name
            kept = [l for l in path.read_text().splitlines() if l.split(":")[0] not in users]
            path.write_text("\n".join(kept) + "\n" + "".join(line.format(n, i) for n, i in users.items()))
        folder = self.etc / "postward"
        folder.mkdir()
        shutil.copy(self.kit / "edge/postward-origin.conf", folder)
        shutil.copy(self.kit / "edge/origin.keys", folder)
        (folder / "setup.conf").write_text(f"role = edge\ndomain = {DOMAIN}\nhostname = mx.{DOMAIN}\n"
                                           f"listen_private = {EDGE_LINK}\npeer = {INNER_LINK}\n")

    # what tests do

    def inside(self, *args):
        """What runs a command where /etc is the edge's own."""
        return self.edge_ns.command("unshare", "--mount", "sh", "-c",
                                    f'mount --bind {self.etc} /etc && exec "$@"', "-", *args)

    def firewall(self):
        rules = self.root / "nftables.conf"
        rules.write_text((self.kit / "edge/nftables.conf").read_text().replace('"wg0"', '"vpn"'))
        run(*self.inside("nft", "-f", rules))

    def no_firewall(self):
        self.edge_ns.run("nft", "flush", "ruleset")

    def ctl(self, *args, **environment):
        return subprocess.run(self.inside(build() / "bin/postwardctl", *args), capture_output=True, text=True,
                              check=False, timeout=120,
                              env={**os.environ, "MAIL_CONFIG": str(self.edge.etc), **environment})

    def look(self, *args, **environment):
        """[(group/name, severity, text, cure)] and what was skipped {group/name: why} of edge check."""
        done = self.ctl("edge", "check", "--json", *args, **environment)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["ok"] == (done.returncode == 0)
        checks = answer["checks"]
        return ([(f"{c['group']}/{c['name']}", p["severity"], p["text"], p["cure"])
                 for c in checks for p in c["problems"]],
                {f"{c['group']}/{c['name']}": c["skipped"] for c in checks if "skipped" in c})


def clock_shim(folder, ahead_s):
    """A library under which the wall clock is off: {environment}."""
    source, library = Path(folder, "clock.c"), Path(folder, "clock.so")
    source.write_text("#define _GNU_SOURCE\n#include <time.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n"
                      "int clock_gettime(clockid_t c, struct timespec *t)\n{\n"
                      "\tint r = (int)syscall(SYS_clock_gettime, c, t);\n"
                      f"\tif (r == 0 && c == CLOCK_REALTIME)\n\t\tt->tv_sec += ({ahead_s});\n\treturn r;\n}}\n")
    run("cc", "-shared", "-fPIC", "-o", library, source)
    return {"LD_PRELOAD": str(library)}

"""Our own programs from the build folder, each under a user id of its own."""
import os
import signal
from pathlib import Path

from .proc import Process, wait_until

SOURCE = Path(__file__).resolve().parents[2]
#             uid    database role; numbers outside of what Debian hands out
PROGRAMS = {
    "postward-origin": (61001, None),
    "postward-score": (61002, "postward_score"),
    "postward-dkim": (61003, "postward_dkim"),
    "postward-policyd": (61004, "postward_policy"),
}


def build():
    """The build folder: PW_BUILD, or build/ of the source tree."""
    return Path(os.environ.get("PW_BUILD") or SOURCE / "build").resolve()


class Program:
    """One daemon: settings file, state directory, log. `sockets`: paths that say it is up."""

    def __init__(self, name, root, ns, settings, sockets, postgres=None, env=None):
        self.name = name
        self.uid, self.role = PROGRAMS[name]
        self.state = root / "state" / name
        self.conf = root / f"{name}.conf"
        self.sockets = [Path(s) for s in sockets]
        self.settings = {"state_directory": self.state, "log_target": "stderr", **settings}
        if name == "postward-policyd":
            self.settings.setdefault("map_socket", "")
        if self.role and postgres is not None:
            self.settings["database"] = postgres.conninfo(self.role)
        self.state.mkdir(parents=True)
        os.chown(self.state, self.uid, self.uid)
        self.state.chmod(0o700)
        self.process = Process(name, [build() / "bin" / name, "-c", self.conf],
                               root / f"{name}.log", ns, uid=self.uid, env=env)

    def write_settings(self, **changes):
        self.settings.update(changes)
        self.conf.write_text("".join(f"{k} = {v}\n" for k, v in self.settings.items()))

    def start(self, **changes):
        self.write_settings(**changes)
        self.process.start()
        wait_until(lambda: all(s.exists() for s in self.sockets) or not self.process.is_running(),
                   what=self.name)
        if not self.process.is_running():
            raise RuntimeError(f"{self.name} ended: {self.process.log_text()[-2000:]}")
        return self

    def stop(self, number=signal.SIGTERM):
        return self.process.stop(number)

    def is_running(self):
        return self.process.is_running()

    def reload(self, **changes):
        self.write_settings(**changes)
        self.process.kill(signal.SIGHUP)

    def lines(self, *words):
        return [l for l in self.process.log_text().splitlines() if all(w in l for w in words)]

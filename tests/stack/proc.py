"""Processes of a stack: started inside a namespace, stopped with their children, log kept."""
import contextlib
import os
import signal
import subprocess
import time

# Ends a wait that should have ended long ago, on a busy machine too.
PATIENCE_S = 90.0


def wait_until(claim, timeout_s=PATIENCE_S, what="condition", step_s=0.02):
    """Poll claim() until it is true and return its value; TimeoutError otherwise."""
    end = time.monotonic() + timeout_s
    while True:
        value = claim()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(step_s)


class Process:
    """A foreground process. uid: run as that number without any group but gid."""

    def __init__(self, name, command, log, ns=None, uid=None, gid=None, env=None):
        self.name = name
        self.log = log
        self._child = None
        if uid is not None:
            command = ["setpriv", f"--reuid={uid}", f"--regid={gid or uid}", "--clear-groups",
                       *command]
        self._command = ns.command(*command) if ns else [str(c) for c in command]
        self._env = {**os.environ, **(env or {})}

    @property
    def pid(self):
        return self._child.pid

    def is_running(self):
        return self._child is not None and self._child.poll() is None

    def start(self):
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log, env=self._env, start_new_session=True)
        return self

    def kill(self, number):
        os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, timeout_s=PATIENCE_S):
        """Stop it; returns its exit status (negative: the signal that ended it)."""
        if self._child is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            self.kill(number)
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._child.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        status, self._child = self._child.returncode, None
        return status

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def grep(path, *words, start=0):
    """Lines of a log that hold all words, from byte offset start on."""
    if not path.exists():
        return []
    with open(path, "rb") as file:
        file.seek(start)
        text = file.read().decode(errors="replace")
    return [line for line in text.splitlines() if all(w in line for w in words)]

"""What test beds smaller than the whole stack share: a folder, namespaces, and an end that leaves
nothing."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .netns import Namespace
from .postfix import processes_of


class Bed:
    """A context manager. A subclass names its `parts` (attributes, in the order they are stopped;
    each has stop() or close()) and builds them in _start()."""

    parts = ()

    def __init__(self):
        self.root, self._namespaces = None, []
        for part in self.parts:
            setattr(self, part, None)

    def namespace(self, name="bed"):
        """A namespace of this bed; not yet created."""
        tag = f"pb{os.getpid() % 100000}{self.root.name[-3:].lower()}"
        self._namespaces.append(Namespace(f"{tag}-{name}"))
        return self._namespaces[-1]

    def _start(self):
        raise NotImplementedError

    def __enter__(self):
        self.root = Path(tempfile.mkdtemp(prefix="postward-bed-"))
        self.root.chmod(0o755)
        try:
            self._start()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for part in (getattr(self, name) for name in self.parts):
            if part is not None:
                getattr(part, "stop", getattr(part, "close", None))()
        for pid in processes_of(self.root):
            subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)
        for ns in self._namespaces:
            ns.remove()
        shutil.rmtree(self.root, ignore_errors=True)

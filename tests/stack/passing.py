"""What passes users on from the edge host's public ports to the inner host, with the settings that
postwardctl prints for it."""
import shutil
import socket
from pathlib import Path

from . import dialect
from .netns import run
from .postward import build
from .proc import Process, wait_until

NGINX_HEAD = """daemon off;
master_process off;
pid {root}/nginx.pid;
error_log {root}/error.log;
load_module {module};
events {{ }}
"""
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


class Passing:
    """A context manager."""

    name = None

    def __init__(self, root, ns, inner, version=2):
        """version: of the PROXY protocol, where the program knows two."""
        self.root, self.ns, self.version = root, ns, version
        root.mkdir()
        self.conf = root / f"{self.name}.conf"
        self.conf.write_text(self._text(inner))
        self.process = Process(self.name, self.command(), root / f"{self.name}.log", ns)

    def _text(self, inner):
        """The whole file of settings."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def _printed(self, inner):
        return run(build() / "bin/postwardctl", "edge", "pass", self.name, "--inner", inner)

    def _is_up(self):
        try:
            with self.ns.enter():
                socket.create_connection(("127.0.0.1", 993), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        self.process.start()
        wait_until(lambda: self._is_up() or not self.process.is_running(), what=self.name)
        if not self.process.is_running():
            raise RuntimeError(f"{self.name}: {self.process.log_text()[-2000:]}")
        return self

    def __exit__(self, *_):
        self.process.stop()


class Haproxy(Passing):
    name = "haproxy"

    @staticmethod
    def is_installed():
        return shutil.which("haproxy", path="/usr/sbin:/usr/bin") is not None

    def _text(self, inner):
        text = self._printed(inner)
        return text.replace("send-proxy-v2", "send-proxy") if self.version == 1 else text

    def command(self):
        return ["haproxy", "-db", "-f", self.conf]


class Nginx(Passing):
    name = "nginx"

    @staticmethod
    def is_installed():
        return NGINX_MODULE.exists()

    def _text(self, inner):
        return NGINX_HEAD.format(root=self.root, module=NGINX_MODULE) + self._printed(inner)

    def command(self):
        return ["nginx", "-c", self.conf]


class DovecotProxy(Passing):
    """Another way (docs/edge-users.md): ends TLS, knows nobody, and hands the password on."""

    name = "dovecot"

    CONF = """base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap
listen = *, ::
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = yes
auth_mechanisms = plain login
passdb {{
  driver = static
  args = nopassword=y proxy=y host={inner} port=993 ssl=any-cert
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
}}
"""

    def __init__(self, root, ns, inner, cert, key):
        self.cert, self.key, self.inner = cert, key, inner
        super().__init__(root, ns, inner)

    def _text(self, inner):
        root = self.root
        return dialect.say(self.CONF.format(root=root, cert=self.cert, key=self.key, inner=inner))

    def command(self):
        return ["dovecot", "-F", "-c", self.conf]

"""The stack: net (the Internet), edge (public host) and inner (no public port), joined by veth.

    net    198.51.100.53 DNS, .7 mail.sender.test, .8 mail.bank-thief.test, .9 sink.elsewhere.test
           2001:db8::7   mail.sender.test
    edge   198.51.100.25, 2001:db8::25 mx.example.test; 10.9.0.1 towards the inner host
    inner  10.9.0.2 inner.example.test: submission 587, IMAPS 993, POP3S 995, ManageSieve 4190,
           the edge's listener 25; for what the edge passes on 10465, 10587, 10993, 10995, 14190
"""
import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import dns as zone
from . import wireguard
from .clients import Sink
from .dns import Dns
from .dovecot import MAIL_UID, Dovecot
from .host import MailHost
from .netns import Namespace, run, wire
from .passing import Haproxy
from .postfix import Postfix, processes_of
from .postgres import Postgres
from .postward import PROGRAMS, SOURCE, Program, build
from .proc import wait_until
from .world import (EDGE, EDGE6, EDGE_LINK, INNER_LINK, NAMESERVER, SENDER, SENDER6, SINK, THIEF,
                    records)

# inet_interfaces: an address named there whose interface is down ends every process of Postfix
EDGE_MAIN = """myhostname = mx.example.test
inet_interfaces = all
mynetworks =
relay_domains = example.test
smtpd_relay_restrictions = reject_unauth_destination
relay_transport = postward:unix:origin/queue.sock
smtpd_milters = unix:origin/origin.sock
in_flow_delay = 0
"""
# the Internet's side; without the origin milter, what the inner host sends out; and out of the queue
EDGE_SERVICES = [
    "postward unix - - y - - lmtp -o lmtp_send_xforward_command=yes -o lmtp_line_length_limit=0",
    f"{EDGE}:smtp inet n - y - - smtpd",
    f"[{EDGE6}]:smtp inet n - y - - smtpd",
    f"{EDGE_LINK}:2525 inet n - y - - smtpd -o smtpd_milters= -o mynetworks={INNER_LINK}/32"
    " -o smtpd_relay_restrictions=permit_mynetworks,reject",
]

POLICY = "{{ unix:policy/policy.sock, timeout=5s, try_limit=2, default_action=%s }}"
TABLE = "socketmap:unix:policy/map.sock:%s"
INNER_MAIN = f"""myhostname = inner.example.test
inet_interfaces = {INNER_LINK}, 127.0.0.1
mynetworks = 127.0.0.0/8
relayhost = [{EDGE_LINK}]:2525
virtual_mailbox_domains = {TABLE % "domains"}
virtual_mailbox_maps = {TABLE % "mailboxes"}
virtual_alias_maps = {TABLE % "aliases"}
virtual_transport = lmtp:unix:private/dovecot-lmtp
recipient_delimiter = +
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_non_fqdn_recipient, reject_unknown_recipient_domain,
  check_policy_service {POLICY % "DUNNO"}
smtpd_milters = unix:score/score.sock, unix:dkim/dkim.sock
non_smtpd_milters = unix:dkim/dkim.sock
smtpd_tls_cert_file = {{cert}}
smtpd_tls_key_file = {{key}}
smtpd_tls_auth_only = yes
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
submission_milters = unix:score/score.sock, unix:dkim/dkim.sock
allow_percent_hack = no
swap_bangpath = no
submission_recipient_restrictions = reject_non_fqdn_recipient, check_policy_service {POLICY % "DEFER"}
submission_end_of_data_restrictions = check_policy_service {POLICY % "DEFER"}
"""
SUBMISSION = (" -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes"
              " -o smtpd_milters=$submission_milters"
              " -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
              " -o smtpd_recipient_restrictions=$submission_recipient_restrictions"
              " -o smtpd_end_of_data_restrictions=$submission_end_of_data_restrictions")
# for what the edge passes on, the client's address in front
PROXIED = SUBMISSION + (" -o smtpd_upstream_proxy_protocol=haproxy -o mynetworks="
                        " -o smtpd_authorized_xclient_hosts= -o smtpd_authorized_xforward_hosts=")
# max_use: an smtpd remembers a failed look-up of sender and recipient for as long as it lives
INNER_SERVICES = [
    f"{INNER_LINK}:smtp inet n - y - - smtpd -o mynetworks= -o smtpd_sasl_auth_enable=no"
    " -o max_use=10 -o max_idle=30s"
    " -o smtpd_relay_restrictions=reject_unauth_destination"
    f" -o smtpd_authorized_xclient_hosts={EDGE_LINK}",
    f"{INNER_LINK}:submission inet n - y - - smtpd{SUBMISSION}",
    f"{INNER_LINK}:10587 inet n - y - - smtpd{PROXIED}",
    f"{INNER_LINK}:10465 inet n - y - - smtpd{PROXIED} -o smtpd_tls_wrappermode=yes",
]

DOVECOT_PROXIED = f"""
haproxy_trusted_networks = {EDGE_LINK}
""" + "".join(f"""service {service}-login {{
  inet_listener {listener}-edge {{
    address = {INNER_LINK}
    port = {port}
    ssl = {ssl}
    haproxy = yes
  }}
}}
""" for service, listener, port, ssl in (("imap", "imaps", 10993, "yes"), ("pop3", "pop3s", 10995, "yes"),
                                         ("managesieve", "sieve", 14190, "no")))

HOSTS = f"""{EDGE} mx.example.test
{EDGE_LINK} edge.example.test
{INNER_LINK} inner.example.test
"""


class Stack(MailHost):
    """Everything; parts are public attributes. Use as a context manager."""

    def __init__(self, keep=False, dovecot="", tunnel="veth"):
        """dovecot: settings on top of Dovecot's own, in the words of 2.3. tunnel: veth, or wireguard
        where that is possible; what it is now."""
        super().__init__()
        self.keep, self._dovecot_extra = keep, dovecot
        self.tunnel, self._link = tunnel if wireguard.is_possible() else "veth", None
        self._count = itertools.count()
        self.root = Path(tempfile.mkdtemp(prefix="postward-"))
        self.root.chmod(0o755)
        tag = f"pw{os.getpid() % 100000}{self.root.name[-2:].lower()}"
        self.net, self.edge_ns, self.inner_ns = (Namespace(f"{tag}-{n}")
                                                 for n in ("net", "edge", "inner"))
        self.users_ns, self.users_host = self.inner_ns, INNER_LINK
        self.dovecot = None
        self.usage_socket = self.root / "run" / "usage.sock"
        self.auth_socket = self.root / "run-auth" / "auth.sock"

    # life

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self._network()
        self.dns = Dns(self.root / "dns", self.net, NAMESERVER).start(
            [*records(), zone.txt(*self.signer.record())])
        self._certificate()
        self._database()
        self._lay_out_servers()
        self._programs()
        for server in (self.inner, self.edge, self.dovecot):
            server.start()
        self.sink = Sink(self.net, SINK)
        return self

    def stop(self):
        if self.sink:
            self.sink.close()
        for server in (self.edge, self.inner, self.dovecot, *self.programs.values(), self.pg,
                       self.dns, self._link):
            if server is not None:
                try:
                    server.stop()
                except (OSError, RuntimeError, TimeoutError) as error:
                    print(f"stop: {error}")
        for pid in processes_of(self.root):
            subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)
        for ns in (self.net, self.edge_ns, self.inner_ns):
            ns.remove()
        if not self.keep:
            shutil.rmtree(self.root, ignore_errors=True)

    # building

    def _network(self):
        for ns in (self.net, self.edge_ns, self.inner_ns):
            ns.create(NAMESERVER, HOSTS)
        wire(self.net, "pub", self.edge_ns, "pub")
        self._tunnel()
        self.net.address("pub", f"{NAMESERVER}/24", f"{SENDER}/24", f"{THIEF}/24",
                         f"{SINK}/24", f"{SENDER6}/64", "2001:db8::8/64")
        self.edge_ns.address("pub", f"{EDGE}/24", f"{EDGE6}/64")
        self.edge_ns.address("vpn", f"{EDGE_LINK}/24")
        self.inner_ns.address("vpn", f"{INNER_LINK}/24")
        # the inner host asks the same name server, through the edge as a router
        self.edge_ns.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.inner_ns.ip("route", "add", f"{NAMESERVER}/32", "via", EDGE_LINK)
        self.net.ip("route", "add", f"{INNER_LINK}/32", "via", EDGE)

    def _tunnel(self):
        """The inner host's name server is behind the edge."""
        if self.tunnel == "veth":
            self._link = wireguard.Cable(self.edge_ns, self.inner_ns)
            return
        self._link = wireguard.Tunnel(self.root / "wireguard", self.edge_ns, self.inner_ns,
                                      [f"{EDGE_LINK}/32", f"{NAMESERVER}/32"],
                                      [f"{INNER_LINK}/32"])
        self._link.start()

    def _certificate(self):
        self.cert, self.key = self.root / "cert.pem", self.root / "key.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            "/CN=inner.example.test", "-keyout", self.key, "-out", self.cert)
        self.key.chmod(0o600)

    def _database(self):
        self.pg = Postgres(self.root / "pg", self.inner_ns).create().start()
        self.pg.sql("CREATE DATABASE mail", database="postgres")
        self.ctl("schema", "migrate")

    def ctl(self, *args, **options):
        """postwardctl as the database's superuser."""
        env = {**os.environ, "PW_SQL_DIR": str(SOURCE / "sql/migrations")}
        return run(build() / "bin/postwardctl", args[0], "--database", self.pg.conninfo(),
                   *args[1:], env=env, **options)

    def _lay_out_servers(self):
        self.edge = Postfix(self.root / "edge", self.edge_ns).create(EDGE_MAIN, EDGE_SERVICES)
        self.inner = Postfix(self.root / "inner", self.inner_ns)
        self.inner.create(INNER_MAIN.format(cert=self.cert, key=self.key),
                          INNER_SERVICES)
        self.dovecot = Dovecot(self.root / "dovecot", self.inner_ns, INNER_LINK).create(
            build() / "lib", self.inner.spool, self.cert, self.key,
            auth_args=self._dovecot_settings(),
            quota=f"quota = postward:User quota:socket={self.usage_socket}",
            sieve=SOURCE / "dovecot-plugins/sieve", extra=DOVECOT_PROXIED + self._dovecot_extra)

    def _dovecot_settings(self):
        path = self.root / "postward-dovecot.conf"
        path.write_text(f"database = {self.pg.conninfo('dovecot')}\n"
                        f"auth_socket = {self.auth_socket}\n")
        return path

    def _programs(self):
        self._add("postward-origin", self.edge_ns, self.edge, "origin.sock",
                  role="edge", inner=f"{INNER_LINK}:25", trace_name="mx.example.test",
                  private_networks="10.9.0.0/24",
                  queue_socket=f"unix:{self.edge.spool}/origin/queue.sock")
        self._add("postward-score", self.inner_ns, self.inner, "score.sock",
                  authserv_id="mx.example.test", dns_servers=NAMESERVER)
        self._add("postward-dkim", self.inner_ns, self.inner, "dkim.sock",
                  authserv_id="mx.example.test")
        # setgid: a socket gets its folder's group; mail processes may not report logins
        for path, gid in ((self.usage_socket, MAIL_UID),
                          (self.auth_socket, pwd.getpwnam("dovecot").pw_gid)):
            path.parent.mkdir()
            os.chown(path.parent, PROGRAMS["postward-policyd"][0], gid)
            path.parent.chmod(0o2750)
        self._add("postward-policyd", self.inner_ns, self.inner, "policy.sock",
                  map_socket=self.inner.spool / "policy/map.sock",
                  usage_socket=self.usage_socket, auth_socket=self.auth_socket,
                  doveadm_socket=self.dovecot.root / "run/postward-doveadm",
                  lmtp_socket=self.dovecot.root / "run/postward-lmtp")

    def _add(self, name, ns, server, socket, **settings):
        path = server.socket_folder(socket[:-5], PROGRAMS[name][0]) / socket
        key = "policy_socket" if name == "postward-policyd" else "socket"
        settings[key] = f"unix:{path}"
        program = Program(name, self.root / "conf", ns, settings, [path], self.pg)
        self.programs[name] = program.start()

    # what tests and the story do

    def pass_users(self, program=Haproxy):
        """Public ports of the edge host for users, until it is left."""
        return program(self.root / f"pass{next(self._count)}", self.edge_ns, INNER_LINK)

    def link_down(self):
        """What is sent through it goes nowhere."""
        self.edge_ns.ip("link", "set", self._link.cable, "down")

    def link_up(self):
        self.edge_ns.ip("link", "set", self._link.cable, "up")
        self.inner_ns.ip("route", "replace", f"{NAMESERVER}/32", "via", EDGE_LINK)

    @contextlib.contextmanager
    def fallback(self, choice):
        """postward-origin's setting of that name."""
        self._set_fallback(choice)
        try:
            yield
        finally:
            self._set_fallback("defer")

    def _set_fallback(self, choice):
        origin = self.programs["postward-origin"]
        before = len(origin.lines("event=reloaded"))
        origin.reload(fallback=choice)
        wait_until(lambda: len(origin.lines("event=reloaded")) > before, what="reload")

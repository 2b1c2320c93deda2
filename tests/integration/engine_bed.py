"""The relay's bed with listeners inside for each case of the engine, and a policy server there
that writes down what Postfix believes of each client."""
import socket
import threading

from origin_bed import (EDGE, EDGE_LINK, EDGE_MAIN, INNER_LINK, INNER_MAIN, INNER_SERVICES, OPTIONS,
                        SENDER, OriginBed)
from stack.clients import accept_each

PROXIED, TRUSTING, SMUGGLING = 2525, 2526, 2527  # listeners of the edge
PLAIN_INNER = f"{INNER_LINK}:25"
LISTENERS = {
    "short": "-o smtpd_timeout=3s",
    "old": "-o smtpd_discard_ehlo_keywords=pipelining,8bitmime,smtputf8,dsn,size,chunking",
    "small": "-o message_size_limit=20000",
    "strict": "-o smtpd_forbid_unauth_pipelining=yes -o smtpd_forbid_bare_newline=normalize",
    "hasty": "-o smtpd_delay_reject=no -o { smtpd_client_restrictions = "
             f"check_client_access inline:{{ {{ {SENDER} = 554 5.7.1 go away }} }} }}",
    "picky": "-o smtpd_delay_reject=no -o { smtpd_helo_restrictions = "
             "check_helo_access inline:{ { wrong.sender.test = 504 5.5.2 not that name } } }",
    "early": "-o smtpd_delay_reject=no",
    "noxlogin": "-o smtpd_discard_ehlo_keywords=xclient",
    "wantstls": "-o smtpd_tls_security_level=encrypt",
}
PORTS = {name: 2630 + i for i, name in enumerate(LISTENERS)}
XCLIENT = f"-o smtpd_authorized_xclient_hosts={EDGE_LINK}"


class Policy:
    """Answers DUNNO and remembers every question, in the namespace of the inner host."""

    def __init__(self, ns):
        self.questions = []
        with ns.enter():
            self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=accept_each, args=(self._socket, self._serve), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rwb") as file:
            question = {}
            for line in file:
                name, _, value = line.decode(errors="surrogateescape").strip().partition("=")
                if name:
                    question[name] = value
                    continue
                self.questions.append(question)
                question = {}
                file.write(b"action=DUNNO\n\n")
                file.flush()

    def asked(self, sender):
        """The question at RCPT about a sender."""
        return [q for q in self.questions if q["sender"] == sender][-1]

    def close(self):
        self._socket.close()


class EngineBed(OriginBed):
    parts = ("edge", "inner", "origin", "dns", "policy")
    edge_main = EDGE_MAIN + """smtputf8_enable = yes
cleanup_replace_stray_cr_lf = no
"""
    edge_services = [
        f"{EDGE}:{PROXIED} inet n - y - - smtpd -o smtpd_upstream_proxy_protocol=haproxy",
        f"{EDGE}:{TRUSTING} inet n - y - - smtpd -o smtpd_authorized_xclient_hosts={SENDER}",
        f"{EDGE}:{SMUGGLING} inet n - y - - smtpd -o smtpd_forbid_bare_newline=normalize"
        " -o smtpd_forbid_unauth_pipelining=yes",
    ]
    inner_services = INNER_SERVICES + [
        f"{INNER_LINK}:{PORTS[name]} inet n - y - - smtpd {OPTIONS} {XCLIENT} {more}"
        for name, more in LISTENERS.items()]

    def _prepare(self):
        self.policy = Policy(self.inner_ns)
        self.inner_main = (INNER_MAIN + "cleanup_replace_stray_cr_lf = no\n").replace(
            "smtpd_recipient_restrictions = ", "smtpd_recipient_restrictions = "
            f"check_policy_service inet:127.0.0.1:{self.policy.port}, ").replace(
            "{{shut@example.test = 421", "{{held@example.test = HOLD kept}} "
            "{{shut@example.test = 421").replace(
            "{{shut@example.test = x/}}", "{{shut@example.test = x/}} {{held@example.test = x/}}")

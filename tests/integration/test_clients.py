"""Mail programs log in: each protocol, mechanism and client, with the right and a wrong password."""
import imaplib
import poplib
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sasl import Sasl
from stack import Stack
from stack.clients import Imap, SmtpClient, tls_context
from stack.netns import run
from stack.stack import INNER_LINK

HOST = "inner.example.test"  # the certificate's name; Python resolves nothing in a namespace
# The account whose secret serves a mechanism; all of them serve PLAIN and LOGIN.
ACCOUNTS = {"CRAM-MD5": "cram@example.test", "SCRAM-SHA-256": "scram@example.test"}
HASHED = "hashed@example.test"
WRONG = "a wrong password of nobody"


# CRAM-MD5 too; and many wrong passwords are nothing unusual.
DOVECOT = """
auth_mechanisms = plain login scram-sha-256 cram-md5
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""


@pytest.fixture(scope="module")
def host():
    with Stack(dovecot=DOVECOT) as stack:
        stack.add_domain()
        stack.pg.sql("DELETE FROM mail.auth_limits")
        add_accounts(stack)
        yield stack
        stack.dovecot.stop()
        assert not stack.dovecot.crashes()


def add_accounts(stack):
    """The secret CRAM-MD5 needs is one the schema refuses to keep."""
    stack.add_user(HASHED)
    stack.pg.sql("ALTER DOMAIN mail.password_hash DROP CONSTRAINT password_hash")
    stack.pg.sql("ALTER TABLE mail.virtual_users DROP CONSTRAINT virtual_users_password_check")
    for scheme, user in ACCOUNTS.items():
        password = f"correct horse {scheme} battery"
        secret = run("doveadm", "pw", "-s", scheme, "-p", password).strip()
        stack.pg.sql("INSERT INTO mail.virtual_users (email, password) VALUES (%s, %s)", user,
                     secret)
        stack.passwords[user] = password


# Each: (stack, mechanism, user, password) -> let in? What is neither yes nor no raises.

def imap_python(stack, mechanism, user, password):
    with Imap(stack.inner_ns, INNER_LINK, timeout_s=60) as imap:
        try:
            if mechanism == "command":
                imap.login(user, password)
            else:
                imap.authenticate(mechanism, Sasl(mechanism, user, password))
        except imaplib.IMAP4.error as refused:
            assert "[AUTHENTICATIONFAILED]" in str(refused)
            return False
        return imap.select("INBOX")[0] == "OK"


def pop3_python(stack, mechanism, user, password):
    with stack.inner_ns.enter():
        pop = poplib.POP3_SSL(INNER_LINK, context=tls_context(), timeout=60)
    try:
        if mechanism == "command":
            pop.user(user)
            pop.pass_(password)
        else:
            pop3_auth(pop, Sasl(mechanism, user, password), mechanism)
    except poplib.error_proto as refused:
        assert b"[AUTH]" in refused.args[0]
        return False
    else:
        return pop.stat() == (0, 0)
    finally:
        pop.close()


def pop3_auth(pop, sasl, mechanism):
    reply = pop._shortcmd(f"AUTH {mechanism}")  # poplib knows no AUTH
    while not reply.startswith(b"+OK"):
        reply = pop._shortcmd(sasl.base64_step(reply[2:]))


def sieve_python(stack, mechanism, user, password):
    sasl = Sasl(mechanism, user, password)
    with stack.inner_ns.enter():
        plain = socket.create_connection((INNER_LINK, 4190), timeout=60)
    with plain:
        with plain.makefile("rwb") as stream:
            sieve_reply(stream)
            sieve_command(stream, "STARTTLS")
            assert sieve_reply(stream).startswith(b"OK")
        with tls_context().wrap_socket(plain) as tls, tls.makefile("rwb") as stream:
            sieve_reply(stream)
            sieve_command(stream, f'AUTHENTICATE "{mechanism}"')
            return sieve_login(stream, sasl)


def sieve_login(stream, sasl):
    line = stream.readline()
    while line.startswith((b'"', b"{")):  # a challenge, quoted or as a literal
        if line.startswith(b"{"):
            text = stream.read(int(line.strip(b"{}+\r\n")))
            stream.readline()
        else:
            text = line.strip()[1:-1]
        sieve_command(stream, f'"{sasl.base64_step(text)}"')
        line = stream.readline()
    assert line.startswith((b"OK", b'NO "Authentication failed')), line
    return line.startswith(b"OK")


def sieve_command(stream, text):
    stream.write(text.encode() + b"\r\n")
    stream.flush()


def sieve_reply(stream):
    """The line that ends an answer."""
    for line in stream:
        if line.startswith((b"OK", b"NO", b"BYE")):
            return line
    raise ConnectionError("ManageSieve hung up")


def smtp_python(stack, mechanism, user, password):
    sasl = Sasl(mechanism, user, password)
    with SmtpClient(stack.inner_ns, INNER_LINK, 587, helo="laptop.example.test", tls="starttls",
                    timeout_s=60) as client:
        code, text = client.smtp.docmd("AUTH", mechanism)
        while code == 334:
            code, text = client.smtp.docmd(sasl.base64_step(text))
    assert code in (235, 535), text
    return code == 235


def program(stack, *command, refused, text="", **options):
    """Run a client: let in if it ends with 0, refused if with that status and text."""
    done = subprocess.run(stack.inner_ns.command(*command), capture_output=True, text=True,
                          timeout=60, check=False, **options)
    said = done.stdout + done.stderr
    assert done.returncode == 0 or (done.returncode == refused and text in said), said
    return done.returncode == 0


def curl(url, *more):
    def log_in(stack, mechanism, user, password):
        return program(stack, "curl", "-sS", "--insecure", "--ssl-reqd", "--login-options",
                       f"AUTH={mechanism}", "--user", f"{user}:{password}", url, *more, refused=67)
    return log_in


def swaks(stack, mechanism, user, password):
    return program(stack, "swaks", "--server", HOST, "--port", "587", "-tls", "--auth", mechanism,
                   "--auth-user", user, "--auth-password", password, "--quit-after", "AUTH",
                   refused=28)


MBSYNC = """IMAPAccount there
Host {host}
User {user}
Pass "{password}"
SSLType IMAPS
CertificateFile {stack.cert}
AuthMechs {mechanism}

IMAPStore there
Account there

MaildirStore here
Path {folder}/
Inbox {folder}/INBOX

Channel all
Far :there:
Near :here:
"""


def mbsync(stack, mechanism, user, password):
    folder = Path(tempfile.mkdtemp(dir=stack.root))
    rc = folder / "rc"
    rc.write_text(MBSYNC.format(host=HOST, user=user, password=password, stack=stack,
                                mechanism=mechanism, folder=folder))
    return program(stack, "mbsync", "-c", rc, "--list", "all", refused=1,
                   text="[AUTHENTICATIONFAILED]")


NEOMUTT = """set from="{user}" use_from=yes realname="Test" copy=no
set smtp_url="smtp://{user}@{host}:587" smtp_pass="{password}"
set ssl_starttls=yes ssl_force_tls=yes ssl_verify_host=no certificate_file="{stack.cert}"
"""


def neomutt(stack, mechanism, user, password):
    """It names only mechanisms that are older than SCRAM; left alone it takes the strongest."""
    rc = Path(tempfile.mkdtemp(dir=stack.root)) / "rc"
    text = NEOMUTT.format(host=HOST, user=user, password=password, stack=stack)
    if mechanism in ("PLAIN", "LOGIN"):
        text += f'set smtp_authenticators="{mechanism.lower()}"\n'
    rc.write_text(text)
    return program(stack, "neomutt", "-n", "-F", rc, "-s", "hello", HASHED, refused=1,
                   text="authentication failed", input="hello\n",
                   env={"HOME": str(rc.parent), "TERM": "dumb", "PATH": "/usr/bin:/usr/sbin:/sbin"})


ALL = "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"
OLD = ALL[:3]
CLIENTS = [
    # client, protocol, how it logs in, mechanisms it knows
    ("imaplib", "IMAP", imap_python, ("command", *ALL)),
    ("curl", "IMAP", curl(f"imaps://{HOST}/"), OLD),
    ("mbsync", "IMAP", mbsync, ALL),
    ("poplib", "POP3", pop3_python, ("command", *ALL)),
    ("curl", "POP3", curl(f"pop3s://{HOST}/"), OLD),
    ("python", "ManageSieve", sieve_python, ALL),
    ("smtplib", "submission", smtp_python, ALL),
    ("swaks", "submission", swaks, OLD),
    ("curl", "submission", curl(f"smtp://{HOST}:587", "--request", "NOOP"), OLD),
    ("neomutt", "submission", neomutt, ("PLAIN", "LOGIN", "SCRAM-SHA-256")),
]
CELLS = {f"{protocol}-{mechanism}-{client}": (log_in, mechanism)
         for client, protocol, log_in, mechanisms in CLIENTS for mechanism in mechanisms}


@pytest.fixture(scope="module")
def matrix(host):
    """All cells with both passwords, several at a time: a refusal takes Dovecot half a second."""
    with ThreadPoolExecutor(6) as pool:
        yield {(cell, kind): pool.submit(try_cell, host, cell, kind)
               for cell in CELLS for kind in ("right", "wrong")}


def try_cell(stack, cell, kind):
    log_in, mechanism = CELLS[cell]
    user = ACCOUNTS.get(mechanism, HASHED)
    return log_in(stack, mechanism, user, stack.passwords[user] if kind == "right" else WRONG)


@pytest.mark.parametrize("cell", CELLS)
def test_right_password(matrix, cell):
    assert matrix[cell, "right"].result(120) is True


@pytest.mark.parametrize("cell", CELLS)
def test_wrong_password(matrix, cell):
    assert matrix[cell, "wrong"].result(120) is False


PYTHON = [imap_python, pop3_python, sieve_python, smtp_python]


@pytest.mark.parametrize("mechanism", ACCOUNTS)
@pytest.mark.parametrize("log_in", PYTHON)
def test_a_hash_is_no_secret_for_a_challenge(host, log_in, mechanism):
    assert not log_in(host, mechanism, HASHED, host.passwords[HASHED])


@pytest.mark.parametrize("user", [HASHED, *ACCOUNTS.values()])
def test_every_secret_serves_plain(host, user):
    assert imap_python(host, "PLAIN", user, host.passwords[user])


@pytest.mark.parametrize("log_in", PYTHON)
def test_an_unknown_user_is_a_wrong_password(host, log_in):
    assert not log_in(host, "PLAIN", "eve@example.test", WRONG)

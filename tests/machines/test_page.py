"""What docs/install.md says besides how to set up a host, typed as it stands there: a certificate of
certbot's, its renewal, and fail2ban. Nobody signs for example.test, so what certbot would have fetched
is put where it puts it."""
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack.clients import tls_context
from stack.proc import wait_until
from stack.world import EDGE, THIEF

from .hosts import fresh, install
from .machine_stack import MachineStack
from .page import blocks, follow

NAME = "mail.example.test"
PORTS = 993, 465
GUESSES = 10  # that the jail lets pass


@pytest.fixture(scope="module")
def typed(release):
    machine = fresh(f"pw-typed-{release}", release, fetch=("postward", "certbot", "fail2ban", "nftables"))
    stack = MachineStack(machine)
    try:
        stack.start()
        install(machine, "postward")
        yield stack
    finally:
        stack.stop()
        machine.drop()


def fetch_certificate(machine, number):
    """The number-th of its line, as certbot lays it out; its serial number."""
    archive, live = f"/etc/letsencrypt/archive/{NAME}", f"/etc/letsencrypt/live/{NAME}"
    machine.run(f"""set -e
        install -d -m 700 /etc/letsencrypt/archive /etc/letsencrypt/live
        mkdir -p {archive} {live}
        openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN={NAME} -addext subjectAltName=DNS:{NAME} \
            -set_serial {number} -keyout {archive}/privkey{number}.pem -out {archive}/cert{number}.pem 2>/dev/null
        chmod 600 {archive}/privkey{number}.pem
        cp {archive}/cert{number}.pem {archive}/fullchain{number}.pem
        for file in privkey cert fullchain; do
            ln -sfn ../../archive/{NAME}/${{file}}{number}.pem {live}/$file.pem
        done""")
    return f"{number:02X}"


def served(machine):
    """Serial numbers of the certificates that mail programs get."""
    return {machine.run(f"openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null"
                        " | openssl x509 -noout -serial").strip().removeprefix("serial=") for port in PORTS}


def test_a_certificate_of_certbot(typed):
    bring, ask = blocks("docs/install.md")["sh-certbot"].splitlines()
    follow(typed.machine, bring)
    assert ask == f"certbot certonly --standalone -d {NAME}"
    typed.machine.run("certbot --version")
    serial = fetch_certificate(typed.machine, 1)
    print(follow(typed.machine, blocks("docs/install.md")["sh-single"]))
    wait_until(lambda: served(typed.machine) == {serial}, what="certbot's certificate")


def test_its_renewal(typed):
    follow(typed.machine, blocks("docs/install.md")["sh-renewal"])
    serial = fetch_certificate(typed.machine, 2)
    typed.machine.run("/etc/letsencrypt/renewal-hooks/deploy/mail")
    wait_until(lambda: served(typed.machine) == {serial}, what="the next certificate")


def guess(stack, source):
    """One wrong password over IMAP; the reply."""
    with connect(stack, source) as tls:
        tls.sendall(b"a LOGIN ann@example.test wrong\r\n")
        return read_until(tls, b"a ")


def connect(stack, source):
    with stack.net.enter():
        plain = socket.create_connection((EDGE, 993), 10, (source, 0))
    plain.settimeout(120)
    return tls_context().wrap_socket(plain)


def is_shut_out(stack, source):
    try:
        connect(stack, source).close()
        return False
    except OSError:
        return True


def read_until(tls, start):
    for line in tls.makefile("rb"):
        if line.startswith(start):
            return line
    return b""


def test_fail2ban_shuts_a_guesser_out(typed):
    typed.furnish()
    follow(typed.machine, blocks("docs/install.md")["sh-fail2ban"])
    wait_until(lambda: "postward-auth" in typed.machine.try_run("fail2ban-client status").stdout, what="the jail")
    with ThreadPoolExecutor(GUESSES) as pool:
        said = list(pool.map(lambda _: guess(typed, THIEF), range(GUESSES)))
    assert all(line.startswith(b"a NO") for line in said), said
    wait_until(lambda: THIEF in typed.machine.run("fail2ban-client get postward-auth banip"), what="the ban")
    wait_until(lambda: is_shut_out(typed, THIEF), what="the firewall")
    typed.imap("ann@example.test").logout()

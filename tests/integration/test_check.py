"""postwardctl check on real servers: nothing to say about a host in order; one thing broken, and just that
is said, with what cures it."""
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from check_bed import LISTS, CheckBed, numbers, publish
from stack import Stack
from stack.dns import reverse, txt
from stack.stack import EDGE, EDGE_LINK, INNER_LINK, SINK

# all but the clock, which is what it is on the host of the tests
REST = ("postfix,dovecot,sockets,services,database,certificates,dns,lists,outbound,ports,fail2ban,snapshots,"
        "space,queue")
POLICY = "check_policy_service { unix:policy/policy.sock, timeout=5s, try_limit=1, default_action=DEFER }"
PUBLIC = "203.0.113.5"


@pytest.fixture(scope="module")
def running():
    with Stack() as stack:
        stack.furnish()
        publish(stack)
        numbers(stack)
        yield stack


@pytest.fixture(scope="module")
def inner_host(running):
    bed = CheckBed(running, "inner")
    cert, key = bed.certificate()
    bed.use_certificate(cert, key)
    conf = bed.dovecot() / "dovecot.conf"
    conf.write_text(conf.read_text().replace(str(running.cert), str(cert)).replace(str(running.key), str(key)))
    bed.save()
    return bed


@pytest.fixture
def inner(inner_host):
    yield inner_host
    inner_host.restore()


@pytest.fixture(scope="module")
def edge_host(running):
    bed = CheckBed(running, "edge")
    bed.use_certificate(*bed.certificate())
    bed.postfix.set("smtpd_tls_security_level=may")
    bed.save()
    return bed


@pytest.fixture
def edge(edge_host):
    yield edge_host
    edge_host.restore()


def expect(bed, only, where, severity, text, cure, **environment):
    """The problems found are all in one place and of one kind; the text is in the first."""
    found = bed.problems("--only", only, **environment)
    assert found, f"nothing found; wanted: {text}"
    assert {(p[0], p[1]) for p in found} == {(where, severity)}, found
    assert text in found[0][2], found
    assert cure in found[0][3], found
    return found


def test_a_host_in_order_has_no_problem(inner):
    assert inner.problems("--only", REST) == []


def test_an_edge_in_order_has_no_problem(edge):
    answer = edge.check("--only", REST, "--probe", SINK)
    assert [c for c in answer["checks"] if c["problems"]] == []
    assert answer["role"] == "edge"
    assert not {"database", "dovecot", "dns"} & {c["group"] for c in answer["checks"]}


# main.cf and master.cf: what is said, and that its cure cures it

INNER_SMTP, SUBMISSION = f"{INNER_LINK}:smtp/inet", f"{INNER_LINK}:submission/inet"

POSTFIX = [  # label, postconf arguments, name of the check, severity, text
    ("no score", ["-e", "smtpd_milters=unix:dkim/dkim.sock"], "milters", "error", f"{INNER_LINK}:smtp: score.sock is not among the milters"),
    ("accept", ["-e", "milter_default_action=accept"], "milters", "error", 'treated with "accept"'),
    ("accept of one", ["-e", "smtpd_milters={ unix:score/score.sock, default_action=accept }, unix:dkim/dkim.sock"], "milters", "error",
     'while unix:score/score.sock is away, mail is treated with "accept"'),
    ("no seals", ["-e", "smtpd_milters=unix:score/score.sock"], "milters", "warning", "forwarded mail gets no ARC seal"),
    ("no dkim for programs", ["-e", "non_smtpd_milters="], "milters", "error", "what local programs send is not signed"),
    ("told to ask none", ["-P", f"{SUBMISSION}/receive_override_options=no_milters"], "milters", "error", "none of them is asked"),
    ("order", ["-P", f"{SUBMISSION}/smtpd_milters=unix:dkim/dkim.sock,unix:score/score.sock"], "milters", "error",
     "unix:score/score.sock stands behind unix:dkim/dkim.sock"),
    ("no policy on 25", ["-e", "smtpd_recipient_restrictions="], "stages", "error",
     "policy.sock is not asked in smtpd_recipient_restrictions"),
    ("no limits", ["-P", f"{SUBMISSION}/smtpd_end_of_data_restrictions="], "stages", "error", "limits of sending never count"),
    ("policy hidden", ["-e", f"submission_recipient_restrictions=permit_sasl_authenticated,{POLICY}"], "stages",
     "error", "stands behind permit_sasl_authenticated"),
    ("bare recipients", ["-e", f"submission_recipient_restrictions={POLICY}"], "stages", "warning",
     "a recipient without a domain gets around"),
    ("policy too early", ["-e", f"smtpd_client_restrictions={POLICY}"], "stages", "warning",
     "is asked in smtpd_client_restrictions"),
    ("Postfix's own default", ["-e", "smtpd_recipient_restrictions=check_policy_service unix:policy/policy.sock"], "stages",
     "warning", "451 after a long wait"),
    ("XCLIENT with networks", ["-P", f"{INNER_SMTP}/mynetworks=10.0.0.0/8"], "relay", "error", "an address inside may send"),
    ("open relay", ["-P", f"{INNER_SMTP}/smtpd_relay_restrictions=permit"], "relay", "error", "is an open relay"),
    ("all networks", ["-P", f"{SUBMISSION}/smtpd_relay_restrictions=permit_mynetworks,reject", "-e", "mynetworks=0.0.0.0/0"],
     "relay", "error", "mynetworks has 0.0.0.0/0"),
    ("no TLS", ["-P", f"{SUBMISSION}/smtpd_tls_security_level=may"], "tls", "error", "takes mail of users without TLS"),
    ("old TLS", ["-e", "smtpd_tls_mandatory_protocols=>=TLSv1"], "tls", "warning", "TLS older than 1.2"),
    ("no logins", ["-P", f"{SUBMISSION}/smtpd_sasl_auth_enable=no"], "tls", "error", "takes no logins"),
    ("other SASL", ["-e", "smtpd_sasl_type=cyrus"], "tls", "error", "does not ask Dovecot"),
    ("bare newlines", ["-e", "smtpd_forbid_bare_newline=no"], "settings", "warning", "smuggle"),
    ("short ids", ["-e", "enable_long_queue_ids=no"], "settings", "warning", "short queue ids"),
    ("no LMTP", ["-e", "virtual_transport=virtual"], "settings", "error", "not Dovecot's LMTP"),
]


def postconf(bed, args):
    for option, value in zip(args[::2], args[1::2]):
        bed.postfix.postconf(option, value)


@pytest.mark.parametrize("args, name, severity, text", [row[1:] for row in POSTFIX], ids=[row[0] for row in POSTFIX])
def test_postfix(inner, args, name, severity, text):
    postconf(inner, args)
    for problem in expect(inner, "postfix", f"postfix/{name}", severity, text, "postconf -"):
        inner.cure(problem[3])
    assert inner.problems("--only", "postfix") == []


def test_edge_that_may_not_say_who_the_client_is(inner):
    postconf(inner, ["-P", f"{INNER_SMTP}/smtpd_authorized_xclient_hosts=10.9.9.9"])
    expect(inner, "postfix", "postfix/relay", "error", f"no service takes XCLIENT from the edge host {EDGE_LINK}", "postwardctl setup")


def test_no_domain_of_ours(inner):
    inner.postfix.set("virtual_mailbox_domains=")
    expect(inner, "postfix", "postfix/settings", "error", "mail for our domains is refused", "postwardctl setup")


def test_settings_that_postfix_refuses(inner):
    (inner.postfix.etc / "main.cf").unlink()
    found = inner.problems("--only", "postfix")
    assert found[0][1:3] == ("error", found[0][2]) and "cannot be read" in found[0][2]
    assert all("could not look" in p[2] for p in found[1:])


@pytest.mark.parametrize("args, name, text", [
    (["-e", "in_flow_delay=1s"], "settings", "token of the flow control"),
    (["-e", "smtpd_milters=unix:origin/origin.sock, unix:other.sock"], "milters", "a recipient it refuses"),
    (["-e", "smtpd_milters="], "milters", "not handed to the inner host"),
    (["-P", f"{EDGE_LINK}:2525/inet/smtpd_milters=unix:origin/origin.sock"], "milters", "hand it back"),
])
def test_postfix_of_an_edge(edge, args, name, text):
    postconf(edge, args)
    for problem in expect(edge, "postfix", f"postfix/{name}", "error", text, "postconf -"):
        edge.cure(problem[3])
    assert edge.problems("--only", "postfix") == []


# Dovecot

def test_pam_is_asked_first(inner):
    conf = inner.etc / "dovecot/dovecot.conf"
    block = "passdb pam {\n}\n" if "passdb postward" in conf.read_text() else "passdb {\n  driver = pam\n}\n"
    text = conf.read_text()
    at = text.index("passdb")
    conf.write_text(text[:at] + block + text[at:])
    expect(inner, "dovecot", "dovecot/logins", "error", "asks pam about every login before postward",
           "postwardctl setup --regenerate")
    conf.write_text(text + "\n" + block)
    expect(inner, "dovecot", "dovecot/logins", "warning", "asks pam about logins that postward refused", "--regenerate")


def test_passwords_in_clear(inner):
    conf = inner.etc / "dovecot/dovecot.conf"
    # 2.4 refuses to be told both that and `ssl = required`
    wanted = ({"auth_allow_cleartext": "yes", "ssl": "yes"} if "dovecot_config_version" in conf.read_text()
              else {"disable_plaintext_auth": "no"})
    lines = [l for l in conf.read_text().splitlines() if l.partition("=")[0].strip() not in wanted]
    conf.write_text("\n".join([*lines, *(f"{n} = {v}" for n, v in wanted.items())]) + "\n")
    expect(inner, "dovecot", "dovecot/logins", "error", "takes passwords without TLS", "--regenerate")


def test_settings_that_dovecot_refuses(inner):
    with open(inner.etc / "dovecot/dovecot.conf", "a", encoding="utf8") as conf:
        conf.write("no_such_setting = 1\n")
    found = inner.problems("--only", "dovecot")
    assert found[0][:2] == ("dovecot/settings", "error") and "no_such_setting" in found[0][2]
    assert all("could not look" in p[2] for p in found[1:])


def test_quota_plugin_is_not_named(inner):
    conf = inner.etc / "dovecot/dovecot.conf"
    conf.write_text(conf.read_text().replace("quota_postward = yes", "").replace(" quota quota_postward", " quota"))
    expect(inner, "dovecot", "dovecot/modules", "error", "does not name quota_postward", "--regenerate")


def test_drop_in_of_the_other_release(inner):
    file = inner.etc / "dovecot/conf.d/05-postward-auth.conf"
    old = file.read_text()
    file.write_text("passdb {\n  driver = postward\n}\n" if "passdb postward" in old else "passdb postward {\n}\n")
    expect(inner, "dovecot", "dovecot/files", "error", "is written for Dovecot", "postwardctl setup --regenerate")
    file.unlink()
    expect(inner, "dovecot", "dovecot/files", "error", "05-postward-auth.conf: not found", "--regenerate")


def test_open_settings_file(inner):
    (inner.etc / "dovecot/postward-dovecot.conf").chmod(0o644)
    expect(inner, "dovecot", "dovecot/files", "error", "may be read by everybody", "chmod 0600 /etc/dovecot/postward-dovecot.conf")


# sockets

def test_absolute_path_in_a_chroot(inner):
    inner.postfix.set(f"non_smtpd_milters=unix:{inner.postfix.spool}/dkim/dkim.sock")
    expect(inner, "sockets", "sockets/milters", "error", "in the chroot: there is no such socket", "name it without")


def test_tables_by_an_absolute_path_in_a_chroot(inner):
    inner.postfix.set(f"virtual_alias_maps=socketmap:unix:{inner.postfix.spool}/policy/map.sock:aliases")
    expect(inner, "sockets", "sockets/tables", "error", "in the chroot: there is no such socket", "name it without")


def test_tables_that_postfix_may_not_open(inner):
    path = inner.postfix.spool / "policy/map.sock"
    path.chmod(0o600)
    try:
        expect(inner, "sockets", "sockets/tables", "error", "policy/map.sock as user postfix in the chroot: may not connect",
               "systemctl restart postward-map.socket")
    finally:
        path.chmod(0o660)


def test_socket_that_postfix_may_not_open(inner):
    path = inner.postfix.spool / "score/score.sock"
    path.chmod(0o600)
    try:
        expect(inner, "sockets", "sockets/milters", "error", "score/score.sock as user postfix in the chroot: may not connect",
               "systemctl restart postward-score.socket")
    finally:
        path.chmod(0o660)


def test_socket_of_another_group_of_postfix(inner):
    """A chroot has no /etc/group: the groups are those from before."""
    path = inner.postfix.spool / "score/score.sock"
    owner = path.stat()
    with open(inner.etc / "group", "a", encoding="utf8") as groups:
        groups.write("milters:x:61050:postfix\n")
    os.chown(path, 0, 61050)
    try:
        assert inner.problems("--only", "sockets") == []
    finally:
        os.chown(path, owner.st_uid, owner.st_gid)


def test_logins_over_tcp_are_no_socket(inner):
    inner.postfix.set("smtpd_sasl_path=inet:127.0.0.1:12345")
    assert inner.problems("--only", "sockets") == []


def test_program_that_hangs(inner):
    program = inner.stack.programs["postward-dkim"]
    program.process.kill(signal.SIGSTOP)
    try:
        expect(inner, "sockets", "sockets/milters", "error", "dkim/dkim.sock as user postfix in the chroot: nobody answers",
               "systemctl restart postward-dkim")
    finally:
        program.process.kill(signal.SIGCONT)


def test_policyd_away(inner):
    program = inner.stack.programs["postward-policyd"]
    program.stop()
    try:
        found = inner.problems("--only", "sockets")
        assert {p[0] for p in found} == {"sockets/policy", "sockets/tables", "sockets/guests"}
        assert {p[1] for p in found} == {"error"}
        assert len(found) == 4 and all("systemctl restart postward-" in p[3] for p in found)
    finally:
        program.start()


def test_clamd_that_does_not_answer(inner):
    """Mail passes without it, so that nobody would miss it."""
    conf = inner.etc / "postward/postward-score.conf"
    path = inner.root / "clamd.ctl"
    plain = conf.read_text()
    cure = "systemctl restart clamav-daemon"
    for spec, text in ((f"unix:{path}", "as user postward_score: there is no such socket: viruses pass"),
                       ("inet:127.0.0.1:3310", "as user postward_score: nobody listens"),
                       ("inet:localhost:3310", "is not unix:/PATH or inet:ADDRESS:PORT")):
        conf.write_text(f"{plain}clamav_socket = {spec}\n")
        expect(inner, "sockets", "sockets/clamav", "error", text, cure if "user" in text else "")
    conf.write_text(f"{plain}clamav_socket = unix:{path}\n")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        inner.root.chmod(0o755)
        listener.listen()
        expect(inner, "sockets", "sockets/clamav", "error", "nobody answers", cure)
        path.chmod(0o600)
        expect(inner, "sockets", "sockets/clamav", "error", "may not connect", cure)
        path.chmod(0o666)

        def clamd():
            for words in (b"PONG\0", b"UNKNOWN COMMAND\0"):
                client = listener.accept()[0]
                assert client.recv(99) == b"zPING\0"
                client.sendall(words)
                client.close()

        listener.accept()[0].close()  # of the one that gave up
        thread = threading.Thread(target=clamd)
        thread.start()
        assert inner.problems("--only", "sockets") == []
        expect(inner, "sockets", "sockets/clamav", "error", "something else answers", cure)
        thread.join()


def test_listener_open_to_others(inner):
    path = inner.stack.dovecot.root / "run/postward-doveadm"
    path.chmod(0o666)
    try:
        expect(inner, "sockets", "sockets/guests", "error", "is open to others than its owner (mode 0666)", "--regenerate")
    finally:
        path.chmod(0o600)


# the database

def test_database_away(inner):
    (inner.etc / "postward/postward.conf").write_text("database = host=/nowhere dbname=mail\n")
    answer = inner.check("--only", "database,clock,dns")
    found = {f"{c['group']}/{c['name']}": c for c in answer["checks"]}
    assert [p["severity"] for p in found["database/connection"]["problems"]] == ["error"]
    assert "cannot be reached" in found["database/connection"]["problems"][0]["text"]
    assert found["database/schema"]["skipped"] == found["dns/records"]["skipped"] == "the database cannot be reached"


def test_a_user_without_rights(inner):
    inner.edit("postward/postward-dkim.conf", "dbname=mail", "dbname=postgres")
    expect(inner, "database", "database/users", "error", "user postward_dkim cannot use the database", "postwardctl schema migrate")


def test_pending_migration(inner):
    folder = inner.root / "sql"
    shutil.copytree(inner.environment["PW_SQL_DIR"], folder)
    (folder / "9998-more.sql").write_text("SELECT 1;\n")
    expect(inner, "database", "database/schema", "error", "1 migrations of schema mail are not carried out",
           "postwardctl schema migrate", PW_SQL_DIR=str(folder))


def test_what_sql_finds_is_passed_on(inner):
    inner.stack.pg.sql("SELECT mail.add_alias('lost@example.test', 'nobody@example.test')")
    try:
        expect(inner, "database", "database/content", "error", "alias lost@example.test leads to nobody@example.test",
               "SELECT * FROM mail.who_gets('lost@example.test');")
    finally:
        inner.stack.pg.sql("DELETE FROM mail.virtual_aliases WHERE source = 'lost@example.test'")


def test_domain_that_postfix_gives_to_others(inner):
    inner.postfix.set("mydestination=localhost, Example.test")
    found = expect(inner, "database", "database/tables", "error", "Example.test is in mydestination: its mail goes to users",
                   "postconf -e 'mydestination = localhost'")
    inner.cure(found[0][3])
    assert inner.problems("--only", "database") == []


def test_table_that_does_not_answer(inner):
    inner.postfix.set("virtual_mailbox_domains=socketmap:unix:policy/map.sock:nothing")
    expect(inner, "database", "database/tables", "error", "Postfix does not find domain example.test", "postmap -vq example.test")


# certificates

@pytest.mark.parametrize("label, options, severity, text, cure", [
    ("few days", {"days": 5}, "warning", "expires in 4 days", "certbot renew"),
    ("another host", {"host": "other.test"}, "warning", "is not for inner.example.test", "certbot certonly"),
    ("self-signed", {"is_self_signed": True}, "warning", "self-signed", "certbot certonly --standalone -d inner.example.test"),
])
def test_certificate(inner, label, options, severity, text, cure):
    inner.use_certificate(*inner.certificate(label.replace(" ", "-"), **options))
    expect(inner, "certificates", "certificates/postfix", severity, text, cure)


def test_key_of_another_certificate(inner):
    cert, key = inner.certificate("one")[0], inner.certificate("two")[1]
    inner.use_certificate(cert, key)
    expect(inner, "certificates", "certificates/postfix", "error", "not that of the certificate", "postwardctl setup --cert")
    cert.chmod(0o600)
    inner.use_certificate(cert, cert)
    expect(inner, "certificates", "certificates/postfix", "error", "no private key in it", "--key FILE")
    inner.use_certificate("/nowhere.pem", key)
    expect(inner, "certificates", "certificates/postfix", "error", "/nowhere.pem: not found", "--cert FILE")


def test_key_that_everybody_reads(inner):
    cert, key = inner.certificate("open")
    key.chmod(0o644)
    inner.use_certificate(cert, key)
    expect(inner, "certificates", "certificates/postfix", "error", "everybody may read", f"chmod o= {key}")
    inner.postfix.set(f"smtpd_tls_chain_files={key}, {cert}")
    found = expect(inner, "certificates", "certificates/postfix", "error", "everybody may read", f"chmod o= {key}")
    assert len(found) == 1 and cert.stat().st_mode & 0o004
    key.chmod(0o600)
    assert inner.problems("--only", "certificates") == []


# DNS, lists, the way out

@pytest.fixture
def zone(running):
    """Names whose records a test takes away or adds; brought back afterwards."""
    changed = []

    def change(name, *records, old=()):
        running.dns.remove(name)
        running.dns.add(*records)
        changed.append((name, old))
    yield change
    for name, old in changed:
        running.dns.remove(name)
        running.dns.add(*old)


MX = "example.test. 60 MX 10 mx.example.test."
SPF = txt("example.test.", f"v=spf1 ip4:{EDGE} ip6:2001:db8::25 -all")


@pytest.mark.parametrize("records, severity, text", [
    ([MX], "error", "example.test TXT: there is no such record"),
    ([MX, txt("example.test.", "v=spf1 ip4:192.0.2.1 -all")], "error", "mail from 198.51.100.25 gets spf=fail"),
    ([MX, SPF, txt("example.test.", "v=spf1 -all")], "error", "several SPF records"),
    ([SPF], "error", "example.test MX: there is no such record"),
    ([SPF, "example.test. 60 MX 10 other.test."], "error", "other hosts take its mail; DNS says 10 other.test"),
])
def test_dns_records(inner, zone, records, severity, text):
    zone("example.test.", *records, old=[MX, SPF])
    expect(inner, "dns", "dns/records", severity, text, "publish in DNS: example.test. IN ")


def test_dns_of_a_key(inner, zone):
    name, record = next(iter(inner.stack.dkim_records.items()))
    zone(name, txt(name, "v=DKIM1; p=AAAA"), old=[txt(name, record)])
    expect(inner, "dns", "dns/records", "error", "it is another key", f"publish in DNS: {name} IN TXT")


def test_name_of_the_address(inner, zone):
    name = reverse(EDGE)
    zone(name, f"{name} 60 PTR mail.sender.test.", old=[f"{name} 60 PTR mx.example.test."])
    expect(inner, "dns", "dns/records", "error", "does not lead back", f"publish in DNS: {name} IN PTR mx.example.test.")


def test_no_dmarc_is_a_warning(inner, zone):
    zone("_dmarc.example.test.", old=[txt("_dmarc.example.test.", "v=DMARC1; p=reject")])
    expect(inner, "dns", "dns/records", "warning", "_dmarc.example.test TXT: there is no such record", "v=DMARC1")


def test_dns_that_does_not_answer(inner):
    inner.stack.dns.process.kill(signal.SIGSTOP)
    try:
        found = inner.problems("--only", "dns,lists", "--timeout", "4000")
    finally:
        inner.stack.dns.process.kill(signal.SIGCONT)
    assert found and all(p[1] == "warning" and p[2].startswith("could not look") for p in found), found


@pytest.mark.parametrize("answer, severity, text, cure", [
    ("127.0.0.2", "error", f"{EDGE} is on the list {LISTS[0]} (127.0.0.2)", "have it taken off at https://"),
    ("127.255.255.254", "warning", f"{LISTS[0]} answers no questions that come through this DNS server", "unbound"),
])
def test_lists(inner, zone, answer, severity, text, cure):
    name = ".".join(reversed(EDGE.split("."))) + f".{LISTS[0]}."
    zone(name, f"{name} 60 A {answer}")
    expect(inner, "lists", "lists/addresses", severity, text, cure)


def test_no_way_out(inner):
    found = inner.problems("--only", "outbound", "--probe", f"[{EDGE_LINK}]:2526")
    assert [p[:3] for p in found] == [("outbound/smtp", "error", f"mail cannot go out: {EDGE_LINK} port 2526: nobody listens")]
    inner.postfix.set("relayhost=[10.9.0.1]:nothing")
    expect(inner, "outbound", "outbound/smtp", "warning", "could not look: relayhost names no host and port", "")
    inner.postfix.set("relayhost=nowhere.test")
    expect(inner, "outbound", "outbound/smtp", "warning", "could not look: nowhere.test port 25", "")


def test_relay_behind_tls(inner):
    """Port 465 of a relay is silent until TLS begins."""
    with inner.ns.enter():
        silent = socket.create_server(("127.0.0.1", 465))
    with silent:
        assert inner.problems("--only", "outbound", "--probe", "[127.0.0.1]:submissions") == []


# ports, files

def test_internal_port_open_to_everybody(inner):
    inner.ns.ip("addr", "add", f"{PUBLIC}/32", "dev", "lo")
    try:
        with inner.ns.enter():
            listening = socket.create_server((PUBLIC, 5432))
        with listening:
            expect(inner, "ports", "ports/listening", "error", "port 5432 (PostgreSQL) is open to everybody", "listen_addresses")
    finally:
        inner.ns.ip("addr", "del", f"{PUBLIC}/32", "dev", "lo")


def test_nobody_listens(inner):
    inner.stack.dovecot.stop()
    try:
        expect(inner, "ports", "ports/listening", "error", "nobody listens on port 993", "systemctl restart dovecot")
        assert {p[0] for p in inner.problems("--only", "sockets")} == {"sockets/dovecot", "sockets/guests"}
    finally:
        inner.stack.dovecot.start()


@pytest.mark.skipif("ExecStart=/bin/true" not in Path("/lib/systemd/system/postfix.service").read_text(encoding="utf8"),
                    reason="Postfix is no instance here")
def test_fail2ban_looks_for_the_wrong_unit(inner):
    folder = inner.etc / "fail2ban/filter.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "postfix.conf").write_text("[Init]\n\njournalmatch = _SYSTEMD_UNIT=postfix.service\n")
    found = expect(inner, "fail2ban", "fail2ban/journal", "warning", "it never bans", "/etc/fail2ban/filter.d/postfix.local")
    made = found[0][3].split(" && ")[0].replace("/etc/fail2ban", str(inner.etc / "fail2ban"))
    subprocess.run(["sh", "-c", made], check=True)
    assert inner.problems("--only", "fail2ban") == []


def test_numbers_that_stand_still(inner):
    file = inner.stack.programs["postward-score"].state / "metrics.prom"
    text = file.read_text()
    old = time.time() - 1000
    os.utime(file, (old, old))
    expect(inner, "snapshots", "snapshots/age", "warning", "postward-score wrote its numbers last", "systemctl restart postward-score")
    file.write_text(text.replace("snapshot_age_seconds ", "snapshot_age_seconds 9999") + "")
    expect(inner, "snapshots", "snapshots/age", "error", "postward-score goes by data", "postwardctl check --only database")
    file.write_text(text)


def test_numbers_that_were_never_written(inner):
    inner.edit("postward/postward-dkim.conf", "state_directory = ", "state_directory = /nowhere")
    expect(inner, "snapshots", "snapshots/age", "warning", "postward-dkim has never written its numbers",
           "systemctl restart postward-dkim")


def test_mail_on_hold(inner):
    folder = inner.postfix.spool / "hold"
    folder.mkdir(exist_ok=True)
    (folder / "4fQ2xT1z9Yz").write_text("x")
    try:
        expect(inner, "queue", "queue/mail", "warning", "1 messages are on hold", "postqueue -p")
    finally:
        (folder / "4fQ2xT1z9Yz").unlink()


def test_mail_that_an_edge_holds(edge):
    folder = edge.postfix.spool / "hold"
    folder.mkdir(exist_ok=True)
    (folder / "4fQ2xT1z9Yz").write_text("x")
    try:
        problems = {p[0]: p[1:] for p in edge.problems("--only", "edge,queue")}
        severity, text, cure = problems["edge/held"]
        assert severity == "warning" and "1 messages are on hold" in text and cure == "postwardctl edge held"
        assert "queue/mail" not in problems  # told once
    finally:
        (folder / "4fQ2xT1z9Yz").unlink()


# the command

def test_without_the_network(inner):
    answer = inner.check("--only", "dns,lists,outbound", "--no-network")
    assert answer["ok"] and {c["skipped"] for c in answer["checks"]} == {"not asked (--no-network)"}


def test_wrong_use(inner):
    for args in (["--only", "nothing"], ["--only", ""], ["--timeout", "0"], ["more"], ["--none"]):
        assert inner.ctl("check", *args).returncode == 2
    assert "postfix      milters" in inner.ctl("check", "--list").stdout
    assert inner.ctl("check", "--help").returncode == 0


def test_text_for_people(inner):
    inner.postfix.set("enable_long_queue_ids=no")
    done = inner.ctl("check", "--only", "postfix,space")
    assert done.returncode == 1
    assert "postfix      relay        ok\n" in done.stdout
    assert ("    warning: enable_long_queue_ids is \"no\": short queue ids repeat, and the history mixes up messages\n"
            "      cure: postconf -e 'enable_long_queue_ids = yes' && postfix reload\n") in done.stdout
    assert done.stdout.endswith("inner host: 0 errors, 1 warnings\n")


def behind(command, *wrapper):
    """The command with postwardctl started by another one."""
    at = next(i for i, part in enumerate(command) if str(part).endswith("bin/postwardctl"))
    return [*command[:at], *wrapper, *command[at:]]


def test_somebody_else_than_root(inner):
    command = behind(inner.command("check", "--json", "--only", "postfix,sockets,services,database,queue"),
                     "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, **inner.environment})
    assert done.returncode == 1, done.stderr
    assert '"could not look: only root' in done.stdout
    assert '"cure":"sudo postwardctl check"' in done.stdout.replace(": ", ":")


def test_started_by_who_ignores_children(inner):
    command = behind(inner.command("check", "--json", "--only", "postfix,sockets,services,database"),
                     "env", "--ignore-signal=CHLD")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, **inner.environment})
    assert done.returncode == 0, done.stdout


def test_nothing_hangs(inner):
    """A database that accepts and never answers, and a check ends all the same."""
    silent = inner.root / "silent"
    silent.mkdir(exist_ok=True)
    path = silent / ".s.PGSQL.5432"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    path.chmod(0o777)
    server.listen(50)
    (inner.etc / "postward/postward.conf").write_text(f"database = host={silent} dbname=mail\n")
    try:
        found = inner.problems("--only", "database,clock,dns", "--timeout", "2000")
    finally:
        server.close()
        path.unlink()
    assert any("given up" in p[2] for p in found), found

"""postwardctl setup on hosts of its own: what it writes, that it says so before, does it once, goes
back, and that mail flows through it."""
import os
import re
import shutil
import smtplib
import stat
import subprocess
import textwrap

import pytest
from setup_bed import DOMAIN, MAIN_CF, PEER, PRIVATE, Bed
from stack import dialect
from stack.clients import Imap, SmtpClient
from stack.netns import run
from stack.proc import wait_until

POLICY = "check_policy_service { unix:postward/policy.sock, timeout=5s, try_limit=2, default_action=%s }"
ADMIN = f"postmaster@{DOMAIN}"
VPN = ("--listen-private", PRIVATE, "--peer", PEER)


@pytest.fixture
def bed():
    with Bed() as host:
        yield host.start_postgres()


def certificate(folder, name, days=30):
    """A certificate and its key, as certbot lays them out."""
    folder.mkdir(parents=True)
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj",
        f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", folder / "privkey.pem",
        "-out", folder / "fullchain.pem")


# before anything is changed

def test_a_dry_run_shows_the_lines_and_changes_nothing(bed):
    before = bed.tree()
    done = bed.setup("--dry-run", "--role", "single", "--domain", DOMAIN)
    assert done.returncode == 0, done.stderr
    for line in ("database: create postward",
                 "postconf -e 'virtual_transport = lmtp:unix:private/dovecot-lmtp'",
                 f"postconf -e 'smtpd_recipient_restrictions = reject_non_fqdn_recipient, {POLICY % 'DUNNO'}'",
                 "write /etc/dovecot/postward-dovecot.conf (0600 root:root)",
                 "    +database = host=/run/postgresql dbname=postward user=dovecot",
                 f"database: add mailbox {ADMIN} with a new password"):
        assert line in done.stdout
    assert bed.tree() == before
    assert bed.sql("SELECT count(*) FROM pg_database WHERE datname = 'postward'", "postgres") == "0"


@pytest.mark.parametrize("code, words, args", [
    (2, "--domain is missing", ["--yes"]),
    (2, "give --yes", ["--domain", DOMAIN]),
    (2, "single, edge or inner", ["--yes", "--role", "double", "--domain", DOMAIN]),
    (2, "--listen-private is missing", ["--yes", "--role", "inner", "--domain", DOMAIN]),
    (2, "--peer is missing", ["--yes", "--role", "edge", "--domain", DOMAIN, "--listen-private", PEER]),
    (2, "usage:", ["--undo", "--regenerate"]),
    (65, "not a full domain name", ["--yes", "--domain", "no_dot"]),
    (65, "not a full domain name", ["--yes", "--domain", DOMAIN, "--hostname", "mail"]),
    (65, "xn--", ["--yes", "--domain", "exämple.test"]),
    (65, "not an address of the domain", ["--yes", "--domain", DOMAIN, "--admin", "ann@elsewhere.test"]),
    (65, "not an IP address", ["--yes", "--domain", DOMAIN, "--listen-private", "vpn"]),
    (65, "not an address of a network", ["--yes", "--domain", DOMAIN, "--listen-private", "127.0.0.1"]),
    (65, "give both or none", ["--yes", "--domain", DOMAIN, "--cert", "/etc/hostname"]),
    (65, "cannot be read", ["--yes", "--domain", DOMAIN, "--cert", "/no", "--key", "/no"]),
    (65, "only for the role edge", ["--yes", "--domain", DOMAIN, "--fallback", "queue"]),
    (65, "queue or defer", ["--yes", "--role", "edge", "--domain", DOMAIN, "--listen-private", PEER,
                            "--peer", PRIVATE, "--fallback", "bounce"]),
    (65, "socketmap or pgsql", ["--yes", "--domain", DOMAIN, "--tables", "hash"]),
    (65, "no password in it", ["--yes", "--domain", DOMAIN, "--database", "dbname=postward password=x"]),
    (65, "no sslpassword in it", ["--yes", "--domain", DOMAIN, "--database", "dbname=postward sslpassword=x"]),
], ids=lambda v: v if isinstance(v, str) else "")
def test_what_makes_no_sense_is_refused_before_anything_is_done(shared_bed, code, words, args):
    before = shared_bed.tree()
    done = shared_bed.setup(*args)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert shared_bed.tree() == before


@pytest.fixture(scope="module")
def shared_bed():
    with Bed() as host:
        yield host.start_postgres()


def test_who_is_not_root_is_told_so(shared_bed):
    done = subprocess.run(shared_bed.command("setpriv", "--reuid=nobody", "--regid=nogroup",
                                             "--clear-groups", "/proc/self/exe"), check=False)
    assert done.returncode != 0
    program = shared_bed.path("/var/log/postwardctl")
    program.write_bytes(open(f"{os.environ.get('PW_BUILD', 'build')}/bin/postwardctl", "rb").read())
    program.chmod(0o755)
    done = subprocess.run(shared_bed.command("setpriv", "--reuid=nobody", "--regid=nogroup",
                                             "--clear-groups", "/var/log/postwardctl", "setup", "--yes"),
                          check=False, capture_output=True, text=True)
    assert (done.returncode, "run it as root" in done.stderr) == (77, True)


def test_without_a_database_nothing_is_begun():
    with Bed() as host:
        before = host.tree()
        done = host.setup("--yes", "--domain", DOMAIN)
        assert done.returncode == 69 and "apt install" in done.stderr
        assert host.tree() == before


# once, again, and back

def test_single_is_set_up_once_and_undone_byte_for_byte(bed):
    before = bed.tree()
    first = bed.set_up()
    assert len(first["password"]) >= 16 and first["admin"] == ADMIN
    assert {r["type"] for r in first["dns"]} >= {"MX", "TXT"}
    after = bed.tree()
    assert not set(before) - set(after)

    again = bed.set_up()
    assert again["changes"] == 0 and "password" not in again
    assert bed.tree() == after
    text = bed.setup("--yes").stdout
    assert "nothing to change" in text and "password" not in text.lower().replace("passwords", "")

    done = bed.setup("--undo")
    assert done.returncode == 0, done.stderr
    assert bed.tree() == before
    assert "nothing to undo" in bed.setup("--undo").stdout
    # and forth again, with the database of before
    assert "password" not in bed.set_up()
    assert bed.tree().keys() == after.keys()


def test_modes_keep_secrets(bed):
    bed.set_up()
    modes = {p: (stat.S_IMODE(s[1]), s[3]) for p, s in bed.tree().items()}
    postfix = bed.path("/etc/group").read_text().split("\npostfix:x:")[1].split(":")[0]
    assert modes["etc/dovecot/postward-dovecot.conf"] == (0o600, 0)
    assert modes["etc/postward/tls/privkey.pem"] == (0o600, 0)
    assert modes["etc/postward/postfix/domain.cf"] == (0o640, int(postfix))
    assert modes["etc/postward/setup.conf"] == (0o640, 61006)
    assert stat.S_IMODE(bed.path("/var/lib/postward/setup").stat().st_mode) == 0o700


def test_a_strict_umask_keeps_nobody_from_what_he_has_to_read(bed):
    done = bed.shell(f"umask 077; {bed.program} setup --yes --domain {DOMAIN}")
    assert done.returncode == 0, done.stderr
    for user, path in (("postfix", "/etc/postward/postfix/domain.cf"), ("postfix", "/etc/postfix/main.cf"),
                       ("vmail", "/etc/dovecot/sieve/junk.svbin"), ("vmail", "/etc/dovecot/sieve/retry.svbin"),
                       ("postward_score", "/etc/postward")):
        bed.run("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "test", "-r", path)


def test_undo_leaves_what_was_changed_since(bed):
    before = bed.tree()
    bed.set_up()
    bed.run("postconf", "-e", "message_size_limit=1234567")
    changed = bed.path("/etc/postfix/main.cf").read_bytes()
    done = bed.setup("--undo")
    assert done.returncode == 1 and "left /etc/postfix/main.cf" in done.stdout
    assert bed.path("/etc/postfix/main.cf").read_bytes() == changed
    assert not bed.path("/etc/dovecot/conf.d/95-postward.conf").exists()
    done = bed.setup("--undo", "--force")
    assert done.returncode == 0
    assert bed.tree() == before


def test_undo_holds_what_waits(bed):
    """The Postfix of before takes no mail for the domain: it would send it back."""
    bed.path("/var/log/mail.log").touch()
    bed.path("/var/log/mail.log").chmod(0o666)  # postsuper gives up root before it logs
    bed.set_up()
    bed.start_programs()
    bed.run("newaliases")
    bed.run("postfix", "start")  # and no Dovecot
    bed.shell(f"printf 'Subject: waits\\n\\nHello\\n' | sendmail -f ann@sender.test {ADMIN}")
    files = lambda queue: [f for f in bed.path(f"/var/spool/postfix/{queue}").rglob("*") if f.is_file()]
    wait_until(lambda: files("deferred"), what="a deferred message")
    done = bed.setup("--undo")
    assert done.returncode == 0 and "on hold: 1 message(s)" in done.stdout, done.stdout + done.stderr
    assert len(files("hold")) == 1 and files("deferred") == files("active") == files("incoming") == []


def test_undo_is_done_with_what_somebody_has_removed(bed):
    before = bed.tree()
    bed.set_up()
    bed.path("/etc/dovecot/conf.d/95-postward.conf").unlink()
    done = bed.setup("--undo")
    assert (done.returncode, done.stdout.count("left ")) == (0, 0), done.stdout
    assert bed.tree() == before


@pytest.mark.parametrize("at", ["-e", "-Me"])
def test_a_failure_in_the_middle_is_mended_by_undo_or_another_run(bed, at):
    before = bed.tree()
    folder = bed.path("/var/log/bin")
    folder.mkdir()
    (folder / "postconf").write_text(f'#!/bin/sh\n[ "$1" != {at} ] || exit 1\nexec /usr/sbin/postconf "$@"\n')
    (folder / "postconf").chmod(0o755)
    for mend in ("undo", "again"):
        bed.environment = {"PATH": f"/var/log/bin:{os.environ['PATH']}"}
        done = bed.setup("--yes", "--domain", DOMAIN)
        assert done.returncode not in (0, 1, 2) and "--undo" in done.stderr
        bed.environment = {}
        if mend == "undo":
            assert bed.setup("--undo").returncode == 0
            assert bed.tree() == before
        else:
            bed.set_up()
            assert bed.set_up()["changes"] == 0
    assert bed.setup("--undo").returncode == 0
    assert bed.tree() == before


def test_the_run_after_a_stopped_one_tells_everybody_to_read_anew(bed):
    local = bed.path("/etc/dovecot/local.conf")
    good = local.read_text()
    local.write_text(good + "no_such_setting = yes\n")
    assert bed.setup("--yes", "--domain", DOMAIN).returncode not in (0, 1, 2)
    local.write_text(good)
    served = [s for s in bed.set_up()["steps"] if s.startswith(("reload", "restart"))]
    assert served == ["restart postward-score", "restart postward-dkim", "restart postward-policyd",
                      "restart dovecot", "restart postfix"]
    # Postfix's settings are written, its own check fails
    bed.run("postconf", "-X", "virtual_transport")
    folder = bed.path("/var/log/bin")
    folder.mkdir()
    (folder / "postfix").write_text("#!/bin/sh\nexit 1\n")
    (folder / "postfix").chmod(0o755)
    bed.environment = {"PATH": f"/var/log/bin:{os.environ['PATH']}"}
    assert bed.setup("--yes").returncode not in (0, 1, 2)
    bed.environment = {}
    assert bed.set_up()["steps"][-2:] == ["run postfix check", "restart postfix"]
    assert bed.set_up()["changes"] == 0


def test_whoever_stops_reading_does_not_stop_it(bed):
    done = bed.shell(f"{bed.program} setup --yes --domain {DOMAIN} | true")
    assert done.returncode == 0
    assert bed.set_up()["changes"] == 0


def test_another_role_wants_undo_first(bed):
    bed.set_up()
    done = bed.setup("--yes", "--role", "inner", *VPN)
    assert done.returncode == 65 and "--undo" in done.stderr


def test_a_database_elsewhere(bed):
    where = "host=127.0.0.1 dbname=postward user=postgres connect_timeout=5"
    notes = bed.set_up("--database", where)["notes"]
    assert any("remote-postgresql" in n for n in notes)
    assert bed.path("/etc/postward/postward.conf").read_text() == f"database = {where}\n"
    dovecot = bed.path("/etc/dovecot/postward-dovecot.conf")
    assert dovecot.read_text() == f"database = {where} user=dovecot\n"
    table = bed.path("/etc/postward/postfix/domain.cf")
    assert ("hosts = postgresql://postfix@/postward?connect_timeout=5&host=127.0.0.1"
            "&passfile=%2Fetc%2Fpostward%2Fpostfix%2Fpgpass\nretry_interval = 5\n") in table.read_text()
    assert bed.run("postmap", "-q", DOMAIN, "pgsql:/etc/postward/postfix/domain.cf").strip() == DOMAIN
    # what the administrator writes into them then is no concern of setup
    dovecot.write_text(dovecot.read_text().replace("\n", " password=secret\n"))
    assert bed.set_up()["changes"] == 0


# what is there stays

def test_lists_of_the_administrator_are_merged():
    main_cf = MAIN_CF.replace("mydestination = $myhostname", f"mydestination = $myhostname, {DOMAIN}") + (
        "smtpd_milters = inet:localhost:8891\n"
        "non_smtpd_milters = inet:localhost:8891\n"
        "virtual_alias_maps = hash:/etc/postfix/virtual\n"
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination,\n"
        "  reject_rbl_client zen.example, check_policy_service inet:127.0.0.1:10023, permit\n")
    master_cf = ("submission inet n - y - - smtpd\n  -o syslog_name=mine\n"
                 "  -o smtpd_client_restrictions=permit_mynetworks\n"
                 "  -o { smtpd_recipient_restrictions = permit_sasl_authenticated, reject }\n"
                 "  -o smtpd_sasl_type=cyrus\n")
    with Bed(main_cf, master_cf) as host:
        before = host.start_postgres().tree()
        notes = host.set_up()["notes"]
        assert any("users of this system" in n for n in notes)
        assert host.main("mydestination") == "$myhostname, localhost.example.test, localhost"
        assert host.main("smtpd_milters") == ("unix:postward/score.sock, inet:localhost:8891, "
                                              "unix:postward/dkim.sock")
        assert host.main("non_smtpd_milters") == "inet:localhost:8891, unix:postward/dkim.sock"
        assert host.main("submission_milters") == (
            "unix:postward/score.sock, inet:localhost:8891, unix:postward/dkim.sock")
        assert host.main("virtual_alias_maps") == (
            "hash:/etc/postfix/virtual, socketmap:unix:postward/map.sock:aliases")
        restrictions = " ".join(host.main("smtpd_recipient_restrictions").split())
        assert restrictions == (
            "reject_non_fqdn_recipient, permit_mynetworks, reject_unauth_destination, "
            "reject_rbl_client zen.example, "
            f"check_policy_service inet:127.0.0.1:10023, {POLICY % 'DUNNO'}, permit")
        own = host.service("submission")
        assert own["syslog_name"] == "mine" and own["smtpd_client_restrictions"] == "permit_mynetworks"
        assert own["smtpd_relay_restrictions"] == "permit_sasl_authenticated,reject"
        assert own["smtpd_tls_security_level"] == "encrypt" and own["smtpd_sasl_type"] == "dovecot"
        assert own["smtpd_recipient_restrictions"] == (
            "reject_non_fqdn_recipient,$submission_policy,permit_sasl_authenticated,reject")
        assert host.set_up()["changes"] == 0
        host.setup("--undo")
        assert host.tree() == before


TABLES = {"virtual_mailbox_domains": ("domains", "domain"), "virtual_mailbox_maps": ("mailboxes", "mailbox"),
          "virtual_alias_maps": ("aliases", "alias")}


def tables(host):
    return {name: host.main(name) for name in TABLES}


def test_tables_of_an_earlier_version_are_exchanged_where_they_stand(bed):
    """Looked up in SQL by what setup wrote then; and whoever wants that is let have it."""
    ours = {name: f"socketmap:unix:postward/map.sock:{table}" for name, (table, _) in TABLES.items()}
    theirs = {name: f"proxy:pgsql:/etc/postward/postfix/{file}.cf" for name, (_, file) in TABLES.items()}
    bed.run("postconf", "-e", *(f"{name} = {value}" for name, value in theirs.items()))
    bed.run("postconf", "-e", f"virtual_alias_maps = {theirs['virtual_alias_maps']}, hash:/etc/postfix/virtual")
    before = bed.tree()
    bed.set_up()
    assert tables(bed) == {**ours, "virtual_alias_maps": ours["virtual_alias_maps"] + ", hash:/etc/postfix/virtual"}
    bed.setup("--undo")
    assert bed.tree() == before
    bed.set_up("--tables", "pgsql")
    assert tables(bed) == {**theirs, "virtual_alias_maps": theirs["virtual_alias_maps"] + ", hash:/etc/postfix/virtual"}
    assert bed.set_up()["changes"] == 0  # it is remembered
    bed.set_up("--tables", "socketmap")
    assert tables(bed)["virtual_mailbox_maps"] == ours["virtual_mailbox_maps"]


def test_a_host_with_the_domain_as_its_name_is_no_local_destination(bed):
    bed.set_up("--hostname", DOMAIN)
    assert bed.main("mydestination") == "localhost.example.test, localhost"
    assert bed.main("myhostname") == DOMAIN


def test_no_open_relay_is_left_open():
    main_cf = MAIN_CF.replace("permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
                              "permit_mynetworks, permit")
    with Bed(main_cf) as host:
        host.start_postgres().set_up()
        assert host.main("smtpd_relay_restrictions") == (
            "permit_mynetworks, reject_unauth_destination, permit")


def test_postfix_without_a_main_cf():
    with Bed(main_cf=None) as host:
        before = host.start_postgres().tree()
        host.set_up()
        assert host.main("virtual_transport") == "lmtp:unix:private/dovecot-lmtp"
        assert host.main("mynetworks").startswith("127.0.0.0/8")
        assert "submissions" in host.services() and "smtp" in host.services()
        assert host.set_up()["changes"] == 0
        host.setup("--undo")
        assert host.tree() == before


# certificates

def test_certificates_are_found_and_looked_at(bed):
    live = bed.path("/etc/letsencrypt/live")
    certificate(live / "mail.example.test", "mail.example.test")
    certificate(live / "other", "other.example.net")
    other = [f"/etc/letsencrypt/live/other/{n}.pem" for n in ("fullchain", "privkey")]
    done = bed.setup("--yes", "--domain", DOMAIN, "--cert", other[0], "--key", other[1])
    assert done.returncode == 65 and "is not for the name mail.example.test" in done.stderr
    done = bed.setup("--yes", "--domain", DOMAIN, "--cert", other[0], "--key",
                     "/etc/letsencrypt/live/mail.example.test/privkey.pem")
    assert done.returncode == 65 and "is not the key of" in done.stderr
    assert not [n for n in bed.set_up()["notes"] if "signed" in n]
    assert bed.main("smtpd_tls_cert_file") == "/etc/letsencrypt/live/mail.example.test/fullchain.pem"
    assert "/live/mail.example.test/fullchain.pem" in bed.run("doveconf", "-n")


def test_a_certificate_of_ones_own_stays(bed):
    certificate(bed.path("/etc/mine"), "mail.elsewhere.test")
    bed.run("postconf", "-e", "smtpd_tls_cert_file=/etc/mine/fullchain.pem",
            "smtpd_tls_key_file=/etc/mine/privkey.pem")
    notes = bed.set_up()["notes"]
    assert any("is not for the name" in n for n in notes)
    assert bed.main("smtpd_tls_cert_file") == "/etc/mine/fullchain.pem"


def test_an_upgrade_of_dovecot_judges_no_certificate(bed):
    folder = bed.path("/etc/mine")
    certificate(folder, "mail.example.test")
    bed.set_up("--cert", "/etc/mine/fullchain.pem", "--key", "/etc/mine/privkey.pem")
    shutil.rmtree(folder)
    certificate(folder, "other.example.net")
    before = bed.tree()
    bed.path("/etc/dovecot/conf.d/95-postward.conf").write_text("")
    done = bed.setup("--regenerate")
    assert done.returncode == 0, done.stderr
    assert bed.tree() == before


# the two hosts of an edge

def test_inner_serves_the_private_address_alone(bed):
    bed.set_up("--hostname", "inner.example.test", *VPN, role="inner")
    assert set(bed.services()) == {f"{a}:{n}" for a in (PRIVATE, "127.0.0.1")
                                   for n in ("smtp", "submission", "submissions")} | {
        f"{PRIVATE}:10587", f"{PRIVATE}:10465"}
    peer = bed.service(f"{PRIVATE}:smtp")
    assert peer["smtpd_authorized_xclient_hosts"] == PEER and peer["mynetworks"] == ""
    assert peer["smtpd_relay_restrictions"] == "reject_unauth_destination"
    assert bed.main("relayhost") == f"[{PEER}]:2525"
    assert "ip_nonlocal_bind = 1" in bed.path("/etc/sysctl.d/60-postward.conf").read_text()
    assert set(re.findall(r"[\d.]+", bed.run("doveconf", "-h", "listen"))) == {PRIVATE, "127.0.0.1"}
    through = bed.service(f"{PRIVATE}:10465")
    assert through["smtpd_upstream_proxy_protocol"] == "haproxy" and through["mynetworks"] == ""
    assert bed.run("doveconf", "-h", "haproxy_trusted_networks").strip() == PEER
    assert bed.set_up(*VPN, role="inner")["changes"] == 0
    # before the VPN is up, too
    bed.start_servers()
    listening = {l.split()[3].rpartition(":")[0] for l in bed.run("ss", "-Hltn").splitlines()}
    assert listening == {PRIVATE, "127.0.0.1"}
    everywhere = [l.split()[3] for l in bed.run("ss", "-Hltn").splitlines()]
    assert {p for p in everywhere if re.search(r":1\d{4}$", p)} == {
        f"{PRIVATE}:{n}" for n in (10465, 10587, 10993, 10995, 14190)}


def test_edge_opens_no_database():
    with Bed() as host:
        before = host.tree()
        host.set_up("--hostname", "mx.example.test", "--listen-private", PEER, "--peer", PRIVATE,
                    role="edge")
        assert host.main("smtpd_milters") == "unix:postward/origin.sock"
        assert host.main("relay_domains") == DOMAIN and host.main("mynetworks") == ""
        assert host.main("in_flow_delay") == "0" and host.main("max_use") == "1000"
        listener = host.service(f"{PEER}:2525")
        assert listener["smtpd_milters"] == "" and listener["mynetworks"] == f"{PRIVATE}/32"
        origin = host.path("/etc/postward/postward-origin.conf").read_text()
        assert origin == (f"inner = {PRIVATE}:25\ntrace_name = mx.example.test\n"
                          "stamp_keys = /etc/postward/origin.keys\n")
        keys = host.path("/etc/postward/origin.keys")
        assert (stat.S_IMODE(keys.stat().st_mode), keys.stat().st_uid) == (0o600, 61001)
        assert not host.path("/etc/dovecot/conf.d/95-postward.conf").exists()
        assert host.setup("--yes").stdout.count("nothing to change") == 1
        host.setup("--undo")
        assert host.tree() == before


def test_an_edge_that_queues_behind_postscreen():
    with Bed() as host:
        before = host.tree()
        vpn = ("--listen-private", PEER, "--peer", PRIVATE)
        host.set_up("--hostname", "mx.example.test", *vpn, "--fallback", "queue", "--postscreen", "yes",
                    role="edge")
        services = {" ".join(l.split()[:2]): l.split()[7:] for l in host.run("postconf", "-M").splitlines()}
        assert services["smtp inet"] == ["postscreen"] and services["smtpd pass"] == ["smtpd"]
        assert services["postward unix"][0] == "lmtp" and "dnsblog unix" in services
        hold = host.service("127.0.0.1:10027")
        assert hold["smtpd_recipient_restrictions"] == "check_recipient_access,static:HOLD"
        assert hold["smtpd_milters"] == "" and hold["mynetworks"] == "127.0.0.1/32"
        assert host.main("relay_transport") == "postward:unix:postward/queue.sock"
        origin = host.path("/etc/postward/postward-origin.conf").read_text()
        assert "fallback = queue\nhold_listener = 127.0.0.1:10027\n" in origin
        # remembered; and taken back by the other word
        assert host.setup("--yes").stdout.count("nothing to change") == 1
        host.set_up(*vpn, "--fallback", "defer", role="edge")
        assert "127.0.0.1:10027" not in host.services()
        assert "fallback = defer" in host.path("/etc/postward/postward-origin.conf").read_text()
        host.setup("--undo")
        assert host.tree() == before


def test_settings_of_ones_own_for_origin_stay():
    with Bed() as host:
        path = host.path("/etc/postward/postward-origin.conf")
        path.parent.mkdir()
        path.write_text("# mine\ndot_timeout = 100s\ninner = 192.0.2.1:25\n")
        host.set_up("--listen-private", PEER, "--peer", PRIVATE, role="edge")
        assert path.read_text().startswith(f"# mine\ndot_timeout = 100s\ninner = {PRIVATE}:25\n")
        # an inner host of another make, whose port 25 is taken
        path.write_text(path.read_text().replace(f"{PRIVATE}:25", f"{PRIVATE}:2526"))
        host.set_up("--fallback", "queue", role="edge")
        assert f"inner = {PRIVATE}:2526\n" in path.read_text() and "fallback = queue\n" in path.read_text()


# a Dovecot that runs

def test_a_dovecot_that_runs_already_takes_what_is_written(bed):
    bed.run("postfix", "start")
    bed.start_dovecot()
    bed.password = bed.set_up()["password"]
    bed.wait_for_dovecot()
    with login(bed) as imap:
        assert imap.select("INBOX")[0] == "OK"


# Dovecot of another release

def test_regenerate_writes_the_dialect_that_is_there_now(bed):
    bed.set_up()
    drop_in = bed.path("/etc/dovecot/conf.d/95-postward.conf")
    mine = drop_in.read_text()
    assert bed.setup("--regenerate").returncode == 0
    assert drop_in.read_text() == mine

    folder = bed.path("/var/log/bin")
    folder.mkdir()
    other = "2.3.19" if dialect.is_2_4() else "2.4.1"
    (folder / "dovecot").write_text(f"#!/bin/sh\necho '{other} (test)'\n")
    (folder / "dovecot").chmod(0o755)
    bed.environment = {"PATH": f"/var/log/bin:{os.environ['PATH']}"}
    done = bed.setup("--regenerate")
    assert f"for Dovecot {other[:3]}" in drop_in.read_text()
    # this Dovecot is not the one it was written for, and that is said
    assert done.returncode == 1 and "Dovecot does not take its settings" in done.stderr
    bed.environment = {}
    assert bed.setup("--regenerate").returncode == 0
    assert drop_in.read_text() == mine


# mail

@pytest.fixture(scope="module")
def running():
    with Bed() as host:
        host.start_postgres()
        host.password = host.set_up()["password"]
        host.start_programs()
        host.wait_for_keys()
        host.start_servers()
        yield host
        assert not [l for l in host.log().splitlines() if "Panic" in l or "Fatal" in l]


def message(message_id, sender=ADMIN):
    return textwrap.dedent(f"""\
        From: {sender}
        To: {ADMIN}
        Subject: through what setup wrote
        Message-ID: {message_id}
        Date: Mon, 02 Nov 2026 10:00:00 +0000

        Hello
        """).replace("\n", "\r\n")


def test_mail_comes_in_and_strangers_do_not_relay(running):
    with SmtpClient(running, "127.0.0.1", 25) as client:
        assert "auth" not in client.smtp.esmtp_features
        result = client.send("ann@sender.test", [ADMIN, f"abuse@{DOMAIN}"],
                             message("<in@sender.test>", "ann@sender.test"))
        assert result["data"].code == 250, result
    # from anywhere but this host
    running.run("ip", "addr", "add", "192.0.2.10/32", "dev", "lo")
    with SmtpClient(running, "192.0.2.10", 25, source="192.0.2.10") as client:
        client.command("MAIL FROM:<ann@sender.test>")
        assert client.command("RCPT TO:<bob@elsewhere.test>").code == 554
        assert client.command(f"RCPT TO:<nobody@{DOMAIN}>").code == 550
        assert client.command(f"RCPT TO:<{ADMIN}>").code == 250
    with login(running) as imap:
        wait_until(lambda: imap.find("<in@sender.test>"), what="delivery")


def login(host, password=None):
    imap = Imap(host, "127.0.0.1")
    imap.login(ADMIN, password or host.password)
    return imap


def test_submission_wants_tls_before_all(running):
    with SmtpClient(running, "127.0.0.1", 587) as client:
        assert "auth" not in client.smtp.esmtp_features
        assert client.command(f"MAIL FROM:<{ADMIN}>").code == 530


@pytest.mark.parametrize("port, tls", [(587, "starttls"), (465, "wrapped")])
def test_users_send_with_tls_and_a_password(running, port, tls):
    with SmtpClient(running, "127.0.0.1", port, tls=tls, login=(ADMIN, running.password)) as client:
        result = client.send(ADMIN, [ADMIN], message(f"<out{port}@{DOMAIN}>"))
        assert result["data"].code == 250, result
    with login(running) as imap:
        found = wait_until(lambda: imap.find(f"<out{port}@{DOMAIN}>"), what="delivery")[0]
    assert f"d={DOMAIN}".encode() in found  # signed


def test_doveadm_finds_all_mailboxes(running):
    """Those of the system follow: the userdb of 10-auth.conf is asked for lists all the same."""
    assert running.run("doveadm", "user", "*").split()[0] == ADMIN
    assert running.shell("doveadm user nobody").returncode == 67  # EX_NOUSER


def test_folders_are_there(running):
    with login(running) as imap:
        listed = b" ".join(imap.list()[1])
    for folder in (rb"\Drafts", rb"\Junk", rb"\Sent", rb"\Trash"):
        assert folder in listed


def test_a_wrong_password_is_wrong_and_an_outage_is_none_and_pam_is_never_asked(running):
    # a user of the system with a password that PAM would take
    running.run("useradd", "-m", "-d", "/srv/unixuser", "unixuser")
    subprocess.run(running.command("chpasswd"), input="unixuser:right for pam 123\n", text=True, check=True)
    with pytest.raises(Imap.error, match="AUTHENTICATIONFAILED"):
        login(running, "wrong password")
    assert smtp_login(running, ADMIN, "wrong password") == 535
    assert imap_login(running, "unixuser", "right for pam 123") == "AUTHENTICATIONFAILED"
    running.stop_postgres()
    try:
        assert imap_login(running, ADMIN, "wrong password") == "UNAVAILABLE"
        assert imap_login(running, "unixuser", "right for pam 123") == "UNAVAILABLE"
        assert smtp_login(running, ADMIN, running.password) == 454
        with SmtpClient(running, "127.0.0.1", 25) as client:
            client.command("MAIL FROM:<ann@sender.test>")
            assert client.command(f"RCPT TO:<bob@{DOMAIN}>").code == 451
    finally:
        running.start_postgres()
    assert "pam" not in running.log().lower()


def imap_login(host, user, password):
    """The code in brackets of the refusal."""
    imap = Imap(host, "127.0.0.1")
    with pytest.raises(Imap.error) as refused:
        imap.login(user, password)
    imap.shutdown()
    return str(refused.value).split("[")[1].split("]")[0]


def smtp_login(host, user, password):
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        SmtpClient(host, "127.0.0.1", 587, tls="starttls", login=(user, password))
    return refused.value.smtp_code

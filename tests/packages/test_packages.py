"""What of the packages can be checked without building or installing them."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
DEBIAN = SOURCE / "debian"
SCRIPTS = sorted(p for kind in ("config", "preinst", "postinst", "prerm", "postrm")
                 for p in DEBIAN.glob(f"*.{kind}"))
DAEMONS = {  # program: (user, settings with its socket, name of the socket)
    "postward-origin": ("postward_origin", "milters/origin/settings.def", "socket"),
    "postward-score": ("postward_score", "milters/score/settings.def", "socket"),
    "postward-dkim": ("postward_dkim", "milters/dkim/settings.def", "socket"),
    "postward-policyd": ("postward_policy", "policy-daemon/settings.def", "policy_socket"),
}
EXPOSURE_MAX = 15  # tenths, as systemd-analyze security --threshold wants them


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **more)


@pytest.fixture(scope="session")
def units(tmp_path_factory):
    """The units as the packages hold them, by name."""
    folder = tmp_path_factory.mktemp("units")
    assert run(DEBIAN / "units/build", folder).returncode == 0
    for path in list(folder.iterdir()):
        package_and_name = path.name.split(".")
        if len(package_and_name) == 3:  # package.unit.type
            path.rename(folder / ".".join(package_and_name[1:]))
    return folder


def values(unit, name):
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.M)


def setting(table, name, column):
    rows = re.findall(r"^PW\((.*)\)$", (SOURCE / table).read_text(), re.M)
    cells = next(c for c in ([x.strip().strip('"') for x in row.split(",")] for row in rows)
                 if c[1] == name)
    return cells[column]


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()
    return int(number) * (60 if unit == "m" else 1)


# ---- maintainer scripts

@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_a_maintainer_script_is_shell_and_stops_at_errors(script):
    text = script.read_text()
    assert text.startswith("#!/bin/sh\nset -e\n")
    assert "#DEBHELPER#" in text or script.suffix == ".config"
    assert run("sh", "-n", script).stdout == ""


@pytest.mark.parametrize("script", ["build", "rules", "database.in", "database.drop", "units/build"])
def test_other_scripts_are_shell(script):
    if script != "rules":
        assert run("sh", "-n", DEBIAN / script).stdout == ""
    if script not in ("database.in", "database.drop"):
        assert os.access(DEBIAN / script, os.X_OK)


def test_the_version_is_written_alike():
    release = re.search(r"set\(PW_RELEASE (\S+)", (SOURCE / "CMakeLists.txt").read_text()).group(1)
    assert re.match(rf"postward \({re.escape(release)}-\d+\) ",
                    (DEBIAN / "changelog").read_text())


def undo(tmp_path):
    """undo_setup of postward-tools' postrm, with its folder in tmp_path."""
    text = (DEBIAN / "postward-tools.postrm").read_text()
    text = text[:text.index("# Packages are purged in any order")]
    text = text.replace("/var/lib/postward/setup", str(tmp_path / "setup"))
    text = text.replace("/run/systemd/system", str(tmp_path / "no-systemd"))
    return run("sh", "-c", text + "\nundo_setup")


def sha256(data):
    return run("sh", "-c", 'printf %s "$1" | sha256sum | cut -d " " -f 1', "-", data).stdout.strip()


def test_a_purge_takes_back_what_setup_did_and_no_more(tmp_path):
    files = tmp_path / "setup/files"
    files.mkdir(parents=True)
    place = tmp_path / "etc"
    place.mkdir()
    for name, now in (("kept", "ours"), ("made", "ours"), ("changed", "by hand"),
                      ("made and changed", "by hand"), ("unfinished", "half")):
        (place / name).write_text(now)
    (files / "1").write_text("before")
    (files / "1").chmod(0o640)
    rows = [(place / "kept", "file", "1", sha256("ours")),
            (place / "made", "absent", "-", sha256("ours")),
            (place / "changed", "file", "1", sha256("ours")),
            (place / "made and changed", "absent", "-", sha256("ours")),
            (place / "gone", "absent", "-", sha256("ours")),
            (place / "removed", "file", "1", "-"),
            (place / "unfinished", "file", "1", "*")]
    (tmp_path / "setup/manifest").write_text(
        "".join("\t".join(map(str, row)) + "\n" for row in rows))
    out = undo(tmp_path)
    assert out.returncode == 0, out.stdout
    assert {p.name: p.read_text() for p in place.iterdir()} == {
        "kept": "before", "changed": "by hand", "made and changed": "by hand", "removed": "before",
        "unfinished": "before"}
    assert (place / "kept").stat().st_mode & 0o777 == 0o640
    assert out.stdout.count("was changed since postwardctl setup and stays") == 2


# ---- the database

CONNINFO = {  # postward.conf: what `database migrate` says
    "": "no database postward;",
    "database = dbname=mail\n": "no database mail;",
    "# database = dbname=other\ndatabase = dbname='mail' port=5433\n": "no database mail;",
    "database = host=/run/postgresql\n  dbname=mail\nlog_level = debug\n": "no database mail;",
    "database = host=db.example.test dbname=mail\n": "on another host",
    "database = hostaddr=192.0.2.1 dbname=mail\n": "on another host",
    "database = host=/run/postgresql,db.example.test dbname=mail\n": "on another host",
    "database = postgresql://db.example.test/mail\n": "on another host",
    "log_level = debug\n dbname=mail\n": "no database postward;",
}


@pytest.mark.parametrize("conf", CONNINFO, ids=lambda c: c.replace("\n", "; ") or "none")
def test_the_database_script_knows_whose_database_it_is(conf, tmp_path):
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (("psql", 'case "$*" in *pg_is_in_recovery*) echo f ;; *) echo 0 ;; esac'),
                       ("runuser", 'shift 3; exec "$@"'), ("getent", "")):
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    (tmp_path / "postward.conf").write_text(conf)
    text = (DEBIAN / "database.in").read_text()
    text = text.replace("@drop@", (DEBIAN / "database.drop").read_text())
    text = text.replace("/etc/postward/postward.conf", str(tmp_path / "postward.conf"))
    script = tmp_path / "database"
    script.write_text(text)
    out = run("sh", script, "migrate", env={"PATH": f"{commands}:{os.environ['PATH']}"})
    assert out.returncode == 0 and CONNINFO[conf] in out.stdout, out.stdout


# ---- units

@pytest.mark.parametrize("program", DAEMONS)
def test_a_daemon_is_started_as_its_settings_say(units, program):
    user, table, name = DAEMONS[program]
    service, socket = units / f"{program}.service", units / f"{program}.socket"
    assert values(service, "ExecStart") == [f"/usr/sbin/{program}"]
    assert values(service, "User") == values(socket, "SocketUser") == [user]
    assert f"u {user} " in (DEBIAN / "postward-common.sysusers").read_text()
    assert values(service, "StateDirectory") == [program]
    assert ["unix:" + p for p in values(socket, "ListenStream")] == [setting(table, name, 2)]
    assert values(socket, "FileDescriptorName") == ["policy" if "policyd" in program else "milter"]


@pytest.mark.parametrize("name", ["queue", "proxy"])
def test_only_postfix_may_speak_for_others(units, name):
    socket = units / f"postward-origin-{name}.socket"
    assert values(socket, "FileDescriptorName") == [name]  # as queue/listener.c asks for it
    assert values(socket, "ListenStream") == [f"/var/spool/postfix/postward/{name}.sock"]
    assert values(socket, "SocketUser") == ["postfix"] and values(socket, "SocketMode") == ["0600"]
    assert values(socket, "Service") == ["postward-origin.service"]
    assert f"postward-origin-{name}.socket" in values(units / "postward-origin.service", "Wants")[0]
    assert f"postward-origin-{name}.socket" in values(units / "postward-origin.socket", "Wants")[0]
    assert f"postward-origin-{name}.socket" in (DEBIAN / "postward-origin.prerm").read_text()


def test_postfix_looks_up_at_a_socket_of_its_own(units):
    socket, service = units / "postward-map.socket", units / "postward-policyd.service"
    assert values(socket, "FileDescriptorName") == ["map"]  # as daemon.c asks for it
    assert values(socket, "ListenStream") == [setting("policy-daemon/settings.def", "map_socket", 2)]
    assert values(socket, "SocketUser") == ["postward_policy"] and values(socket, "SocketGroup") == ["postfix"]
    assert values(socket, "SocketMode") == ["0660"]
    assert values(socket, "Service") == ["postward-policyd.service"]
    assert "postward-map.socket" in values(service, "Requires")[0]
    assert "postward-map.socket" in values(service, "After")[0]


@pytest.mark.parametrize("program", DAEMONS)
def test_a_stop_is_given_as_long_as_a_drain_may_take(units, program):
    table, name = ("policy-daemon/settings.def", "drain_timeout") if "policyd" in program else (
        "milters/kit/settings.def", "drain_deadline")
    limit = int(values(units / f"{program}.service", "TimeoutStopSec")[0])
    assert limit > seconds(setting(table, name, 4))


def test_workers_of_score_may_lock_themselves_in(units):
    assert ("seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self"
            in values(units / "postward-score.service", "SystemCallFilter"))


@pytest.mark.parametrize("unit", ["postward-origin", "postward-score", "postward-dkim",
                                  "postward-policyd", "postward-metrics", "postward-dns", "postward-bans",
                                  "postward-bans-load"])
def test_a_service_is_locked_in(units, unit):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd here")
    out = run("systemd-analyze", "security", "--offline=yes", "--no-pager",
              f"--threshold={EXPOSURE_MAX}", units / f"{unit}.service")
    assert out.returncode == 0, out.stdout[-400:]


def test_systemd_understands_every_unit(units):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd here")
    out = run("systemd-analyze", "verify", "--man=no", *sorted(units.iterdir()))
    complaints = [line for line in out.stdout.splitlines()
                  if line and not re.search(r"Command \S+ is not executable: No such file", line)]
    assert complaints == []


def test_bans_are_loaded_with_one_capability_from_where_they_are_kept(units):
    pull, load = units / "postward-bans.service", units / "postward-bans-load.service"
    header = (SOURCE / "tools/edge/bans.h").read_text()
    folder = re.search(r'BANS_FILE "(/var/lib/[^"]*)/list"', header)[1]
    assert values(pull, "StateDirectory") == [folder.removeprefix("/var/lib/")]
    assert values(load, "ConditionPathExists") == [f"{folder}/list"]
    assert values(pull, "User") == ["postward_origin"] and values(pull, "CapabilityBoundingSet") == [""]
    assert values(pull, "OnSuccess") == [load.name] and values(pull, "SuccessExitStatus") == ["TEMPFAIL"]
    assert values(load, "CapabilityBoundingSet") == values(load, "AmbientCapabilities") == ["CAP_NET_ADMIN"]


def test_bans_end_with_the_package():
    table = re.search(r'BANS_TABLE "(\w+)"', (SOURCE / "tools/edge/bans.h").read_text())[1]
    assert f"nft delete table inet {table} " in (DEBIAN / "postward-origin.prerm").read_text()


# ---- logcheck, fail2ban

RULES = DEBIAN / "postward-common.logcheck.ignore.server"
DATES = ("Nov 30 14:13:01", "2026-11-30T14:13:01.123456+00:00")


def samples():
    """(program, line) of the sample lines in docs, by the heading or the line itself."""
    found, program = [], None
    for line in (SOURCE / "docs/logs.md").read_text().splitlines():
        if line.startswith("## "):
            program = line[3:]
        elif line.startswith("    "):
            found.append((program, line.strip()))
    for line in (SOURCE / "docs/guessed-passwords.md").read_text().splitlines():
        match = re.fullmatch(r"    (postward-\w+)\[\d+\]: (.*)", line)
        if match:
            found.append(match.groups())
    return found


NORMAL = samples() + [
    ("postward-score", "event=started, version=0.1.0, socket=unix:/var/spool/postfix/postward/score.sock"),
    ("postward-origin", "event=reloaded"),
    ("postward-origin", 'NOQUEUE: event=fall_back, cause=connect, stage=mail, status="cannot be reached"'),
    ("postward-origin", "4jWmQ21hkkz1c8yk: action=bounce, spf=pass, from=<ann@sender.test>, rcpt=<no@example.test>"),
    ("postward-origin", "4jWmR10hkkz1c8yl: action=retry, why=retry, peer=10.9.0.1, from=<>, recipients=1"),
    ("postward-origin", '4jWmR10hkkz1c8yl: action=pass, why="no stamp", peer=10.9.0.1, from=<>, recipients=1'),
    ("postward-dkim", "event=stopping, sessions=3"),
    ("postward-dkim", "event=stopped"),
    ("postward-dkim", "event=key_made, domain=example.org, selector=s202611r, algorithm=rsa-sha256"),
    ("postward-dkim", "4fQ2xT1zB0q: action=unsigned, cause=no_key, from=<bob@example.org>, login=bob@example.org"),
    ("postward-score", "database=snapshot_loaded, generation=12"),
    ("postward-policyd", "database=connected"),
    ("postward-policyd", "event=start, version=0.1.0"),
    ("postward-policyd", "event=stop"),
    ("postward-policyd", "event=reload"),
    ("postward-policyd", "action=unblock, cause=auth, kind=login, login=ann@example.test"),
    ("postward-policyd", "action=kick, login=ann@example.test, why=password, closed=yes"),
    ("postward-policyd", "action=warn, cause=quota, login=ann@example.test, percent=95"),
    ("postward-score", '4jWmP50hkkz1c8yj: action=none, score_milli=0, client=unknown[192.0.2.1],'
                       ' from=<>, recipients=1, symbols="A=1.000 \\"x\\"", ms=2'),
]
# What an administrator is to see: written as warnings and errors, or no line of ours.
STRANGE = [
    ("postward-origin", "warning: NOQUEUE: action=defer, cause=connect, stage=mail"),
    ("postward-origin", "error: 4jWmR2ThkKz1c8ym: event=stamp_alarm, why=digest, peer=10.9.0.1, more=0"),
    ("postward-origin", "warning: 4jWmR2ThkKz1c8ym: event=stamp_forged, why=untrusted, peer=192.0.2.1, more=0"),
    ("postward-policyd", "warning: database=lost"),
    ("postward-policyd", "event=stop, why=error"),
    ("postward-policyd", "event=reload_refused"),
    ("postward-dkim", "error: event=listen, why=x, status=denied"),
    ("postward-dkim", "warning: event=stopped, sessions_abandoned=1"),
    ("postward-score", "4jWmP50hkkz1c8yj: action=none, score_milli=0 and more"),
    ("postward-policyd", "something else"),
]


def left_over(lines):
    """As logcheck does it: what no rule takes away."""
    out = subprocess.run(["grep", "-E", "-v", "-f", str(RULES)], input="\n".join(lines) + "\n",
                         stdout=subprocess.PIPE, text=True, check=False,
                         env={**os.environ, "LC_ALL": "C.UTF-8"})
    return out.stdout.splitlines()


def as_logged(rows, date):
    return [f"{date} mx {program}[4711]: {line}" for program, line in rows]


@pytest.mark.parametrize("date", DATES)
def test_logcheck_is_silent_about_normal_lines(date):
    told = [row for row in NORMAL if row[0] == "postward-origin"
            and ("action=defer" in row[1] or "action=hold" in row[1])]
    assert len(told) == 2 and len(samples()) >= 9
    assert left_over(as_logged(NORMAL, date)) == as_logged(told, date)


@pytest.mark.parametrize("date", DATES)
def test_logcheck_reports_what_is_not_normal(date):
    assert left_over(as_logged(STRANGE, date)) == as_logged(STRANGE, date)


def test_the_jail_is_off_until_it_is_switched_on():
    jail = (DEBIAN / "fail2ban/postward.conf").read_text()
    assert re.findall(r"^enabled *= *(\w+)$", jail, re.M) == ["false"]
    assert re.findall(r"^filter *= *(\S+)$", jail, re.M) == ["postward-auth"]

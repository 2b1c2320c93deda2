"""The floor plan of the house holds: who includes whom, what the core may call, how long a
function may be."""
import re
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
BUILD = SOURCE / "build"

ROOMS = {  # room: folder, rooms whose headers it may include, foreign headers it may not
    "core": ("common/core", {"core"}),
    "io": ("common/io", {"core", "io"}),
    "db": ("common/db", {"core", "io", "db"}),
    "mail": ("common/mail", {"core", "io", "mail"}),
    "kit": ("milters/kit", {"core", "io", "kit"}),
    "origin": ("milters/origin", {"core", "io", "kit", "origin"}),
    "dkim": ("milters/dkim", {"core", "io", "db", "mail", "kit", "dkim"}),
    "score": ("milters/score", {"core", "io", "db", "mail", "kit", "score"}),
    "policyd": ("policy-daemon", {"core", "io", "db", "policyd"}),
    "tools": ("tools", {"core", "io", "db", "mail", "tools"}),
    "man": ("man", {"core", "io", "man"}),
    "auth": ("dovecot-plugins/auth", {"core", "db"}),
    "quota": ("dovecot-plugins/quota", {"core"}),
    "learn": ("dovecot-plugins/learn", {"core"}),
}
FOREIGN = {  # header: rooms that may include it
    "libpq-fe.h": {"db"},
    "unbound.h": {"io"},
    "openssl/ssl.h": {"origin", "tools"},
    "libmilter/mfapi.h": {"kit", "origin", "dkim", "score"},
    "opendkim/dkim.h": {"mail"},
    "libpsl.h": {"mail"},
    "pcre2.h": {"mail"},
    "iconv.h": {"mail"},
    "seccomp.h": {"score"},
    "syslog.h": {"io"},
    "sys/socket.h": {"io", "db", "kit", "origin", "policyd", "quota", "learn", "score",
                     "tools"},
    "sys/epoll.h": {"io", "db", "origin", "policyd"},
    "time.h": {"io", "db", "mail", "kit", "origin", "dkim", "score", "policyd", "tools", "auth",
               "quota"},
}
# What pure code may call: memory, bytes, numbers, hashes. No clock, file, socket, log.
CORE_CALLS = re.compile(
    r"^(mem\w+|str(len|n?cmp|n?casecmp|chr|rchr|spn|cspn|nlen|str|to\w+)|malloc|calloc|realloc|free|log|exp|"
    r"__\w+ti\d|qsort|bsearch|v?snprintf|abs|labs|__\w*(chk|fail|errno_location)\w*|__isoc\w+|"
    r"_GLOBAL_OFFSET_TABLE_|explicit_bzero|OPENSSL_\w+|EVP_\w+|SHA\w+|CRYPTO_\w+|HMAC\w*|BN_\w+|RSA_\w+|ERR_\w+)$")


def sources(folder, suffixes=(".c", ".h")):
    return [p for p in sorted((SOURCE / folder).rglob("*")) if p.suffix in suffixes]


@pytest.mark.parametrize("room", ROOMS)
def test_includes_point_one_way(room):
    folder, allowed = ROOMS[room]
    for path in sources(folder):
        for header in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
            if header.startswith("../") and room in ("auth", "quota", "learn"):
                assert header == "../compat.h", f"{path}: {header}"
            elif room == "man" and header.endswith(".def"):
                continue  # manual pages are made of every program's tables
            elif "/" in header and header.split("/")[0] in ROOMS:
                assert header.split("/")[0] in allowed, f"{path}: {header}"
            else:
                assert not header.startswith(".."), f"{path}: {header}"


@pytest.mark.parametrize("header", FOREIGN)
def test_foreign_headers_stay_in_their_rooms(header):
    for room, (folder, _) in ROOMS.items():
        if room in FOREIGN[header]:
            continue
        for path in sources(folder):
            assert f"#include <{header}>" not in path.read_text(), f"{path}: {header}"


def undefined(archive):
    out = subprocess.run(["nm", "-u", archive], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines() if line.startswith(" ")}


def test_core_calls_nothing_outside():
    archive = BUILD / "common/core/libpw_core.a"
    foreign = {s for s in undefined(archive) if not s.startswith("pw_")}
    assert not {s for s in foreign if not CORE_CALLS.match(s)}


def test_only_db_knows_libpq():
    for program in ("postward-origin",):
        needed = subprocess.run(["readelf", "-d", BUILD / "bin" / program], check=True,
                                capture_output=True, text=True).stdout
        assert "libpq" not in needed


def functions(path):
    """(name, lines) of each function of a C file, by the house's layout."""
    name = start = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "{":
            name, start = before, number
        elif line.startswith("}") and start:
            yield name, number - start + 1
            start = None
        before = line


def c_files():
    found = subprocess.run(["git", "-C", SOURCE, "ls-files", "*.c", "*.h"], check=True,
                           capture_output=True, text=True).stdout.split()
    return [SOURCE / f for f in found if (SOURCE / f).exists()]


def test_no_function_over_100_lines():
    long = [(str(p), n, lines) for p in c_files() for n, lines in functions(p) if lines > 100]
    assert not long


def test_no_file_over_1000_lines():
    assert not [str(p) for p in c_files() if len(p.read_text().splitlines()) > 1000]


def test_headers_are_guarded_once():
    assert not [str(p) for p in c_files() if p.suffix == ".h" and
                "#pragma once" not in p.read_text()]


def test_sql_is_never_built_from_values():
    """Statements are constants: no printf-like call makes SQL text in C."""
    made = re.compile(r'printf\([^;]*"(SELECT|INSERT|UPDATE|DELETE) [^"]*%', re.S)
    assert not [str(p) for p in c_files() if made.search(p.read_text())]

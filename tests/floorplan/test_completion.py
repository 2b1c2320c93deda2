"""What bash completes behind postwardctl."""
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
BUILD = SOURCE / "build"
SCRIPT = SOURCE / "tools/postwardctl.bash"
COMMANDS = re.findall(r'^\t\{ "([a-z-]+)", command_', (SOURCE / "tools/main.c").read_text(), re.M)

COMPLETE = """source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_postwardctl "$1" "${@: -1}" "${@: -2:1}"
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""
SETUP = """#!/bin/sh
[ "$1" != --help ] || printf '%s\\n' 'usage: x' '  setup   make it' '  dns     look' '  bad-one  no'
[ "$1" != setup ] || printf '%s\\n' 'usage: postwardctl setup [--undo] [--role single|edge|inner]' \\
    '  --role single|edge|inner   what' '  --dir FOLDER  where' '  --key FILE' '  --domain NAME name' \\
    '  --undo   back again'
[ "$1" != dns ] || printf '%s\\n' 'usage: postwardctl dns check|add [--record]' \\
    '       postwardctl dns serial' '       postwardctl dns DOMAIN'
[ "$1" != bad-one ] || exit 2
"""


def complete(*words, program="postwardctl", path=BUILD / "bin", cwd=SOURCE):
    done = subprocess.run(["bash", "-c", COMPLETE, "-", SCRIPT, program, *words], cwd=cwd,
                          check=False, capture_output=True, text=True,
                          env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}"})
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A postwardctl of our own, and some files."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "postwardctl").write_text(SETUP)
    (folder / "postwardctl").chmod(0o755)
    (folder / "a file").write_text("")
    (folder / "afolder").mkdir()
    return folder


def test_commands():
    assert complete("") == [*COMMANDS, "--help", "--version"]
    assert complete("sche") == ["schema"]
    assert complete("nosuch") == complete("nosuch", "") == []


def test_words_of_a_command():
    assert complete("schema", "") == ["status", "migrate", "verify"]
    assert complete("schema", "m") == ["migrate"]
    assert complete("schema", "migrate", "") == []


@pytest.mark.parametrize("command", COMMANDS)
def test_all_options_of_a_command(command):
    usage = subprocess.run([BUILD / "bin/postwardctl", command, "--help"], check=True,
                           capture_output=True, text=True).stdout
    expected = set(re.findall(r"(?:^|[\s\[])(--[a-z][a-z-]*)", usage, re.M)) | {"--help"}
    assert len(expected) > 1 and set(complete(command, "-")) == expected


@pytest.mark.parametrize("words, expected", [
    (["setup", "--role", ""], ["single", "edge", "inner"]),
    (["setup", "--role", "s"], ["single"]),
    (["setup", "--role", "=", "e"], ["edge"]),
    (["setup", "--role", "="], ["single", "edge", "inner"]),
    (["setup", "--undo", ""], []),
    (["setup", "--undo", "--ro"], ["--role"]),
    (["setup", "--domain", ""], []),
    (["setup", "--dir", "a"], ["afolder"]),
    (["setup", "--key", "a"], ["a file", "afolder"]),
    (["setup", "--key", "a f"], ["a file"]),
    (["dns", ""], ["check", "add", "serial"]),
    (["dns", "check", "--"], ["--record", "--help"]),
    (["bad-one", ""], []),
])
def test_values_and_words(words, expected, folder):
    assert sorted(complete(*words, path=folder, cwd=folder)) == sorted(expected)


def test_files_where_a_command_takes_files(folder):
    assert sorted(complete("scan", "--json", "a", cwd=folder)) == ["a file", "afolder"]


def test_the_program_that_was_typed_is_asked(folder):
    assert complete("set", program=str(folder / "postwardctl")) == ["setup"]


def read_until(terminal, text, timeout_s=20):
    seen, end = "", time.monotonic() + timeout_s
    while text not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


def test_a_person_at_a_terminal(folder):
    """With readline: words are broken where it breaks them, names with blanks are quoted."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                   {"PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "ready> "})
    try:
        read_until(terminal, "ready> ")
        os.write(terminal, f"source {SCRIPT}\n".encode())
        read_until(terminal, "ready> ")
        os.write(terminal, b"postwardctl set\t--ro\tin\t--key a\\ f\t")
        shown = read_until(terminal, "a\\ file ")
        assert shown.endswith("postwardctl setup --role inner --key a\\ file ")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)

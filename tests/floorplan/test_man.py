"""The manual pages: mandoc has nothing against them, and what the programs know is in them."""
import os
import re
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
BUILD = SOURCE / "build"
PAGES = {p.name.removesuffix(".in"): p for p in (SOURCE / "man").glob("*.[1-8].in")}
COMMANDS = re.findall(r'^\t\{ "([a-z-]+)", command_', (SOURCE / "tools/main.c").read_text(), re.M)
PROGRAMS = ("origin", "score", "dkim", "policyd")


def output(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True,
                          **options).stdout


def rendered(page):
    """As a reader sees it, in one long line."""
    shown = output("mandoc", "-Tascii", "-Owidth=1000", page)
    return " ".join(re.sub(".\b", "", shown).split())


def rows(definition):
    """The arguments of the rows of a .def file, those it includes too; texts without quotes."""
    text = (SOURCE / definition).read_text()
    for included in re.findall(r'^#include "kit/(.*)"', text, re.M):
        yield from rows(f"milters/kit/{included}")
    for row in re.findall(r"^PW\((.*)\)$", text, re.M):
        yield [(quoted or bare).replace('\\"', '"') for quoted, bare in
               re.findall(r'"((?:[^"\\]|\\.)*)"|([A-Za-z_]\w*)', row)]


def folder(program):
    return "policy-daemon" if program == "policyd" else f"milters/{program}"


def lint(*pages):
    """Complaints of style too; but pages of others are not always installed."""
    done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", *map(str, pages)], check=False,
                          capture_output=True, text=True)
    return [l for l in done.stdout.splitlines() if "referenced manual not found" not in l]


def test_every_page_is_made():
    assert {"postward.7", "postwardctl.1", "postward.conf.5", "postward-dovecot.conf.5",
            *(f"postward-{p}.8" for p in PROGRAMS), *(f"postward-{p}.conf.5" for p in PROGRAMS)
            } <= set(PAGES)
    assert all((BUILD / "man" / page).exists() for page in PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_has_nothing_against_it(page):
    assert lint(BUILD / "man" / page) == []


@pytest.mark.parametrize("page", PAGES)
def test_groff_has_nothing_against_it(page):
    """As lintian asks it."""
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", BUILD / "man" / page],
                          check=True, capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"})
    assert done.stderr == ""


@pytest.mark.parametrize("page", PAGES)
def test_its_date_is_that_of_its_text_and_nothing_is_left_to_replace(page):
    text, template = (BUILD / "man" / page).read_text(), PAGES[page].read_text()
    assert re.match(r"\.Dd [A-Z][a-z]+ \d+, \d{4}\n", text)
    assert text.splitlines()[0] == template.splitlines()[0]
    assert '.\\"@' not in text


@pytest.mark.parametrize("page", PAGES)
def test_it_names_only_pages_of_ours_that_exist(page):
    named = re.findall(r"^\.Xr (postward\S*) (\d)", (BUILD / "man" / page).read_text(), re.M)
    assert {f"{name}.{section}" for name, section in named} <= set(PAGES)


@pytest.mark.parametrize("page, definition", [
    ("postward.conf.5", "common/io/settings.def"),
    *((f"postward-{p}.conf.5", f"{folder(p)}/settings.def") for p in PROGRAMS)])
def test_every_setting_is_described(page, definition):
    source, text = (BUILD / "man" / page).read_text(), rendered(BUILD / "man" / page)
    found = list(rows(definition))
    assert len(found) > 5
    for _, name, default, *_, explanation in found:
        assert f'.It Ic "\\&{name}"\n' in source
        assert f"{name} {' '.join(explanation.split())}" in text
        assert not default or f"`{default}'" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_counter_is_described(program):
    text = rendered(BUILD / "man" / f"postward-{program}.8")
    found = list(rows(f"{folder(program)}/counters.def"))
    assert len(found) > 5
    for _, _, name, *labels, explanation in found:
        assert f"postward_{program}_{name} {' '.join(explanation.split())}" in text
        assert labels == ["NULL"] or f"`{labels[0]}'" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_of_a_daemon_is_described(program):
    text = rendered(BUILD / "man" / f"postward-{program}.8")
    options = re.findall(r"^  (--?\w+)", output(BUILD / f"bin/postward-{program}", "--help"), re.M)
    assert "--sample" in options
    described = text[text.index(" Options "):text.index(" Signals ")]
    assert not [o for o in options if not re.search(rf"(?<!\S){o}(?!\S)", described)]


def test_every_command_is_in_the_page():
    usage = output(BUILD / "bin/postwardctl", "--help")
    assert COMMANDS == re.findall(r"^  ([a-z][a-z-]*) ", usage, re.M) and len(COMMANDS) > 5
    source = (BUILD / "man/postwardctl.1").read_text()
    assert re.findall(r'^\.Ss "\\&postwardctl (.*)"$', source, re.M) == \
        [n.replace("-", "\\-") for n in COMMANDS]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_word_of_a_usage_text_is_in_the_page(command):
    usage = output(BUILD / "bin/postwardctl", command, "--help").replace("usage:", "", 1)
    text = rendered(BUILD / "man/postwardctl.1")
    begin = text.index(f" postwardctl {command} postwardctl {command} ")
    assert " ".join(usage.split()) == text[begin:][len(f" postwardctl {command} "):][
        :len(" ".join(usage.split()))]


def test_settings_of_the_auth_driver_are_described():
    """They are not of a settings.def."""
    names = re.findall(r'^\t\{ "(\w+)",\s+offsetof',
                       (SOURCE / "dovecot-plugins/auth/setup.c").read_text(), re.M)
    described = re.findall(r"^\.It Ic (\w+)", PAGES["postward-dovecot.conf.5"].read_text(), re.M)
    assert len(names) > 5 and sorted(described) == sorted(names)


UGLY = r"""usage: postwardctl x
.Sh NAME 'br \fB \e \(em ` ^ ~ "quoted" a--b No Pp . , ;
  --ugly  .br \n[x] "a" 'b' -- Fl Ar
"""


def test_any_text_comes_out_as_it_stands(tmp_path):
    (tmp_path / "usage").write_text("\fx\n" + UGLY)
    (tmp_path / "page.in").write_text('.Dd November 30, 2026\n.Dt X 1\n.Os\n.Sh NAME\n.Nm x\n'
                                      '.Nd y\n.Sh COMMANDS\n.\\"@ commands\n')
    output(BUILD / "man/man-page", tmp_path / "page.in", tmp_path / "page.1", tmp_path / "usage")
    expected = " ".join(UGLY.removeprefix("usage: ").split())
    assert expected in rendered(tmp_path / "page.1")
    shown = output("man", "-P", "cat", "-l", tmp_path / "page.1",
                   env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "1000"})
    assert expected in " ".join(re.sub(".\b", "", shown).split())


@pytest.mark.parametrize("line", ["settings postward-none", "counters common", "include none.mdoc",
                                  "nonsense", "commands"])
def test_a_directive_that_cannot_be_is_refused(line, tmp_path):
    (tmp_path / "page.in").write_text(f'.Dd x\n.\\"@ {line}\n')
    done = subprocess.run([BUILD / "man/man-page", tmp_path / "page.in", tmp_path / "page.1"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 65 and f"{tmp_path}/page.in:2: " in done.stderr
    assert not (tmp_path / "page.1").exists()

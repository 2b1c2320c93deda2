"""DMARC tables and messages of other projects: records, alignment, authors, public suffixes, and whole
messages through `postwardctl verify --batch`."""
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PW_BUILD", ROOT / "build"))
DATA = pathlib.Path(os.environ.get("PW_TEST_DATA") or "/nonexistent") / "dmarc"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="no vectors: set PW_TEST_DATA")


def rows(name):
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def probe(command, lines):
    done = subprocess.run([BUILD / "tests/probe/probe_dmarc", command], input="".join(f"{line}\n" for line in lines),
                          capture_output=True, text=True, timeout=60, check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


FAILURE_OPTIONS = {"all": 1, "any": 2, "dkim": 4, "spf": 8, "dkimspf": 12}
PSD = {"default": "u", "yes": "y", "no": "n"}


def test_records_of_mail_auth():
    table = rows("mail-auth-record-parse.jsonl")
    for row, answer in zip(table, map(json.loads, probe("record", [row["record"] for row in table]))):
        wanted = row["expected"]
        wanted |= {"fo": FAILURE_OPTIONS[wanted["fo"]], "psd": PSD[wanted["psd"]],
                   "rua": [[f"mailto:{uri}", size] for uri, size in wanted["rua"]],
                   "ruf": [[f"mailto:{uri}", size] for uri, size in wanted["ruf"]]}
        assert {name: answer[name] for name in wanted} == wanted, row["record"]
    assert len(table) == 4


# Where OpenDMARC is stricter or more lenient than the RFC. 7489 6.3: "Unknown tags MUST be ignored. Syntax
# errors in the remainder of the record SHOULD be discarded in favor of default values (if any) or ignored
# outright"; 6.6.3, 6: a record whose p is not valid is only used, as p=none, where a valid rua stands in it.
OPENDMARC = {
    "v=DMARC1; p=n;": "error",
    "v=DMARC1; p=none; ri=bob;": "okay",
    "v=DMARC1; p=none; pct=500;": "okay",
    "v=DMARC1; p=none; rf=000000000000000000000000000000000": "okay",
}


def test_records_of_opendmarc():
    table = rows("opendmarc-record-parse.jsonl")
    answers = map(json.loads, probe("record", [row["record"] for row in table]))
    wrong = [(row, answer) for row, answer in zip(table, answers)
             if OPENDMARC.get(row["record"], row["expected"].split("_")[0]) != ("okay" if isinstance(answer, dict) else "error")]
    assert wrong == [] and len(table) == 9


def test_alignment_of_opendmarc():
    table = rows("opendmarc-alignment.jsonl")
    answers = probe("align", [f"{row['a']} {row['b']} {row['mode'][0]}" for row in table])
    assert [row for row, answer in zip(table, answers) if row["expected"] != answer] == []


# RFC 7489 6.6.1: several author domains: no policy is applied to the first one alone; and RFC 5322 3.4 has
# no "Mail From:" or second quoted string in front of an address without angle brackets.
NOT_ONE_AUTHOR = {
    "Joe Johnson <joe@joe.com>, ace@ace.com", "joe@joe.com, ace@ace.com",
    "\"( bob@bob.com)\" joe@joe.com", "Mail From:<joe@joe.com>",
}


def test_authors_of_opendmarc():
    table = rows("opendmarc-from-domain.jsonl")
    answers = probe("from", [row["from"] for row in table])
    assert [(row["from"], answer) for row, answer in zip(table, answers)
            if answer != ("" if row["from"] in NOT_ONE_AUTHOR else row["expected"])] == []


def suffix_rows():
    """Both files of vectors; what is no host name is none of ours, U-labels are another's."""
    for line in (DATA / "psl/tests.txt").read_text().splitlines():
        if line and not line.startswith("//"):
            yield line.split()
    for given, wanted in re.findall(r"^checkPublicSuffix\((.*), (.*)\);$", (DATA / "psl/test_psl.txt").read_text(), re.M):
        yield [given.strip("'"), wanted.strip("'")]


def test_public_suffixes():
    """The organisational domain (RFC 7489 3.2); a public suffix itself has none, which is itself here."""
    table = [(given, wanted) for given, wanted in suffix_rows()
             if given != "null" and not given.startswith(".") and given.isascii() and wanted.isascii()]
    answers = probe("org", [given for given, _ in table])
    wrong = [(given, wanted, answer) for (given, wanted), answer in zip(table, answers)
             if answer != (given.lower() if wanted == "null" else wanted.lower())]
    assert wrong == [] and len(table) > 100


def zone():
    """The origin's zone as ours; a type without answer makes the name as it says."""
    out = {}
    for name, types in json.loads((DATA / "rspamd-zone.json").read_text()).items():
        entry = out.setdefault(name, {})
        for kind, told in types.items():
            if "replies" in told:
                entry[kind.upper()] = [[int(x.split()[0]), x.split()[1]] if kind == "mx" else x for x in told["replies"]]
            elif told["rcode"] in ("nxdomain", "timeout"):
                entry["rcode"] = told["rcode"].upper()
    return out


def test_messages_of_rspamd(tmp_path):
    (tmp_path / "zone.json").write_text(json.dumps(zone()))
    table, requests = rows("rspamd-index.jsonl"), []
    for number, row in enumerate(table):
        path = tmp_path / f"{number}.eml"
        path.write_bytes((DATA / row["file"]).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        request = {"file": str(path)}
        if "client_ip" in row:
            request |= {"ip": row["client_ip"], "helo": row.get("helo", ""), "from": row["mail_from"]}
        requests.append(json.dumps(request) + "\n")
    done = subprocess.run([BUILD / "bin/postwardctl", "verify", "--batch", "--zone", tmp_path / "zone.json"],
                          input="".join(requests), capture_output=True, text=True, timeout=60, check=True)
    wrong = []
    for row, line in zip(table, done.stdout.splitlines(), strict=True):
        dmarc = json.loads(line)["dmarc"]
        got = f"fail:{dmarc['disposition']}" if dmarc["result"] == "fail" else dmarc["result"]
        if got != row["expected"]:
            wrong.append((row["case"], row["expected"], dmarc))
    assert wrong == [] and len(table) == 8

"""The RFC 7208 test suite through `postwardctl spf --batch --zone`: every case must pass."""
import json
import os
import pathlib
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PW_BUILD", ROOT / "build"))
SUITE = ROOT / "tests/vectors/spf/rfc7208-tests.yml"
CASES_WANTED = 203


class Loader(yaml.SafeLoader):
    """IPv6 addresses like 2001:db8::1 and numbers with colons stay text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers
            if tag not in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float",
                           "tag:yaml.org,2002:timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def joined(value):
    return "".join(value) if isinstance(value, list) else value


def zone_entry(records):
    """Records of one name in the suite's form, as an entry of a JSON zone."""
    entry = {}
    own_txt = any(isinstance(r, dict) and "TXT" in r for r in records)
    for record in records:
        if record == "TIMEOUT":
            entry["rcode"] = "TIMEOUT"
            continue
        (kind, value), = record.items()
        if kind == "SPF":
            if own_txt:
                continue
            kind = "TXT"
        if kind == "TXT":
            if value != "NONE":
                entry.setdefault("TXT", []).append(joined(value))
        elif kind == "MX":
            entry.setdefault("MX", []).append([int(value[0]), value[1]])
        elif kind == "CNAME":
            entry["CNAME"] = value
        else:
            entry.setdefault(kind, []).append(value)
    return entry


def run_batch(zone, tests, tmp_path):
    """Answers of one process for tests, in order."""
    zone_file = tmp_path / "zone.json"
    zone_file.write_text(json.dumps(zone))
    questions = [{"ip": str(t["host"]), "helo": t["helo"], "from": t["mailfrom"]} for t in tests]
    done = subprocess.run(
        [BUILD / "bin/postwardctl", "spf", "--batch", "--zone", zone_file],
        input="".join(json.dumps(q) + "\n" for q in questions),
        capture_output=True, encoding="utf-8", timeout=60, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(tests)
    return answers


def scenarios():
    return list(yaml.load_all(SUITE.read_text(encoding="utf-8"), Loader))


def test_the_suite_is_whole():
    assert sum(len(s["tests"]) for s in scenarios()) == CASES_WANTED


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda s: s["description"].replace(" ", "-"))
def test_scenario(scenario, tmp_path):
    zone = {name: zone_entry(records) for name, records in scenario["zonedata"].items()}
    names = list(scenario["tests"])
    tests = list(scenario["tests"].values())
    wrong = []
    for name, test, answer in zip(names, tests, run_batch(zone, tests, tmp_path)):
        wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
        if answer.get("result") not in wanted:
            wrong.append(f"{name}: {answer}, wanted {wanted}")
        explanation = test.get("explanation")
        if explanation is not None:
            explanation = "" if explanation == "DEFAULT" else explanation
            if answer.get("explanation") != explanation:
                wrong.append(f"{name}: {answer}, wanted explanation {explanation!r}")
    assert not wrong, "\n".join(wrong)


def test_answers_keep_the_order_of_questions(tmp_path):
    zone = {"a.example": {"TXT": ["v=spf1 -all"]}, "b.example": {"TXT": ["v=spf1 +all"]}}
    tests = [{"host": "192.0.2.1", "helo": "h.example", "mailfrom": f"x@{'ab'[i % 2]}.example"}
             for i in range(200)]
    results = [a["result"] for a in run_batch(zone, tests, tmp_path)]
    assert results == ["fail", "pass"] * 100


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"ip": "192.0.2.999", "helo": "h", "from": ""}', "\x00"])
def test_a_bad_line_is_answered_and_the_next_one_too(line, tmp_path):
    zone_file = tmp_path / "zone.json"
    zone_file.write_text("{}")
    good = '{"ip": "192.0.2.1", "helo": "h.example", "from": "a@b.example"}'
    done = subprocess.run(
        [BUILD / "bin/postwardctl", "spf", "--batch", "--zone", zone_file],
        input=f"{line}\n{good}\n", capture_output=True, encoding="utf-8", timeout=60)
    first, second = [json.loads(text) for text in done.stdout.splitlines()]
    assert "error" in first and "result" not in first
    assert second["result"] == "none"
    assert done.returncode == 1


@pytest.mark.parametrize("arguments, code", [
    ([], 2),
    (["--ip", "192.0.2.1", "extra"], 2),
    (["--ip", "192.0.2.1", "--unknown"], 2),
    (["--ip", "192.0.2.1", "--timeout", "0"], 2),
    (["--ip", "192.0.2.1", "--zone", "/nonexistent"], 66),
    (["--ip", "192.0.2.1", "--zone", "/dev/null"], 65),
    (["--ip", "192.0.2.1", "--dns", "not-an-address"], 65),
    (["--help"], 0),
])
def test_exit_code(arguments, code):
    done = subprocess.run([BUILD / "bin/postwardctl", "spf", *arguments], capture_output=True,
                          encoding="utf-8", timeout=60)
    assert done.returncode == code
    assert (done.stdout if code == 0 else done.stderr) != ""


def test_single_check_is_one_json_object(tmp_path):
    zone_file = tmp_path / "zone.json"
    zone_file.write_text(json.dumps({"example.org": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all exp=why.example.org"]},
                                     "why.example.org": {"TXT": ["%{c} may not, says %{r}"]}}))
    done = subprocess.run(
        [BUILD / "bin/postwardctl", "spf", "--json", "--ip", "198.51.100.1", "--helo", "h.example",
         "--from", "a@example.org", "--receiver", "mx.example.net", "--zone", zone_file],
        capture_output=True, encoding="utf-8", timeout=60, check=True)
    assert json.loads(done.stdout) == {
        "result": "fail", "explanation": "198.51.100.1 may not, says mx.example.net", "lookups": 0,
        "domain": "example.org", "term": "-all"}

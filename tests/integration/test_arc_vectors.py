"""The ARC test suite: chains through `postwardctl verify --batch`, seals through a probe."""
import base64
import json
import os
import pathlib
import subprocess

import dkim
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PW_BUILD", ROOT / "build"))
VECTORS = ROOT / "tests/vectors/arc"
CHAINS_WANTED, SEALS_WANTED = 171, 17


def scenarios(name):
    return [s for s in yaml.safe_load_all((VECTORS / name).read_text()) if s]


def crlf(text):
    return (text or "").replace("\n", "\r\n").encode()


def verify(zone, messages, tmp_path):
    """What one process says of each message's chain."""
    zone_file = tmp_path / "zone.json"
    zone_file.write_text(json.dumps(zone))
    requests = []
    for number, message in enumerate(messages):
        path = tmp_path / f"{number}.eml"
        path.write_bytes(message)
        requests.append(json.dumps({"file": str(path)}) + "\n")
    done = subprocess.run([BUILD / "bin/postwardctl", "verify", "--batch", "--zone", zone_file],
                          input="".join(requests), capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line)["arc"] for line in done.stdout.splitlines()]


def zone_of(records):
    return {name: {"TXT": [text]} for name, text in (records or {}).items()}


def test_chains(tmp_path):
    wrong, seen = [], 0
    for scenario in scenarios("arc-draft-validation-tests.yml"):
        tests = scenario["tests"]
        answers = verify(zone_of(scenario["txt-records"]), [crlf(t["message"]) for t in tests.values()], tmp_path)
        for (name, test), answer in zip(tests.items(), answers, strict=True):
            seen += 1
            wanted = (test["cv"] or answer["result"]).lower()
            if answer["result"] != wanted:
                wrong.append((name, wanted, answer))
    assert wrong == []
    assert seen == CHAINS_WANTED


def seal(message, scenario, test, tmp_path):
    key = tmp_path / "key.pem"
    key.write_text(scenario["privatekey"])
    return subprocess.run(
        [BUILD / "tests/probe/probe_arc_seal", scenario["domain"], scenario["sel"], key, str(test["t"]),
         test["srv-id"], test["sig-headers"]], input=message, capture_output=True, timeout=60)


def packed(text):
    return "".join(text.split())


def test_seals(tmp_path):
    wrong, seen = [], 0
    for scenario in scenarios("arc-draft-sign-tests.yml"):
        for name, test in scenario["tests"].items():
            seen += 1
            done = seal(crlf(test["message"]), scenario, test, tmp_path)
            wanted = "".join(f"{field}: {test[short]}" for field, short in (
                ("ARC-Seal", "AS"), ("ARC-Message-Signature", "AMS"), ("ARC-Authentication-Results", "AAR")))
            if not test["AS"]:  # there must be none
                if done.returncode == 0:
                    wrong.append((name, done.stdout))
            elif packed(done.stdout.decode()) != packed(wanted):
                wrong.append((name, done.stdout))
    assert wrong == []
    assert seen == SEALS_WANTED


def test_fifty_sets_and_no_more(tmp_path):
    """A chain grows set by set; here and for dkimpy each is valid, and a 51st is not made."""
    scenario = scenarios("arc-draft-sign-tests.yml")[0]
    records = {"dummy._domainkey.example.org": "v=DKIM1; k=rsa; p=" + public_of(scenario["privatekey"])}
    test = {"t": 12345, "srv-id": "mx.example.org", "sig-headers": ""}
    message = (b"From: Ann <ann@example.net>\r\nTo: bob@example.org\r\nSubject: Hi\r\n"
               b"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n")
    chains = []
    for instance in range(50):
        results = b"Authentication-Results: mx.example.org; arc=%s\r\n" % (b"pass" if instance else b"none")
        done = seal(results + message, scenario, test, tmp_path)
        assert done.returncode == 0, done.stdout
        message = done.stdout.replace(b"\n", b"\r\n") + message
        chains.append(message)
    assert [answer["result"] for answer in verify(zone_of(records), chains, tmp_path)] == ["pass"] * 50
    done = seal(b"Authentication-Results: mx.example.org; arc=pass\r\n" + message, scenario, test, tmp_path)
    assert done.returncode != 0
    for chain in (chains[0], chains[2], chains[9]):
        cv, _, reason = dkim.arc_verify(chain, dnsfunc=lambda name, timeout=5: records[
            name.decode().rstrip(".")].encode(), minkey=1024)
        assert (cv, reason) == (b"pass", "success")


@pytest.mark.parametrize("more", [b"X: y\r\n" * 1000, (b"X: " + b"y" * 500 + b"\r\n") * 990 + b"Z: " + b"z" * 2000000 + b"\r\n"],
                         ids=["fields", "bytes"])
def test_a_header_without_measure(more, tmp_path):
    """It fails a chain, wherever that stands, and is nothing to a message without one."""
    chain = b"ARC-Seal: i=1; cv=none; d=example.org\r\n"
    rest = b"From: ann@example.net\r\n\r\nHello\r\n"
    below, above, without = verify({}, [more + chain + rest, chain + more + rest, more + rest], tmp_path)
    assert below["reason"] == above["reason"] == "header too large"
    assert below["result"] == above["result"] == "fail"
    assert without["result"] == "none"


def public_of(pem):
    der = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=pem.encode(), capture_output=True,
                         check=True).stdout
    return base64.b64encode(der).decode()


@pytest.mark.parametrize("change, reason", [
    ((b"Hello", b"Hullo"), "body hash mismatch"),
    ((b"Subject: Hi", b"Subject: Ho"), "message signature mismatch"),
    ((b"dmarc=pass", b"dmarc=fail"), "seal mismatch"),
    ((b"Results: i=1;", b"Results: i=51;"), "i= missing or not 1 to 50"),
])
def test_reasons(change, reason, tmp_path):
    scenario = scenarios("arc-draft-sign-tests.yml")[0]
    records = {"dummy._domainkey.example.org": "v=DKIM1; k=rsa; p=" + public_of(scenario["privatekey"])}
    message = (b"Authentication-Results: mx.example.org; arc=none; dmarc=pass header.from=example.net\r\n"
               b"From: Ann <ann@example.net>\r\nSubject: Hi\r\n\r\nHello\r\n")
    test = {"t": 12345, "srv-id": "mx.example.org", "sig-headers": ""}
    done = seal(message, scenario, test, tmp_path)
    sealed = done.stdout.replace(b"\n", b"\r\n") + message
    good, bad, away = verify(zone_of(records), [sealed, sealed.replace(*change)], tmp_path) + \
        verify({"dummy._domainkey.example.org": {"rcode": "TIMEOUT"}}, [sealed], tmp_path)
    assert good == {"result": "pass", "reason": "", "sets": 1}
    assert (bad["result"], bad["reason"]) == ("fail", reason)
    assert (away["result"], away["reason"]) == ("fail", "key lookup timed out")

"""Each symbol of core/symbols.def is proved twice: by a message or a case that fires it and by one
near it that does not."""
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
VECTORS = SOURCE / "tests/vectors/score"
TABLE = (SOURCE / "common/core/symbols.def").read_text()
SYMBOLS = re.findall(r"^PW_SYMBOL\((\w+),", TABLE, re.M)
# What no message fires: where it is proved instead.
ELSEWHERE = {
    "UNREADABLE": "tests/integration/test_readers.py",
    "CLAM_VIRUS": "tests/integration/test_virus.py",
}


def unit_tests():
    return "".join(path.read_text() for path in sorted((SOURCE / "tests/unit").rglob("*.c")))


def proofs(text):
    """Symbols that unit tests see fire, and those that they see silent."""
    fires, silent = set(), set()
    for name in re.findall(r"PAIR\((\w+)\)|\{ \"\w+\", PW_SYM_(\w+) \}", text):
        name = "".join(name)
        fires |= {name} if (VECTORS / f"{name}.fires.eml").exists() else set()
        silent |= {name} if (VECTORS / f"{name}.silent.eml").exists() else set()
    for row in re.findall(r"\bAUTH\((\w+),[^()]*, (true|false)\)", text):
        (fires if row[1] == "true" else silent).add(row[0])
    for name in re.findall(r"\{ \"[^\"]*\",\s+PW_SYM_(\w+),\s+\{", text):  # two cases in one row
        fires.add(name)
        silent.add(name)
    for is_true, name in re.findall(r"assert_(true|false)\([^;]*?\bPW_SYM_(\w+)\)\);", text):
        (fires if is_true == "true" else silent).add(name)
    return fires, silent


def test_each_symbol_has_a_case_that_fires_it_and_one_near_it():
    fires, silent = proofs(unit_tests())
    assert len(SYMBOLS) > 170
    assert [name for name in SYMBOLS if name not in fires and name not in ELSEWHERE] == []
    assert [name for name in SYMBOLS if name not in silent and name not in ELSEWHERE] == []


def test_what_is_proved_elsewhere_is():
    for name, path in ELSEWHERE.items():
        assert name in SYMBOLS and name in (SOURCE / path).read_text()


def test_messages_are_of_symbols_that_are_there():
    known = set(SYMBOLS) | {"ORDINARY"}
    text = unit_tests()
    for path in VECTORS.glob("*.eml"):
        assert path.name.partition(".")[0] in known, path
        assert path.name.partition(".")[0] in text, f"{path}: no test reads it"

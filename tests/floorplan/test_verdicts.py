"""What tests/run counts: a failure stays one unless it passes when run once more, alone."""
import subprocess
import sys
from pathlib import Path

VERDICTS = Path(__file__).resolve().parents[1] / "verdicts"
SUITE = """
import pathlib, pytest
def test_good(): pass
def test_never(): assert False
def test_second_time(tmp_path_factory):
    seen = pathlib.Path(__file__).with_name("seen")
    if not seen.exists():
        seen.touch()
        assert False
@pytest.fixture
def broken():
    yield
    raise OSError
@pytest.mark.parametrize("word", ["a b", "c"])
def test_taken_down_badly(broken, word): pass
def test_skipped(): pytest.skip("so")
"""


def run(folder, report, *what):
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o",
                    "junit_family=xunit1", f"--junitxml={report}", *what], cwd=folder, check=False,
                   capture_output=True)


def say(folder, *args):
    return subprocess.run([VERDICTS, *args], cwd=folder, check=True, capture_output=True,
                          text=True).stdout


def test_a_failure_that_passes_alone_has_passed(tmp_path):
    (tmp_path / "test_suite.py").write_text(SUITE)
    run(tmp_path, "first.xml", "test_suite.py")
    failed = say(tmp_path, "--failed", "first.xml").splitlines()
    assert failed == [f"test_suite.py::{n}" for n in (
        "test_never", "test_second_time", "test_taken_down_badly[a b]", "test_taken_down_badly[c]")]
    assert say(tmp_path, "first.xml") == "1 4\n"
    run(tmp_path, "second.xml", *failed)
    assert say(tmp_path, "first.xml", "second.xml") == "2 3\n"


def test_a_report_that_is_not_there_is_a_failure(tmp_path):
    assert say(tmp_path, "none.xml") == "0 1\n"
    assert say(tmp_path, "--failed", "none.xml") == ""
    (tmp_path / "broken.xml").write_text("<testsuite")
    assert say(tmp_path, "broken.xml") == "0 1\n"
    (tmp_path / "test_suite.py").write_text("def test_never(): assert False")
    run(tmp_path, "first.xml", "test_suite.py")
    assert say(tmp_path, "first.xml", "broken.xml") == "0 1\n"


def test_a_file_that_cannot_be_read_hinders_no_second_run(tmp_path):
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "test_other.py").write_text("import there_is_no_such_module")
    run(tmp_path, "first.xml", "--continue-on-collection-errors", "test_suite.py", "test_other.py")
    failed = say(tmp_path, "--failed", "first.xml").splitlines()
    assert "test_other.py" in failed
    run(tmp_path, "second.xml", "--continue-on-collection-errors", *failed)
    assert say(tmp_path, "first.xml", "second.xml") == "2 4\n"

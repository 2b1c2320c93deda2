"""postwardctl metrics: one valid text of all programs' numbers, whatever state their files are in."""
import os
import shutil
import subprocess
import time

import pytest

from exposition import read
from stack.netns import run
from stack.postward import build

SCORE = """# HELP postward_score_messages_total Messages by action.
# TYPE postward_score_messages_total counter
postward_score_messages_total{action="none"} 7
postward_score_messages_total{action="reject"} 2
# HELP postward_score_sessions Connections of Postfix open now.
# TYPE postward_score_sessions gauge
postward_score_sessions 1
"""
DKIM = "# TYPE postward_dkim_keys gauge\npostward_dkim_keys 3\n"


@pytest.fixture
def host(tmp_path):
    """What postwardctl sees as /etc, with programs whose state lies in tmp_path/state."""
    etc, state = tmp_path / "etc", tmp_path / "state"
    (etc / "postward").mkdir(parents=True)
    for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache"):
        shutil.copy(f"/etc/{name}", etc)
    (etc / "postward/postward.conf").write_text(f"state_directory = {state}/$program\n")
    for name, text in (("score", SCORE), ("dkim", DKIM)):
        (state / f"postward-{name}").mkdir(parents=True)
        (state / f"postward-{name}/metrics.prom").write_text(text)
    return tmp_path


def metrics(host, *args, code=0, **environment):
    done = subprocess.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"', "-",
                           host / "etc", build() / "bin/postwardctl", "metrics", *args],
                          capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "MAIL_CONFIG": str(host / "nowhere"), **environment})
    assert done.returncode == code, done.stderr
    return done.stdout


def file_of(host, program):
    return host / "state" / program / "metrics.prom"


def test_all_programs_in_one_text(host):
    found = read(metrics(host))
    assert found['postward_score_messages_total{action="none"}'] == 7
    assert found["postward_dkim_keys"] == 3
    assert found['postward_up{program="postward-score"}'] == found['postward_up{program="postward-dkim"}'] == 1
    assert 0 <= found['postward_metrics_age_seconds{program="postward-score"}'] < 60
    assert 'postward_up{program="postward-origin"}' not in found
    assert [v for k, v in found.items() if k.startswith("postward_build_info{version=")] == [1]


def test_a_program_that_has_gone_silent(host):
    file = file_of(host, "postward-score")
    old = time.time() - 1000
    os.utime(file, (old, old))
    found = read(metrics(host))
    assert found['postward_up{program="postward-score"}'] == 0
    assert 990 < found['postward_metrics_age_seconds{program="postward-score"}'] < 1100
    file.unlink()
    found = read(metrics(host))
    assert found['postward_up{program="postward-score"}'] == 0
    assert 'postward_metrics_age_seconds{program="postward-score"}' not in found


def test_a_file_that_never_ends_or_never_begins(host):
    file = file_of(host, "postward-score")
    file.unlink()
    os.mkfifo(file)
    found = read(metrics(host))
    assert found['postward_up{program="postward-score"}'] == 0 and found["postward_dkim_keys"] == 3
    file.unlink()
    file.symlink_to("/dev/zero")
    assert read(metrics(host))["postward_dkim_keys"] == 3


@pytest.mark.parametrize("text, kept", [
    (SCORE[:-1], ["messages"]),                             # its last number may lack digits
    (SCORE[:100], []),
    ("", []),
    ("\0\1\2\n\xff\xfe\n", []),
    (SCORE.replace("none", "no\0ne"), ["messages", "sessions"]),
    (SCORE + SCORE, ["messages", "sessions"]),
    (SCORE.replace("sessions 1", "sessions one"), ["messages"]),
    (SCORE.replace("sessions 1", "sessions 1 1700000000000"), ["messages", "sessions"]),
    (SCORE.replace('action="none"', 'action="no"ne"'), ["messages", "sessions"]),
    (SCORE.replace('action="', 'action='), ["sessions"]),
    (SCORE + "# TYPE postward_score_sessions counter\npostward_score_sessions 9\n", ["messages", "sessions"]),
    (SCORE + "# HELP postward_dkim_keys Mine.\n# TYPE postward_dkim_keys counter\n", ["messages", "sessions"]),
    (SCORE.replace("} 7", "} NaN").replace("sessions 1", "sessions +Inf"), ["messages", "sessions"]),
    ("postward_score_sessions 5\n", ["sessions"]),
    ("# TYPE postward_score_t histogram\npostward_score_t_bucket{le=\"1\"} 1\npostward_score_t_bucket{le=\"+Inf\"} 2\n"
     "postward_score_t_sum 3\npostward_score_t_count 2\n", ["t_bucket", "t_sum", "t_count"]),
    ("".join(f"# TYPE postward_score_{i} gauge\npostward_score_{i} {i}\n" for i in range(900)), ["899"]),
])
def test_whatever_a_file_holds_the_text_is_valid(host, text, kept):
    file_of(host, "postward-score").write_text(text, encoding="latin1")
    found = read(metrics(host))
    assert found["postward_dkim_keys"] == 3
    names = {key.split("{")[0].removeprefix("postward_score_").removesuffix("_total") for key in found
             if key.startswith("postward_score_")}
    assert set(kept) <= names, found
    if len(text) < 1000:
        assert names == set(kept)


def test_a_program_speaks_for_itself_alone(host):
    """Whoever has taken over one of them has not got the others' numbers."""
    file_of(host, "postward-dkim").write_text(DKIM + SCORE.replace("} 2", "} 0") + (
        "# TYPE postward_up untyped\npostward_up{program=\"postward-score\"} 0\n"
        "# HELP node_load1 Mine.\nnode_load1 0\npostward_dkimx 1\n"))
    text = metrics(host)
    found = read(text)
    assert found['postward_score_messages_total{action="reject"}'] == 2
    assert found['postward_up{program="postward-score"}'] == 1
    assert found["postward_dkim_keys"] == 3
    assert "# TYPE postward_up gauge" in text
    assert "node_load1" not in text and "postward_dkimx" not in text


def long_id(seconds):
    """A name of a queue file: the second of arrival, the microsecond, z, the inode."""
    digits, number, text = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz", int(seconds), ""
    while number:
        number, digit = divmod(number, 52)
        text = digits[digit] + text
    return f"{text}0000z1B"


def test_queue_and_certificate(host, tmp_path):
    config, spool = tmp_path / "postfix", tmp_path / "spool"
    config.mkdir()
    for name in ("maildrop", "incoming", "active", "deferred/4", "hold"):
        (spool / name).mkdir(parents=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
        "-subj", "/CN=x", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem")
    (config / "main.cf").write_text(f"compatibility_level = 3.6\nqueue_directory = {spool}\n"
                                    f"smtpd_tls_cert_file = {tmp_path}/cert.pem\n")
    (config / "master.cf").write_text("smtp inet n - y - - smtpd\n")
    (spool / "deferred/4" / long_id(time.time() - 500)).write_text("x")
    (spool / "active/ABCDEF").write_text("x")
    found = read(metrics(host, MAIL_CONFIG=str(config)))
    assert found['postward_postfix_queue_messages{queue="deferred"}'] == 1
    assert found['postward_postfix_queue_messages{queue="active"}'] == 1
    assert found['postward_postfix_queue_messages{queue="hold"}'] == 0
    assert 500 <= found['postward_postfix_queue_oldest_seconds{queue="deferred"}'] < 560
    assert found['postward_postfix_queue_oldest_seconds{queue="active"}'] < 60
    assert 29 < found['postward_certificate_days_left{service="postfix"}'] <= 30


def test_textfile_is_written_in_one_step(host, tmp_path):
    file = tmp_path / "postward.prom"
    file.write_text("old")
    before = file.stat().st_ino
    assert metrics(host, "--textfile", file) == ""
    assert read(file.read_text())["postward_dkim_keys"] == 3
    assert file.stat().st_ino != before and file.stat().st_mode & 0o777 == 0o644
    assert sorted(p.name for p in tmp_path.iterdir()) == ["etc", "postward.prom", "state"]
    metrics(host, "--textfile", tmp_path / "no/such/folder.prom", code=73)


def test_wrong_use(host):
    metrics(host, "more", code=2)
    metrics(host, "--none", code=2)

"""The learning hook: what a user moves into or out of Junk arrives at the learn socket."""
import imaplib
import itertools
import os
import socket
import subprocess
import threading

import pytest

from dovecot_bed import Dovecot, MAIL_UID, place, remove, wait_until
from stack.postward import build

CONFIG = """
mail_location = {storage}:~/mail
mail_plugins = learn_postward
passdb {{
  driver = static
  args = password=secret-of-sixteen
}}
userdb {{
  driver = static
  args = uid=%d gid=%d home={root}/mail/%%u
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = create
  }}
  mailbox Spam {{
    auto = create
  }}
  mailbox Bin {{
    auto = create
  }}
  mailbox Work {{
    auto = create
  }}
}}
plugin {{
  postward_learn_socket = {root}/../learn.sock
  postward_learn_junk = Spam
  postward_learn_trash = Bin
}}
""" % (MAIL_UID, MAIL_UID)

LARGEST = 1024 * 1024


def message(text, size=0):
    head = f"From: a@example.org\r\nSubject: {text}\r\n\r\n"
    lines, rest = divmod(max(size - len(head), 0), 72)
    return (head + ("x" * 70 + "\r\n") * lines + "x" * rest).encode()


class Recorder:
    """The reader of the learn socket: keeps (verdict, user, message) of what is whole."""

    def __init__(self, path):
        self.path = str(path)
        self.lessons, self.greetings = [], []
        self._listener, self._open = None, []

    def start(self, reads=True):
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self._listener.listen(16)
        threading.Thread(target=self._accept, args=(self._listener, reads), daemon=True).start()
        return self

    def _accept(self, listener, reads):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._open.append(connection)
            if reads:
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        try:
            with connection.makefile("rb") as stream:
                self.greetings.append(stream.readline())
                for line in stream:
                    verdict, user, size = line.decode().rstrip("\n").split("\t")
                    body = stream.read(int(size))
                    if len(body) == int(size):
                        self.lessons.append((verdict, user, body))
        except OSError:
            pass  # stop() closed it

    def stop(self):
        if self._listener is None:
            return
        os.unlink(self.path)
        for each in (self._listener, *self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        self._listener, self._open = None, []

    def wait_for(self, user, *expected):
        """Just these lessons of a user, (verdict, message) each."""
        wait_until(lambda: len(self.of(user)) >= len(expected), 20, "lessons")
        assert self.of(user) == list(expected)

    def of(self, user):
        return [(verdict, text) for verdict, who, text in list(self.lessons) if who == user]


class Bed:
    """Dovecot and the recorder. Each session is that of a new user."""

    def __init__(self, storage="sdbox", change=("", "")):
        self.dir = place()
        self.recorder = Recorder(self.dir / "learn.sock").start()
        self.dovecot = Dovecot(self.dir / "dovecot",
                               CONFIG.replace("{storage}", storage).replace(*change)).start()

    def login(self, user=None):
        c = imaplib.IMAP4("127.0.0.1", self.dovecot.port, timeout=60)
        c.user = user or f"user{next(NUMBERS)}@example.test"
        c.login(c.user, "secret-of-sixteen")
        return c

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.dovecot.stop()
        self.recorder.stop()
        try:
            self.dovecot.check_log()
        finally:
            remove(self.dir)


NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def shared():
    with Bed() as bed:
        yield bed


@pytest.fixture
def recorder(shared):
    return shared.recorder


@pytest.fixture
def imap(shared):
    with shared.login() as c:
        yield c


@pytest.fixture
def bed():
    with Bed() as b:
        yield b


def put(imap, folder, *messages):
    for each in messages:
        assert imap.append(folder, None, None, each)[0] == "OK"


def move(imap, source, target, which="1"):
    assert imap.select(source)[0] == "OK"
    assert imap.uid("MOVE", "1:*" if which == "all" else which, target)[0] == "OK"


def copy_and_expunge(imap, source, target):
    assert imap.select(source)[0] == "OK"
    assert imap.copy("1", target)[0] == "OK"
    imap.store("1", "+FLAGS", r"(\Deleted)")
    assert imap.expunge()[0] == "OK"


@pytest.mark.parametrize("storage", ["maildir", "sdbox", "mdbox"])
def test_into_junk_is_spam_and_out_of_it_ham(storage):
    with Bed(storage) as bed:
        for carry in (move, copy_and_expunge):
            there_and_back(bed, carry)
        assert bed.recorder.greetings == [b"postward-learn\t1\n"] * 2  # one connection a session


def there_and_back(bed, carry):
    text = message("pills", 5000)
    with bed.login() as imap:
        put(imap, "INBOX", text)
        carry(imap, "INBOX", "Junk")
        bed.recorder.wait_for(imap.user, ("spam", text))
        carry(imap, "Junk", "Work")
        bed.recorder.wait_for(imap.user, ("spam", text), ("ham", text))


def test_many_messages_arrive_in_order(imap, recorder):
    texts = [message(f"number {n}", 20000) for n in range(40)]
    put(imap, "INBOX", *texts)
    move(imap, "INBOX", "Junk", "all")
    recorder.wait_for(imap.user, *[("spam", text) for text in texts])


@pytest.mark.parametrize("source, target", [("Junk", "Trash"), ("Junk", "Bin"), ("Spam", "Trash"),
                                            ("Junk", "Spam"), ("INBOX", "Work"),
                                            ("INBOX", "Trash"), ("Trash", "INBOX")])
def test_moves_that_teach_nothing(imap, recorder, source, target):
    put(imap, source, message("nothing"))
    move(imap, source, target)
    copied(imap, recorder)


def copied(imap, recorder):
    """The next lesson arrives, and it is the first: nothing came before it."""
    put(imap, "INBOX", message("the next lesson"))
    imap.select("INBOX")
    assert imap.uid("COPY", "*", "Junk")[0] == "OK"
    recorder.wait_for(imap.user, ("spam", message("the next lesson")))


@pytest.mark.parametrize("source, target, verdict", [("INBOX", "Spam", "spam"),
                                                     ("Spam", "INBOX", "ham"),
                                                     ("Trash", "Junk", "spam"),
                                                     ("Bin", "Spam", "spam")])
def test_mailboxes_named_by_settings(imap, recorder, source, target, verdict):
    put(imap, source, message("named"))
    move(imap, source, target)
    recorder.wait_for(imap.user, (verdict, message("named")))


def test_appending_to_junk_teaches_nothing(imap, recorder):
    put(imap, "Junk", message("imported"))
    copied(imap, recorder)


def test_a_delivery_teaches_nothing(shared, imap, recorder):
    shared.dovecot.deliver(imap.user, message("delivered").decode())
    copied(imap, recorder)


def test_a_copy_that_fails_teaches_nothing(shared, imap, recorder):
    """Another session has expunged the second message: the whole COPY is taken back."""
    put(imap, "INBOX", message("one"), message("two"))
    imap.select("INBOX")
    with shared.login(imap.user) as other:
        other.select("INBOX")
        other.store("2", "+FLAGS", r"(\Deleted)")
        assert other.expunge()[0] == "OK"
        kind, text = imap.copy("1:2", "Junk")
        assert kind == "NO" and b"EXPUNGEISSUED" in text[0]
        other.select("Junk")
        assert other.search(None, "ALL")[1] == [b""]
    copied(imap, recorder)


def test_bare_line_ends_become_crlf():
    """As other programs leave them in a Maildir."""
    with Bed("maildir") as bed, bed.login() as imap:
        put(imap, "INBOX", message("there is a Maildir now"))
        found = bed.dovecot.home / imap.user / "mail/new/1.found"
        found.write_bytes(b"Subject: unix\n\nline\n")
        os.chown(found, MAIL_UID, MAIL_UID)
        move(imap, "INBOX", "Junk", "2")
        bed.recorder.wait_for(imap.user, ("spam", b"Subject: unix\r\n\r\nline\r\n"))


def test_the_largest_message_is_sent_and_a_larger_one_is_not(imap, recorder):
    put(imap, "INBOX", message("too large", LARGEST + 1), message("largest", LARGEST))
    move(imap, "INBOX", "Junk", "all")
    recorder.wait_for(imap.user, ("spam", message("largest", LARGEST)))
    imap.select("Junk")
    assert len(imap.search(None, "ALL")[1][0].split()) == 2  # both were moved


def test_nobody_listens(bed):
    bed.recorder.stop()
    with bed.login() as imap:
        put(imap, "INBOX", message("one"), message("two"), message("three"))
        move(imap, "INBOX", "Junk", "1")
        move(imap, "INBOX", "Junk", "2")
        bed.recorder.start()  # who comes later hears of what comes later
        move(imap, "INBOX", "Junk", "3")
        bed.recorder.wait_for(imap.user, ("spam", message("three")))
    wait_until(lambda: bed.dovecot.lines("lessons sent=1, dropped=2"), 20, "the count of losses")
    assert len(bed.dovecot.lines("nobody listens")) == 1


def test_a_restarted_reader_is_told_in_the_same_session(bed):
    with bed.login() as imap:
        put(imap, "INBOX", message("one"), message("two"))
        move(imap, "INBOX", "Junk", "1")
        bed.recorder.wait_for(imap.user, ("spam", message("one")))
        bed.recorder.stop()
        bed.recorder.start()
        move(imap, "INBOX", "Junk", "2")
        bed.recorder.wait_for(imap.user, ("spam", message("one")), ("spam", message("two")))
    assert len(bed.recorder.greetings) == 2


def test_a_reader_that_reads_nothing_holds_up_nobody(bed):
    bed.recorder.stop()
    bed.recorder.start(reads=False)
    with bed.login() as imap:
        put(imap, "INBOX", *[message("large", 1000 * 1000)] * 12)
        move(imap, "INBOX", "Junk", "all")  # more than is ever held
        put(imap, "INBOX", message("afterwards"))
        assert imap.noop()[0] == "OK"
    wait_until(lambda: bed.dovecot.lines("lessons sent=0, dropped=12"), 20, "the count of losses")


def test_it_is_off_unless_named():
    with Bed(change=("mail_plugins = learn_postward", "")) as bed:
        with bed.login() as imap:
            put(imap, "INBOX", message("one"))
            move(imap, "INBOX", "Junk")
        bed.dovecot.stop()
        assert not bed.recorder.greetings


def test_the_module_shows_what_dovecot_needs_and_nothing_else():
    module = str(build() / "lib/lib90_learn_postward_plugin.so")
    names = subprocess.run(["nm", "-D", "--defined-only", module], check=True,
                           capture_output=True, text=True).stdout
    assert {line.split()[-1] for line in names.splitlines()} == {
        "learn_postward_plugin_init", "learn_postward_plugin_deinit",
        "learn_postward_plugin_version"}
    needed = subprocess.run(["objdump", "-p", module], check=True, capture_output=True,
                            text=True).stdout
    assert {x.split()[1] for x in needed.splitlines() if "NEEDED" in x} <= {"libc.so.6"}

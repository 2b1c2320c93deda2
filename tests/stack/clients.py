"""The people outside: an SMTP client that keeps every reply, an IMAP reader, a sink MTA that
keeps the bytes it got, and a port of the host that leads into a namespace."""
import contextlib
import imaplib
import select
import smtplib
import socket
import ssl
import threading
import time


def tls_context():
    """The stack's certificate is self-signed: encryption without a name check."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Reply(tuple):
    """(code, text); prints as the line the client read."""

    def __new__(cls, code, text):
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        return super().__new__(cls, (code, text))

    code = property(lambda self: self[0])
    text = property(lambda self: self[1])

    def __str__(self):
        return f"{self[0]} {self[1]}".replace("\n", " / ")


class SmtpClient:
    """One session from a namespace; `source` is the client's address. tls: `starttls` or `wrapped`."""

    def __init__(self, ns, host, port=25, source=None, helo="mail.sender.test", timeout_s=60,
                 tls=None, login=None):
        self.replies = []
        options = {"local_hostname": helo, "timeout": timeout_s,
                   "source_address": (source, 0) if source else None}
        with ns.enter():
            self.smtp = (smtplib.SMTP_SSL(host, port, context=tls_context(), **options)
                         if tls == "wrapped" else smtplib.SMTP(host, port, **options))
        try:
            self.smtp.ehlo_or_helo_if_needed()
            if tls == "starttls":
                self.smtp.starttls(context=tls_context())
                self.smtp.ehlo()
            if login:
                self.smtp.login(*login)
        except BaseException:
            self.smtp.close()
            raise

    def command(self, line):
        reply = Reply(*self.smtp.docmd(line))
        self.replies.append(reply)
        return reply

    def send(self, sender, recipients, message):
        """One transaction. Returns {"mail": Reply, "rcpt": [Reply...], "data": Reply or None}; a
        refused sender, or no accepted recipient, ends it with RSET."""
        if isinstance(message, str):
            message = message.encode()
        result = {"mail": self.command(f"MAIL FROM:<{sender}>"), "rcpt": [], "data": None}
        if result["mail"].code == 250:
            result["rcpt"] = [self.command(f"RCPT TO:<{r}>") for r in recipients]
        if any(r.code == 250 for r in result["rcpt"]):
            result["data"] = self.data(message)
        else:
            self.command("RSET")
        return result

    def data(self, message):
        """The message itself; the reply to its final dot, or to DATA where that is refused."""
        try:
            reply = Reply(*self.smtp.data(message))
        except smtplib.SMTPDataError as error:
            reply = Reply(error.smtp_code, error.smtp_error)
        self.replies.append(reply)
        return reply

    def close(self):
        with contextlib.suppress(smtplib.SMTPException, OSError):
            self.smtp.quit()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def last_reply(result):
    """The reply that decided a transaction: the first refusal, else that to the final dot."""
    for reply in [result["mail"], *result["rcpt"]]:
        if reply.code != 250:
            return reply
    return result["data"]


class Imap(imaplib.IMAP4_SSL):
    """IMAP over TLS inside a namespace; `source` is the client's address."""

    def __init__(self, ns, host, port=993, timeout_s=60, source=None):
        self._ns, self._source = ns, (source, 0) if source else None
        super().__init__(host, port, ssl_context=tls_context(), timeout=timeout_s)

    def _create_socket(self, timeout):
        with self._ns.enter():
            plain = socket.create_connection((self.host, self.port), timeout, self._source)
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)

    def messages(self, folder="INBOX"):
        """All messages of a folder as bytes."""
        self.select(folder, readonly=True)
        _, data = self.uid("FETCH", "1:*", "(BODY.PEEK[])")
        return [part[1] for part in data if isinstance(part, tuple)]

    def find(self, message_id, folder="INBOX"):
        """The messages of a folder with that Message-ID."""
        return [m for m in self.messages(folder) if message_id.encode() in m]

    def count(self, folder="INBOX"):
        _, data = self.status(folder, "(MESSAGES)")
        return int(data[0].rsplit(b" ", 1)[1].rstrip(b")"))

    def expunge_all(self, folder="INBOX"):
        self.select(folder)
        self.store("1:*", "+FLAGS", r"(\Deleted)")
        self.expunge()
        self.unselect()

    def __exit__(self, *args):
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            self.logout()


class Sink:
    """An MTA of the outside world that accepts everything and keeps the bytes of DATA."""

    def __init__(self, ns, address, port=25):
        self.messages = []  # (client address, sender, recipients, bytes as sent, dots undone)
        with ns.enter():
            self._listener = socket.create_server((address, port))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, peer), daemon=True).start()

    def _serve(self, connection, peer):
        with connection, connection.makefile("rb") as lines:
            say = lambda text: connection.sendall(text.encode() + b"\r\n")
            sender, recipients = None, []
            say("220 sink.elsewhere.test ESMTP")
            for line in lines:
                verb = line[:4].upper()
                if verb == b"EHLO":
                    say("250-sink.elsewhere.test\r\n250-8BITMIME\r\n250 SMTPUTF8")
                    continue
                if verb == b"QUIT":
                    say("221 bye")
                    return
                if verb == b"MAIL":
                    sender, recipients = line[10:].strip().decode(errors="replace"), []
                if verb == b"RCPT":
                    recipients.append(line[8:].strip().decode(errors="replace"))
                if verb == b"DATA":
                    say("354 go")
                    self.messages.append((peer[0], sender, recipients, self._data(lines)))
                say("250 ok")

    @staticmethod
    def _data(lines):
        out = []
        for line in lines:
            if line == b".\r\n":
                break
            out.append(line[1:] if line.startswith(b".") else line)
        return b"".join(out)

    def find(self, message_id):
        return [m for m in list(self.messages) if message_id.encode() in m[3]]

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def accept_each(listener, serve):
    """serve(connection) in a thread for each, until the listener is closed."""
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(near,), daemon=True).start()


def pass_on(near, ns, target):
    """The connection inside the namespace that a taken one leads to; None where there is none, and near is
    closed."""
    try:
        with ns.enter():
            return socket.create_connection(target, timeout=10)
    except OSError:
        near.close()
        return None


class Forward:
    """A loopback port of the host that leads to host:port inside a namespace."""

    def __init__(self, ns, host, port, local_port=0):
        self._ns, self._target = ns, (host, port)
        self._listener = socket.create_server(("127.0.0.1", local_port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=accept_each, args=(self._listener, self._pump), daemon=True).start()

    def _pump(self, near):
        if (far := pass_on(near, self._ns, self._target)) is None:
            return
        with near, far:
            while True:
                ready, _, _ = select.select([near, far], [], [], 600)
                if not ready:
                    return
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    (far if source is near else near).sendall(data)

    def close(self):
        self._listener.close()


def message(sender, recipient, subject="Hello", body="Hello there, this is a short note.\r\n",
            message_id=None, extra=""):
    """A plain message with CRLF line ends. extra: whole header lines."""
    stamp = time.time()
    message_id = message_id or f"{stamp:.6f}.{id(stamp)}@{sender.rsplit('@', 1)[-1]}"
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(stamp))
    return (f"From: Test Person <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n"
            f"Date: {date}\r\nMessage-ID: <{message_id}>\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n{extra}\r\n{body}")

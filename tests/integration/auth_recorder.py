"""Stands at policyd's auth socket: answers asks as told, remembers reports."""
import contextlib
import os
import socket
import socketserver
import threading
from urllib.parse import unquote

from stack.proc import wait_until

FIELDS = {"ask": ("id", "login", "remote", "service"),
          "report": ("login", "remote", "port", "service", "result", "credential", "session",
                     "password")}
NONCE = "0123456789abcdef" * 2


def text(value):
    return "" if value == "-" else unquote(value.replace("%", "%25").replace("+", "%"))


class AuthRecorder:
    """mood: None = as policyd; "silent" = greets and says nothing; "garbage"; "dumb" = does not
    even greet. version 1: as a policyd of before, which greets first and hangs up on version 2."""

    def __init__(self, path, version=2):
        self.path = str(path)
        self.version = version
        self.greetings = []
        self.refused = set()  # logins
        self.asks, self.reports = [], []
        self.mood = None
        self.streams, self.sockets = [], []
        self.server = None

    def handle(self, reader, writer):
        if self.mood == "dumb":
            reader.read()
            return
        if self.version == 1:
            self.say("postward-auth\t1\n", writer)
        self.greetings.append(reader.readline().decode().rstrip("\n"))
        if self.greetings[-1] != f"postward-auth\t{self.version}":
            return
        if self.version == 2:
            self.say(f"postward-auth\t2\t{NONCE}\n", writer)
        self.streams.append(writer)
        for line in reader:
            if writer not in self.streams:
                return  # stopped meanwhile: what is still in the buffer is nobody's
            self.take(*line.decode().rstrip("\n").split("\t"), writer=writer)

    def take(self, verb, *values, writer):
        names = FIELDS[verb] if len(values) == len(FIELDS[verb]) or verb == "ask" else FIELDS[verb][:-1]
        fields = {name: text(value) for name, value in zip(names, values, strict=True)}
        (self.asks if verb == "ask" else self.reports).append(fields)
        if verb == "report" or self.mood == "silent":
            return
        answer = "refuse\t%s\t60\n" if fields["login"] in self.refused else "ok\t%s\n"
        self.say("rubbish\n" if self.mood == "garbage" else answer % fields["id"], writer)

    @staticmethod
    def say(line, writer):
        writer.write(line.encode())
        writer.flush()

    def flush(self, login):
        for writer in self.streams:
            self.say(f"flush\t{login}\n", writer)

    def reported(self, count, timeout_s=20):
        """The last reports, once there are so many."""
        wait_until(lambda: len(self.reports) >= count, timeout_s, f"{count} reports")
        return self.reports

    def start(self):
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer.sockets.append(self.request)
                try:
                    outer.handle(self.rfile, self.wfile)
                except (OSError, ValueError):  # hung up, by them or by us
                    pass

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        if os.path.exists(self.path):
            os.unlink(self.path)
        self.server = Server(self.path, Handler)
        os.chmod(self.path, 0o666)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        """Gone, with all its connections."""
        if self.server is None:
            return
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        os.unlink(self.path)
        self.streams.clear()
        for stream in self.sockets:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        self.sockets.clear()

    def restart(self, mood):
        self.stop()
        self.mood = mood
        self.start()

"""A tap in the wire between a relay and an inner server: it carries SMTP as it is, and at a chosen
stage of the next message does something before it carries on."""
import contextlib
import socket
import threading

from stack.clients import accept_each, pass_on

STAGES = "mail", "rcpt", "data", "headers", "body", "dot", "before reply", "after reply"
BODY_BYTES = 100_000  # of the body have passed at stage `body`
END = b"\r\n.\r\n"


class Tap:
    """Listens at host:port inside a namespace, and leads to target = (host, port) there."""

    def __init__(self, ns, host, port, target):
        self._ns, self._target = ns, target
        self._armed, self._lock, self._done = None, threading.Lock(), threading.Event()
        with ns.enter():
            self._listener = socket.create_server((host, port), backlog=512)
        # what a relay has written is to be here, not on its way
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        threading.Thread(target=accept_each, args=(self._listener, self._serve), daemon=True).start()

    def at(self, stage, action):
        """action() at this stage of the next message, once. The bytes that begin a stage are still
        here then: `before reply` means that the inner has answered, and nobody knows."""
        assert stage in STAGES
        self._done.clear()
        self._armed = stage, action

    def reached(self, stage):
        with self._lock:
            if self._armed is None or self._armed[0] != stage:
                return
            action, self._armed = self._armed[1], None
        action()
        self._done.set()

    def wait(self, timeout_s=30):
        """Until that is done; False: the stage was not reached."""
        return self._done.wait(timeout_s)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, near):
        if (far := pass_on(near, self._ns, self._target)) is None:
            return
        far.settimeout(None)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Wire(self, near, far).carry()


class Wire:
    """One connection."""

    def __init__(self, tap, near, far):
        self.tap, self.near, self.far = tap, near, far
        self._text, self._header_bytes, self._content = b"", 0, None
        self._is_answered = True

    def carry(self):
        back = threading.Thread(target=self._back, daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while data := self.near.recv(65536):
                self._look(data)
                self.far.sendall(data)
        self._hang_up()
        back.join()
        self.near.close()
        self.far.close()

    def _hang_up(self):
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _back(self):
        with contextlib.suppress(OSError):
            while data := self.far.recv(65536):
                self._reply(data)
        self._hang_up()

    def _reply(self, data):
        if self._content == "asked" and b"\n354" in b"\n" + data:  # with replies before, perhaps
            self._content, self._text = "header", b""
        is_final = not self._is_answered
        if is_final:
            self._is_answered = True
            self.tap.reached("before reply")
        self.near.sendall(data)
        if is_final:
            self.tap.reached("after reply")

    def _look(self, data):
        if self._content in ("header", "body"):
            self._look_at_content(data)
            return
        for line in data.split(b"\r\n"):
            verb = line[:4].upper()
            for stage in ("mail", "rcpt", "data"):
                if verb == stage.upper().encode():
                    self.tap.reached(stage)
            if verb == b"DATA":
                self._content = "asked"

    def _look_at_content(self, data):
        self._text += data
        if self._content == "header":
            self.tap.reached("headers")
            end = self._text.find(b"\r\n\r\n")
            if end >= 0:
                self._content, self._header_bytes = "body", end
        if self._content == "body" and len(self._text) - self._header_bytes > BODY_BYTES:
            self.tap.reached("body")
        if self._text.endswith(END):
            self._content, self._is_answered = None, False
            self.tap.reached("dot")

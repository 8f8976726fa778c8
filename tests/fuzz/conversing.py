"""Cases played in memory and in no time: against this project's engine, or against a peer that a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from wsproto_core import (
    ClientConnection,
    Closed,
    LocalProtocolError,
    PerMessageDeflate,
    Request,
    Role,
    ServerConnection,
)
from wsproto_core.frames import Frame
from wsproto_fuzz.conformance.case import Case
from wsproto_fuzz.conformance.conversation import Conversation
from wsproto_fuzz.conformance.opening import accept_token
from wsproto_fuzz.conformance.steps import Step
from wsproto_fuzz.conformance.verdict import Result
from wsproto_fuzz.wire import FrameReader

__all__ = ["ScriptedServer", "case_of", "converse"]

START = 100.0


def case_of(*steps: Step) -> Case:
    return Case(id="group.1.1", title="a title", requirement="It must.", section="RFC 6455 §1", steps=steps)


def converse(case: Case, peer: Role, *, read_size: int = 1 << 20) -> Result:
    """The case against our own engine, which echoes. The tester reads ``read_size`` bytes at a time."""
    return _Meeting(Conversation(case, peer, START), _engine(peer), read_size).run()


def _engine(peer: Role) -> ServerConnection | ClientConnection:
    extensions = [PerMessageDeflate()]
    if peer is Role.SERVER:
        return ServerConnection(extensions=extensions, now=START)
    client = ClientConnection("ws://localhost/", entropy=Random(1).randbytes, extensions=extensions, now=START)
    client.connect()
    return client


class _Meeting:
    def __init__(self, conversation: Conversation, engine: ServerConnection | ClientConnection, read_size: int) -> None:
        self.tester = conversation
        self.engine = engine
        self.read_size = read_size
        self.now = START
        self.eof_told = self.eof_heard = False

    def run(self) -> Result:
        while not self.tester.is_over:
            if not (self.to_engine() | self.from_engine()):
                deadlines = (self.tester.next_deadline(), self.engine.next_deadline())
                self.now = max(self.now, min(deadline for deadline in deadlines if deadline is not None))
                self.tester.handle_timeout(self.now)
                self.echo(self.engine.handle_timeout(self.now))
        return self.tester.result()

    def to_engine(self) -> bool:
        writes = self.tester.data_to_send()
        for data in writes:
            self.echo(self.engine.receive_data(data, self.now))
            self.from_engine()
        if self.tester.ends_output and not self.eof_told:
            self.eof_told = True
            self.echo(self.engine.receive_eof(self.now))
            return True
        return bool(writes)

    def from_engine(self) -> bool:
        data = b"".join(self.engine.data_to_send())
        for start in range(0, len(data), self.read_size):
            self.tester.receive_data(data[start : start + self.read_size], self.now)
        if (self.engine.half_close or self.engine.should_abort) and not self.eof_heard:
            self.eof_heard = True
            self.tester.receive_eof(self.now)
            return True
        return bool(data)

    def echo(self, events: Sequence[object]) -> None:
        for event in events:
            match event:
                case Request() if isinstance(self.engine, ServerConnection):
                    self.engine.accept()
                case str() | bytes():
                    try:
                        self.engine.send(event)
                    except LocalProtocolError:
                        assert any(isinstance(each, Closed) for each in events) or self.engine.close_report
                case _:
                    pass


class ScriptedServer:
    """A server that does what ``react`` says: frames, or bytes, for each frame that comes; ``None`` ends the stream."""

    def __init__(self, case: Case, react: Callable[[Frame], Sequence[Frame | bytes | None]]) -> None:
        self.tester = Conversation(case, Role.SERVER, START)
        self.react = react
        self.now = START
        self.ended = False
        self.reader = FrameReader()

    def run(self) -> Result:
        self.open()
        while not self.tester.is_over:
            frames = [frame for data in self.tester.data_to_send() for frame in self.reader.receive(data)]
            for frame in frames:
                self.say(self.react(frame))
            deadline = self.tester.next_deadline()
            if not frames and deadline is not None:
                self.now = deadline
                self.tester.handle_timeout(self.now)
        return self.tester.result()

    def open(self) -> None:
        request = b"".join(self.tester.data_to_send()).decode()
        key = next(line.partition(": ")[2] for line in request.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.say([f"{head}Sec-WebSocket-Accept: {accept_token(key)}\r\n\r\n".encode()])

    def say(self, words: Sequence[Frame | bytes | None]) -> None:
        for word in words:
            if self.ended:
                return
            if word is None:
                self.ended = True
                self.tester.receive_eof(self.now)
            else:
                self.tester.receive_data(bytes(word), self.now)

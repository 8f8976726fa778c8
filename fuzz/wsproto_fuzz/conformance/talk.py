"""What a step of a case plays on: words to the peer, what the peer has said, time, and the judgement so far.

A step is a generator (:data:`Play`): it yields the time until which it wants to wait, and is resumed whenever the peer
has said something or that time has come. :meth:`Talk.until` is the one way to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Final, NoReturn, TypeAlias

from wsproto_core import Role
from wsproto_core.frames import Frame, Opcode

from ..transcript import Direction, Line, Transcript, describe, describe_rest, frame_line, in_bytes, shorten_hex
from ..wire import CloseContent, Part, Sendable, close, encode, parse_close, ping, pong
from .compression import Compressed, Deflate
from .heard import Heard
from .verdict import Verdict

__all__ = ["Failed", "Finished", "Item", "Play", "Talk", "Unimplemented"]

#: A step, or a part of one, while it plays.
Play: TypeAlias = Generator[float, None, None]

#: What a step can send.
Item: TypeAlias = Sendable | Compressed

_BARRIER_SIZE: Final = 8
_MAX_RECEIVED_SIZE: Final = 1 << 28


class Failed(Exception):
    """The peer did what it must not do: the case ends, and this says what it was."""


class Unimplemented(Exception):
    """The peer lacks what the case needs."""


class Finished(Exception):
    """The connection is over, as it should be: what follows in the case has nothing to play on."""


class Talk:
    """One conversation with a peer that plays ``peer``, as the steps see it."""

    def __init__(
        self,
        peer: Role,
        *,
        now: float,
        seed: str,
        patience: float,
        authority: str = "localhost",
        target: str = "/",
        is_secure: bool = False,
        server_name: str | None = None,
    ) -> None:
        #: The side that the peer plays; the tester plays the other.
        self.peer = peer
        #: Where a request to a server goes: the value of its ``Host``, and what it asks for.
        self.authority = authority
        self.target = target
        #: Whether the stream is inside of TLS, and by which name a client asked for the tester there.
        self.is_secure = is_secure
        self.server_name = server_name
        self.now = now
        #: Seconds that the peer has for what it ought to do at once.
        self.patience = patience
        self.chance: Random = Random(seed)
        self.heard: Heard = Heard(peer)
        #: Set once permessage-deflate is agreed.
        self.deflate: Deflate | None = None
        #: Payloads of all pings sent.
        self.pinged: set[bytes] = set()
        #: What the tester's first close frame said.
        self.close_sent: CloseContent | None = None
        #: What the peer did, in one sentence: the last deed told wins. And what was allowed and not ideal.
        self.deed: str = ""
        self.lapses: list[str] = []
        self.output: deque[bytes] = deque()
        #: The stream is to be ended in this direction, after the output.
        self.ends_output: bool = False
        self._received_size = 0
        self._began = now
        self._transcript = Transcript()

    # ----------------------------------------------------------------------------------------------------- speaking

    def send(self, *items: Item) -> None:
        """Send everything in one write."""
        self.output.extend(self.writes(items))

    def writes(
        self,
        items: Iterable[Item],
        *,
        write_size: int | None = None,
        cuts: Iterable[int] = (),
        swap_masking: bool = False,
    ) -> Sequence[bytes]:
        """What ``items`` are in bytes, cut into writes; a step that waits in between queues them itself.

        ``write_size`` is the size of every write, or ``cuts`` are the places of the cuts in the whole. The transcript
        has it already.
        """
        is_masked = (self.peer is Role.SERVER) is not swap_masking
        data = b"".join(self._encode(item, is_masked=is_masked) for item in items)
        places = tuple(range(write_size, len(data), write_size) if write_size else cuts)
        if write_size:
            self.remark(f"sent in writes of {in_bytes(write_size)}")
        elif places:
            self.remark(f"sent in {len(places) + 1} writes, cut after bytes {', '.join(map(str, places))}")
        return [write for start, stop in pairwise((0, *places, len(data))) if (write := data[start:stop])]

    def send_ping(self) -> bytes:
        """Send a ping with a payload that occurs nowhere else, and return that."""
        payload = self.chance.randbytes(_BARRIER_SIZE)
        self.send(ping(payload))
        return payload

    def send_head(self, head: str | bytes) -> None:
        """Send the head of an HTTP message, or anything that is shown as text."""
        data = head.encode("latin-1") if isinstance(head, str) else head
        self._note(Line(Direction.SENT, self.elapsed, _printable(data), "", len(data)))
        self.output.append(data)

    @property
    def may_send(self) -> bool:
        """Whether the tester has neither closed nor ended its direction of the stream."""
        return self.close_sent is None and not self.ends_output

    def end_output(self) -> None:
        """End the stream in this direction: TCP's FIN."""
        if not self.ends_output:
            self.ends_output = True
            self.remark("the tester ends its direction of the stream")

    def _encode(self, item: Item, *, is_masked: bool) -> bytes:
        if isinstance(item, Compressed):
            if self.deflate is None:
                raise Unimplemented("permessage-deflate is not agreed.")
            return b"".join(self._encode(frame, is_masked=is_masked) for frame in self.deflate.frames(item))
        data = encode(item, self.chance.randbytes(4) if is_masked else None)
        match item:
            case bytes():
                meaning = "bytes"
            case Part(frame, _, stop):
                meaning = f"a part of: {describe(frame, masked=is_masked)}"
                if stop is None:
                    self._remember(frame)
            case _:
                meaning = describe(item, masked=is_masked)
                self._remember(item)
        self._note(Line(Direction.SENT, self.elapsed, meaning, shorten_hex(data), len(data)))
        return data

    def _remember(self, frame: Frame) -> None:
        if frame.opcode == Opcode.PING:
            self.pinged.add(frame.payload)
        if frame.opcode == Opcode.CLOSE and self.close_sent is None:
            self.close_sent = parse_close(frame.payload)

    # ---------------------------------------------------------------------------------------------------- listening

    def until(self, condition: Callable[[], object], timeout: float) -> Generator[float, None, bool]:
        """Wait until ``condition`` holds, ``timeout`` seconds at most; tell whether it does."""
        deadline = self.now + timeout
        while not condition():
            if self.now >= deadline:
                return False
            yield deadline
        return True

    def receive(self, data: bytes) -> None:
        """Bytes from the peer. Pings are answered; a :attr:`Heard.fault`, or too much, raises :exc:`Failed`."""
        self._received_size += len(data)
        if self._received_size > _MAX_RECEIVED_SIZE:
            raise Failed(f"The peer sent more than {_MAX_RECEIVED_SIZE >> 20} MiB.")
        had_head = self.heard.head is not None
        self._tell(self.heard.receive(data))
        if not had_head and self.heard.head is not None:
            raw = self.heard.head.raw
            self._note(Line(Direction.RECEIVED, self.elapsed, _printable(raw), "", len(raw)))
        self._react()

    def begin_frames(self) -> None:
        """The opening handshake is over: what comes now, and what has come behind it, is frames."""
        self._tell(self.heard.begin_frames())
        self._react()

    def receive_end(self, how: str) -> None:
        """The stream has ended; ``how`` says so in words."""
        if self.heard.end is None:
            self.heard.end = how
            if self.heard.rest:
                rest = self.heard.rest
                meaning = describe_rest(rest) if self.heard.head else _printable(rest)
                self._note(Line(Direction.RECEIVED, self.elapsed, meaning, shorten_hex(rest), len(rest)))
            self.remark(how)

    def _tell(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._note(frame_line(Direction.RECEIVED, self.elapsed, frame))

    def _react(self) -> None:
        while self.heard.pings:
            payload = self.heard.pings.popleft()
            if self.may_send and len(payload) <= 125:
                self.send(pong(payload))
        if self.heard.fault is not None:
            raise Failed(self.heard.fault)

    # ------------------------------------------------------------------------------------------------------ judging

    def did(self, deed: str) -> None:
        """What the peer did, and was right to do."""
        self.deed = deed

    def lapse(self, finding: str) -> None:
        """The peer may do so, but a good one does not: at best the case is lax."""
        self.lapses.append(finding)

    def fail(self, finding: str) -> NoReturn:
        """The peer must not do so."""
        raise Failed(finding)

    def rule(self, verdict: Verdict, finding: str) -> None:
        """Whichever of the three it is: a deed that passes, a lapse or, raised, a failure."""
        if verdict is Verdict.FAIL:
            self.fail(finding)
        (self.lapse if verdict is Verdict.LAX else self.did)(finding)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.now - self._began

    @property
    def transcript(self) -> tuple[Line, ...]:
        """What was said so far."""
        return self._transcript.lines()

    def remark(self, words: str) -> None:
        """A line in the transcript that nobody said."""
        self._note(Line(Direction.REMARK, self.elapsed, words))

    def _note(self, line: Line) -> None:
        self._transcript.add(line)

    # ------------------------------------------------------------------------------------------------------- ending

    def finish_closing(self, *, must_end: bool) -> Play:
        """The peer has closed: answer its close frame, and see that the stream ends (RFC 6455 §5.5.1, §7.1.1).

        A server that lets the stream open has failed if it ``must_end`` it at once; other peers are lax. Raises
        :exc:`Finished`.
        """
        heard = self.heard
        if heard.close is not None and heard.end is None and self.may_send:
            self.send(close(heard.close.code))
        if self.peer is Role.CLIENT:
            self.end_output()  # RFC 6455 §7.1.1: it is for the server to end the stream first
        if not (yield from self.until(lambda: heard.end is not None, self.patience)):
            words = f"After its close frame the peer let the TCP connection open for {self.patience:g} s."
            if must_end and self.peer is Role.SERVER:
                self.fail(words)
            self.lapse(words)
        raise Finished


def _printable(data: bytes) -> str:
    return data.decode("latin-1").replace("\r\n", "\n").rstrip("\n")

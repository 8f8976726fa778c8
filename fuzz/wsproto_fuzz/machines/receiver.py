"""Any implementation against a peer that speaks raw frames: subclass :class:`ReceiverMachine` for yours.

Your implementation needs no sockets here, and only four methods: see :class:`Subject`. ``docs/howto/fuzz.md`` shows
one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wsproto_core import Message, Ping, Violation
from wsproto_core.frames import Frame, Opcode

from ..strategies import (
    Control,
    DeflateTerms,
    Goodbye,
    Offence,
    SentMessage,
    Speaker,
    Speech,
    controls,
    goodbyes,
    messages,
    offences,
    sent_messages,
    speakers,
)
from ..transcript import Direction, frame_lines, render
from ..wire import FrameReader, close_fault, parse_close

__all__ = ["ReceiverMachine", "Subject"]


class Subject(Protocol):
    """One end of an open WebSocket connection: bytes go in; messages and bytes come out."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer. What they mean is done at once, answers included."""
        ...

    @property
    def messages(self) -> Sequence[Message]:
        """All whole messages so far, text as ``str`` and binary as ``bytes``."""
        ...

    def sent(self) -> bytes:
        """What was written since the last call."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether it is over for this end: closed, or failed."""
        ...


class ReceiverMachine(RuleBasedStateMachine):
    """A peer that keeps the rules, breaks one at most, and may arrive in any pieces.

    What always holds of the subject:

    * The messages are those that were sent, in order; never one more.
    * It writes well-formed frames, masked or not as its side must; nothing follows its close frame.
    * Its pongs answer pings, in order, and the last ping is answered (RFC 6455 §5.5.3 lets it skip others).
    * It answers a close frame with one of its own, and ends.
    * It fails the connection over an offence: with the right code if it sends a close frame, and it ends.
    """

    #: Whether the peer masks: it does where the subject is a server.
    masked: ClassVar[bool] = True
    #: What was agreed on about compression; ``None`` if nothing was.
    terms: ClassVar[DeflateTerms | None] = None
    #: Offences that the subject lets pass on purpose: they are not committed.
    tolerated: ClassVar[frozenset[Violation]] = frozenset()

    @abstractmethod
    def make_subject(self) -> Subject:
        """A new connection that is open already."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Open a connection."""
        speaker = data.draw(speakers(masked=self.masked, terms=self.terms), label="speaker")
        self._begin(speaker)

    def _begin(self, speaker: Speaker) -> None:
        self.subject: Subject = self.make_subject()
        self._speech = Speech(speaker)
        self._waiting = b""
        self._delivered = b""
        self._reader = FrameReader()
        #: What it has written.
        self.frames: list[Frame] = []
        #: What it should have received once all bytes are there.
        self.expected: list[Message] = []
        self.pings: list[bytes] = []
        self.goodbye: Goodbye | None = None
        self.violation: Violation | None = None

    # --- what the peer does -------------------------------------------------------------------------------------------

    @precondition(lambda self: not self._has_said_all())
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """A message in any fragments."""
        sent = data.draw(sent_messages(compressed=self.terms is not None), label="message")
        self._say(sent)
        self.pings += [control.payload for control in sent.controls if isinstance(control, Ping)]
        self.expected.append(sent.message)

    @precondition(lambda self: not self._has_said_all())
    @rule(message=messages(), times=st.integers(2, 20))
    def send_many(self, message: Message, times: int) -> None:
        """The same message several times: what is short comes together."""
        for _ in range(times):
            self._say(SentMessage(message))
            self.expected.append(message)

    @precondition(lambda self: not self._has_said_all())
    @rule(control=controls())
    def send_control(self, control: Control) -> None:
        """A ping, or a pong that nobody asked for."""
        self._say(control)
        if isinstance(control, Ping):
            self.pings.append(control.payload)

    @precondition(lambda self: not self._has_said_all())
    @rule(goodbye=goodbyes())
    def say_goodbye(self, goodbye: Goodbye) -> None:
        """A close frame."""
        self._say(goodbye)
        self.goodbye = goodbye

    @precondition(lambda self: not self._has_said_all())
    @rule(data=st.data())
    def offend(self, data: st.DataObject) -> None:
        """One offence, which is the last thing that the peer does."""
        offence = data.draw(offences(masked=self.masked, compressed=self.terms is not None), label="offence")
        if offence.violation not in self.tolerated:
            self._say(offence)
            frames = [frame for frame in offence.frames if isinstance(frame, Frame)]
            self.pings += [frame.payload for frame in frames if frame.opcode == Opcode.PING]
            self.violation = offence.violation

    def _has_said_all(self) -> bool:
        return self.goodbye is not None or self.violation is not None

    def _say(self, item: SentMessage | Control | Goodbye | Offence) -> None:
        self._waiting += self._speech.encode(item)

    @rule(size=st.integers(1, 20) | st.sampled_from([125, 1000, 100_000]))
    def deliver(self, size: int) -> None:
        """Let some of what was said arrive."""
        piece, self._waiting = self._waiting[:size], self._waiting[size:]
        if piece:
            self._receive(piece)

    @rule()
    def deliver_all(self) -> None:
        """Let all of it arrive."""
        self.deliver(max(1, len(self._waiting)))

    def _receive(self, piece: bytes) -> None:
        self._delivered += piece
        self.subject.receive(piece)
        self.frames += self._reader.receive(self.subject.sent())

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def messages_are_those_that_were_sent(self) -> None:
        """In order; never one more."""
        received = list(self.subject.messages)
        expected = self.expected[: len(received)]
        assert received == expected, self.story()
        assert list(map(type, received)) == list(map(type, expected)), self.story()

    @invariant()
    def frames_are_well_formed(self) -> None:
        """Whatever it writes obeys RFC 6455 §5; nothing follows its close frame."""
        for index, frame in enumerate(self.frames):
            assert (frame.mask is None) is self.masked, self.story()
            assert frame.opcode in set(Opcode), self.story()
            assert frame.length_size is None, self.story()
            if frame.opcode >= Opcode.CLOSE:
                assert frame.final, self.story()
                assert not frame.reserved, self.story()
                assert len(frame.payload) <= 125, self.story()
            if frame.opcode == Opcode.CLOSE:
                assert close_fault(frame.payload) is None, self.story()
                assert index == len(self.frames) - 1, self.story()

    @invariant()
    def pongs_answer_pings(self) -> None:
        """In order."""
        rest = iter(self.pings)
        assert all(pong in rest for pong in self._pongs()), self.story()

    @invariant()
    def it_does_not_end_by_itself(self) -> None:
        """As long as the peer keeps the rules, it stays."""
        if not self._has_said_all():
            assert not self.subject.has_ended, self.story()
            assert self._close_frame() is None, self.story()

    # --- the end ------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Let everything arrive, and judge."""
        if not hasattr(self, "subject"):
            return
        self.deliver_all()
        assert len(self.subject.messages) == len(self.expected), self.story()
        if self.violation is not None:
            self._judge_failure(self.violation)
        elif self.goodbye is not None:
            assert self._close_frame() is not None, self.story()
            assert self.subject.has_ended, self.story()
        elif self.pings:
            assert self._pongs()[-1:] == self.pings[-1:], self.story()

    def _judge_failure(self, violation: Violation) -> None:
        assert self.subject.has_ended, self.story()
        answer = self._close_frame()
        if answer is not None:
            assert parse_close(answer.payload).code in self.codes_for(violation), self.story()

    def codes_for(self, violation: Violation) -> set[int | None]:
        """The close codes that may answer an offence: the one that names it, or none at all."""
        if violation is Violation.CORRUPT_COMPRESSION:  # RFC 7692 names none
            return {1002, 1007, None}
        return {violation.answer, None}

    def _pongs(self) -> list[bytes]:
        return [frame.payload for frame in self.frames if frame.opcode == Opcode.PONG]

    def _close_frame(self) -> Frame | None:
        return next((frame for frame in self.frames if frame.opcode == Opcode.CLOSE), None)

    def story(self) -> str:
        """All that was said, in annotated hex; for hypothesis to print as well."""
        said = frame_lines(Direction.SENT, 0.0, self._delivered)
        answers = frame_lines(Direction.RECEIVED, 0.0, b"".join(map(bytes, self.frames)))
        story = render([*said, *answers])
        note(story)
        return story

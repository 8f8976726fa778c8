"""What generated cases are made of: plans that are drawn, shrink, and become cases.

A plan is data. :meth:`Plan.case` says it in the language of cases, and ``str`` says it to a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, Protocol

from hypothesis import strategies as st

from wsproto_core import Message, Ping, Role, Violation
from wsproto_core.frames import Frame

from ..strategies import (
    Chunking,
    Control,
    Conversation,
    DeflateTerms,
    Head,
    HeaderLine,
    Offence,
    Operation,
    SentMessage,
    conversations,
    messages,
    odd_requests,
    odd_responses,
    offences,
    plain_frames,
)
from ..wire import binary, ping, text
from .case import CLIENTS, SERVERS, Case, Steps
from .compression import Compressed
from .expecting import ExpectClose, ExpectFailure, ExpectMessage, ExpectPongs
from .opening import Opening
from .requests import Opens
from .responses import Accepts
from .steps import Send, Step, send

__all__ = [
    "CompressedPlan",
    "OpeningPlan",
    "Plan",
    "TalkPlan",
    "compressed_plans",
    "offending_plans",
    "opening_plans",
    "talk_plans",
]

#: A write costs as much as a message: longer conversations arrive in larger ones.
_MOST_WRITES: Final = 200
_HELLO: Final[Steps] = (send(text("Hello")), ExpectMessage("Hello"))

#: What every peer must refuse, whatever its limits and its leniency; the fixed cases have the rest.
_STRICT: Final = frozenset(
    {
        Violation.RESERVED_BITS,
        Violation.RESERVED_OPCODE,
        Violation.FRAGMENTED_CONTROL,
        Violation.CONTROL_TOO_LONG,
        Violation.UNEXPECTED_CONTINUATION,
        Violation.MESSAGE_INTERRUPTED,
        Violation.INVALID_UTF8,
        Violation.CLOSE_PAYLOAD_TOO_SHORT,
        Violation.CLOSE_REASON_INVALID_UTF8,
    }
)


class Plan(Protocol):
    """Something to be played."""

    def case(self, case_id: str) -> Case:
        """The plan as a case."""
        ...


@dataclass(frozen=True, slots=True)
class TalkPlan:
    """Messages in any fragments, with pings between them, and perhaps an end: a goodbye, or an offence."""

    talk: Conversation

    def __str__(self) -> str:
        return str(self.talk)

    def case(self, case_id: str) -> Case:
        """What came before the end must be echoed and answered before the end comes."""
        talk = self.talk
        legal = [item for item in talk.operations if isinstance(item, SentMessage) or item in talk.told]
        steps = [*_said(legal, talk.chunking), *map(ExpectMessage, talk.messages)]
        if talk.pings:
            steps.append(ExpectPongs(talk.pings))
        return Case(
            id=case_id,
            title=_title(talk),
            requirement=(
                "Messages are delivered however they are fragmented and interleaved with control frames; "
                "what breaks a rule ends the connection."
            ),
            section="RFC 6455 §5.4" if talk.violation is None else talk.violation.section,
            steps=(*steps, *_ending(talk)),
        )


@dataclass(frozen=True, slots=True)
class CompressedPlan:
    """Messages, some of them compressed, each in frames of these sizes."""

    terms: DeflateTerms
    said: tuple[tuple[Message, bool, tuple[int, ...]], ...]

    def __str__(self) -> str:
        lines = [f"{self.terms.header} is offered; the tester sends"]
        lines += [
            f"  {SentMessage(message)!r}{', compressed' if is_compressed else ''}{f', cut at {sizes}' if sizes else ''}"
            for message, is_compressed, sizes in self.said
        ]
        return "\n".join(lines)

    def case(self, case_id: str) -> Case:
        """All messages are sent at once, and must be echoed."""
        items = [Compressed(said, sizes) if squeezed else _frame(said) for said, squeezed, sizes in self.said]
        return Case(
            id=case_id,
            title=f"{len(self.said)} messages with {self.terms.header}",
            requirement="A message is delivered whether it is compressed or not, whatever came before it.",
            section="RFC 7692 §7.2.2",
            steps=(Send(tuple(items)), *(ExpectMessage(message) for message, _, _ in self.said)),
            opening=Opening(offer=self.terms.header, answer=self._answer()),
        )

    def _answer(self) -> str:
        """What a server may say whatever the client has offered (RFC 7692 §7.1.1)."""
        terms = replace(self.terms, server_max_window_bits=15, client_max_window_bits=15)
        return terms.header


@dataclass(frozen=True, slots=True)
class OpeningPlan:
    """An opening handshake that is odd and valid, and a message behind it."""

    head: Head
    role: Role

    def __str__(self) -> str:
        return str(self.head)

    def case(self, case_id: str) -> Case:
        """The connection must open, and the message be echoed."""
        template = _template(self.head)
        offered = self.head.value("Sec-WebSocket-Protocol") or ""
        names = tuple(name.strip() for name in offered.split(",") if name.strip())
        first: Step = Opens(template, subprotocols=names) if self.role is Role.SERVER else Accepts(template)
        return Case(
            id=case_id,
            title=f"{self.head.first_line[:40]} with {len(self.head.lines)} header lines",
            requirement="Letter case, order and blanks of the fields of an opening handshake do not matter.",
            section="RFC 6455 §4.2.1" if self.role is Role.SERVER else "RFC 6455 §4.1",
            steps=(first, *_HELLO),
            peers=SERVERS if self.role is Role.SERVER else CLIENTS,
            opening=None,
        )


# --- what is drawn ----------------------------------------------------------------------------------------------------


def talk_plans() -> st.SearchStrategy[TalkPlan]:
    """Conversations that keep the rules."""
    return conversations(masked=False).map(_numbered).map(TalkPlan)


def offending_plans() -> st.SearchStrategy[TalkPlan]:
    """Conversations that end in an offence."""
    strict = offences(masked=False, compressed=False).filter(lambda offence: offence.violation in _STRICT)
    return st.builds(_offending, conversations(masked=False, max_operations=3, max_size=200), strict)


def compressed_plans() -> st.SearchStrategy[CompressedPlan]:
    """Compressed messages, with any context takeover and any window."""
    terms = st.builds(
        DeflateTerms,
        server_no_context_takeover=st.booleans(),
        client_no_context_takeover=st.booleans(),
        client_max_window_bits=st.sampled_from([15, 9, 12]),
    )
    repeated: st.SearchStrategy[Message] = st.sampled_from(["Hello", "Hello" * 100, b"Hello" * 100, bytes(range(256))])
    sizes = st.lists(st.integers(0, 20), max_size=3).map(tuple)
    said = st.lists(st.tuples(repeated | messages(), st.booleans(), sizes), min_size=1, max_size=6).map(tuple)
    return st.builds(CompressedPlan, terms, said)


def opening_plans(role: Role) -> st.SearchStrategy[OpeningPlan]:
    """Opening handshakes for a peer that plays ``role``."""
    if role is Role.CLIENT:
        return odd_responses().map(lambda head: OpeningPlan(head, role))
    return odd_requests().filter(_is_plain_enough).map(lambda head: OpeningPlan(_bare(head), role))


def _is_plain_enough(head: Head) -> bool:
    """Without what a server may well refuse: a whole URI as the target, and any word of a body."""
    return "://" not in head.first_line and head.value("Content-Length") is None


def _bare(head: Head) -> Head:
    """Without extensions, of which a tester that has not read the answer could not speak any."""
    return head.replaced("Sec-WebSocket-Extensions").replaced("Origin")


def _offending(talk: Conversation, offence: Offence) -> TalkPlan:
    legal = tuple(item for item in talk.operations if item in talk.told or isinstance(item, SentMessage))
    return TalkPlan(_numbered(replace(talk, operations=(*legal, offence))))


def _numbered(talk: Conversation) -> Conversation:
    """The same with pings that can be told apart, so that their pongs can."""
    numbers = count()

    def numbered(item: Control | None) -> Control | None:
        return Ping(next(numbers).to_bytes(2, "big") + item.payload[:123]) if isinstance(item, Ping) else item

    def with_numbers(item: Operation) -> Operation:
        match item:
            case SentMessage():
                return replace(item, between=tuple(map(numbered, item.between)))
            case Ping() as ping:
                return numbered(ping) or ping
            case _:
                return item

    return replace(talk, operations=tuple(map(with_numbers, talk.operations)))


# --- as steps ---------------------------------------------------------------------------------------------------------


def _said(operations: Sequence[Operation], chunking: Chunking) -> Iterator[Step]:
    """Everything in one go, cut into writes."""
    frames = tuple(frame for item in operations for frame in plain_frames(item))
    size = sum(len(bytes(frame)) for frame in frames)
    if not frames:
        return
    if chunking.size is not None:
        yield Send(frames, write_size=max(chunking.size, size // _MOST_WRITES))
    else:
        yield Send(frames, cuts=tuple(sorted({cut % (size + 1) for cut in chunking.cuts})))


def _ending(talk: Conversation) -> Iterator[Step]:
    if talk.goodbye is not None:
        yield send(talk.goodbye.frame)
        yield ExpectClose((talk.goodbye.code, 1000))
    for offence in talk.operations[-1:]:
        if isinstance(offence, Offence):
            yield Send(offence.frames)
            yield ExpectFailure(_codes(offence.violation), pongs=_pings(offence))


def _codes(violation: Violation) -> tuple[int, ...]:
    return (violation.answer, 1002) if violation is Violation.CLOSE_REASON_INVALID_UTF8 else (violation.answer,)


def _pings(offence: Offence) -> tuple[bytes, ...]:
    """Payloads of the pings that stand before what is wrong, and are right themselves."""
    frames = [frame for frame in offence.frames[:-1] if isinstance(frame, Frame)]
    return tuple(frame.payload for frame in frames if frame == ping(frame.payload))


def _frame(message: Message) -> Frame:
    return text(message) if isinstance(message, str) else binary(message)


def _title(talk: Conversation) -> str:
    words = f"{len(talk.messages)} messages and {len(talk.pings)} pings"
    return words if talk.violation is None else f"{words}, and then {talk.violation.words}"


def _template(head: Head) -> str:
    """The head as steps fill it in: with ``{authority}``, ``{target}``, ``{key}`` and ``{accept}``."""
    fields = {"host": "{authority}", "sec-websocket-key": "{key}", "sec-websocket-accept": "{accept}"}
    lines = tuple(
        HeaderLine(line.name, fields.get(line.name.lower(), _escaped(line.value)), line.before, line.after)
        for line in head.lines
    )
    is_request = head.first_line.startswith("GET ")
    first_line = "GET {target} HTTP/1.1" if is_request else _escaped(head.first_line)
    return "\r\n".join([first_line, *map(str, lines), "", ""])


def _escaped(words: str) -> str:
    return words.replace("{", "{{").replace("}", "}}")

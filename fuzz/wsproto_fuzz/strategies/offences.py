"""Every way to break the rules of framing, as a table: the :class:`Violation`, and frames that commit it and no other.

Each offence stands between two messages and is complete in itself: where it takes a message that has begun, it begins
one. What a receiver must have been told, limits or compression, the offence says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from wsproto_core import Limits, Violation
from wsproto_core.frames import Frame, Opcode

from ..transcript import shorten_hex
from ..wire import RawFrame, Sendable, close, continuation
from .closing import MAX_REASON_SIZE, close_codes, close_reasons, invalid_close_codes
from .deflate import CORRUPT_DEFLATE, deflated
from .frames import control_frames, data_frames, fragments, payloads
from .showing import Shown
from .text import broken_texts, texts

__all__ = ["FRAMING_OFFENCES", "Offence", "OffenceRow", "offences"]

_DEFAULT_LIMITS: Final = Limits()
_RSV1: Final = 4
_UNMASKING: Final = frozenset({Violation.UNMASKED_FRAME, Violation.MASKED_FRAME})
#: Limits so small that what is too much is still little.
_FEW: Final = 3
_SMALL: Final = 100
#: The ratio of inflation is judged from 16 MiB on.
_BOMB_SIZE: Final = 17 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Offence(Shown):
    """Frames that break one rule, and what makes them do so. A speaker says them like anything else."""

    violation: Violation
    #: Without masks, because the speaker masks them; their last byte makes it certain at the latest.
    frames: tuple[Sendable, ...]
    #: What the receiver has to limit.
    limits: Limits = _DEFAULT_LIMITS
    #: Whether permessage-deflate has to be agreed on; ``None`` if it does not matter.
    compressed: bool | None = None

    @property
    def is_unmasking(self) -> bool:
        """Whether the frames are masked as the other side has to: that is the offence."""
        return self.violation in _UNMASKING

    def __repr__(self) -> str:
        frames = " ".join(shorten_hex(bytes(frame)) for frame in self.frames)
        return f"Offence({self.violation.name}: {frames})"


@dataclass(frozen=True, slots=True)
class OffenceRow:
    """How one rule is broken."""

    #: The frames that do it.
    frames: st.SearchStrategy[Sequence[Sendable]]
    limits: Limits = _DEFAULT_LIMITS
    compressed: bool | None = None
    #: Whether it takes a peer that should mask, or one that should not; ``None`` if either can.
    masked: bool | None = None

    def offences(self, violation: Violation) -> st.SearchStrategy[Offence]:
        """The row as offences."""
        return st.builds(
            Offence, st.just(violation), self.frames.map(tuple), st.just(self.limits), st.just(self.compressed)
        )


def offences(*, masked: bool, compressed: bool) -> st.SearchStrategy[Offence]:
    """Offences of a peer that should mask, or not, to which ``compressed`` messages were agreed on, or not.

    They need no limits other than the default ones, so they fit into any conversation.
    """
    return _offences(masked, compressed)


@cache
def _offences(masked: bool, compressed: bool) -> st.SearchStrategy[Offence]:
    fitting = [
        row.offences(violation)
        for violation, row in FRAMING_OFFENCES.items()
        if row.limits is _DEFAULT_LIMITS and row.masked in (None, masked) and row.compressed in (None, compressed)
    ]
    return st.one_of(fitting)


# --- what is sent -----------------------------------------------------------------------------------------------------


#: Frames, in order.
_Frames: TypeAlias = st.SearchStrategy[Sequence[Sendable]]


def _alone(frame: st.SearchStrategy[Frame]) -> _Frames:
    return frame.map(lambda frame: [frame])


_DATA: Final = st.sampled_from([Opcode.TEXT, Opcode.BINARY])
_CONTROL: Final = st.sampled_from([Opcode.PING, Opcode.PONG])
_SHORT: Final = texts(max_size=20).map(str.encode)
_GOOD: Final = data_frames(masked=False) | control_frames(masked=False)
_CUTS: Final = st.lists(st.integers(0, 1000), max_size=2)
_BROKEN: Final = broken_texts().map(lambda text: text.data)
_BROKEN_REASONS: Final = _BROKEN.filter(lambda reason: len(reason) <= MAX_REASON_SIZE)
_TOO_LARGE: Final = st.integers(_SMALL + 1, 3 * _SMALL).map(lambda size: b"a" * size)
_CORRUPT: Final = st.tuples(st.sampled_from(CORRUPT_DEFLATE), st.binary(max_size=5)).map(b"".join)


def _frames(opcode: st.SearchStrategy[int], payload: st.SearchStrategy[bytes], **rest: Any) -> st.SearchStrategy[Frame]:
    """Frames, and whatever else is free in them."""
    return st.builds(Frame, opcode, payload, **rest)


def _in_message(last: st.SearchStrategy[Frame]) -> _Frames:
    """A message that has begun, some control frames, and then this."""
    first = _frames(_DATA, _SHORT, final=st.just(False))
    between = st.lists(control_frames(masked=False), max_size=2)
    return st.tuples(first, between, last).map(lambda parts: [parts[0], *parts[1], parts[2]])


def _message(
    payload: st.SearchStrategy[bytes],
    opcode: st.SearchStrategy[int] = _DATA,
    *,
    cuts: st.SearchStrategy[list[int]] = _CUTS,
    reserved: int = 0,
) -> _Frames:
    """A message with this payload, in any fragments."""
    return st.builds(fragments, opcode, payload, cuts, st.just(reserved))


def _with_bits(frame: Frame, bits: int) -> Frame:
    return replace(frame, reserved=bits)


@cache
def _bomb() -> bytes:
    return deflated(bytes(_BOMB_SIZE))


def _non_minimal() -> st.SearchStrategy[Frame]:
    """Data frames whose length would have fitted into fewer bytes."""
    short = _frames(_DATA, _SHORT, length_size=st.sampled_from([2, 8]))
    medium = st.sampled_from([126, 65_535]).map(lambda size: b"a" * size)
    return short | _frames(_DATA, medium, length_size=st.just(8))


def _overflowing() -> st.SearchStrategy[Frame]:
    """A length of 64 bits, the first of them set. No such payload follows."""
    return st.builds(RawFrame, _DATA, st.just(b""), st.booleans(), claimed_size=st.integers(1 << 63, (1 << 64) - 1))


# --- the table --------------------------------------------------------------------------------------------------------

#: A row for each violation of framing. Where ``Limits`` are offended, the row has those limits.
FRAMING_OFFENCES: Final[Mapping[Violation, OffenceRow]] = MappingProxyType(
    {
        Violation.UNMASKED_FRAME: OffenceRow(_alone(_GOOD), masked=True),
        Violation.MASKED_FRAME: OffenceRow(_alone(_GOOD), masked=False),
        Violation.RESERVED_BITS: OffenceRow(
            _alone(st.builds(_with_bits, _GOOD, st.integers(1, 7))),
            compressed=False,
        ),
        Violation.RESERVED_OPCODE: OffenceRow(
            _alone(_frames(st.sampled_from([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), _SHORT))
        ),
        Violation.NON_MINIMAL_LENGTH: OffenceRow(_alone(_non_minimal())),
        Violation.LENGTH_OVERFLOW: OffenceRow(_alone(_overflowing())),
        Violation.FRAGMENTED_CONTROL: OffenceRow(
            _alone(_frames(_CONTROL, payloads(max_size=125), final=st.just(False)))
        ),
        Violation.CONTROL_TOO_LONG: OffenceRow(
            _alone(_frames(_CONTROL, st.integers(126, 300).map(lambda size: b"a" * size)))
        ),
        Violation.UNEXPECTED_CONTINUATION: OffenceRow(
            _alone(_frames(st.just(Opcode.CONTINUATION), _SHORT, final=st.booleans()))
        ),
        Violation.MESSAGE_INTERRUPTED: OffenceRow(_in_message(data_frames(masked=False))),
        Violation.INVALID_UTF8: OffenceRow(_message(_BROKEN, st.just(Opcode.TEXT))),
        Violation.CLOSE_PAYLOAD_TOO_SHORT: OffenceRow(
            _alone(_frames(st.just(Opcode.CLOSE), st.binary(min_size=1, max_size=1)))
        ),
        Violation.CLOSE_CODE_INVALID: OffenceRow(_alone(st.builds(close, invalid_close_codes(), close_reasons()))),
        Violation.CLOSE_REASON_INVALID_UTF8: OffenceRow(_alone(st.builds(close, close_codes(), _BROKEN_REASONS))),
        Violation.RESERVED_BIT_ON_CONTINUATION: OffenceRow(
            _in_message(
                st.builds(continuation, _SHORT, final=st.booleans()).map(lambda frame: _with_bits(frame, _RSV1))
            ),
            compressed=True,
        ),
        Violation.CORRUPT_COMPRESSION: OffenceRow(_message(_CORRUPT, reserved=_RSV1), compressed=True),
        Violation.MESSAGE_TOO_BIG: OffenceRow(_message(_TOO_LARGE), Limits(message_size=_SMALL)),
        Violation.FRAME_TOO_BIG: OffenceRow(_alone(_frames(_DATA, _TOO_LARGE)), Limits(frame_size=_SMALL)),
        Violation.INFLATED_TOO_BIG: OffenceRow(
            _message(_TOO_LARGE.map(deflated), reserved=_RSV1), Limits(message_size=_SMALL), compressed=True
        ),
        Violation.INFLATE_RATIO: OffenceRow(
            _message(st.builds(_bomb), reserved=_RSV1),
            Limits(message_size=None),
            compressed=True,
        ),
        Violation.TOO_MANY_FRAGMENTS: OffenceRow(
            _message(_SHORT, cuts=st.lists(st.integers(0, 100), min_size=_FEW, max_size=2 * _FEW)),
            Limits(max_fragments=_FEW),
        ),
        Violation.CONTROL_FLOOD: OffenceRow(
            st.lists(control_frames(masked=False), min_size=_FEW + 1, max_size=2 * _FEW),
            Limits(control_frame_rate=_FEW),
        ),
    }
)

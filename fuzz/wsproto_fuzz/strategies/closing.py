"""Close frames: codes that may cross the wire, codes that may not, and payloads (RFC 6455 §5.5.1, §7.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from wsproto_core import CloseCode, is_wire_code
from wsproto_core.frames import Frame

from ..wire import close, close_payload
from .text import broken_texts, texts

__all__ = [
    "Goodbye",
    "close_codes",
    "close_payloads",
    "close_reasons",
    "goodbyes",
    "invalid_close_codes",
    "invalid_close_payloads",
]

#: RFC 6455 §5.5: 125 bytes, less two of the code.
MAX_REASON_SIZE: Final = 123
_WIRE_CODES: Final = tuple(sorted(filter(is_wire_code, CloseCode)))
#: Both sides of every range, the codes that are only ever reported, and those that nobody has registered.
_INVALID_CODES: Final = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)


@dataclass(frozen=True, slots=True)
class Goodbye:
    """A close frame that may be sent. ``code`` is ``None`` for one that says nothing."""

    code: int | None = None
    reason: str = ""

    @property
    def frame(self) -> Frame:
        """The same as a frame, without a mask."""
        return close(self.code, self.reason)


def goodbyes() -> st.SearchStrategy[Goodbye]:
    """Close frames with nothing, a code, or a code and a reason. Shrinks towards nothing."""
    return st.just(Goodbye()) | st.builds(Goodbye, close_codes(), close_reasons())


def close_codes() -> st.SearchStrategy[int]:
    """Codes that a close frame may carry. Shrinks towards 1000."""
    return st.sampled_from(_WIRE_CODES).map(int) | st.sampled_from([3000, 3999, 4000, 4999]) | st.integers(3000, 4999)


def invalid_close_codes() -> st.SearchStrategy[int]:
    """Codes that no close frame may carry (RFC 6455 §7.4.1, §7.4.2)."""
    return st.sampled_from(_INVALID_CODES) | st.integers(0, 0xFFFF).filter(lambda code: not is_wire_code(code))


def close_reasons() -> st.SearchStrategy[str]:
    """Reasons that fit into a close frame, also such as just do."""
    fitting = texts(max_size=40).filter(lambda reason: len(reason.encode()) <= MAX_REASON_SIZE)
    return fitting | st.sampled_from(["x" * MAX_REASON_SIZE, "€" * 41])


def close_payloads() -> st.SearchStrategy[bytes]:
    """What a close frame may carry: nothing, a code, a code with a reason. Shrinks towards nothing."""
    return st.just(b"") | st.builds(close_payload, close_codes(), close_reasons().map(str.encode))


def invalid_close_payloads() -> st.SearchStrategy[bytes]:
    """What no close frame may carry, one thing wrong with each: half a code, a wrong code, a reason that is no text."""
    broken = broken_texts().map(lambda broken: broken.data).filter(lambda reason: len(reason) <= MAX_REASON_SIZE)
    return (
        st.binary(min_size=1, max_size=1)
        | st.builds(close_payload, invalid_close_codes(), close_reasons().map(str.encode))
        | st.builds(close_payload, close_codes(), broken)
    )

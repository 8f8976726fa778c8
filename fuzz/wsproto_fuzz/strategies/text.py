"""UTF-8 at every kind of boundary (RFC 3629): right, wrong, and cut within a character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from .chunkings import cut_at

__all__ = ["BOUNDARY_CHARACTERS", "BROKEN_SEQUENCES", "BrokenText", "SplitText", "broken_texts", "split_texts", "texts"]

#: Both sides of every change in the encoded length, of the surrogates and of the end; the byte order mark, which is a
#: character like any other, and characters that are none.
BOUNDARY_CHARACTERS: Final = "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\ufeff\ufffd\ufffe\uffff\U00010000\U0010ffff"

#: The simplest of each length, the boundaries, and such as text processing trips over.
_CHARACTERS: Final = "aé€😀" + BOUNDARY_CHARACTERS + "Z0 \n\r\\\"'<\x1b\u0301\u200d\u2028\u202e\u4e2d\U0001f468"

#: What no UTF-8 holds, each with the index of the byte that makes it certain; ``None`` where only more bytes are
#: missing.
BROKEN_SEQUENCES: Final[tuple[tuple[bytes, int | None], ...]] = (
    (b"\x80", 0),  # a continuation byte that continues nothing
    (b"\xbf", 0),
    (b"\xc3(", 1),  # a first byte without its continuation
    (b"\xe2\x82(", 2),
    (b"\xf0\x9f\x98(", 3),
    (b"\xc3\xc3", 1),
    (b"\xc0", 0),  # longer than need be: two bytes for what fits into one, and so on
    (b"\xc1", 0),
    (b"\xe0\x80", 1),
    (b"\xe0\x9f", 1),
    (b"\xf0\x80", 1),
    (b"\xf0\x8f", 1),
    (b"\xed\xa0", 1),  # surrogates
    (b"\xed\xbf", 1),
    (b"\xf4\x90", 1),  # beyond U+10FFFF
    (b"\xf5", 0),
    (b"\xfe", 0),
    (b"\xff", 0),
    (b"\xc3", None),  # cut off
    (b"\xe2\x82", None),
    (b"\xed\x9f", None),
    (b"\xf0\x9f\x98", None),
    (b"\xf4\x8f\xbf", None),
)


@dataclass(frozen=True, slots=True)
class BrokenText:
    """Bytes that are not UTF-8."""

    data: bytes
    #: Index of the byte that makes it certain, whatever may follow; ``None`` if the text is only cut off at its end.
    certain_at: int | None


@dataclass(frozen=True, slots=True)
class SplitText:
    """A text whose UTF-8 is cut, at least once within a character."""

    text: str
    pieces: tuple[bytes, ...]


def texts(*, max_size: int = 50) -> st.SearchStrategy[str]:
    """Texts of up to ``max_size`` characters of every encoded length. Shrinks towards ``""`` and ``"0"``."""
    return st.text(_CHARACTERS, max_size=max_size)


@st.composite
def broken_texts(draw: st.DrawFn) -> BrokenText:
    """Bytes that stop being UTF-8 at one place, with good text before it and, unless it is at the end, behind it."""
    before = draw(texts(max_size=10)).encode()
    sequence, at = draw(st.sampled_from(BROKEN_SEQUENCES))
    if at is None:
        return BrokenText(before + sequence, None)
    return BrokenText(before + sequence + draw(texts(max_size=10)).encode(), len(before) + at)


@st.composite
def split_texts(draw: st.DrawFn) -> SplitText:
    """Texts cut into two or more pieces, at least once within a character."""
    before, character, after = draw(texts(max_size=10)), draw(st.sampled_from("é€😀")), draw(texts(max_size=10))
    text = before + character + after
    data = text.encode()
    within = len(before.encode()) + draw(st.integers(1, len(character.encode()) - 1))
    others = draw(st.lists(st.integers(0, len(data)), max_size=3))
    return SplitText(text, tuple(cut_at(data, [within, *others])))

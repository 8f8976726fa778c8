"""How bytes arrive: any byte string, cut into reads in any way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

__all__ = ["Chunking", "chunkings", "cut_at"]


@dataclass(frozen=True, slots=True)
class Chunking:
    """A way to cut bytes into reads: called with some, it gives them in order, and none of them is empty.

    ``cuts`` are positions, modulo the number of bytes; or ``size`` is that of every read. With neither, all come at
    once.
    """

    cuts: tuple[int, ...] = ()
    size: int | None = None

    def __call__(self, data: bytes) -> list[bytes]:
        if self.size is not None:
            return [data[start : start + self.size] for start in range(0, len(data), self.size)]
        return [piece for piece in cut_at(data, self.cuts) if piece]

    def __repr__(self) -> str:
        if self.size is not None:
            return f"Chunking(size={self.size})"
        return f"Chunking({self.cuts!r})" if self.cuts else "Chunking()"


def chunkings(*, max_cuts: int = 8) -> st.SearchStrategy[Chunking]:
    """Ways to cut bytes: whole, in reads of one size, or at up to ``max_cuts`` places. Shrinks towards whole."""
    anywhere = st.lists(st.integers(0, 1_000_000), min_size=1, max_size=max_cuts, unique=True)
    return (
        st.just(Chunking())
        | st.just(Chunking(size=1))
        | anywhere.map(lambda cuts: Chunking(tuple(cuts)))
        | st.integers(2, 20).map(lambda size: Chunking(size=size))
    )


def cut_at(data: bytes, positions: Iterable[int]) -> list[bytes]:
    """``data`` cut at ``positions``, modulo its size, any of which are good. Pieces may be empty."""
    edges = [0, *sorted(position % (len(data) + 1) for position in positions), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]

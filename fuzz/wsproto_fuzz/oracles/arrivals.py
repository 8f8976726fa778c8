"""Any chunking against whole: what bytes mean does not depend on how they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from .disagreement import Disagreement

__all__ = ["feedings", "same_however_cut"]

T = TypeVar("T")

#: Beyond this size, not every two-way split is tried.
_LONG: Final = 500
_SPLITS: Final = 20


def feedings(data: bytes) -> Iterator[list[bytes]]:
    """Ways in which ``data`` can arrive: whole, byte by byte, and in every two-way split; if it is long in some 20 of
    them.
    """
    yield [data]
    yield [data[index : index + 1] for index in range(len(data))]
    step = 1 if len(data) < _LONG else len(data) // _SPLITS
    yield from ([data[:cut], data[cut:]] for cut in range(1, len(data), step))


def same_however_cut(read: Callable[[list[bytes]], T], data: bytes, arrivals: Iterable[list[bytes]] | None = None) -> T:
    """What ``read`` makes of ``data``, which must be the same in all ``arrivals``: left out, in those of
    :func:`feedings`. Raises :exc:`Disagreement`.
    """
    whole = read([data])
    for pieces in feedings(data) if arrivals is None else arrivals:
        if (other := read(pieces)) != whole:
            sizes = [len(piece) for piece in pieces]
            raise Disagreement(f"whole it means\n{whole}\nand in pieces of {sizes} bytes\n{other}")
    return whole

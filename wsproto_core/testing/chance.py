"""Chance that can be told again: the one source of everything random in a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_128
from itertools import chain, count, repeat
from struct import Struct
from typing import Final, TypeVar

__all__ = ["Chance"]

T = TypeVar("T")

_NUMBERS: Final = Struct("<32Q")


class Chance:
    """Draws that follow from ``seed`` alone: the same on every machine and with every version of Python.

    One object may serve everything in a simulation: links, chunks, engines (:meth:`randbytes` is entropy for them) and
    the test itself. Whoever draws first gets the first number, so the order of draws belongs to what is repeated.
    """

    __slots__ = ("_blocks", "_numbers", "seed")

    def __init__(self, seed: int) -> None:
        #: What everything follows from.
        self.seed: int = seed
        # Blocks of bytes follow from a seed and a number of their own, and are made when somebody asks for one.
        self._blocks = count(1)
        self._numbers = chain.from_iterable(map(_numbers, repeat(seed), self._blocks))

    def __repr__(self) -> str:
        return f"Chance({self.seed})"

    def fraction(self) -> float:
        """A number from 0 to 1, and never 1."""
        return (next(self._numbers) >> 11) * 2.0**-53

    def below(self, bound: int) -> int:
        """A whole number from 0 to ``bound`` - 1."""
        return next(self._numbers) % bound

    def happens(self, probability: float) -> bool:
        """Whether something of this probability, 0 to 1, happens."""
        return (next(self._numbers) >> 11) * 2.0**-53 < probability

    def choose(self, options: Sequence[T]) -> T:
        """One of ``options``."""
        return options[next(self._numbers) % len(options)]

    def randbytes(self, size: int) -> bytes:
        """``size`` bytes."""
        return _block(self.seed, next(self._blocks), size)


def _block(seed: int, number: int, size: int) -> bytes:
    return shake_128(b"%d/%d" % (seed, number)).digest(size)


def _numbers(seed: int, number: int) -> tuple[int, ...]:
    """The whole numbers that a block holds, in the order in which they are drawn."""
    return _NUMBERS.unpack(_block(seed, number, _NUMBERS.size))[::-1]

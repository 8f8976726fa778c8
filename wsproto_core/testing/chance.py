"""Chance that can be told again: the one source of everything random in a simulation."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import shake_128
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
        self._blocks = 0
        self._numbers: list[int] = []

    def __repr__(self) -> str:
        return f"Chance({self.seed})"

    def fraction(self) -> float:
        """A number from 0 to 1, and never 1."""
        return (self._number() >> 11) * 2.0**-53

    def below(self, bound: int) -> int:
        """A whole number from 0 to ``bound`` - 1."""
        return self._number() % bound

    def happens(self, probability: float) -> bool:
        """Whether something of this probability, 0 to 1, happens."""
        return (self._number() >> 11) * 2.0**-53 < probability

    def choose(self, options: Sequence[T]) -> T:
        """One of ``options``."""
        return options[self._number() % len(options)]

    def randbytes(self, size: int) -> bytes:
        """``size`` bytes."""
        self._blocks += 1
        return shake_128(b"%d/%d" % (self.seed, self._blocks)).digest(size)

    def _number(self) -> int:
        try:
            return self._numbers.pop()
        except IndexError:
            self._numbers.extend(_NUMBERS.unpack(self.randbytes(_NUMBERS.size)))
            return self._numbers.pop()

"""A fuzzer without coverage: it changes inputs at random, and goes on from those that showed something new.

Everything follows from the seed, so a run with the same seed, corpus and number of inputs finds the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from . import Target

__all__ = ["Finding", "Mutator", "hunt", "minimise"]

_INTERESTING: Final = (0x00, 0x01, 0x7D, 0x7E, 0x7F, 0x80, 0x81, 0x88, 0x89, 0xC0, 0xC1, 0xED, 0xFE, 0xFF, 0x0A, 0x0D)
_MOST_CHANGES: Final = 6
_LONGEST: Final = 4096
_LONGEST_BLOCK: Final = 16

#: A change, made in place.
Change: TypeAlias = Callable[[bytearray, Random], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """An input for which a target raised."""

    data: bytes
    error: BaseException


class Mutator:
    """Inputs made from inputs."""

    def __init__(self, seeds: Iterable[bytes], seed: int) -> None:
        self._pool = list(seeds) or [b""]
        self._chance = Random(seed)

    def next_input(self) -> bytes:
        """An input of the pool, changed in a few places, or two of them joined."""
        chance = self._chance
        data = bytearray(chance.choice(self._pool))
        if chance.random() < 0.1:
            other = chance.choice(self._pool)
            data[chance.randint(0, len(data)) :] = other[chance.randint(0, len(other)) :]
        for _ in range(chance.randint(1, _MOST_CHANGES)):
            chance.choice(_CHANGES)(data, chance)
        return bytes(data[:_LONGEST])

    def keep(self, data: bytes) -> None:
        """Go on from this one, too."""
        self._pool.append(data)


def hunt(
    target: Target, mutator: Mutator, *, seconds: float, max_inputs: int | None = None
) -> tuple[int, Finding | None]:
    """Try inputs for so many seconds; return how many were tried, and the first one that hurts, made small."""
    deadline = time.monotonic() + seconds
    seen: set[str] = set()
    tried = 0
    while time.monotonic() < deadline and (max_inputs is None or tried < max_inputs):
        data = mutator.next_input()
        tried += 1
        try:
            sight = repr(target(data))
        except Exception:
            return tried, minimise(target, data)
        if sight not in seen:
            seen.add(sight)
            mutator.keep(data)
    return tried, None


def minimise(target: Target, data: bytes) -> Finding:
    """The smallest input to be had by leaving out parts of ``data``, and by zeros, that makes the same kind of error.

    Raises :exc:`ValueError` if ``data`` does not hurt.
    """
    best = _try(target, data)
    if best is None:
        raise ValueError("data must be an input for which the target raises")
    size = max(1, len(data) // 2)
    while size:
        smaller = next((found for found in _smaller(target, best, size)), None)
        if smaller is None:
            size //= 2
        else:
            best = smaller
    return best


def _smaller(target: Target, best: Finding, size: int) -> Iterable[Finding]:
    """The same with a block left out or, of single bytes, made zero."""
    data = best.data
    for start in range(0, len(data), size):
        without = data[:start] + data[start + size :]
        zeroed = data[:start] + bytes(1) + data[start + 1 :]
        for shorter in (without, zeroed) if size == 1 and data[start] else (without,):
            found = _try(target, shorter)
            if found is not None and type(found.error) is type(best.error):
                yield found


def _try(target: Target, data: bytes) -> Finding | None:
    try:
        target(data)
    except Exception as error:
        return Finding(data, error)
    return None


# --- changes ----------------------------------------------------------------------------------------------------------


def _flip(data: bytearray, chance: Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: Random) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice((chance.randrange(256), chance.choice(_INTERESTING)))


def _insert(data: bytearray, chance: Random) -> None:
    at = chance.randint(0, len(data))
    data[at:at] = bytes(
        chance.choice((chance.randrange(256), chance.choice(_INTERESTING))) for _ in range(chance.randint(1, 4))
    )


def _delete(data: bytearray, chance: Random) -> None:
    if data:
        at = chance.randrange(len(data))
        del data[at : at + chance.randint(1, _LONGEST_BLOCK)]


def _repeat(data: bytearray, chance: Random) -> None:
    at = chance.randint(0, len(data))
    data[at:at] = data[at : at + chance.randint(1, _LONGEST_BLOCK)] * chance.choice((1, 1, 2, 50))


def _move(data: bytearray, chance: Random) -> None:
    at, size = chance.randint(0, len(data)), chance.randint(1, _LONGEST_BLOCK)
    block = data[at : at + size]
    del data[at : at + size]
    to = chance.randint(0, len(data))
    data[to:to] = block


def _count(data: bytearray, chance: Random) -> None:
    """One up or down, as lengths are wrong by one."""
    if data:
        at = chance.randrange(len(data))
        data[at] = (data[at] + chance.choice((-1, 1))) % 256


_CHANGES: Final[tuple[Change, ...]] = (_flip, _overwrite, _insert, _delete, _repeat, _move, _count)

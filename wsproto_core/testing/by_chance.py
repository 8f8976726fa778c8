"""Scripts that follow from a seed."""

from __future__ import annotations

from typing import Final, Literal

from .._config import Timeouts
from .._types import Opcode
from ..frames import Frame
from .chance import Chance
from .script import Caller, DatagramScript, Dialogue, Line, Move, Party, Route, Script

__all__ = ["datagram_script", "stream_script"]

_SIDES: Final = ("client", "server")
_TIMEOUTS: Final = (
    Timeouts(),
    Timeouts(opening_timeout=5.0, ping_interval=2.0, pong_timeout=3.0, idle_timeout=20.0, closing_timeout=6.0),
    Timeouts(ping_interval=None, idle_timeout=6.0, closing_timeout=5.0),
)
_LATENCIES: Final = (0.0, 0.0, 0.001, 0.05, 0.4)
_JITTERS: Final = (0.0, 0.0, 0.02)
_BANDWIDTHS: Final = (None, None, None, 1_000_000.0, 20_000.0)
_CAPACITIES: Final = (None, None, 65_536, 2500)
_CHUNKS: Final[tuple[int | Literal["chance"] | None, ...]] = (None, None, 100, "chance")
_RATES: Final = (0.0, 0.0, 0.05, 0.3)
#: Of whoever does the engine's work.
_WORK_TIMES: Final = (None, 0.0, 0.001, 0.03)
_WAITS: Final = (0.0, 0.0, 0.001, 0.01, 0.1, 0.7, 3.0, 9.0)
#: What follows the number of a message: short and long headers of a frame, characters of every length.
_TEXTS: Final = ("", "a", "é" * 20, "€uro 👋" * 11, "x" * 125, "y" * 500, "z" * 2500)
#: What cannot be compressed much.
_NOISE: Final = "".join([chr(0x4E00 + number**3 % 20_011) for number in range(1500)])
_SHORT_TEXTS: Final = _TEXTS[:-1]
_CODES: Final = (1000, 1000, 1001, 1005, 3000, 4999)
#: Each ends the connection, whoever receives it: reserved opcode and bits, a ping in fragments, bad UTF-8.
_OFFENCES: Final = (
    "8300",
    "f100",
    "0900",
    bytes(Frame(Opcode.TEXT, b"\xff")).hex(),
    bytes(Frame(Opcode.CLOSE, b"\x03\xe8\xff")).hex(),
)

#: What happens on any day, as often as it stands here, and what should not happen.
_MOVES: Final = (
    *["send"] * 4,
    *["send bytes"] * 4,
    *["send part"] * 2,
    *["send last part"] * 2,
    *["ping"] * 3,
    "close",
)
_FAULTS: Final = ("stall", "sleep", "wake", "lose", "break", "shut", "cut", "offend")
_DATAGRAM_MOVES: Final = (*["send"] * 4, *["send bytes"] * 4, *["ping"] * 3, "close")
_DATAGRAM_FAULTS: Final = ("sleep", "wake", "lose")


def stream_script(seed: int, *, connections: int = 1) -> Script:
    """So many connections over streams. The first one's server may speak to all of them."""
    chance = Chance(seed)
    number = chance.below(1 << 32)
    first = _MOVES if connections == 1 else (*_MOVES, *["broadcast"] * 4)
    return Script(number, tuple([_dialogue(chance, _MOVES if index else first) for index in range(connections)]))


def datagram_script(seed: int, *, clients: int = 1) -> DatagramScript:
    """A datagram server and so many clients."""
    chance = Chance(seed)
    timeouts = chance.choose(_TIMEOUTS)
    return DatagramScript(chance.below(1 << 32), timeouts, tuple([_caller(chance) for _ in range(clients)]))


def _dialogue(chance: Chance, usual: tuple[str, ...]) -> Dialogue:
    opening = "accept" if chance.happens(0.95) else chance.choose(("reject", "ignore"))
    dialogue = Dialogue(
        opening=opening,
        wait=1.5 if chance.happens(0.9) else 0.1,
        client=_party(chance),
        server=_party(chance),
        up=_line(chance),
        down=_line(chance),
        compressed=chance.happens(0.05),
        moves=_moves(chance, usual + _FAULTS if chance.happens(0.4) else usual, _TEXTS),
    )
    if not dialogue.compressed:
        return dialogue
    client, server = [
        party._replace(work_time=chance.choose(_WORK_TIMES)) for party in (dialogue.client, dialogue.server)
    ]
    large = Move(chance.choose(_SIDES), "send bytes", f"last {_NOISE}", chance.choose(_WAITS))
    return dialogue._replace(client=client, server=server, moves=(*dialogue.moves, large))


def _caller(chance: Chance) -> Caller:
    is_perfect = chance.happens(0.3)
    kinds = _DATAGRAM_MOVES + _DATAGRAM_FAULTS if chance.happens(0.4) else _DATAGRAM_MOVES
    return Caller(
        timeouts=chance.choose(_TIMEOUTS),
        there=Route() if is_perfect else _route(chance),
        back=Route() if is_perfect else _route(chance),
        wait=1.5 if chance.happens(0.9) else 0.1,
        moves=_moves(chance, kinds, _SHORT_TEXTS),
    )


def _party(chance: Chance) -> Party:
    return Party(chance.choose(_TIMEOUTS), chance.happens(0.3), chance.choose(_CHUNKS))


def _line(chance: Chance) -> Line:
    return Line(
        chance.choose(_LATENCIES), chance.choose(_JITTERS), chance.choose(_BANDWIDTHS), chance.choose(_CAPACITIES)
    )


def _route(chance: Chance) -> Route:
    return Route(
        loss=chance.choose(_RATES),
        duplication=chance.choose(_RATES),
        reordering=chance.choose(_RATES),
        delay=chance.choose(_LATENCIES),
        jitter=chance.choose(_JITTERS),
    )


def _moves(chance: Chance, kinds: tuple[str, ...], texts: tuple[str, ...]) -> tuple[Move, ...]:
    moves: list[Move] = []
    for number in range(2 + chance.below(10)):
        what = chance.choose(kinds)
        moves.append(Move(chance.choose(_SIDES), what, _detail(chance, what, number, texts), chance.choose(_WAITS)))
    return tuple(moves)


def _detail(chance: Chance, what: str, number: int, texts: tuple[str, ...]) -> str | int | None:
    if what.startswith("send") or what == "broadcast":
        return f"{number} {chance.choose(texts)}"
    if what == "close":
        return chance.choose(_CODES)
    return chance.choose(_OFFENCES) if what == "offend" else None

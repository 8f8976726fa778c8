"""What happens in a simulation, as data: nothing in it depends on what a seed once meant.

A :class:`Script` is played by :class:`Scenario`, a :class:`DatagramScript` by :class:`DatagramScenario`. Each can be
kept as JSON, and made smaller by :func:`shrink`: whatever has a default value is at its simplest there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeGuard, TypeVar

from .._config import Timeouts
from .chance import Chance
from .datagram_link import DatagramLink
from .link import Chunks, Link

__all__ = [
    "AnyScript",
    "Caller",
    "DatagramScript",
    "Dialogue",
    "Line",
    "Move",
    "Party",
    "Route",
    "Script",
    "is_tuple",
    "load_script",
    "save_script",
]

T = TypeVar("T")

#: What can happen between a datagram client and its server, and on a stream.
_TALK: Final = frozenset({"send", "send bytes", "ping", "close"})
_PARTS: Final = frozenset({"send part", "send last part", "broadcast"})
_CALLER_FAULTS: Final = frozenset({"sleep", "wake", "lose"})
_FAULTS: Final = frozenset({"stall", "break", "shut", "cut", "offend"})
_CALLER_MOVES: Final = _TALK | _CALLER_FAULTS
_DIALOGUE_MOVES: Final = _CALLER_MOVES | _PARTS | _FAULTS
_OPENINGS: Final = frozenset({"accept", "reject", "ignore"})
_SIDES: Final = frozenset({"client", "server"})


class Move(NamedTuple):
    """What one side does. What its engine does not allow at that moment does not happen."""

    #: ``client`` or ``server``.
    who: str
    #: ``send``, ``send bytes``, ``ping``, ``close``; ``sleep`` and ``wake``; ``lose``: its transport ends. On a stream
    #: also ``send part``, ``send last part``, ``broadcast`` (the server, to everybody), and ``break``: its transport
    #: breaks; ``stall``: nothing of what it writes leaves any more; ``shut``: its outgoing half ends; ``cut``: both
    #: transports break; ``offend``: it writes what its engine never would.
    what: str
    #: The text of a message, the code of a close, the bytes of an offence in hexadecimal.
    detail: str | int | None = None
    #: Seconds that pass behind it.
    wait: float = 0.0


class Line(NamedTuple):
    """One direction of a stream: the parameters of a :class:`Link`."""

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float | None = None
    capacity: int | None = None

    def link(self, chance: Chance) -> Link:
        """A link like this; jitter is drawn from ``chance``."""
        return Link(
            latency=self.latency, jitter=self.jitter, bandwidth=self.bandwidth, capacity=self.capacity, chance=chance
        )


class Party(NamedTuple):
    """How one side of a stream lives."""

    timeouts: Timeouts = Timeouts()
    #: Whether its application asks for messages one by one.
    pulls: bool = False
    #: Bytes that it reads at once; ``None`` for all there are, ``chance`` for any number.
    chunks: int | Literal["chance"] | None = None
    #: Seconds that the engine's work takes whoever does it; ``None`` if the engine does it itself.
    work_time: float | None = None

    def chunks_from(self, chance: Chance) -> Chunks:
        """What :class:`Side` is to be told."""
        return chance if self.chunks == "chance" else self.chunks


class Dialogue(NamedTuple):
    """One connection from its beginning to its end."""

    #: What the server's application does with the request: ``accept``, ``reject`` or ``ignore``.
    opening: str = "accept"
    #: Seconds from the request to the first move.
    wait: float = 0.0
    client: Party = Party()
    server: Party = Party()
    up: Line = Line()
    down: Line = Line()
    #: Whether both sides want permessage-deflate.
    compressed: bool = False
    moves: tuple[Move, ...] = ()


class Script(NamedTuple):
    """Connections over streams that live at the same time."""

    #: What jitter, chunks and masking keys are drawn from.
    chance: int = 0
    dialogues: tuple[Dialogue, ...] = ()


class Route(NamedTuple):
    """One direction of a network for datagrams: the parameters of a :class:`DatagramLink`."""

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0

    def link(self, chance: Chance) -> DatagramLink:
        """A link like this; what happens to a datagram is drawn from ``chance``."""
        return DatagramLink(
            loss=self.loss,
            duplication=self.duplication,
            reordering=self.reordering,
            delay=self.delay,
            jitter=self.jitter,
            chance=chance,
        )


class Caller(NamedTuple):
    """One client of a datagram server."""

    timeouts: Timeouts = Timeouts()
    there: Route = Route()
    back: Route = Route()
    #: Seconds from its first hello to the first move.
    wait: float = 0.0
    moves: tuple[Move, ...] = ()


class DatagramScript(NamedTuple):
    """A datagram server and its clients, that live at the same time."""

    #: What becomes of datagrams, tokens and sequence numbers are drawn from.
    chance: int = 0
    timeouts: Timeouts = Timeouts()
    callers: tuple[Caller, ...] = ()


AnyScript: TypeAlias = Script | DatagramScript
_Reader: TypeAlias = Callable[[Any], Any]


def save_script(script: AnyScript) -> dict[str, Any]:
    """``script`` as JSON knows it. It says everything, so that no default can change what it means."""
    return {"kind": "stream" if isinstance(script, Script) else "datagram", **_plain(script)}


def load_script(data: Mapping[str, Any]) -> AnyScript:
    """The script that ``data`` holds, as :func:`save_script` gave it. Raises :exc:`ValueError` if it holds none."""
    try:
        values = dict(data)
        return _KINDS[values.pop("kind")](values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is no script: {type(error).__name__}: {error}") from None


def is_tuple(value: object) -> TypeGuard[tuple[Any, ...]]:
    """Whether ``value`` is a tuple, with names or without."""
    return isinstance(value, tuple)


def _plain(value: object) -> Any:
    """Named tuples become objects, and other tuples lists. Moves are short, and become lists too."""
    if isinstance(value, Timeouts):
        return asdict(value)
    if not is_tuple(value):
        return value
    names: tuple[str, ...] = () if isinstance(value, Move) else getattr(value, "_fields", ())
    plain = [_plain(item) for item in value]
    return dict(zip(names, plain, strict=True)) if names else plain


def _read(kind: Callable[..., T], readers: Mapping[str, _Reader], values: dict[str, Any]) -> T:
    return kind(**{name: readers[name](value) if name in readers else value for name, value in values.items()})


def _read_all(read: _Reader) -> _Reader:
    return lambda values: tuple(map(read, values))


def _move(allowed: frozenset[str]) -> _Reader:
    def read(values: list[Any]) -> Move:
        move = Move(*values)
        return move._replace(who=_one_of(_SIDES, move.who), what=_one_of(allowed, move.what))

    return read


def _one_of(allowed: frozenset[str], value: str) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(sorted(allowed))}")
    return value


def _timeouts(values: dict[str, Any]) -> Timeouts:
    return Timeouts(**values)


def _line(values: dict[str, Any]) -> Line:
    return Line(**values)


def _route(values: dict[str, Any]) -> Route:
    return Route(**values)


def _party(values: dict[str, Any]) -> Party:
    return _read(Party, {"timeouts": _timeouts}, values)


def _dialogue(values: dict[str, Any]) -> Dialogue:
    readers: dict[str, _Reader] = {
        "opening": lambda opening: _one_of(_OPENINGS, opening),
        "client": _party,
        "server": _party,
        "up": _line,
        "down": _line,
        "moves": _read_all(_move(_DIALOGUE_MOVES)),
    }
    return _read(Dialogue, readers, values)


def _caller(values: dict[str, Any]) -> Caller:
    readers = {"timeouts": _timeouts, "there": _route, "back": _route, "moves": _read_all(_move(_CALLER_MOVES))}
    return _read(Caller, readers, values)


_KINDS: Final[Mapping[str, Callable[[dict[str, Any]], AnyScript]]] = MappingProxyType(
    {
        "stream": lambda values: _read(Script, {"dialogues": _read_all(_dialogue)}, values),
        "datagram": lambda values: _read(
            DatagramScript, {"timeouts": _timeouts, "callers": _read_all(_caller)}, values
        ),
    }
)

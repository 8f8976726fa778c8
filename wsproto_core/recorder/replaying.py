"""A flight, flown again: a new engine is given the same calls, and has to do the same."""

from __future__ import annotations

import builtins
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from .._driver.client import ClientConnection
from .._driver.peer import WebSocketEngine
from .._driver.server import ServerConnection
from .._driver.work import Work
from .._errors import WebSocketError
from .._events import Event, Request
from .._handshake.keys import accept_token
from .._headers import Headers
from .._protocol.sending import PreparedMessage
from .._types import Role
from .._violations import Violation
from .attaching import Attachment
from .calls import CALLS, INPUTS
from .entries import Entry, Facts, Flight, Hidden, HiddenText
from .exporting import ending_of
from .tape import Tape

if TYPE_CHECKING:
    from .._extensions.base import Extension

__all__ = ["Replay", "replay"]

_URI: Final = "ws://localhost/"
#: A tape without an end.
_EVERYTHING: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of a flight when it was flown again."""

    #: The engine, where the flight left it.
    engine: WebSocketEngine
    #: What it told.
    events: tuple[Event, ...]
    #: Where it did otherwise than was recorded, in words; empty if nowhere.
    departures: tuple[str, ...]


def replay(flight: Flight, *, extensions: Sequence[Extension] | None = None) -> Replay:
    """Give a new engine the calls of ``flight``, from where it can begin.

    ``extensions``: those that the engine had, where one of them is not of this package. Contents that are hidden are
    zeros, or the letter x. What is not in a flight that has lost its beginning is not reached again either: round
    trips, the age of the last pong, statistics, and how many control frames had come within the last second.

    Raises :exc:`ValueError` if it cannot begin anywhere, or an extension is missing.
    """
    if flight.begins_at is None:
        raise ValueError(f"it cannot be replayed: {flight.obstacle}")
    known = _known_extensions(flight.facts) if extensions is None else list(extensions)
    entries = flight.entries[flight.begins_at :]
    is_whole = not flight.dropped and not flight.facts.is_parsed
    now = next((entry.at for entry in entries if entry.at is not None), 0.0)
    engine = _new_engine(flight.facts, known) if is_whole else _open_engine(flight, known, now)
    if flight.facts.work_size is not None:
        engine.offload(flight.facts.work_size)
    return _Pilot(engine, flight, is_whole=is_whole).fly(entries)


# --- engines ----------------------------------------------------------------------------------------------------------


def _known_extensions(facts: Facts) -> list[Extension]:
    agreed = [item.partition(";")[0].strip() for item in (facts.agreed or "").split(",")]
    known: list[Extension] = []
    for name, settings in facts.extensions:
        if settings is not None:
            known.append(_deflate(settings))
        elif name in agreed:
            raise ValueError(f"extensions: {name!r} is not known here")
    return known


def _deflate(settings: dict[str, Any]) -> Extension:
    from .._extensions.permessage_deflate import PerMessageDeflate  # only here: it loads zlib

    try:
        return PerMessageDeflate(**settings)
    except TypeError as error:
        raise ValueError(f"extensions: {error}") from None


def _new_engine(facts: Facts, extensions: Sequence[Extension]) -> WebSocketEngine:
    """An engine that will judge the handshake as the one that was recorded."""
    options = _options(facts, extensions)
    if facts.role is Role.CLIENT:
        entropy = _entropy(facts.key)
        return ClientConnection(_URI, entropy=entropy, subprotocols=facts.subprotocols, now=facts.started_at, **options)
    return ServerConnection(
        origins=() if facts.violation is Violation.ORIGIN_NOT_ALLOWED else None,
        hosts=() if facts.violation is Violation.HOST_NOT_ALLOWED else None,
        subprotocols=_agreed_subprotocols(facts),
        now=facts.started_at,
        **options,
    )


def _open_engine(flight: Flight, extensions: Sequence[Extension], now: float) -> WebSocketEngine:
    """An engine that has come to be open at ``now``, with what was agreed on; or one that is asked whether it will."""
    facts = flight.facts
    options = _options(facts, extensions)
    chosen = [] if facts.subprotocol is None else [("Sec-WebSocket-Protocol", facts.subprotocol)]
    chosen += [] if facts.agreed is None else [("Sec-WebSocket-Extensions", facts.agreed)]
    if facts.role is Role.SERVER:
        request = Request(method="GET", target="/", headers=Headers([*_REQUEST, *chosen]))
        started_at = now if flight.dropped or facts.started_at is None else facts.started_at
        subprotocols = _agreed_subprotocols(facts)
        server = ServerConnection.from_request(request, subprotocols=subprotocols, now=started_at, **options)
        if flight.dropped:
            server.accept()
        return server
    client = ClientConnection(_URI, entropy=bytes, subprotocols=_agreed_subprotocols(facts), now=now, **options)
    client.connect()
    client.data_to_send()
    answer = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_token(_NO_KEY)),
        *chosen,
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in answer)
    client.receive_data(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode("latin-1"), now)
    return client


_NO_KEY: Final = "AAAAAAAAAAAAAAAAAAAAAA=="
_REQUEST: Final = (
    ("Host", "localhost"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", _NO_KEY),
)


def _options(facts: Facts, extensions: Sequence[Extension]) -> dict[str, Any]:
    return {
        "extensions": extensions,
        "limits": facts.limits,
        "timeouts": facts.timeouts,
        "receive": facts.receive,
        "fragment_size": facts.fragment_size,
    }


def _agreed_subprotocols(facts: Facts) -> tuple[str, ...]:
    return () if facts.subprotocol is None else (facts.subprotocol,)


def _entropy(key: str) -> Callable[[int], bytes]:
    """The key that was sent, and then zeros: no rule asks a mask to be unpredictable."""
    first = [b64decode(key)] if key else []
    return lambda size: first.pop() if first else bytes(size)


# --- calls ------------------------------------------------------------------------------------------------------------


class _Pilot:
    """Makes the recorded calls, one after the other, and compares what comes of them."""

    def __init__(self, engine: WebSocketEngine, flight: Flight, *, is_whole: bool) -> None:
        self._engine = engine
        self._flight = flight
        self._is_whole = is_whole
        facts = flight.facts if is_whole else replace(flight.facts, is_parsed=True)
        self._tape = Tape(facts.role, has_head=is_whole, max_entries=_EVERYTHING, size=_EVERYTHING)
        Attachment(engine, facts, lambda _: None, self._tape, payloads=flight.has_payloads)
        self._latest: list[Event] = []
        # Work that is out, and was not given back yet.
        self._working: list[Work] = []
        self._events: list[Event] = []
        self._departures: list[str] = []

    def fly(self, entries: Sequence[Entry]) -> Replay:
        """Make the calls of ``entries``."""
        for number, entry in enumerate(entries, self._flight.begins_at or 0):
            self._repeat(entry)
            told = self._tape.entries.pop().told if self._tape.entries else ()
            while (work := self._engine.next_work()) is not None:
                self._working.append(work)
            if told != entry.told:
                self._departures.append(f"call {number}, {entry.do}: {_list(told)}, and not {_list(entry.told)}")
        self._compare_endings()
        return Replay(engine=self._engine, events=tuple(self._events), departures=tuple(self._departures))

    def _repeat(self, entry: Entry) -> None:
        self._tape.entries.clear()
        try:
            result = self._call(entry)
        except (WebSocketError, TypeError, ValueError):
            return  # as it was then: the tape has it
        if entry.do in INPUTS:
            self._latest = result
            self._events += result

    def _call(self, entry: Entry) -> Any:
        arguments = [_shown(argument) for argument in entry.arguments]
        if entry.do == "data_to_send":
            return self._engine.data_to_send()
        if entry.do == "take":
            return [self._engine.next_message() for _ in range(arguments[0])]
        if entry.do == "work_done":
            return self._do_work(entry.at or 0.0, is_outgoing=bool(arguments[0]))
        call = CALLS[entry.do]
        options: dict[str, Any] = dict(zip(call.names, arguments, strict=True))
        if call.has_time:
            options["now"] = entry.at
        if entry.do == "accept" and options.pop("by_policy"):
            del options["subprotocol"]
        elif entry.do == "transport_lost":
            options["error"] = _error(options["error"], options.pop("words"))
        elif entry.do == "send_prepared":
            options["message"] = PreparedMessage(options["message"])
        elif entry.do == "gather":
            options = {"events": self._latest}
        return getattr(self._engine, entry.do)(**options)

    def _do_work(self, now: float, *, is_outgoing: bool) -> list[Event]:
        """Do the work that was done then; there is none if this engine has not come to it."""
        found = [work for work in self._working if work.is_outgoing is is_outgoing]
        if not found:
            return []
        self._working.remove(found[0])
        found[0]()
        return self._engine.work_done(found[0], now)

    def _compare_endings(self) -> None:
        then, now = self._flight.ending, ending_of(self._engine, payloads=self._flight.has_payloads)
        if now.state is not then.state:
            self._departures.append(f"it ends {now.state.name}, and not {then.state.name}")
        for name, value in then.report.items():
            is_comparable = self._is_whole or name != "pong_age"
            if is_comparable and now.report.get(name) != value:
                self._departures.append(f"its report says {name} {now.report.get(name)!r}, and not {value!r}")


def _list(told: tuple[str, ...]) -> str:
    return ", ".join(told) or "nothing"


def _shown(value: Any) -> Any:
    """An argument as the engine takes it."""
    return bytes(value) if isinstance(value, Hidden) else str(value) if isinstance(value, HiddenText) else value


def _error(name: str | None, words: str) -> BaseException | None:
    """An exception of that name: one of Python's, or one made for the purpose."""
    if name is None:
        return None
    known: Any = getattr(builtins, name, None)
    kind: type[OSError] = (
        known if isinstance(known, type) and issubclass(known, OSError) else type(name, (OSError,), {})
    )
    return kind(words)

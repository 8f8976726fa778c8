"""A flight as lines of JSON: the first tells the facts and the end, each of the others one call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final, cast

from .._config import Limits, Timeouts
from .._types import Receive, Role, State
from .._violations import Violation
from .calls import ARGUMENTS
from .entries import Ending, Entry, Facts, Flight, Hidden, HiddenText, Value

__all__ = ["load_flight", "save_flight"]

#: Of a flight as it is written; a reader refuses others.
_FORM: Final = 1


def save_flight(flight: Flight) -> Iterator[str]:
    """The lines of a file, each with its end. Hidden bytes are written as how many they are."""
    head = {
        "flight": _FORM,
        "facts": _plain_facts(flight.facts),
        "ending": {"state": flight.ending.state.name, "report": flight.ending.report},
        "dropped": flight.dropped,
        "begins_at": flight.begins_at,
        "obstacle": flight.obstacle,
        "has_payloads": flight.has_payloads,
    }
    for line in (head, *map(_plain_entry, flight.entries)):
        yield json.dumps(line, ensure_ascii=False) + "\n"


def load_flight(lines: Iterable[str]) -> Flight:
    """The flight that such lines hold. Raises :exc:`ValueError` if they hold none."""
    try:
        values: dict[str, Any]
        values, *others = [json.loads(line) for line in lines if line.strip()]
        if values.pop("flight") != _FORM:
            raise ValueError(f"it has another form than {_FORM}, which is the only one known here")
        ending = Ending(state=State[values["ending"]["state"]], report=dict(values["ending"]["report"]))
        entries = tuple(map(_entry, others))
        begins_at = values["begins_at"]
        if begins_at is not None and not 0 <= begins_at <= len(entries):
            raise ValueError("it begins where nothing is")
        values |= {"facts": _facts(values["facts"]), "ending": ending, "entries": entries}
        return Flight(**values)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is no flight: {type(error).__name__}: {error}") from None


# --- facts ------------------------------------------------------------------------------------------------------------


def _plain_facts(facts: Facts) -> dict[str, Any]:
    plain = {name: getattr(facts, name) for name in Facts.__slots__}
    plain |= {"role": facts.role.value, "receive": facts.receive.value}
    plain |= {"limits": asdict(facts.limits), "timeouts": asdict(facts.timeouts)}
    plain |= {"violation": None if facts.violation is None else facts.violation.name}
    return plain


def _facts(plain: dict[str, Any]) -> Facts:
    plain |= {"role": Role(plain["role"]), "receive": Receive(plain["receive"])}
    plain |= {"limits": Limits(**plain["limits"]), "timeouts": Timeouts(**plain["timeouts"])}
    plain |= {"extensions": tuple((name, settings) for name, settings in plain["extensions"])}
    plain |= {"subprotocols": tuple(plain["subprotocols"])}
    plain |= {"violation": None if plain["violation"] is None else Violation[plain["violation"]]}
    return Facts(**plain)


# --- calls ------------------------------------------------------------------------------------------------------------


def _plain_entry(entry: Entry) -> dict[str, Any]:
    plain: dict[str, Any] = {"do": entry.do}
    plain |= {} if entry.at is None else {"at": entry.at}
    plain |= dict(zip(ARGUMENTS[entry.do], map(_plain_value, entry.arguments), strict=True))
    plain |= {"told": list(entry.told)} if entry.told else {}
    plain |= {"quiet": True} if entry.is_quiet else {}
    return plain


def _entry(plain: dict[str, Any]) -> Entry:
    do = plain["do"]
    return Entry(
        do=do,
        at=plain.get("at"),
        arguments=tuple(_value(plain[name]) for name in ARGUMENTS[do]),
        told=tuple(plain.get("told", ())),
        is_quiet=plain.get("quiet", False),
    )


def _plain_value(value: Value) -> Any:
    """Bytes are a list: of hexadecimal digits, and of numbers where so many bytes are hidden."""
    if isinstance(value, bytes):
        return [value.hex()]
    if isinstance(value, Hidden):
        return [piece.hex() if isinstance(piece, bytes) else piece for piece in value.pieces]
    if isinstance(value, HiddenText):
        return {"characters": value.size}
    return {"fields": value} if isinstance(value, tuple) else value


def _value(plain: Any) -> Value:
    match plain:
        case [*items]:
            pieces = tuple(bytes.fromhex(item) if isinstance(item, str) else int(item) for item in items)
            hidden = Hidden(pieces)
            return bytes(hidden) if all(isinstance(piece, bytes) for piece in pieces) else hidden
        case {"characters": size}:
            return HiddenText(int(size))
        case {"fields": fields}:
            return tuple((str(name), str(value)) for name, value in fields)
        case _:
            return cast("Value", plain)

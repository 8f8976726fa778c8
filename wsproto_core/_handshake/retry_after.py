"""When a server that refuses wants to be asked again: the ``Retry-After`` field (RFC 9110 §10.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

__all__ = ["retry_after"]

_SECONDS: Final = re.compile(r"[0-9]+")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: The one form of a date that may still be sent (RFC 9110 §5.6.7). The weekday adds nothing.
_DATE: Final = re.compile(
    rf"[A-Z][a-z]{{2}}, ([0-9]{{2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}}) ([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}}) GMT"
)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from the moment of the answer; ``None`` where the field is missing or says nothing.

    A date counts from the answer's own ``Date``, so that no clock is asked and the two clocks need not agree; without
    that field it says nothing.
    """
    value = headers.get("retry-after", "")
    if _SECONDS.fullmatch(value):
        return float(value)
    until, since = _parse_date(value), _parse_date(headers.get("date", ""))
    return None if until is None or since is None else max(0.0, (until - since).total_seconds())


def _parse_date(text: str) -> datetime | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    try:
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
    except ValueError:  # the 31st of February, or the leap second
        return None

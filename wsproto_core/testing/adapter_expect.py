"""How a case says what it expects, so that a failure reads well without anybody's help: what was looked at, what was
expected of the adapter, and what came.
"""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["AdapterFailure", "check", "expect", "raises"]

_E = TypeVar("_E", bound=Exception)
#: Longer values are cut in the middle of a failure's words.
_SHOWN = 200


class AdapterFailure(AssertionError):
    """The adapter under test did something else than the case expects."""


def check(what: str, condition: object) -> None:
    """Raise :exc:`AdapterFailure` with ``what`` was expected unless ``condition`` holds."""
    if not condition:
        raise AdapterFailure(f"expected: {what}")


def expect(what: str, came: object, expected: object) -> None:
    """Raise :exc:`AdapterFailure` unless ``came`` equals ``expected``."""
    if came != expected:
        raise AdapterFailure(f"{what}: expected {_shown(expected)}, came {_shown(came)}")


class raises(Generic[_E]):  # noqa: N801  (it is used like a function)
    """``with raises(kind, what) as caught``: raise :exc:`AdapterFailure` unless the block raises ``kind``, which is in
    ``caught.error`` then.
    """

    error: _E

    def __init__(self, kind: type[_E], what: str) -> None:
        self._kind = kind
        self._what = what

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, self._kind):
            self.error = error
            return True
        if error is None or isinstance(error, Exception):
            came = "no exception" if error is None else _shown(error)
            raise AdapterFailure(f"{self._what}: expected {self._kind.__name__}, came {came}") from error
        return False  # cancellation and the like are not the case's business


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} … {text[-_SHOWN // 2 :]}"

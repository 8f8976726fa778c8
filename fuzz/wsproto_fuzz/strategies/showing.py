"""How drawn data is printed where an example fails: short, and as far as possible as Python that makes it again."""

from __future__ import annotations

from typing import Final, Protocol

__all__ = ["Shown", "show"]

_LONG: Final = 100
_LONGEST_PATTERN: Final = 9


class Printer(Protocol):
    """Hypothesis's pretty printer, as far as it is needed here."""

    def text(self, text: str) -> None:
        """Print this."""
        ...


class Shown:
    """What hypothesis prints as :meth:`shown`, and not as the long call that made it."""

    __slots__ = ()

    def shown(self) -> str:
        """What is printed: unless overridden, the ``repr``."""
        return repr(self)

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:  # noqa: ARG002  # the protocol of pretty printers
        printer.text(self.shown())


def show(content: str | bytes) -> str:
    """``content`` as Python: a long one as the repetition that it is, or with its middle left out."""
    if len(content) <= _LONG:
        return repr(content)
    for size in range(1, _LONGEST_PATTERN + 1):
        pattern, times = content[:size], -(-len(content) // size)
        if (pattern * times)[: len(content)] == content:
            cut = f"[:{len(content)}]" if len(content) % size else ""
            return f"({pattern!r} * {times}){cut}" if cut else f"{pattern!r} * {times}"
    return f"{content[:40]!r} … {content[-20:]!r} ({len(content)} in all)"

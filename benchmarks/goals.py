"""What the figures must reach: ratios inside one run, or plain numbers. The table of issue 4, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from report import Report

__all__ = ["GOALS", "Goal", "Verdict", "verdicts"]


@dataclass(frozen=True)
class Goal:
    """A figure must be at least, or at most, ``factor`` times another one, plus something. Which of the two, its
    benchmark's unit says: more messages are better, more nanoseconds are not.
    """

    benchmark: str
    case: str
    subject: str
    factor: float
    #: The others, of whom the best counts, in the same case unless ``of_case`` says otherwise. Where there is none,
    #: ``plus`` is all there is.
    of: tuple[str, ...]
    of_case: str | None = None
    plus: float = 0.0

    def __str__(self) -> str:
        """The bound in words."""
        if not self.of:
            return f"{self.plus:,.0f}"
        other = self.of[0] if len(self.of) == 1 else "every peer"
        other += f", {self.of_case}" if self.of_case else ""
        return f"{self.factor:.3g} × {other}" + (f" + {self.plus:,.0f}" if self.plus else "")


@dataclass(frozen=True)
class Verdict:
    """How a goal was met."""

    goal: Goal
    figure: float
    bound: float
    #: The figure over what it is compared with; over the bound where that is a plain number.
    ratio: float
    more_is_better: bool
    is_met: bool


def judge(goal: Goal, report: Report) -> Verdict | None:
    """None where a figure is missing."""
    figure = report.figure(goal.case, goal.subject)
    others = [report.figure(goal.of_case or goal.case, name) for name in goal.of]
    medians = [other.median for other in others if other is not None]
    if figure is None or len(medians) < len(others):
        return None
    best = (max if report.more_is_better else min)(medians, default=0.0)
    bound = goal.factor * best + goal.plus
    is_met = figure.median >= bound if report.more_is_better else figure.median <= bound
    return Verdict(goal, figure.median, bound, figure.median / (best or bound), report.more_is_better, is_met)


def verdicts(reports: Mapping[str, Report]) -> Iterator[tuple[Goal, Verdict | None]]:
    """Every goal, with None where it has not been measured."""
    for goal in GOALS:
        yield goal, judge(goal, reports[goal.benchmark]) if goal.benchmark in reports else None


def _plain(benchmark: str, case: str, subject: str, bound: float) -> Goal:
    return Goal(benchmark, case, subject, 0.0, (), plus=bound)


_PEERS: Final = ("picows asyncio", "picows.websockets", "aiohttp asyncio", "websockets asyncio", "node ws")
_PEERS_ON_UVLOOP: Final = ("picows uvloop", "aiohttp uvloop", "websockets uvloop")
_APIS: Final = ("listener asyncio", "coroutine asyncio")
_LARGE: Final = ("64 KiB, 1x1", "64 KiB, 1x64", "1 MiB, 1x1", "1 MiB, 1x16")

GOALS: Final = (
    _plain("engine", "receive 64 B masked", "compiled", 60),
    Goal("engine", "receive 1 KiB masked", "compiled", 1.5, ("limit",)),
    Goal("engine", "receive 64 KiB masked", "compiled", 1.5, ("limit",)),
    Goal("engine", "receive 1 MiB masked", "compiled", 1.5, ("limit",)),
    Goal("engine", "receive 10 MiB masked", "compiled", 160, ("compiled",), "receive 64 KiB masked"),
    _plain("engine", "receive 64 B masked", "pure", 1600),
    _plain("engine", "send 64 B server", "compiled", 200),
    _plain("engine", "send 64 B client", "compiled", 300),
    _plain("engine", "send 64 B server", "pure", 850),
    _plain("engine", "send 64 B client", "pure", 1500),
    Goal("engine", "send 64 KiB client", "compiled", 2, ("limit",)),
    Goal("engine", "receive 1 KiB JSON deflated", "compiled", 1.2, ("zlib",)),
    Goal("echo", "64 B, 1x64", "coroutine asyncio", 4, ("picows asyncio",)),
    Goal("echo", "64 B, 1x64", "coroutine asyncio", 20, ("websockets asyncio",)),
    Goal("echo", "64 B, 1x64", "listener asyncio", 7, ("picows asyncio",)),
    Goal("echo", "64 B, 1x64", "listener asyncio", 0.5, ("C asyncio",)),
    Goal("echo", "64 B, 100x16", "coroutine asyncio", 4, ("picows asyncio",)),
    Goal("echo", "64 B, 100x16", "listener asyncio", 5, ("picows asyncio",)),
    Goal("echo", "64 B, 1x1", "listener asyncio", 1, ("picows asyncio",)),
    Goal("echo", "64 B, 1x1", "listener uvloop", 1, ("picows uvloop",)),
    Goal("echo", "64 B, 1x1", "coroutine asyncio", 0.9, ("picows asyncio",)),
    Goal("echo", "64 B, 1x1", "coroutine uvloop", 0.9, ("picows uvloop",)),
    *(Goal("echo", case, "listener asyncio", 1, _PEERS) for case in _LARGE),
    *(Goal("echo", case, "coroutine asyncio", 1, _PEERS) for case in _LARGE),
    *(Goal("echo", case, "listener uvloop", 1, _PEERS_ON_UVLOOP) for case in _LARGE),
    *(Goal("echo", case, "coroutine uvloop", 1, _PEERS_ON_UVLOOP) for case in _LARGE),
    Goal("echo", "64 B, 1x1", "sockets", 1 / 1.25, ("TCP sockets",)),
    Goal("echo", "64 B, 1x1", "sockets", 2, ("websockets sync",)),
    Goal("echo", "64 B, 1x1", "trio", 1 / 1.3, ("TCP trio",)),
    Goal("echo", "64 B, 1x1", "trio", 2, ("websockets trio",)),
    Goal("connections", "one process", "coroutine asyncio", 1, ("picows asyncio",)),
    Goal("connections", "one process", "coroutine asyncio", 1.5, ("aiohttp asyncio",)),
    Goal("connections", "one process", "listener asyncio", 1, ("picows asyncio",)),
    _plain("connections", "two workers, by the clock", "workers", 10_000),
    _plain("memory", "idle", "listener asyncio", 6000),
    _plain("memory", "idle", "coroutine asyncio", 8000),
    Goal("memory", "deflate negotiated", "listener asyncio", 1, ("listener asyncio",), "idle", 1000),
    Goal("memory", "deflate negotiated", "coroutine asyncio", 1, ("coroutine asyncio",), "idle", 1000),
    _plain("memory", "deflate once used", "listener asyncio", 50_000),
    _plain("memory", "deflate once used", "coroutine asyncio", 50_000),
    Goal("broadcast", "1 KiB to 1 000", "listener asyncio", 1.1, ("bare asyncio",)),
    Goal("broadcast", "1 KiB to 1 000", "coroutine asyncio", 1.1, ("bare asyncio",)),
    *(Goal("growth", "10 000 connections", name, 1.1, (name,), "1 connection") for name in _APIS),
    *(Goal("growth", "1 000 frames a read", name, 1.1, (name,), "100 frames a read") for name in _APIS),
)

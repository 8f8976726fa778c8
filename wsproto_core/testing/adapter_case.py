"""What a case of the adapter kit is: a coroutine function that plays on an :class:`AdapterStage`, with what it expects
as data: the reports of how its connections end, which are the same on every runtime, and how many lines the adapter
logs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .._config import Limits, Timeouts
from .._events import CloseReport
from .._types import Initiator, Receive, Role, Timer
from .._violations import Violation
from .adapter_ends import FarEnd, far_end
from .adapter_expect import check, expect
from .adapter_stage import Ability, AdapterStage, StagePeer

__all__ = ["AdapterCase", "Ending", "case", "case_of_both_sides"]

#: What a case may return: how its connections ended, in the order of ``AdapterCase.endings``.
Reports: TypeAlias = Sequence[CloseReport | None] | None
_Run: TypeAlias = Callable[[AdapterStage], Coroutine[Any, Any, Reports]]
_RunOnEnds: TypeAlias = Callable[[AdapterStage, FarEnd, StagePeer], Coroutine[Any, Any, CloseReport | None]]


@dataclass(frozen=True, slots=True)
class Ending:
    """What a close report must say, on every runtime alike."""

    initiator: Initiator
    code: int
    reason: str = ""
    violation: Violation | None = None
    timer: Timer | None = None

    @classmethod
    def of(cls, report: CloseReport) -> Ending:
        """The same, of a report that came. The reason of a violation is its words, with what was seen: left out."""
        reason = "" if report.violation else report.reason
        return cls(report.initiator, report.code, reason, report.violation, report.timer)

    def __repr__(self) -> str:
        cause = self.violation or self.timer
        return f"<by {self.initiator.value}, {self.code} {self.reason!r}{f', {cause.name}' if cause else ''}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterCase:
    """One thing that an adapter must do. ``await case.play(stage)`` raises :exc:`AdapterFailure` if it does not."""

    name: str
    #: The rule behind it, or the reason why somebody cares.
    because: str
    run: _Run
    needs: frozenset[Ability] = frozenset()
    #: Whether it waits for timers of the engine: run it on a virtual clock where there is one.
    is_timed: bool = False
    #: How its connections must end.
    endings: tuple[Ending, ...] = ()
    #: How many lines it makes the adapter log, each with a traceback; any other line is a failure.
    log_lines: int = 0

    def missing(self, stage: AdapterStage) -> frozenset[Ability]:
        """What the case needs and the stage has not: with any of it, skip the case."""
        return self.needs - stage.abilities

    async def play(self, stage: AdapterStage) -> None:
        """Play the case. Raises :exc:`AdapterFailure`, which tells what was expected and what came."""
        reports = await self.run(stage) or ()
        came = [report and Ending.of(report) for report in reports]
        for number, (ending, expected) in enumerate(zip(came, self.endings, strict=True), 1):
            expect(f"report {number} of {len(self.endings)}", ending, expected)
        lines = stage.logged()
        check(
            f"{self.log_lines} log lines with a traceback, not {lines!r}",
            len(lines) == self.log_lines and all(line.has_traceback for line in lines),
        )

    def __str__(self) -> str:
        return self.name


def case(
    because: str,
    *,
    needs: Sequence[Ability] = (),
    is_timed: bool = False,
    endings: Sequence[Ending] = (),
    log_lines: int = 0,
) -> Callable[[_Run], AdapterCase]:
    """Make a case of the function below, named after it."""

    def decorate(run: _Run) -> AdapterCase:
        return AdapterCase(
            name=run.__name__.replace("_", " "),
            because=because,
            run=run,
            needs=frozenset(needs),
            is_timed=is_timed,
            endings=tuple(endings),
            log_lines=log_lines,
        )

    return decorate


def case_of_both_sides(
    because: str,
    *,
    needs: Sequence[Ability] = (),
    seconds: Mapping[str, float] | None = None,
    limits: Limits | None = None,
    receive: Receive = Receive.MESSAGES,
    secure: bool = False,
    ending: Ending | None = None,
) -> Callable[[_RunOnEnds], tuple[AdapterCase, AdapterCase]]:
    """Make two cases of the function below, which plays the far end of a client and of a server, to the same ending.

    ``seconds`` are the :class:`Timeouts` of the adapter, in seconds of the stage; they make the cases timed ones.
    """

    def decorate(play: _RunOnEnds) -> tuple[AdapterCase, AdapterCase]:
        def against(role: Role) -> AdapterCase:
            async def run(stage: AdapterStage) -> Reports:
                timeouts = Timeouts(**{name: value * stage.second for name, value in (seconds or {}).items()})
                options = {"limits": limits or Limits(), "timeouts": timeouts, "receive": receive}
                async with far_end(stage, role, options, secure=secure) as (far, ws):
                    report = await play(stage, far, ws)
                return (report,) if ending is not None else None

            ours = Role.SERVER if role is Role.CLIENT else Role.CLIENT
            return AdapterCase(
                name=f"{play.__name__.replace('_', ' ')}, as a {ours.value}",
                because=because,
                run=run,
                needs=frozenset(needs),
                is_timed=seconds is not None,
                endings=() if ending is None else (ending,),
            )

        return against(Role.SERVER), against(Role.CLIENT)

    return decorate

"""Generated cases: conversations by chance, in the language of the fixed ones; all of them follow from a seed.

:func:`generated_cases` makes them, and they are played like any others. Of those that a server fails,
:func:`shrink_failures` finds the shortest conversation that it still fails, by playing smaller ones against it.
This is the only part of the runner that needs hypothesis. The same seed makes the same cases with the same versions of
hypothesis and of this package.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import cache
from typing import Final
from zlib import crc32

import hypothesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from wsproto_core import Role

from .case import Case
from .plans import Plan, compressed_plans, offending_plans, opening_plans, talk_plans
from .server import ServerOptions, judge_server
from .verdict import Run, Verdict

__all__ = ["generated_cases", "shrink_failures"]

#: What is generated, for each side that a peer may play; every kind has the same share.
_KINDS: Final[dict[str, tuple[frozenset[Role], st.SearchStrategy[Plan]]]] = {
    "talk": (frozenset(Role), talk_plans()),
    "compressed": (frozenset(Role), compressed_plans()),
    "offence": (frozenset(Role), offending_plans()),
    "request": (frozenset({Role.SERVER}), opening_plans(Role.SERVER)),
    "response": (frozenset({Role.CLIENT}), opening_plans(Role.CLIENT)),
}
_GROUP: Final = "generated"
#: Seconds for the search for a smaller conversation, for each kind.
_SHRINKING_TIME: Final = 30.0
#: Complaints for authors of tests: here a conversation takes as long as the peer wants.
_SLOW: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
_DEFAULTS: Final = ServerOptions()


def generated_cases(seed: int, examples: int) -> tuple[Case, ...]:
    """As many cases as ``examples`` for a server, and for a client: most of them are for both.

    Their ids are ``generated.KIND.NUMBER``.
    """
    return tuple(
        plan.case(_id(kind, number))
        for kind in _KINDS
        for number, plan in enumerate(_plans(kind, seed, _share(kind, examples)), 1)
    )


async def shrink_failures(run: Run, uri: str, *, seed: int, examples: int, options: ServerOptions = _DEFAULTS) -> Run:
    """``run`` with the shortest conversation that fails in ``reproduction``, for the first failure of each kind.

    ``seed`` and ``examples`` are those of the cases in it. It plays smaller conversations against the server at
    ``uri``, for half a minute for each kind at the most.
    """
    verdicts = {result.case: result.verdict for result in run.results}
    smallest: dict[str, str] = {}
    for kind in _KINDS:
        plans = _plans(kind, seed, _share(kind, examples))
        known = {plan: verdicts.get(_id(kind, number)) is Verdict.FAIL for number, plan in enumerate(plans, 1)}
        first = next((number for number, plan in enumerate(plans, 1) if known[plan]), None)
        if first is not None:
            search = _Search(known, _Player(uri, options))
            await search.find(kind, seed, len(plans))
            smallest[_id(kind, first)] = _words(seed, search.smallest or plans[first - 1])
    results = (replace(result, reproduction=smallest.get(result.case, "")) for result in run.results)
    return replace(run, results=tuple(results))


def _id(kind: str, number: int) -> str:
    return f"{_GROUP}.{kind}.{number}"


def _words(seed: int, plan: Plan) -> str:
    return f"The shortest conversation found that fails (seed {seed}):\n{plan}"


def _share(kind: str, examples: int) -> int:
    """How many of the examples for one side are of this kind: a side has the kinds for both, and one of its own."""
    common = [name for name, (roles, _) in _KINDS.items() if roles == frozenset(Role)]
    place = common.index(kind) if kind in common else len(common)
    whole, rest = divmod(examples, len(common) + 1)
    return whole + (place < rest)


# --- drawing and shrinking --------------------------------------------------------------------------------------------


@cache
def _plans(kind: str, seed: int, count: int) -> tuple[Plan, ...]:
    """The plans of one kind that follow from ``seed``."""
    drawn: list[Plan] = []
    if count:
        _explore(kind, seed, count, drawn.append, hypothesis.Phase.generate)
    return tuple(drawn[:count])


def _explore(kind: str, seed: int, count: int, visit: Callable[[Plan], None], *phases: hypothesis.Phase) -> None:
    """Let hypothesis visit plans: the same ones in every call, until a visit raises."""
    settings = hypothesis.settings(
        max_examples=count,
        phases=phases,
        database=None,
        derandomize=False,
        deadline=None,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=_SLOW,
        verbosity=hypothesis.Verbosity.quiet,
    )
    test = hypothesis.given(plan=_KINDS[kind][1])(_taking_a_plan(visit))
    hypothesis.seed(crc32(f"{seed} {kind}".encode()))(settings(test))()


def _taking_a_plan(visit: Callable[[Plan], None]) -> Callable[[Plan], None]:
    """``visit`` as a function whose parameter has a name, by which hypothesis calls it."""

    def visit_one(plan: Plan) -> None:
        visit(plan)

    return visit_one


class _Fails(Exception):
    """The plan that is visited fails."""


class _Search:
    """Looks for the smallest plan that fails, and plays those of which it does not know."""

    def __init__(self, known: dict[Plan, bool], player: _Player) -> None:
        #: The smallest one so far.
        self.smallest: Plan | None = None
        self._known = known
        self._player = player
        self._ends_at = time.monotonic() + _SHRINKING_TIME

    async def find(self, kind: str, seed: int, count: int) -> None:
        """Search, in a thread of its own: hypothesis waits for each answer."""
        try:
            await asyncio.to_thread(self._run, kind, seed, count)
        finally:
            self._player.stop()

    def _run(self, kind: str, seed: int, count: int) -> None:
        try:
            _explore(kind, seed, count, self._visit, hypothesis.Phase.generate, hypothesis.Phase.shrink)
        except (_Fails, Flaky):
            pass  # it is in ``smallest``

    def _visit(self, plan: Plan) -> None:
        if plan not in self._known:
            # When the time is up, nothing new fails: hypothesis then settles for what it has.
            self._known[plan] = time.monotonic() < self._ends_at and self._player.fails(plan)
        if self._known[plan]:
            self.smallest = plan
            raise _Fails


class _Player:
    """Plays single plans against a server, for a thread beside the loop."""

    def __init__(self, uri: str, options: ServerOptions) -> None:
        self._uri = uri
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._playing: Future[bool] | None = None

    def fails(self, plan: Plan) -> bool:
        """Whether the server fails it. Once stopped it raises :exc:`KeyboardInterrupt`, which ends any search."""
        self._playing = asyncio.run_coroutine_threadsafe(self._judge(plan), self._loop)
        try:
            return self._playing.result()
        except CancelledError:
            raise KeyboardInterrupt from None

    def stop(self) -> None:
        """Break off what is being played."""
        if self._playing is not None:
            self._playing.cancel()

    async def _judge(self, plan: Plan) -> bool:
        case = plan.case(_id("smaller", 1))
        try:
            return not (await judge_server(self._uri, [case], peer="", options=self._options)).conforms
        except OSError:  # nobody listens any more: what was found before is what there is to tell
            return False

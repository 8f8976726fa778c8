"""Generated cases: the same from the same seed, mastered by our engine, and failures shrink against the real peer."""

from __future__ import annotations

import asyncio

import pytest

from tests.fuzz.conversing import converse
from tests.fuzz.mutants.peers import Parts, serve
from tests.fuzz.mutants.table import mutants
from wsproto_core import Role
from wsproto_fuzz.conformance import generated
from wsproto_fuzz.conformance.generated import generated_cases, shrink_failures
from wsproto_fuzz.conformance.server import ServerOptions, judge_server
from wsproto_fuzz.conformance.verdict import Run, Verdict

#: Seconds: what a mutant does not say costs as much.
OPTIONS = ServerOptions(patience=0.3)
SEED, EXAMPLES = 7, 50


def test_the_same_seed_makes_the_same_cases() -> None:
    assert generated_cases(3, 40) == generated_cases(3, 40)
    assert generated_cases(3, 40) != generated_cases(4, 40)
    assert generated_cases(3, 0) == ()


@pytest.mark.parametrize("examples", [1, 4, 5, 13])
@pytest.mark.parametrize("role", Role)
def test_each_side_gets_as_many_as_asked_for(examples: int, role: Role) -> None:
    cases = [case for case in generated_cases(1, examples) if role in case.peers]
    assert len(cases) == examples
    assert len({case.id for case in cases}) == examples
    assert {case.group for case in cases} == {"generated"}


@pytest.mark.parametrize("role", Role)
def test_our_engine_masters_them(role: Role) -> None:
    for case in generated_cases(11, 200):
        if role in case.peers:
            result = converse(case, role)
            assert result.verdict is Verdict.PASS, f"{case.id}: {result.finding}"


def judged(mutant: str | None, seed: int = SEED) -> Run:
    """The run over a correct server, or over one with a fault, with failures shrunk."""
    parts = Parts() if mutant is None else next(each.parts for each in mutants("server") if each.id == mutant)

    async def judge() -> Run:
        async with serve(parts) as port:
            uri = f"ws://127.0.0.1:{port}/"
            run = await judge_server(uri, generated_cases(seed, EXAMPLES), peer="a server", options=OPTIONS)
            return await shrink_failures(run, uri, seed=seed, examples=EXAMPLES, options=OPTIONS)

    return asyncio.run(judge())


def test_a_correct_server_passes() -> None:
    run = judged(None)
    assert run.counts == {Verdict.PASS: EXAMPLES}
    assert not any(result.reproduction for result in run.results)


@pytest.mark.parametrize(
    ("mutant", "kind", "shortest"),
    [
        ("server.TextBecomesBinary", "talk", "-> TEXT fin 0 bytes  [81 00]"),
        ("server.RefusesPong", "talk", "-> PONG fin 0 bytes  [8a 00]"),
        ("server.AcceptsReservedBitsOnControlFrames", "offence", "-> PING fin rsv3 0 bytes  [99 00]"),
        ("server.LosesInflatersContext", "compressed", "permessage-deflate is offered"),
        ("server.WantsUsualNames", "request", "Sec-WebSocket-Version: 13"),
    ],
)
def test_a_failure_shrinks_against_the_server_itself(mutant: str, kind: str, shortest: str) -> None:
    """Of some seeds one finds the fault and the shortest way to it. What a seed draws depends on what is imported:
    hypothesis also draws constants of the modules it sees.
    """
    for seed in range(SEED, SEED + 10):
        told = [result for result in judged(mutant, seed).results if result.reproduction]
        found = [result for result in told if result.case.startswith(f"generated.{kind}.")]
        assert all(result.verdict is Verdict.FAIL and f"seed {seed}" in result.reproduction for result in found)
        if any(is_short(result.reproduction, shortest) for result in found):
            return
    raise AssertionError(f"no seed has found {shortest}")


def is_short(reproduction: str, shortest: str) -> bool:
    return shortest.lower() in reproduction.lower() and len(reproduction.splitlines()) <= 8


def test_a_server_that_is_gone_leaves_what_was_known() -> None:
    async def judge() -> Run:
        async with serve(next(each.parts for each in mutants("server") if each.id == "server.NoPong")) as port:
            uri = f"ws://127.0.0.1:{port}/"
            run = await judge_server(uri, generated_cases(SEED, 8), peer="a server", options=OPTIONS)
        return await shrink_failures(run, uri, seed=SEED, examples=8, options=OPTIONS)

    run = asyncio.run(judge())
    failed = [result for result in run.results if result.verdict is Verdict.FAIL]
    assert failed
    assert any(result.reproduction for result in failed)


def test_the_search_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that searches ends with it: otherwise the loop would never end."""
    failed = next(case for case in generated_cases(SEED, 40) if case.id == "generated.talk.9")
    results = (failed.judged(Verdict.FAIL, "It failed."),)
    run = Run(peer="a server", side="server", began="", duration=0.0, results=results)

    async def cancel() -> None:
        began = asyncio.Event()

        async def play_forever(*_: object, **__: object) -> Run:
            began.set()
            await asyncio.Event().wait()
            raise AssertionError("it waits for ever")

        monkeypatch.setattr(generated, "judge_server", play_forever)
        search = asyncio.create_task(shrink_failures(run, "ws://127.0.0.1/", seed=SEED, examples=40))
        await began.wait()
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search

    asyncio.run(cancel())

"""Figures, files, tables and verdicts: what becomes of what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import baseline
import bench
import broadcast
import check
import connections
import echo
import engine
import goals
import growth
import memory
import plots
import pytest
import simulator
from goals import GOALS, Goal
from processes import Failed
from report import Figure, Report
from servers import SUBJECTS

BENCHMARKS = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (broadcast, connections, echo, engine, growth, memory, simulator)
}


def report(name: str, *, more_is_better: bool = True, **values: list[float]) -> Report:
    """A report with one case and these subjects."""
    figures = [Figure("a case", subject, rounds, [{}] * len(rounds)) for subject, rounds in values.items()]
    return Report(name, "things", more_is_better, figures)


# --- figures and files --------------------------------------------------------------------------------------------


def test_a_figure_is_the_median_and_half_of_what_is_between_the_quarters() -> None:
    figure = Figure("a case", "somebody", [100.0, 90.0, 110.0, 1000.0])
    assert figure.median == 105.0
    assert figure.spread == pytest.approx((1000 - 100) / 2 / 105)


def test_a_report_comes_back_from_its_file(tmp_path: Path) -> None:
    before = report("some", ours=[1.0, 2.0, 3.0], theirs=[4.0])
    before.save(tmp_path)
    assert Report.load(tmp_path / "some.json") == before
    assert (tmp_path / "some.csv").read_text(encoding="utf-8").splitlines() == [
        "benchmark,unit,case,subject,median,spread,rounds",
        "some,things,a case,ours,2,0.500,3",
        "some,things,a case,theirs,4,0.000,1",
    ]


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text(json.dumps({"schema": 0, "figures": []}), encoding="utf-8")
    with pytest.raises(ValueError, match="another schema"):
        Report.load(path)


def test_a_table_has_a_row_for_each_subject() -> None:
    assert report("some", ours=[1500.0], theirs=[2.0, 2.0]).table().splitlines() == [
        "| things | a case |",
        "|---|---:|",
        "| ours | 1,500 |",
        "| theirs | 2.0 ±0 % |",
    ]


# --- rounds -------------------------------------------------------------------------------------------------------


def test_subjects_take_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = bench.Benchmark("some", "things", True, ["one", "two"], ["ours", "theirs"], rounds=2)
    turns: list[tuple[str, str]] = []

    def measure(case: str, subject: str) -> tuple[float, dict[str, Any]] | None:
        turns.append((case, subject))
        if subject == "theirs" and case == "two":
            raise Failed("it does not want to")
        return None if (case, subject) == ("one", "theirs") else (float(len(turns)), {"turn": len(turns)})

    options = benchmark.parser(None).parse_args(["--output", str(tmp_path)])
    done = benchmark.run(options, measure)
    everything = [("one", "ours"), ("one", "theirs"), ("two", "ours"), ("two", "theirs")]
    assert turns == [*everything, *everything[:3]]  # what has failed is left alone
    assert [(item.case, item.subject, item.values) for item in done.figures] == [
        ("one", "ours", [1.0, 5.0]),
        ("two", "ours", [3.0, 7.0]),
    ]
    assert done.failures == ["two, theirs: it does not want to"]
    assert "it does not want to" in capsys.readouterr().err
    assert Report.load(tmp_path / "some.json") == done


# --- goals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal.benchmark}-{goal.case}-{goal.subject}-{goal}")
def test_goals_speak_of_what_is_measured(goal: Goal) -> None:
    benchmark = BENCHMARKS[goal.benchmark]
    assert {goal.case, goal.of_case or goal.case} <= set(benchmark.cases)
    known = {*benchmark.subjects, *(name for name, subject in SUBJECTS.items() if not subject.is_available)}
    assert {goal.subject, *goal.of} <= known


@pytest.mark.parametrize(("ours", "is_met"), [(5.9, False), (6.0, True)])
def test_more_must_be_at_least(ours: float, is_met: bool) -> None:
    goal = Goal("some", "a case", "ours", 2, ("slow", "fast"))
    verdict = goals.judge(goal, report("some", ours=[ours], slow=[1.0], fast=[3.0]))
    assert verdict is not None
    assert (verdict.bound, verdict.is_met) == (6.0, is_met)
    assert verdict.ratio == pytest.approx(ours / 3)


@pytest.mark.parametrize(("ours", "is_met"), [(3.1, False), (3.0, True)])
def test_less_must_be_at_most(ours: float, is_met: bool) -> None:
    goal = Goal("some", "a case", "ours", 2, ("slow", "fast"), plus=1)
    verdict = goals.judge(goal, report("some", more_is_better=False, ours=[ours], slow=[5.0], fast=[1.0]))
    assert verdict is not None
    assert (verdict.bound, verdict.is_met) == (3.0, is_met)


def test_what_was_not_measured_has_no_verdict() -> None:
    assert goals.judge(Goal("some", "a case", "ours", 2, ("theirs",)), report("some", ours=[1.0])) is None
    assert goals.judge(Goal("some", "a case", "ours", 2, ("theirs",)), report("some", theirs=[1.0])) is None


# --- what is written ----------------------------------------------------------------------------------------------


def test_the_baseline_tells_everything() -> None:
    reading = {"busy_seconds": 1.0, "server_seconds": 4.0}
    figures = [
        Figure("64 B, 1x64", "listener asyncio", [800.0], [reading]),
        Figure("64 B, 1x64", "picows asyncio", [100.0], [reading]),
        Figure("64 B, 1x64", "TCP asyncio", [9000.0], [reading | {"busy_seconds": 9.0}]),
    ]
    words = baseline.baseline({"echo": Report("echo", "messages", True, figures, failures=["nobody: why\nmore"])})
    assert "takes up to 25% of the CPU time of its server (picows asyncio, 64 B, 1x64)" in words  # a limit is no server
    assert "| echo | 64 B, 1x64 | listener asyncio | ≥ 7 × picows asyncio | 800 = 8.00 × | yes |" in words
    assert "| picows asyncio | 100 |" in words
    assert "Not measured: nobody: why." in words


def test_the_baseline_of_nothing_says_so() -> None:
    assert baseline.baseline({}).count("not measured") == len(GOALS)


def test_the_baseline_tells_how_the_bare_loop_grows_beside_us() -> None:
    figures = [
        Figure("1 connection", "TCP asyncio", [100.0]),
        Figure("10 000 connections", "TCP asyncio", [150.0]),
        Figure("1 connection", "listener asyncio", [200.0]),
        Figure("10 000 connections", "listener asyncio", [220.0]),
        Figure("1 connection", "sockets", [1.0]),
    ]
    words = baseline.baseline({"growth": Report("growth", "ns", False, figures)})
    assert "| times as much as with 1 connection | 10 000 connections |" in words
    assert "| TCP asyncio | 1.50 |\n| listener asyncio | 1.10 |" in words
    assert "| sockets | 1.0 |  |" in words, "one that was not measured with many has no factor"


def test_pictures_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = [Figure(case, subject, [3.0, 2.0]) for case in growth.CASES for subject in ("TCP asyncio", "sockets")]
    plots.draw(Report("growth", "ns", False, figures), tmp_path)
    plots.draw(Report("memory", "bytes", False, [Figure("idle", "node ws", [1.0])]), tmp_path)
    plots.draw(Report("simulator", "conversations", True, [Figure("WebSocket", "pure", [1.0])]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["growth.png", "memory.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())


@pytest.mark.parametrize(("now", "status", "word"), [(102.0, 0, "same"), (104.0, 1, "SLOWER"), (90.0, 0, "faster")])
def test_more_instructions_are_a_regression(
    now: float, status: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.compare({"pure": {"echo": now}}, {"pure": {"echo": 100.0, "send": 1.0}}) == status
    assert word in capsys.readouterr().out

"""The summary and the progress bar, in a terminal and without one."""

from __future__ import annotations

import io

import pytest

from tests.fuzz.report_kit import HOSTILE, result, run
from wsproto_fuzz.conformance.report.progress import ProgressBar
from wsproto_fuzz.conformance.report.terminal import summary
from wsproto_fuzz.conformance.report.text import amount, shortened, visible
from wsproto_fuzz.conformance.verdict import Verdict
from wsproto_fuzz.transcript import Direction, Line


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_summary_of_a_run() -> None:
    shown = summary(
        run(
            result("framing.1"),
            result("framing.2", Verdict.LAX),
            result("ping.1", Verdict.FAIL, reproduction="do\nthis"),
            result("ping.2", Verdict.UNIMPLEMENTED),
            seed=7,
        )
    )
    assert shown.splitlines() == [
        "a peer 1.0 (server), 4 cases, 12.5 s, seed 7",
        "",
        "group    ✓  pass  ~   lax  ✗  fail  – unimplemented",
        "framing        1        1        .                .",
        "ping           .        .        1                1",
        "all            1        1        1                1",
        "",
        "~ framing.2  the title of framing.2",
        "    what was found in framing.2 (RFC 6455 §5.5.2)",
        "",
        "✗ ping.1  the title of ping.1",
        "    RFC 6455 §5.5.2: what ping.1 requires",
        "    what was found in ping.1",
        "         0.250 <- TEXT fin 5 bytes 'hello'  [81 05 68 65 6c 6c 6f]",
        "    do",
        "    this",
        "",
        "✗ 1 case failed",
    ]


def test_a_run_without_failures_says_so_at_the_end() -> None:
    assert summary(run(result())).endswith("\n\n✓ conforms")


def test_many_failures_are_told_briefly_and_then_counted() -> None:
    shown = summary(run(*(result(f"ping.{number}", Verdict.FAIL) for number in range(25))))
    assert shown.count("TEXT fin") == 5
    assert "ping.19" in shown
    assert "ping.20" not in shown
    assert "✗ 5 more cases with the verdict fail" in shown


def test_a_long_transcript_loses_its_middle() -> None:
    lines = tuple(Line(Direction.SENT, 0.0, f"line {number}") for number in range(20))
    shown = summary(run(result(verdict=Verdict.FAIL, transcript=lines)))
    assert "... 8 lines ..." in shown
    assert "line 6" not in shown
    assert "line 19" in shown


def test_no_peer_commands_the_terminal() -> None:
    told = {name: HOSTILE for name in ("finding", "reproduction", "title")}
    lines = (Line(Direction.RECEIVED, 0.0, HOSTILE),)
    evil = result(verdict=Verdict.FAIL, transcript=lines, **told)
    screen = io.StringIO()
    ProgressBar(screen)(evil, 1, 1)
    for text in (summary(run(evil, peer=HOSTILE)), screen.getvalue()):
        assert all(char.isprintable() or char == "\n" for char in text)


# --- progress ---------------------------------------------------------------------------------------------------------


def test_without_a_terminal_there_is_a_line_for_each_tenth_and_each_failure() -> None:
    log = io.StringIO()
    progress = ProgressBar(log)
    for number in range(20):
        progress(result(f"ping.{number}", Verdict.FAIL if number == 4 else Verdict.PASS), number + 1, 20)
    progress.finish()
    lines = log.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0] == "2/20"
    assert lines[2] == "✗ ping.4  the title of ping.4: what was found in ping.4"
    assert lines[-1] == "20/20, 1 failed"


def test_a_failure_is_taken_back() -> None:
    log = io.StringIO()
    progress = ProgressBar(log)
    for verdict in (Verdict.FAIL, Verdict.PASS):
        progress(result("ping.1.1", verdict), 20, 20)
    assert log.getvalue().splitlines()[1:] == [
        "20/20, 1 failed",
        "✓ ping.1.1  did not fail when it was played again, alone",
    ]


def test_in_a_terminal_there_is_a_bar_that_goes_away() -> None:
    screen = Screen()
    progress = ProgressBar(screen)
    for number in range(3):
        progress(result(f"ping.{number}"), number + 1, 4)
    *_, last = screen.getvalue().split("\r\x1b[K")
    assert last == f"{'█' * 18:<24} 3/4  ping"
    progress(result("ping.3", Verdict.FAIL), 4, 4)
    assert "✗ ping.3  the title of ping.3: what was found in ping.3\n" in screen.getvalue()
    progress.finish()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_the_bar_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    screen = Screen()
    ProgressBar(screen)(result(), 1, 4)
    assert len(screen.getvalue().removeprefix("\r\x1b[K")) == 19


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0124, "12 ms"), (1.25, "1.2 s"), (99.0, "99.0 s"), (119.99, "2 min 0 s"), (125, "2 min 5 s")],
)
def test_durations_are_told_for_people(seconds: float, words: str) -> None:
    assert amount(seconds) == words


def test_text_is_shortened_in_its_middle() -> None:
    assert shortened("0123456789", 10) == "0123456789"
    assert shortened("0123456789a", 10) == "012345…89a"


def test_line_feeds_and_letters_stay() -> None:
    assert visible("zwölf 🎉\n\tx\xa0") == "zwölf 🎉\n\\tx\\xa0"

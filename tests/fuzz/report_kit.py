"""Made-up runs for the tests of reports, with peers as hostile as their words can be."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from wsproto_fuzz.conformance.verdict import Result, Run, Verdict
from wsproto_fuzz.transcript import Direction, Line

__all__ = ["HOSTILE", "result", "run", "runs"]

#: What must not get through: a tag, an attribute's end, a control, a terminal's escape, a direction mark, a lone
#: surrogate, and two characters that XML forbids.
HOSTILE = "\"'><script>alert(1)</script>&amp;\x00\x1b[31m\u202e\ud800\ufffe]]>"

LINE = Line(Direction.RECEIVED, 0.25, "TEXT fin 5 bytes 'hello'", "81 05 68 65 6c 6c 6f", 7)


def result(case: str = "ping.1.1", verdict: Verdict = Verdict.PASS, **more: Any) -> Result:
    """A result whose parts can be told apart."""
    given: dict[str, Any] = {
        "group": case.partition(".")[0],
        "title": f"the title of {case}",
        "requirement": f"what {case} requires",
        "section": "RFC 6455 §5.5.2",
        "finding": f"what was found in {case}",
        "duration": 0.01,
        "transcript": (LINE,),
    }
    return Result(case=case, verdict=verdict, **{**given, **more})


def run(*results: Result, peer: str = "a peer 1.0", **more: Any) -> Run:
    """A run with these results."""
    given: dict[str, Any] = {"side": "server", "began": "2026-11-20T15:50:12+00:00", "duration": 12.5}
    return Run(peer=peer, results=results, **{**given, **more})


#: Any text, surrogates too.
words = st.text(st.characters(), max_size=30)
times = st.floats(0, 1000)
lines = st.builds(Line, st.sampled_from(Direction), times, words, words, st.integers(0, 2**40))
results = st.builds(
    Result,
    case=words,
    group=words,
    title=words,
    requirement=words,
    section=words,
    verdict=st.sampled_from(Verdict),
    finding=words,
    duration=times,
    transcript=st.lists(lines, max_size=3).map(tuple),
    reproduction=words,
)
#: Any run, with any words in it.
runs = st.builds(
    Run,
    peer=words,
    side=words,
    began=words,
    duration=times,
    seed=st.none() | st.integers(0, 2**70),
    results=st.lists(results, max_size=4).map(tuple),
)

"""Which cases are played, and the tool that plays them against several servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from wsproto_core import Role
from wsproto_fuzz.conformance import GROUPS, all_cases, chosen_cases, read_run
from wsproto_fuzz.conformance.choice import GENERATED


def test_without_a_name_every_fixed_case_is_chosen() -> None:
    assert chosen_cases() == all_cases()
    assert {case.group for case in chosen_cases()} == set(GROUPS)


def test_every_case_has_an_id_of_its_own_below_its_group() -> None:
    cases = all_cases()
    assert len({case.id for case in cases}) == len(cases) >= 500
    assert [case.id for case in cases if len(case.id.split(".")) != 3] == []


def test_a_name_is_a_group_or_the_beginning_of_an_id_at_a_dot() -> None:
    ping = chosen_cases(["ping"])
    assert {case.group for case in ping} == {"ping"}
    first = chosen_cases(["ping.1"])
    assert first == tuple(case for case in ping if case.id.startswith("ping.1."))
    assert [case.id for case in chosen_cases(["ping.1.1"])] == ["ping.1.1"]
    assert chosen_cases(["ping.1", "ping", "ping.1.1"]) == ping


@pytest.mark.parametrize(
    ("name", "words"),
    [("pong", "group must be one of"), ("ping.99", "no case 'ping.99'"), ("ping.", "no case"), ("", "group must be")],
)
def test_a_name_without_cases_is_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chosen_cases([name])


def test_examples_come_on_top_or_are_chosen_from() -> None:
    on_top = chosen_cases(["ping.1.1"], examples=20, seed=5)
    assert [case.id for case in on_top[:1]] == ["ping.1.1"]
    assert {case.group for case in on_top[1:]} == {GENERATED}
    assert len([case for case in on_top[1:] if Role.SERVER in case.peers]) == 20
    talks = chosen_cases(["generated.talk", "ping.1.1"], examples=20, seed=5)
    assert {case.id for case in talks} == {case.id for case in on_top if "talk" in case.id} | {"ping.1.1"}
    with pytest.raises(ValueError, match="'generated' without examples"):
        chosen_cases(["generated"])


def test_hypothesis_is_imported_for_examples_only() -> None:
    script = (
        "import sys; from wsproto_fuzz import conformance; conformance.chosen_cases(); "
        "assert 'hypothesis' not in sys.modules; assert conformance.generated_cases; assert 'hypothesis' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], timeout=50, check=True)


@pytest.mark.interop
def test_the_matrix_of_peers_is_one_command(tmp_path: Path) -> None:
    arguments = ["--peer", "asyncio", "--only", "ping.1", "--report", str(tmp_path)]
    command = [sys.executable, str(ROOT / "tools" / "peers_matrix.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.splitlines()[-1] == str(tmp_path / "index.html")
    runs = [read_run(path) for path in sorted(tmp_path.glob("*.json"))]
    assert [run.peer.partition(" ")[0] for run in runs] == ["wsproto_asyncio"] * 2
    assert all(run.conforms and run.results for run in runs)

"""Targets: every input that once hurt is played again, and the fuzzer without coverage finds and shrinks a fault."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from wsproto_fuzz import targets
from wsproto_fuzz.targets import TARGETS, load
from wsproto_fuzz.targets.__main__ import main
from wsproto_fuzz.targets.choices import Choices
from wsproto_fuzz.targets.corpus import CORPUS, inputs_of
from wsproto_fuzz.targets.mutation import Mutator, hunt, minimise

INPUTS = [pytest.param(name, data, id=f"{name}-{file}") for name in TARGETS for file, data in inputs_of(name).items()]


@pytest.mark.parametrize(("name", "data"), INPUTS)
def test_what_once_hurt_does_not_any_more(name: str, data: bytes) -> None:
    assert repr(load(name)(data)) == repr(load(name)(data))


def test_every_input_has_its_line() -> None:
    words = (CORPUS / "README.md").read_text()
    assert [path.name for path in CORPUS.glob("*/*") if f"`{path.name}`" not in words] == []
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_hurts_a_target_at_once(name: str) -> None:
    tried, finding = hunt(load(name), Mutator(inputs_of(name).values(), 5), seconds=60, max_inputs=60)
    assert finding is None, finding
    assert tried == 60


def test_a_target_is_known_by_its_name() -> None:
    with pytest.raises(ValueError, match="name must be one of frames, "):
        load("nothing")


# --- mutation ---------------------------------------------------------------------------------------------------------


def fragile(data: bytes) -> object:
    """Breaks when a length follows the letter L and is larger than what there is."""
    at = data.find(b"L")
    if at >= 0 and at + 1 < len(data) and data[at + 1] > len(data):
        raise IndexError(data[at + 1])
    return at >= 0


def test_a_fault_is_found_and_made_small() -> None:
    tried, finding = hunt(fragile, Mutator([b"some text with an L\x02 in it"], 1), seconds=60)
    assert finding is not None
    assert isinstance(finding.error, IndexError)
    assert len(finding.data) == 2
    assert finding.data[:1] == b"L"
    assert tried > 0


def test_a_seed_finds_the_same_again() -> None:
    runs = [hunt(fragile, Mutator([b"L\x02"], seed), seconds=60) for seed in (2, 2)]
    assert runs[0][0] == runs[1][0]
    assert [finding and finding.data for _, finding in runs] == [runs[0][1] and runs[0][1].data] * 2


def test_what_shows_something_new_is_kept() -> None:
    mutator = Mutator([], 3)
    assert hunt(lambda data: data[:1], mutator, seconds=60, max_inputs=200) == (200, None)
    assert len({mutator.next_input()[:1] for _ in range(100)}) > 20


def test_only_what_hurts_can_be_made_small() -> None:
    with pytest.raises(ValueError, match="data"):
        minimise(fragile, b"")


def test_choices_run_out_into_first_options() -> None:
    choices = Choices(b"\x05\x02abc")
    taken = [choices.choose("xyz"), choices.take(choices.byte()), choices.has_more, choices.rest(), choices.has_more]
    assert taken == ["z", b"ab", True, b"c", False]
    assert (choices.byte(), choices.choose("xyz"), choices.take(3)) == (0, "x", b"")


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_tries_what_it_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["uri", "close_payload", "--seconds", "0.05", "--plain", "--keep", str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("uri: ")
    assert first.endswith(" inputs, nothing hurts")
    assert second.startswith("close_payload: ")
    assert [*tmp_path.iterdir()] == []


def test_the_command_keeps_what_hurts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from wsproto_fuzz.targets import handshake

    monkeypatch.setattr(handshake, "uri", fragile)
    monkeypatch.setattr("wsproto_fuzz.targets.corpus.CORPUS", tmp_path)
    (tmp_path / "uri").mkdir()
    (tmp_path / "uri" / "seed").write_bytes(b"L\x02")
    assert main(["uri", "--seconds", "60", "--plain", "--keep", str(tmp_path)]) == 1
    assert (tmp_path / "hurts-uri").read_bytes().startswith(b"L")
    assert "IndexError" in capsys.readouterr().out


def test_the_command_knows_its_targets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["nothing"])
    assert caught.value.code == 2
    assert "nothing" in capsys.readouterr().err


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", targets.__name__, "uri", "--seconds", "0.01", "--plain"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    assert answer.stdout.startswith("uri: ")
    assert answer.stderr == ""


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: pip install atheris")
def test_atheris_runs_a_target(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["uri", "--seconds", "1", "--keep", str(tmp_path)]) == 0
    assert re.fullmatch(r"uri: \d+ inputs with atheris, nothing hurts\n", capsys.readouterr().out)
    assert [*tmp_path.iterdir()] == []

"""The build of the compiled twin: where it is wanted, where it cannot be had. What of it travels: `test_wheel.py`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import hatch_build
from hatch_build import HOT, OF_ASYNCIO, OF_CORE, OF_SOCKETS, CannotBuild, HotCode, build_twin, constants_in_c
from tests.surface.test_wheel import run
from tests.surface.tree import ROOT

NO_COMPILER = "/nowhere/cc"


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """One extension is enough to miss it."""
    leaves = tuple(name for name in OF_CORE.native if name.startswith("leaves"))
    monkeypatch.setattr(hatch_build, "HOT", (OF_CORE._replace(native=leaves, typed=()),))
    for name in ("CC", "LDSHARED"):
        monkeypatch.setenv(name, NO_COMPILER)


def test_without_a_compiler_the_build_says_so_and_goes_on(
    without_compiler: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WSPROTO_CORE_BUILD", "auto")
    assert build_twin(tmp_path) == []
    assert "going on in pure Python" in capsys.readouterr().err


def test_where_it_is_required_it_is_an_error(
    without_compiler: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WSPROTO_CORE_BUILD", "require")
    with pytest.raises(CannotBuild, match=NO_COMPILER):
        build_twin(tmp_path)


@pytest.mark.parametrize("missing", ["Cython.Build", "setuptools"])
def test_what_is_not_installed_is_named(missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSPROTO_CORE_BUILD", "require")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CannotBuild, match=missing):
        build_twin(tmp_path)


def test_it_can_be_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSPROTO_CORE_BUILD", "skip")
    assert build_twin(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSPROTO_CORE_BUILD", "yes")
    with pytest.raises(ValueError, match="yes"):
        build_twin(tmp_path)


@pytest.mark.parametrize("path", [hot.folder / f"{name}_py.py" for hot in HOT for name in hot.typed], ids=str)
def test_every_constant_of_the_hot_code_is_one_in_c(path: Path) -> None:
    """What the build does not recognise would be looked up by name for every frame."""
    source = (ROOT / path).read_text("utf-8")
    numbers = re.findall(r"^(_\w+): Final = -?\d", source, re.MULTILINE)
    assert re.findall(r"enum: (\w+) =", constants_in_c(source)) == numbers


@pytest.mark.parametrize("hot", [OF_CORE, OF_ASYNCIO, OF_SOCKETS], ids=lambda hot: str(hot.folder))
def test_nothing_that_was_generated_is_kept(hot: HotCode) -> None:
    tracked = run("git", "-C", str(ROOT), "ls-files", str(hot.folder)).split()
    assert {Path(name).suffix for name in tracked} - {".h"} == {".pxd", ".py", ".pyi", ".pyx"}

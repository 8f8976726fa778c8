"""The build of the compiled twin: where it is wanted, where it cannot be had, and what of it travels."""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path

import pytest

from hatch_build import CannotBuild, build_twin, constants_in_c
from tests.core.twins import compiled
from tests.surface.test_wheel import run
from tests.surface.tree import CORE, ROOT

HOT = CORE / "_speedups"
EXTENSION = re.compile(r"wsproto_core/_speedups/(codec_c|leaves_c)\.\S+\.(so|pyd)$")
NO_COMPILER = "/nowhere/cc"


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_every_constant_of_the_loop_is_one_in_c() -> None:
    """What the build does not recognise would be looked up by name for every frame."""
    source = (HOT / "codec_py.py").read_text("utf-8")
    numbers = re.findall(r"^(_\w+): Final = -?\d", source, re.MULTILINE)
    assert numbers
    assert re.findall(r"enum: (\w+) =", constants_in_c(source)) == numbers


def test_nothing_that_was_generated_is_kept() -> None:
    tracked = run("git", "-C", str(ROOT), "ls-files", "wsproto_core/_speedups").split()
    assert {Path(name).suffix for name in tracked} == {".h", ".pxd", ".py", ".pyi", ".pyx"}


# ------------------------------------------------------------------------------------------------------- the wheels


def wheel(folder: Path) -> tuple[str, list[str]]:
    """The tag of a wheel built from the tree, and its files."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return built.stem.split("-", 2)[2], archive.namelist()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_compiled_wheel_is_for_this_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled()  # skips where there is no compiler
    monkeypatch.setenv("WSPROTO_CORE_BUILD", "require")
    tag, names = wheel(tmp_path)
    assert sum(EXTENSION.search(name) is not None for name in names) == 2
    assert tag.startswith(f"cp{sys.version_info.major}{sys.version_info.minor}-")
    assert not [name for name in names if name.endswith(".c")]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_pure_wheel_is_for_every_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the twin has been built in place."""
    monkeypatch.setenv("WSPROTO_CORE_BUILD", "skip")
    tag, names = wheel(tmp_path)
    assert tag == "py3-none-any"
    assert not [name for name in names if name.endswith((".so", ".pyd"))]

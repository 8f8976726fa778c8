"""The built wheel: what is in it, and that it works where nothing else of this repository is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h11
import hypothesis
import pytest

from hatch_build import HOT
from tests.core.twins import compiled
from tests.surface.tree import ROOT, pyproject, shipped_packages

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


EXTENSION = re.compile(r"(\w+/_speedups/\w+)\.\S+\.(so|pyd)$")
#: Packages that import what only their extra installs; `test_every_door_opens_alone` imports them beside it.
NEED_AN_EXTRA = {"wsproto_anyio", "wsproto_fuzz", "wsproto_trio"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, with the twin where there is a compiler; built from the source distribution, so that this one is
    complete too. Needs no network.
    """
    return build(tmp_path_factory.mktemp("dist"), twin="auto")


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return names_in(wheel)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees the wheel and h11, and neither this checkout nor the packages of the test run.

    What of hypothesis is there is for the type checker, to which the machines of ``wsproto_fuzz`` are unknown where
    their base class is. It lacks what it needs to be imported.
    """
    folder = tmp_path_factory.mktemp("clean")
    builder = venv.EnvBuilder(with_pip=False, symlinks=sys.platform != "win32")
    context: Any = builder.ensure_directories(folder)
    builder.create(folder)
    interpreter = Path(context.env_exe)
    install = ("install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", str(interpreter), *install, str(wheel))
    site_packages = Path(run(str(interpreter), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for package in (Path(h11.__file__).parent, Path(hypothesis.__file__).parent):
        shutil.copytree(package, site_packages / package.name)
    return interpreter


def build(folder: Path, *options: str, twin: str) -> Path:
    """Build a wheel into ``folder``; ``twin`` is what the build does about it."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), *options, str(ROOT))
    run(*command, environment={"WSPROTO_CORE_BUILD": twin})
    (built,) = folder.glob("*.whl")
    return built


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def tag(wheel: Path) -> str:
    """What the wheel is for: interpreter, ABI and platform."""
    return wheel.stem.split("-", 2)[2]


def run(*command: str, cwd: Path | None = None, environment: Mapping[str, str] = MappingProxyType({})) -> str:
    """Run a command and return what it printed; on failure, fail with what it said."""
    finished = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, f"{' '.join(command)}\n{finished.stdout}{finished.stderr}"
    return finished.stdout


def test_the_top_level_names_are_the_packages_and_nothing_else(names: list[str]) -> None:
    top_level = {name.partition("/")[0] for name in names}
    version = pyproject()["project"]["version"]
    assert top_level == {*(package.name for package in shipped_packages()), f"wsproto_core-{version}.dist-info"}


def test_every_source_file_is_in_the_wheel(names: list[str]) -> None:
    wanted = {
        path.relative_to(package.parent).as_posix() for package in shipped_packages() for path in package.rglob("*.py")
    }
    assert wanted <= set(names)


def test_every_package_says_that_it_is_typed(names: list[str]) -> None:
    assert {f"{package.name}/py.typed" for package in shipped_packages()} <= set(names)


def test_the_licence_travels_along(names: list[str]) -> None:
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_twin_travels_compiled_for_this_platform(wheel: Path, names: list[str]) -> None:
    compiled()  # skips where there is no compiler
    built = {found[1] for name in names if (found := EXTENSION.search(name))}
    assert built == {(hot.package / name).with_suffix("").as_posix() for hot in HOT for name in hot.extensions}
    assert tag(wheel).startswith(f"cp{sys.version_info.major}{sys.version_info.minor}-")
    assert not [name for name in names if name.endswith(".c")]


def test_a_pure_wheel_is_for_every_platform(tmp_path: Path) -> None:
    """Even where the twin has been built in place."""
    pure = build(tmp_path, "--wheel", twin="skip")
    assert tag(pure) == "py3-none-any"
    assert not [name for name in names_in(pure) if name.endswith((".so", ".pyd"))]


def test_every_package_imports_from_the_wheel_alone(python: Path, tmp_path: Path) -> None:
    for package in shipped_packages():
        if package.name in NEED_AN_EXTRA:
            continue
        where = run(str(python), "-I", "-c", f"import {package.name} as it; print(it.__file__)", cwd=tmp_path)
        assert not Path(where.strip()).is_relative_to(ROOT)


def test_the_command_is_installed(python: Path, tmp_path: Path) -> None:
    command = shutil.which("wsproto", path=str(python.parent))
    assert command is not None
    assert run(command, "--help", cwd=tmp_path)


@pytest.mark.parametrize("package", [package.name for package in shipped_packages()])
def test_type_checkers_know_every_public_type(package: str, python: Path, tmp_path: Path) -> None:
    """What pyright sees of the installed package, as a user's type checker does."""
    command = (sys.executable, "-m", "pyright", "--verifytypes", package, "--ignoreexternal", "--outputjson")
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])  # it asks the first python where packages are
    finished = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    report = json.loads(finished.stdout)["typeCompleteness"]
    assert report["packageRootDirectory"]
    assert [symbol["name"] for symbol in report["symbols"] if symbol["isExported"] and not symbol["isTypeKnown"]] == []
    assert report["exportedSymbolCounts"]["withKnownType"]

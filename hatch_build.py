"""Builds the compiled twin of the hot code: as part of a wheel, or in place with ``python hatch_build.py``.

``WSPROTO_CORE_BUILD`` decides what happens:

* ``auto``, the default: the twin is built where it can be. Where it cannot, the build says why and goes on in pure
  Python, which does the same, slower.
* ``require``: where it cannot be built, that is an error. This is what CI says.
* ``skip``: pure Python; no compiler is looked for.

An editable install is always quick and pure. It uses the twin as soon as that has been built in place.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent


class HotCode(NamedTuple):  # a dataclass looks for its module, and hatchling runs this file as none
    """A package whose modules are compiled, in ``folder``."""

    folder: Path
    #: What is compiled as it is, and what lies beside it.
    native: tuple[str, ...]
    #: What is written in Python and compiled with the C types of a ``.pxd``: the source ``X_py.py`` becomes ``X_c``.
    typed: tuple[str, ...]

    @property
    def package(self) -> Path:
        """Where it is when it is installed."""
        return Path(*self.folder.parts[-2:])

    @property
    def extensions(self) -> tuple[str, ...]:
        """The sources of the extension modules."""
        return (*(name for name in self.native if name.endswith(".pyx")), *(f"{name}_c.py" for name in self.typed))


OF_CORE = HotCode(
    Path("wsproto_core", "_speedups"),
    native=("leaves_c.pyx", "leaves_c.pxd", "leaves.h", "messages_c.pyx"),
    typed=("codec", "frames", "inbox", "inflating", "traffic", "link"),
)
OF_ASYNCIO = HotCode(
    Path("transports", "wsproto_asyncio", "_speedups"),
    native=("leaves_c.pyx", "leaves_c.pxd"),
    typed=("traffic", "waiting"),
)
OF_SOCKETS = HotCode(
    Path("transports", "wsproto_sockets", "_speedups"), native=("leaves_c.pyx", "leaves_c.pxd"), typed=("traffic",)
)
#: Windows' sockets are called in another way, and its usual loop has no use for them.
HOT = (OF_CORE,) if sys.platform == "win32" else (OF_CORE, OF_ASYNCIO, OF_SOCKETS)

#: Compiled, the hot code calls what else is compiled, and the native leaves, instead of what is in Python.
FROM_PYTHON = re.compile(r"^from \.(\w+)_py import ", re.MULTILINE)
FROM_C = r"from cython.cimports.{package}.\1_c import "
#: So does that of an adapter, which calls one class of the core's: where that is compiled.
OF_THE_CORE = {"Outlet": "link_c", "Traffic": "traffic_c", "WaitersBase": "link_c"}
FROM_CORE = re.compile(rf"^from wsproto_core import ({'|'.join(OF_THE_CORE)})$", re.MULTILINE)
#: A number that never changes, at the beginning of a line.
CONSTANT = re.compile(r"^(_[A-Z_]+): Final = (-?\w+)$", re.MULTILINE)

DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # C types are in the .pxd: no annotation may change what the code does
    "boundscheck": False,
    "wraparound": False,
    "freethreading_compatible": True,
    "subinterpreters_compatible": "own_gil",
}
#: Each interpreter has its own state, classes included: nothing static can be changed. A static class would also be
#: visited, not yet made, by a garbage collection in the middle of the import, which crashes.
MACROS: list[tuple[str, str | None]] = [("CYTHON_USE_MODULE_STATE", "1"), ("CYTHON_USE_TYPE_SPECS", "1")]


class Build(Enum):
    """How much the twin is wanted."""

    AUTO = "auto"
    REQUIRE = "require"
    SKIP = "skip"


class CannotBuild(Exception):
    """The twin cannot be built here; the text is the reason."""


class TwinBuildHook(BuildHookInterface[Any]):
    """Puts the twin into the wheel."""

    def dependencies(self) -> list[str]:
        return [] if wanted() is Build.SKIP else ["cython>=3.1", "setuptools"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wsproto-core-"))
        for extension in [] if version == "editable" else build_twin(self._folder):
            build_data["force_include"][str(extension)] = package_of(extension).joinpath(extension.name).as_posix()
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  # hatchling's
        shutil.rmtree(self._folder)


def main() -> None:
    """Build the twin in place."""
    with tempfile.TemporaryDirectory(prefix="wsproto-core-") as folder:
        for extension in build_twin(Path(folder)):
            (folder_in_place,) = (hot.folder for hot in HOT if hot.package == package_of(extension))
            target = ROOT / folder_in_place / extension.name
            aside = shutil.copy(extension, target.with_suffix(".new"))
            os.replace(aside, target)  # whoever runs the old one keeps it
            print(f"built {target.relative_to(ROOT)}")


def build_twin(folder: Path) -> list[Path]:
    """Build the extension modules below ``folder``; none if the twin is not wanted, or cannot be built and need not."""
    if wanted() is Build.SKIP:
        return []
    try:
        stage(folder)
        with contextlib.chdir(folder):
            return [folder / extension for extension in compiled(translated())]
    except CannotBuild as reason:
        if wanted() is Build.REQUIRE:
            raise
        print(f"wsproto-core: going on in pure Python, without the compiled hot code: {reason}", file=sys.stderr)
        return []


def package_of(extension: Path) -> Path:
    """Where a built ``extension`` belongs when it is installed."""
    return Path(*extension.parent.parts[-2:])


def wanted() -> Build:
    """What ``WSPROTO_CORE_BUILD`` says. Raises :exc:`ValueError` for what it must not say."""
    return Build(os.environ.get("WSPROTO_CORE_BUILD", Build.AUTO.value))


def stage(folder: Path) -> None:
    """Lay the sources out in ``folder``, so that no generated file ever lies among those of a person."""
    for hot in HOT:
        source, target = ROOT / hot.folder, folder / hot.package
        target.mkdir(parents=True)
        (target / "__init__.py").touch()
        (target.parent / "__init__.py").touch()
        for name in hot.native:
            shutil.copy(source / name, target)
        from_c = FROM_C.format(package=".".join(hot.package.parts))
        for name in hot.typed:
            code, types = ((source / part).read_text("utf-8") for part in (f"{name}_py.py", f"{name}_c.pxd"))
            (target / f"{name}_c.py").write_text(
                CONSTANT.sub("", FROM_CORE.sub(core_in_c, FROM_PYTHON.sub(from_c, code))), "utf-8"
            )
            (target / f"{name}_c.pxd").write_text(types + constants_in_c(code), "utf-8")


def core_in_c(line: re.Match[str]) -> str:
    """The ``line`` that imports a class of the core's, for a compiler."""
    return f"from cython.cimports.wsproto_core._speedups.{OF_THE_CORE[line[1]]} import {line[1]}"


def constants_in_c(source: str) -> str:
    """The constants of ``source``, which Python looks up by name, for a compiler to put into its instructions."""
    return "".join(f"\ncdef enum: {name} = {value}\n" for name, value in CONSTANT.findall(source))


def translated() -> list[Any]:
    """The staged sources as extensions in C. A warning of Cython is an error, whatever is wanted."""
    if sys.implementation.name != "cpython":
        raise CannotBuild(f"it is made for CPython, not {sys.implementation.name}")
    try:
        from Cython.Build import cythonize
        from Cython.Compiler import Options
        from setuptools import Extension  # type: ignore[import-untyped]  # has no stubs
    except ImportError as error:
        raise CannotBuild(f"{error.name} is not installed") from error
    Options.warning_errors = True
    options = ["/O2"] if sys.platform == "win32" else ["-O3", "-g0"]
    extensions = [
        Extension(
            ".".join((hot.package / name).with_suffix("").parts),
            [str(hot.package / name)],
            include_dirs=[str(hot.package)],
            define_macros=MACROS,
            extra_compile_args=options,
        )
        for hot in HOT
        for name in hot.extensions
    ]
    translate: Any = cythonize
    return list(translate(extensions, compiler_directives=DIRECTIVES, quiet=True))


def compiled(extensions: Iterable[Any]) -> list[str]:
    """Compile ``extensions``; return the files, relative to where this was called."""
    from setuptools import Distribution
    from setuptools.errors import BaseError, CCompilerError  # type: ignore[import-untyped]  # has no stubs

    command: Any = Distribution({"ext_modules": [*extensions]}).get_command_obj("build_ext")
    command.build_lib = command.build_temp = "built"
    try:
        command.ensure_finalized()
        command.run()
    except (BaseError, CCompilerError) as error:
        raise CannotBuild(f"no C compiler succeeds ({error})") from error
    return [str(output) for output in command.get_outputs()]


if __name__ == "__main__":
    main()

"""The public surface: what can be imported, from where, and that it explains itself.

`__all__` is kept sorted by ruff (RUF022); the rest is checked here, for every door that exists.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from tests.surface.tree import CORE, INNER_DOORS, TRANSPORTS, packages_below, shipped_packages


def doors() -> list[str]:
    """The names of the public modules that exist."""
    whole = [CORE.name, *(package.name for package in packages_below(TRANSPORTS))]
    inner = [
        f"{package.name}.{name}"
        for package in shipped_packages()
        for name in INNER_DOORS.get(package.name, ())
        if door_file(package / name)
    ]
    return whole + inner


def door_file(path: Path) -> Path | None:
    """The file behind a door: a module or a package."""
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


DOORS = doors()
OUR_ROOTS = {door.partition(".")[0] for door in DOORS}
every_door = pytest.mark.parametrize("door", DOORS)


def open_door(door: str) -> ModuleType:
    return importlib.import_module(door)


def exported(door: str) -> dict[str, object]:
    """What a door exports. Lazy names count: they are asked for as a user would."""
    module = open_door(door)
    return {name: getattr(module, name) for name in module.__all__}


def is_ours(value: object) -> bool:
    return root_of(value) in OUR_ROOTS


def root_of(value: object) -> str:
    """The top-level package that a value was made in."""
    return str(getattr(value, "__module__", "")).partition(".")[0]


# --------------------------------------------------------------------------------------------------------- names


@every_door
def test_all_is_a_list_of_different_public_names(door: str) -> None:
    names = list(open_door(door).__all__)
    assert names
    assert len(names) == len(set(names))
    assert [name for name in names if name.startswith("_") and name != "__version__"] == []


@every_door
def test_every_name_in_all_can_be_imported(door: str) -> None:
    module = open_door(door)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@every_door
def test_dir_shows_every_name_in_all(door: str) -> None:
    module = open_door(door)
    assert set(module.__all__) <= set(dir(module))


@every_door
def test_type_checkers_see_every_name_in_all(door: str) -> None:
    """A name served lazily needs its twin below `if TYPE_CHECKING:`."""
    module = open_door(door)
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    assert set(module.__all__) - statically_bound(tree) == set()


def statically_bound(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


@every_door
def test_nothing_public_is_missing_from_all(door: str) -> None:
    """A name of the package's own without an underscore is public, so it says so; submodules are doors of their own.

    A door that is a single file may use its neighbours: of it only what it makes itself is public.
    """
    module = open_door(door)
    home = door.partition(".")[0] if hasattr(module, "__path__") else door
    leaked = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in module.__all__
        if not isinstance(value, ModuleType) and f"{getattr(value, '__module__', '')}.".startswith(f"{home}.")
    ]
    assert leaked == []


# ------------------------------------------------------------------------------------------------------- contents


@every_door
def test_everything_exported_is_ours(door: str) -> None:
    foreign = [
        name for name, value in exported(door).items() if isinstance(value, type | FunctionType) and not is_ours(value)
    ]
    assert foreign == []


@every_door
def test_public_classes_live_at_a_door_or_in_a_private_module(door: str) -> None:
    """A traceback or a pickle names `__module__`: never a test, never another package's inside."""
    strays = {
        name: value.__module__
        for name, value in exported(door).items()
        if isinstance(value, type | FunctionType) and not is_proper_home(value.__module__, door)
    }
    assert strays == {}


def is_proper_home(module: str, door: str) -> bool:
    if module in DOORS or module.startswith("wsproto_core._"):
        return True
    return door != "wsproto_core" and module.startswith(f"{door}.")


@every_door
def test_every_door_begins_with_a_map(door: str) -> None:
    assert inspect.getdoc(open_door(door))


@every_door
def test_every_public_name_has_a_docstring(door: str) -> None:
    silent = [
        name
        for name, value in exported(door).items()
        if isinstance(value, type | FunctionType) and not own_docstring(name, value)
    ]
    assert silent == []


def own_docstring(name: str, value: type | FunctionType) -> str:
    """The docstring that somebody wrote: not an inherited one, nor the signature that a dataclass makes up."""
    written = vars(value).get("__doc__") if isinstance(value, type) else value.__doc__
    return "" if not written or written.startswith(f"{name}(") else written


@every_door
def test_every_public_member_has_a_docstring(door: str) -> None:
    """Methods and properties; one that overrides a documented method may leave the words to it."""
    silent = [
        f"{name}.{member}"
        for name, value in exported(door).items()
        if isinstance(value, type) and is_ours(value)
        for member, attribute in vars(value).items()
        if not member.startswith("_") and is_behaviour(attribute) and not inspect.getdoc(getattr(value, member))
    ]
    assert silent == []


def is_behaviour(attribute: object) -> bool:
    return isinstance(attribute, FunctionType | property | classmethod | staticmethod)


# --------------------------------------------------------------------------------------------------------- weight

HEAVY = (
    "asyncio",
    "hypothesis",
    "logging",
    "selectors",
    "socket",
    "ssl",
    "threading",
    "trio",
    "wsproto_core._extensions.permessage_deflate",
    "wsproto_core.hub",
    "wsproto_core.testing",
    "zlib",
)

IMPORT_AND_TELL = """
import sys
before = set(sys.modules)
import {door}
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def modules_imported_by(door: str) -> set[str]:
    """What a fresh, isolated interpreter imports on top of its own start."""
    command = [sys.executable, "-I", "-c", IMPORT_AND_TELL.format(door=door)]
    answer = subprocess.run(command, capture_output=True, check=True, text=True, timeout=30)
    return set(json.loads(answer.stdout))


@pytest.mark.skipif("wsproto_core" not in DOORS, reason="there is no core yet")
def test_importing_the_core_is_light() -> None:
    assert modules_imported_by("wsproto_core").isdisjoint(HEAVY)


@every_door
def test_every_door_opens_alone(door: str) -> None:
    """No import cycle hides behind the order in which this test run happened to import."""
    assert door in modules_imported_by(door)

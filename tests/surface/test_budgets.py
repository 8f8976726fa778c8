"""The laws and budgets of the architecture, counted by machine.

An exception is a comment `# budget: <reason>`: for a function, inside it or on the line above it; for a file, at the
start of a line outside every function.
"""

from __future__ import annotations

import ast
import re
import statistics
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.surface.tree import (
    CORE,
    FUZZ,
    INNER_DOORS,
    ROOT,
    TRANSPORTS,
    packages_below,
    pyproject,
    relative,
    sources_below,
)

FUNCTION_LINES = 40
MEDIAN_FUNCTION_LINES = 10
FILE_LINES = 400
FILE_LINES_WITH_REASON = 600
PEER_LINES = 250

SHIPPED = [folder for folder in (CORE, TRANSPORTS, FUZZ) if folder.is_dir()]
EVERYTHING = [*SHIPPED, *(ROOT / name for name in ("tests", "examples", "tools", "benchmarks", "docs"))]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One parsed file."""

    path: Path
    text: str
    tree: ast.Module
    comments: tuple[tuple[int, int, str], ...]  # line, column, words

    def functions(self) -> Iterator[FunctionNode]:
        return (node for node in ast.walk(self.tree) if isinstance(node, FunctionNode))

    def excused(self, function: FunctionNode) -> bool:
        first, last = first_line(function) - 1, function.end_lineno or function.lineno
        return any(is_budget(words) and first <= line <= last for line, _, words in self.comments)

    def excused_as_a_file(self) -> bool:
        return any(is_budget(words) and column == 0 for _, column, words in self.comments)


def is_budget(comment: str) -> bool:
    return re.match(r"#\s*budget:\s*\w+", comment) is not None


@cache
def load(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    with path.open("rb") as file:
        comments = tuple(
            (*token.start, token.string) for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT
        )
    return Source(path, text, ast.parse(text), comments)


def sources(*folders: Path) -> list[Source]:
    return [load(path) for path in sources_below(*folders)]


def first_line(function: FunctionNode) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def length(function: FunctionNode) -> int:
    """The lines of a function, from `def` to its end, less those of its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


# ------------------------------------------------------------------------------------------------------- budgets


def test_functions_are_short() -> None:
    assert [
        f"{relative(source.path)}:{function.lineno} {function.name} has {length(function)} lines"
        for source in sources(*SHIPPED)
        for function in source.functions()
        if length(function) > FUNCTION_LINES and not source.excused(function)
    ] == []


@pytest.mark.parametrize("folder", SHIPPED, ids=relative)
def test_the_usual_function_is_very_short(folder: Path) -> None:
    lengths = [length(function) for source in sources(folder) for function in source.functions()]
    assert not lengths or statistics.median(lengths) < MEDIAN_FUNCTION_LINES


def test_files_are_short() -> None:
    too_long: list[str] = []
    for source in sources(*SHIPPED):
        lines = len(source.text.splitlines())
        limit = file_budget(source)
        if lines > limit:
            too_long.append(f"{relative(source.path)} has {lines} lines, at most {limit}")
    assert too_long == []


def file_budget(source: Source) -> int:
    peer_file = source.path.is_relative_to(TRANSPORTS) and source.path.stem.lstrip("_") == "peer"
    if source.excused_as_a_file():
        return FILE_LINES if peer_file else FILE_LINES_WITH_REASON
    return PEER_LINES if peer_file else FILE_LINES


# ------------------------------------------------------------------------------------------------------- the core


def test_the_core_prints_nothing() -> None:
    assert [
        f"{relative(source.path)}:{node.lineno}"
        for source in sources(CORE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ] == []


MUTABLE_LITERALS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_BUILDERS = {"list", "dict", "set", "bytearray", "defaultdict", "deque", "OrderedDict", "Counter", "ChainMap"}


def test_the_core_has_no_mutable_module_state() -> None:
    """Free-threaded builds and subinterpreters share it; a table is a tuple, a frozenset or a MappingProxyType."""
    assert [
        f"{relative(source.path)}:{line} {name}"
        for source in sources(CORE)
        for name, line, value in module_assignments(source.tree.body)
        if name != "__all__" and is_mutable(value)
    ] == []


def test_the_core_rebinds_no_global() -> None:
    assert [
        f"{relative(source.path)}:{node.lineno} global {', '.join(node.names)}"
        for source in sources(CORE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Global)
    ] == []


def module_assignments(body: list[ast.stmt]) -> Iterator[tuple[str, int, ast.expr]]:
    """Every name bound at module level to a value, also below `if`, `try` and `with`."""
    for statement in body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                yield ", ".join(map(ast.unparse, targets)), statement.lineno, value
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield ast.unparse(target), statement.lineno, value
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                continue
            case _:
                inner = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt)]
                handlers = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.ExceptHandler)]
                yield from module_assignments([*inner, *(line for handler in handlers for line in handler.body)])


def is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return callee(value.func) in MUTABLE_BUILDERS
    return isinstance(value, MUTABLE_LITERALS)


def callee(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=inner):
            return callee(inner)
    return ""


def test_everything_in_the_core_is_a_named_door_or_private() -> None:
    assert [
        relative(path)
        for path in sources_below(CORE)
        if not (first := path.relative_to(CORE).with_suffix("").parts[0]).startswith("_")
        and first not in INNER_DOORS[CORE.name]
    ] == []


# ------------------------------------------------------------------------------------------------------- imports


def test_no_relative_import_leaves_its_package() -> None:
    """`from .. import x` is fine as long as it ends inside the package that ships it."""
    assert [
        f"{relative(source.path)}:{node.lineno} climbs {node.level} levels"
        for source in sources(*SHIPPED)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level > depth(source.path)
    ] == []


def depth(path: Path) -> int:
    """How many packages a file lies in: the number of dots that it may climb."""
    base = CORE.parent if path.is_relative_to(CORE) else path.parents[len(path.relative_to(ROOT).parts) - 2]
    return len(path.relative_to(base).parts) - 1


def test_no_folder_of_the_repository_is_an_import_name() -> None:
    folders = {"transports", "tests", "fuzz", "examples", "benchmarks", "tools"}
    assert [
        f"{relative(source.path)}:{line} imports {name}"
        for source in sources(*SHIPPED)
        for name, line in imported_names(source.tree)
        if name.split(".")[0] in folders
    ] == []
    assert not any((ROOT / folder / "__init__.py").exists() for folder in ("transports", "fuzz"))


def test_packages_enter_one_another_by_the_named_doors() -> None:
    """Law 4: an adapter imports `wsproto_core`, `.frames`, `.hub` or `.testing`, and other packages by their names."""
    assert [
        f"{relative(source.path)}:{line} imports {name}"
        for package in (*packages_below(TRANSPORTS), *packages_below(FUZZ))
        for source in sources(package)
        for name, line in imported_names(source.tree)
        if name.startswith("wsproto_") and name.partition(".")[0] != package.name and not is_door(name)
    ] == []


def is_door(name: str) -> bool:
    """Whether what an import names is a door, or a public name behind one."""
    package, *inside = name.split(".")
    if inside and inside[0] in INNER_DOORS.get(package, ()):
        inside = inside[1:]
    return len(inside) <= 1 and not any(part.startswith("_") for part in inside)


def imported_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Absolute imports with the imported name at the end: `from a import b` is `a.b`, and so is `import a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


# ------------------------------------------------------------------------------------------------------- ignores

INLINE_IGNORES = re.compile(
    r"""\#\s*(?:
        type:\s*ignore(?:\[[^\]]*\])?
      | pyright:\s*ignore(?:\[[^\]]*\])?
      | noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?
      | pragma:\s*no\s+(?:cover|branch)
    )""",
    re.VERBOSE,
)
FILE_IGNORES = re.compile(r"#\s*(?:ruff:\s*\w+|mypy:|pyright:\s*(?:basic|standard|report\w+))")
REASON = re.compile(r"[a-z]{2,}\W+\w+", re.IGNORECASE)  # two words at least


def test_every_ignore_has_its_reason() -> None:
    """In the same comment, after the directive: `# type: ignore[arg-type]  # the caller lies on purpose`."""
    assert [
        f"{relative(source.path)}:{line} {words}"
        for source in sources(*EVERYTHING)
        for line, _, words in source.comments
        if INLINE_IGNORES.search(words) and not REASON.search(INLINE_IGNORES.sub("", words))
    ] == []


def test_every_ignore_of_a_file_has_its_reason() -> None:
    """In a comment on the line above or below the directive."""
    unexplained: list[str] = []
    for source in sources(*EVERYTHING):
        plain = {line for line, _, words in source.comments if not FILE_IGNORES.match(words) and REASON.search(words)}
        unexplained += [
            f"{relative(source.path)}:{line} {words}"
            for line, _, words in source.comments
            if FILE_IGNORES.match(words) and not plain & {line - 1, line + 1}
        ]
    assert unexplained == []


# ------------------------------------------------------------------------------------------------------- packages


@pytest.mark.parametrize("package", [*packages_below(TRANSPORTS), *packages_below(FUZZ)], ids=relative)
def test_every_package_is_built_typed_and_linted(package: Path) -> None:
    configuration = pyproject()["tool"]
    assert relative(package) in configuration["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert package.name in configuration["importlinter"]["root_packages"]
    assert (package / "py.typed").is_file()

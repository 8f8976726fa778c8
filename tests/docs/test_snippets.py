"""Every Python snippet of README.md and docs/ is executed; `pages` says how a page tells it what it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate import help_text
from tests.docs.pages import ROOT, Block, blocks, pages

#: The languages that a fence may name: what is not `python` is not Python.
LANGUAGES = {"python", "sh", "text", "html", "js", "go"}
#: The snippets that are compiled and not run, by page and first line, with the reason that the page gives.
NOT_RUN: dict[str, str] = {}

PAGES = pages()
WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
TIMEOUT = 50.0


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def all_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.language == "python" for b in blocks(page))], ids=name
)
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path) -> None:
    runner = Path(__file__).with_name("run_page.py")
    command = [sys.executable, "-W", "error", str(runner), str(page)]
    done = subprocess.run(
        command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "Exception ignored" not in done.stdout, done.stdout
    assert "was never" not in done.stdout, done.stdout


def test_every_fence_names_a_known_language() -> None:
    """A snippet that calls itself `py`, or nothing, would not be run."""
    assert [
        f"{block.where} {block.language!r}"
        for block in all_blocks()
        if block.language not in LANGUAGES and not block.language.startswith("{")
    ] == []


def test_no_fence_hides_from_the_reader_of_pages() -> None:
    """An indented fence would not be found."""
    assert [
        f"{name(page)}:{number}"
        for page in PAGES
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if re.match(r"\s+(```|~~~)|~~~", line)
    ] == []


def test_what_is_not_run_is_in_the_table() -> None:
    found = {f"{name(b.page)}: {b.text.splitlines()[0]}": b.argument for b in all_blocks() if b.kind == "not run"}
    assert found == NOT_RUN


def test_a_comment_about_a_snippet_stands_right_above_one() -> None:
    said = sum(
        line.startswith(("<!-- file:", "<!-- not run:"))
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
    )
    assert said == sum(block.kind in ("file", "not run") and block.language == "python" for block in all_blocks())


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"^\s*make ([a-z]+)|`make ([a-z]+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
        for target in target
        if target
    }
    assert {"demo", "test"} <= named
    assert named - targets == set()


def test_every_wsproto_command_that_is_named_exists() -> None:
    commands = [
        line.split()[1:]
        for block in all_blocks()
        if block.language == "sh"
        for line in block.text.splitlines()
        if line.startswith("wsproto ")
    ]
    assert commands
    assert [
        (command, option)
        for command in commands
        for option in command
        if option.startswith("--") and option not in help_text(*command[: 2 if command[0] == "fuzz" else 1])
    ] == []

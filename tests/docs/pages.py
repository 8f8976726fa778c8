"""The pages of the documentation as the tests see them: their code blocks, links and headings.

How a `python` block is run is said by an HTML comment right above it:

* nothing: it joins the page's session. All such blocks of a page share one namespace and one event loop, in their
  order; `await` is allowed at the top level.
* `<!-- file: NAME -->`: it is a whole program. It is saved under that name, and a hidden block runs it.
* `<!-- not run: REASON -->`: it is only compiled.

A comment that begins with `<!-- hidden` holds code that joins the session and that no reader sees: the server that a
client snippet needs, and the assertions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^(`{3,}|:{3,})(.*)$")
_COMMENT = re.compile(r"^<!-- (file|not run): (.+) -->$")
_HEADING = re.compile(r"^#{1,6} (.+)$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One fenced block. `line` is that of its first line of content; `kind` is `session`, `file`, `not run` or
    `hidden`.
    """

    page: Path
    line: int
    language: str
    text: str
    kind: str = "session"
    #: The file's name, or the reason.
    argument: str = ""

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README.md and everything below docs/ that a reader sees."""
    found = [path for path in DOCS.rglob("*.md") if not {"_build", "_generated"} & set(path.parts)]
    return [ROOT / "README.md", *sorted(found)]


def blocks(page: Path) -> list[Block]:
    """The fenced and the hidden blocks of a page, in their order."""
    return list(_Reader(page).blocks())


class _Reader:
    """Reads one page from top to bottom."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._lines = page.read_text(encoding="utf-8").splitlines()

    def blocks(self) -> Iterator[Block]:
        index = 0
        note = ("session", "")
        while index < len(self._lines):
            line = self._lines[index]
            if line == "<!-- hidden":
                end = self._find("-->", index + 1)
                yield self._block(index, end, "python", ("hidden", ""))
            elif fence := _FENCE.match(line):
                end = self._find(fence[1], index + 1)
                yield self._block(index, end, fence[2].strip(), note)
            else:
                comment = _COMMENT.match(line)
                note = (comment[1], comment[2]) if comment else ("session", "")
                index += 1
                continue
            note = ("session", "")
            index = end + 1

    def _find(self, end: str, start: int) -> int:
        for index in range(start, len(self._lines)):
            if self._lines[index].rstrip() == end:
                return index
        raise ValueError(f"{self._page}:{start}: a block without an end")

    def _block(self, start: int, end: int, language: str, note: tuple[str, str]) -> Block:
        text = "\n".join(self._lines[start + 1 : end]) + "\n"
        return Block(self._page, start + 2, language, text, *note)


def prose(page: Path) -> list[str]:
    """The lines outside code blocks and comments, and those inside directives."""
    code = {
        number
        for block in blocks(page)
        if not block.language.startswith("{")
        for number in range(block.line, block.line + len(block.text.splitlines()))
    }
    return [line for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1) if number not in code]


def links(page: Path) -> list[str]:
    """The targets of a page's links."""
    return [target for line in prose(page) for target in _LINK.findall(line)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub and MyST make them."""
    titles = [match[1] for line in prose(page) if (match := _HEADING.match(line))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

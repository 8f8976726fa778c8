"""Every link from one page to another arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, blocks, links, pages

PAGES = pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page: Path) -> None:
    assert [target for target in links(page) if not resolves(page, target)] == []


def resolves(page: Path, target: str) -> bool:
    if target.startswith(("https://", "http://127.0.0.1", "mailto:")):
        return True
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return False
    return not anchor or (file.suffix == ".md" and anchor in anchors(file))


def test_every_page_is_reached_from_the_index() -> None:
    """The navigation is made of `toctree` directives; what is in none is found by nobody."""
    named: set[Path] = set()
    for page in PAGES:
        if page.is_relative_to(DOCS):
            named |= listed(page)
    reachable = {DOCS / "index.md", *named}
    assert [page for page in PAGES if page.is_relative_to(DOCS) and page not in reachable] == []


def listed(page: Path) -> set[Path]:
    """The pages in a page's `toctree` directives."""
    entries: set[Path] = set()
    for block in blocks(page):
        if block.language != "{toctree}":
            continue
        for line in block.text.splitlines():
            if line.strip() and not line.startswith(":"):
                entries |= set(page.parent.glob(f"{line.strip().removesuffix('.md')}.md"))
    return entries

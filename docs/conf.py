"""Sphinx configuration. Building needs no network and no system package: diagrams and tables are made by `generate`."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util.nodes import make_refnode

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from docs import generate  # noqa: E402  (the line above is what makes it importable)

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "wsproto-core"
author = "the wsproto-core authors"
project_copyright = "the wsproto-core authors"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "_generated"]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "wsproto-core"

autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_type_aliases = {
    name: name
    for name in ("Buffer", "Event", "HeadersLike", "Message", "OriginRule", "Parameters", "Handler", "ProcessRequest")
}
python_use_unqualified_type_names = True
python_display_short_literal_types = True

#: Where the name of a docstring's `:class:` is looked up when its own module has none of that name.
DOORS = ("wsproto_core", "wsproto_asyncio", "wsproto_core.hub")
#: The setup and the assertions of the snippets; see tests/docs/pages.py.
HIDDEN = re.compile(r"^<!-- hidden\n.*?^-->\n", re.MULTILINE | re.DOTALL)


def setup(app: Sphinx) -> None:
    """Make what is generated, and connect the resolver below."""
    generate.write_all(HERE / "_generated")
    app.connect("missing-reference", resolve)
    app.connect("source-read", hide)


def hide(_app: Sphinx, _name: str, content: list[str]) -> None:
    """Leave out what only the tests read."""
    content[0] = HIDDEN.sub("", content[0])


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Any) -> Any:
    """Docstrings name a class without its module: look behind every door, and behind the class that is meant."""
    if node["refdomain"] != "py":
        return None
    objects = env.domains.python_domain.objects
    target = str(node["reftarget"])
    for door in DOORS:
        for name in (f"{door}.{target}", inherited(door, target)):
            if name in objects:
                found = objects[name]
                return make_refnode(app.builder, str(node["refdoc"]), found.docname, found.node_id, contnode, name)
    return None


def inherited(door: str, target: str) -> str:
    """`ServerConnection.send` stands in the reference as `Connection.send`, where it is defined."""
    owner, dot, member = target.rpartition(".")
    found = getattr(importlib.import_module(door), owner, None) if dot else None
    for base in getattr(found, "__mro__", ()):
        if member in vars(base):
            return f"{door}.{base.__name__}.{member}"
    return ""

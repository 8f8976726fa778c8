"""HTML that cannot be broken out of: text is escaped where it enters, and only :func:`element` makes markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from .text import visible

__all__ = ["Content", "Markup", "element", "join"]


class Markup(str):
    """HTML that stays as it is."""

    __slots__ = ()


#: What an element may hold: markup, text to be escaped, or several of them.
Content: TypeAlias = "str | Iterable[Content]"


def join(*contents: Content) -> Markup:
    """The contents, one after the other."""
    return Markup("".join(_html(content) for content in contents))


def element(name: str, *contents: Content, **attributes: str | bool) -> Markup:
    """An element. ``class_`` is the attribute ``class``, ``data_x`` is ``data-x``; ``False`` leaves one out."""
    words = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    return Markup(f"<{name}{words}>{join(*contents)}</{name}>")


def _attribute(name: str, value: str | bool) -> str:
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escape(visible(value))}"'


def _html(content: Content) -> str:
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return escape(visible(content), quote=False)
    return join(*content)

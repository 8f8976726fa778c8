"""One test on every stage."""

from __future__ import annotations

import functools
import gc
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from wsproto_core.testing import Ability

from . import STAGES
from .base import Stage

__all__ = ["on_every_stage"]


def on_every_stage(
    *needs: Ability, is_timed: bool = False
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Run a coroutine function ``test(stage, ...)`` on every runtime that has what it needs; a timed one needs a
    virtual clock.
    """
    wanted = {*needs, Ability.VIRTUAL_CLOCK} if is_timed else set(needs)
    able = [kind for kind in STAGES if wanted <= kind(is_timed=is_timed).abilities]

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(kind: type[Stage], **arguments: Any) -> None:
            stage = kind(is_timed=is_timed)
            stage.perform(lambda _: test(stage, **arguments))
            gc.collect()  # an unclosed socket says so when it is collected

        _, *own = inspect.signature(test).parameters.values()
        kind = inspect.Parameter("kind", inspect.Parameter.KEYWORD_ONLY)
        run.__dict__["__signature__"] = inspect.Signature([*own, kind])
        parametrized: Callable[..., None] = pytest.mark.parametrize("kind", able, ids=lambda kind: kind.name)(run)
        return parametrized

    return decorate

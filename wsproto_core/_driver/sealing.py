"""A pipeline's session for each connection, or none; and what that takes on the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from .._config import Limits
from .._types import Role
from .arguments import check_type

if TYPE_CHECKING:
    from .._pipeline.pipeline import Pipeline
    from .._pipeline.session import PipelineSession

__all__ = ["sessions", "wire_limits"]


def sessions(
    pipeline: Pipeline | None, role: Role, entropy: Callable[[int], bytes], limits: Limits, *, ordered: bool
) -> Callable[[], PipelineSession | None]:
    """What makes a session of ``pipeline`` for each connection; ``None`` each time where there is no pipeline.

    Raises :exc:`TypeError`, naming the argument.
    """
    if pipeline is None:
        return lambda: None
    from .._pipeline.pipeline import Pipeline  # only here: most connections have none

    check_type("pipeline", pipeline, Pipeline)
    return partial(pipeline.session, entropy, role=role, limits=limits, ordered=ordered)


def wire_limits(limits: Limits, pipeline: PipelineSession | None) -> Limits:
    """``limits`` as they hold for sealed messages, which are larger than the messages in them.

    Raises :exc:`TypeError`, naming the argument.
    """
    if pipeline is None:
        return limits
    from .._pipeline.session import PipelineSession  # only here: most connections have none

    check_type("pipeline", pipeline, PipelineSession)
    if limits.message_size is None:
        return limits
    return replace(limits, message_size=limits.message_size + pipeline.overhead)

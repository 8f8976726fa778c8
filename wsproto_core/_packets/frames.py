"""WebSocket frames without an opening handshake: ping, close codes, fragments and compression for TCP.

It is the WebSocket engine itself, open from the start. What a handshake would negotiate both sides know beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .._config import Limits, Timeouts
from .._driver.connection import DEFAULT_FRAGMENT_SIZE, Connection
from .._driver.sealing import wire_limits
from .._events import Event
from .._extensions.base import Extension
from .._handshake.negotiation import Negotiated, accept_extensions, check_extensions, confirm_extensions
from .._types import Receive, Role

if TYPE_CHECKING:
    from .._pipeline.session import PipelineSession

__all__ = ["Frames", "FramesConnection"]

_DEFAULT_LIMITS: Final = Limits()
_DEFAULT_TIMEOUTS: Final = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What two sides have agreed on that speak WebSocket frames over TCP; see :class:`FramesConnection`."""

    extensions: tuple[Extension, ...] = ()
    masked: bool = False
    fragment_size: int = DEFAULT_FRAGMENT_SIZE


class FramesConnection(Connection):
    """One connection that speaks RFC 6455 frames over any stream, without a handshake. It is open at once.

    ``role``: one side is the client, the other the server. ``extensions``: in use, not offered: both sides need the
    same, configured alike. ``masked``: whether the client masks what it sends (RFC 6455 §5.3), which protects
    proxies from browsers and nobody else; both sides need the same. ``entropy``: a source of unpredictable bytes for
    the masks of a client, ``os.urandom`` in nearly every case; needed for nothing else. ``limits``, ``timeouts``,
    ``receive``, ``fragment_size`` and ``pipeline`` are as in :class:`ServerConnection`; ``now`` is monotonic seconds.

    Raises :exc:`ValueError` or :exc:`TypeError`, naming the argument.
    """

    __slots__ = ("_masked",)

    def __init__(
        self,
        role: Role,
        *,
        extensions: Sequence[Extension] = (),
        masked: bool = False,
        entropy: Callable[[int], bytes] | None = None,
        limits: Limits = _DEFAULT_LIMITS,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        receive: Receive = Receive.MESSAGES,
        fragment_size: int = DEFAULT_FRAGMENT_SIZE,
        pipeline: PipelineSession | None = None,
        now: float,
    ) -> None:
        masks = masked and role is Role.CLIENT
        if masks and entropy is None:
            raise ValueError("entropy: a client that masks needs it for its masking keys (RFC 6455 §5.3)")
        limits = wire_limits(limits, pipeline)
        agreed = _agree(role, check_extensions(extensions), limits)
        super().__init__(
            role,
            limits=limits,
            timeouts=timeouts,
            receive=receive,
            fragment_size=fragment_size,
            pipeline=pipeline,
            entropy=entropy if masks else None,
            now=now,
        )
        self._masked = masked
        self._open(None, agreed.names, agreed.transforms, b"")

    def _receive_handshake(self, data: bytes) -> list[Event]:  # pragma: no cover - it is open before any byte can come
        raise AssertionError(f"there is no handshake to read {len(data)} bytes of")

    @property
    def _hears_as(self) -> Role:
        return self._role if self._masked else Role.CLIENT


def _agree(role: Role, extensions: Sequence[Extension], limits: Limits) -> Negotiated:
    """What a client and a server with the same ``extensions`` would agree on, as ``role`` has it afterwards."""
    offers = [(extension.name, parameters) for extension in extensions for parameters in extension.offer()]
    answer = accept_extensions(offers, extensions, limits)
    if len(answer.names) < len(extensions):
        declined = ", ".join(extension.name for extension in extensions if extension.name not in answer.names)
        raise ValueError(f"extensions: {declined} would not agree with itself, or with the others")
    if role is Role.SERVER or answer.header is None:
        return answer
    return confirm_extensions([answer.header], extensions, limits)

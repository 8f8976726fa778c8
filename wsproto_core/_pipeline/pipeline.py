"""What both ends of their connections do to messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType

from .._config import Limits
from .._types import Role
from .compression import Compress
from .encryption import Encrypt
from .envelope import overhead
from .session import PipelineSession

__all__ = ["Pipeline"]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Compress messages, then encrypt them; the other end decrypts, then expands. One or both.

    It holds no connection's state, so connections share it. The other end needs a pipeline as well: with encryption if
    this one has it. Text stays text and binary stays binary. Raises :exc:`ValueError` or :exc:`TypeError`, naming the
    argument.
    """

    compress: Compress | None = None
    encrypt: Encrypt | None = None

    def __post_init__(self) -> None:
        _check_type("compress", self.compress, Compress, NoneType)
        _check_type("encrypt", self.encrypt, Encrypt, NoneType)
        if self.compress is None and self.encrypt is None:
            raise ValueError("compress and encrypt are both None: a pipeline needs one of them")

    @property
    def overhead(self) -> int:
        """Bytes that a sealed message may have more than its payload: 46 with encryption, else 2. Engines allow for it
        beyond ``Limits.message_size``.
        """
        return overhead(is_encrypted=self.encrypt is not None)

    def session(
        self, entropy: Callable[[int], bytes], *, role: Role, limits: Limits, ordered: bool, context: bytes = b""
    ) -> PipelineSession:
        """The pipeline of one connection.

        ``entropy``: a source of unpredictable bytes, such as ``os.urandom``. ``role``: what this end is; the other end
        is the opposite. Of ``limits`` count ``message_size`` and ``inflate_ratio``, when a message is opened.
        ``ordered``: whether the transport keeps the order and loses nothing (WebSocket, TCP), or not (UDP).
        ``context``: bytes that both ends know, such as the ``Sec-WebSocket-Key`` of the handshake; messages that were
        sealed with another context cannot be opened. Raises :exc:`ValueError` for a context without encryption, and
        :exc:`TypeError`, naming the argument.
        """
        _check_type("role", role, Role)
        _check_type("context", context, bytes)
        if self.encrypt is None:
            if context:
                raise ValueError("context needs a pipeline with encrypt: nothing else is bound to it")
            return PipelineSession(self.compress, None, limits)
        from .channel import Channel  # only here: it imports cryptography

        channel = Channel(self.encrypt, entropy, role=role, ordered=ordered, context=context)
        return PipelineSession(self.compress, channel, limits)


def _check_type(name: str, value: object, *expected: type) -> None:
    if not isinstance(value, expected):
        words = " or ".join("None" if kind is NoneType else kind.__name__ for kind in expected)
        raise TypeError(f"{name} must be {words}, not {type(value).__name__}")

"""The two implementations of the hot code, side by side in one process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

from tests.hot_code import needs_build
from wsproto_core._config import Limits
from wsproto_core._speedups import (
    Allowing,
    Delivery,
    FrameDecoder,
    FrameQueue,
    Gathering,
    Inbox,
    Standing,
    Timing,
    codec_py,
    frames_py,
    inbox_py,
    inflating_py,
    leaves_py,
    link_py,
    messages_py,
    traffic_py,
)
from wsproto_core._types import Buffer, Receive


class Incoming(Protocol):
    """A message as it comes."""

    def add(self, data: Buffer, start: int, stop: int, key_in: bytes, key_at: int, more: int) -> None: ...
    def check(self) -> None: ...
    def take(self, final: bool) -> str | bytes: ...


class Outgoing(Protocol):
    """Frames in the order they leave."""

    @property
    def size(self) -> int: ...
    def add(self, first: int, payload: Buffer, start: int, stop: int, key_in: bytes, key_at: int) -> int: ...
    def add_text(self, first: int, text: str, key_in: bytes, key_at: int) -> int: ...
    def add_header(self, first: int, length: int) -> int: ...
    def add_bytes(self, data: Buffer) -> None: ...
    def take(self) -> bytes: ...


class Asking(Protocol):
    """A way to ask for messages."""

    def __anext__(self) -> Awaitable[str | bytes]: ...


class Leaves(Protocol):
    """What a module of leaves has."""

    @property
    def FrameBuffer(self) -> Callable[[], Outgoing]: ...  # noqa: N802  # it is a class
    @property
    def MessageBuffer(self) -> Callable[[bool], Incoming]: ...  # noqa: N802  # it is a class
    def unmask(self, data: Buffer, start: int, stop: int, key_in: bytes, key_at: int) -> bytes: ...
    def unmask_text(self, data: Buffer, start: int, stop: int, key_in: bytes, key_at: int) -> str: ...
    def apply_mask(self, payload: bytes, key: bytes) -> bytes: ...
    def complete_utf8(self, data: bytes | bytearray) -> int: ...
    def memory_of(self, item: str | bytes) -> int: ...
    def ordinary_head(
        self, data: bytes, size: int, word: Callable[[str, str], str]
    ) -> tuple[str, list[tuple[str, str]]] | None: ...
    def utf8_of(self, text: str) -> bytes | memoryview: ...


@dataclass(frozen=True)
class Twin:
    """The loops of incoming and of outgoing frames, the inbox, the way past them, how a short message is
    inflated, how messages are asked for, and their leaves."""

    codec: type[FrameDecoder]
    frames: type[FrameQueue]
    inbox: type[Inbox]
    inflating: Any  # the class, of which permessage-deflate is made
    traffic: Any  # the class, of which engines are made
    standing: type[Standing]
    timing: type[Timing]
    allowing: type[Allowing]
    link: Any  # the class, of which links are made
    outlet: Any  # the class, of which transports are made
    waiters: Any  # the class, of which those who wait are made
    delivery: type[Delivery]
    gathering: type[Gathering]
    messages: Callable[[Any, Any, Any], Asking]
    leaves: Leaves

    def open_engine(self, *, is_followed: bool) -> Any:
        """One whose messages are whole and come masked, whose idle timer is for 61.0, and whose messages wait for the
        application. Followed by somebody or not, it is asked the same.
        """

        class Engine(self.traffic):  # type: ignore[name-defined,misc]  # one of two
            def _receive_otherwise(self, data: bytes) -> list[Any]:
                raise NotImplementedError

            def _react_to_decoded(self, events: list[Any], controls: int) -> list[Any]:
                raise NotImplementedError

            def _answer_close(self) -> None:
                raise NotImplementedError

            def _batch_is_due(self) -> bool:
                raise NotImplementedError

        frames, standing = self.frames(max_size=1000, max_payload=1 << 20), self.standing()
        frames.is_open = frames.is_direct = True
        standing.is_open = standing.may_receive = standing.may_send = True
        standing.owes_close_frame = False
        engine = Engine(standing, frames, 1.0)
        engine._decoder = self.codec(masked=True, receive=Receive.MESSAGES, limits=Limits())
        engine._is_plain = True
        engine.is_followed = is_followed
        engine._control_rate = self.allowing()
        engine._control_rate.is_spent = False
        engine._timers = self.timing()
        engine._timers.next_deadline = 61.0
        engine._inbox = self.inbox(1000)
        return engine


def in_python() -> Twin:
    return Twin(
        codec_py.FrameDecoder,
        frames_py.FrameQueue,
        inbox_py.Inbox,
        inflating_py.Inflating,
        traffic_py.Traffic,
        traffic_py.Standing,
        traffic_py.Timing,
        traffic_py.Allowing,
        link_py.LinkBase,
        link_py.Outlet,
        link_py.WaitersBase,
        link_py.Delivery,
        link_py.Gathering,
        messages_py.Messages,
        leaves_py,
    )


def compiled() -> Twin:
    """The compiled twin; skips, or fails in CI, where it has not been built."""
    with needs_build():
        from wsproto_core._speedups import (
            codec_c,
            frames_c,
            inbox_c,
            inflating_c,
            leaves_c,
            link_c,
            messages_c,
            traffic_c,
        )
    return Twin(
        codec_c.FrameDecoder,
        frames_c.FrameQueue,
        inbox_c.Inbox,
        inflating_c.Inflating,
        traffic_c.Traffic,
        traffic_c.Standing,
        traffic_c.Timing,
        traffic_c.Allowing,
        link_c.LinkBase,
        link_c.Outlet,
        link_c.WaitersBase,
        link_c.Delivery,
        link_c.Gathering,
        messages_c.Messages,
        leaves_c,
    )


TWINS: Final[Mapping[str, Callable[[], Twin]]] = MappingProxyType({"python": in_python, "compiled": compiled})

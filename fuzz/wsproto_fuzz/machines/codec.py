"""Two peers that speak messages over bare TCP, joined, by any of the codecs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from wsproto_core import ByteEngine, Message, Raw, StreamCodec, StreamConnection

from ..strategies import stream_codecs, stream_messages
from .pair import PairMachine

__all__ = ["CodecMachine"]

_LARGE: Final = 3000


class CodecMachine(PairMachine):
    """Two ``StreamConnection`` of ``wsproto_core`` with the same codec.

    What holds is what holds for any pair, but that a raw stream has no messages: there it holds for its bytes.
    """

    def make_engines(self, data: st.DataObject) -> tuple[ByteEngine, ByteEngine]:
        """With any codec."""
        self.codec: StreamCodec = data.draw(stream_codecs(), label="codec")
        first, second = (
            StreamConnection(self.codec, limits=self.LIMITS, timeouts=self.TIMEOUTS, now=self.START) for _ in range(2)
        )
        return first, second

    def draw_message(self, data: st.DataObject) -> Message:
        """What the codec carries, and what fills its outbox."""
        large: Message = "y" * _LARGE if self.codec.text else b"y" * _LARGE
        most = self.codec.max_payload
        messages = stream_messages(self.codec)
        return data.draw(messages if most is not None and most < _LARGE else messages | st.just(large), label="message")

    def arrived(self, index: int) -> Sequence[Any]:
        """What one side has received; of a raw stream, byte by byte or character by character."""
        return self._split(super().arrived(index))

    def _split(self, messages: Sequence[Any]) -> Sequence[Any]:
        return [part for message in messages for part in message] if isinstance(self.codec, Raw) else messages

    def what_was_sent(self, index: int) -> Sequence[Any]:
        """What one side has sent, likewise."""
        return self._split(super().what_was_sent(index))

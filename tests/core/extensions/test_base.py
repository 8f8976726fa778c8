"""The base classes, used as the author of an extension would use them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zlib
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from wsproto_core._config import Limits
from wsproto_core._errors import RemoteProtocolError
from wsproto_core._extensions import base
from wsproto_core._extensions.base import Extension, MessageTransform, Parameters
from wsproto_core._types import Buffer
from wsproto_core._violations import Violation


class Checksum(Extension):
    """Appends a CRC-32 to each message; the parameter ``order`` says in which byte order."""

    name: ClassVar[str] = "x-checksum"

    def offer(self) -> Sequence[Parameters]:
        return [(("order", "little"),), ()]

    def accept(self, offered: Parameters, limits: Limits) -> tuple[Parameters, MessageTransform] | None:
        return None if offered else ((), ChecksumTransform())

    def confirm(self, answered: Parameters, limits: Limits) -> MessageTransform:
        if answered:
            raise ValueError("x-checksum was not offered like that")
        return ChecksumTransform()


class ChecksumTransform(MessageTransform):
    reserved_bits: ClassVar[int] = 0x20

    def __init__(self) -> None:
        self._sent = 0
        self._received = 0
        self._held = b""

    def encode(self, data: Buffer, final: bool) -> bytes:
        self._sent = zlib.crc32(data, self._sent)
        if not final:
            return bytes(data)
        checksum, self._sent = self._sent, 0
        return bytes(data) + checksum.to_bytes(4, "big")

    def decode(self, data: Buffer, final: bool) -> bytes:
        held = self._held + bytes(data)
        data, self._held = held[:-4], held[-4:]
        self._received = zlib.crc32(data, self._received)
        if final:
            self._finish()
        return data

    def _finish(self) -> None:
        if self._held != self._received.to_bytes(4, "big"):
            raise RemoteProtocolError(Violation.CORRUPT_COMPRESSION, "the checksum is wrong")
        self._held, self._received = b"", 0


class XorTransform(MessageTransform):
    def encode(self, data: Buffer, final: bool) -> bytes:
        return bytes(byte ^ 0x55 for byte in bytes(data))

    decode = encode


def negotiate(extension: Extension) -> tuple[MessageTransform, MessageTransform]:
    accepted = [extension.accept(offer, Limits()) for offer in extension.offer()]
    answer, server = next(entry for entry in accepted if entry is not None)
    return extension.confirm(answer, Limits()), server


def test_the_server_takes_the_first_alternative_that_it_can() -> None:
    extension = Checksum()
    assert [extension.accept(offer, Limits()) is None for offer in extension.offer()] == [True, False]


def test_the_client_refuses_an_answer() -> None:
    with pytest.raises(ValueError, match="x-checksum"):
        Checksum().confirm((("order", "middle"),), Limits())


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_messages_pass_in_pieces_of_any_size(size: int) -> None:
    client, server = negotiate(Checksum())
    for message in (b"first message", b"", b"second"):
        wire = client.encode(message[:4], False) + client.encode(message[4:], True)
        assert wire == message + zlib.crc32(message).to_bytes(4, "big")
        pieces = [server.decode(wire[start : start + size], False) for start in range(0, len(wire), size)]
        assert b"".join(pieces) + server.decode(b"", True) == message


def test_a_transform_reports_a_violation() -> None:
    _, server = negotiate(Checksum())
    with pytest.raises(RemoteProtocolError) as caught:
        server.decode(b"message with a wrong checksum", True)
    assert caught.value.violation is Violation.CORRUPT_COMPRESSION


def test_transforms_stack() -> None:
    client, server = negotiate(Checksum())
    xor = XorTransform()
    wire = xor.encode(client.encode(b"both", True), True)
    assert wire != client.encode(b"both", True)
    assert server.decode(xor.decode(wire, True), True) == b"both"


def test_unless_overridden_every_message_is_transformed_and_no_bit_marks_it() -> None:
    transform = XorTransform()
    assert transform.reserved_bits == 0
    assert [transform.wants(size, None) for size in (0, 1, 1000)] == [True, True, True]
    assert transform.wants(0, True)
    assert not transform.wants(1000, False)


@pytest.mark.parametrize("abstract", [Extension, MessageTransform])
def test_nothing_of_the_contract_can_be_forgotten(abstract: Any) -> None:
    with pytest.raises(TypeError, match="abstract"):
        abstract()


def test_the_example_in_the_documentation_works() -> None:
    assert base.__doc__ is not None
    example = base.__doc__.partition("::\n")[2].partition("What the engine promises")[0]
    letters = b"abcdefghijklmnopqrstuvwxyz"
    names: dict[str, Any] = {
        "Extension": Extension,
        "MessageTransform": MessageTransform,
        "ROT13": bytes.maketrans(letters, letters[13:] + letters[:13]),
    }
    exec(textwrap.dedent(example), names)
    client, server = negotiate(names["Rot13"]())
    assert client.encode(b"hello", True) == b"uryyb"
    assert server.decode(b"uryyb", True) == b"hello"
    assert names["Rot13"]().accept((("key", "13"),), Limits()) is None
    with pytest.raises(ValueError, match="no parameters"):
        names["Rot13"]().confirm((("key", "13"),), Limits())


def test_the_base_does_not_load_compression() -> None:
    program = (
        "import sys, wsproto_core._extensions.base\n"
        "sys.exit('wsproto_core._extensions.permessage_deflate' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

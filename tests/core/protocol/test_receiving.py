"""What ends the peer's frames, and which side hears masked ones."""

from __future__ import annotations

import pytest

from tests.core.kit import UNLIMITED, Rot13, frame
from wsproto_core._errors import RemoteProtocolError
from wsproto_core._protocol.receiving import CloseFrame, conclusion, make_decoder
from wsproto_core._types import Receive, Role
from wsproto_core._violations import Violation


@pytest.mark.parametrize(
    ("role", "masked", "violation"),
    [
        (Role.SERVER, True, None),
        (Role.SERVER, False, Violation.UNMASKED_FRAME),
        (Role.CLIENT, False, None),
        (Role.CLIENT, True, Violation.MASKED_FRAME),
    ],
)
def test_a_server_hears_masked_frames_and_a_client_unmasked_ones(
    role: Role, masked: bool, violation: Violation | None
) -> None:
    """RFC 6455 §5.1."""
    decoder = make_decoder(role, receive=Receive.MESSAGES, limits=UNLIMITED)
    decoder.decode(frame(0x81, b"a", masked=masked))
    end = conclusion(decoder)
    assert (end.violation if isinstance(end, RemoteProtocolError) else end) is violation


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", CloseFrame(1005, "")),
        (b"\x03\xe8", CloseFrame(1000, "")),
        (b"\x0f\xa1" + "Tschüß".encode(), CloseFrame(4001, "Tschüß")),
    ],
    ids=["no code §7.1.5", "code", "reason"],
)
@pytest.mark.parametrize("role", Role)
def test_a_close_frame_concludes(role: Role, payload: bytes, expected: CloseFrame) -> None:
    decoder = make_decoder(role, receive=Receive.MESSAGES, limits=UNLIMITED)
    data = frame(0x81, b"a", masked=role is Role.SERVER) + frame(0x88, payload, masked=role is Role.SERVER)
    decoder.decode(data[:-1] if payload else data[:-2])
    assert conclusion(decoder) is None
    decoder.decode(data[-1:] if payload else data[-2:])
    assert conclusion(decoder) == expected


def test_a_close_frame_that_must_not_be_is_an_offence() -> None:
    decoder = make_decoder(Role.CLIENT, receive=Receive.MESSAGES, limits=UNLIMITED)
    decoder.decode(frame(0x88, b"\x03\xee", masked=False))
    end = conclusion(decoder)
    assert isinstance(end, RemoteProtocolError)
    assert (end.violation, end.detail) == (Violation.CLOSE_CODE_INVALID, "code 1006")


def test_mode_and_transforms_reach_the_decoder() -> None:
    decoder = make_decoder(Role.CLIENT, receive=Receive.MESSAGES, limits=UNLIMITED, transforms=[Rot13()])
    assert decoder.decode(frame(0x81, b"nop", masked=False)) == ["abc"]

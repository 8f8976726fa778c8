"""The header of datagrams, byte by byte, and the codec's configuration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core._packets.packet import DatagramCodec, Kind, Packet, microseconds, parse_goodbye, parse_packet

TOKEN = bytes(range(16))


@pytest.mark.parametrize(
    ("packet", "wire"),
    [
        (Packet(Kind.MESSAGE, 1, 2, b"hi"), "10 00000001 00000002 6869"),
        (Packet(Kind.MESSAGE, 2**32 - 1, 2**32 - 1), "10 ffffffff ffffffff"),
        (Packet(Kind.ECHO, 1, 2, b"hi", (3, 4)), "11 00000001 00000002 00000003 00000004 6869"),
        (Packet(Kind.PING, 1, 2, b"abcd"), "12 00000001 00000002 61626364"),
        (Packet(Kind.PONG, 1, 2, b"abcd"), "13 00000001 00000002 61626364"),
        (Packet(Kind.HELLO, 1, 2, TOKEN), f"14 00000001 00000002 {TOKEN.hex()}"),
        (Packet(Kind.COOKIE, 1, 2, TOKEN), f"15 00000001 00000002 {TOKEN.hex()}"),
        (Packet(Kind.WELCOME, 1, 2, TOKEN), f"16 00000001 00000002 {TOKEN.hex()}"),
        (Packet(Kind.GOODBYE, 1, 2, TOKEN + b"\x03\xe8"), f"17 00000001 00000002 {TOKEN.hex()} 03e8"),
    ],
    ids=lambda value: value.kind.name if isinstance(value, Packet) else "",
)
def test_on_the_wire(packet: Packet, wire: str) -> None:
    data = bytes.fromhex(wire)
    assert packet.encode() == data
    assert parse_packet(data) == packet
    assert packet.is_message == (packet.kind in (Kind.MESSAGE, Kind.ECHO))


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "10 00000001 000000",  # too short
        "20 00000001 00000002",  # another version
        "18 00000001 00000002",  # no such kind
        "11 00000001 00000002 00000003 000000",  # an echo without the echo
        "12 00000001 00000002 616263",  # a ping with too little in it
        "13 00000001 00000002 6162636465",  # a pong with too much in it
        "14 00000001 00000002",
        f"15 00000001 00000002 {TOKEN.hex()} 00",
        f"17 00000001 00000002 {TOKEN.hex()[2:]}",
        f"17 00000001 00000002 {TOKEN.hex()} {'61' * 126}",
    ],
)
def test_what_is_no_packet(wire: str) -> None:
    assert parse_packet(bytes.fromhex(wire)) is None


@pytest.mark.parametrize(
    ("payload", "goodbye"),
    [
        (b"", (TOKEN, 1005, "")),
        (b"\x03\xe8", (TOKEN, 1000, "")),
        (b"\x03\xe9" + "€".encode(), (TOKEN, 1001, "€")),
        (b"\x03", None),
        (b"\x03\xed", None),  # 1005 must not cross
        (b"\x03\xe8\xff", None),
    ],
)
def test_goodbyes(payload: bytes, goodbye: tuple[bytes, int, str] | None) -> None:
    assert parse_goodbye(TOKEN + payload) == goodbye


@given(
    st.binary(max_size=60) | st.builds(lambda kind, rest: bytes([0x10 | kind]) + rest, st.integers(0, 15), st.binary())
)
def test_any_bytes_are_a_packet_or_none(data: bytes) -> None:
    packet = parse_packet(data)
    assert packet is None or packet.encode() == data


def test_time_in_a_header() -> None:
    assert microseconds(1.5) == 1_500_000
    assert microseconds(2**32 / 1_000_000 + 1) == pytest.approx(1_000_000, abs=1)


def test_room_for_messages() -> None:
    assert DatagramCodec().max_payload == 65_490
    assert DatagramCodec(datagram_size=1200).max_payload == 1183
    assert DatagramCodec(header=False, verify=False).max_payload == 65_507


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"header": False}, ValueError, "verify"),
        ({"datagram_size": 63}, ValueError, "datagram_size"),
        ({"datagram_size": 65_508}, ValueError, "datagram_size"),
        ({"datagram_size": 1200.0}, TypeError, "datagram_size"),
        ({"datagram_size": True}, TypeError, "datagram_size"),
        ({"drop": "oldest"}, TypeError, "drop"),
    ],
)
def test_what_cannot_be_configured(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        DatagramCodec(**options)

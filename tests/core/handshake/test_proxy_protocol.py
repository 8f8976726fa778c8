"""``_handshake/proxy_protocol.py``: both versions in any chunking, never a byte too many; every malformed header."""

from __future__ import annotations

import ipaddress
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core._errors import RemoteProtocolError
from wsproto_core._handshake.proxy_protocol import ProxiedFrom, TrustedProxies, read_proxy_header
from wsproto_core._violations import Violation

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
BEHIND = b"\x16\x03\x01 what follows is TLS, and none of our business \r\n\r\n"
TCP4 = bytes([192, 0, 2, 1, 198, 51, 100, 7]) + b"\xdc\x04\x01\xbb"
FROM_TCP4 = (("192.0.2.1", 56324), ("198.51.100.7", 443))
NOOP = b"\x04\x00\x04\x00\x00\x00\x00"


def version_2(command: int, kind: int, body: bytes = b"") -> bytes:
    return SIGNATURE + bytes([command, kind]) + len(body).to_bytes(2) + body


def tlv(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2) + value


def converse(
    conversation: Generator[int, bytes, ProxiedFrom], data: bytes, step: int = 10_000
) -> tuple[ProxiedFrom, bytes]:
    """Play the socket, which has ``data`` and gives ``step`` bytes at the most; what is left of it."""
    try:
        wanted = next(conversation)
        while True:
            assert wanted > 0
            size = min(wanted, step)
            piece, data = data[:size], data[size:]
            wanted = conversation.send(piece)
    except StopIteration as done:
        return done.value, data


def read(header: bytes, step: int = 10_000) -> ProxiedFrom:
    proxied, rest = converse(read_proxy_header(), header + BEHIND, step)
    assert rest == BEHIND
    return proxied


def offence(data: bytes) -> str:
    """The words about an unacceptable header."""
    with pytest.raises(RemoteProtocolError) as caught:
        converse(read_proxy_header(), data)
    assert caught.value.violation is Violation.BAD_PROXY_HEADER
    return caught.value.detail


# --- version 1 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize(
    ("line", "source", "destination"),
    [
        ("TCP4 192.0.2.1 198.51.100.7 56324 443", *FROM_TCP4),
        ("TCP4 1.1.1.1 2.2.2.2 0 1", ("1.1.1.1", 0), ("2.2.2.2", 1)),
        ("TCP4 255.255.255.255 255.255.255.255 65535 65535", ("255.255.255.255", 65535), ("255.255.255.255", 65535)),
        ("TCP6 :: :: 1 1", ("::", 1), ("::", 1)),
        ("TCP6 2001:DB8:0::1 2001:db8::192.0.2.1 1 443", ("2001:db8::1", 1), ("2001:db8::c000:201", 443)),
        (f"TCP6 {':'.join(['ffff'] * 8)} {':'.join(['ffff'] * 8)} 65535 65535", *[(":".join(["ffff"] * 8), 65535)] * 2),
        ("UNKNOWN", None, None),
        ("UNKNOWN ", None, None),
        ("UNKNOWN whatever  this may be", None, None),
        (f"UNKNOWN {':'.join(['ffff'] * 8)} {':'.join(['ffff'] * 8)} 65535 65535", None, None),
    ],
)
def test_a_line(line: str, source: tuple[str, int] | None, destination: tuple[str, int] | None, step: int) -> None:
    proxied = read(f"PROXY {line}\r\n".encode(), step)
    assert proxied == ProxiedFrom(source, destination)
    assert proxied.is_local == (source is None)


@given(
    st.ip_addresses(v=4) | st.ip_addresses(v=6),
    st.data(),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.integers(1, 60),
)
def test_any_line_is_read_to_its_end_and_no_further(
    source: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject, port: int, other: int, step: int
) -> None:
    destination = data.draw(st.ip_addresses(v=source.version))
    line = f"PROXY TCP{source.version} {source} {destination} {port} {other}\r\n"
    assert read(line.encode(), step) == ProxiedFrom((str(source), port), (str(destination), other))


@pytest.mark.parametrize(
    "line",
    [
        "TCP4 192.0.2.1 198.51.100.7 56324 443\n",
        "TCP4 192.0.2.1 198.51.100.7 56324\r\n",
        "TCP4 192.0.2.1 198.51.100.7 56324 443 1\r\n",
        "TCP4 192.0.2.1  198.51.100.7 56324 443\r\n",
        "TCP4 192.0.2.01 198.51.100.7 56324 443\r\n",
        "TCP4 192.0.2.256 198.51.100.7 56324 443\r\n",
        "TCP4 192.0.2 198.51.100.7 56324 443\r\n",
        "TCP4 ::1 ::1 56324 443\r\n",
        "TCP6 192.0.2.1 198.51.100.7 56324 443\r\n",
        "TCP6 ::1%eth0 ::1 56324 443\r\n",
        "TCP4 192.0.2.1 198.51.100.7 056324 443\r\n",
        "TCP4 192.0.2.1 198.51.100.7 65536 443\r\n",
        "TCP4 192.0.2.1 198.51.100.7 56324 99999\r\n",
        "TCP4 192.0.2.1 198.51.100.7 -1 443\r\n",
        "TCP5 192.0.2.1 198.51.100.7 56324 443\r\n",
        "tcp4 192.0.2.1 198.51.100.7 56324 443\r\n",
        "UNKNOWNS\r\n",
        "UNKNOWN \r \r\n",
        "UNKNOWN " + "x" * 100 + "\r\n",
        "TCP4 " + "1" * 200,
        "\r\n\r\n\r\n\r\n\r\n",
        "TCP4 192.0.2.١ 198.51.100.7 56324 443\r\n",
    ],
)
def test_a_malformed_line(line: str) -> None:
    assert offence(f"PROXY {line}".encode() + b"\r\n" * 60)


def test_a_line_is_at_most_107_bytes() -> None:
    assert read(b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n").is_local
    assert offence(b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n") == "the line is too long"


# --- version 2 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 5, 10_000])
def test_binary_headers(step: int) -> None:
    assert read(version_2(0x21, 0x11, TCP4), step) == ProxiedFrom(*FROM_TCP4)
    body = ipaddress.ip_address("2001:db8::1").packed + ipaddress.ip_address("::1").packed + b"\x00\x01\x01\xbb"
    assert read(version_2(0x21, 0x21, body), step) == ProxiedFrom(("2001:db8::1", 1), ("::1", 443))


@pytest.mark.parametrize(
    ("path", "told"),
    [(b"/run/app.sock", "/run/app.sock"), (b"", ""), (b"\x00abstract", "\x00abstract"), (b"/\xff", "/\udcff")],
)
def test_unix_sockets(path: bytes, told: str) -> None:
    body = path.ljust(108, b"\x00") + b"/x\x00garbage".ljust(108, b"\x00")
    assert read(version_2(0x21, 0x31, body)) == ProxiedFrom(told, "/x")


@pytest.mark.parametrize(
    ("command", "kind"),
    [(0x20, 0x00), (0x20, 0x11), (0x20, 0x21), (0x21, 0x00), (0x21, 0x12), (0x21, 0x22), (0x21, 0x32)],
)
@pytest.mark.parametrize("body", [b"", TCP4, TCP4 + NOOP, b"\xff" * 4096], ids=len)
def test_what_is_no_client_is_skipped(command: int, kind: int, body: bytes) -> None:
    """A health check, an unknown protocol, a datagram: the connection's own addresses count."""
    proxied = read(version_2(command, kind, body))
    assert proxied == ProxiedFrom()
    assert proxied.is_local


def test_tlvs() -> None:
    tls = b"\x01\x00\x00\x00\x00" + tlv(0x21, b"TLSv1.3")
    body = TCP4 + tlv(1, b"http/1.1") + tlv(2, b"example.com") + NOOP + tlv(5, b"\x07") + tlv(0x20, tls) + tlv(2, b"no")
    proxied = read(version_2(0x21, 0x11, body))
    assert (proxied.alpn, proxied.authority, proxied.unique_id, proxied.tls) == (
        b"http/1.1",
        b"example.com",
        b"\x07",
        tls,
    )
    assert [kind for kind, _ in proxied.tlvs] == [1, 2, 4, 5, 0x20, 2]
    assert proxied.tlv(0xE0) is None
    nothing = read(version_2(0x21, 0x11, TCP4))
    assert (nothing.alpn, nothing.authority, nothing.unique_id, nothing.tls) == (None,) * 4


def test_a_checksum_is_verified() -> None:
    body = TCP4 + tlv(2, b"example.com") + tlv(3, bytes(4)) + NOOP
    header = version_2(0x21, 0x11, body)
    good = header.replace(tlv(3, bytes(4)), tlv(3, castagnoli(header).to_bytes(4)))
    assert read(good).authority == b"example.com"
    assert offence(good.replace(b"example", b"Example")) == "the checksum is wrong"
    assert offence(header) == "the checksum is wrong"
    assert offence(version_2(0x21, 0x11, TCP4 + tlv(3, b""))) == "the checksum is wrong"


def castagnoli(data: bytes) -> int:
    """CRC32C by polynomial division, the long way: RFC 9260, appendix A."""
    bits = "".join(f"{byte:08b}"[::-1] for byte in data)
    dividend = int(bits + "0" * 32, 2) ^ (0xFFFFFFFF << len(bits))
    for position in range(len(bits) + 31, 31, -1):
        if dividend >> position & 1:
            dividend ^= 0x11EDC6F41 << (position - 32)
    return int(f"{dividend:032b}"[::-1], 2) ^ 0xFFFFFFFF


def test_the_checksum_of_the_checksums() -> None:
    """The check value that every table of CRCs lists for CRC-32C."""
    assert castagnoli(b"123456789") == 0xE3069283


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (version_2(0x11, 0x11, TCP4), "version and command"),
        (version_2(0x22, 0x11, TCP4), "version and command"),
        (version_2(0x21, 0x41, TCP4), "family and protocol"),
        (version_2(0x21, 0x13, TCP4), "family and protocol"),
        (version_2(0x20, 0xFF), "family and protocol"),
        (version_2(0x21, 0x11, bytes(4097)), "longer than 4096"),
        (version_2(0x21, 0x11, TCP4[:-1]), "too short"),
        (version_2(0x21, 0x31, bytes(215)), "too short"),
        (version_2(0x21, 0x11, TCP4 + b"\x04"), "cut off"),
        (version_2(0x21, 0x11, TCP4 + b"\x04\x00\x02x"), "cut off"),
        (SIGNATURE[:-1] + b"\r" + b"\x21\x11\x00\x0c" + TCP4, "begins otherwise"),
    ],
)
def test_a_malformed_binary_header(header: bytes, words: str) -> None:
    assert words in offence(header + BEHIND)


# --- both ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"PROXX", b"\r\n\r\n\r", b"proxy "])
def test_anything_else_is_refused_as_soon_as_it_shows(data: bytes) -> None:
    """No more is asked for from a client that may be waiting for an answer."""
    conversation = read_proxy_header()
    assert next(conversation) == 15
    with pytest.raises(RemoteProtocolError, match="begins otherwise"):
        conversation.send(data[:15])


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", version_2(0x21, 0x11, TCP4)])
def test_an_end_within_the_header(header: bytes) -> None:
    for size in range(len(header)):
        assert offence(header[:size]) == "the connection ended within it"


def test_more_than_was_asked_for_is_the_callers_mistake() -> None:
    conversation = read_proxy_header()
    next(conversation)
    with pytest.raises(ValueError, match="wanted 15 bytes"):
        conversation.send(b"PROXY UNKNOWN\r\nG")


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda tail: SIGNATURE + tail))
def test_no_bytes_do_anything_but_succeed_or_offend(data: bytes) -> None:
    try:
        proxied, rest = converse(read_proxy_header(), data)
    except RemoteProtocolError:
        return
    assert len(rest) < len(data)
    assert isinstance(proxied, ProxiedFrom)


# --- who is believed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "is_trusted"),
    [
        (("10.1.2.3", 4711), True),
        (("::ffff:10.1.2.3", 4711, 0, 0), True),
        (("11.1.2.3", 4711), False),
        (("::1", 4711, 0, 0), True),
        (("::2", 4711, 0, 0), False),
        (("fe80::1%eth0", 4711, 0, 2), True),
        ("", True),
        (b"\x00abstract", True),
        ("/run/x", True),
        (None, False),
        ((), False),
    ],
)
def test_trust(address: object, is_trusted: bool) -> None:
    trusted = TrustedProxies(["10.0.0.0/8", "::1", "fe80::/64", "unix:"])
    assert trusted.trusts(address) is is_trusted
    assert TrustedProxies([]).trusts(address) is False


def test_unix_sockets_are_not_trusted_by_chance() -> None:
    assert not TrustedProxies(["0.0.0.0/0", "::/0"]).trusts("")


def test_who_is_trusted_introduces_itself_and_nobody_else() -> None:
    trusted = TrustedProxies(["10.0.0.0/8"])
    line = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"
    assert converse(trusted.introduction(("10.0.0.1", 1)), line + b"x") == (ProxiedFrom(*FROM_TCP4), b"x")
    assert converse(trusted.introduction(("192.0.2.9", 1)), line) == (ProxiedFrom(), line)


@pytest.mark.parametrize("name", ["localhost", "10.0.0.1/8", "", "unix", "10.0.0.0/33"])
def test_what_is_no_address(name: str) -> None:
    with pytest.raises(ValueError, match="proxied_by"):
        TrustedProxies([name])


def test_a_single_string_is_no_list() -> None:
    with pytest.raises(TypeError, match="proxied_by"):
        TrustedProxies("10.0.0.0/8")


def test_the_repr_tells_who() -> None:
    assert repr(TrustedProxies(["::1", "unix:"])) == "TrustedProxies(('::1', 'unix:'))"

"""What stands between client and server: the PROXY protocol, and what SOCKS5 and HTTP proxies answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from hypothesis import strategies as st

from wsproto_core import ProxiedAddress

__all__ = ["ProxyHeader", "bad_proxy_headers", "connect_answers", "proxy_headers", "socks5_answers"]

_MAGIC: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_PORTS: Final = st.sampled_from([0, 1, 80, 65_535]) | st.integers(0, 65_535)


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A valid header of the PROXY protocol, and what it tells."""

    data: bytes
    #: The client; ``None`` if the header does not tell it.
    source: ProxiedAddress | None = None
    destination: ProxiedAddress | None = None
    #: Type and value, in order.
    tlvs: tuple[tuple[int, bytes], ...] = ()


def proxy_headers() -> st.SearchStrategy[ProxyHeader]:
    """Valid headers of both versions (``proxy-protocol.txt`` §2.1, §2.2)."""
    silent = st.sampled_from(
        [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 x\r\n", _binary(0x20, 0, b""), _binary(0x21, 0, b"xyz")]
    )
    return silent.map(ProxyHeader) | _lines() | _binaries()


def bad_proxy_headers() -> st.SearchStrategy[bytes]:
    """What no connection behind a proxy may begin with."""
    broken = [
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        b"PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 ::1 ::2 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY UNKNOWN" + b" x" * 60 + b"\r\n",
        _binary(0x22, 0x11, bytes(12)),
        _binary(0x31, 0x11, bytes(12)),
        _binary(0x21, 0x41, bytes(12)),
        _binary(0x21, 0x13, bytes(12)),
        _binary(0x21, 0x11, bytes(11)),
        _binary(0x21, 0x21, bytes(35)),
        _binary(0x21, 0x11, bytes(12) + b"\x01\x00\x05abc"),
        _binary(0x21, 0x11, bytes(12) + b"\x03\x00\x04\x00\x00\x00\x00"),
        _binary(0x21, 0x11, bytes(5000)),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    return st.sampled_from(broken)


def socks5_answers() -> st.SearchStrategy[bytes]:
    """All that a SOCKS5 proxy says to one client, right or wrong (RFC 1928, RFC 1929)."""
    method = st.sampled_from([b"\x05\x00", b"\x05\x02", b"\x05\xff", b"\x04\x00"])
    password = st.sampled_from([b"", b"\x01\x00", b"\x01\x01", b"\x05\x00"])
    status = st.integers(0, 9).map(lambda status: bytes([5, status, 0]))
    address = st.sampled_from([b"\x01" + bytes(4), b"\x04" + bytes(16), b"\x03\x00", b"\x03\x03abc", b"\x02", b""])
    rest = st.sampled_from([b"\x00\x50", b"\x00", b"", b"\x00\x50HTTP/1.1 101 "])
    return st.tuples(method, password, status, address, rest).map(b"".join)


def connect_answers() -> st.SearchStrategy[bytes]:
    """All that an HTTP proxy says to one CONNECT, right or wrong (RFC 9110 §9.3.6)."""
    status = st.sampled_from(
        [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 ok", b"HTTP/1.1 407 x", b"HTTP/1.1 503 ", b"HTTP/1.1 100 c", b"hello"]
    )
    lines = st.lists(
        st.sampled_from(
            [b"Via: x", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Proxy-Authenticate: Basic", b":"]
        ),
        max_size=3,
    )
    rest = st.binary(max_size=20)
    return st.tuples(status, lines, rest).map(lambda said: b"\r\n".join([said[0], *said[1], b"", said[2]]))


@st.composite
def _lines(draw: st.DrawFn) -> ProxyHeader:
    version: Literal[4, 6] = 6 if draw(st.booleans()) else 4
    source, destination = (str(draw(st.ip_addresses(v=version))) for _ in range(2))
    ports = draw(_PORTS), draw(_PORTS)
    data = f"PROXY TCP{version} {source} {destination} {ports[0]} {ports[1]}\r\n".encode()
    return ProxyHeader(data, (source, ports[0]), (destination, ports[1]))


@st.composite
def _binaries(draw: st.DrawFn) -> ProxyHeader:
    tlvs = draw(st.lists(st.tuples(st.sampled_from([1, 2, 4, 5, 0x20, 0xEE]), st.binary(max_size=20)), max_size=3))
    tail = b"".join(bytes([kind]) + len(value).to_bytes(2, "big") + value for kind, value in tlvs)
    if draw(st.booleans()):
        paths = [draw(st.sampled_from(["", "/run/a.sock", "\x00abstract", "x" * 108])) for _ in range(2)]
        body = b"".join(path.encode().ljust(108, b"\x00") for path in paths)
        return ProxyHeader(_binary(0x21, 0x31, body + tail), paths[0], paths[1], tuple(tlvs))
    version: Literal[4, 6] = 6 if draw(st.booleans()) else 4
    hosts = [draw(st.ip_addresses(v=version)) for _ in range(2)]
    ports = [draw(_PORTS) for _ in range(2)]
    body = b"".join(host.packed for host in hosts) + b"".join(port.to_bytes(2, "big") for port in ports)
    kind = 0x11 if version == 4 else 0x21
    told = [(str(host), port) for host, port in zip(hosts, ports, strict=True)]
    return ProxyHeader(_binary(0x21, kind, body + tail), told[0], told[1], tuple(tlvs))


def _binary(command: int, family: int, body: bytes) -> bytes:
    return _MAGIC + bytes([command, family]) + len(body).to_bytes(2, "big") + body

"""Through a SOCKS5 proxy: the conversation of RFC 1928 and RFC 1929 as a generator, like ``open_tunnel`` in ``tunnel``.

The name of the target goes to the proxy unresolved. At most 256 bytes wait for more of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Generator
from types import MappingProxyType
from typing import Final

from .._errors import ProxyFailed
from .proxy import Proxy, authority

__all__ = ["open_socks5"]

_VERSION: Final = 5
_NO_AUTHENTICATION: Final = 0
_PASSWORD: Final = 2
_CONNECT: Final = 1
_IPV4: Final = 1
_NAME: Final = 3
_IPV6: Final = 4
#: Bytes of the address in a reply, by its type; a name begins with its length.
_ADDRESS_SIZES: Final = MappingProxyType({_IPV4: 4, _IPV6: 16})
_NAME_SIZE: Final = 255
#: RFC 1928 §6.
_REPLIES: Final = MappingProxyType(
    {
        1: "general failure",
        2: "its rules do not allow it",
        3: "network unreachable",
        4: "host unreachable",
        5: "connection refused",
        6: "time to live expired",
        7: "it does not know the command",
        8: "it does not know this type of address",
    }
)


def open_socks5(proxy: Proxy, host: str, port: int) -> Generator[bytes | None, bytes, bytes]:
    """Ask ``proxy`` for a connection to ``host`` and ``port``.

    Yields bytes to send, or ``None`` to be sent what was received (``b""`` at the end); returns what came behind the
    conversation. Raises :exc:`ProxyFailed`, and :exc:`ValueError` for a name of more than 255 bytes.
    """
    request = bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2, "big")
    inbox = _Inbox(proxy)
    yield from _authenticate(proxy, inbox)
    yield request
    yield from _take_reply(inbox, authority(host, port))
    return inbox.rest()


def _authenticate(proxy: Proxy, inbox: _Inbox) -> Generator[bytes | None, bytes, None]:
    credentials = proxy.credentials
    methods = [_NO_AUTHENTICATION] if credentials is None else [_NO_AUTHENTICATION, _PASSWORD]
    yield bytes([_VERSION, len(methods), *methods])
    version, method = yield from inbox.read(2)
    if version != _VERSION:
        raise inbox.failure("does not speak SOCKS5")
    if method not in methods:
        raise inbox.failure("wants credentials" if credentials is None else "takes neither a password nor none")
    if method == _PASSWORD and credentials is not None:
        yield b"\x01" + _sized(credentials.username) + _sized(credentials.password)
        # The version is not looked at: some proxies put 5 there instead of 1 (RFC 1929 §2).
        _, status = yield from inbox.read(2)
        if status != 0:
            raise inbox.failure("refused the credentials")


def _take_reply(inbox: _Inbox, target: str) -> Generator[bytes | None, bytes, None]:
    version, status = yield from inbox.read(2)
    if version != _VERSION:
        raise inbox.failure("does not speak SOCKS5")
    if status != 0:
        reason = _REPLIES.get(status, f"reply {status}")
        raise inbox.failure(f"could not connect to {target}: {reason}")
    _, kind = yield from inbox.read(2)
    size = _ADDRESS_SIZES.get(kind)
    if kind == _NAME:
        (size,) = yield from inbox.read(1)
    if size is None:
        raise inbox.failure("does not speak SOCKS5: there is no such type of address")
    yield from inbox.read(size + 2)  # the address that the proxy connects from, which nobody asked for


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if len(host.encode()) > _NAME_SIZE:
            raise ValueError("the host is too long for SOCKS5 (RFC 1928 §5)") from None
        return bytes([_NAME]) + _sized(host)
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed


def _sized(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data


class _Inbox:
    """What the proxy said, read in exact sizes."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._data = b""

    def read(self, size: int) -> Generator[bytes | None, bytes, bytes]:
        while len(self._data) < size:
            received = yield None
            if not received:
                raise self.failure("ended the conversation")
            self._data += received
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def rest(self) -> bytes:
        return self._data

    def failure(self, words: str) -> ProxyFailed:
        return ProxyFailed(f"the proxy {self._proxy.address} {words}")

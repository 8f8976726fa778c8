"""``_handshake/socks5.py``: every turn of the conversation, and every way in which it ends early."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from itertools import cycle, islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wsproto_core._errors import ProxyFailed
from wsproto_core._events import BasicCredentials
from wsproto_core._handshake.proxy import Proxy
from wsproto_core._handshake.socks5 import open_socks5

OPEN = Proxy("socks5", "proxy", 1080)
GUARDED = Proxy("socks5", "::1", 1080, BasicCredentials("us\xe9r", "secret"))
FREE = b"\x05\x00"
PASSWORD = b"\x05\x02"
GRANTED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90"

Pieces = Callable[[bytes], list[bytes]]


@pytest.fixture(params=[None, 1], ids=["whole", "bytewise"])
def pieces(request: pytest.FixtureRequest) -> Pieces:
    def cut(data: bytes) -> list[bytes]:
        size = request.param or max(1, len(data))
        return [data[at : at + size] for at in range(0, len(data), size)]

    return cut


def converse(conversation: Generator[bytes | None, bytes, bytes], received: Iterable[bytes]) -> tuple[bytes, bytes]:
    """What was sent, and what came behind; the end of ``received`` is the end of the connection."""
    incoming = iter(received)
    sent = b""
    try:
        wanted = next(conversation)
        while True:
            if wanted is None:
                wanted = conversation.send(next(incoming, b""))
            else:
                sent += wanted
                wanted = conversation.send(b"")
    except StopIteration as done:
        rest: bytes = done.value
        return sent, rest + b"".join(incoming)


def test_without_credentials(pieces: Pieces) -> None:
    sent, rest = converse(open_socks5(OPEN, "example.com", 443), pieces(FREE + GRANTED + b"rest"))
    assert sent == b"\x05\x01\x00" + b"\x05\x01\x00\x03\x0bexample.com\x01\xbb"
    assert rest == b"rest"


@pytest.mark.parametrize("version", [b"\x01", b"\x05"])  # some answer with the wrong one
def test_with_credentials(version: bytes, pieces: Pieces) -> None:
    sent, rest = converse(open_socks5(GUARDED, "h", 80), pieces(PASSWORD + version + b"\x00" + GRANTED))
    assert sent == b"\x05\x02\x00\x02" + b"\x01\x05us\xc3\xa9r\x06secret" + b"\x05\x01\x00\x03\x01h\x00\x50"
    assert rest == b""


def test_credentials_that_are_not_asked_for_are_not_sent(pieces: Pieces) -> None:
    sent, _ = converse(open_socks5(GUARDED, "h", 80), pieces(FREE + GRANTED))
    assert b"secret" not in sent


def test_each_turn_waits_for_the_one_before() -> None:
    conversation = open_socks5(GUARDED, "h", 80)
    assert next(conversation) == b"\x05\x02\x00\x02"
    assert conversation.send(b"") is None
    assert conversation.send(b"\x05") is None
    assert str(conversation.send(b"\x02")).count("secret") == 1
    assert conversation.send(b"") is None
    assert str(conversation.send(b"\x01\x00")).startswith("b'\\x05\\x01")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", b"\x01\x7f\x00\x00\x01"),
        ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ("xn--bcher-kva.example", b"\x03\x15xn--bcher-kva.example"),
        ("127.1", b"\x03\x05127.1"),
        ("a" * 255, b"\x03\xff" + b"a" * 255),
    ],
)
def test_names_go_unresolved_and_addresses_as_such(host: str, address: bytes) -> None:
    sent, _ = converse(open_socks5(OPEN, host, 8765), [FREE + GRANTED])
    assert sent == b"\x05\x01\x00\x05\x01\x00" + address + b"\x22\x3d"


def test_a_name_that_is_too_long_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="host is too long"):
        next(open_socks5(OPEN, "a" * 256, 80))


@pytest.mark.parametrize("bound", [b"\x01" + b"x" * 4, b"\x04" + b"x" * 16, b"\x03\x00", b"\x03\xff" + b"x" * 255])
def test_the_address_of_the_proxy_is_passed_over(bound: bytes, pieces: Pieces) -> None:
    reply = b"\x05\x00\x00" + bound + b"\x00\x00"
    assert converse(open_socks5(OPEN, "h", 80), pieces(FREE + reply + b"rest"))[1] == b"rest"


@pytest.mark.parametrize(
    ("proxy", "received", "words"),
    [
        (OPEN, b"", "the proxy proxy:1080 ended the conversation"),
        (OPEN, b"\x05", "ended the conversation"),
        (OPEN, b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak SOCKS5"),
        (OPEN, b"\x04\x00", "does not speak SOCKS5"),
        (OPEN, b"\x05\xff", "wants credentials"),
        (OPEN, PASSWORD, "wants credentials"),
        (GUARDED, b"\x05\xff", r"the proxy \[::1\]:1080 takes neither a password nor none"),
        (GUARDED, b"\x05\x01", "takes neither a password nor none"),
        (GUARDED, PASSWORD, "ended the conversation"),
        (GUARDED, PASSWORD + b"\x01\x01", "refused the credentials"),
        (OPEN, FREE, "ended the conversation"),
        (OPEN, FREE + GRANTED[:-1], "ended the conversation"),
        (OPEN, FREE + b"\x04\x00", "does not speak SOCKS5"),
        (OPEN, FREE + b"\x05\x00\x00\x02", "no such type of address"),
        (OPEN, FREE + b"\x05\x01", "could not connect to h:80: general failure"),
        (OPEN, FREE + b"\x05\x02", "rules do not allow it"),
        (OPEN, FREE + b"\x05\x03", "network unreachable"),
        (OPEN, FREE + b"\x05\x04", "host unreachable"),
        (OPEN, FREE + b"\x05\x05", "could not connect to h:80: connection refused"),
        (OPEN, FREE + b"\x05\x06", "time to live expired"),
        (OPEN, FREE + b"\x05\x07", "does not know the command"),
        (OPEN, FREE + b"\x05\x08", "does not know this type"),
        (OPEN, FREE + b"\x05\x5b", "reply 91"),
    ],
)
def test_every_way_to_fail(proxy: Proxy, received: bytes, words: str, pieces: Pieces) -> None:
    with pytest.raises(ProxyFailed, match=words) as caught:
        converse(open_socks5(proxy, "h", 80), pieces(received))
    assert caught.value.status is None
    assert "secret" not in str(caught.value)


SCRAPS = [FREE, PASSWORD, GRANTED, b"\x01\x00", b"\x05\x00\x00\x03\xff", b"\x05\x00\x00\x04", bytes(20), b"secret"]


def outcome(proxy: Proxy, received: Iterable[bytes]) -> tuple[bytes, bytes] | str:
    """The stream that came about, or the words why none did."""
    try:
        return converse(open_socks5(proxy, "h", 80), received)
    except ProxyFailed as error:
        return str(error)


scripts = st.lists(st.sampled_from(SCRAPS) | st.binary(max_size=5), max_size=8).map(b"".join)


@given(data=scripts, proxy=st.sampled_from([OPEN, GUARDED]))
def test_any_bytes_end_in_a_stream_or_in_proxy_failed(data: bytes, proxy: Proxy) -> None:
    whole = outcome(proxy, [data])
    assert whole == outcome(proxy, [data[at : at + 1] for at in range(len(data))])
    assert isinstance(whole, tuple) or "secret" not in whole


@given(data=scripts.filter(bool))
@example(data=PASSWORD + b"\x01\x00\x05\x00\x00\x03\xff" + b"x" * 300)
def test_an_endless_proxy_is_soon_done_with(data: bytes) -> None:
    stream = (bytes([byte]) for byte in cycle(data))
    assert "ended" not in outcome(GUARDED, islice(stream, 300))

"""``wsproto connect`` in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from websockets.sync.server import ServerConnection

from tests.cli.kit import Echo, Terminal, closing_frame, echo, stranger, terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")


@pytest.fixture(scope="module")
def server() -> Iterator[Echo]:
    with echo() as command:
        yield command


@pytest.fixture
def window(server: Echo) -> Iterator[Terminal]:
    with terminal("connect", server.uri) as opened:
        opened.until(r"connected to ws://127\.0\.0\.1:\d+; /help lists the commands")
        opened.until(r"> +$")
        yield opened


def test_a_typed_line_comes_back(window: Terminal) -> None:
    window.type("hello\r")
    window.until("hello\r\n.*hello\r\n.*> +$")
    window.type("\x04")
    window.until(r"closed by this side: 1000 \(normal closure\)\r\n")
    assert window.wait() == 0


def test_the_commands(window: Terminal) -> None:
    window.type("/help\r")
    window.until("/ping .*/binary .*Ctrl-D")
    window.type("/ping\r")
    window.until(r"pong after \d+\.\d ms")
    window.type("/ping abc\r")
    window.until(r"pong after \d+\.\d ms")
    window.type("/binary 00 41 ff\r")
    window.until(r"00000000  00 41 ff +\|\.A\.\|\r\n")
    window.type("//help\r")
    window.until("//help\r\n.*[^/]/help\r\n")
    window.type("/dance\r")
    window.until("no command /dance")
    window.type("/binary 0\r")
    window.until("expected an even number")
    window.type("/close 4000 so long\r")
    window.until("closed by this side: 4000")
    assert window.wait() == 0


def test_what_no_peer_may_do_to_a_terminal(window: Terminal) -> None:
    window.type("/binary 1b\r")
    window.until(r"00000000  1b")
    with stranger(lambda ws: ws.send("\x1b]0;owned\x07")) as uri, terminal("connect", uri) as other:
        other.until(r"\\x1b\]0;owned\\x07\r\n")
        assert other.wait() == 0


def test_what_is_being_typed_survives_a_message() -> None:
    heard: list[str | bytes] = []

    def handler(ws: ServerConnection) -> None:
        ws.recv()
        ws.send("news")
        heard.append(ws.recv())
        ws.close(4000, "enough")

    with stranger(handler) as uri, terminal("connect", uri) as window:
        window.until(r"> +$")
        window.type("go\r")
        window.type("half a li")
        window.until("news\r\n.*half a li")
        window.type("ne\r")
        window.until("closed by the peer: 4000")
        assert window.wait() == 3
    assert heard == ["half a line"]


def test_ctrl_c_leaves_the_terminal_as_it_was() -> None:
    codes: list[int] = []

    def handler(ws: ServerConnection) -> None:
        codes.append(closing_frame(ws)[0])

    with stranger(handler) as uri, terminal("connect", uri) as window:
        before = window.modes()
        window.until(r"> +$")
        window.until_modes_differ(before)
        window.type("abc\x03")
        screen = window.screen
        assert window.wait() == 130
        assert "Traceback" not in screen + window.screen
        assert window.modes() == before
    assert codes == [1000]


def test_the_peer_ends_it_while_nothing_is_typed() -> None:
    with stranger(lambda ws: None) as uri, terminal("connect", uri) as window:
        before = window.modes()
        window.until("closed by the peer: 1000")
        assert window.wait() == 0
        assert window.modes() == before

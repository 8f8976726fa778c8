"""What stands on the command line, in this process: nothing here connects to anything."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from wsproto_cli import main, options
from wsproto_cli.show import excerpt, hexdump, printable, without_secrets
from wsproto_cli.slash import Close, Help, Ping, Say, Typed, understand
from wsproto_core import BasicCredentials, BearerCredentials

URI = "ws://127.0.0.1:9/"


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    return capsys.readouterr().err.splitlines()[-1]


# --------------------------------------------------------------------------------------------------- the command


def test_the_version_names_everything_involved(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("wsproto-core ", "Python ", "hot code: ", "h11 ", "uvloop ", "aiofastnet "))
    assert "hot code of wsproto_asyncio: " in shown
    assert "hot code of wsproto_sockets: " in shown


@pytest.mark.parametrize("arguments", [["--help"], ["connect", "--help"], ["echo", "--help"]])
def test_help_goes_to_standard_output(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("usage: wsproto")


def test_without_a_command_the_help_is_shown_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "connect" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["connect"], "URI"),
        (["connect", URI, "--colour"], "unrecognized arguments: --colour"),
        (["connect", "http://x/"], "argument URI: uri must begin with ws:// or wss://"),
        (["connect", "ws://x/#y"], "argument URI:"),
        (["connect", URI, "--max-message-size", "x"], "argument --max-message-size:"),
        (["connect", URI, "--max-message-size", "0"], "argument --max-message-size:"),
        (["connect", URI, "--timeout", "none"], "argument --timeout:"),
        (["connect", URI, "--timeout", "-1"], "argument --timeout:"),
        (["connect", URI, "--timeout", "nan"], "argument --timeout:"),
        (["connect", URI, "--ping-interval", "inf"], "argument --ping-interval:"),
        (["connect", URI, "--wait", "soon"], "argument --wait:"),
        (["connect", URI, "-H", "no colon"], "argument -H/--header: expected 'Name: value'"),
        (["connect", URI, "-H", "Upgrade: h2c"], "argument -H/--header: headers: Upgrade"),
        (["connect", URI, "-H", "X-Y: a\nb"], "argument -H/--header:"),
        (["connect", URI, "-s", "two words"], "argument -s/--subprotocol:"),
        (["connect", URI, "-s", "chat", "-s", "chat"], "subprotocols"),
        (["connect", URI, "--origin", "a\nb"], "argument --origin:"),
        (["connect", URI, "--user", "name"], "argument --user: expected name:password"),
        (["connect", URI, "--user", "a:b", "--bearer", "c"], "not allowed with"),
        (["connect", URI, "--close-code", "1005"], "argument --close-code:"),
        (["connect", URI, "--close-code", "999"], "argument --close-code:"),
        (["connect", URI, "--close-reason", "x" * 124], "argument --close-reason:"),
        (["connect", URI, "--insecure"], "argument --insecure: needs a wss:// URI"),
        (["echo", "--drain", "5"], "argument --drain: needs --workers"),
        (["echo", "--drain", "-1"], "argument --drain: expected a number of seconds or none"),
        (["echo", "--proxied-by", "localhost"], "argument --proxied-by: 'localhost' does not appear to be"),
        (["connect", "wss://x/", "--key", "k.pem"], "argument --key: needs --cert"),
        (["connect", "wss://x/", "--cacert", "/nowhere.pem"], "argument --cacert:"),
        (["connect", "wss://x/", "--cert", "/nowhere.pem"], "argument --cert/--key:"),
        (["connect", "wss://x/", "--cacert", __file__], "argument --cacert:"),
        (["echo", "--port", "65536"], "argument --port:"),
        (["echo", "--max-connections", "0"], "argument --max-connections:"),
        (["echo", "--ssl-key", "k.pem"], "argument --ssl-key: needs --ssl-cert"),
        (["echo", "--ssl-cert", __file__], "argument --ssl-cert/--ssl-key:"),
    ],
)
def test_a_wrong_option_is_named(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert words in usage_error(capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-H", "Authorization Bearer hunter2"],
        ["-H", "Authorization=Bearer hunter2"],
        ["-H", "X-Token: hunter2\x00"],
        ["--user", "hunter2"],
        ["--user", "bob:hunter2\x00"],
        ["--bearer", "hunter2 "],
        ["--user", "bob:x", "-H", "Authorization: hunter2"],
    ],
)
def test_a_usage_error_shows_no_secret(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["connect", URI, *arguments]) == 2
    assert "hunter2" not in capsys.readouterr().err


def test_a_bad_token_in_the_environment_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSPROTO_BEARER", "hunter2 hunter2")
    words = usage_error(capsys, "connect", URI)
    assert "WSPROTO_BEARER" in words
    assert "hunter2" not in words


def test_uvloop_that_is_missing_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_cli.echo.find_spec", lambda name: None)
    assert "argument --uvloop: uvloop is not installed" in usage_error(capsys, "echo", "--uvloop")


@pytest.mark.parametrize("runtime", ["trio", "anyio"])
def test_a_runtime_that_is_missing_is_a_usage_error(
    runtime: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsproto_cli.echo.find_spec", lambda name: None)
    words = usage_error(capsys, "echo", "--runtime", runtime)
    assert words.endswith(f"argument --runtime: {runtime} is not installed; pip install 'wsproto-core[{runtime}]'")


def test_uvloop_is_for_asyncio(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--uvloop: needs --runtime asyncio" in usage_error(capsys, "echo", "--uvloop", "--runtime", "trio")


def test_a_runtime_that_nobody_knows_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert "argument --runtime: invalid choice: 'twisted'" in usage_error(capsys, "echo", "--runtime", "twisted")


# --------------------------------------------------------------------------------------------------- the values


def test_values_mean_what_they_say() -> None:
    assert options.count("17") == 17
    assert options.count_or_none("17") == 17
    assert options.count_or_none("none") is None
    assert options.seconds_or_none("none") is None
    assert options.wait("0") == 0
    assert options.wait("none") is None
    assert options.seconds("0.5") == 0.5
    assert options.port("0") == 0
    assert options.header("X-A:  b: c ") == ("X-A", "b: c")
    assert options.header("X-Empty:") == ("X-Empty", "")
    assert options.basic_credentials("bob:a:b") == BasicCredentials("bob", "a:b")
    assert options.bearer_credentials("abc=") == BearerCredentials("abc=")
    assert [options.close_code(code) for code in ("1000", "1014", "3000", "4999")] == [1000, 1014, 3000, 4999]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "٣", "1e3", " 1", "1_0", "9" * 5000])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        options.count_or_none(text)


# --------------------------------------------------------------------------------------------------- typed lines


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (b"hello", Say("hello")),
        (b"hello\r", Say("hello")),
        (b"", Say("")),
        (b"//help", Say("/help")),
        (b"/binary 00 ff10", Say(b"\x00\xff\x10")),
        (b"/binary", Say(b"")),
        (b"/ping", Ping(None)),
        (b"/ping a b", Ping(b"a b")),
        (b"/close", Close(None, "")),
        (b"/close 4000", Close(4000, "")),
        (b"/close 4000 so long", Close(4000, "so long")),
        (b"/help", Help()),
    ],
)
def test_a_typed_line_has_a_meaning(line: bytes, meaning: Typed) -> None:
    assert understand(line, binary=False, commands=True) == meaning


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"/dance", "no command /dance"),
        (b"/binary 0", "hexadecimal"),
        (b"/close 1005", "/close: expected a close code"),
        (b"/close now", "/close: expected a close code"),
        (b"/close 1000 " + b"x" * 124, "at most 123 bytes"),
        (b"/ping " + b"x" * 126, "at most 125 bytes"),
        (b"\xff", "UTF-8"),
        (b"/ping \xff", "UTF-8"),
    ],
)
def test_a_typed_line_without_meaning_says_why(line: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        understand(line, binary=False, commands=True)


def test_in_a_pipe_a_slash_is_a_slash() -> None:
    assert understand(b"/help", binary=False, commands=False) == Say("/help")
    assert understand(b"//help", binary=False, commands=False) == Say("//help")


def test_binary_lines_are_bytes_as_they_are() -> None:
    assert understand(b"\xff\r", binary=True, commands=False) == Say(b"\xff\r")


# --------------------------------------------------------------------------------------------------- for the eye


def test_a_hexdump_is_that_of_hexdump() -> None:
    assert list(hexdump(b"0123456789abcdef\x00\xff")) == [
        "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|",
        "00000010  00 ff                                             |..|",
        "00000012",
    ]
    assert list(hexdump(b"")) == ["00000000"]


def test_no_peer_commands_the_terminal() -> None:
    assert printable("a\x1b[2J\x9b\x07\n") == "a\\x1b[2J\\x9b\\x07\\n"
    assert printable("a\tb\nc\r", multiline=True) == "a\tb\nc\\r"
    assert excerpt("x" * 61) == "x" * 60 + " ..."
    assert excerpt(b"\x00\xff") == "00 ff"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Authorization: Bearer x", "Authorization: <hidden>"),
        ("Cookie: x", "Cookie: <hidden>"),
        ("X-Api-Key: x", "X-Api-Key: <hidden>"),
        ("Host: x", "Host: x"),
        ("GET /a?access_token=x&b=c HTTP/1.1", "GET /a?access_token=<hidden>&b=c HTTP/1.1"),
        ("Sec-WebSocket-Protocol: chat, bearer.x", "Sec-WebSocket-Protocol: chat, <hidden>"),
        ("Location: /b?token=x", "Location: /b?token=<hidden>"),
        ("Sec-WebSocket-Accept: x", "Sec-WebSocket-Accept: x"),
    ],
)
def test_secrets_are_hidden(line: str, shown: str) -> None:
    assert without_secrets(line) == shown

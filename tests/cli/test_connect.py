"""``wsproto connect`` in pipes: against ``wsproto echo``, and against a server of the ``websockets`` library."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
import trustme
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from tests.cli.kit import COMMAND, PATIENCE, Echo, closing_frame, echo, environment, running, stranger, wsproto

PROMPT_END = ("--wait", "0.3")


@pytest.fixture(scope="module")
def server() -> Iterator[Echo]:
    with echo() as command:
        yield command


def echoing(ws: ServerConnection) -> None:
    for message in ws:
        ws.send(message)


# ---------------------------------------------------------------------------------------------- messages in pipes


def test_a_line_comes_back(server: Echo) -> None:
    done = wsproto("connect", server.uri, stdin=b"hi\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hi\n", b"")


def test_every_line_is_a_message_and_the_last_needs_no_line_feed(server: Echo) -> None:
    done = wsproto("connect", server.uri, *PROMPT_END, stdin="a\r\n\n/help\nGrüße 🌍".encode())
    assert (done.returncode, done.stdout.decode()) == (0, "a\n\n/help\nGrüße 🌍\n")


def test_many_large_lines_come_back_in_order(server: Echo) -> None:
    lines = b"".join(b"%07d" % number + b"x" * 10_000 + b"\n" for number in range(1000))
    done = wsproto("connect", server.uri, *PROMPT_END, "--compress", stdin=lines)
    assert done.returncode == 0
    assert done.stdout == lines


def test_no_input_at_all_is_an_ordinary_end(server: Echo) -> None:
    done = wsproto("connect", server.uri, "--wait", "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_binary_lines_come_back_as_they_are(server: Echo) -> None:
    done = wsproto("connect", server.uri, "--binary", *PROMPT_END, stdin=b"\x00\xff\r\n\x01")
    assert (done.returncode, done.stdout) == (0, b"\x00\xff\r\x01")


def test_binary_messages_are_shown_as_hex_unless_asked_for() -> None:
    with stranger(lambda ws: ws.send(b"\x00A")) as uri:
        done = wsproto("connect", uri)
    assert done.stdout.decode().splitlines() == ["00000000  00 41" + " " * 45 + "|.A|", "00000002"]


def test_text_that_is_no_text_is_an_error_of_the_input(server: Echo) -> None:
    done = wsproto("connect", server.uri, stdin=b"fine\n\xff\nnever sent\n")
    assert done.returncode == 2
    assert b"line 2 of standard input" in done.stderr
    assert b"never" not in done.stdout


def test_text_passes_a_pipe_untouched() -> None:
    with stranger(lambda ws: ws.send("\x1b[1mbold")) as uri:
        assert wsproto("connect", uri).stdout == b"\x1b[1mbold\n"


def test_messages_are_printed_as_they_come(server: Echo) -> None:
    with running("connect", server.uri) as client:
        client.write(b"one\n")
        client.stdout.until("^one$")
        client.write(b"two\n")
        client.stdout.until("^two$")
        client.stdin.close()
        assert client.wait() == 0


def test_after_the_input_the_answers_are_waited_for() -> None:
    more = threading.Event()

    def slow(ws: ServerConnection) -> None:
        ws.recv()
        for part in ("first", "second"):
            ws.send(part)
            more.wait(0.4)

    with stranger(slow) as uri:
        done = wsproto("connect", uri, "--wait", "none", stdin=b"go")
    assert (done.returncode, done.stdout) == (0, b"first\nsecond\n")


# -------------------------------------------------------------------------------------------------- the handshake


def test_what_the_request_carries() -> None:
    seen: list[Request] = []

    def look(ws: ServerConnection, request: Request) -> None:
        seen.append(request)

    with stranger(echoing, process_request=look, subprotocols=["b"]) as uri:
        done = wsproto(
            *("connect", uri + "path?q=1", "-H", "X-A: 1", "-H", "X-A: 2", "-s", "a", "-s", "b"),
            *("--origin", "https://example.com", "--user", "bob:p:w", "--wait", "0", "-v"),
        )
    assert done.returncode == 0
    (request,) = seen
    assert request.path == "/path?q=1"
    assert request.headers.get_all("X-A") == ["1", "2"]
    assert request.headers["Origin"] == "https://example.com"
    assert request.headers["Authorization"] == "Basic Ym9iOnA6dw=="
    assert request.headers["Sec-WebSocket-Protocol"] == "a, b"
    assert b"<- Sec-WebSocket-Protocol: b" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "token"),
    [
        ([], "Bearer from-environment"),
        (["--bearer", "explicit"], "Bearer explicit"),
        (["--user", "a:b"], "Basic YTpi"),
        (["-H", "authorization: Own way"], "Own way"),
    ],
)
def test_the_token_of_the_environment_stands_back(arguments: list[str], token: str) -> None:
    seen: list[str] = []

    def look(ws: ServerConnection, request: Request) -> None:
        seen.append(request.headers["Authorization"])

    with stranger(echoing, process_request=look) as uri:
        env = environment(WSPROTO_BEARER="from-environment")
        assert wsproto("connect", uri, "--wait", "0", *arguments, env=env).returncode == 0
    assert seen == [token]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--user", "bob:hunter2"],
        ["--bearer", "hunter2"],
        ["-H", "Cookie: id=hunter2"],
        ["-H", "X-Api-Key: hunter2"],
        ["-s", "bearer.hunter2"],
    ],
)
def test_secrets_are_never_told(server: Echo, arguments: list[str]) -> None:
    uri = server.uri.replace("ws://", "ws://eve:hunter2@") + "?token=hunter2"
    for target in (uri, uri.replace(str(server.port), str(closed_port()))):
        done = wsproto("connect", target, "-v", *PROMPT_END, *arguments, stdin=b"hi")
        assert b"connecting to" in done.stderr
        assert b"hunter2" not in done.stderr + done.stdout
        assert b"Ym9iOmh1bnRlcjI" not in done.stderr


def test_the_transcript_tells_what_happens(server: Echo) -> None:
    done = wsproto("connect", server.uri, "-v", "--ping-interval", "0.1", *PROMPT_END, stdin=b"hi")
    told = done.stderr.decode()
    for line in (
        f"-- connecting to {server.uri.rstrip('/')}",
        "-> GET / HTTP/1.1",
        "<- HTTP/1.1 101 Switching Protocols",
        "-> text    2 B  hi",
        "<- text    2 B  hi",
        "-> ping",
        "<- pong  round trip ",
        "-> close   1000",
        "<- close   1000",
        "-- closed by this side: 1000 (normal closure)",
    ):
        assert line in told
    assert done.stdout == b"hi\n"


# ------------------------------------------------------------------------------------------------ what goes wrong


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def failure(*arguments: str, env: dict[str, str] | None = None) -> str:
    done = wsproto("connect", *arguments, env=env)
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    return done.stderr.decode()


def test_nobody_listens() -> None:
    assert "nobody listens there (connection refused)" in failure(f"ws://127.0.0.1:{closed_port()}/")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".example"])
def test_a_host_that_is_none(host: str) -> None:
    assert "the host name" in failure(f"ws://{host}/")


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in failure("ws://localhost/", "--unix", str(tmp_path / "none"))


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        words = failure(f"ws://127.0.0.1:{mute.getsockname()[1]}/", "--timeout", "0.2")
    assert "not open within 0.2 seconds" in words


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "does not answer as a WebSocket server"),
        (b"HTTP/1.1 101 Fine\r\n\r\n", "does not answer as a WebSocket server"),
        (b"", "cannot connect to"),
    ],
)
def test_a_server_of_another_kind(answer: bytes, words: str) -> None:
    with plain_server(answer) as uri:
        assert words in failure(uri)


@contextmanager
def plain_server(answer: bytes) -> Iterator[str]:
    """Accepts one connection, reads a request, answers and leaves."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join()


def test_a_refusal_shows_the_status_and_the_first_lines() -> None:
    def refuse(ws: ServerConnection, request: Request) -> Response:
        return ws.respond(HTTPStatus.FORBIDDEN, "Not you.\n\x1b[2J" + "\nmore" * 20)

    with stranger(echoing, process_request=refuse) as uri:
        words = failure(uri)
    lines = words.splitlines()
    assert lines[0].endswith("refused the connection: HTTP 403 Forbidden")
    assert lines[1:3] == ["    Not you.", "    \\x1b[2J"]
    assert lines[-1] == "    ..."
    assert len(lines) == 10


def test_a_redirect_says_where_to() -> None:
    def elsewhere(ws: ServerConnection, request: Request) -> Response:
        response = ws.respond(HTTPStatus.FOUND, "")
        response.headers["Location"] = "wss://example.com/there"
        return response

    with stranger(echoing, process_request=elsewhere) as uri:
        words = failure(uri)
    assert "HTTP 302 Found" in words
    assert "wss://example.com/there" in words


# ------------------------------------------------------------------------------------------------------- the end


@pytest.mark.parametrize(("code", "status"), [(1000, 0), (1001, 0), (1011, 3), (4000, 3)])
def test_the_code_of_the_peer_makes_the_status(code: int, status: int) -> None:
    with stranger(lambda ws: ws.close(code, "so long")) as uri:
        done = wsproto("connect", uri)
    assert done.returncode == status
    assert (b"closed by the peer: %d" % code in done.stderr) == (status != 0)


def test_a_lost_connection_is_abnormal() -> None:
    def vanish(ws: ServerConnection) -> None:
        ws.socket.shutdown(socket.SHUT_RDWR)

    with stranger(vanish) as uri:
        done = wsproto("connect", uri)
    assert done.returncode == 3
    assert b"closed by the network: 1006" in done.stderr


def test_a_message_over_the_limit_is_abnormal() -> None:
    with stranger(lambda ws: ws.send("x" * 101)) as uri:
        assert b"larger than" in wsproto("connect", uri, "--max-message-size", "100").stderr
        assert wsproto("connect", uri, "--max-message-size", "100").returncode == 3
        assert wsproto("connect", uri, "--max-message-size", "none").returncode == 0


def test_the_close_code_of_the_command_line_is_sent_and_is_no_fault() -> None:
    ends: list[tuple[int, str]] = []

    def handler(ws: ServerConnection) -> None:
        ends.append(closing_frame(ws))

    with stranger(handler) as uri:
        done = wsproto("connect", uri, "--wait", "0", "--close-code", "4001", "--close-reason", "über")
    assert done.returncode == 0
    assert ends == [(4001, "über")]


def test_ctrl_c_says_goodbye() -> None:
    ends: list[tuple[int, str]] = []

    def handler(ws: ServerConnection) -> None:
        ws.send("ready")
        ends.append(closing_frame(ws))

    with stranger(handler) as uri, running("connect", uri) as client:
        client.stdout.until("ready")
        client.signal(signal.SIGINT)
        assert client.wait() == 130
        assert client.stderr.text() == ""
    assert ends == [(1000, "")]


def test_ctrl_c_while_connecting() -> None:
    mute = socket.create_server(("127.0.0.1", 0))
    with mute, running("connect", "-v", f"ws://127.0.0.1:{mute.getsockname()[1]}/") as client:
        connection, _ = mute.accept()
        with connection:
            client.signal(signal.SIGINT)
            assert client.wait() == 130
            assert "Traceback" not in client.stderr.text()


# ------------------------------------------------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, server.pem (for ``test.example``) and client.pem, keys included."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("test.example").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.issue_cert("client@test.example").private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    return folder


@pytest.fixture(scope="module")
def secure(pems: Path) -> Iterator[Echo]:
    with echo("--ssl-cert", str(pems / "server.pem")) as command:
        yield command


def test_tls_with_a_name_and_an_authority(secure: Echo, pems: Path) -> None:
    trust = ("--cacert", str(pems / "ca.pem"))
    done = wsproto("connect", secure.uri, *trust, "--server-name", "test.example", *PROMPT_END, stdin=b"hi")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hi\n", b"")
    assert "certificate is not valid" in failure(secure.uri, *trust)
    assert "certificate is not valid" in failure(secure.uri, "--server-name", "test.example")


def test_insecure_is_loud(secure: Echo) -> None:
    done = wsproto("connect", secure.uri, "--insecure", *PROMPT_END, stdin=b"hi")
    assert (done.returncode, done.stdout) == (0, b"hi\n")
    assert b"NOT verified" in done.stderr


def test_tls_and_no_tls_do_not_meet(secure: Echo, server: Echo) -> None:
    assert "does not speak TLS" in failure(server.uri.replace("ws:", "wss:"))
    assert "cannot connect" in failure(secure.uri.replace("wss:", "ws:"))


def test_a_client_certificate(pems: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pems / "server.pem")
    context.load_verify_locations(pems / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    names: list[object] = []

    def handler(ws: ServerConnection) -> None:
        assert isinstance(ws.socket, ssl.SSLSocket)
        names.append(ws.socket.getpeercert())
        echoing(ws)

    with stranger(handler, ssl=context) as uri:
        arguments = (uri.replace("ws:", "wss:"), "--cacert", str(pems / "ca.pem"), "--server-name", "test.example")
        done = wsproto("connect", *arguments, "--cert", str(pems / "client.pem"), *PROMPT_END, stdin=b"hi")
        assert (done.returncode, done.stdout) == (0, b"hi\n")
        assert failure(*arguments)
    assert "client@test.example" in str(names)


def test_credentials_in_the_clear_are_warned_of() -> None:
    assert "unencrypted" in failure("ws://no-such-host.invalid/", "--user", "a:b")


# ------------------------------------------------------------------------------------------------------ odd shells


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "< /dev/null"])
def test_streams_that_are_closed_or_odd(server: Echo, closing: str) -> None:
    shell = f"{sys.executable} -m wsproto_cli connect {server.uri} --wait 0.2 {closing}"
    done = subprocess.run(
        ["sh", "-c", shell], input=b"hi\n", capture_output=True, timeout=PATIENCE, check=False, env=environment()
    )
    assert done.returncode == 0
    assert done.stderr == b""


def test_a_reader_that_has_had_enough(server: Echo) -> None:
    shell = f"(echo one; echo two; echo three; cat) | {sys.executable} -m wsproto_cli connect {server.uri} | head -n 1"
    with subprocess.Popen(["sh", "-c", shell], stdin=subprocess.PIPE, stdout=-1, stderr=-1, env=environment()) as done:
        assert done.stdout is not None
        assert done.stdout.readline() == b"one\n"
        assert done.stdin is not None
        done.stdin.close()
        assert done.wait(PATIENCE) == 0
        assert done.stderr is not None
        assert done.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_an_output_that_is_full_is_told(server: Echo) -> None:
    shell = f"{sys.executable} -m wsproto_cli connect {server.uri} > /dev/full"
    done = subprocess.run(
        ["sh", "-c", shell], input=b"hi\n", capture_output=True, timeout=PATIENCE, check=False, env=environment()
    )
    assert done.returncode == 1
    assert b"cannot write to standard output" in done.stderr


def test_a_reader_that_pauses_does_not_end_the_connection() -> None:
    """While nobody takes what is printed, pings are answered: the server goes on believing in the client."""
    alive = threading.Event()

    def handler(ws: ServerConnection) -> None:
        for _ in range(4):
            ws.send("x" * 500_000)
        if ws.ping().wait(PATIENCE):
            alive.set()

    with stranger(handler) as uri:
        command = [*COMMAND, "connect", uri, "--wait", "none"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment()) as done:
            assert alive.wait(PATIENCE)
            assert done.stdout is not None
            assert len(done.stdout.read()) == 4 * 500_001
            assert done.wait(PATIENCE) == 0

"""`wsproto fuzz`: a server and a client tested from end to end, what is written, and what the shell gets to see."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import ssl
from functools import partial
from pathlib import Path

import pytest
import trustme
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.cli.kit import echo, environment, running, stranger, terminal, wsproto
from tests.fuzz.clients import ours, visit
from wsproto_cli import main

#: A few quick cases for both sides.
FEW = ("--only", "ping.1")


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["fuzz", *arguments]) == 2
    return capsys.readouterr().err.splitlines()[-1]


# --- a server ---------------------------------------------------------------------------------------------------------


def test_a_server_that_conforms(tmp_path: Path) -> None:
    with echo() as server:
        done = wsproto("fuzz", "server", server.uri, *FEW, "--agent", "our echo", "--report", str(tmp_path / "report"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("our echo (server), ")
    assert lines[-2:] == ["✓ conforms", f"report: {tmp_path / 'report' / 'index.html'}"]
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"index.html", "junit.xml", "our-echo.json"}
    assert {
        result["group"] for result in json.loads((tmp_path / "report" / "our-echo.json").read_text())["results"]
    } == {"ping"}


def mute(ws: ServerConnection) -> None:
    """A server that never echoes."""
    for _ in ws:
        pass


def test_a_server_that_does_not() -> None:
    with stranger(mute) as uri:
        done = wsproto("fuzz", "server", uri, "--only", "framing.1.1", "--patience", "0.2")
    assert done.returncode == 1, done.stderr
    assert f"{uri} (server), 1 case, " in done.stdout.decode()
    assert "✗ 1 case failed" in done.stdout.decode()
    assert "✗ framing.1.1" in done.stderr.decode()
    assert "wsproto fuzz server URL --only framing.1.1" in done.stdout.decode()


def test_in_a_terminal_there_is_a_bar() -> None:
    with echo() as server, terminal("fuzz", "server", server.uri, *FEW) as window:
        window.until(r"█ *\d+/\d+  ping")
        window.until("conforms")
        assert window.wait() == 0


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = wsproto("fuzz", "server", f"ws://127.0.0.1:{port}/", *FEW)
    assert done.returncode == 2
    assert done.stderr.decode() == f"wsproto: cannot connect to ws://127.0.0.1:{port}/: Connection refused\n"


def test_generated_cases_follow_from_their_seed(tmp_path: Path) -> None:
    with echo() as server:
        for name in ("a", "b"):
            done = wsproto(
                *("fuzz", "server", server.uri, "--only", "ping.1.1", "--examples", "5", "--seed", "7"),
                *("--agent", name, "--report", str(tmp_path)),
            )
            assert done.returncode == 0, done.stdout + done.stderr
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("a", "b"))
    assert first["seed"] == 7
    assert len(first["results"]) == 6
    assert [result["title"] for result in first["results"]] == [result["title"] for result in second["results"]]


def shouting(ws: ServerConnection) -> None:
    """A server that adds to texts of three characters and more."""
    with contextlib.suppress(ConnectionClosed):
        for message in ws:
            ws.send(message if isinstance(message, bytes) or len(message) < 3 else f"{message}!")


def test_the_shortest_failure_is_looked_for_and_can_be_played_again() -> None:
    chosen = ("--only", "generated.talk", "--examples", "20", "--seed", "7")
    with stranger(shouting) as uri:
        done = wsproto("fuzz", "server", uri, *chosen)
        shown = done.stdout.decode()
        assert done.returncode == 1, shown
        assert "The shortest conversation found that fails (seed 7):" in shown
        again = re.search(r"wsproto (fuzz server) URL (--only generated\.talk\.\d+ --examples 20 --seed 7)", shown)
        assert again
        assert "✗ 1 case failed" in wsproto(*again[1].split(), uri, *again[2].split()).stdout.decode()


# --- a client ---------------------------------------------------------------------------------------------------------


def test_a_client_that_conforms(tmp_path: Path) -> None:
    with running("fuzz", "client", "--port", "0", *FEW, "--report", str(tmp_path)) as tester:
        base = tester.stdout.until(r"^listening on (ws://127\.0\.0\.1:\d+)/$")[1]
        assert str(asyncio.run(visit(base, "ours", ours))).startswith("conforms: ")
        assert tester.wait() == 0
        assert "✓ conforms" in tester.stdout.text()
    assert json.loads((tmp_path / "ours.json").read_text())["side"] == "client"


def test_a_client_over_tls(tmp_path: Path) -> None:
    authority, trusting = trustme.CA(), ssl.create_default_context()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.configure_trust(trusting)
    few = ("--only", "ping.1.1", "--only", "tls.4")
    with running("fuzz", "client", "--port", "0", *few, "--ssl-cert", str(tmp_path / "server.pem")) as tester:
        port = tester.stdout.until(r"^listening on wss://127\.0\.0\.1:(\d+)/$")[1]
        told = asyncio.run(visit(f"wss://localhost:{port}", "ours", partial(ours, context=trusting)))
        assert told == "conforms: 2 pass"
        assert tester.wait() == 0


def test_a_client_that_does_not_come_for_its_cases() -> None:
    with running("fuzz", "client", "--port", "0", *FEW) as tester:
        base = tester.stdout.until(r"^listening on (ws://127\.0\.0\.1:\d+)/$")[1]
        asyncio.run(ours(f"{base}/done?agent=lazy"))
        assert tester.wait() == 1


def test_forever_goes_on_until_ctrl_c_and_reports_on_all(tmp_path: Path) -> None:
    with running("fuzz", "client", "--port", "0", "--forever", *FEW, "--report", str(tmp_path)) as tester:
        base = tester.stdout.until(r"^listening on (ws://127\.0\.0\.1:\d+)/$")[1]
        for agent in ("a", "b"):
            asyncio.run(visit(base, agent, ours))
            tester.stdout.until(rf"^{agent} \(client\)")
        asyncio.run(ours(f"{base}/case?n=1&agent=unfinished"))
        tester.signal(signal.SIGINT)
        assert tester.wait() == 130
    assert {path.name for path in tmp_path.iterdir()} >= {"index.html", "a.json", "b.json"}


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = wsproto("fuzz", "client", "--port", str(port), *FEW)
    assert done.returncode == 2
    assert done.stderr.decode() == f"wsproto: cannot listen at 127.0.0.1:{port}: Address already in use\n"


# --- several runs -----------------------------------------------------------------------------------------------------


def test_several_runs_become_one_page(tmp_path: Path) -> None:
    with echo() as server:
        for name in ("one", "two"):
            wsproto("fuzz", "server", server.uri, *FEW, "--agent", name, "--report", str(tmp_path / name))
    files = [str(tmp_path / name / f"{name}.json") for name in ("one", "two")]
    done = wsproto("fuzz", "report", *files, "--report", str(tmp_path / "both"))
    assert (done.returncode, done.stderr) == (0, b"")
    page = (tmp_path / "both" / "index.html").read_text(encoding="utf-8")
    assert "2 implementations" in page


# --- the command line -------------------------------------------------------------------------------------------------

URI = "ws://127.0.0.1:9/"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "ACTION"),
        (["server"], "URL"),
        (["server", "http://x/"], "argument URL: uri must begin with ws:// or wss://"),
        (["server", URI, "--jobs", "0"], "argument --jobs:"),
        (["server", URI, "--patience", "0"], "argument --patience:"),
        (["server", URI, "--only", "x"], "argument --only: group must be one of framing, "),
        (["server", URI, "--only", "generated"], "argument --only: there is no case 'generated' without examples"),
        (["server", URI, "--only", "ping.99"], "argument --only: there is no case 'ping.99'"),
        (["server", URI, "--only", "ping.1", "--report", f"{__file__}/x"], "argument --report:"),
        (["client", "--port", "x"], "argument --port:"),
        (["client", "--ssl-key", "x"], "argument --ssl-key: needs --ssl-cert"),
        (["client", "--ssl-cert", __file__], "argument --ssl-cert"),
        (["report", "--report", "x"], "FILE"),
        (["report", __file__], "--report"),
    ],
)
def test_a_command_line_that_makes_no_sense(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in usage_error(capsys, *arguments)


def test_a_file_that_is_no_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert f"argument FILE: {__file__}: " in usage_error(capsys, "report", __file__, "--report", str(tmp_path))
    assert "No such file" in usage_error(capsys, "report", str(tmp_path / "x.json"), "--report", str(tmp_path))


def test_examples_without_hypothesis(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_cli.fuzzing.find_spec", lambda name: None)
    words = usage_error(capsys, "server", URI, *FEW, "--examples", "5")
    assert words.endswith("argument --examples: hypothesis is not installed; pip install 'wsproto-core[fuzz]'")
    assert "Connection refused" in usage_error(capsys, "server", URI, *FEW)


def test_a_terminal_without_the_signs_gets_others() -> None:
    with echo() as server:
        done = wsproto("fuzz", "server", server.uri, *FEW, env=environment(PYTHONIOENCODING="ascii"))
    assert done.returncode == 0
    assert done.stdout.endswith(b"? conforms\n")

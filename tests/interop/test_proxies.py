"""Every adapter through real proxies, to a server that tells where its clients come from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.adapters.sockets_kit import free_port, url
from tests.interop.peers import Papers
from tests.interop.proxies import EXIT, Running, behind_tls, socks_proxy, tiny_proxy
from tests.interop.runtimes import Runtime
from wsproto_core import BasicCredentials, ConnectionClosedError, ConnectionTimeout, Proxy, ProxyFailed, Timeouts
from wsproto_sockets import WebSocket, serve

#: tinyproxy's configuration has no words for stranger ones than that of HTTP.
PASSWORDS = {"http": "s.cr-t", "https": "s.cr-t", "socks5": "s:cr@t é"}
#: The ways to a server: the scheme of the proxy, and whether it asks who is there.
WAYS = [("http", False), ("http", True), ("https", True), ("socks5", False), ("socks5", True)]

every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0] + "-account" * way[1])
security = pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])

Way = tuple[str, bool]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, papers: Papers) -> Iterator[dict[Way, int]]:
    """A proxy for each of the ``WAYS``."""
    folder, account = tmp_path_factory.mktemp("proxies"), ("-u", "ann", "-P", PASSWORDS["socks5"])
    with ExitStack() as stack:
        guarded = stack.enter_context(tiny_proxy(folder, f"BasicAuth ann {PASSWORDS['http']}"))
        yield {
            ("http", False): stack.enter_context(tiny_proxy(folder)).port,
            ("http", True): guarded.port,
            ("https", True): stack.enter_context(behind_tls(guarded, papers.server())),
            ("socks5", False): stack.enter_context(socks_proxy()).port,
            ("socks5", True): stack.enter_context(socks_proxy(*account)).port,
        }


@pytest.fixture(scope="module")
def uris(papers: Papers) -> Iterator[dict[bool, str]]:
    """Where a server listens, without and with TLS. It tells a client where that comes from, and echoes."""

    def handler(ws: WebSocket) -> None:
        ws.send(ws.remote_address[0])
        for message in ws:
            ws.send(message)

    with serve(handler, "127.0.0.1", 0) as plain, serve(handler, "127.0.0.1", 0, ssl=papers.server()) as secure:
        yield {False: url(plain), True: url(secure, secure=True)}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, papers: Papers) -> None:
    """No proxy but a test's own; and the system trusts our authority, because a proxy is verified with the system's."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    (tmp_path / "authority.pem").write_text(papers.authority_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


def address(way: Way, port: int, password: str | None = None) -> str:
    """The URI of a proxy, with its own password or with another."""
    scheme, has_account = way
    account = f"ann:{quote(PASSWORDS[scheme] if password is None else password, safe='')}@" if has_account else ""
    return f"{scheme}://{account}127.0.0.1:{port}"


async def origin(runtime: Runtime, uri: str, **options: Any) -> str:
    """Where the server sees a client come from, whose messages it echoes."""
    async with runtime.connect(uri, **options) as ws:
        where: str = await ws.recv()
        for message in ("héllo", bytes(range(256)) * 400):
            await ws.send(message)
            assert await ws.recv() == message
    assert ws.close_report.ok
    return where


async def failure(runtime: Runtime, proxy: str | Proxy, uri: str = "ws://127.0.0.1/") -> ProxyFailed:
    with pytest.raises(ProxyFailed) as caught:
        await origin(runtime, uri, proxy=proxy)
    return caught.value


# --- through ----------------------------------------------------------------------------------------------------------


@security
@every_way
async def test_through(runtime: Runtime, way: Way, secure: bool, ports: dict[Way, int], uris: dict[bool, str]) -> None:
    assert await origin(runtime, uris[secure], proxy=address(way, ports[way])) == EXIT


@every_way
async def test_the_proxy_looks_the_name_up(
    runtime: Runtime, way: Way, ports: dict[Way, int], uris: dict[bool, str]
) -> None:
    uri = uris[True].replace("127.0.0.1", "localhost")
    assert await origin(runtime, uri, proxy=address(way, ports[way])) == EXIT


async def test_a_proxy_as_an_object(runtime: Runtime, ports: dict[Way, int], uris: dict[bool, str]) -> None:
    credentials = BasicCredentials("ann", PASSWORDS["http"])
    proxy = Proxy("http", "127.0.0.1", ports["http", True], credentials)
    assert await origin(runtime, uris[False], proxy=proxy) == EXIT


# --- the environment --------------------------------------------------------------------------------------------------


@security
@pytest.mark.parametrize(
    ("variable", "way"),
    [
        ("{scheme}_proxy", ("http", True)),
        ("https_proxy", ("https", True)),
        ("HTTPS_PROXY", ("http", False)),
        ("all_proxy", ("socks5", True)),
    ],
    ids=str,
)
async def test_a_proxy_of_the_environment(
    runtime: Runtime,
    variable: str,
    way: Way,
    secure: bool,
    ports: dict[Way, int],
    uris: dict[bool, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable.format(scheme="wss" if secure else "ws"), address(way, ports[way]))
    assert await origin(runtime, uris[secure], proxy=True) == EXIT
    assert await origin(runtime, uris[secure]) == "127.0.0.1"
    monkeypatch.setenv("no_proxy", "example.org, 127.0.0.0/8")
    assert await origin(runtime, uris[secure], proxy=True) == "127.0.0.1"


async def test_no_proxy_in_the_environment(runtime: Runtime, uris: dict[bool, str]) -> None:
    assert await origin(runtime, uris[False], proxy=True) == "127.0.0.1"


# --- refusals ---------------------------------------------------------------------------------------------------------


async def test_an_http_proxy_wants_credentials(runtime: Runtime, ports: dict[Way, int]) -> None:
    error = await failure(runtime, address(("http", False), ports["http", True]))
    assert error.status == 407


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_http_proxy_refuses_a_password(runtime: Runtime, scheme: str, ports: dict[Way, int]) -> None:
    error = await failure(runtime, address((scheme, True), ports[scheme, True], "wrong"))
    assert error.status == 401  # which is what tinyproxy says to a wrong password
    assert "wrong" not in str(error)


async def test_a_socks_proxy_wants_credentials(runtime: Runtime, ports: dict[Way, int]) -> None:
    error = await failure(runtime, address(("socks5", False), ports["socks5", True]))
    assert "wants credentials" in str(error)


async def test_a_socks_proxy_refuses_a_password(runtime: Runtime, ports: dict[Way, int]) -> None:
    error = await failure(runtime, address(("socks5", True), ports["socks5", True], "wr ng"))
    assert "refused the credentials" in str(error)
    assert "wr ng" not in str(error)


@every_way
async def test_a_server_that_is_not_there(runtime: Runtime, way: Way, ports: dict[Way, int]) -> None:
    error = await failure(runtime, address(way, ports[way]), f"ws://127.0.0.1:{free_port()}/")
    assert error.status == (None if way[0] == "socks5" else 500)
    assert way[0] != "socks5" or "connection refused" in str(error)


async def test_a_server_that_the_rules_forbid(runtime: Runtime, tmp_path: Path, uris: dict[bool, str]) -> None:
    with tiny_proxy(tmp_path, "ConnectPort 443") as proxy:
        error = await failure(runtime, address(("http", False), proxy.port), uris[True])
    assert error.status == 403


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_that_is_not_there(runtime: Runtime, scheme: str) -> None:
    error = await failure(runtime, address((scheme, False), free_port()))
    assert error.status is None
    assert "cannot be used" in str(error)


async def test_a_proxy_that_nobody_vouches_for(
    runtime: Runtime, ports: dict[Way, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    error = await failure(runtime, address(("https", True), ports["https", True]))
    assert "certificate verify failed" in str(error)


# --- proxies in trouble -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["http", "socks5"])
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Running, str]]:
    """A proxy of one test's own, and its address."""
    with tiny_proxy(tmp_path) if request.param == "http" else socks_proxy() as proxy:
        yield proxy, address((request.param, False), proxy.port)


@security
async def test_a_proxy_that_dies(
    runtime: Runtime, mortal: tuple[Running, str], secure: bool, uris: dict[bool, str]
) -> None:
    proxy, where = mortal
    async with runtime.connect(uris[secure], proxy=where) as ws:
        assert await ws.recv() == EXIT
        proxy.kill()
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
        report = await ws.wait_closed()
    assert (report.code, report.received_code, report.clean) == (1006, None, False)


async def test_a_proxy_that_hangs(runtime: Runtime, mortal: tuple[Running, str], uris: dict[bool, str]) -> None:
    proxy, where = mortal
    proxy.hang()
    with pytest.raises(ConnectionTimeout):
        await origin(runtime, uris[False], proxy=where, timeouts=Timeouts(opening_timeout=0.3))

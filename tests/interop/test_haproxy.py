"""Every adapter's servers behind a real HAProxy that tells who its clients are."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.peers_kit import connecting, log_lines, on_every_stage, serving
from tests.adapters.stages.base import Stage
from tests.interop.proxies import EXIT, balancer

VERSIONS = {"version 1": "send-proxy", "version 2": "send-proxy-v2 proxy-v2-options crc32c"}


async def tell(peer: Any) -> None:
    """Say who comes from where, and through what, as the proxy tells it; then send back what comes."""
    assert peer.proxied is not None
    await peer.send(f"{peer.remote_address} {peer.proxied.destination}")
    async for message in peer:
        await peer.send(message)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("settings", VERSIONS.values(), ids=VERSIONS.keys())
@pytest.mark.timeout(60)
@on_every_stage()
async def test_the_client_is_who_haproxy_says(stage: Stage, settings: str, secure: bool, tmp_path: Path) -> None:
    here, there = (stage.server_tls, stage.client_tls) if secure else (None, None)
    scheme = "wss" if secure else "ws"
    async with serving(stage, "serve", tell, proxied_by=[EXIT], ssl=here) as server:
        with balancer(tmp_path, server.port, settings) as proxy:
            async with connecting(stage, "connect", f"{scheme}://127.0.0.1:{proxy.port}/", ssl=there) as ws:
                assert await ws.recv() == f"{ws.local_address} {ws.remote_address}"
                large = bytes(range(256)) * 1000
                await ws.send(large)
                assert await ws.recv() == large


@pytest.mark.timeout(60)
@on_every_stage()
async def test_health_checks_are_nobodys_business(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """HAProxy introduces itself (LOCAL), and leaves."""
    caplog.set_level(logging.DEBUG)
    settings = f"{VERSIONS['version 2']} check check-send-proxy inter 10ms"
    async with serving(stage, "serve_tcp", tell, proxied_by=[EXIT]) as server:
        with balancer(tmp_path, server.port, settings) as proxy:
            await stage.until(lambda: len(log_lines(caplog, logging.DEBUG)) > 3)
            async with connecting(stage, "connect_tcp", "127.0.0.1", proxy.port) as peer:
                assert await peer.recv() == f"{peer.local_address} {peer.remote_address}".encode()
    assert not log_lines(caplog, logging.WARNING)

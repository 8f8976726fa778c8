"""Every adapter of this project plays every case of the adapter kit that its runtime makes possible."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.stages import STAGES
from tests.adapters.stages.base import PATIENCE, Stage
from wsproto_core.testing import Ability, AdapterCase, adapter_cases

PLAYED = [
    pytest.param(kind, case, id=f"{kind.name}-{case}")
    for kind in STAGES
    for case in adapter_cases()
    if not case.missing(kind(is_timed=case.is_timed))
]


@pytest.mark.parametrize(("kind", "case"), PLAYED)
def test_case(kind: type[Stage], case: AdapterCase) -> None:
    kind(is_timed=case.is_timed).play(case)


@pytest.mark.parametrize("kind", [kind for kind in STAGES if kind.has_virtual_clock], ids=lambda kind: kind.name)
def test_a_virtual_clock_stands_still_while_an_address_is_looked_up(
    kind: type[Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = kind(is_timed=True)
    monkeypatch.setattr(socket, "getaddrinfo", slowed(socket.getaddrinfo))

    async def look_up(_: object) -> None:
        since = stage.now()
        async with stage.serve(nobody):
            assert stage.now() == since

    stage.perform(look_up)


def slowed(look_up: Callable[..., Any]) -> Callable[..., Any]:
    """As on a machine that has much to do."""

    def look_up_slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(4 * PATIENCE)
        return look_up(*args, **kwargs)

    return look_up_slowly


async def nobody(_: object) -> None:
    """Nobody comes."""


@pytest.mark.parametrize("kind", STAGES, ids=lambda kind: kind.name)
def test_only_cancellation_and_workers_are_beyond_blocking_sockets(kind: type[Stage]) -> None:
    missing = {ability for case in adapter_cases() for ability in case.missing(kind(is_timed=case.is_timed))}
    assert missing == ({Ability.CANCEL, Ability.WORKERS} if kind.name == "sockets" else set())

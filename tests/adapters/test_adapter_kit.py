"""Every adapter of this project plays every case of the adapter kit that its runtime makes possible."""

from __future__ import annotations

import pytest

from tests.adapters.stages import STAGES
from tests.adapters.stages.base import Stage
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


@pytest.mark.parametrize("kind", STAGES, ids=lambda kind: kind.name)
def test_only_cancellation_and_workers_are_beyond_blocking_sockets(kind: type[Stage]) -> None:
    missing = {ability for case in adapter_cases() for ability in case.missing(kind(is_timed=case.is_timed))}
    assert missing == ({Ability.CANCEL, Ability.WORKERS} if kind.name == "sockets" else set())

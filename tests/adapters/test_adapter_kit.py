"""Every adapter of this project plays every case of the adapter kit."""

from __future__ import annotations

import pytest

from tests.adapters.stages import STAGES
from tests.adapters.stages.base import Stage
from wsproto_core.testing import AdapterCase, adapter_cases

#: Faults that the kit has found. Whoever mends one deletes its line.
KNOWN_FAULTS = {
    ("asyncio", "the peer does not wait for our close frame, as a server"): "write_eof() raises the OSError of a reset",
    ("asyncio", "we close a broken connection, as a client"): "it goes on writing to a transport that is closing",
    ("asyncio", "we close a broken connection, as a server"): "it goes on writing to a transport that is closing",
    ("anyio on asyncio", "a block is cancelled"): "the close frame is lost when the cancellation reaches send() first",
}


@pytest.mark.parametrize("case", adapter_cases(), ids=str)
@pytest.mark.parametrize("kind", STAGES, ids=lambda kind: kind.name)
def test_case(kind: type[Stage], case: AdapterCase) -> None:
    stage = kind(is_timed=case.is_timed)
    if missing := case.missing(stage):
        pytest.skip(f"{kind.name} cannot: {', '.join(ability.value for ability in missing)}")
    if reason := KNOWN_FAULTS.get((kind.name, case.name)):
        pytest.xfail(reason)
    stage.play(case)

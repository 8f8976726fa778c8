"""What once failed, or is worth keeping, shrunk: every file of the corpus says all that happens in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wsproto_core.testing import load_script, run_script, save_script

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_kept_goes_as_it_is_written(path: Path) -> None:
    """A story that is not written down yet only has to end well; `tools/scenarios.py --renew` writes it."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    script = load_script(data["script"])
    assert data["about"]
    assert save_script(script) == data["script"]
    assert str(run_script(script)).splitlines() == data["story"] or not data["story"]


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) > 20

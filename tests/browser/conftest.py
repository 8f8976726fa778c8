"""A headless Chromium for the browser tests, or the reason why there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.browser.devtools import chromium
from tools.prepare_peers import BROWSERS, in_ci, recorded_reason


@pytest.fixture(scope="session")
def browser_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DevTools endpoint of a Chromium with an empty profile; it ends with the session."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        reason = f"no Chromium: {recorded_reason('chromium') or 'run `make prepare`'}"
        if in_ci():
            pytest.fail(reason)
        pytest.skip(reason)
    with chromium(program, tmp_path_factory.mktemp("chromium")) as uri:
        yield uri

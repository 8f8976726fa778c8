"""The client in JavaScript that the documentation gives plays the protocol; the one in Python is run with its page."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.kit import PATIENCE, running
from tests.docs.pages import DOCS, blocks
from tests.interop.requirements import require
from tools.prepare_peers import NODE_FOLDER

PACKAGES = NODE_FOLDER / "node_modules"


@pytest.mark.interop
def test_the_node_client_of_the_documentation_conforms(tmp_path: Path) -> None:
    require("ws", bool(shutil.which("node")) and (PACKAGES / "ws").exists())
    (program,) = (block.text for block in blocks(DOCS / "howto" / "test-a-client.md") if block.language == "js")
    with running("fuzz", "client", "--port", "0", "--only", "ping.1", "--only", "framing.1") as tester:
        port = tester.stdout.until(r"^listening on ws://127\.0\.0\.1:(\d+)/$")[1]
        script = tmp_path / "client.js"
        script.write_text(program.replace("8765", port), encoding="utf-8")
        environment = {**os.environ, "NODE_PATH": str(PACKAGES)}
        done = subprocess.run(
            ["node", str(script)], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        assert done.stdout.startswith("conforms: ")
        assert tester.wait() == 0

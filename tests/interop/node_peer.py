"""Node's ``ws``, in processes of its own that tell what happens in lines of JSON."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

from tests.interop.kit import Ending
from tests.interop.peers import EVIL, MAX_SIZE, REFUSAL, Opening, Papers, Peer, Refused, Served, Visit
from tests.interop.requirements import require
from tools.prepare_peers import NODE_FOLDER
from wsproto_core import PerMessageDeflate

__all__ = ["Ws"]

#: Seconds that a script may take.
PATIENCE = 50.0


class Ws(Peer):
    name = "ws"

    def require(self) -> None:
        require("ws", bool(shutil.which("node")) and (NODE_FOLDER / "node_modules" / "ws").exists())

    @contextlib.contextmanager
    def serve(self, deflate: PerMessageDeflate | None = None, papers: Papers | None = None) -> Iterator[Served]:
        arguments = {
            "options": {"perMessageDeflate": parameters(deflate), "maxPayload": MAX_SIZE},
            "papers": papers and papers.server_pems,
            "refusal": {"origin": EVIL, "body": REFUSAL},
        }
        command = ["node", "server.js", json.dumps(arguments)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=NODE_FOLDER, stdin=pipe, stdout=pipe) as process:
            try:
                assert process.stdout is not None
                port = json.loads(process.stdout.readline())["port"]
                served = Served(f"{'wss' if papers else 'ws'}://127.0.0.1:{port}/")
                yield served
                output, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        assert process.returncode == 0
        served.endings += [Ending(**json.loads(line)) for line in output.splitlines()]

    def visit(self, uri: str, plan: Visit) -> tuple[Opening, Ending]:
        arguments = {
            "url": uri,
            "subprotocols": ["x", "chat"],
            "options": {
                "perMessageDeflate": parameters(plan.deflate),
                "maxPayload": MAX_SIZE,
                **({"ca": plan.papers.authority_pem} if plan.papers else {}),
            },
            "sizes": plan.sizes,
            "goodbye": plan.goodbye,
        }
        command = ["node", "client.js"]
        given, pipe = json.dumps(arguments).encode(), subprocess.PIPE
        done = subprocess.run(command, cwd=NODE_FOLDER, input=given, stdout=pipe, timeout=PATIENCE, check=True)
        first, *others = map(json.loads, done.stdout.splitlines())
        if not others:
            raise Refused(**first)
        opening = Opening(first["subprotocol"], "permessage-deflate" in first["extensions"])
        (ending,) = others
        return opening, Ending(**ending)


def parameters(deflate: PerMessageDeflate | None) -> dict[str, Any] | bool:
    """The same in its words. What is not asked for is left out: ``false`` would forbid it."""
    if deflate is None:
        return False
    everything = {
        "serverNoContextTakeover": deflate.server_no_context_takeover or None,
        "clientNoContextTakeover": deflate.client_no_context_takeover or None,
        "serverMaxWindowBits": deflate.server_max_window_bits if deflate.server_max_window_bits != 15 else None,
        "clientMaxWindowBits": deflate.client_max_window_bits if deflate.client_max_window_bits != 15 else None,
        "threshold": deflate.threshold,
    }
    return {name: value for name, value in everything.items() if value is not None}

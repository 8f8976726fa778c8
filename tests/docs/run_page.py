"""Run the snippets of one page: `python tests/docs/run_page.py PAGE`, in an empty folder. Fails where a snippet does.

Every `8765` of a page becomes a port that is free. Hidden blocks have helpers: `start(name)` runs a saved file as
a program until the page ends and returns once it listens on that port (`listens=False`: at once), and `await run(name,
input="")` runs one to its end and returns what it printed. `printed` holds what `print` was given in the session.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.docs.pages import Block, blocks  # noqa: E402  (the line above is what makes it importable)

PORT = "8765"
PROGRAM_TIMEOUT = 20.0


class Session:
    """The run of one page."""

    def __init__(self, page: Path) -> None:
        # Kept to the end, and never listening: whoever shares addresses, as servers do, can still bind to it, and the
        # system gives the port to nobody else.
        self._reservation = self._bound(0)
        self.port = int(self._reservation.getsockname()[1])
        self.blocks = blocks(page)
        module = types.ModuleType("page")  # dataclasses look their module up
        sys.modules["page"] = module
        self.names = vars(module)
        self.printed: list[str] = []
        self.names.update(start=self.start, run=self.run, print=self.print, printed=self.printed)
        self.saved: set[str] = set()
        self.programs: list[subprocess.Popen[str]] = []

    async def play(self) -> None:
        """Every python block in its order. Raises what a snippet raises."""
        try:
            for block in self.blocks:
                if block.language == "python":
                    await self.block(block)
        finally:
            for program in self.programs:
                program.kill()
                program.wait()
                if program.stdout is not None:
                    program.stdout.close()
            self._reservation.close()
        if self.saved:
            raise AssertionError(f"saved, but never run: {', '.join(sorted(self.saved))}")

    async def block(self, block: Block) -> None:
        text = block.text.replace(PORT, str(self.port))
        code = compile(
            "\n" * (block.line - 1) + text,
            str(block.page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        if block.kind == "file":
            Path(block.argument).write_text(text, encoding="utf-8")
            self.saved.add(block.argument)
        elif block.kind != "not run":
            result = types.FunctionType(code, self.names)()
            if inspect.iscoroutine(result):
                await result

    def start(self, name: str, *, listens: bool = True) -> subprocess.Popen[str]:
        """Run a saved program until the page ends."""
        self.saved.discard(name)
        program = subprocess.Popen([sys.executable, "-u", name], text=True, stdout=subprocess.PIPE)
        self.programs.append(program)
        give_up = time.monotonic() + PROGRAM_TIMEOUT
        while listens and not self._listens():
            if program.poll() is not None or time.monotonic() > give_up:
                raise AssertionError(f"{name} does not listen")
            time.sleep(0.02)
        return program

    async def run(self, name: str, input: str = "") -> str:
        """Run a saved program to its end; what it printed."""
        self.saved.discard(name)
        done: subprocess.CompletedProcess[str] = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", name],
            input=input,
            text=True,
            stdout=subprocess.PIPE,
            timeout=PROGRAM_TIMEOUT,
            check=True,
        )
        return done.stdout

    def print(self, *values: object) -> None:
        self.printed.append(" ".join(map(str, values)))

    def _listens(self) -> bool:
        """Whether something is bound to the port; connecting would use up a server that takes one client only."""
        try:
            self._bound(self.port).close()
        except OSError:
            return True
        return False

    def _bound(self, port: int) -> socket.socket:
        sock = socket.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return sock


def main(arguments: list[str]) -> None:
    session: Any = Session(Path(arguments[0]).resolve())
    asyncio.run(session.play())


if __name__ == "__main__":
    main(sys.argv[1:])

"""What telling everybody costs: ``benchmarks/broadcast.py [--rounds N] [--seconds S] [--clients N]``.

One of 1 000 clients says something, and the server sends the same 1 KiB of text to all of them, in the way that each
library has for it. ``bare`` writes ready bytes to one transport after the other.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import wire
from bench import Benchmark
from load import Load, put, serving
from servers import available
from wish import NEWS

CASE: Final = "1 KiB to 1 000"
SERVERS: Final = available(
    "bare asyncio", "bare uvloop", "listener asyncio", "listener uvloop", "coroutine asyncio", "coroutine uvloop",
    "picows asyncio", "picows uvloop", "aiohttp asyncio", "aiohttp uvloop", "websockets asyncio", "websockets uvloop",
    "node ws",
)  # fmt: skip
BENCHMARK: Final = Benchmark("broadcast", "ms of server CPU", False, [CASE], SERVERS)


def main() -> None:
    """Measure and report."""
    parser = BENCHMARK.parser(__doc__, seconds=1.0)
    parser.add_argument("--clients", type=int, default=1000, metavar="N", help="how many (%(default)s)")
    options = parser.parse_args()
    BENCHMARK.run(options, lambda _, subject: measured(subject, options.clients, options.seconds))


def measured(subject: str, clients: int, seconds: float) -> tuple[float, dict[str, Any]]:
    """Milliseconds a broadcast. Raises :exc:`Failed`."""
    load = Load(
        "fanout",
        wire.text(1),
        wire.request(),
        connections=clients,
        seconds=seconds,
        shares_core=True,
        answer_size=len(NEWS),
    )
    with serving(subject, "--broadcasts") as server:
        reading = put(load, server)
    return 1000 * reading.server_seconds * clients / reading.messages, asdict(reading)


if __name__ == "__main__":
    main()

"""Who is measured: each in a process of its own, which does one case for each line that it is given.

``python engine_subjects.py SUBJECT`` answers with CPU nanoseconds a message, or ``-`` where it cannot do that.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import zlib
from collections.abc import Awaitable, Callable
from time import process_time_ns
from types import MappingProxyType
from typing import Final, TypeAlias

from engine_cases import CASES, READ_SIZE, Case, DeflateCase, LifeCase
from engine_openings import lives
from native import limit_module
from pair import Engine, connected
from wire import KEY, TAIL

__all__ = ["BATCH", "SUBJECTS", "Work"]

#: Messages that are sent before what there is to write is taken.
BATCH: Final = 64
#: Does all that a case wants, and returns how many messages it was.
Work: TypeAlias = Callable[[], int | Awaitable[int]]


def ours(case: Case) -> Work:
    """Our engine, by the two classes that embedders use."""
    server, client = connected(deflate=case.deflate)
    engine = server if case.role == "server" else client
    return _receiving(engine, case) if case.direction == "receive" else _sending(engine, case)


def _receiving(engine: Engine, case: Case) -> Work:
    reads = case.reads()

    def work() -> int:
        count = 0
        for data in reads:
            count += len(engine.receive_data(data, 1.0))
        return count

    return work


def _sending(engine: Engine, case: Case) -> Work:
    text = case.text

    def work() -> int:
        for index in range(case.count):
            engine.send(text)
            if index % BATCH == BATCH - 1:
                while engine.data_to_send():
                    pass
        while engine.data_to_send():
            pass
        return case.count

    return work


def limit(case: Case) -> Work | None:
    """A bare C extension."""
    if case.deflate:
        return None
    module = limit_module()
    if case.direction == "receive":
        return _limited_receiving(module.decode, case)
    key, encode = KEY if case.role == "client" else None, module.encode
    batch = [case.text] * max(1, min(BATCH, READ_SIZE // case.size))

    def send() -> int:
        for _ in range(0, case.count, len(batch)):
            encode(batch, key)
        return case.count

    return send


def _limited_receiving(decode: Callable[[bytes, list[str | bytes]], int], case: Case) -> Work:
    """In reads that end where frames end: it remembers nothing."""
    frames = case.frames()
    size = max(1, READ_SIZE // len(frames[0])) * len(frames[0])
    stream = b"".join(frames)
    reads = [stream[start : start + size] for start in range(0, len(stream), size)]

    def receive() -> int:
        count = 0
        for data in reads:
            messages: list[str | bytes] = []
            decode(data, messages)
            count += len(messages)
        return count

    return receive


def memcpy(case: Case) -> Work | None:
    """Every payload is copied once, where that says more of the memory than of the interpreter."""
    if case.deflate or case.size < READ_SIZE:
        return None
    stream = memoryview(case.text.encode() * case.count)

    def copy() -> int:
        for start in range(0, len(stream), case.size):
            bytes(stream[start : start + case.size])
        return case.count

    return copy


def bare_zlib(case: Case) -> Work | None:
    """Every payload is inflated and decoded, and nothing else."""
    if not isinstance(case, DeflateCase):
        return None
    payloads = [payload + TAIL for payload in case.payloads()]

    def inflate() -> int:
        decompress = zlib.decompressobj(wbits=-15).decompress
        return sum(1 for payload in payloads if decompress(payload).decode())

    return inflate


#: Each subject: the module and function that make its work, and what its environment says.
SUBJECTS: Final = MappingProxyType(
    {
        "memcpy": ("engine_subjects:memcpy", {}),
        "zlib": ("engine_subjects:bare_zlib", {}),
        "limit": ("engine_subjects:limit", {}),
        "compiled": ("engine_subjects:ours", {}),
        "pure": ("engine_subjects:ours", {"WSPROTO_CORE_PUREPYTHON": "1"}),
        "picows": ("engine_peers:picows", {}),
        "aiohttp": ("engine_peers:aiohttp", {}),
        "aiohttp pure": ("engine_peers:aiohttp", {"AIOHTTP_NO_EXTENSIONS": "1"}),
        "websockets": ("engine_peers:websockets", {}),
        "wsproto": ("engine_peers:wsproto", {}),
    }
)


async def main() -> None:
    """Answer every line. It runs in an event loop because the engines of some libraries want one."""
    subject = sys.argv[1]
    module, _, name = SUBJECTS[subject][0].partition(":")
    make: Callable[[Case], Work | None] = getattr(importlib.import_module(module), name)
    for line in sys.stdin:
        case = CASES[line.strip()]
        work = lives(subject, case) if isinstance(case, LifeCase) else make(case)
        print("-" if work is None else await _measured(work, case), flush=True)


async def _measured(work: Work, case: Case) -> float:
    """The faster of two runs: what came between is the machine's."""
    times = []
    for _ in range(2):
        began = process_time_ns()
        count = work()
        if not isinstance(count, int):
            count = await count
        times.append(process_time_ns() - began)
        assert count == case.count, f"{count} messages instead of {case.count}"
    return min(times) / case.count


if __name__ == "__main__":
    asyncio.run(main())

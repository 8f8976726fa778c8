"""Who is measured: each in a process of its own, which does one case for each line that it is given.

``python engine_subjects.py SUBJECT`` answers with CPU nanoseconds a message.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from time import process_time_ns
from types import MappingProxyType
from typing import Any, Final

from engine_cases import CASES, KEY, Case

from wsproto_core import ClientConnection, Limits, ServerConnection

#: Messages that are sent before what there is to write is taken.
BATCH: Final = 64
Work = Callable[[], int]


def ours(case: Case) -> Work:
    """Our engine, by the two classes that embedders use."""
    server, client = connected()
    engine = server if case.role == "server" else client
    return receiving(engine, case) if case.direction == "receive" else sending(engine, case)


def connected() -> tuple[ServerConnection, ClientConnection]:
    limits = Limits(message_size=None, outbox_size=1 << 30)
    client = ClientConnection("ws://localhost/", entropy=os.urandom, limits=limits, now=0.0)
    server = ServerConnection(limits=limits, now=0.0)
    client.connect()
    for data in client.data_to_send():
        server.receive_data(data, 0.0)
    server.accept()
    for data in server.data_to_send():
        client.receive_data(data, 0.0)
    return server, client


def receiving(engine: ServerConnection | ClientConnection, case: Case) -> Work:
    reads = case.reads()

    def work() -> int:
        count = 0
        for data in reads:
            count += len(engine.receive_data(data, 1.0))
        return count

    return work


def sending(engine: ServerConnection | ClientConnection, case: Case) -> Work:
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


def websockets(case: Case) -> Work | None:
    """The engine of ``websockets``, which has C for masking, by the calls that its own adapters make."""
    from websockets.protocol import CLIENT, SERVER, Protocol

    protocol = Protocol(SERVER if case.role == "server" else CLIENT, max_size=None)
    reads, payload = case.reads(), case.text.encode()

    def receive() -> int:
        count = 0
        for data in reads:
            protocol.receive_data(data)
            for event in protocol.events_received():
                bytes(event.data).decode()  # type: ignore[union-attr]  # every event is a frame
                count += 1
        return count

    def send() -> int:
        for index in range(case.count):
            protocol.send_text(payload)
            if index % BATCH == BATCH - 1:
                protocol.data_to_send()
        protocol.data_to_send()
        return case.count

    return receive if case.direction == "receive" else send


def limit(case: Case) -> Work:
    """A bare C extension, compiled on the spot."""
    module = built_limit()
    if case.direction == "receive":
        reads = case.whole_reads()
        return lambda: sum(len(module.decode(data)) for data in reads)
    text, key, encode = case.text, KEY if case.role == "client" else None, module.encode
    batch = max(1, min(BATCH, 256 * 1024 // case.size))

    def send() -> int:
        for _ in range(0, case.count, batch):
            [encode(text, key) for _ in range(batch)]
        return case.count

    return send


def built_limit() -> Any:
    source = Path(__file__).with_name("limit.c")
    target = Path(os.environ["BENCHMARK_FOLDER"]) / f"limit{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not target.exists():
        include = f"-I{sysconfig.get_path('include')}"
        subprocess.run(["cc", "-O3", "-shared", "-fPIC", include, str(source), "-o", str(target)], check=True)
    spec = importlib.util.spec_from_file_location("limit", target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: Each subject: what makes its work, and what its environment says.
SUBJECTS: Final = MappingProxyType(
    {
        "limit": (limit, {}),
        "compiled": (ours, {}),
        "python": (ours, {"WSPROTO_CORE_PUREPYTHON": "1"}),
        "websockets": (websockets, {}),
    }
)


def main() -> None:
    """Answer every line with CPU nanoseconds a message, or ``-`` where there is nothing to measure."""
    make: Callable[[Case], Work | None] = SUBJECTS[sys.argv[1]][0]
    for line in sys.stdin:
        case = CASES[line.strip()]
        work = make(case)
        print("-" if work is None else measured(work, case), flush=True)


def measured(work: Work, case: Case) -> float:
    """The faster of two runs: what came between is the machine's."""
    times = []
    for _ in range(2):
        began = process_time_ns()
        count = work()
        times.append(process_time_ns() - began)
        assert count == case.count, f"{count} messages instead of {case.count}"
    return min(times) / case.count


if __name__ == "__main__":
    main()

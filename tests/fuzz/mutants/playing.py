"""Playing cases against the reference peer and its mutants, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable

from tests.fuzz.mutants.peers import Parts, echo, serve
from tests.fuzz.mutants.table import Mutant
from wsproto_core import Role
from wsproto_fuzz.conformance.case import Case
from wsproto_fuzz.conformance.cases import all_cases
from wsproto_fuzz.conformance.client import ClientTester
from wsproto_fuzz.conformance.server import ServerOptions, judge_server
from wsproto_fuzz.conformance.verdict import Result

__all__ = ["judge", "judge_mutant", "judge_over_tls", "named_cases"]

#: How many clients there are at the same time.
CLIENTS = 16


async def judge(parts: Parts, side: str, cases: Iterable[Case], patience: float) -> list[Result]:
    """The results of those ``cases`` that are for a server or a client, in their order."""
    if side == Role.SERVER.value:
        async with serve(parts) as port:
            options = ServerOptions(patience=patience)
            run = await judge_server(f"ws://127.0.0.1:{port}/", cases, peer="a server", options=options)
        return list(run.results)
    return await _judge_client(parts, cases, patience)


async def judge_over_tls(parts: Parts, cases: Iterable[Case], context: ssl.SSLContext) -> list[Result]:
    """The same for a server that speaks TLS."""
    async with serve(parts, context) as port:
        return list((await judge_server(f"wss://127.0.0.1:{port}/", cases, peer="a server")).results)


async def judge_mutant(mutant: Mutant, patience: float) -> list[Result]:
    """The results of the cases that are meant for it."""
    return await judge(mutant.parts, mutant.side, named_cases([mutant]), patience)


def named_cases(mutants: Iterable[Mutant]) -> list[Case]:
    """The cases that are meant for any of them."""
    wanted = {case for mutant in mutants for case in mutant.cases}
    return [case for case in all_cases() if case.id in wanted]


async def _judge_client(parts: Parts, cases: Iterable[Case], patience: float) -> list[Result]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with ClientTester(cases, listener, patience=patience) as tester:
            port = listener.getsockname()[1]
            places = asyncio.Semaphore(CLIENTS)

            async def play(target: str) -> None:
                async with places:
                    await echo(parts, port, target)

            async with asyncio.TaskGroup() as group:
                for number in range(1, tester.n_cases + 1):
                    group.create_task(play(f"/case?n={number}&agent=client"))
            await echo(Parts(), port, "/done?agent=client")
            return list((await tester.finished()).results)

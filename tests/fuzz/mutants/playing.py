"""Playing cases against the reference peer and its mutants, over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable

import trustme

from tests.fuzz.mutants.peers import HOST, Parts, echo, serve
from tests.fuzz.mutants.table import Mutant
from wsproto_core import Role
from wsproto_fuzz.conformance.case import Case
from wsproto_fuzz.conformance.cases import all_cases
from wsproto_fuzz.conformance.client import ClientTester
from wsproto_fuzz.conformance.server import ServerOptions, judge_server
from wsproto_fuzz.conformance.verdict import Result

__all__ = ["judge", "judge_mutant", "named_cases"]

#: How many clients there are at the same time.
CLIENTS = 16


async def judge(parts: Parts, side: str, cases: Iterable[Case], patience: float) -> list[Result]:
    """The results of those ``cases`` that are for a server or a client: in their order, those about TLS at the end."""
    chosen = list(cases)
    plain = [case for case in chosen if case.group != "tls"]
    secure = [case for case in chosen if case.group == "tls"]
    judge_those = _judge_server if side == Role.SERVER.value else _judge_client
    results = await judge_those(parts, plain, patience, None) if plain else []
    return results + (await judge_those(parts, secure, patience, Tls()) if secure else [])


async def judge_mutant(mutant: Mutant, patience: float) -> list[Result]:
    """The results of the cases that are meant for it."""
    return await judge(mutant.parts, mutant.side, named_cases([mutant]), patience)


def named_cases(mutants: Iterable[Mutant]) -> list[Case]:
    """The cases that are meant for any of them."""
    wanted = {case for mutant in mutants for case in mutant.cases}
    return [case for case in all_cases() if case.id in wanted]


class Tls:
    """What both sides need for it. A client trusts the server, whatever it calls it."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "127.0.0.1").configure_cert(self.server)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.check_hostname = False
        authority.configure_trust(self.client)


async def _judge_server(parts: Parts, cases: Iterable[Case], patience: float, tls: Tls | None) -> list[Result]:
    options = ServerOptions(patience=patience, ssl=tls.client if tls else None)
    async with serve(parts, tls.server if tls else None) as port:
        uri = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/"
        return list((await judge_server(uri, cases, peer="a server", options=options)).results)


async def _judge_client(parts: Parts, cases: Iterable[Case], patience: float, tls: Tls | None) -> list[Result]:
    client_context = tls.client if tls else None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with ClientTester(cases, listener, patience=patience, ssl=tls.server if tls else None) as tester:
            port = listener.getsockname()[1]
            places = asyncio.Semaphore(CLIENTS)

            async def play(target: str) -> None:
                async with places:
                    await echo(parts, port, target, client_context)

            async with asyncio.TaskGroup() as group:
                for number in range(1, tester.n_cases + 1):
                    group.create_task(play(f"/case?n={number}&agent=client"))
            await echo(Parts(), port, "/done?agent=client", client_context)
            return list((await tester.finished()).results)

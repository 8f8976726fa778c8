"""Tests a server: every case on a connection of its own, many at once."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from wsproto_core import Role, Uri, parse_uri

from .case import Case
from .channel import Channel, SocketChannel, StreamChannel, play
from .conversation import Conversation
from .verdict import Result, Run, Verdict

__all__ = ["CONCURRENCY", "PATIENCE", "Progress", "ServerOptions", "judge_server"]

#: How many cases are played at the same time.
CONCURRENCY: Final = 16

#: Seconds that a peer has for what it ought to do at once.
PATIENCE: Final = 3.0

#: A peer that fails more cases than these fails them for its own reasons.
_MAX_DOUBTS: Final = 32

#: Called after each case with its result, the number of cases done so far and the number of all; and once more for a
#: failure that was not seen again.
Progress: TypeAlias = Callable[[Result, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How to test. ``ssl`` is for ``wss`` URIs; by default the certificate is not checked: it is not what is tested."""

    concurrency: int = CONCURRENCY
    patience: float = PATIENCE
    seed: int = 0
    ssl: ssl.SSLContext | None = None


_DEFAULTS: Final = ServerOptions()


async def judge_server(
    uri: str,
    cases: Iterable[Case],
    *,
    peer: str,
    options: ServerOptions = _DEFAULTS,
    progress: Progress | None = None,
) -> Run:
    """Play every one of ``cases`` that is for servers against the one at ``uri``; results are in the order of cases.

    A failure is played again, alone, and the second verdict counts; not where there are more than 32 of them.

    ``peer`` is how the report calls it. Raises :exc:`ValueError` for a bad URI and :exc:`OSError` if nobody listens
    there to begin with.
    """
    target = parse_uri(uri)
    chosen = [case for case in cases if Role.SERVER in case.peers]
    began, started_at = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    await (await _connect(target, options)).close()
    results = await _Tester(target, options, progress, len(chosen)).play(chosen)
    return Run(
        peer=peer,
        side=Role.SERVER.value,
        began=began,
        duration=time.monotonic() - started_at,
        seed=options.seed,
        results=tuple(results),
    )


class _Tester:
    """Plays cases, at most ``concurrency`` at once."""

    def __init__(self, target: Uri, options: ServerOptions, progress: Progress | None, total: int) -> None:
        self._target = target
        self._options = options
        self._progress = progress
        self._places = asyncio.Semaphore(options.concurrency)
        self._total = total
        self._done = 0

    async def play(self, cases: Sequence[Case]) -> list[Result]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._play_in_turn(case)) for case in cases]
        results = [task.result() for task in tasks]
        if sum(result.verdict is Verdict.FAIL for result in results) > _MAX_DOUBTS:
            return results
        return [await self._confirmed(case, result) for case, result in zip(cases, results, strict=True)]

    async def _confirmed(self, case: Case, result: Result) -> Result:
        """A failure counts if it is seen again, alone: many cases at once can starve a slow peer, or a busy machine."""
        if result.verdict is not Verdict.FAIL:
            return result
        again = await self._play_one(case)
        if again.verdict is not Verdict.FAIL and self._progress is not None:
            self._progress(again, self._done, self._total)
        return again

    async def _play_in_turn(self, case: Case) -> Result:
        async with self._places:
            result = await self._play_one(case)
        self._done += 1
        if self._progress is not None:
            self._progress(result, self._done, self._total)
        return result

    async def _play_one(self, case: Case) -> Result:
        try:
            channel = await _connect(self._target, self._options)
        except OSError as error:
            return case.judged(Verdict.FAIL, f"No connection to the server: {_words(error)}.")
        conversation = Conversation(
            case,
            Role.SERVER,
            time.monotonic(),
            seed=self._options.seed,
            authority=_authority(self._target),
            target=self._target.target,
            is_secure=self._target.secure,
            patience=self._options.patience,
        )
        return await play(channel, conversation)


async def _connect(target: Uri, options: ServerOptions) -> Channel:
    async with asyncio.timeout(options.patience * 3):
        if target.secure:
            context = options.ssl or _careless_context()
            return StreamChannel(*await asyncio.open_connection(target.host, target.port, ssl=context))
        return await _connect_plain(target)


async def _connect_plain(target: Uri) -> SocketChannel:
    """The first address that answers."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    for family, kind, protocol, _, address in addresses[:-1]:
        with suppress(OSError):
            return await _connect_to(family, kind, protocol, address)
    family, kind, protocol, _, address = addresses[-1]
    return await _connect_to(family, kind, protocol, address)


async def _connect_to(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> SocketChannel:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        return SocketChannel(sock)
    except BaseException:
        sock.close()
        raise


def _careless_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _authority(target: Uri) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}"


def _words(error: OSError) -> str:
    """What went wrong. asyncio and uvloop put other words into the error, with an address."""
    return os.strerror(error.errno) if error.errno else type(error).__name__

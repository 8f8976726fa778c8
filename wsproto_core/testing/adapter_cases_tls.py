"""TLS on both sides, with the contexts of the stage."""

from __future__ import annotations

from typing import Any, Final

from .._config import Limits, Timeouts
from .._errors import ConnectionClosedError, ConnectionFailed, ConnectionTimeout, HandshakeRejected
from .._events import CloseReport
from .._types import Initiator, Opcode, Role, Timer
from .adapter_case import Ending, Reports, case, case_of_both_sides
from .adapter_ends import (
    FarEnd,
    address,
    check_elapsed,
    check_elapsed_at_most,
    drain,
    echo,
    far_end,
    listening,
    pair,
    visiting,
)
from .adapter_expect import expect, raises
from .adapter_stage import Ability, AdapterStage, StagePeer

_TLS: Final = (Ability.TLS,)


def _both(stage: AdapterStage, **options: Any) -> dict[str, Any]:
    """The options of a pair over TLS."""
    return {
        "client": {"ssl": stage.client_tls, **options},
        "server": {"ssl": stage.server_tls, **options},
        "scheme": "wss",
    }


@case("messages of every size come back", needs=_TLS, endings=[Ending(Initiator.LOCAL, 1000)])
async def an_echo_over_tls(stage: AdapterStage) -> Reports:
    limits = Limits(message_size=3_000_000)
    async with (
        stage.serve(echo, ssl=stage.server_tls, limits=limits) as server,
        stage.connect(address(server, scheme="wss"), ssl=stage.client_tls, limits=limits) as ws,
    ):
        for message in ("x", "", bytes(100_000), bytes(2_500_000)):
            await ws.send(message)
            expect("the echo", await ws.recv(), message)
        await ws.close()
        return (ws.close_report,)


@case(
    "the closing handshake is the same over TLS",
    needs=_TLS,
    endings=[Ending(Initiator.PEER, 4000, "tschüß"), Ending(Initiator.LOCAL, 4000)],
)
async def the_server_closes_over_tls(stage: AdapterStage) -> Reports:
    async with pair(stage, **_both(stage)) as (here, there):
        await there.close(4000, "tschüß")
        return await here.wait_closed(), there.close_report


@case("TLS knows the limits of the transport's buffers as well", needs=_TLS)
async def backpressure_over_tls(stage: AdapterStage) -> None:
    count = 200

    async def flood() -> None:
        for _ in range(count):
            await there.send(bytes(100_000))

    async with pair(stage, **_both(stage, limits=Limits(outbox_size=200_000, inbox_size=200_000))) as (here, there):
        flooding = stage.spawn(flood)
        await stage.until(lambda: not there.can_send)
        expect("the messages", {len(await here.recv()) for _ in range(count)}, {100_000})
        await flooding.outcome()


@case_of_both_sides(
    "RFC 8446 §6.1: an end without a close_notify is an end as good as any, and without a close frame no ordinary one",
    needs=_TLS,
    secure=True,
    ending=Ending(Initiator.NETWORK, 1006),
)
async def tls_is_truncated(_stage: AdapterStage, far: FarEnd, ws: StagePeer) -> CloseReport:
    await far.send(far.frame(Opcode.TEXT, b"whole"))
    expect("what came before", await ws.recv(), "whole")
    far.stream.end()
    with raises(ConnectionClosedError, "recv() behind the end"):
        await ws.recv()
    return await ws.wait_closed()


@case_of_both_sides(
    "what TLS has to say at the end is bounded as well",
    needs=_TLS,
    secure=True,
    seconds={"closing_timeout": 5},
    ending=Ending(Initiator.LOCAL, 1006, timer=Timer.CLOSING),
)
async def tls_is_never_closed(_stage: AdapterStage, _far: FarEnd, ws: StagePeer) -> CloseReport | None:
    await ws.close()
    return ws.close_report


@case("Timeouts.opening_timeout bounds the handshake of TLS, which a server waits for", needs=_TLS, is_timed=True)
async def a_tls_handshake_never_comes(stage: AdapterStage) -> None:
    timeouts = Timeouts(opening_timeout=5 * stage.second, closing_timeout=5 * stage.second)
    async with stage.serve(drain, ssl=stage.server_tls, timeouts=timeouts) as server:
        began_at = stage.now()
        async with visiting(stage, server.port) as far:
            expect("what a silent visitor hears", await far.rest(), b"")
        check_elapsed(stage, began_at, 5)


@case("Timeouts.opening_timeout bounds the handshake of TLS, which a client waits for", needs=_TLS, is_timed=True)
async def a_tls_handshake_is_never_answered(stage: AdapterStage) -> None:
    async def silent(far: FarEnd) -> None:
        await far.rest()

    async with listening(stage, silent) as port:
        began_at = stage.now()
        with raises(ConnectionTimeout, "connect() to a server that is silent"):
            timeouts = Timeouts(opening_timeout=5 * stage.second)
            async with stage.connect(address(port, scheme="wss"), ssl=stage.client_tls, timeouts=timeouts):
                pass  # pragma: no cover  (it never gets here)
        check_elapsed(stage, began_at, 5)


@case("a client fails where there is no TLS, where the name is another one, and where it trusts nobody", needs=_TLS)
async def tls_that_cannot_be_trusted(stage: AdapterStage) -> None:
    async def fails(port: int, **options: Any) -> None:
        with raises(ConnectionFailed, f"connect() with {options}"):
            async with stage.connect(address(port, scheme="wss"), **options):
                pass  # pragma: no cover  (it never gets here)

    async with stage.serve(drain) as plain:
        await fails(plain.port, ssl=stage.client_tls)
    async with stage.serve(drain, ssl=stage.server_tls) as server:
        await fails(server.port, ssl=stage.client_tls, server_hostname="other.example")
        await fails(server.port)


@case("a handshake of TLS that fails takes no slot, and is no error in the log", needs=_TLS)
async def failed_tls_handshakes_take_no_slot(stage: AdapterStage) -> None:
    async with stage.serve(echo, ssl=stage.server_tls, max_connections=2) as server:
        for visit in (b"", b"GET / HTTP/1.1\r\n\r\n") * 4:
            async with visiting(stage, server.port) as far:
                await far.send(visit)
                far.stream.end()
                await far.rest()
        heard: object = None
        while heard is None:
            try:
                async with stage.connect(address(server, scheme="wss"), ssl=stage.client_tls) as ws:
                    await ws.send("x")
                    heard = await ws.recv()
            except HandshakeRejected:  # pragma: no cover  (the last visitor may hear of its end before it is counted)
                await stage.sleep(0)
        expect("the echo", heard, "x")


@case("who has connected and begun no TLS when the server closes is dropped soon, and does not hold it up", needs=_TLS)
async def the_server_closes_before_a_tls_handshake(stage: AdapterStage) -> None:
    for_ever = Timeouts(opening_timeout=None)
    async with stage.serve(drain, ssl=stage.server_tls, timeouts=for_ever) as server:
        async with visiting(stage, server.port) as far:
            async with stage.connect(address(server, scheme="wss"), ssl=stage.client_tls):
                pass  # whoever came before it is accepted
            began_at = stage.now()
            await server.close(grace_period=3600)
            expect("what the visitor hears", await far.rest(), b"")
        check_elapsed_at_most(stage, began_at, 1)


@case("what is sent and closed before anybody reads arrives, on both sides", needs=_TLS)
async def last_words_over_tls(stage: AdapterStage) -> None:
    for role in Role:
        async with far_end(stage, role, secure=True) as (far, ws):
            await far.send(far.frame(Opcode.TEXT, b"last words"), far.close_frame(4000))
            expect("the message", await ws.recv(), "last words")
            await ws.send("answer")
            expect("the answer", (await far.receive()).payload, b"answer")
            receiving = stage.spawn(ws.recv)
            expect("the close frame", await far.receive_close(), (4000, ""))
            far.stream.end()
            with raises(ConnectionClosedError, "recv() behind the last words"):
                await receiving.outcome()

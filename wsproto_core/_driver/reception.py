"""The front desk of a server: who gets in, and what a request is answered with. The same for every runtime."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from .._codes import CloseCode
from .._events import Closed, CloseReport, Event, Request
from .._handshake.outcome import Response
from .._types import State
from .async_peer import AsyncPeer
from .peer import Log, PeerBase
from .server import ServerConnection
from .tally import Tally

__all__ = ["AsyncReception", "ProcessRequest", "Reception"]

_P = TypeVar("_P", bound=PeerBase[Any])
_A = TypeVar("_A", bound=AsyncPeer[Any])

#: What may answer any HTTP request with a response of its own, at once or later; ``None`` goes on with the handshake.
ProcessRequest: TypeAlias = Callable[[_A, Request], Awaitable[Response | None] | Response | None]

#: Connections beyond the maximum that are still told so, rather than dropped.
_MAX_TURNED_AWAY: Final = 100
#: Seconds in which the first bytes of who has just connected arrive, and in which whoever means to speak is introduced:
#: a proxy's header comes at once, and a handshake of TLS takes two ways there and back.
_MOMENT: Final = 0.1
_INTRODUCTION: Final = 1.0
_SWITCHING_PROTOCOLS: Final = 101
_CONNECTING: Final = State.CONNECTING
_OPEN: Final = State.OPEN
#: Levels of the standard library's logging.
_DEBUG: Final = 10
_INFO: Final = 20


class Reception(Generic[_P]):
    """Counts the connections of one server. For authors of adapters.

    ``max_connections``: beyond it a handshake is answered with 503; ``None`` for no limit. Raises :exc:`ValueError`,
    naming it, for anything but a positive number.
    """

    def __init__(self, max_connections: int | None) -> None:
        if max_connections is not None and max_connections < 1:
            raise ValueError(f"max_connections must be positive or None, not {max_connections!r}")
        #: Those whose handshake was accepted and whose end has not been told.
        self.open: set[_P] = set()
        #: Set by :meth:`begin_closing`: whoever is still on the way is told to come back later.
        self.is_closing: bool = False
        #: Set once it waits for nobody any more: whoever comes now is dropped.
        self.is_closed: bool = False
        #: Those who have arrived, and are introduced by a PROXY header or TLS first: what they say does not come to
        #: their engines yet.
        self.introducing: set[_P] = set()
        self._introduced_late: set[_P] = set()
        self._places = _Places(max_connections)
        # From the first moment to the end of the transport; and those of them that have not been let in.
        self._everyone: set[_P] = set()
        self._strangers: set[_P] = set()
        self._tally = Tally()

    @property
    def everyone(self) -> set[_P]:
        """All who are connected, now."""
        return self._everyone.copy()

    def arrive(self, peer: _P) -> bool:
        """Count ``peer``, before its handshake begins, so that no burst can overshoot the maximum.

        Returns whether to go on with it; otherwise drop its transport.
        """
        self._everyone.add(peer)
        self._strangers.add(peer)
        return self._places.take(peer) and not self.is_closed

    def leave(self, peer: _P) -> None:
        """The transport of ``peer`` is gone."""
        self._everyone.discard(peer)
        self.introducing.discard(peer)
        self.open.discard(peer)  # if it was let in so late that its end had been told
        self._places.give_back(peer)
        self._tally.add_ended(peer)
        if peer in self._strangers:
            self._strangers.discard(peer)
            self._tally.visitor_left(peer.close_report)

    def welcomes(self, peer: _P) -> bool:
        """Whether ``peer``, whose protocol has no handshake to refuse, gets in. Then it counts as open."""
        if self._turns_away(peer):
            return False
        self._let_in(peer)
        return True

    def early_answer(self, peer: _P) -> Response | None:
        """What the request of ``peer`` is answered with before anybody else is asked."""
        return Response(503, {"Retry-After": "5"}) if self._turns_away(peer) else None

    def answer(self, peer: _P, answer: Response | None) -> bool:
        """Answer the request of ``peer``; ``None`` accepts it, as far as the engine agrees, unless the server has begun
        to close.

        Returns whether the connection has opened. Raises :exc:`LocalProtocolError` for an answer that cannot be given.
        """
        engine = peer.engine
        if engine.state is not _CONNECTING or not isinstance(engine, ServerConnection):
            return False  # the client did not wait
        if answer is None and self._turns_away(peer):
            answer = self.early_answer(peer)
        if answer is not None:
            engine.reject(answer.status, answer.headers, answer.body)
            return False
        engine.accept()
        # The response tells, and not the state: the client's end may have come in the same read.
        opened = engine.response is not None and engine.response.status == _SWITCHING_PROTOCOLS
        if opened:
            self._let_in(peer)
        return opened

    def ended(self, peer: _P, report: CloseReport) -> int:
        """The end of ``peer`` is told. Returns the level of the operator's line: news, or only for the curious."""
        was_open = peer in self.open
        self.open.discard(peer)
        return _INFO if was_open and (report.violation is not None or report.timer is not None) else _DEBUG

    def counted(self) -> Tally:
        """What all who ever came have counted so far."""
        tally, present = self.stocktaking()
        for peer in present:
            tally.add_traffic(peer)
        return tally

    def stocktaking(self) -> tuple[Tally, Collection[_P]]:
        """What those who have left have counted, and who is there to be added. With threads, the first is guarded by
        one lock and the second by another for each, so they come one after the other.
        """
        tally = self._tally.copy()
        tally.active = len(self.open)
        tally.is_final = self.is_closed and not self._everyone
        return tally, tuple(self._everyone)

    def begin_closing(self) -> None:
        """Take nobody in any more."""
        self.is_closing = True
        self._introduced_late = self.introducing.copy()

    def last_calls(self, grace_period: float) -> Sequence[tuple[float, Callable[[], set[_P]]]]:
        """The end of a server that :attr:`is_closing` and has said goodbye to those who are open: how many seconds to
        wait for everyone, and whom to drop then.

        Who has connected and not begun to speak gets a moment. Who is being introduced gets a second, for that and for
        the first words behind it: nobody knows whether it says anything at all, and silence holds no server up.
        Handshakes that have begun get the whole ``grace_period``.
        """
        moment, introduction = min(grace_period, _MOMENT), min(grace_period, _INTRODUCTION)
        return [
            (moment, self._silent),
            (introduction - moment, self._unheard),
            (grace_period - introduction, self._last),
        ]

    def _silent(self) -> set[_P]:
        """Who has not begun to speak, though nobody had to introduce it."""
        engines = [(peer, peer.engine) for peer in self._everyone - self._introduced_late]
        return {
            peer
            for peer, engine in engines
            if engine.state is State.CONNECTING and not engine.statistics.bytes_received
        }

    def _unheard(self) -> set[_P]:
        """Who has not begun to speak. There is no time left for introductions."""
        self._introduced_late.clear()
        return self._silent()

    def _last(self) -> set[_P]:
        self.is_closed = True
        return self.everyone

    def _turns_away(self, peer: _P) -> bool:
        return self.is_closing or not self._places.has_seat(peer)

    def _let_in(self, peer: _P) -> None:
        self.open.add(peer)
        self._strangers.discard(peer)
        self._tally.opened += 1
        self._tally.accepted += 1


class AsyncReception(Reception[_A]):
    """The front desk of a server with coroutines: it also finds the answers, and runs the handlers. For authors of
    adapters.

    ``handler`` is called with each open connection, which is closed behind it; ``None`` where nobody waits for one.
    ``spawn`` starts a coroutine function as a task that the server's end cancels. ``ending`` is called in such a task,
    as the last thing that it does. ``log`` is the operator's.
    """

    def __init__(
        self,
        max_connections: int | None,
        *,
        handler: Callable[[_A], Awaitable[None]] | None,
        process_request: ProcessRequest[_A] | None = None,
        spawn: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
        ending: Callable[[], object] | None = None,
        log: Log,
    ) -> None:
        super().__init__(max_connections)
        self._handler = handler
        self._process_request = process_request
        self._spawn = spawn
        self._ending = ending or _nothing
        self._log = log
        # Visitors that are being introduced, and what puts an end to it.
        self._introductions: dict[object, Callable[[], object]] = {}

    def approach(self, visitor: object) -> bool:
        """Count ``visitor``, a connection that has to be introduced first: it takes a place like any other.

        Returns whether to go on with it; otherwise drop it. In the end it comes to :meth:`arrive` or :meth:`retreat`.
        """
        is_welcome = not self.is_closed and self._places.take(visitor)
        if not is_welcome:
            self._places.give_back(visitor)
        return is_welcome

    def introduce(self, visitor: object, cut_off: Callable[[], object]) -> None:
        """The introduction of ``visitor`` has begun. ``cut_off`` puts an end to it, if the server cannot wait."""
        self._introductions[visitor] = cut_off

    def retreat(self, visitor: object, address: object, error: BaseException) -> None:
        """``visitor``, who connected from ``address``, is gone: nothing came of its introduction."""
        self._introductions.pop(visitor, None)
        self._places.give_back(visitor)
        self._tally.visitor_left(None)
        self._log.log(_DEBUG, "%s was dropped, and no connection yet: %r", address, error)

    def arrive(self, peer: _A, visitor: object = None) -> bool:
        """Count ``peer``, in the place of ``visitor`` if it was one. One whose protocol has no handshake is let in at
        once, or told to try again later.
        """
        if visitor is not None:
            self._places.pass_on(visitor, peer)
            if self._introductions.pop(visitor, None) is not None and self.is_closing:
                self._introduced_late.add(peer)
        goes_on = super().arrive(peer)
        if goes_on and peer.state is _OPEN:
            self._welcome(peer)
        return goes_on

    def watch(self, peer: _A, event: Event) -> None:
        """Do what ``event`` of ``peer`` means for the server."""
        match event:
            case Request():
                self._decide(peer, event)
            case Closed(report):
                self._log.log(self.ended(peer, report), "%r %s", peer, report)
            case _:
                pass

    def _unheard(self) -> set[_A]:
        for cut_off in tuple(self._introductions.values()):
            cut_off()
        return super()._unheard()

    def _welcome(self, peer: _A) -> None:
        if self.welcomes(peer):
            self._serve(peer)
        else:
            peer.close_nowait(CloseCode.TRY_AGAIN_LATER)

    def _decide(self, peer: _A, request: Request) -> None:
        """Find the answer to a request: at once where that is possible."""
        if self._process_request is None or self._turns_away(peer):
            self._answer(peer, None)
            return
        try:
            answer = self._process_request(peer, request)
        except Exception as error:
            self._request_failed(peer, error)
            return
        if answer is not None and inspect.isawaitable(answer):
            self._spawn(partial(self._answer_later, peer, answer))
        else:
            self._answer(peer, answer)

    async def _answer_later(self, peer: _A, pending: Awaitable[Response | None]) -> None:
        try:
            answer = await pending
        except BaseException as error:
            _blame(error, partial(self._request_failed, peer))
        else:
            self._answer(peer, answer)
        finally:
            self._ending()

    def _answer(self, peer: _A, answer: Response | None) -> None:
        """Answer the request, with 500 if the application's answer or choice of subprotocol is none."""
        try:
            self._respond(peer, answer)
        except Exception as error:
            self._request_failed(peer, error)

    def _request_failed(self, peer: _A, error: Exception) -> None:
        self._log.error("%r: the request could not be answered", peer, exc_info=error)
        self._respond(peer, Response(500))

    def _respond(self, peer: _A, answer: Response | None) -> None:
        opened = self.answer(peer, answer)
        peer.flush()
        if opened:
            self._serve(peer)

    def _serve(self, peer: _A) -> None:
        peer.opened()
        if self._handler is not None:
            self._spawn(partial(self._run, self._handler, peer))

    async def _run(self, handler: Callable[[_A], Awaitable[None]], peer: _A) -> None:
        """The life of a connection's handler. What it leaves open is closed behind it."""
        try:
            await handler(peer)
        except BaseException as error:
            _blame(error, partial(peer.fail, words="the handler raised"))
        else:
            if peer.state is not State.CLOSED:  # as it is behind a loop over all messages
                peer.close_nowait()
        finally:
            self._ending()


class _Places:
    """The seats of a server, ``None`` for no end of them, and standing room for some who wait to be turned away."""

    def __init__(self, max_seats: int | None) -> None:
        self._max_seats = max_seats
        self._seated: set[object] = set()
        self._standing: set[object] = set()

    def take(self, who: object) -> bool:
        """Give ``who`` a place, if it has none. Returns whether there was one."""
        if who not in self._seated and who not in self._standing:
            is_full = self._max_seats is not None and len(self._seated) >= self._max_seats
            (self._standing if is_full else self._seated).add(who)
        return len(self._standing) <= _MAX_TURNED_AWAY

    def has_seat(self, who: object) -> bool:
        return who in self._seated

    def pass_on(self, who: object, successor: object) -> None:
        """``successor`` has the place of ``who`` from now on, if that had one."""
        for places in (self._seated, self._standing):
            if who in places:
                places.discard(who)
                places.add(successor)

    def give_back(self, who: object) -> None:
        self._seated.discard(who)
        self._standing.discard(who)


def _nothing() -> None:
    """Nobody keeps books of tasks."""


def _blame(error: BaseException, failed: Callable[[Exception], None]) -> None:
    """Tell ``failed`` of an exception that left the application's code: it is nobody else's. What is none, such as
    cancellation, is the runtime's business, and raised again.
    """
    if isinstance(error, Exception):
        failed(error)
    elif isinstance(error, BaseExceptionGroup):
        errors, others = cast(BaseExceptionGroup[BaseException], error).split(Exception)
        if errors is not None:
            failed(errors)
        if others is not None:
            raise others from None
    else:
        raise error

"""What a case expects of the peer, as steps; each is passed, passed with a lapse, or failed.

How an expectation reads what was heard is in ``judging.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..transcript import in_bytes
from .judging import await_pong, difference, judge_failure, show_message, what_came, works_on
from .talk import Play, Talk

__all__ = [
    "Barrier",
    "ExpectClose",
    "ExpectEarlyFailure",
    "ExpectEnd",
    "ExpectFailure",
    "ExpectMessage",
    "ExpectPong",
    "ExpectPongs",
    "Silence",
]

#: Seconds in which a peer usually fails a connection; then it is asked by a ping whether it goes on.
_QUICK: Final = 0.25


@dataclass(frozen=True, slots=True)
class ExpectMessage:
    """The next message is this: the echo of what was sent. How the peer fragments it is its own affair."""

    message: str | bytes
    #: Close codes by which the peer may refuse instead, and is lax: it has a limit. The case ends there.
    refusals: tuple[int, ...] = ()
    #: Seconds; the patience of the run if left out.
    timeout: float | None = None

    def play(self, talk: Talk) -> Play:
        """Wait for a message and compare it."""
        heard, timeout = talk.heard, self.timeout or talk.patience
        yield from talk.until(lambda: heard.messages or heard.is_over, timeout)
        if heard.messages:
            came = heard.messages.popleft().message
            if came != self.message:
                talk.fail(difference(self.message, came))
            talk.did(f"The peer echoed {show_message(self.message)}.")
        elif heard.close is not None and heard.close.code in self.refusals:
            talk.lapse(f"The peer refused {show_message(self.message)} and closed with {heard.close}.")
            yield from talk.finish_closing(must_end=False)
        else:
            talk.fail(f"Instead of the echo {show_message(self.message)} came {what_came(talk, timeout)}.")


@dataclass(frozen=True, slots=True)
class ExpectPong:
    """A pong with this payload comes. Others before it are ignored: a peer may send pongs unasked."""

    payload: bytes

    def play(self, talk: Talk) -> Play:
        """Wait for it."""
        yield from await_pong(talk, self.payload)
        talk.did(f"The peer answered a ping of {in_bytes(len(self.payload))}.")


@dataclass(frozen=True, slots=True)
class ExpectPongs:
    """The last of these pings is answered, and no earlier one after a later one.

    RFC 6455 §5.5.3 lets a peer answer only the latest of the pings that it finds.
    """

    payloads: tuple[bytes, ...]

    def play(self, talk: Talk) -> Play:
        """Wait for the last one, and see which came before it."""
        heard, last = talk.heard, self.payloads[-1]
        yield from talk.until(lambda: last in heard.pongs or heard.is_over, talk.patience)
        came = [payload for payload in heard.pongs if payload in self.payloads]
        if last not in came:
            talk.fail(f"Instead of a pong to the last of {len(self.payloads)} pings came {what_came(talk)}.")
        if came != [payload for payload in self.payloads if payload in came]:
            talk.fail("The pongs came in another order than the pings, or one came twice.")
        heard.pongs.clear()
        talk.did(f"The peer answered {len(came)} of {len(self.payloads)} pings, in order.")


@dataclass(frozen=True, slots=True)
class Barrier:
    """The peer answers a ping: it is alive and has dealt with all that was sent before."""

    def play(self, talk: Talk) -> Play:
        """Ping and wait for the pong."""
        yield from await_pong(talk, talk.send_ping())
        talk.did("The peer went on as it should.")


@dataclass(frozen=True, slots=True)
class Silence:
    """For some seconds the peer sends no message and does not close."""

    seconds: float = 0.3

    def play(self, talk: Talk) -> Play:
        """Listen."""
        heard = talk.heard
        if (yield from talk.until(lambda: heard.messages or heard.is_over, self.seconds)):
            talk.fail(f"Where nothing was to be said came {what_came(talk, self.seconds)}.")
        talk.did("The peer said nothing.")


@dataclass(frozen=True, slots=True)
class ExpectFailure:
    """The peer fails the connection, since what was sent is illegal (RFC 6455 §7.1.7). The case ends here.

    Passed by a close frame with one of ``codes``. Lax are another code, and an end of the stream without close frame.
    """

    codes: tuple[int, ...] = (1002,)
    #: Echoes of earlier, legal messages that may come first.
    before: tuple[str | bytes, ...] = ()
    #: Payloads of earlier, legal pings that may be answered first.
    pongs: tuple[bytes, ...] = ()
    #: Ask by a ping whether the peer goes on. Not to be done in the middle of a frame.
    may_ping: bool = True
    #: A peer that goes on is lax, and so does the case: the RFC forbids to send this, and does not oblige the receiver.
    may_go_on: bool = False

    def play(self, talk: Talk) -> Play:
        """Wait for the end, and judge it."""
        heard = talk.heard

        def is_settled() -> bool:
            return heard.is_over or works_on(talk, self.before, self.pongs) is not None

        is_quick = yield from talk.until(is_settled, min(_QUICK, talk.patience))
        if not is_quick and self.may_ping:
            talk.send_ping()
        yield from talk.until(is_settled, talk.patience)
        if self.may_go_on and works_on(talk, self.before, self.pongs) is not None:
            talk.lapse("The peer took what must not be sent, and went on.")
        else:
            yield from judge_failure(talk, self.codes, self.before, self.pongs)


@dataclass(frozen=True, slots=True)
class ExpectEarlyFailure:
    """The peer could fail the connection by now, though it need not: what it has seen is illegal already.

    If it does, it is judged as by :class:`ExpectFailure`, and the case ends. If it waits, it is lax, and the case goes
    on with what settles the matter.
    """

    codes: tuple[int, ...] = (1002,)
    #: Echoes of earlier, legal messages that may come first.
    before: tuple[str | bytes, ...] = ()
    #: How long it may take: a peer that fails at once need not wait for it, and a busy machine must not look lax.
    seconds: float = 1.0

    def play(self, talk: Talk) -> Play:
        """Wait a moment."""
        heard = talk.heard
        yield from talk.until(
            lambda: heard.is_over or works_on(talk, self.before, ()), min(self.seconds, talk.patience)
        )
        if heard.is_over or works_on(talk, self.before, ()):
            yield from judge_failure(talk, self.codes, self.before, ())
        talk.lapse("The peer waited for more before it failed the connection, though it could have known.")


@dataclass(frozen=True, slots=True)
class ExpectClose:
    """The peer answers the tester's close frame by its own, and the stream ends (RFC 6455 §5.5.1). The case ends here.

    Passed by one of ``codes`` (``None`` is no code); another that may be sent is lax.
    """

    codes: tuple[int | None, ...] = (1000,)
    #: Echoes of earlier messages that may come first.
    before: tuple[str | bytes, ...] = ()
    #: Payloads of earlier pings that may be answered first.
    pongs: tuple[bytes, ...] = ()
    #: The stream may end without a close frame, which is lax: the tester has ended its own direction.
    may_just_end: bool = False

    def play(self, talk: Talk) -> Play:
        """Wait for the close frame, and then for the end."""
        heard = talk.heard
        yield from talk.until(lambda: heard.is_over or works_on(talk, self.before, self.pongs), talk.patience)
        if (words := works_on(talk, self.before, self.pongs)) is not None:
            talk.fail(words)
        heard.messages.clear()
        if heard.close is None and heard.end is not None and self.may_just_end:
            talk.lapse("The peer ended the stream without a close frame.")
        elif heard.close is None:
            talk.fail(f"Instead of a close frame came {what_came(talk)}.")
        elif heard.close.code not in self.codes:
            wanted = " or ".join("no code" if code is None else str(code) for code in self.codes)
            talk.lapse(f"The peer closed with {heard.close}, not with {wanted}.")
        talk.did(f"The peer answered with its close frame, {heard.close}.")
        yield from talk.finish_closing(must_end=True)


@dataclass(frozen=True, slots=True)
class ExpectEnd:
    """The stream ends, with or without a close frame before it. The case ends here."""

    #: Echoes of earlier messages that may come first.
    before: tuple[str | bytes, ...] = ()
    #: Otherwise a stream that stays open is only lax.
    is_required: bool = False

    def play(self, talk: Talk) -> Play:
        """Wait for the end."""
        heard = talk.heard
        yield from talk.until(lambda: heard.end is not None or works_on(talk, self.before, ()), talk.patience)
        if (words := works_on(talk, self.before, ())) is not None:
            talk.fail(words)
        heard.messages.clear()
        if heard.end is None:
            words = f"The peer let the TCP connection open for {talk.patience:g} s."
            talk.fail(words) if self.is_required else talk.lapse(words)
        talk.did("The stream ended" + (f" after a close frame, {heard.close}." if heard.close else "."))
        yield from talk.finish_closing(must_end=False)

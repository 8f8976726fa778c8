"""Expectations of cases where a peer has a choice, as long as it makes it in good order."""

from __future__ import annotations

from dataclasses import dataclass

from .judging import await_pong, show_message, what_came
from .talk import Play, Talk

__all__ = ["ExpectEither", "ExpectNoAnswer"]


@dataclass(frozen=True, slots=True)
class ExpectEither:
    """The peer echoes the message, or fails the connection with one of ``codes``: then the case ends.

    Lax are another code, and an end of the stream without close frame.
    """

    #: ``None`` for any message.
    message: str | bytes | None
    codes: tuple[int, ...]
    #: Whether it is no more than lax to echo, and why: "the message is not complete".
    objection: str | None = None
    #: Seconds; the patience of the run if left out.
    timeout: float | None = None

    def play(self, talk: Talk) -> Play:
        """Wait for the one or the other."""
        heard = talk.heard
        yield from talk.until(lambda: heard.messages or heard.is_over, self.timeout or talk.patience)
        if heard.messages:
            self._judge_echo(talk)
            return
        if heard.close is not None:
            talk.did(f"The peer failed the connection with {heard.close}.")
            if heard.close.code not in self.codes:
                talk.lapse(f"The peer closed with {heard.close}, not with {' or '.join(map(str, self.codes))}.")
        elif heard.end is not None:
            talk.lapse("The peer ended the stream without a close frame.")
        else:
            talk.fail(f"Instead of an echo or a close frame came {what_came(talk, self.timeout)}.")
        yield from talk.finish_closing(must_end=False)

    def _judge_echo(self, talk: Talk) -> None:
        came = talk.heard.messages.popleft().message
        if self.message is not None and came != self.message:
            talk.fail(f"Instead of the echo {show_message(self.message)} came {show_message(came)}.")
        talk.did(f"The peer echoed {show_message(came)}.")
        if self.objection is not None:
            talk.lapse(f"The peer echoed {show_message(came)}, though {self.objection}.")


@dataclass(frozen=True, slots=True)
class ExpectNoAnswer:
    """A pong with this payload, which the peer has not asked for, is not answered by another one; that would be lax."""

    payload: bytes

    def play(self, talk: Talk) -> Play:
        """Ping, and see what has come before the pong."""
        heard, own = talk.heard, talk.send_ping()
        yield from talk.until(lambda: own in heard.pongs or heard.is_over, talk.patience)
        if self.payload in heard.pongs:
            talk.lapse("The peer answered a pong by a pong.")
        yield from await_pong(talk, own)
        talk.did("The peer went on as it should.")

"""How expectations read what the peer has said: what came instead, whether it goes on, how it failed a connection."""

from __future__ import annotations

from typing import Final

from ..transcript import in_bytes
from ..wire import CloseContent
from .talk import Play, Talk

__all__ = ["await_pong", "difference", "judge_failure", "show_message", "what_came", "works_on"]

_SHOWN: Final = 40


def show_message(message: str | bytes) -> str:
    """A message in a sentence, shortened: ``'Hello'``, ``a text of 70000 bytes ('abc'…)``."""
    if len(message) <= _SHOWN:
        return repr(message)
    kind, data = ("text", message.encode()) if isinstance(message, str) else ("binary message", message)
    return f"a {kind} of {in_bytes(len(data))} ({message[:12]!r}…)"


def difference(expected: str | bytes, came: str | bytes) -> str:
    """How a message differs from the one that was expected, in a sentence."""
    if isinstance(expected, str) is not isinstance(came, str):
        return f"Instead of the echo {show_message(expected)} came {show_message(came)}, of the other type."
    words = f"Instead of the echo {show_message(expected)} came {show_message(came)}"
    if max(len(expected), len(came)) <= _SHOWN:
        return f"{words}."
    place = next((at for at, (one, other) in enumerate(zip(expected, came, strict=False)) if one != other), None)
    return f"{words}: they differ from place {min(len(expected), len(came)) if place is None else place} on."


def what_came(talk: Talk, timeout: float | None = None, *, is_message_news: bool = True) -> str:
    """What there is instead of what was expected, within ``timeout`` seconds or the patience of the run."""
    heard = talk.heard
    if heard.messages and is_message_news:
        return f"the message {show_message(heard.messages[0].message)}"
    if heard.close is not None:
        return f"a close frame with {heard.close}"
    if heard.end is not None:
        return "the end of the stream"
    return f"nothing for {timeout or talk.patience:g} s"


def await_pong(talk: Talk, payload: bytes) -> Play:
    """Wait for a pong with ``payload``. Raises :exc:`Failed` if none comes."""
    heard = talk.heard
    yield from talk.until(lambda: payload in heard.pongs or heard.is_over, talk.patience)
    if payload not in heard.pongs:
        unasked = [pong for pong in heard.pongs if pong not in talk.pinged]
        wrong = f" after a pong of {unasked[-1][:_SHOWN]!r} that nobody asked for" if unasked else ""
        came = what_came(talk, is_message_news=False)
        talk.fail(f"Instead of a pong of {payload[:_SHOWN]!r} came {came}{wrong}.")
    while heard.pongs.popleft() != payload:
        pass


def works_on(talk: Talk, before: tuple[str | bytes, ...], pongs: tuple[bytes, ...]) -> str | None:
    """How the peer shows that it goes on as if nothing had happened; ``None`` if it does not.

    ``before`` are the echoes that it still owes, and ``pongs`` the pongs.
    """
    for number, heard in enumerate(talk.heard.messages):
        if number >= len(before) or heard.message != before[number]:
            return f"The peer went on: it sent {show_message(heard.message)}."
    if any(payload in talk.pinged and payload not in pongs for payload in talk.heard.pongs):
        return "The peer went on: it answered a ping that came afterwards."
    return None


def judge_failure(
    talk: Talk, codes: tuple[int, ...], before: tuple[str | bytes, ...], pongs: tuple[bytes, ...]
) -> Play:
    """The time is up: the peer has failed the connection, as it should have, or not."""
    heard = talk.heard
    if (words := works_on(talk, before, pongs)) is not None:
        talk.fail(words)
    if heard.close is not None:
        _judge_code(talk, heard.close, codes)
    elif heard.end is not None:
        talk.lapse("The peer ended the stream without a close frame.")
    else:
        talk.fail("The peer did not fail the connection.")
    heard.messages.clear()
    yield from talk.finish_closing(must_end=False)


def _judge_code(talk: Talk, content: CloseContent, codes: tuple[int, ...]) -> None:
    talk.did(f"The peer failed the connection with {content}.")
    if content.code in codes:
        return
    if talk.close_sent is not None and content.code == talk.close_sent.code:
        talk.fail(f"The peer answered the close frame as if nothing were wrong, with {content}.")
    wanted = " or ".join(map(str, codes))
    talk.lapse(f"The peer closed with {content}, which does not name the fault as {wanted} does.")

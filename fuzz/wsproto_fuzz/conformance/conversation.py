"""Plays one case, sans I/O: bytes and time go in, bytes and a deadline come out, and in the end a result.

Whoever holds the socket calls ``receive_data``, ``receive_eof``, ``transport_lost`` and ``handle_timeout``; after each
of them, and once at the beginning, writes :meth:`Conversation.data_to_send`, obeys ``ends_output``, and
sleeps until :meth:`Conversation.next_deadline` at most. When ``is_over``, it drops the connection and takes the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wsproto_core import Role

from ..wire import close
from .case import Case
from .judging import show_message
from .talk import Failed, Finished, Play, Talk, Unimplemented
from .verdict import Result, Verdict

__all__ = ["Conversation"]

_FAREWELL_TIMEOUT: Final = 1.0


class Conversation:
    """``case`` against a peer that plays ``peer``.

    ``now`` is monotonic seconds. ``authority`` and ``target`` are for the request to a server, ``is_secure`` tells
    whether the stream is inside of TLS, and ``server_name`` by which name a client asked for the tester there (SNI).
    ``patience`` is how many seconds the peer has for what it ought to do at once.
    Everything random follows from ``seed`` and the case.
    """

    def __init__(
        self,
        case: Case,
        peer: Role,
        now: float,
        *,
        seed: int = 0,
        authority: str = "localhost",
        target: str = "/",
        is_secure: bool = False,
        server_name: str | None = None,
        patience: float = 3.0,
    ) -> None:
        self.case = case
        self._talk = Talk(
            peer,
            now=now,
            seed=f"{seed} {case.id}",
            patience=patience,
            authority=authority,
            target=target,
            is_secure=is_secure,
            server_name=server_name,
        )
        self._verdict: Verdict | None = None
        self._finding = ""
        self._deadline: float | None = None
        self._play = self._all_steps()
        self._advance(now)

    def receive_data(self, data: bytes, now: float) -> None:
        """Bytes from the peer."""
        self._advance(now, lambda: self._talk.receive(data))

    def receive_eof(self, now: float) -> None:
        """The peer has ended its direction of the stream."""
        self._advance(now, lambda: self._talk.receive_end("the peer ends the stream"))

    def transport_lost(self, error: BaseException, now: float) -> None:
        """The connection broke, for the reader: ``error`` says how."""
        self._advance(now, lambda: self._talk.receive_end(f"the connection broke: {type(error).__name__}"))

    def handle_timeout(self, now: float) -> None:
        """The deadline may have come."""
        self._advance(now)

    def data_to_send(self) -> list[bytes]:
        """What is to be written, each on its own. The next call returns what has come since."""
        writes = list(self._talk.output)
        self._talk.output.clear()
        return writes

    def next_deadline(self) -> float | None:
        """When to call :meth:`handle_timeout`; ``None`` once it is over."""
        return self._deadline

    @property
    def ends_output(self) -> bool:
        """Whether the stream is to be ended in the tester's direction; false as long as there is output."""
        return self._talk.ends_output and not self._talk.output

    @property
    def is_over(self) -> bool:
        """Whether there is a result."""
        return self._verdict is not None

    def result(self) -> Result:
        """How the peer did. Raises :exc:`RuntimeError` as long as that is open."""
        if self._verdict is None:
            raise RuntimeError(f"case {self.case.id} is not over")
        return self.case.judged(
            self._verdict, self._finding, duration=self._talk.elapsed, transcript=self._talk.transcript
        )

    # ----------------------------------------------------------------------------------------------------- the play

    def _advance(self, now: float, happening: Callable[[], None] | None = None) -> None:
        """Something has happened, or only time has passed: play on as far as it goes."""
        if self.is_over:
            return
        self._talk.now = max(now, self._talk.now)
        try:
            if happening is not None:
                happening()
            self._deadline = next(self._play)
        except (Finished, StopIteration):
            self._settle()
        except Failed as failure:
            self._end(Verdict.FAIL, str(failure))
        except Unimplemented as lack:
            self._end(Verdict.UNIMPLEMENTED, str(lack))

    def _all_steps(self) -> Play:
        if self.case.opening is not None:
            yield from self.case.opening.play(self._talk)
        for step in self.case.steps:
            yield from step.play(self._talk)
        yield from self._say_farewell()

    def _say_farewell(self) -> Play:
        """Close in good order where the case did not. Only what a peer says on top of what was expected is judged."""
        talk, heard = self._talk, self._talk.heard
        if not heard.in_frames:
            return
        if not heard.is_over and talk.may_send:
            talk.send(close(1000))
        yield from talk.until(lambda: heard.is_over, _FAREWELL_TIMEOUT)
        if talk.peer is Role.CLIENT:
            talk.end_output()
        yield from talk.until(lambda: heard.end is not None, _FAREWELL_TIMEOUT)

    def _settle(self) -> None:
        talk = self._talk
        if talk.heard.messages:
            unasked = talk.heard.messages[0].message
            self._end(Verdict.FAIL, f"The peer sent {show_message(unasked)}, which nobody had asked for.")
        elif talk.lapses:
            self._end(Verdict.LAX, " ".join(talk.lapses))
        else:
            self._end(Verdict.PASS, talk.deed or "The peer did as it should.")

    def _end(self, verdict: Verdict, finding: str) -> None:
        self._verdict, self._finding = verdict, finding
        self._deadline = None
        self._play.close()

"""One conversation of ``wsproto connect``: from the command line's wishes to an exit status."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from wsproto_asyncio import WebSocket, connect
from wsproto_core import (
    CloseReport,
    ConnectionClosed,
    ConnectionFailed,
    HandshakeFailed,
    HandshakeRejected,
    Headers,
    Initiator,
    LocalProtocolError,
    Message,
    State,
)

from .failures import explain
from .reading import Editor, Lines, RawLines, is_open, is_terminal
from .show import hexdump, printable
from .slash import HELP, Close, Help, Ping, Say, Typed, understand
from .status import ExitStatus, complain, tell_in_one_line
from .transcript import Transcript, milliseconds, response_lines
from .writing import Output

__all__ = ["Wishes", "converse"]

#: Seconds to wait, after everything is settled, for the server to end the transport, and after Ctrl-C for its answer.
_PATIENCE: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line asks of a conversation."""

    #: The server, fit to be shown.
    where: str
    #: The head of the request, fit to be shown.
    request: Sequence[str]
    binary: bool
    verbose: bool
    #: Seconds of silence to wait for after the end of the input; ``None`` waits for the server to close.
    wait: float | None
    close_code: int
    close_reason: str


async def converse(dial: connect, wishes: Wishes) -> int:
    """Connect, carry messages between the terminal and the server, close; return the exit status."""
    asyncio.get_running_loop().set_exception_handler(tell_in_one_line)
    editor = Editor() if is_terminal(sys.stdin) and is_terminal(sys.stdout) else None
    session = _Session(wishes, editor)
    try:
        if not await session.open(dial):
            return ExitStatus.FAILED
        return await session.run()
    finally:
        with contextlib.suppress(TimeoutError):  # on the way out nobody waits for a pager that has stopped reading
            async with asyncio.timeout(_PATIENCE if _is_cancelled() else None):
                await session.output.drain()


class _Session:
    def __init__(self, wishes: Wishes, editor: Editor | None) -> None:
        self._wishes = wishes
        self._editor = editor
        self._has_commands = is_terminal(sys.stdin)
        self._ws: WebSocket | None = None
        self._closing_with = wishes.close_code
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: ExitStatus | None = None  # of input or output, which comes before that of the connection
        self.output = Output(lambda: None if editor is None else editor.typed(), self._cannot_print)
        self._transcript = Transcript(self.output.note if wishes.verbose else None)

    @property
    def ws(self) -> WebSocket:
        assert self._ws is not None, "open() comes first"
        return self._ws

    # --- the beginning ------------------------------------------------------------------------------------------------

    async def open(self, dial: connect) -> bool:
        """Connect; tell why, if it cannot be."""
        wishes, transcript = self._wishes, self._transcript
        transcript.fact(f"connecting to {wishes.where}")
        try:
            self._ws = await dial
        except (ConnectionFailed, ValueError) as error:  # ValueError: what name look-up or TLS thinks of the host
            if isinstance(error, HandshakeRejected):
                transcript.handshake(wishes.request, response_lines(error.status, error.headers))
            elif isinstance(error, HandshakeFailed):
                transcript.handshake(wishes.request)
            await self.output.drain()
            complain(*explain(error, wishes.where))
            return False
        transcript.handshake(wishes.request, response_lines(101, self.ws.response_headers or Headers()))
        self._greet()
        return True

    def _greet(self) -> None:
        if self._has_commands:
            terms = [name for name in (self.ws.subprotocol, *self.ws.extensions) if name]
            agreed = f" ({', '.join(terms)})" if terms else ""
            self.output.note(f"connected to {self._wishes.where}{agreed}; /help lists the commands, Ctrl-D closes")

    # --- the conversation ---------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Carry messages until the connection has ended; return the exit status."""
        self._spawn(self._send_lines())
        self._spawn(self._transcript.watch(self.ws, self.output.room))
        try:
            await self._print_messages()
            return self._status(await self._ended())
        finally:
            for task in tuple(self._tasks):
                task.cancel()
            await self._leave()

    async def _print_messages(self) -> None:
        try:
            while True:
                message = await self.ws.recv()
                self._transcript.received(message)
                await self.output.put(self._shown(message))
        except ConnectionClosed:
            pass

    def _shown(self, message: Message) -> bytes:
        on_screen = self.output.is_terminal
        if isinstance(message, str):
            text = printable(message, multiline=True) if on_screen else message
            return text.encode() + b"\n"
        if self._wishes.binary and not on_screen:
            return message
        return "".join(f"{line}\n" for line in hexdump(message)).encode()

    async def _send_lines(self) -> None:
        read = self._editor or (RawLines(sys.stdin.fileno()) if is_open(sys.stdin) else lambda: None)
        with contextlib.suppress(ConnectionClosed, LocalProtocolError):  # the end is told by whoever receives
            number = 0
            async for line in Lines(read):
                number += 1
                try:
                    await self._do(understand(line, binary=self._wishes.binary, commands=self._has_commands))
                except ValueError as error:
                    if not self._complain_of_line(number, error):
                        break
                if self.ws.state is not State.OPEN:
                    break
            else:
                if not self._has_commands:
                    await self._silence()
            self._close(self._wishes.close_code, self._wishes.close_reason)

    def _complain_of_line(self, number: int, error: ValueError) -> bool:
        """Whether to go on: somebody at a terminal can type it again."""
        if self._has_commands:
            self.output.note(printable(str(error)))
            return True
        self._fault = ExitStatus.USAGE
        self.output.note(f"wsproto: line {number} of standard input: {error}")
        return False

    async def _do(self, typed: Typed) -> None:
        match typed:
            case Say(message):
                await self.ws.send(message)
                self._transcript.sent(message)
            case Ping(payload):
                self._spawn(self._ping(payload))
            case Close(code, reason):
                self._close(code or self._wishes.close_code, reason or self._wishes.close_reason)
            case Help():
                self.output.note(HELP)

    async def _ping(self, payload: bytes | None) -> None:
        try:
            round_trip = await self.ws.ping(payload)
        except ConnectionClosed:
            self.output.note("no pong came before the connection ended")
        except LocalProtocolError as error:
            self.output.note(f"no ping could be sent: {error}")
        else:
            self.output.note(f"pong after {milliseconds(round_trip)}")

    async def _silence(self) -> None:
        """Wait until nothing has gone or come for the time wished; pings and pongs do not count."""
        wait = self._wishes.wait
        while wait != 0:
            before = self._activity()
            try:
                async with asyncio.timeout(wait):
                    await self.ws.link.until(functools.partial(self._is_active, before))
            except TimeoutError:
                if not self._unsent():
                    return

    def _activity(self) -> tuple[int, int, int]:
        counts = self.ws.statistics
        controls = counts.pings_received + counts.pongs_received
        return counts.messages_received, counts.bytes_received, controls

    def _is_active(self, before: tuple[int, int, int]) -> Literal[True] | None:
        messages, size, controls = (now - then for now, then in zip(self._activity(), before, strict=True))
        # A part of a long message is activity: more bytes than control frames (131 each at most) can have brought.
        return True if messages or size > controls * 131 else None

    def _unsent(self) -> int:
        transport = self.ws.transport
        return self.ws.engine.bytes_queued + (0 if transport is None else transport.get_write_buffer_size())

    # --- the end ------------------------------------------------------------------------------------------------------

    def _close(self, code: int, reason: str) -> None:
        if self.ws.state is State.OPEN:
            self._closing_with = code
            self.ws.close_nowait(code, reason)
            self._transcript.closing(code, reason)

    def _cannot_print(self, error: OSError) -> None:
        """Standard output takes no more. Behind ``| head -1`` that is no reason to complain, and none to go on."""
        if not isinstance(error, BrokenPipeError):
            self._fault = ExitStatus.FAILED
            self.output.note(f"wsproto: cannot write to standard output: {error.strerror}")
        if self._ws is not None:
            self._close(self._wishes.close_code, self._wishes.close_reason)

    async def _ended(self) -> CloseReport:
        """The report is settled; the server gets a moment to end the transport."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self.ws.wait_closed()
        self.ws.abort()
        self.output.leave_prompt()
        report = self.ws.close_report
        assert report is not None, "recv() said that it has ended"
        return report

    def _status(self, report: CloseReport) -> int:
        wanted = report.initiator is Initiator.LOCAL and report.clean and report.received_code == self._closing_with
        fine = report.ok or (wanted and report.violation is None and report.timer is None)
        self._transcript.control_frames(self.ws)
        self._transcript.closed(report)
        if not fine:
            self.output.note(f"wsproto: {printable(str(report))}")
        elif self._has_commands and not self._wishes.verbose:
            self.output.note(printable(str(report)))
        return self._fault or (ExitStatus.OK if fine else ExitStatus.ABNORMAL)

    async def _leave(self) -> None:
        """After Ctrl-C: say goodbye, and do not wait long for an answer."""
        self.output.leave_prompt()
        if self.ws.state is State.OPEN:
            self._close(self._wishes.close_code, self._wishes.close_reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self.ws.wait_closed()
        self.ws.abort()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

"""How a connection ends: its phase, the close frames of both sides, and the report of it all (RFC 6455 §7).

:class:`Closing` is told what happened and keeps what the report will say. It knows no clock and sends nothing: the
driver asks it for the close frame to send.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple, cast

from .._codes import CloseCode
from .._drafts import draft_of
from .._errors import RemoteProtocolError
from .._events import CloseReport
from .._speedups import FrameQueue, Standing
from .._types import Initiator, State, Timer
from .._wire.close_payload import encode_close_payload
from .receiving import CloseFrame
from .states import CONNECTION, MAY_RECEIVE, MAY_SEND, PUBLIC_STATE, Happening, Phase, follow

__all__ = ["Closing"]

#: A reason as long as a close frame has room for (RFC 6455 §5.5), in bytes.
_MAX_REASON: Final = 123


class _Facts(NamedTuple):
    """What a phase means, for :class:`Standing`."""

    state: State
    is_open: bool
    may_send: bool
    may_receive: bool
    owes_close_frame: bool


_FACTS: Final = MappingProxyType(
    {
        phase: _Facts(
            state=PUBLIC_STATE[phase],
            is_open=phase is Phase.OPEN,
            may_send=phase in MAY_SEND,
            may_receive=phase in MAY_RECEIVE,
            owes_close_frame=phase in (Phase.CLOSE_RECEIVED, Phase.FAILED),
        )
        for phase in Phase
    }
)

# In 3.11 a member is found faster as a name of a module than as an attribute of its enum.
_CONNECTING: Final = Phase.CONNECTING
_FAILED: Final = Phase.FAILED
_OPENED: Final = Happening.OPENED
_CLOSE_FRAME: Final = Happening.CLOSE_FRAME
_CLOSE_LEFT: Final = Happening.CLOSE_LEFT
_Draft: Final = draft_of(CloseReport)
_NO_CODE: Final = CloseFrame(CloseCode.NO_STATUS_RECEIVED, "")


class Closing(Standing):
    """The life of a connection, told from its end. ``frames`` takes messages while they may be sent."""

    __slots__ = (
        "_answer",
        "_frames",
        "_initiator",
        "_offence",
        "_received",
        "_sent_code",
        "http_status",
        "phase",
        "report",
        "state",
    )

    def __init__(self, frames: FrameQueue) -> None:
        self._frames = frames
        self._enter(_CONNECTING)
        #: How it ended; ``None`` until that is settled.
        self.report: CloseReport | None = None
        self.http_status: int | None = None
        self._initiator: Initiator | None = None
        self._received: CloseFrame | None = None
        self._sent_code: int | None = None
        self._offence: RemoteProtocolError | None = None
        # The close frame that waits in CLOSE_RECEIVED and FAILED.
        self._answer = _NO_CODE

    @property
    def is_clean(self) -> bool:
        """Whether both close frames have crossed (RFC 6455 §7.1.4)."""
        return self._received is not None and self._sent_code is not None

    # --- what happened ------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """The opening handshake is complete."""
        self._follow(_OPENED)

    def refused(self, status: int, initiator: Initiator) -> None:
        """The opening handshake was answered with another ``status`` than success."""
        self._follow(Happening.REFUSED)
        self.http_status = status
        self._initiator = initiator

    def close_received(self, frame: CloseFrame) -> None:
        """The peer's close frame came; our answer repeats its code (RFC 6455 §5.5.1)."""
        self._follow(_CLOSE_FRAME)
        self._received = frame
        self._initiator = self._initiator or Initiator.PEER
        self._answer = frame

    def offended(self, offence: RemoteProtocolError) -> None:
        """The peer broke a rule: the connection fails (RFC 6455 §7.1.7)."""
        self._follow(Happening.OFFENCE)
        self._offence = offence
        self._initiator = Initiator.LOCAL
        # Words from the table and the detail hold no byte of the peer's: they may be shown to it.
        reason = str(offence).encode()[:_MAX_REASON].decode(errors="ignore")
        self._answer = CloseFrame(offence.violation.close_code, reason)

    def close(self, code: int, reason: str) -> bytes:
        """Say goodbye first; return the payload to send."""
        payload = encode_close_payload(code, reason)
        self._follow(_CLOSE_LEFT)
        self._sent_code = code
        self._initiator = self._initiator or Initiator.LOCAL
        return payload

    def answer(self) -> bytes:
        """Send the close frame that was owed; return its payload."""
        return self.close(self._answer.code, self._answer.reason if self.phase is _FAILED else "")

    def transport_ended(self) -> None:
        """The peer's bytes have ended, or the transport broke."""
        self._follow(Happening.TRANSPORT_ENDED)
        self._initiator = self._initiator or Initiator.NETWORK

    def give_up(self) -> None:
        """A timer ran out, or the application abandoned a handshake."""
        self._follow(Happening.GIVEN_UP)
        self._initiator = self._initiator or Initiator.LOCAL

    # --- what is said of it -------------------------------------------------------------------------------------------

    def settle(
        self,
        *,
        at: float,
        pong_age: float | None,
        bytes_queued: int,
        timer: Timer | None = None,
        error: BaseException | None = None,
    ) -> CloseReport:
        """Write the report: from now on it is settled how the connection ended."""
        known = self._received or (None if self._offence is None else self._answer)
        owed = self._answer.code if self.owes_close_frame else None
        draft = _Draft()
        draft.initiator = self._initiator or Initiator.NETWORK
        draft.code = CloseCode.ABNORMAL_CLOSURE if known is None else known.code
        draft.reason = "" if known is None else known.reason
        draft.at = at
        draft.timer = timer
        draft.violation = None if self._offence is None else self._offence.violation
        draft.detail = "" if self._offence is None else self._offence.detail
        draft.received_code = None if self._received is None else self._received.code
        draft.sent_code = owed if self._sent_code is None else self._sent_code
        draft.http_status = self.http_status
        draft.pong_age = pong_age
        draft.bytes_queued = bytes_queued
        draft.error = error
        draft.__class__ = CloseReport
        self.report = report = cast(CloseReport, draft)
        return report

    def _follow(self, happening: Happening) -> None:
        self._enter(follow(CONNECTION, self.phase, happening))

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        # What is asked for every message is looked up once for every phase.
        self.state, self.is_open, self.may_send, self.may_receive, self.owes_close_frame = _FACTS[phase]
        self._frames.is_open = self.may_send

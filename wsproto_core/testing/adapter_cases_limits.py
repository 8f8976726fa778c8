"""Offences of the peer: each has its rule, its close code and its report, the same on every runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .._config import Limits
from .._errors import ConnectionClosedError
from .._types import Initiator, Opcode, Role
from .._violations import Violation
from .adapter_case import AdapterCase, Ending, Reports
from .adapter_ends import FarEnd, far_end
from .adapter_expect import expect, raises
from .adapter_stage import AdapterStage

_LIMITS: Final = Limits(message_size=1000, frame_size=800, max_fragments=5, control_frame_rate=20)


#: What a far end can do wrong in one go.
_OFFENCES: Final[tuple[tuple[Violation, Callable[[FarEnd], bytes]], ...]] = (
    (Violation.MESSAGE_TOO_BIG, lambda far: _begin(far, 800) + far.frame(Opcode.CONTINUATION, bytes(201))),
    (Violation.FRAME_TOO_BIG, lambda far: far.frame(Opcode.BINARY, bytes(801))),
    (Violation.TOO_MANY_FRAGMENTS, lambda far: _begin(far) + far.frame(Opcode.CONTINUATION, b"", final=False) * 5),
    (Violation.CONTROL_FLOOD, lambda far: far.frame(Opcode.PONG) * 200),
    (Violation.INVALID_UTF8, lambda far: far.frame(Opcode.TEXT, b"\xc3\x28")),
    (Violation.RESERVED_BITS, lambda far: far.frame(Opcode.TEXT, b"x", reserved=4)),
    (Violation.RESERVED_OPCODE, lambda far: far.frame(3, b"x")),
    (Violation.NON_MINIMAL_LENGTH, lambda far: far.frame(Opcode.TEXT, b"x", length_size=2)),
    (Violation.FRAGMENTED_CONTROL, lambda far: far.frame(Opcode.PING, final=False)),
    (Violation.CONTROL_TOO_LONG, lambda far: far.frame(Opcode.PING, bytes(126))),
    (Violation.UNEXPECTED_CONTINUATION, lambda far: far.frame(Opcode.CONTINUATION, b"x")),
    (Violation.MESSAGE_INTERRUPTED, lambda far: _begin(far) + far.frame(Opcode.TEXT, b"x")),
    (Violation.CLOSE_PAYLOAD_TOO_SHORT, lambda far: far.frame(Opcode.CLOSE, b"x")),
    (Violation.CLOSE_CODE_INVALID, lambda far: far.close_frame(1005)),
    (Violation.CLOSE_REASON_INVALID_UTF8, lambda far: far.frame(Opcode.CLOSE, b"\x03\xe8\xff")),
    (Violation.UNMASKED_FRAME, lambda far: far.frame(Opcode.TEXT, b"x", is_masked=False)),
    (Violation.MASKED_FRAME, lambda far: far.frame(Opcode.TEXT, b"x", is_masked=True)),
)


def _begin(far: FarEnd, size: int = 1) -> bytes:
    """The first frame of a message."""
    return far.frame(Opcode.BINARY, bytes(size), final=False)


def _case(violation: Violation, offence: Callable[[FarEnd], bytes], role: Role) -> AdapterCase:
    """The far end in that role breaks one rule, behind a message that it does not break with it."""

    async def run(stage: AdapterStage) -> Reports:
        async with far_end(stage, role, {"limits": _LIMITS}) as (far, ws):
            await far.send(far.frame(Opcode.TEXT, b"innocent"), offence(far))
            expect("the message before the offence", await ws.recv(), "innocent")
            with raises(ConnectionClosedError, "recv() behind the offence"):
                await ws.recv()
            expect("the code that the offender is told", (await far.receive_close())[0], violation.close_code)
            far.stream.end()
            return (await ws.wait_closed(),)

    return AdapterCase(
        name=f"{violation.name.replace('_', ' ').lower()} by a {role.value}",
        because=f"{violation.section}: {violation.words}",
        run=run,
        endings=(Ending(Initiator.LOCAL, violation.close_code, violation=violation),),
    )


#: Every offence, by both sides, but for the mask, which is one side's duty and the other's offence.
OFFENCES: Final = tuple(
    _case(violation, offence, role)
    for role in Role
    for violation, offence in _OFFENCES
    if violation is not (Violation.MASKED_FRAME if role is Role.CLIENT else Violation.UNMASKED_FRAME)
)

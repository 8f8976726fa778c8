"""The cases about UTF-8: each sends what it says it sends, and our engine passes all of them on both sides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.conversing import converse
from wsproto_core import Role
from wsproto_core.frames import Frame, Opcode
from wsproto_fuzz.conformance.case import Case
from wsproto_fuzz.conformance.cases.utf8 import CASES
from wsproto_fuzz.conformance.expecting import ExpectEarlyFailure, ExpectFailure, ExpectMessage
from wsproto_fuzz.conformance.steps import Send
from wsproto_fuzz.conformance.verdict import Verdict
from wsproto_fuzz.transcript import render
from wsproto_fuzz.wire import Part


@pytest.mark.parametrize("peer", Role)
def test_our_engine_passes(peer: Role) -> None:
    for case in CASES:
        result = converse(case, peer)
        assert result.verdict is Verdict.PASS, f"{case.id} {result.finding}\n{render(result.transcript)}"


def test_what_has_to_fail_is_not_utf8_and_the_rest_is() -> None:
    for case in CASES:
        texts = [payload for opcode, payload in messages(case) if opcode == Opcode.TEXT]
        has_to_fail = any(isinstance(step, ExpectFailure) for step in case.steps)
        assert all(map(is_utf8, texts)) is not has_to_fail, case


def test_what_is_expected_is_what_was_sent() -> None:
    for case in CASES:
        expected = [step.message for step in case.steps if isinstance(step, ExpectMessage)]
        sent = [payload.decode() if opcode == Opcode.TEXT else payload for opcode, payload in good_messages(case)]
        assert expected in ([], sent), case


def test_what_fails_early_is_hopeless_by_then() -> None:
    early = [case for case in CASES if any(isinstance(step, ExpectEarlyFailure) for step in case.steps)]
    assert len(early) == 20
    for case in early:
        start = b"".join(payload_of(item) for item in sends(case)[0].items)
        assert not any(is_start_of_utf8(start + bytes([more])) for more in range(256)), case


def messages(case: Case) -> Iterator[tuple[int, bytes]]:
    """Opcodes and payloads of the messages that are sent, with the parts of frames put together."""
    opcode, payload = 0, b""
    for item in (item for step in sends(case) for item in step.items):
        assert isinstance(item, Frame | Part)
        frame = item if isinstance(item, Frame) else item.frame
        if frame.opcode > 2:
            continue
        if frame.opcode and not (isinstance(item, Part) and item.start is not None):
            opcode, payload = frame.opcode, b""
        payload += payload_of(item)
        if frame.final and not (isinstance(item, Part) and item.start is None):
            yield opcode, payload


def good_messages(case: Case) -> list[tuple[int, bytes]]:
    """Those that come back: up to the first that does not."""
    good: list[tuple[int, bytes]] = []
    for opcode, payload in messages(case):
        if opcode == Opcode.TEXT and not is_utf8(payload):
            break
        good.append((opcode, payload))
    return good


def sends(case: Case) -> list[Send]:
    return [step for step in case.steps if isinstance(step, Send)]


def payload_of(item: object) -> bytes:
    if isinstance(item, Part):
        return item.frame.payload[item.start : item.stop]
    assert isinstance(item, Frame)
    return item.payload


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_start_of_utf8(data: bytes) -> bool:
    """Whether ``data`` can be completed to UTF-8: every byte sequence of up to three more that could do so is tried."""
    return any(is_utf8(data + bytes([fill]) * size) for size in range(4) for fill in (0x80, 0x8F, 0x90, 0xA0, 0xBF))

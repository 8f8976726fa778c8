"""How a peer is judged: every expectation with a peer that passes, one that is lax and one that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import pytest

from tests.fuzz.conversing import START, ScriptedServer, case_of, converse
from wsproto_core import Role
from wsproto_core.frames import Frame, Opcode
from wsproto_fuzz.conformance.case import Case
from wsproto_fuzz.conformance.conversation import Conversation
from wsproto_fuzz.conformance.expecting import (
    Barrier,
    ExpectClose,
    ExpectEarlyFailure,
    ExpectEnd,
    ExpectFailure,
    ExpectMessage,
    ExpectPong,
    ExpectPongs,
    Silence,
)
from wsproto_fuzz.conformance.opening import Opening, accept_token
from wsproto_fuzz.conformance.steps import EndOutput, Pause, Step, send
from wsproto_fuzz.conformance.verdict import Verdict
from wsproto_fuzz.transcript import render
from wsproto_fuzz.wire import Part, binary, close, continuation, ping, pong, text

PASS, LAX, FAIL = Verdict.PASS, Verdict.LAX, Verdict.FAIL

Words: TypeAlias = Sequence[Frame | bytes | None]
React: TypeAlias = Callable[[Frame], Words]

WRONG = text("wrong", reserved=1)
END: Words = [None]


def obedient(frame: Frame) -> Words:
    """Echoes, answers pings, closes."""
    match frame.opcode:
        case Opcode.CLOSE:
            return [replace(frame, mask=None), None]
        case Opcode.PING:
            return [pong(frame.payload)]
        case Opcode.PONG:
            return []
        case _:
            return [replace(frame, mask=None)]


def on(opcode: int, words: Words) -> React:
    """Obedient, but to frames of one kind."""
    return lambda frame: words if frame.opcode == opcode else obedient(frame)


def to_wrong(words: Words) -> React:
    """Obedient, but to frames with a reserved bit."""
    return lambda frame: words if frame.reserved else obedient(frame)


def judged(react: React, *steps: Step) -> tuple[Verdict, str]:
    result = ScriptedServer(case_of(*steps), react).run()
    return result.verdict, result.finding


# ------------------------------------------------------------------------------------------------------------ messages

HELLO = (send(text("Hello")), ExpectMessage("Hello"))


def test_an_echo() -> None:
    assert judged(obedient, *HELLO) == (PASS, "The peer echoed 'Hello'.")


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        ([text("Hallo")], "Instead of the echo 'Hello' came 'Hallo'."),
        ([binary(b"Hello")], "Instead of the echo 'Hello' came b'Hello', of the other type."),
        ([], "Instead of the echo 'Hello' came nothing for 3 s."),
        ([close(1011, "oh"), None], "Instead of the echo 'Hello' came a close frame with 1011 'oh'."),
        ([None], "Instead of the echo 'Hello' came the end of the stream."),
        ([text("Hello"), text("Hello")], "The peer sent 'Hello', which nobody had asked for."),
    ],
)
def test_no_echo(words: Words, finding: str) -> None:
    assert judged(on(Opcode.TEXT, words), *HELLO) == (FAIL, finding)


def test_where_a_long_echo_differs() -> None:
    long, other = "x" * 100, "x" * 60 + "y" * 40
    verdict, finding = judged(on(Opcode.TEXT, [text(other)]), send(text(long)), ExpectMessage(long))
    assert (verdict, finding.rpartition(": ")[2]) == (FAIL, "they differ from place 60 on.")
    verdict, finding = judged(on(Opcode.TEXT, [text(long[:-1])]), send(text(long)), ExpectMessage(long))
    assert (verdict, finding.rpartition(": ")[2]) == (FAIL, "they differ from place 99 on.")


def test_an_echo_in_fragments_is_one_with_pings_between() -> None:
    words = [text("Hel", final=False), ping(b"1"), continuation("lo")]
    assert judged(on(Opcode.TEXT, words), *HELLO)[0] is PASS


def test_a_refusal_is_lax_where_it_is_allowed() -> None:
    steps = send(text("Hello")), ExpectMessage("Hello", refusals=(1009,)), Barrier()
    assert judged(on(Opcode.TEXT, [close(1009), None]), *steps) == (
        LAX,
        "The peer refused 'Hello' and closed with 1009.",
    )
    assert judged(on(Opcode.TEXT, [close(1008), None]), *steps)[0] is FAIL


# --------------------------------------------------------------------------------------------------------------- pongs


def test_pongs() -> None:
    steps = send(ping(b"1")), ExpectPong(b"1")
    assert judged(obedient, *steps) == (PASS, "The peer answered a ping of 1 byte.")
    assert judged(on(Opcode.PING, [pong(b"unasked"), pong(b"1")]), *steps)[0] is PASS
    assert judged(on(Opcode.PING, []), *steps) == (FAIL, "Instead of a pong of b'1' came nothing for 3 s.")
    assert judged(on(Opcode.PING, [pong(b"2")]), *steps) == (
        FAIL,
        "Instead of a pong of b'1' came nothing for 3 s after a pong of b'2' that nobody asked for.",
    )
    assert judged(on(Opcode.PING, END), *steps)[0] is FAIL


def test_of_several_pings_the_last_must_be_answered() -> None:
    steps = send(ping(b"1"), ping(b"2"), ping(b"3")), ExpectPongs((b"1", b"2", b"3"))

    def answering(*payloads: bytes) -> React:
        return lambda frame: [pong(each) for each in payloads] if frame.payload == b"3" else []

    assert judged(obedient, *steps) == (PASS, "The peer answered 3 of 3 pings, in order.")
    assert judged(answering(b"3"), *steps) == (PASS, "The peer answered 1 of 3 pings, in order.")
    assert judged(answering(b"1", b"3"), *steps)[0] is PASS
    assert judged(answering(b"1", b"2"), *steps)[0] is FAIL
    assert judged(answering(b"2", b"1", b"3"), *steps)[0] is FAIL
    assert judged(answering(b"1", b"1", b"3"), *steps)[0] is FAIL


def test_a_barrier() -> None:
    assert judged(obedient, send(text("Hello")), Barrier(), ExpectMessage("Hello"))[0] is PASS
    assert judged(on(Opcode.PING, []), Barrier())[0] is FAIL


def test_silence() -> None:
    assert judged(obedient, Silence(0.3)) == (PASS, "The peer said nothing.")
    assert judged(obedient, send(pong()), Silence(0.3))[0] is PASS
    assert judged(on(Opcode.PONG, [text("?")]), send(pong()), Silence(0.3)) == (
        FAIL,
        "Where nothing was to be said came the message '?'.",
    )


# ------------------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("words", "verdict", "finding"),
    [
        ([close(1002, "RSV"), None], PASS, "The peer failed the connection with 1002 'RSV'."),
        ([close(1007), None], LAX, "The peer closed with 1007, which does not name the fault as 1002 does."),
        ([close(), None], LAX, "The peer closed with no code, which does not name the fault as 1002 does."),
        ([None], LAX, "The peer ended the stream without a close frame."),
        ([text("wrong")], FAIL, "The peer went on: it sent 'wrong'."),
        ([], FAIL, "The peer went on: it answered a ping that came afterwards."),
        ([close(1005), None], FAIL, "The peer sent close code 1005, which must not be sent (RFC 6455 §7.4)."),
    ],
)
def test_an_illegal_frame(words: Words, verdict: Verdict, finding: str) -> None:
    assert judged(to_wrong(words), send(WRONG), ExpectFailure()) == (verdict, finding)


def test_to_leave_the_stream_open_after_a_failure_is_lax() -> None:
    def lingering(frame: Frame) -> Words:
        return [close(1002)] if frame.reserved else []

    assert judged(lingering, send(WRONG), ExpectFailure()) == (
        LAX,
        "After its close frame the peer let the TCP connection open for 3 s.",
    )


def test_a_peer_that_does_nothing_has_not_failed_the_connection() -> None:
    def stunned(_: Frame) -> Words:
        return []

    assert judged(stunned, send(WRONG), ExpectFailure()) == (FAIL, "The peer did not fail the connection.")
    assert judged(stunned, send(WRONG), ExpectFailure(may_ping=False))[0] is FAIL


def test_a_peer_that_goes_on_is_found_out_at_once() -> None:
    result = ScriptedServer(case_of(send(WRONG), ExpectFailure()), to_wrong([])).run()
    assert result.duration == pytest.approx(0.25)


def test_what_was_owed_before_the_fault_may_still_come() -> None:
    steps = (
        send(text("right"), ping(b"1"), WRONG),
        ExpectFailure(before=("right",), pongs=(b"1",)),
    )
    assert judged(to_wrong([close(1002), None]), *steps)[0] is PASS
    assert judged(to_wrong([text("right"), close(1002), None]), *steps)[0] is FAIL
    assert judged(lambda frame: [close(1002), None] if frame.reserved else [], *steps)[0] is PASS


def test_a_ping_that_was_not_before_the_fault_must_not_be_answered() -> None:
    steps = send(WRONG, ping(b"1")), ExpectFailure()
    assert judged(to_wrong([]), *steps) == (FAIL, "The peer went on: it answered a ping that came afterwards.")


def test_a_close_frame_behind_the_fault_must_not_be_answered() -> None:
    steps = send(WRONG, close(4001)), ExpectFailure()
    assert judged(to_wrong([]), *steps) == (
        FAIL,
        "The peer answered the close frame as if nothing were wrong, with 4001.",
    )
    assert judged(to_wrong([close(1002), None]), *steps)[0] is PASS


def test_a_wrong_close_frame_must_not_be_answered_in_kind() -> None:
    assert judged(on(Opcode.CLOSE, [close(), None]), send(Frame(8, b"\x03")), ExpectFailure())[0] is FAIL
    assert judged(on(Opcode.CLOSE, [close(1002), None]), send(Frame(8, b"\x03")), ExpectFailure())[0] is PASS


def test_to_go_on_is_lax_where_the_receiver_is_not_obliged() -> None:
    steps = send(WRONG), ExpectFailure(may_go_on=True), ExpectMessage("wrong")
    assert judged(to_wrong([text("wrong")]), *steps) == (LAX, "The peer took what must not be sent, and went on.")
    assert judged(to_wrong([text("other")]), *steps)[0] is FAIL
    assert judged(to_wrong([close(1002), None]), *steps)[0] is PASS


def test_to_fail_early_is_good_and_to_wait_is_lax() -> None:
    steps = send(Part(WRONG, stop=0)), ExpectEarlyFailure(), send(Part(WRONG, 0)), ExpectFailure()
    early = ScriptedServer(case_of(*steps), to_wrong([close(1002), None]))
    assert early.run().verdict is LAX  # the script sees whole frames only

    class Eager(ScriptedServer):
        def open(self) -> None:
            super().open()
            self.say([close(1002), None])

    assert Eager(case_of(*steps), obedient).run().verdict is PASS
    assert judged(to_wrong([text("wrong")]), *steps)[0] is FAIL


# ------------------------------------------------------------------------------------------------------------- closing


@pytest.mark.parametrize(
    ("words", "verdict", "finding"),
    [
        ([close(4001), None], PASS, "The peer answered with its close frame, 4001."),
        ([close(1000), None], LAX, "The peer closed with 1000, not with 4001."),
        ([close(), None], LAX, "The peer closed with no code, not with 4001."),
        ([text("?")], FAIL, "The peer went on: it sent '?'."),
        ([], FAIL, "Instead of a close frame came nothing for 3 s."),
        ([None], FAIL, "Instead of a close frame came the end of the stream."),
        ([close(4001)], FAIL, "After its close frame the peer let the TCP connection open for 3 s."),
        ([close(4001), text("late"), None], FAIL, "The peer sent data after its close frame (RFC 6455 §5.5.1)."),
        (
            [close(4001), close(4001), None],
            FAIL,
            "The peer sent a second close frame after its close frame (RFC 6455 §5.5.1).",
        ),
    ],
)
def test_a_close_frame(words: Words, verdict: Verdict, finding: str) -> None:
    assert judged(on(Opcode.CLOSE, words), send(close(4001)), ExpectClose((4001,))) == (verdict, finding)


def test_a_close_frame_behind_the_end_of_the_stream() -> None:
    steps = send(close(1000)), EndOutput(), ExpectClose(may_just_end=True)
    assert judged(obedient, *steps)[0] is PASS
    assert judged(on(Opcode.CLOSE, END), *steps) == (LAX, "The peer ended the stream without a close frame.")


def test_no_code_can_be_the_answer() -> None:
    assert judged(obedient, send(close()), ExpectClose((None, 1000)))[0] is PASS
    assert judged(on(Opcode.CLOSE, [close(1001), None]), send(close()), ExpectClose((None, 1000))) == (
        LAX,
        "The peer closed with 1001, not with no code or 1000.",
    )


def test_the_end_of_the_stream() -> None:
    steps = send(text("Hello")), EndOutput(), ExpectEnd(before=("Hello",))
    assert judged(on(Opcode.TEXT, [text("Hello"), None]), *steps) == (PASS, "The stream ended.")
    assert judged(on(Opcode.TEXT, [close(1001), None]), *steps) == (
        PASS,
        "The stream ended after a close frame, 1001.",
    )
    assert judged(on(Opcode.TEXT, [text("Hello")]), *steps)[0] is LAX
    assert judged(on(Opcode.TEXT, [text("Hallo"), None]), *steps)[0] is FAIL
    assert judged(obedient, EndOutput(), ExpectEnd(is_required=True))[0] is FAIL


def test_the_farewell_is_not_judged() -> None:
    assert judged(on(Opcode.CLOSE, []), *HELLO)[0] is PASS
    assert judged(on(Opcode.CLOSE, END), *HELLO)[0] is PASS
    assert judged(on(Opcode.CLOSE, [text("one more")]), *HELLO)[0] is FAIL


# ------------------------------------------------------------------------------------- what is wrong whatever is tested


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ([Frame(1, b"x", mask=b"abcd")], "a masked frame (RFC 6455 §5.1)"),
        ([Frame(3, b"x")], "the reserved opcode 0x3 (RFC 6455 §5.2)"),
        ([Frame(1, b"x", reserved=4)], "reserved bits 100 that mean nothing here (RFC 6455 §5.2)"),
        ([Frame(1, b"x", length_size=2)], "a length in more bytes than it needs (RFC 6455 §5.2)"),
        ([continuation("x")], "a continuation of nothing (RFC 6455 §5.4)"),
        ([text("x", final=False), text("x")], "a new message inside of another (RFC 6455 §5.4)"),
        ([Frame(9, b"x", final=False)], "a control frame in fragments (RFC 6455 §5.5)"),
        ([ping(bytes(126))], "a control frame of 126 bytes (RFC 6455 §5.5)"),
        ([Frame(8, b"\x03")], "a close frame with one byte (RFC 6455 §5.5.1)"),
        ([close(1000, b"\xff")], "a close reason that is not UTF-8 (RFC 6455 §5.5.1)"),
        ([text(b"\xff")], "a text message that is not UTF-8 (RFC 6455 §5.6)"),
    ],
)
def test_a_fault_of_the_peer_itself(words: Words, fault: str) -> None:
    assert judged(on(Opcode.TEXT, words), *HELLO) == (FAIL, f"The peer sent {fault}.")


def opened_by_a_client(case: Case) -> Conversation:
    """At the point where the tester has answered a client's opening handshake."""
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    request = (
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()
    conversation = Conversation(case, Role.CLIENT, START)
    conversation.receive_data(request, START)
    response, first = conversation.data_to_send()
    assert f"Sec-WebSocket-Accept: {accept_token(key)}\r\n".encode() in response
    assert first[1] & 0x80 == 0
    return conversation


def test_a_client_has_to_mask() -> None:
    conversation = opened_by_a_client(case_of(*HELLO))
    conversation.receive_data(bytes(text("Hello")), START)
    assert conversation.result().finding == "The peer sent a frame without a mask (RFC 6455 §5.1)."


def test_a_client_that_leaves_the_stream_open_is_lax() -> None:
    """RFC 6455 §5.5.1: it is the server that must end it immediately."""
    conversation = opened_by_a_client(case_of(send(close(1000)), ExpectClose()))
    conversation.receive_data(bytes(replace(close(1000), mask=b"abcd")), START)
    assert conversation.ends_output
    conversation.handle_timeout(START + 3.0)
    assert conversation.result().verdict is LAX


def test_a_peer_that_never_stops_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsproto_fuzz.conformance.talk._MAX_RECEIVED_SIZE", 1 << 20)
    conversation = opened(case_of(Silence(1000.0)))
    for _ in range(9):
        conversation.receive_data(bytes(pong(b"x" * 125)) * 1000, START)
    assert conversation.result().finding == "The peer sent more than 1 MiB."


# ------------------------------------------------------------------------------------------------------------- opening


def opened(case: Case) -> Conversation:
    """At the point where the server has answered the opening handshake."""
    server = ScriptedServer(case, obedient)
    server.open()
    return server.tester


GOOD = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        ("HTTP/1.1 404 Not Found\r\n\r\n", "the response is 'HTTP/1.1 404 Not Found', not 101"),
        (GOOD.replace("websocket", "h2c") + "Sec-WebSocket-Accept: {}\r\n\r\n", "Upgrade is ['h2c']"),
        (GOOD.replace("Connection: Upgrade\r\n", "") + "Sec-WebSocket-Accept: {}\r\n\r\n", "Connection is []"),
        (GOOD + "Sec-WebSocket-Accept: x\r\n\r\n", "Sec-WebSocket-Accept is ['x'], not '{}'"),
        (GOOD + "Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: x\r\n\r\n", "it chooses the subprotocol 'x'"),
        (
            GOOD + "Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Extensions: x\r\n\r\n",
            "it agrees to 'x', which nobody offered",
        ),
    ],
)
def test_a_handshake_that_no_client_must_accept(response: str, fault: str) -> None:
    conversation = Conversation(case_of(*HELLO), Role.SERVER, START)
    request = b"".join(conversation.data_to_send()).decode()
    key = request.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
    conversation.receive_data(response.replace("{}", accept_token(key)).encode(), START)
    result = conversation.result()
    assert result.verdict is FAIL
    assert result.finding.startswith(f"The opening handshake failed: {fault.replace('{}', accept_token(key))}")


def test_no_answer_at_all() -> None:
    conversation = Conversation(case_of(), Role.SERVER, START)
    conversation.handle_timeout(START + 3.0)
    assert conversation.result().finding.endswith("instead of the peer's part came nothing.")
    conversation = Conversation(case_of(), Role.SERVER, START)
    conversation.receive_eof(START)
    assert conversation.result().finding.endswith("instead of the peer's part came the end of the stream.")


def test_a_request_that_no_server_must_accept() -> None:
    conversation = Conversation(case_of(), Role.CLIENT, START)
    conversation.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", START)
    assert conversation.result().finding == "The opening handshake failed: Upgrade is []."


def test_what_the_peer_lacks_is_unimplemented() -> None:
    case = replace(case_of(*HELLO), opening=Opening(offer="permessage-deflate", answer="permessage-deflate"))
    result = ScriptedServer(case, obedient).run()
    assert (result.verdict, result.finding) == (
        Verdict.UNIMPLEMENTED,
        "The peer did not agree to permessage-deflate.",
    )
    assert converse(case, Role.SERVER).verdict is converse(case, Role.CLIENT).verdict is PASS


# ---------------------------------------------------------------------------------------------------- the face of it


def test_everything_random_follows_from_the_seed() -> None:
    def first_bytes(seed: int) -> list[bytes]:
        return Conversation(case_of(*HELLO), Role.SERVER, START, seed=seed).data_to_send()

    assert first_bytes(1) == first_bytes(1) != first_bytes(2)
    assert converse(case_of(*HELLO), Role.SERVER) == converse(case_of(*HELLO), Role.SERVER)


def test_the_request_goes_to_the_given_place() -> None:
    conversation = Conversation(case_of(), Role.SERVER, START, authority="host:1", target="/a?b")
    assert b"".join(conversation.data_to_send()).startswith(b"GET /a?b HTTP/1.1\r\nHost: host:1\r\n")


def test_there_is_no_result_before_the_end() -> None:
    conversation = opened(case_of(*HELLO))
    with pytest.raises(RuntimeError, match=r"group\.1\.1 is not over"):
        conversation.result()


def test_what_comes_after_the_end_is_nothing() -> None:
    conversation = opened(case_of(*HELLO))
    conversation.receive_eof(START + 1.0)
    result = conversation.result()
    assert conversation.next_deadline() is None
    conversation.receive_data(bytes(text("Hello")), START + 2.0)
    assert conversation.result() == result


def test_a_case_may_wait_in_between() -> None:
    conversation = opened(case_of(Pause(1.0), *HELLO))
    conversation.data_to_send()
    assert conversation.next_deadline() == START + 1.0
    conversation.handle_timeout(START + 0.5)
    assert conversation.data_to_send() == []
    conversation.handle_timeout(START + 1.0)
    assert len(conversation.data_to_send()) == 1
    assert conversation.next_deadline() == START + 4.0


def test_writes_are_cut_as_the_case_says() -> None:
    conversation = opened(case_of(send(text("Hello"), write_size=4), send(binary(b"Hello"), cuts=(1, 10))))
    sizes = [len(data) for data in conversation.data_to_send()]
    assert sizes[:6] == [4, 4, 3, 1, 9, 1]


def test_a_gap_is_waited_for_and_ends_with_the_peer() -> None:
    conversation = opened(case_of(send(text("Hello"), write_size=4, gap=0.5), ExpectMessage("Hello")))
    assert [len(data) for data in conversation.data_to_send()] == [4]
    conversation.handle_timeout(START + 0.5)
    assert [len(data) for data in conversation.data_to_send()] == [4]
    conversation.receive_data(bytes(close(1011)), START + 0.6)
    assert conversation.data_to_send() == []
    assert conversation.result().verdict is FAIL


def test_the_stream_is_ended_behind_the_output() -> None:
    conversation = opened(case_of(send(text("Hello")), EndOutput(), ExpectEnd()))
    waiting = conversation.ends_output
    conversation.data_to_send()
    assert (waiting, conversation.ends_output) == (False, True)


def test_nothing_is_said_once_the_stream_is_ended() -> None:
    conversation = opened(case_of(EndOutput(), ExpectEnd()))
    conversation.receive_data(bytes(ping(b"alive?")) + bytes(close(1001)), START)
    assert conversation.data_to_send() == []
    conversation.transport_lost(ConnectionResetError(), START)
    assert conversation.result().verdict is PASS


def test_a_close_frame_in_parts_is_not_sent_once_more() -> None:
    frame = close(1000, "bye")
    conversation = opened(case_of(send(Part(frame, stop=1)), send(Part(frame, 1)), ExpectClose()))
    conversation.data_to_send()
    conversation.receive_data(bytes(close(1000)), START)
    assert conversation.data_to_send() == []


def test_the_peers_pings_are_answered() -> None:
    conversation = opened(case_of(Silence(1.0)))
    conversation.receive_data(bytes(ping(b"alive?")), START)
    (data,) = conversation.data_to_send()
    assert data[:2] == b"\x8a\x86"


def test_the_evidence() -> None:
    result = ScriptedServer(case_of(send(text("Hello"), write_size=4), ExpectMessage("Hello")), obedient).run()
    meanings = [line.meaning.partition("\n")[0] for line in result.transcript]
    assert render(result.transcript).count("   0.000 ") == len(meanings)
    assert meanings == [
        "GET / HTTP/1.1",
        "HTTP/1.1 101 Switching Protocols",
        "TEXT fin masked 5 bytes 'Hello'",
        "sent in writes of 4 bytes",
        "TEXT fin 5 bytes 'Hello'",
        "CLOSE fin masked 1000",
        "CLOSE fin 1000",
        "the peer ends the stream",
    ]
    assert (result.case, result.group, result.title) == ("group.1.1", "group", "a title")
    assert (result.requirement, result.section, result.duration) == ("It must.", "RFC 6455 §1", 0.0)

"""Messages through both ends of a connection, and what is refused that has nothing to do with an attack."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.pipeline.kit import CIPHERS, Ends, connect, encrypting, entropy, refusal, ring
from wsproto_core import (
    Compress,
    Encrypt,
    Limits,
    LocalProtocolError,
    Message,
    Pipeline,
    PipelineSession,
    RemoteProtocolError,
    Role,
    Violation,
)
from wsproto_core._pipeline import channel

PIPELINES = {
    "zlib": Pipeline(Compress(threshold=0)),
    "zstd": Pipeline(Compress("zstd", threshold=0)),
    **{cipher: Pipeline(encrypt=Encrypt(ring(), cipher)) for cipher in CIPHERS},
    "both": Pipeline(Compress(threshold=20), Encrypt(ring())),
    "both, zstd": Pipeline(Compress("zstd", level=19, threshold=0), Encrypt(ring(), "chacha20-poly1305")),
}
every_pipeline = pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
MESSAGES = st.text() | st.binary() | st.builds(lambda piece, times: piece * times, st.text(), st.integers(0, 99))


@every_pipeline
@given(said=st.lists(st.tuples(st.booleans(), MESSAGES)))
def test_messages_come_out_as_they_went_in(pipeline: Pipeline, said: list[tuple[bool, Message]]) -> None:
    ends = connect(pipeline)
    for by_client, message in said:
        speaker, listener = ends if by_client else reversed(ends)
        sealed = speaker.seal(message)
        opened = listener.open(sealed)
        assert opened == message
        assert type(opened) is type(message)
        size = len(message.encode() if isinstance(message, str) else message)
        assert len(sealed) <= size + pipeline.overhead


@every_pipeline
@given(
    mine=st.lists(MESSAGES, max_size=9), yours=st.lists(MESSAGES, max_size=9), order=st.randoms(use_true_random=False)
)
def test_datagrams_in_any_order(pipeline: Pipeline, mine: list[Message], yours: list[Message], order: Any) -> None:
    """Both sides have sealed before either has opened anything, and nothing comes in order."""
    ends = connect(pipeline, ordered=False)
    posted: list[tuple[PipelineSession, Message, bytes]] = [
        *((ends.server, message, ends.client.seal(message)) for message in mine),
        *((ends.client, message, ends.server.seal(message)) for message in yours),
    ]
    order.shuffle(posted)
    assert [listener.open(sealed) for listener, _, sealed in posted] == [message for _, message, _ in posted]


def test_both_sides_may_speak_at_once() -> None:
    """What crosses on the way is early on both sides; what follows is bound."""
    ends = connect(encrypting())
    question, greeting = ends.client.seal("question"), ends.server.seal("greeting")
    assert ends.server.open(question) == "question"
    assert ends.client.open(greeting) == "greeting"
    assert live(ends) == (False, False)
    assert ends.server.open(ends.client.seal("second")) == "second"
    assert live(ends) == (False, True)
    assert ends.client.open(ends.server.seal("third")) == "third"
    assert live(ends) == (True, True)


def live(ends: Ends) -> tuple[bool, bool]:
    """Whether the client knows that the server is live, and the other way round."""
    return ends.client.peer_is_live, ends.server.peer_is_live


def test_without_encryption_nobody_is_known_to_be_live() -> None:
    ends = connect(PIPELINES["zlib"])
    ends.server.open(ends.client.seal("hi"))
    ends.client.open(ends.server.seal("hi"))
    assert live(ends) == (False, False)


@every_pipeline
def test_what_cannot_be_sent_changes_nothing(pipeline: Pipeline) -> None:
    ends = connect(pipeline)
    with pytest.raises(LocalProtocolError, match="lone surrogate at index 2"):
        ends.client.seal("ab\ud800")
    with pytest.raises(TypeError, match="message must be str"):
        ends.client.seal(3)  # type: ignore[arg-type]  # the caller is wrong on purpose
    assert ends.server.open(ends.client.seal("next")) == "next"


@every_pipeline
def test_a_message_larger_than_the_limit(pipeline: Pipeline) -> None:
    ends = connect(pipeline, limits=Limits(message_size=1000))
    assert ends.server.open(ends.client.seal("x" * 1000)) == "x" * 1000
    assert refusal(ends.server, ends.client.seal("x" * 1001)) is Violation.MESSAGE_TOO_BIG


def test_text_that_is_none() -> None:
    ends = connect(PIPELINES["zlib"])
    assert refusal(ends.server, b"\x01\x01\xff") is Violation.INVALID_UTF8
    assert refusal(ends.server, b"\x01\x03" + zlib.compress(b"\xff", wbits=-15)) is Violation.INVALID_UTF8


def test_more_than_a_cipher_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LocalProtocolError, match="2147483648 bytes, and a cipher takes 2147483647"):
        connect(encrypting()).client.seal(bytes(2**31))
    ends = connect(encrypting(), limits=Limits(message_size=None))
    sealed = ends.client.seal(bytes(100))
    monkeypatch.setattr(channel, "_MAX_SIZE", 145)
    assert refusal(ends.server, sealed) is Violation.MESSAGE_TOO_BIG
    monkeypatch.setattr(channel, "_MAX_SIZE", 146)
    assert ends.server.open(sealed) == bytes(100)


def test_a_refusal_says_what_was_seen() -> None:
    with pytest.raises(
        RemoteProtocolError, match=r"not sealed as this side expects \(pipeline §1\): version 104, not 1"
    ):
        connect(encrypting()).server.open(b"hello")


# --- configuration ----------------------------------------------------------------------------------------------------


def test_overheads() -> None:
    assert PIPELINES["zlib"].overhead == 2
    assert PIPELINES["both"].overhead == 46


def test_pipelines_compare_by_what_they_do() -> None:
    keys = ring()
    assert Pipeline(Compress(), Encrypt(keys)) == Pipeline(Compress(), Encrypt(keys))
    assert len({Pipeline(Compress()), Pipeline(Compress()), Pipeline(Compress(level=9))}) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, ValueError, "compress and encrypt are both None"),
        ({"compress": "zlib"}, TypeError, "compress must be Compress or None, not str"),
        ({"encrypt": {1: b"secret"}}, TypeError, "^encrypt must be Encrypt or None, not dict$"),
    ],
)
def test_wrong_pipelines(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Pipeline(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"role": "client"}, TypeError, "role must be Role, not str"),
        ({"context": "text"}, TypeError, "context must be bytes, not str"),
    ],
)
def test_wrong_sessions(arguments: Any, error: type[Exception], words: str) -> None:
    usual = {"role": Role.CLIENT, "limits": Limits(), "ordered": True}
    with pytest.raises(error, match=words):
        encrypting().session(entropy(0), **{**usual, **arguments})


def test_a_context_needs_something_to_bind() -> None:
    with pytest.raises(ValueError, match="context needs a pipeline with encrypt"):
        connect(PIPELINES["zlib"], contexts=(b"a", b"a"))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"keys": {1: b"secret"}}, TypeError, "^keys must be a KeyRing, not dict$"),
        ({"cipher": "rot13"}, ValueError, "cipher must be .*, not 'rot13'"),
        ({"accepts_early": 1}, TypeError, "accepts_early must be True or False, not 1"),
    ],
)
def test_wrong_encryption(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Encrypt(**{"keys": ring(), **arguments})

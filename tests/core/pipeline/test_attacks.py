"""What someone does who sees and changes everything on the way, and has no key."""

from __future__ import annotations

from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.pipeline.kit import CIPHERS, KEY, OTHER_KEY, Ends, connect, encrypting, entropy, refusal, ring
from wsproto_core import (
    Encrypt,
    KeyRing,
    Limits,
    Message,
    Pipeline,
    PipelineSession,
    RemoteProtocolError,
    Role,
    Violation,
)

#: Where a changed bit is noticed before the seal is.
NOT_SEALED, KEY_ID, SEAL = Violation.NOT_SEALED, Violation.UNKNOWN_KEY, Violation.BROKEN_SEAL

any_order: Final = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "datagrams"])


def guarded() -> Pipeline:
    return Pipeline(encrypt=Encrypt(ring(), accepts_early=False))


def settled(ends: Ends) -> Ends:
    """After a message each way: everything that follows is bound."""
    ends.server.open(ends.client.seal("hello"))
    ends.client.open(ends.server.seal("hello"))
    return ends


# --- changed ----------------------------------------------------------------------------------------------------------


@any_order
@pytest.mark.parametrize("bound", [False, True], ids=["early", "bound"])
@pytest.mark.parametrize("cipher", CIPHERS)
def test_every_changed_bit_is_noticed(cipher: Any, bound: bool, ordered: bool) -> None:
    ends = connect(Pipeline(encrypt=Encrypt(ring(), cipher)), ordered=ordered)
    if bound:
        settled(ends)
    sealed = ends.client.seal("attack at dawn")
    found = set()
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        found.add(refusal(ends.server, bytes(changed)))
    assert found >= {NOT_SEALED, KEY_ID, SEAL, Violation.REFLECTED_MESSAGE}
    assert found <= {NOT_SEALED, KEY_ID, SEAL, Violation.REFLECTED_MESSAGE, Violation.REPLAYED_MESSAGE}
    assert ends.server.open(sealed) == "attack at dawn"  # nothing of it has changed anything


@given(st.integers(0, 59), st.binary(max_size=3))
def test_every_cut_and_every_addition_is_noticed(size: int, more: bytes) -> None:
    ends = connect(encrypting())
    sealed = ends.client.seal("attack at dawn")
    assert len(sealed) == 60
    assert refusal(ends.server, sealed[:size]) in (NOT_SEALED, SEAL)
    assert refusal(ends.server, sealed + more + b"\x00") is SEAL


@given(
    st.binary(max_size=100)
    | st.builds(
        lambda flags, rest: b"\x01" + flags + rest,
        st.binary(min_size=1, max_size=1),
        st.binary(min_size=28, max_size=60),
    )
)
def test_any_bytes_are_refused(data: bytes) -> None:
    assert refusal(connect(encrypting()).server, data).close_code == 1008


def test_another_key() -> None:
    ends = connect(encrypting(), Pipeline(encrypt=Encrypt(KeyRing({1: OTHER_KEY}))))
    assert refusal(ends.server, ends.client.seal("hi")) is SEAL


def test_another_key_id() -> None:
    ends = connect(encrypting(), Pipeline(encrypt=Encrypt(KeyRing({2: KEY}))))
    assert refusal(ends.server, ends.client.seal("hi")) is KEY_ID


def test_another_context() -> None:
    ends = connect(encrypting(), contexts=(b"key of one handshake", b"key of another"))
    assert refusal(ends.server, ends.client.seal("hi")) is SEAL


def test_the_same_key_and_counter_never_share_a_nonce() -> None:
    """Equal texts under one key, from either end and in two connections: no two ciphertexts are alike."""
    sessions = [session for seed in (1, 2) for session in connect(encrypting(), seed=seed)]
    sealed = [session.seal(bytes(16))[30:] for session in sessions for _ in range(3)]
    assert len(set(sealed)) == len(sealed)


# --- repeated and moved -----------------------------------------------------------------------------------------------


@any_order
def test_a_message_is_opened_once(ordered: bool) -> None:
    ends = connect(encrypting(), ordered=ordered)
    sealed = [ends.client.seal(f"{number}") for number in range(3)]
    for data in sealed:
        ends.server.open(data)
    assert {refusal(ends.server, data) for data in sealed} == {Violation.REPLAYED_MESSAGE}
    assert ends.server.open(ends.client.seal("next")) == "next"


def test_over_an_ordered_transport_nothing_is_left_out_or_moved() -> None:
    ends = connect(encrypting())
    first, second, third = (ends.client.seal(word) for word in ("first", "second", "third"))
    assert refusal(ends.server, second) is Violation.REPLAYED_MESSAGE
    ends.server.open(first)
    assert refusal(ends.server, third) is Violation.REPLAYED_MESSAGE
    assert ends.server.open(second) == "second"
    assert ends.server.open(third) == "third"


def test_datagrams_may_be_late_but_not_older_than_the_window() -> None:
    ends = connect(encrypting(), ordered=False)
    oldest, old, *_, latest = (ends.client.seal(f"{number}") for number in range(1025))
    assert ends.server.open(latest) == "1024"
    assert refusal(ends.server, oldest) is Violation.REPLAYED_MESSAGE
    assert ends.server.open(old) == "1"
    assert refusal(ends.server, old) is Violation.REPLAYED_MESSAGE


# --- reflected --------------------------------------------------------------------------------------------------------


@any_order
def test_a_message_does_not_come_back(ordered: bool) -> None:
    """Not to the one that sealed it, nor to another of its connections, nor to another client."""
    ends, others = connect(encrypting(), ordered=ordered, seed=1), connect(encrypting(), ordered=ordered, seed=2)
    early = ends.client.seal("hi")
    settled(others)
    assert refusal(ends.client, early) is Violation.REFLECTED_MESSAGE
    assert refusal(others.client, early) is Violation.REFLECTED_MESSAGE
    assert refusal(others.server, others.server.seal("hi")) is Violation.REFLECTED_MESSAGE


# --- recorded ---------------------------------------------------------------------------------------------------------


@any_order
def test_what_is_bound_to_one_connection_opens_in_no_other(ordered: bool) -> None:
    recorded = settled(connect(encrypting(), ordered=ordered, seed=1)).client.seal("pay")
    fresh = connect(encrypting(), ordered=ordered, seed=2)
    assert refusal(fresh.server, recorded) is SEAL


@any_order
def test_the_early_messages_of_another_connection_can_be_played_to_a_new_one_and_no_more(ordered: bool) -> None:
    """What the documentation says is not protected; here it is, so that the documentation is true."""
    ends = connect(encrypting(), ordered=ordered, seed=1)
    early, second = ends.client.seal("early"), ends.client.seal("early as well")
    ends.client.open(ends.server.seal("greeting"))
    bound = ends.client.seal("pay")

    victim = connect(encrypting(), ordered=ordered, seed=2).server
    assert [victim.open(early), victim.open(second)] == ["early", "early as well"]
    assert refusal(victim, bound) is SEAL
    assert not victim.peer_is_live


@any_order
def test_nobody_else_joins_a_conversation(ordered: bool) -> None:
    ends = settled(connect(encrypting(), ordered=ordered, seed=1))
    stranger = connect(encrypting(), ordered=ordered, seed=2).client
    for word in ("the counter that has been", "and the one that follows"):
        assert refusal(ends.server, stranger.seal(word)) is Violation.REPLAYED_MESSAGE
    assert ends.server.open(ends.client.seal("go on")) == "go on"


def test_a_forged_first_message_is_in_nobody_s_way() -> None:
    ends, stranger = connect(encrypting(), seed=1), connect(encrypting(), seed=2).client
    assert refusal(ends.server, stranger.seal("hi")[:-1] + b"?") is SEAL
    assert ends.server.open(ends.client.seal("hi")) == "hi"


@any_order
def test_who_accepts_nothing_early_speaks_first_and_hears_no_recordings(ordered: bool) -> None:
    recorded = connect(encrypting(), ordered=ordered, seed=1).client.seal("pay")
    ends = connect(encrypting(), guarded(), ordered=ordered, seed=2)
    assert refusal(ends.server, recorded) is Violation.REPLAYED_MESSAGE
    assert ends.client.open(ends.server.seal("welcome")) == "welcome"
    assert ends.server.open(ends.client.seal("pay")) == "pay"
    assert ends.server.peer_is_live


def test_a_fresh_context_keeps_recordings_out() -> None:
    recorded = connect(encrypting(), contexts=(b"nonce 1", b"nonce 1"), seed=1).client.seal("pay")
    server = connect(encrypting(), contexts=(b"nonce 2", b"nonce 2"), seed=2).server
    assert refusal(server, recorded) is SEAL


@any_order
@given(
    steps=st.lists(st.sampled_from(["seal", "deliver", "repeat", "reflect", "recorded", "change"]), max_size=30),
    chance=st.randoms(use_true_random=False),
)
def test_whatever_is_done_on_the_way_each_message_is_opened_at_most_once(
    ordered: bool, steps: list[str], chance: Random
) -> None:
    """The attacker holds every message of this connection and the bound ones of another."""
    server = guarded().session(entropy(7), role=Role.SERVER, limits=Limits(), ordered=ordered)
    client = encrypting().session(entropy(8), role=Role.CLIENT, limits=Limits(), ordered=ordered)
    greeting = server.seal("greeting")
    client.open(greeting)
    past = settled(connect(encrypting(), ordered=ordered, seed=9)).client
    sealed: list[bytes] = []
    opened: list[Message] = []
    for step in steps:
        if step == "seal":
            sealed.append(client.seal(f"{len(sealed)}"))
        elif step in ("reflect", "recorded"):
            _try(server, greeting if step == "reflect" else past.seal("recorded"), opened)
        elif sealed:
            data = chance.choice(sealed)
            _try(server, data if step != "change" else data[:-1] + bytes([data[-1] ^ 1]), opened)
    assert len(opened) == len(set(opened))
    assert set(opened) <= {f"{number}" for number in range(len(sealed))}
    if ordered:
        assert opened == [f"{number}" for number in range(len(opened))]


def _try(session: PipelineSession, data: bytes, opened: list[Message]) -> None:
    code = None
    try:
        opened.append(session.open(data))
    except RemoteProtocolError as error:
        code = error.violation.close_code
    assert code in (None, 1008)

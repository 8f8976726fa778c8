"""The cases about permessage-deflate: our engine passes them; what they send is what they say; who judges is judged."""

from __future__ import annotations

import zlib
from random import Random

import pytest

from tests.fuzz.conversing import converse
from wsproto_core import Role
from wsproto_core.frames import Frame
from wsproto_fuzz.conformance.case import Case
from wsproto_fuzz.conformance.cases.deflate import CASES
from wsproto_fuzz.conformance.compression import Agreement, Compressed, Deflate, deflated
from wsproto_fuzz.conformance.expecting import ExpectMessage
from wsproto_fuzz.conformance.negotiation import answer_fault, parse_extensions
from wsproto_fuzz.conformance.steps import Send
from wsproto_fuzz.conformance.verdict import Verdict
from wsproto_fuzz.transcript import render

TAIL = b"\x00\x00\xff\xff"


@pytest.mark.parametrize("peer", Role)
def test_our_engine_passes(peer: Role) -> None:
    for case in CASES:
        if peer in case.peers:
            result = converse(case, peer)
            assert result.verdict is Verdict.PASS, f"{case.id} {result.finding}\n{render(result.transcript)}"


# --- what the cases send ----------------------------------------------------------------------------------------------


def test_blocks_are_deflate_and_say_what_is_expected() -> None:
    family = cases_of("deflate.14")
    assert len(family) == 19
    for case in family:
        expected = [step.message for step in case.steps if isinstance(step, ExpectMessage)]
        assert [inflate(frame.payload).decode() for frame in frames(case)] == expected, case


def test_corrupt_data_is_no_deflate() -> None:
    for case in cases_of("deflate.15"):
        with pytest.raises(zlib.error):
            inflate(b"".join(frame.payload for frame in frames(case)[-2:]))


def test_what_repeats_itself_beyond_a_window_does_not_fit_into_it() -> None:
    """Otherwise a compressor with too large a window would not be seen."""
    for prefix in ("deflate.10", "deflate.11"):
        for bits, case in zip(range(8, 15), cases_of(prefix)[1::2], strict=False):
            compressed = next(item for step in sends(case) for item in step.items if isinstance(item, Compressed))
            assert isinstance(compressed.message, bytes)
            assert len(deflated(compressed.message)) < len(compressed.message) - 200
            assert len(deflated(compressed.message, bits=max(9, bits))) > len(compressed.message)


# --- the tester's own compression -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", range(8, 15))
def test_the_tester_sees_that_a_window_is_exceeded(bits: int) -> None:
    block = Random(1).randbytes(400)
    far = block + Random(2).randbytes(1 << bits) + block
    with pytest.raises(zlib.error, match="too far back"):
        Deflate(Agreement(server_bits=bits), Role.SERVER).inflate(deflated(far))
    assert Deflate(Agreement(), Role.SERVER).inflate(deflated(far)) == far


@pytest.mark.parametrize("bits", range(9, 15))
def test_the_tester_does_not_mind_what_stays_within_the_window(bits: int) -> None:
    peer = zlib.compressobj(9, zlib.DEFLATED, -bits)
    tester = Deflate(Agreement(client_bits=bits), Role.CLIENT)
    for message in (b"\0" * 100_000, Random(3).randbytes(5000) * 3, b"", b"abc" * 10_000):
        packed = (peer.compress(message) + peer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)
        assert tester.inflate(packed) == message


# --- what a server may answer -----------------------------------------------------------------------------------------

ONE = "it agrees to something else than permessage-deflate, once"


@pytest.mark.parametrize(
    ("offer", "answer", "fault"),
    [
        ("permessage-deflate", "permessage-deflate", None),
        ("permessage-deflate", "permessage-deflate; server_no_context_takeover", None),
        ("permessage-deflate", "permessage-deflate; client_no_context_takeover; server_max_window_bits=9", None),
        ("permessage-deflate", 'permessage-deflate; server_max_window_bits="9"', None),
        ("permessage-deflate", "permessage-deflate; client_max_window_bits=9", "not offered"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9", None),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits", "parameter"),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10", None),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=11", "larger"),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate", "lacks server_max_window_bits"),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate", "lacks server_no_context_takeover"),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", "permessage-deflate", None),
        ("permessage-deflate; x", "permessage-deflate", "no offer was valid"),
        ("permessage-deflate; server_max_window_bits=7", "permessage-deflate", "no offer was valid"),
        ("permessage-deflate", "permessage-deflate; x=1", "it has the parameter x=1"),
        ("permessage-deflate", "permessage-deflate; server_no_context_takeover=1", "parameter"),
        ("permessage-deflate", "permessage-deflate; server_max_window_bits=08", "parameter"),
        (
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "it repeats a parameter",
        ),
        ("permessage-deflate", "permessage-deflate, permessage-deflate", ONE),
        ("permessage-deflate", "x-unheard-of", ONE),
    ],
)
def test_which_answers_fit_which_offers(offer: str, answer: str, fault: str | None) -> None:
    found = answer_fault(parse_extensions([answer]), parse_extensions([offer]))
    assert found is None if fault is None else fault in str(found)


def cases_of(prefix: str) -> list[Case]:
    return [case for case in CASES if case.id.startswith(f"{prefix}.")]


def sends(case: Case) -> list[Send]:
    return [step for step in case.steps if isinstance(step, Send)]


def frames(case: Case) -> list[Frame]:
    return [item for step in sends(case) for item in step.items if isinstance(item, Frame)]


def inflate(payload: bytes) -> bytes:
    """The message without context; blocks with BFINAL may stand anywhere."""
    plain, rest = b"", payload + TAIL
    while rest:
        inflater = zlib.decompressobj(-15)
        plain += inflater.decompress(rest)
        rest = inflater.unused_data
    return plain

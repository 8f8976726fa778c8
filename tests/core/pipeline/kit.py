"""What the tests of the pipeline share: keys, entropy that can be repeated, and the two ends of a connection."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

import pytest

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

KEY: Final = bytes(range(32))
OTHER_KEY: Final = bytes(range(1, 33))
CIPHERS: Final = ("aes-256-gcm", "chacha20-poly1305")


def entropy(seed: int) -> Callable[[int], bytes]:
    return Random(seed).randbytes


def ring() -> KeyRing:
    return KeyRing({1: KEY})


def encrypting() -> Pipeline:
    return Pipeline(encrypt=Encrypt(ring()))


class Ends(NamedTuple):
    """Both sessions of one connection."""

    client: PipelineSession
    server: PipelineSession


def connect(
    client: Pipeline,
    server: Pipeline | None = None,
    *,
    limits: Limits | None = None,
    ordered: bool = True,
    contexts: tuple[bytes, bytes] = (b"", b""),
    seed: int = 0,
) -> Ends:
    limits = limits or Limits()
    random = entropy(seed)
    return Ends(
        client.session(random, role=Role.CLIENT, limits=limits, ordered=ordered, context=contexts[0]),
        (server or client).session(random, role=Role.SERVER, limits=limits, ordered=ordered, context=contexts[1]),
    )


def refusal(session: PipelineSession, data: Message) -> Violation:
    with pytest.raises(RemoteProtocolError) as caught:
        session.open(data)
    return caught.value.violation

"""``_handshake/outcome.py``: plain records."""

from __future__ import annotations

import dataclasses

import pytest

from wsproto_core._handshake.outcome import Agreement, Response


def test_defaults_are_empty() -> None:
    agreement = Agreement(response=Response(status=101))
    assert (agreement.response.body, agreement.response.streamed, len(agreement.response.headers)) == (b"", False, 0)
    assert (agreement.subprotocol, agreement.transforms, agreement.extensions) == (None, (), ())


def test_records_are_frozen() -> None:
    response = Response(status=200)
    with pytest.raises(dataclasses.FrozenInstanceError):
        response.status = 101  # type: ignore[misc] # the point of the test

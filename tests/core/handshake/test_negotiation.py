"""``_handshake/negotiation.py``: what two sides agree on."""

from __future__ import annotations

import pytest

from tests.core.handshake.fakes import ExtensionOnBit1, FakeExtension, FakeTransform, RivalOnBit1, TransformOnBit1
from wsproto_core._config import Limits
from wsproto_core._errors import LocalProtocolError, RemoteProtocolError
from wsproto_core._extensions.base import Extension, Parameters
from wsproto_core._handshake.headers import ExtensionHeader, parse_extensions
from wsproto_core._handshake.negotiation import (
    accept_extensions,
    check_extensions,
    check_subprotocols,
    choose_subprotocol,
    confirm_extensions,
    offer_extensions,
)
from wsproto_core._violations import Violation

LIMITS = Limits()

# --- subprotocols -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "supported", "expected"),
    [
        (("a", "b"), ("b", "a"), "b"),
        (("a",), ("b", "a"), "a"),
        (("a",), ("b",), None),
        (("a",), ("A",), None),
        ((), ("a",), None),
        (("a",), (), None),
    ],
)
def test_the_servers_order_decides(offered: tuple[str, ...], supported: tuple[str, ...], expected: str | None) -> None:
    assert choose_subprotocol(offered, supported) == expected


def test_a_callable_sees_the_offer_and_decides() -> None:
    assert choose_subprotocol(("a", "b"), lambda offered: offered[-1]) == "b"
    assert choose_subprotocol(("a", "b"), lambda offered: None) is None


def test_a_callable_must_choose_from_the_offer() -> None:
    with pytest.raises(LocalProtocolError):
        choose_subprotocol(("a",), lambda offered: "b")


def test_subprotocols_are_frozen() -> None:
    assert check_subprotocols(["a", "b"]) == ("a", "b")


@pytest.mark.parametrize("names", [["a", "a"], ["a b"], [""], ["caf\xe9"]])
def test_subprotocols_must_be_distinct_tokens(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^subprotocols"):
        check_subprotocols(names)


@pytest.mark.parametrize("names", ["chat", [b"chat"], [None]])
def test_subprotocols_must_be_strings(names: list[object]) -> None:
    with pytest.raises(TypeError, match=r"^subprotocols"):
        check_subprotocols(names)


# --- extensions, offered ----------------------------------------------------------------------------------------------


def test_an_offer_lists_every_alternative() -> None:
    assert offer_extensions([FakeExtension(), ExtensionOnBit1()]) == (
        "x-fake; on; level=9, x-fake, x-first; on; level=9, x-first"
    )


def test_no_extension_no_offer() -> None:
    assert offer_extensions([]) is None


def test_extensions_are_frozen() -> None:
    extension = FakeExtension()
    assert check_extensions([extension]) == (extension,)


def test_extensions_must_have_different_names() -> None:
    with pytest.raises(ValueError, match=r"^extensions"):
        check_extensions([FakeExtension(), FakeExtension()])


@pytest.mark.parametrize("extension", [FakeExtension, "permessage-deflate"])
def test_extensions_must_be_instances(extension: object) -> None:
    with pytest.raises(TypeError, match=r"^extensions"):
        check_extensions([extension])


# --- extensions, accepted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offers", "header", "names"),
    [
        ([], None, ()),
        (["x-unknown"], None, ()),
        (["x-fake"], "x-fake", ("x-fake",)),
        (["x-fake; level=3, x-fake"], "x-fake; level=3", ("x-fake",)),
        (["x-fake; off, x-fake; level=4"], "x-fake; level=4", ("x-fake",)),
        (["x-fake; off"], None, ()),
        (["x-first, x-fake"], "x-first, x-fake", ("x-first", "x-fake")),
        (["x-first, x-rival"], "x-first", ("x-first",)),
        (["x-rival, x-first"], "x-rival", ("x-rival",)),
        (["x-first; off, x-rival"], "x-rival", ("x-rival",)),
    ],
)
def test_accepting(offers: list[str], header: str | None, names: tuple[str, ...]) -> None:
    extensions = [FakeExtension(), ExtensionOnBit1(), RivalOnBit1()]
    negotiated = accept_extensions(parse_extensions(offers), extensions, LIMITS)
    assert (negotiated.header, negotiated.names) == (header, names)
    assert len(negotiated.transforms) == len(names)


def test_transforms_stand_in_the_order_of_the_offers() -> None:
    offers: list[ExtensionHeader] = [("x-first", ()), ("x-fake", ())]
    negotiated = accept_extensions(offers, [FakeExtension(), ExtensionOnBit1()], LIMITS)
    assert list(map(type, negotiated.transforms)) == [TransformOnBit1, FakeTransform]


def test_the_extension_sees_the_offer_and_the_limits() -> None:
    seen: list[tuple[Parameters, Limits]] = []

    class Curious(FakeExtension):
        def accept(self, offered: Parameters, limits: Limits) -> None:
            seen.append((offered, limits))

    accept_extensions([("x-fake", (("a", "1"),))], [Curious()], LIMITS)
    assert seen == [((("a", "1"),), LIMITS)]


# --- extensions, confirmed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([], ()),
        (["x-fake"], ("x-fake",)),
        (["x-first; level=1", "x-fake"], ("x-first", "x-fake")),
    ],
)
def test_confirming(lines: list[str], names: tuple[str, ...]) -> None:
    negotiated = confirm_extensions(lines, [FakeExtension(), ExtensionOnBit1()], LIMITS)
    assert negotiated.names == names
    assert negotiated.header == (", ".join(lines) or None)
    assert len(negotiated.transforms) == len(names)


@pytest.mark.parametrize(
    ("lines", "violation"),
    [
        (["x-unknown"], Violation.EXTENSION_NOT_OFFERED),
        (["x-fake, x-fake"], Violation.EXTENSION_NOT_OFFERED),
        (["X-Fake"], Violation.EXTENSION_NOT_OFFERED),
        (["x-fake; off"], Violation.EXTENSION_PARAMETERS),
        (["x-first, x-rival"], Violation.EXTENSION_PARAMETERS),
        (["x-fake;"], Violation.EXTENSION_PARAMETERS),
        ([""], Violation.EXTENSION_PARAMETERS),
    ],
)
def test_unacceptable_answers(lines: list[str], violation: Violation) -> None:
    extensions: list[Extension] = [FakeExtension(), ExtensionOnBit1(), RivalOnBit1()]
    with pytest.raises(RemoteProtocolError) as caught:
        confirm_extensions(lines, extensions, LIMITS)
    assert caught.value.violation is violation

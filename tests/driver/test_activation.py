"""``_driver/activation.py``: what an environment says about inherited sockets."""

from __future__ import annotations

import pytest

from wsproto_core._driver.activation import InheritedSocket, inherited_sockets


def test_sockets_are_numbered_from_three() -> None:
    assert inherited_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, 7) == (
        InheritedSocket(3, "unknown"),
        InheritedSocket(4, "unknown"),
    )


def test_sockets_have_names() -> None:
    found = inherited_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "web::admin"}, 7)
    assert [sock.name for sock in found] == ["web", "", "admin"]


@pytest.mark.parametrize("environment", [{}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": "8", "LISTEN_FDS": "nonsense"}])
def test_what_is_not_for_this_process_is_none_of_its_business(environment: dict[str, str]) -> None:
    assert inherited_sockets(environment, 7) == ()


@pytest.mark.parametrize(
    ("variable", "more"),
    [
        ("LISTEN_PID", {"LISTEN_PID": "seven"}),
        ("LISTEN_PID", {"LISTEN_PID": ""}),
        ("LISTEN_FDS", {}),
        ("LISTEN_FDS", {"LISTEN_FDS": "0"}),
        ("LISTEN_FDS", {"LISTEN_FDS": "-1"}),
        ("LISTEN_FDS", {"LISTEN_FDS": "²"}),
        ("LISTEN_FDS", {"LISTEN_FDS": "1025"}),
        ("LISTEN_FDS", {"LISTEN_FDS": "9" * 5000}),
        ("LISTEN_FDNAMES", {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "one"}),
        ("LISTEN_FDNAMES", {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "one:two"}),
    ],
)
def test_nonsense_is_named(variable: str, more: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"^{variable} must"):
        inherited_sockets({"LISTEN_PID": "7", **more}, 7)

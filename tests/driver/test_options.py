"""The options of every adapter are declared once, and each plan takes exactly those."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from wsproto_core import (
    ConnectOptions,
    ConnectPlan,
    ServeOptions,
    ServePlan,
    TcpConnectOptions,
    TcpConnectPlan,
    TcpServeOptions,
    TcpServePlan,
    UdpServeOptions,
    UdpServePlan,
)

#: What the adapters bring by themselves.
OWN = {"self", "uri", "host", "port", "sock", "codec", "entropy", "environment"}
OWN |= {"is_open", "has_tls_context", "secure", "proxied_by"}


@pytest.mark.parametrize(
    ("plan", "options"),
    [
        (ConnectPlan, ConnectOptions),
        (ServePlan, ServeOptions),
        (TcpConnectPlan, TcpConnectOptions),
        (TcpServePlan, TcpServeOptions),
        (UdpServePlan, UdpServeOptions),
    ],
    ids=lambda value: value.__name__,
)
def test_a_plan_takes_the_declared_options_and_has_a_default_for_each(plan: type, options: Any) -> None:
    parameters = inspect.signature(plan.__init__).parameters  # type: ignore[misc]  # of this very class
    defaults = {name: value.default for name, value in parameters.items() if name not in OWN}
    assert set(defaults) == options.__optional_keys__ - OWN
    assert inspect.Parameter.empty not in defaults.values()
    assert not options.__required_keys__

"""Which of the two is in use, and that nobody can tell but by asking."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from types import ModuleType

import pytest

from tests.core.twins import Twin, compiled
from tests.hot_code import fresh, import_while_garbage_is_collected
from wsproto_core import _speedups
from wsproto_core._speedups import codec_py, frames_py, leaves_py

NAMES = set(_speedups.__all__) - {"IS_COMPILED"}
MODULES = ("codec", "frames", "inbox", "inflating", "leaves", "link", "messages", "traffic")
IN_PYTHON = {f"{name}_py" for name in MODULES}
COMPILED = {f"{name}_c" for name in MODULES}


def homes(package: ModuleType) -> set[str]:
    return {getattr(package, name).__module__.rpartition(".")[2] for name in NAMES}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="tries a hundred imports of a fresh module")
@pytest.mark.parametrize("name", sorted(COMPILED))
def test_garbage_may_be_collected_at_any_moment_of_the_import(name: str) -> None:
    compiled()
    import_while_garbage_is_collected(f"wsproto_core._speedups.{name}")


def test_the_environment_asks_for_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSPROTO_CORE_PUREPYTHON", "1")
    package = fresh(_speedups)
    assert package.IS_COMPILED is False
    assert homes(package) == IN_PYTHON


@pytest.mark.parametrize("value", [None, "", "0"])
def test_what_is_built_is_used(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    compiled()
    monkeypatch.delenv("WSPROTO_CORE_PUREPYTHON", raising=False)
    if value is not None:
        monkeypatch.setenv("WSPROTO_CORE_PUREPYTHON", value)
    package = fresh(_speedups)
    assert package.IS_COMPILED is True
    assert homes(package) == COMPILED


def test_what_is_not_built_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WSPROTO_CORE_PUREPYTHON", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    package = fresh(_speedups)
    assert package.IS_COMPILED is False
    assert homes(package) == IN_PYTHON


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_both_have_the_same_names(twin: Twin) -> None:
    assert set(leaves_py.__all__) == set(vars(twin.leaves)["__all__"])
    assert set(leaves_py.__all__) <= set(dir(twin.leaves))
    for in_python, other in ((codec_py.FrameDecoder, twin.codec), (frames_py.FrameQueue, twin.frames)):
        assert public(in_python) == public(other)


SCRIPT = """
import {interpreters} as interpreters
script = '''
from wsproto_core import _speedups
from wsproto_core._config import Limits
from wsproto_core._types import Receive
assert _speedups.IS_COMPILED
decoder = _speedups.FrameDecoder(masked=False, receive=Receive.MESSAGES, limits=Limits())
assert decoder.decode(bytes([0x81, 1, 97, 0x82, 1, 98])) == ["a", b"b"]
assert decoder.decode(bytes([0x83])) == [] and decoder.failure is not None
frames = _speedups.FrameQueue(max_size=100, max_payload=100)
frames.mask(lambda size: bytes(size))
frames.is_open = frames.is_direct = True
assert frames.put_message("a") and frames.put_message(b"b") and not frames.put_message(5)
assert frames.take() == [bytes([0x81, 0x81, 0, 0, 0, 0, 97, 0x82, 0x81, 0, 0, 0, 0, 98])]
'''
exec(script)
for _ in range(3):
    one, other = interpreters.create(), interpreters.create()
    for interpreter in one, other, one:
        interpreters.run_string(interpreter, script)
    for interpreter in one, other:
        interpreters.destroy(interpreter)
exec(script)
"""


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the module is private, and has another interface since")
def test_every_interpreter_of_a_process_has_its_own() -> None:
    compiled()
    environment = {name: value for name, value in os.environ.items() if name != "WSPROTO_CORE_PUREPYTHON"}
    command = [sys.executable, "-c", SCRIPT.format(interpreters="_xxsubinterpreters")]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")

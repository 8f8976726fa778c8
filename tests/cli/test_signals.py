"""No signal is lost on the way to a main thread that only waits for signals."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.cli.kit import Running

if sys.platform == "win32":
    pytest.skip("signals need POSIX", allow_module_level=True)

#: Answers every SIGHUP with a line, among threads that come and go. Any other signal is the end.
ANSWERING = """
import os, signal, threading
from wsproto_cli.runtimes import blocking_signal_receiver

def come_and_go():
    while True:
        thread = threading.Thread(target=str)
        thread.start()
        thread.join()

with blocking_signal_receiver((signal.SIGHUP, signal.SIGTERM)) as signals:
    for _ in range(3):
        threading.Thread(target=come_and_go, daemon=True).start()
    os.write(1, b"ready\\n")
    while next(signals) == signal.SIGHUP:
        os.write(1, b"heard\\n")
    os._exit(7)
"""


def test_a_signal_that_comes_as_the_main_thread_begins_to_wait_is_heard() -> None:
    answering = Running(command=(sys.executable, "-c", ANSWERING))
    try:
        answering.stdout.until("ready")
        for _ in range(1000):  # a handler in Python loses one of some hundred
            answering.signal(signal.SIGHUP)
            answering.stdout.until("heard")
        answering.signal(signal.SIGTERM)
        assert answering.wait() == 7
    finally:
        answering.end()

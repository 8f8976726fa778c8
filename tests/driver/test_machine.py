"""Any verbs, at any time, over any wire: what must always hold for two engines. The machine is the fuzz kit's."""

from __future__ import annotations

from hypothesis import settings

from wsproto_fuzz.machines import DriverMachine

TestDriver = DriverMachine.TestCase
TestDriver.settings = settings(max_examples=100, stateful_step_count=30)

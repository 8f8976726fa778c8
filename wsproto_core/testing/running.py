"""From a seed, or a script, to a conversation that was played."""

from __future__ import annotations

from .by_chance import datagram_script, stream_script
from .datagram_scenario import DatagramScenario
from .scenario import Scenario
from .script import AnyScript, Script

__all__ = ["run_datagram_scenario", "run_scenario", "run_script"]


def run_scenario(seed: int, *, connections: int = 1) -> Scenario:
    """Play what follows from ``seed``: so many connections at the same time.

    Raises :exc:`BrokenContract`, with the story of the connection as a note.
    """
    scenario = Scenario(stream_script(seed, connections=connections))
    scenario.play()
    return scenario


def run_datagram_scenario(seed: int, *, clients: int = 1) -> DatagramScenario:
    """Play what follows from ``seed``: a datagram server and so many clients.

    Raises :exc:`BrokenContract`, with the story of the connection as a note.
    """
    scenario = DatagramScenario(datagram_script(seed, clients=clients))
    scenario.play()
    return scenario


def run_script(script: AnyScript) -> Scenario | DatagramScenario:
    """Play ``script``, of whichever kind.

    Raises :exc:`BrokenContract`, with the story of the connection as a note.
    """
    scenario = Scenario(script) if isinstance(script, Script) else DatagramScenario(script)
    scenario.play()
    return scenario

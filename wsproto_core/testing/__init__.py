"""What embedders and adapter authors test with: engines under virtual time, and a suite for adapters.

* time and chance: :class:`VirtualClock`, :class:`Chance`
* a stream between two engines: :class:`Wire`, :class:`Side`, :class:`Link`
* datagrams: :class:`DatagramWire`, :class:`DatagramNet`, :class:`DatagramLink`
* whole conversations from a seed: :func:`run_scenario`
* what is checked on every input: :class:`Contract`
* the adapter kit: :func:`adapter_cases`, to be played on an :class:`AdapterStage` of your own

``import wsproto_core`` does not import it.
"""

from __future__ import annotations

from .adapter_case import AdapterCase, Ending
from .adapter_expect import AdapterFailure
from .adapter_kit import adapter_cases
from .adapter_stage import (
    Ability,
    AdapterStage,
    LogLine,
    RawStream,
    StageEvent,
    StagePeer,
    StageServer,
    StageTask,
    TaskCancelled,
)
from .chance import Chance
from .clock import Participant, Standstill, VirtualClock
from .contract import BrokenContract, Contract
from .datagram_link import Arrival, DatagramLink
from .datagram_wire import DatagramNet, DatagramSide, DatagramWire, ServerSide
from .endpoint import Endpoint
from .link import Chunks, Link
from .moves import Step
from .scenario import Scenario, run_scenario
from .wire import Side, Wire

__all__ = [
    "Ability",
    "AdapterCase",
    "AdapterFailure",
    "AdapterStage",
    "Arrival",
    "BrokenContract",
    "Chance",
    "Chunks",
    "Contract",
    "DatagramLink",
    "DatagramNet",
    "DatagramSide",
    "DatagramWire",
    "Ending",
    "Endpoint",
    "Link",
    "LogLine",
    "Participant",
    "RawStream",
    "Scenario",
    "ServerSide",
    "Side",
    "StageEvent",
    "StagePeer",
    "StageServer",
    "StageTask",
    "Standstill",
    "Step",
    "TaskCancelled",
    "VirtualClock",
    "Wire",
    "adapter_cases",
    "run_scenario",
]

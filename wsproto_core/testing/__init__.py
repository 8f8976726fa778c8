"""What embedders and adapter authors test with: engines under virtual time, and a suite for adapters.

* time and chance: :class:`VirtualClock`, :class:`Chance`
* a stream between two engines: :class:`Wire`, :class:`Side`, :class:`Link`
* datagrams: :class:`DatagramWire`, :class:`DatagramNet`, :class:`DatagramLink`
* whole conversations from a seed: :func:`run_scenario`, :func:`run_datagram_scenario`; as data, to be kept and made
  smaller: :class:`Script`, :func:`run_script`, :func:`shrink`
* what is checked on every input: :class:`Contract`
* the adapter kit: :func:`adapter_cases`, to be played on an :class:`AdapterStage` of your own
* the frame loop in Python and compiled: :func:`frame_decoders`

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
from .by_chance import datagram_script, stream_script
from .chance import Chance
from .clock import Participant, Standstill, VirtualClock
from .contract import BrokenContract, Contract
from .conversation import Conversation
from .datagram_link import Arrival, DatagramLink
from .datagram_scenario import Call, DatagramScenario
from .datagram_wire import DatagramNet, DatagramSide, DatagramWire, ServerSide
from .endpoint import Endpoint
from .link import Chunks, Link
from .running import run_datagram_scenario, run_scenario, run_script
from .scenario import Scenario
from .script import (
    AnyScript,
    Caller,
    DatagramScript,
    Dialogue,
    Line,
    Move,
    Party,
    Route,
    Script,
    load_script,
    save_script,
)
from .shrinking import shrink
from .step import Step
from .twins import frame_decoders
from .wire import Side, Wire

__all__ = [
    "Ability",
    "AdapterCase",
    "AdapterFailure",
    "AdapterStage",
    "AnyScript",
    "Arrival",
    "BrokenContract",
    "Call",
    "Caller",
    "Chance",
    "Chunks",
    "Contract",
    "Conversation",
    "DatagramLink",
    "DatagramNet",
    "DatagramScenario",
    "DatagramScript",
    "DatagramSide",
    "DatagramWire",
    "Dialogue",
    "Ending",
    "Endpoint",
    "Line",
    "Link",
    "LogLine",
    "Move",
    "Participant",
    "Party",
    "RawStream",
    "Route",
    "Scenario",
    "Script",
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
    "datagram_script",
    "frame_decoders",
    "load_script",
    "run_datagram_scenario",
    "run_scenario",
    "run_script",
    "save_script",
    "shrink",
    "stream_script",
]

"""The stages on which the adapter kit is played: one for every adapter, and every backend of it."""

from tests.adapters.stages.anyio_stage import AnyioOnAsyncioStage, AnyioOnTrioStage
from tests.adapters.stages.asyncio_stage import AiofastnetStage, AsyncioStage, UvloopStage
from tests.adapters.stages.sockets_stage import SocketsStage
from tests.adapters.stages.trio_stage import TrioStage

__all__ = ["STAGES"]

STAGES = (AsyncioStage, AiofastnetStage, UvloopStage, TrioStage, AnyioOnAsyncioStage, AnyioOnTrioStage, SocketsStage)

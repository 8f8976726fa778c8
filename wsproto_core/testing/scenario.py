"""Random conversations of WebSocket engines over random wires.

A seed becomes a :class:`Script`: wires, timeouts, the style of each side, and moves, from messages, fragments, pings
and closes to a process that hangs or a line that is cut. A :class:`Scenario` plays a script to the end of every
connection, and holds the engines to more than their contract:

* What arrived is what was sent, in order, from the first message on.
* Without a fault everything arrived, and both reports are clean.
"""

from __future__ import annotations

from hashlib import sha256

from .._driver.client import ClientConnection
from .._driver.server import ServerConnection
from .chance import Chance
from .clock import VirtualClock
from .conversation import Conversation, MakeClient, MakeServer
from .script import Script

__all__ = ["Scenario"]


class Scenario:
    """``script``, ready to be played once. As a string it is the story so far.

    ``make_client`` and ``make_server`` make the engines: the two classes, or your own that take the same arguments.
    """

    def __init__(
        self,
        script: Script,
        *,
        make_client: MakeClient = ClientConnection,
        make_server: MakeServer = ServerConnection,
    ) -> None:
        #: What happens.
        self.script: Script = script
        #: The time in which it happens.
        self.clock: VirtualClock = VirtualClock()
        #: One for each connection.
        self.conversations: list[Conversation] = []
        chance = Chance(script.chance)
        for dialogue in script.dialogues:
            conversation = Conversation(dialogue, self.clock, chance, self.conversations, make_client, make_server)
            self.conversations.append(conversation)

    def __str__(self) -> str:
        if len(self.conversations) == 1:
            return str(self.conversations[0])
        return "\n".join(f"connection {number}\n{story}" for number, story in enumerate(map(str, self.conversations)))

    def play(self) -> None:
        """Play it to its end. Raises :exc:`BrokenContract`, with the story of the connection as a note."""
        going_on = list(self.conversations)

        def is_over() -> bool:
            while going_on and going_on[-1].is_over():
                going_on.pop()
            return not going_on

        self.clock.run_until(is_over)
        for conversation in self.conversations:
            conversation.judge()

    @property
    def digest(self) -> str:
        """A fingerprint of all that can be seen: every byte, every event, every time. The same on every run."""
        fingerprint = sha256(f"{self}\n{self.clock.now!r}".encode())
        for conversation in self.conversations:
            for link in conversation.links:
                fingerprint.update(b"%d:" % len(link.log) + link.log)
            for side in conversation.sides:
                fingerprint.update(repr(side.events).encode())
        return fingerprint.hexdigest()

"""The ``wsproto`` command: talk to a WebSocket server, or be one that echoes.

The map of this package: ``command`` is the front door; ``connect`` and ``echo`` are the subcommands, one file each, and
``fuzzing`` is the subcommand ``fuzz``, a face of ``wsproto_fuzz``; ``replaying`` is ``replay``, a face of
``wsproto_core.recorder``.
Below ``echo``: ``listening`` opens the sockets, ``runtimes`` is the table of what a server can run on, ``echoing`` is
what happens on a connection; ``supervisor`` keeps the workers running, ``spawning`` starts one, ``worker`` is one;
``service_manager`` talks to systemd.

Below ``connect``: ``session`` holds the conversation, ``slash`` knows the lines that begin with a slash, ``reading``
and ``writing`` are the two ends of the terminal, ``transcript`` tells what happens and ``failures`` why nothing did.

``options`` judges what stands on the command line, ``show`` makes bytes fit for human eyes, ``status`` holds the exit
statuses.
"""

from .command import main

__all__ = ["main"]

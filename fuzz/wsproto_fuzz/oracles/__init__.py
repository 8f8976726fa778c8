"""What says whether a receiver is right: another one.

* any chunking against whole: :func:`feedings`, :func:`same_however_cut`
* the pure twin against the compiled one: :func:`agree`
* a hub against itself: :func:`same_again`, :func:`rooms_apart`
* other libraries: :class:`Reading` is what a receiver makes of a peer's bytes, :func:`read_with_engine` asks ours,
  ``websockets_reader.read_with_websockets`` and ``wsproto_reader.read_with_wsproto`` ask theirs, where they are
  installed. They are modules of their own, since neither library is required.

Whatever does not agree raises :exc:`Disagreement`.
"""

from __future__ import annotations

from .arrivals import feedings, same_however_cut
from .disagreement import Disagreement
from .hub import HubSteps, rooms_apart, same_again
from .reading import UNLIMITED, Reading, read_with_engine
from .twins import Decoding, agree

__all__ = [
    "UNLIMITED",
    "Decoding",
    "Disagreement",
    "HubSteps",
    "Reading",
    "agree",
    "feedings",
    "read_with_engine",
    "rooms_apart",
    "same_again",
    "same_however_cut",
]

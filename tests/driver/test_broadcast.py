"""One message to many connections, encoded once; who cannot take it is returned."""

from __future__ import annotations

from tests.driver.test_async_peer import open_peer
from wsproto_core import Limits, broadcast
from wsproto_core.frames import parse_frames


def test_everybody_gets_it_but_who_has_no_room() -> None:
    (one, link), (full, full_link), (closed, _) = open_peer(), open_peer(limits=Limits(outbox_size=1)), open_peer()
    full_link.takes_more = False
    full.send_nowait("enough")
    closed.close_nowait()
    assert broadcast([one, full, closed], "news") == [full, closed]
    assert [frame.payload for frame in parse_frames(b"".join(link.written))] == [b"news"]

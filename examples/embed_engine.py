"""The engine in 20 lines, over a plain blocking socket: echoes to one client after another. `embed_engine.py PORT`"""

import contextlib
import socket
import sys
from time import monotonic as clock

from wsproto_core import Request, ServerConnection

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock, ws = listener.accept()[0], ServerConnection()
    with sock, contextlib.suppress(OSError):
        while not (ws.half_close or ws.should_abort):
            sock.settimeout(max((ws.next_deadline() or clock() + 60) - clock(), 0.001))
            try:
                events = ws.receive_data(data, clock()) if (data := sock.recv(65536)) else ws.receive_eof(clock())
            except TimeoutError:
                events = ws.handle_timeout(clock())
            if any(isinstance(event, Request) for event in events):
                ws.accept()
            for message in (event for event in events if isinstance(event, str | bytes)):
                ws.send(message)
            sock.sendall(b"".join(buffer for batch in iter(ws.data_to_send, []) for buffer in batch))

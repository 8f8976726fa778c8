"""An adapter for a bare `selectors` loop: `custom_transport.py PORT` echoes; `custom_transport.py URI MESSAGE` asks."""

import os
import socket
import sys
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import monotonic as clock

from wsproto_core import Accepted, ClientConnection, Connection, Event, Request, ServerConnection

Talk = Callable[[Connection, list[Event]], None]  # the application; messages wait in the engine until it takes them
selector, links = DefaultSelector(), set["Link"]()


class Link:
    """One socket, bound to one engine, which decides everything."""

    def __init__(self, sock: socket.socket, engine: Connection, talk: Talk) -> None:
        self.sock, self.engine, self.talk, self.unsent, self.has_ended = sock, engine, talk, bytearray(), False
        sock.setblocking(False)
        links.add(self)
        self.after([])

    def ready(self, mask: int) -> None:
        """Let the socket do what it can. What comes of it goes to the engine."""
        events: list[Event] = []
        try:
            if mask & EVENT_WRITE and self.unsent:
                self.engine.transmitted(sent := self.sock.send(self.unsent), clock())
                del self.unsent[:sent]
            elif mask & EVENT_WRITE:
                self.has_ended = True
                self.sock.shutdown(socket.SHUT_WR)
            if mask & EVENT_READ:
                data = self.sock.recv(65536)
                events = self.engine.receive_data(data, clock()) if data else self.engine.receive_eof(clock())
        except BlockingIOError:
            pass
        except OSError as error:
            return self.lose(error)
        self.after(events)

    def after(self, events: list[Event]) -> None:
        """After every input: the application talks, and then the engine says what it wants of the socket."""
        self.talk(self.engine, self.engine.gather(events))
        self.unsent = self.unsent or bytearray().join(self.engine.data_to_send())
        if self.engine.should_abort or (self.has_ended and not self.engine.wants_read):
            return self.lose(None)
        writes = self.unsent or (self.engine.half_close and not self.has_ended)
        self.select((EVENT_READ if self.engine.wants_read else 0) | (EVENT_WRITE if writes else 0))

    def lose(self, error: OSError | None) -> None:
        self.select(0)
        links.remove(self)
        self.sock.close()
        self.talk(self.engine, self.engine.gather(self.engine.transport_lost(error, clock())))

    def select(self, mask: int) -> None:
        if self.sock in selector.get_map():
            selector.unregister(self.sock)
        if mask:
            selector.register(self.sock, mask, self.ready)


def run() -> None:
    """Wait for sockets and for deadlines, until there is neither."""
    while links or selector.get_map():
        deadlines = {link: at for link in links if (at := link.engine.next_deadline()) is not None}
        for key, mask in selector.select(max(0.0, min(deadlines.values()) - clock()) if deadlines else None):
            key.data(mask)
        for link in links.intersection(link for link, at in deadlines.items() if at <= clock()):
            link.after(link.engine.handle_timeout(clock()))


def echo(ws: Connection, events: list[Event]) -> None:
    if isinstance(ws, ServerConnection) and any(isinstance(event, Request) for event in events):
        ws.accept()
    while ws.can_send and isinstance(message := ws.next_message(), str | bytes):
        ws.send(message)


def ask(ws: Connection, events: list[Event]) -> None:
    if any(isinstance(event, Accepted) for event in events):
        ws.send(sys.argv[2])
    while (message := ws.next_message()) is not None:
        print(message)
        ws.close(now=clock())


if __name__ == "__main__":
    if len(sys.argv) == 2:
        server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
        selector.register(server, EVENT_READ, lambda _: Link(server.accept()[0], ServerConnection(now=clock()), echo))
    else:
        client = ClientConnection(sys.argv[1], entropy=os.urandom, now=clock())
        client.connect()
        Link(socket.create_connection((client.uri.host, client.uri.port), 10), client, ask)
    run()

"""Plain sockets, as the adapters of all runtimes open and use them. Nothing here waits: how to wait is an adapter's.

The map of this package: ``listening`` binds stream sockets; ``datagrams`` binds, connects, reads and writes UDP
sockets; ``memory`` tells how much of it there is. For authors of adapters; applications have no need of it.
"""

from .datagrams import UdpSocket, bind_udp, connect_udp_socket
from .listening import bind_tcp, bind_unix
from .memory import process_memory

__all__ = ["UdpSocket", "bind_tcp", "bind_udp", "bind_unix", "connect_udp_socket", "process_memory"]

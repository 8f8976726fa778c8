"""Peers that speak messages without speaking WebSocket: over TCP by a codec, over UDP by datagrams.

* ``codec``: what a stream codec is; ``prefixed``, ``netstring``, ``delimited``, ``raw``: the codecs
* ``stream``: :class:`StreamConnection`, the engine of a peer that speaks by a codec
* ``frames``: :class:`FramesConnection`, WebSocket frames without a handshake, by the WebSocket engine itself
* ``packet``, ``reception``, ``cookie``, ``statistics``: what a datagram holds, what sequence numbers tell, proof of an
  address, and what is counted
* ``datagram`` on ``session``: :class:`DatagramPeer`; ``server``: :class:`DatagramServer`, with a peer for each address

Their face is the one that :mod:`wsproto_core._driver.connection` describes, as far as it makes sense for each.
"""

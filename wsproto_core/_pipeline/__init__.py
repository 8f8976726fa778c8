"""What happens to a message before it is handed to a connection and after it has come out: compressed, then encrypted.

* ``envelope``: the bytes of a sealed message, and why they are safe; read this first
* ``compression``: :class:`Compress`, and expanding within limits
* ``keys``: :class:`KeyRing`; ``encryption``: :class:`Encrypt`
* ``channel``: encryption for one connection; the only module that imports ``cryptography``
* ``replay``: which counters may come
* ``session``: :class:`PipelineSession`, one connection's two directions
* ``pipeline``: :class:`Pipeline`, the configuration that connections share

It works on messages, not on frames, and so for every kind of connection alike.
"""

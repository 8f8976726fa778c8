"""Bytes and their meaning, one frame at a time: ``frames`` for tools and tests, ``close_payload`` for close frames.

The receive path of a connection does not pass through here: it reads whole batches in ``_speedups``.
"""

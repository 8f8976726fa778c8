"""A fuzzing and conformance kit for any WebSocket implementation, in any language.

The doors are modules: ``wsproto_fuzz.strategies`` generates, ``wsproto_fuzz.oracles`` judges engines in this process,
``wsproto_fuzz.conformance`` judges servers and clients over a socket, ``wsproto_fuzz.transcript`` shows what was said.
Nothing is imported from here, so that a tester of servers needs no hypothesis.
"""

__all__: list[str] = []

"""The messages of a connection, for ``async for``: the same contract as in ``messages_py``, which is its specification."""

cimport cython

from .link_c cimport WaitersBase
from .traffic_c cimport Traffic

__all__ = ["Messages"]

cdef extern from "Python.h":
    void PyErr_SetObject(object kind, object value)


@cython.final
cdef class Messages:
    """The messages of a connection, for ``async for``. Nothing is made for a message, or for a wait."""

    cdef Traffic _engine
    cdef WaitersBase _waiters
    cdef object _peer

    def __init__(self, engine, peer, waiters):
        self._engine, self._peer, self._waiters = engine, peer, waiters

    def __aiter__(self):
        return self

    def __anext__(self):
        return self

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        cdef Traffic engine = self._engine
        message = engine.message_at_hand() if engine.is_followed else Traffic.message_at_hand(engine)
        if message is None:
            if not (engine.is_flowing if engine.is_followed else Traffic._flows(engine)):
                message = self._peer.take_next()
            if message is None:
                return self._waiters.place()
        PyErr_SetObject(StopIteration, message)  # as it is: with a traceback it would cost more than all the rest
        raise StopIteration

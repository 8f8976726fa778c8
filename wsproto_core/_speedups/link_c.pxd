"""C types for what links begin with: compiled with them, ``link_py.py`` becomes ``link_c``.

One class is not final: a link is a :class:`LinkBase`.
"""

cimport cython

from .traffic_c cimport Traffic


cdef class LinkBase:
    cdef public Traffic engine
    cdef public object transport, waiters
    cdef public bint is_lost, _flush_is_due, _is_reading
    cdef public double _fires_at
    cdef public object _backlog, _clock, _deliver, _due, _timer

    @cython.locals(events=list)
    cpdef data_received(self, data)
    cpdef flush_soon(self)
    @cython.locals(engine=Traffic)
    cpdef flush(self)
    @cython.locals(engine=Traffic, buffers=list)
    cdef bint _write(self) except -1


@cython.final
cdef class Delivery:
    cdef object _complaint, _listener, _peer

    cpdef deliver(self, events)


@cython.final
cdef class Gathering:
    cdef Traffic _engine
    cdef object _peer

    @cython.locals(engine=Traffic)
    cpdef deliver(self, events)

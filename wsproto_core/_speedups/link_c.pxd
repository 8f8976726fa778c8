"""C types for what links begin with: compiled with them, ``link_py.py`` becomes ``link_c``.

None is final: a link is a :class:`LinkBase`, and a transport is an :class:`Outlet`.
"""

cimport cython

from .traffic_c cimport Traffic


cdef class Intake:
    cdef _take(self, events)


cdef class Outlet:
    cdef bint put(self, data) except -1


cdef class WaitersBase:
    cdef rouse(self)
    cdef place(self)


cdef class LinkBase:
    cdef public Traffic engine
    cdef public Outlet outlet
    cdef public WaitersBase waiters
    cdef public object transport
    cdef public bint is_lost, _flush_is_due, _is_reading
    cdef public double _fires_at
    cdef public Intake _intake
    cdef public object _backlog, _clock, _due, _timer

    @cython.locals(events=list)
    cpdef data_received(self, data)
    cpdef flush_soon(self)
    @cython.locals(engine=Traffic)
    cpdef flush(self)
    @cython.locals(engine=Traffic, buffers=list, only=bytes)
    cdef bint _write(self) except -1
    cdef bint _put(self, buffer) except -1


cdef class Delivery(Intake):
    cdef object _complaint, _listener, _peer

    cdef _take(self, events)


cdef class Gathering(Intake):
    cdef Traffic _engine
    cdef object _peer

    @cython.locals(engine=Traffic)
    cdef _take(self, events)

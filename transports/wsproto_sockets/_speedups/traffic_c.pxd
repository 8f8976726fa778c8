"""C types for the traffic of a link: compiled with them, ``traffic_py.py`` becomes ``traffic_c``.

The class is not final: a link is a :class:`LinkTraffic`. Its engine is one of the core's.
"""

cimport cython
from wsproto_core._speedups.traffic_c cimport Traffic

from .leaves_c cimport Guarded


cdef class LinkTraffic(Guarded):
    cdef public Traffic engine
    cdef public Py_ssize_t untaken
    cdef public bint _has_read, _is_corked, _is_left_to_reader, _is_reading, _is_watching, _peer_ended
    cdef public object stream, _asleep, _backlog, _clock, _error

    @cython.locals(engine=Traffic)
    cdef bint _send_at_once(self, message) except -1
    @cython.locals(engine=Traffic, batch=list, sent=Py_ssize_t)
    cdef bint _write_all(self, stream) except -1
    @cython.locals(may_read=bint, is_flowing=bint)
    cdef _next_message(self)
    @cython.locals(engine=Traffic)
    cdef _at_hand(self)
    @cython.locals(engine=Traffic)
    cdef bint _flows(self) except -1
    cdef bint _read_here(self, stream, timeout) except -1
    @cython.locals(engine=Traffic, events=list, others=list)
    cdef bint _take_in(self, data) except -1

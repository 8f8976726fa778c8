"""C types for the traffic of a socket: compiled with them, ``traffic_py.py`` becomes ``traffic_c``.

The class is not final: a transport is a :class:`SocketTraffic`.
"""

cimport cython
from wsproto_core._speedups.link_c cimport Outlet


cdef class SocketTraffic(Outlet):
    cdef public bint _is_closing
    cdef public object _memory, _queue, _reader, _sock

    cpdef write(self, data)
    @cython.locals(sent=Py_ssize_t)
    cdef bint put(self, data) except -1

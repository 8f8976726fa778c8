"""C types for the traffic of a socket: compiled with them, ``traffic_py.py`` becomes ``traffic_c``.

The class is not final: a transport is a :class:`SocketTraffic`.
"""

cimport cython


cdef class SocketTraffic:
    cdef public bint _is_closing
    cdef public object _memory, _queue, _reader, _sock

    @cython.locals(sent=Py_ssize_t)
    cpdef write(self, data)

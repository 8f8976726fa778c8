"""C types for short compressed messages: compiled with them, ``inflating_py.py`` becomes ``inflating_c``.

The class is not final: permessage-deflate is an :class:`Inflating`.
"""

cimport cython
from libc.stdint cimport uint64_t


cdef class Inflating:
    cdef public object _fault
    cdef public tuple _stream
    cdef public Py_ssize_t _room
    cdef public uint64_t _compressed
    cdef bytes _end
    cdef public bint _is_restarting

    @cython.locals(inflated=bytes)
    cpdef bytes decode(self, data, bint final)
    @cython.locals(inflated=bytes)
    cdef bytes _decode_at_once(self, data)
    cdef _end_message(self)

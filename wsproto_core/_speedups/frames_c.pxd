"""C types for outgoing frames: compiled with them, ``frames_py.py`` becomes ``frames_c``.

Sizes are those of objects in memory. The constants of the source become C's as well: see ``hatch_build.py``.
"""

cimport cython

from .leaves_c cimport FrameBuffer


@cython.final
cdef class FrameQueue:
    cdef public bint is_open, is_direct
    cdef public Py_ssize_t messages
    cdef readonly Py_ssize_t size, bytes_taken
    cdef Py_ssize_t _max_size, _max_payload, _max_text, _key_at
    cdef object _entropy
    cdef bytes _keys
    cdef list _whole
    cdef FrameBuffer _ahead, _last

    @cython.locals(length=Py_ssize_t)
    cpdef bint put_message(self, message) except -1
    cpdef bint pass_frame(self, bytes frame) except -1
    @cython.locals(length=Py_ssize_t)
    cpdef put_frame(self, int first, payload, Py_ssize_t start, Py_ssize_t stop)
    cpdef put_bytes(self, bytes data)
    cpdef put_ahead(self, int first, bytes payload)
    cpdef keep_ahead(self)
    @cython.locals(buffers=list, only=bytes)
    cpdef list take(self)
    cpdef bytes take_only(self)
    cpdef discard(self)
    cdef _begin_frame(self, Py_ssize_t length)
    cdef _seal(self)

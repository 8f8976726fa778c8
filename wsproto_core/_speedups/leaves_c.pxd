"""The native leaves as the compiled frame loop calls them: no argument tuple, no boxed integer."""

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

cpdef bytes unmask(data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at)
cpdef str unmask_text(data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at)
cpdef Py_ssize_t complete_utf8(data) except -1
cpdef Py_ssize_t memory_of(item) except -1


cdef class _Characters:
    cdef str _text


cdef class MessageBuffer:
    cdef PyObject *_buffer
    cdef Py_ssize_t _size, _room, _checked
    cdef bint _is_text, _is_ascii

    cpdef add(self, data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at, uint64_t more)
    cpdef check(self)
    cpdef take(self, bint final)
    cdef str _decoded(self, bytes data, bint final)
    cdef _make_room(self, Py_ssize_t size, uint64_t more)
    cdef _leave_ascii(self, Py_ssize_t size)
    cdef _own(self, buffer, Py_ssize_t room)
    cdef _resize(self, Py_ssize_t room)
    cdef _forget(self)
    cdef unsigned char *_content(self) noexcept


cdef class FrameBuffer:
    cdef PyObject *_buffer
    cdef Py_ssize_t _room
    cdef readonly Py_ssize_t size

    cpdef Py_ssize_t add(
        self, int first, payload, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at
    ) except -1
    cpdef Py_ssize_t add_text(self, int first, str text, bytes key_in, Py_ssize_t key_at) except -1
    cpdef Py_ssize_t add_header(self, int first, uint64_t length) except -1
    cpdef add_bytes(self, data)
    cpdef bytes take(self)
    cdef Py_ssize_t _frame(
        self, int first, const unsigned char *payload, Py_ssize_t size, const unsigned char *key
    ) except -1
    cdef unsigned char *_room_for(self, Py_ssize_t size) except NULL
    cdef _own(self, Py_ssize_t room)

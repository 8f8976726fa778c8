"""The native leaves as the compiled link calls them."""

cimport cython
from cpython.pythread cimport PyThread_type_lock

cpdef Py_ssize_t send(sock, data) except -1


@cython.final
cdef class Lock:
    cdef PyThread_type_lock _lock
    cdef unsigned long _owner
    cdef Py_ssize_t _depth

    cpdef bint acquire(self, bint blocking=*) except -1
    cpdef release(self)
    cpdef bint _is_owned(self) except -1


cdef class Entrance:
    cdef public bint _is_wanted
    cdef public Lock lock
    cdef readonly Lock _turnstile

    cpdef come_first(self)
    cpdef give_way(self)


cdef class Guarded(Entrance):
    cdef public Py_ssize_t _waiting
    cdef public object _sock, changed
    cdef object _memory

    cdef _await_input(self, stream, timeout)
    cdef _receive(self)
    cdef bint _send_at_once(self, message) except -1
    cdef _next_message(self)

"""C types for the inbox: compiled with them, ``inbox_py.py`` becomes ``inbox_c``."""

cimport cython


@cython.final
cdef class Inbox:
    cdef list _items
    cdef object _high, _low
    cdef Py_ssize_t _next
    cdef readonly Py_ssize_t size
    cdef readonly bint has_room, is_answering
    cdef public bint is_sealed

    @cython.locals(others=list)
    cpdef list gather(self, events)
    cpdef at_hand(self)
    cpdef take(self)
    @cython.locals(items=list, at=Py_ssize_t)
    cdef _pop(self)

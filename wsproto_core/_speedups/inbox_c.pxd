"""C types for the inbox: compiled with them, ``inbox_py.py`` becomes ``inbox_c``."""

cimport cython


@cython.final
cdef class Inbox:
    cdef object _items, _high, _low
    cdef readonly Py_ssize_t size
    cdef readonly bint has_room, is_answering
    cdef public bint is_sealed

    @cython.locals(others=list)
    cpdef list gather(self, events)
    cpdef at_hand(self)
    cpdef take(self)
    cdef _pop(self)

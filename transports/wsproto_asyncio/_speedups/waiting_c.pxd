"""C types for waiting: compiled with them, ``waiting_py.py`` becomes ``waiting_c``.

One class is not final: who waits in Python besides inherits from :class:`Waiting`.
"""

cimport cython
from wsproto_core._speedups.link_c cimport WaitersBase


@cython.final
cdef class Pause:
    cdef public bint _asyncio_future_blocking
    cdef readonly object _loop
    cdef Waiting _waiting
    cdef object _go_on, _context, _error

    cpdef end_at_once(self)
    cpdef end_soon(self)


cdef class Waiting(WaitersBase):
    cdef object _current_task, _loop, over
    cdef readonly list _pauses
    cdef Pause _spare

    cdef rouse(self)
    cdef place(self)
    cpdef Pause pause(self)
    cpdef bint forget(self, Pause pause) except -1
    @cython.locals(pause=Pause)
    cpdef wake(self)
    @cython.locals(left=Py_ssize_t, pause=Pause)
    cpdef wake_at_once(self)

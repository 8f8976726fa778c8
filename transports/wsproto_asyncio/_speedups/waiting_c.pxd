"""C types for waiting: compiled with them, ``waiting_py.py`` becomes ``waiting_c``.

One class is not final: who waits in Python besides inherits from :class:`Waiting`.
"""

cimport cython


@cython.final
cdef class Pause:
    cdef public bint _asyncio_future_blocking
    cdef readonly object _loop
    cdef Waiting _waiting
    cdef object _go_on, _context, _error

    cpdef end_at_once(self)
    cpdef end_soon(self)


cdef class Waiting:
    cdef object _current_task, _loop, over
    cdef readonly list _pauses
    cdef Pause _spare

    cpdef Pause pause(self)
    cpdef bint forget(self, Pause pause) except -1
    @cython.locals(pause=Pause)
    cpdef wake(self)
    @cython.locals(left=Py_ssize_t, pause=Pause)
    cpdef wake_at_once(self)

"""The native leaves: the same names and the same contracts as in ``leaves_py``, which is their specification.

The system is called without giving up the lock of the interpreter: nothing here waits, and in between nobody can close
the socket and open another with its number.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EAGAIN, EINTR, errno

__all__ = ["LARGE", "receive", "send"]

cdef extern from "<sys/socket.h>" nogil:
    Py_ssize_t c_recv "recv"(int fd, void *to, size_t size, int flags)
    Py_ssize_t c_send "send"(int fd, const void *data, size_t size, int flags)


cdef enum:
    _LARGE = 16 * 1024

LARGE = _LARGE


cpdef receive(sock, memory):
    """What has come, as much of it as ``memory`` holds; ``None`` where nothing is there, and empty at the end.

    A view is one of ``memory``. Raises :exc:`OSError`.
    """
    cdef Py_buffer view
    cdef int fd = sock.fileno()
    PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE)
    cdef Py_ssize_t size = _passed(c_recv(fd, view.buf, <size_t>view.len, 0), &view)
    if size < 0:
        return None
    if size < _LARGE:
        return PyBytes_FromStringAndSize(<char *>view.buf, size)  # whoever gave it holds it
    return memory[:size]


cpdef Py_ssize_t send(sock, data) except -1:
    """Send the beginning of ``data``; return how many bytes the system takes now. Raises :exc:`OSError`."""
    cdef Py_buffer view
    cdef int fd = sock.fileno()
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    return max(0, _passed(c_send(fd, view.buf, <size_t>view.len, 0), &view))


cdef Py_ssize_t _passed(Py_ssize_t size, Py_buffer *view) except -2:
    """Let go of ``view``; return the ``size`` that the system has just answered: below 0 where it was not the moment.

    Raises :exc:`OSError` where it refuses.
    """
    global errno
    cdef int reason = errno
    PyBuffer_Release(view)
    if size < 0 and reason != EAGAIN and reason != EINTR:
        errno = reason
        PyErr_SetFromErrno(OSError)
    return size

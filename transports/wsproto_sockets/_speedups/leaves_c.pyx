# cython: nonecheck=True
"""The native leaves: the same names and the same contracts as in ``leaves_py``, which is their specification.

Whoever waits here, for the system or for a lock, lets other threads run. Nothing asks for signals but where it waits,
so an interrupt comes while the lock is held, or while it is not, and never in between.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from cpython.pythread cimport (
    NOWAIT_LOCK,
    WAIT_LOCK,
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_get_thread_ident,
    PyThread_release_lock,
)
from libc.errno cimport EAGAIN, EINTR, errno

__all__ = ["Entrance", "Guarded", "Lock", "send"]

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_DONTWAIT
    Py_ssize_t c_recv "recv"(int fd, void *to, size_t size, int flags)
    Py_ssize_t c_send "send"(int fd, const void *data, size_t size, int flags)

cdef enum:
    #: What is received at once, at most.
    _READ_SIZE = 256 * 1024 + 64
    #: From this size on, what has come is looked at where it is: below, engines would copy it anyway.
    _LARGE = 16 * 1024


cdef class Lock:
    """A lock that a thread may take more than once: what :class:`threading.Condition` and links ask of an ``RLock``."""

    def __cinit__(self):
        self._lock = PyThread_allocate_lock()
        if self._lock is NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._lock is not NULL:
            PyThread_free_lock(self._lock)

    cpdef bint acquire(self, bint blocking=True) except -1:
        """Take it, and wait for it if ``blocking``; return whether it was taken."""
        cdef unsigned long me = PyThread_get_thread_ident()
        cdef PyThread_type_lock lock = self._lock
        if self._owner == me:  # nobody else says that it is me
            self._depth += 1
            return True
        if not PyThread_acquire_lock(lock, NOWAIT_LOCK):
            if not blocking:
                return False
            with nogil:
                PyThread_acquire_lock(lock, WAIT_LOCK)
        self._owner = me
        return True

    cpdef release(self):
        """Give it up, as often as it was taken. Raises :exc:`RuntimeError` if this thread does not hold it."""
        if self._owner != <unsigned long>PyThread_get_thread_ident():
            raise RuntimeError("cannot release un-acquired lock")
        if self._depth:
            self._depth -= 1
            return
        self._owner = 0
        PyThread_release_lock(self._lock)

    def __enter__(self):
        return self.acquire()

    def __exit__(self, kind, error, trace):
        self.release()

    # What a condition asks while it waits.

    cpdef bint _is_owned(self) except -1:
        return self._owner == <unsigned long>PyThread_get_thread_ident()

    def _release_save(self):
        depth, self._depth = self._depth, 0
        self.release()
        return depth

    def _acquire_restore(self, depth):
        self.acquire()
        self._depth = depth


cdef class Entrance:
    """The way to a ``lock``, which is not fair: busy senders would keep it from who is to come first."""

    def __init__(self):
        self.lock = Lock()
        self._turnstile = Lock()

    cpdef come_first(self):
        """Take the lock, ahead of those who :meth:`give_way`."""
        if not self.lock.acquire(False):
            self._turnstile.acquire()
            self._is_wanted = True
            self.lock.acquire()
            self._is_wanted = False
            self._turnstile.release()

    cpdef give_way(self):
        """Let who is to come first take the lock, if it waits for it, and not for who calls this."""
        if self._is_wanted and not self.lock._is_owned():
            self._turnstile.acquire()
            self._turnstile.release()


cdef class Guarded(Entrance):
    """The ways of a message through a link, as far as its ``lock`` is concerned, which whoever changes it holds."""

    def send_at_once(self, message):
        """Send a message, if there is nothing else to do for it; return whether it was. Only for those who do not hold
        the lock.
        """
        cdef bint is_sent
        Entrance.give_way(self)  # by its class: nothing is looked up
        self.lock.acquire()
        try:
            is_sent = self._send_at_once(message)
        finally:
            self.lock.release()
        return is_sent

    def next_message(self):
        """The next message, where waiting for one piece of input is all that it takes; else ``None``. Only for those
        who do not hold the lock.
        """
        self.lock.acquire()
        try:
            message = self._next_message()
        finally:
            self.lock.release()
        return message

    cdef _await_input(self, stream, timeout):
        """Do what ``stream.wait(timeout)`` does, without the lock, and take it again, whatever happens. A view is valid
        until the next call.
        """
        self.lock.release()
        try:
            data = stream.wait(timeout) if self._sock is None or timeout is not None else self._receive()
        finally:
            Entrance.come_first(self)
        return data

    cdef _receive(self):
        """Wait until something has come."""
        cdef int fd = self._sock.fileno(), reason
        cdef Py_ssize_t size
        cdef char *place
        if self._memory is None:
            self._memory = PyByteArray_FromStringAndSize(NULL, _READ_SIZE)  # as it is: no page is touched before its time
        place = PyByteArray_AS_STRING(self._memory)
        while True:
            with nogil:
                size = c_recv(fd, place, _READ_SIZE, 0)
                reason = errno
            if size >= 0:
                return PyBytes_FromStringAndSize(place, size) if size < _LARGE else memoryview(self._memory)[:size]
            if reason != EINTR:
                _fail(reason)
            PyErr_CheckSignals()

    cdef bint _send_at_once(self, message) except -1:
        raise NotImplementedError

    cdef _next_message(self):
        raise NotImplementedError


cpdef Py_ssize_t send(sock, data) except -1:
    """Send the beginning of ``data``, without waiting; return how many bytes the system takes now. Raises
    :exc:`OSError`.
    """
    cdef Py_buffer view
    cdef int fd = sock.fileno(), reason
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    cdef Py_ssize_t sent
    with nogil:
        sent = c_send(fd, view.buf, <size_t>view.len, MSG_DONTWAIT)
        reason = errno
    PyBuffer_Release(&view)
    if sent < 0 and reason != EAGAIN and reason != EINTR:
        _fail(reason)
    return max(sent, 0)


cdef _fail(int reason):
    """Raise the system's own error."""
    global errno
    errno = reason
    PyErr_SetFromErrno(OSError)

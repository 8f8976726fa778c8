"""The native leaves: the same names and the same contracts as in ``leaves_py``, which is their specification.

The system is called without giving up the lock of the interpreter: nothing here waits, and in between nobody can close
the socket and open another with its number.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, errno

from socket import socket

from wsproto_asyncio._speedups.leaves_py import accept as accept_in_python

__all__ = ["LARGE", "accept", "receive", "send"]

cdef extern from *:
    """
    #include <arpa/inet.h>
    #include <errno.h>
    #include <netinet/in.h>
    #include <poll.h>
    #include <sys/socket.h>
    #include <unistd.h>

    typedef union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } internet_address;

    #ifdef SOCK_NONBLOCK
    enum { CONNECTION = SOCK_STREAM | SOCK_NONBLOCK };

    /* That of a socket over IP; 0 of others. */
    static int internet_family(int fd)
    {
        internet_address it;
        socklen_t size = sizeof it;

        if (getsockname(fd, &it.any, &size) || (it.any.sa_family != AF_INET && it.any.sa_family != AF_INET6))
            return 0;
        return it.any.sa_family;
    }

    /* The connection that has waited longest; -1 for an error. Before it looks who waits the system makes a socket, which
     * takes it five microseconds: so it is asked first. */
    static int next_connection(int fd, internet_address *other)
    {
        struct pollfd listening = {.fd = fd, .events = POLLIN};
        socklen_t size = sizeof *other;

        errno = EAGAIN;
        return poll(&listening, 1, 0) == 0 ? -1 : accept4(fd, &other->any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    #else /* macOS has no such call */
    enum { CONNECTION = 0 };
    #define internet_family(fd) 0
    #define next_connection(fd, other) -1
    #endif

    /* As the socket module writes it. */
    static PyObject *address_in_words(const internet_address *it)
    {
        const unsigned char *four = (const unsigned char *)&it->four.sin_addr;
        char six[INET6_ADDRSTRLEN];

        if (it->any.sa_family == AF_INET)
            return Py_BuildValue("(Ni)", PyUnicode_FromFormat("%d.%d.%d.%d", four[0], four[1], four[2], four[3]),
                                 ntohs(it->four.sin_port));
        if (inet_ntop(AF_INET6, &it->six.sin6_addr, six, sizeof six) == NULL)
            return PyErr_SetFromErrno(PyExc_OSError);
        return Py_BuildValue("(siII)", six, ntohs(it->six.sin6_port), ntohl(it->six.sin6_flowinfo),
                             it->six.sin6_scope_id);
    }
    """
    ctypedef struct internet_address:
        pass
    const int CONNECTION
    int internet_family(int fd)
    int next_connection(int fd, internet_address *other)
    object address_in_words(const internet_address *it)
    int close(int fd)

cdef extern from "<sys/socket.h>" nogil:
    Py_ssize_t c_recv "recv"(int fd, void *to, size_t size, int flags)
    Py_ssize_t c_send "send"(int fd, const void *data, size_t size, int flags)


cdef enum:
    _LARGE = 16 * 1024

LARGE = _LARGE


cpdef accept(sock):
    """Who has waited longest at ``sock``: the connection, which does not block either, and the address of its other
    end; ``None`` where nobody waits. Raises :exc:`OSError`.
    """
    cdef internet_address other
    cdef int fd = sock.fileno()
    cdef int family = internet_family(fd) if type(sock) is socket else 0
    if not family:
        return accept_in_python(sock)
    cdef int taken = next_connection(fd, &other)
    if taken < 0:
        if errno != EAGAIN and errno != EINTR and errno != ECONNABORTED:
            PyErr_SetFromErrno(OSError)
        return None
    try:
        address = address_in_words(&other)
        # The socket module's accept() makes members of enums of family and type, which takes as long as the rest.
        connection = socket(family, CONNECTION, sock.proto, taken)
    except BaseException:
        close(taken)
        raise
    return connection, address


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

"""The native leaves: the same names and the same contracts as in ``leaves_py``, which is their specification.

The loops are in ``leaves.h``. Here is what they need of Python: objects of the right size, and errors.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, _PyBytes_Resize
from cpython.object cimport PyObject
from cpython.ref cimport Py_CLEAR, Py_INCREF
from cpython.unicode cimport PyUnicode_DATA, PyUnicode_DecodeUTF8, PyUnicode_New
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

__all__ = ["MessageBuffer", "apply_mask", "complete_utf8", "encode_frame", "encode_header", "unmask", "unmask_text"]


cdef extern from "Python.h":
    int PyUnicode_Resize(PyObject **text, Py_ssize_t size) except -1


cdef extern from "leaves.h" nogil:
    enum: WSPROTO_MAX_HEADER
    bint wsproto_copy(unsigned char *to, const unsigned char *source, size_t size, const unsigned char *key)
    size_t wsproto_complete_utf8(const unsigned char *text, size_t size, bint *valid)
    size_t wsproto_header(unsigned char *to, unsigned char first, uint64_t length, const unsigned char *key)


cpdef bytes unmask(bytes data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at):
    """``data[start:stop]`` combined with the four bytes of ``key_in`` from ``key_at`` on (RFC 6455 §5.3); as it is
    where ``key_in`` is empty.
    """
    cdef const unsigned char *source = _part(data, start, stop)
    cdef const unsigned char *key = _key(key_in, key_at)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, stop - start)
    wsproto_copy(<unsigned char *>PyBytes_AS_STRING(result), source, <size_t>(stop - start), key)
    return result


cpdef str unmask_text(bytes data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at):
    """What :func:`unmask` gives, as text. Raises :exc:`UnicodeDecodeError`."""
    cdef const unsigned char *source = _part(data, start, stop)
    cdef const unsigned char *key = _key(key_in, key_at)
    # Nearly all text is ASCII, whose bytes are its characters: it is unmasked into a string, in one pass.
    cdef str text = PyUnicode_New(stop - start, 127)
    cdef unsigned char *to = <unsigned char *>PyUnicode_DATA(text)
    if wsproto_copy(to, source, <size_t>(stop - start), key):
        return text
    return PyUnicode_DecodeUTF8(<char *>to, stop - start, NULL)


def apply_mask(bytes payload not None, bytes key not None):
    """``payload`` combined with the four bytes of ``key``; applying it twice gives it back (RFC 6455 §5.3)."""
    return unmask(payload, 0, len(payload), key, 0)


def encode_frame(unsigned char first, bytes payload not None, bytes key):
    """A whole frame: header, then ``payload``, masked if there is a ``key``."""
    cdef unsigned char header[WSPROTO_MAX_HEADER]
    cdef const unsigned char *mask = _key_or_none(key)
    cdef size_t size = <size_t>len(payload)
    cdef size_t body = wsproto_header(header, first, size, mask)
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(body + size))
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(frame)
    memcpy(to, header, body)
    wsproto_copy(to + body, <unsigned char *>PyBytes_AS_STRING(payload), size, mask)
    return frame


def encode_header(unsigned char first, uint64_t length, bytes key):
    """A frame header: ``first``, ``length`` in the fewest bytes, the masking ``key`` if any (RFC 6455 §5.2)."""
    cdef unsigned char header[WSPROTO_MAX_HEADER]
    cdef size_t size = wsproto_header(header, first, length, _key_or_none(key))
    return PyBytes_FromStringAndSize(<char *>header, <Py_ssize_t>size)


cpdef Py_ssize_t complete_utf8(data) except -1:
    """How many leading bytes of ``data`` are complete characters; what is left may still become one.

    Raises :exc:`UnicodeDecodeError` at the first byte that no valid text can contain there (RFC 3629).
    """
    cdef bint valid = True
    cdef const unsigned char *text
    if isinstance(data, bytes):
        text = <const unsigned char *>PyBytes_AS_STRING(data)
    elif isinstance(data, bytearray):
        text = <const unsigned char *>PyByteArray_AS_STRING(data)
    else:
        raise TypeError(f"data must be bytes or bytearray, not {type(data).__name__}")
    cdef size_t complete = wsproto_complete_utf8(text, <size_t>len(data), &valid)
    if not valid:
        from . import leaves_py  # has the words for what is wrong; its tables cost time, so not before

        return leaves_py.complete_utf8(data)
    return <Py_ssize_t>complete


@cython.final
cdef class MessageBuffer:
    """A message as it comes: its pieces, unmasked and joined.

    They are gathered in the very object that is handed over: a ``bytes``, or a ``str`` as long as a text is ASCII.
    """

    def __cinit__(self, bint is_text):
        self._is_text = self._is_ascii = is_text

    def __dealloc__(self):
        Py_CLEAR(self._buffer)

    cpdef add(self, bytes data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at, uint64_t more):
        """Append what :func:`unmask` gives. ``more`` bytes are announced, for which memory can be set aside, but never
        more than what has come: an announcement costs nothing.
        """
        cdef const unsigned char *source = _part(data, start, stop)
        cdef const unsigned char *key = _key(key_in, key_at)
        cdef Py_ssize_t size = stop - start
        if size == 0:
            return
        self._make_room(size, more)
        cdef bint is_ascii = wsproto_copy(self._content() + self._size, source, <size_t>size, key)
        self._size += size
        if self._is_ascii and not is_ascii:
            self._leave_ascii()

    cpdef check(self):
        """Raise :exc:`UnicodeDecodeError` unless what has come is, or can become, valid text. Anything is binary."""
        cdef bint valid = True
        if self._is_ascii or not self._is_text:
            return
        cdef unsigned char *unchecked = self._content() + self._checked
        cdef Py_ssize_t size = self._size - self._checked
        self._checked += <Py_ssize_t>wsproto_complete_utf8(unchecked, <size_t>size, &valid)
        if not valid:
            complete_utf8(PyBytes_FromStringAndSize(<char *>unchecked, size))

    cpdef take(self, bint final):
        """Take out what has come: ``bytes``, or ``str`` of a text. Unless ``final``, a character that is incomplete
        stays. Raises :exc:`UnicodeDecodeError`.
        """
        if self._size == 0:
            return "" if self._is_text else b""
        self._resize(self._size)
        ready = <object>self._buffer
        cdef bint is_ready = self._is_ascii or not self._is_text
        self._forget()
        return ready if is_ready else self._decoded(ready, final)

    cdef str _decoded(self, bytes data, bint final):
        """The text of ``data``; a character that is still incomplete goes back into the buffer."""
        cdef Py_ssize_t complete = len(data) if final else complete_utf8(data)
        self.add(data, complete, len(data), b"", 0, 0)
        return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(data), complete, NULL)

    # The buffer has never more than this one reference: only so it may be written to and resized.

    cdef _make_room(self, Py_ssize_t size, uint64_t more):
        """Let ``size`` bytes fit, and some of those that may follow."""
        cdef Py_ssize_t needed = self._size + size
        if needed <= self._room:
            return
        cdef Py_ssize_t room = needed + (<Py_ssize_t>more if more < <uint64_t>needed else needed)
        if self._buffer is NULL:
            self._own(PyUnicode_New(room, 127) if self._is_ascii else PyBytes_FromStringAndSize(NULL, room), room)
        else:
            self._resize(max(room, needed + (needed >> 3)))

    cdef _leave_ascii(self):
        """Go on as bytes."""
        content = PyBytes_FromStringAndSize(NULL, self._room)  # never a shared one, as it would be with content
        memcpy(PyBytes_AS_STRING(content), self._content(), <size_t>self._size)
        self._is_ascii = False
        self._own(content, self._room)

    cdef _own(self, buffer, Py_ssize_t room):
        Py_CLEAR(self._buffer)
        Py_INCREF(buffer)
        self._buffer = <PyObject *>buffer
        self._room = room

    cdef _resize(self, Py_ssize_t room):
        if room == self._room:
            return
        if self._is_ascii:
            PyUnicode_Resize(&self._buffer, room)
        else:
            _PyBytes_Resize(&self._buffer, room)
        self._room = room

    cdef _forget(self):
        Py_CLEAR(self._buffer)
        self._size = self._room = self._checked = 0
        self._is_ascii = self._is_text

    cdef unsigned char *_content(self) noexcept:
        if self._is_ascii:
            return <unsigned char *>PyUnicode_DATA(<object>self._buffer)
        return <unsigned char *>PyBytes_AS_STRING(<object>self._buffer)


cdef const unsigned char *_part(bytes data, Py_ssize_t start, Py_ssize_t stop) except NULL:
    """Where ``data[start:stop]`` begins; what is no part of ``data`` raises :exc:`IndexError`."""
    if not 0 <= start <= stop <= len(data):
        raise IndexError(f"start and stop must be in order and within {len(data)} bytes, not {start} and {stop}")
    return <const unsigned char *>PyBytes_AS_STRING(data) + start


cdef const unsigned char *_key(bytes key_in, Py_ssize_t key_at) except? NULL:
    """The four bytes of ``key_in`` from ``key_at`` on; NULL where there is no key."""
    if not key_in:
        return NULL
    return _part(key_in, key_at, key_at + 4)


cdef const unsigned char *_key_or_none(bytes key) except? NULL:
    if key is None:
        return NULL
    return _part(key, 0, 4)

"""The native leaves: the same names and the same contracts as in ``leaves_py``, which is their specification.

The loops are in ``leaves.h``. Here is what they need of Python: objects of the right size, and errors.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE, _PyBytes_Resize
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from cpython.ref cimport Py_CLEAR, Py_INCREF
from cpython.unicode cimport (
    PyUnicode_AsUTF8String,
    PyUnicode_DATA,
    PyUnicode_DecodeASCII,
    PyUnicode_DecodeUTF8,
    PyUnicode_GET_LENGTH,
    PyUnicode_New,
)
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

__all__ = [
    "FrameBuffer",
    "MessageBuffer",
    "apply_mask",
    "complete_utf8",
    "memory_of",
    "ordinary_head",
    "unmask",
    "unmask_text",
    "utf8_of",
]


cdef extern from "Python.h":
    int PyUnicode_Resize(PyObject **text, Py_ssize_t size) except -1
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    # What an object costs without its content; the byte behind the content is counted.
    Py_ssize_t WSPROTO_BYTES_SIZE "((Py_ssize_t)offsetof(PyBytesObject, ob_sval) + 1)"
    Py_ssize_t WSPROTO_ASCII_SIZE "((Py_ssize_t)sizeof(PyASCIIObject) + 1)"


cdef extern from "leaves.h" nogil:
    enum: WSPROTO_MAX_HEADER, WSPROTO_SEVERAL_FRAMES, WSPROTO_FORESIGHT, WSPROTO_LONG_TEXT
    enum: WSPROTO_BEFORE_TARGET, WSPROTO_BEHIND_TARGET
    bint wsproto_copy(unsigned char *to, const unsigned char *source, size_t size, const unsigned char *key)
    size_t wsproto_complete_utf8(const unsigned char *text, size_t size, bint *valid)
    size_t wsproto_header(unsigned char *to, unsigned char first, uint64_t length, const unsigned char *key)
    const unsigned char *wsproto_target_end(const unsigned char *head, size_t size)
    const unsigned char *wsproto_name_end(const unsigned char *name)
    const unsigned char *wsproto_value_end(const unsigned char *value)


cpdef bytes unmask(data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at):
    """``data[start:stop]`` combined with the four bytes of ``key_in`` from ``key_at`` on (RFC 6455 §5.3); as it is
    where ``key_in`` is empty.
    """
    cdef const unsigned char *source = _part(data, start, stop)
    cdef const unsigned char *key = _key(key_in, key_at)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, stop - start)
    wsproto_copy(<unsigned char *>PyBytes_AS_STRING(result), source, <size_t>(stop - start), key)
    return result


cpdef str unmask_text(data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at):
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


def utf8_of(text):
    """The bytes of ``text`` in UTF-8, which may be those that it consists of. Raises :exc:`UnicodeEncodeError`."""
    if type(text) is str and PyUnicode_IS_COMPACT_ASCII(text) and PyUnicode_GET_LENGTH(text) >= WSPROTO_LONG_TEXT:
        return memoryview(_Characters(text))
    return PyUnicode_AsUTF8String(text)


@cython.final
cdef class _Characters:
    """What an ASCII text consists of, to be looked at where it is."""

    def __cinit__(self, str text):
        self._text = text

    def __getbuffer__(self, Py_buffer *view, int flags):
        cdef Py_ssize_t size = len(self._text)
        PyBuffer_FillInfo(view, self, PyUnicode_DATA(self._text), size, True, flags)


cpdef Py_ssize_t memory_of(item) except -1:
    """What ``item`` costs in bytes, as an object: many tiny messages are as dangerous as a few large ones."""
    if type(item) is bytes:
        return PyBytes_GET_SIZE(item) + WSPROTO_BYTES_SIZE
    if type(item) is str and PyUnicode_IS_COMPACT_ASCII(item):
        return PyUnicode_GET_LENGTH(item) + WSPROTO_ASCII_SIZE
    from .leaves_py import memory_of as of_any

    return of_any(item)


def ordinary_head(bytes data not None, Py_ssize_t size, word):
    """Target and fields of the head of a request, which is ``data[:size]`` and ends with the first empty line; ``None``
    where its shape is not the most usual: ``GET``, HTTP/1.1, ``Name: value`` in visible ASCII.

    ``word(text, text)`` gives what is to be held instead of ``text``, which is the same.
    """
    cdef const unsigned char *head = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef const unsigned char *at = wsproto_target_end(head, <size_t>min(size, PyBytes_GET_SIZE(data)))
    cdef const unsigned char *name
    cdef const unsigned char *value
    cdef list fields = []
    if at == NULL:
        return None
    cdef str target = _ascii(head + WSPROTO_BEFORE_TARGET, at)
    at += WSPROTO_BEHIND_TARGET
    while at != head + size - 4:  # where the empty line begins
        name = at + 2
        at = wsproto_name_end(name)
        if at == NULL:
            return None
        value = at + 2
        at = wsproto_value_end(value)
        if at == NULL:
            return None
        fields.append((_word(word, name, value - 2), _word(word, value, at)))
    return (target, fields) if fields else None


cdef inline object _word(word, const unsigned char *start, const unsigned char *stop):
    cdef str text = _ascii(start, stop)
    return word(text, text)


cdef inline str _ascii(const unsigned char *start, const unsigned char *stop):
    return PyUnicode_DecodeASCII(<const char *>start, stop - start, NULL)


@cython.final
cdef class MessageBuffer:
    """A message as it comes: its pieces, unmasked and joined.

    They are gathered in the very object that is handed over: a ``bytes``, or a ``str`` as long as a text is ASCII.
    """

    def __cinit__(self, bint is_text):
        self._is_text = self._is_ascii = is_text

    def __dealloc__(self):
        Py_CLEAR(self._buffer)

    cpdef add(self, data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at, uint64_t more):
        """Append what :func:`unmask` gives. ``more`` bytes are announced, for which addresses can be set aside, but no
        more than 16 for each byte that has come: an announcement costs nothing.
        """
        cdef const unsigned char *source = _part(data, start, stop)
        cdef const unsigned char *key = _key(key_in, key_at)
        cdef Py_ssize_t size = stop - start
        if size == 0:
            return
        self._make_room(size, more)
        cdef bint is_ascii = wsproto_copy(self._content() + self._size, source, <size_t>size, key)
        if self._is_ascii and not is_ascii:
            self._leave_ascii(self._size + size)
        self._size += size

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
        cdef Py_ssize_t most = WSPROTO_FORESIGHT * needed
        cdef Py_ssize_t room = needed + (<Py_ssize_t>more if more < <uint64_t>most else most)
        if self._buffer is NULL:
            self._own(PyUnicode_New(room, 127) if self._is_ascii else PyBytes_FromStringAndSize(NULL, room), room)
        else:
            self._resize(max(room, needed + (needed >> 3)))

    cdef _leave_ascii(self, Py_ssize_t size):
        """Go on as bytes, of which ``size`` are there."""
        content = PyBytes_FromStringAndSize(NULL, self._room)  # never a shared one, as it would be with content
        memcpy(PyBytes_AS_STRING(content), self._content(), <size_t>size)
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
        try:
            if self._is_ascii:
                PyUnicode_Resize(&self._buffer, room)
            else:
                _PyBytes_Resize(&self._buffer, room)
        except MemoryError:
            self._forget()  # the bytes are gone already
            raise
        self._room = room

    cdef _forget(self):
        Py_CLEAR(self._buffer)
        self._size = self._room = self._checked = 0
        self._is_ascii = self._is_text

    cdef unsigned char *_content(self) noexcept:
        if self._is_ascii:
            return <unsigned char *>PyUnicode_DATA(<object>self._buffer)
        return <unsigned char *>PyBytes_AS_STRING(<object>self._buffer)


@cython.final
cdef class FrameBuffer:
    """Frames in the order they leave, one behind the other: in the very object that is handed over."""

    def __dealloc__(self):
        Py_CLEAR(self._buffer)

    cpdef Py_ssize_t add(
        self, int first, payload, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at
    ) except -1:
        """Append a frame: a header with ``first``, then ``payload[start:stop]``, masked with the four bytes of
        ``key_in`` from ``key_at`` on; as it is where ``key_in`` is empty. Return its size.
        """
        return self._frame(first, _part(payload, start, stop), stop - start, _key(key_in, key_at))

    cpdef Py_ssize_t add_text(self, int first, str text, bytes key_in, Py_ssize_t key_at) except -1:
        """Append a frame with ``text``; return its size. Raises :exc:`UnicodeEncodeError`; then nothing is appended."""
        cdef const unsigned char *key = _key(key_in, key_at)
        cdef Py_ssize_t size = len(text)
        cdef bytes payload
        if PyUnicode_IS_COMPACT_ASCII(text):  # whose bytes are its characters
            return self._frame(first, <const unsigned char *>PyUnicode_DATA(text), size, key)
        payload = PyUnicode_AsUTF8String(text)
        return self._frame(first, <const unsigned char *>PyBytes_AS_STRING(payload), len(payload), key)

    cpdef Py_ssize_t add_header(self, int first, uint64_t length) except -1:
        """Append the header of a frame that is not masked; return its size."""
        cdef size_t size = wsproto_header(self._room_for(WSPROTO_MAX_HEADER), <unsigned char>first, length, NULL)
        self.size += <Py_ssize_t>size
        return <Py_ssize_t>size

    cpdef add_bytes(self, data):
        """Append ``data`` as it is."""
        cdef Py_ssize_t size = len(data)
        cdef const unsigned char *content = _part(data, 0, size)
        memcpy(self._room_for(size), content, <size_t>size)
        self.size += size

    cpdef bytes take(self):
        """Take out what has been appended."""
        cdef Py_ssize_t size = self.size, room = self._room
        if size == 0:
            return b""
        self.size = self._room = 0
        if size != room:
            _PyBytes_Resize(&self._buffer, size)  # where that fails, nothing is left
        frames = <bytes>self._buffer
        Py_CLEAR(self._buffer)
        return frames

    cdef Py_ssize_t _frame(
        self, int first, const unsigned char *payload, Py_ssize_t size, const unsigned char *key
    ) except -1:
        cdef unsigned char header[WSPROTO_MAX_HEADER]
        cdef Py_ssize_t body = <Py_ssize_t>wsproto_header(header, <unsigned char>first, <uint64_t>size, key)
        cdef unsigned char *to = self._room_for(body + size)
        memcpy(to, header, <size_t>body)
        if key is NULL:
            memcpy(to + body, payload, <size_t>size)
        else:
            wsproto_copy(to + body, payload, <size_t>size, key)
        self.size += body + size
        return body + size

    # As in MessageBuffer, the buffer has never more than this one reference.

    cdef unsigned char *_room_for(self, Py_ssize_t size) except NULL:
        """Where ``size`` more bytes go. The first ones get just their room: mostly nothing follows them."""
        cdef Py_ssize_t needed = self.size + size
        if self._buffer is NULL:
            self._own(max(needed, 2))  # smaller objects are shared
        elif needed > self._room:
            self._own(max(needed, 2 * self._room, WSPROTO_SEVERAL_FRAMES))
        return <unsigned char *>PyBytes_AS_STRING(<object>self._buffer) + self.size

    cdef _own(self, Py_ssize_t room):
        """Go on in an object of ``room`` bytes. Where there is no memory for it, nothing has changed."""
        content = PyBytes_FromStringAndSize(NULL, room)
        if self._buffer is not NULL:
            memcpy(PyBytes_AS_STRING(content), PyBytes_AS_STRING(<object>self._buffer), <size_t>self.size)
            Py_CLEAR(self._buffer)
        Py_INCREF(content)
        self._buffer = <PyObject *>content
        self._room = room


cdef const unsigned char *_part(data, Py_ssize_t start, Py_ssize_t stop) except NULL:
    """Where ``data[start:stop]`` begins; what is no part of ``data`` raises :exc:`IndexError`."""
    cdef const unsigned char *content
    cdef Py_ssize_t size
    cdef Py_buffer view
    if type(data) is bytes:
        content = <const unsigned char *>PyBytes_AS_STRING(data)
        size = PyBytes_GET_SIZE(data)
    else:
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        content, size = <const unsigned char *>view.buf, view.len
        PyBuffer_Release(&view)  # the caller holds it, and no Python code runs meanwhile
    if not 0 <= start <= stop <= size:
        raise IndexError(f"start and stop must be in order and within {size} bytes, not {start} and {stop}")
    return content + start


cdef const unsigned char *_key(bytes key_in, Py_ssize_t key_at) except? NULL:
    """The four bytes of ``key_in`` from ``key_at`` on; NULL where there is no key."""
    if not key_in:
        return NULL
    return _part(key_in, key_at, key_at + 4)

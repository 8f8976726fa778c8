"""C types for the frame loop: compiled with them, ``codec_py.py`` becomes ``codec_c``.

Sizes that a peer declares go up to 2**63 - 1, and a limit may be any integer, so sizes have 64 bits on every machine,
unsigned, and limits stay Python's. The constants of the source become C's as well: see ``hatch_build.py``.
"""

cimport cython
from libc.stdint cimport uint64_t

from .leaves_c cimport MessageBuffer


@cython.final
cdef class FrameDecoder:
    cdef public object control_allowance
    cdef public Py_ssize_t room
    cdef readonly Py_ssize_t controls, undecoded
    cdef readonly bint only_messages
    cdef readonly bytes close_payload
    cdef readonly object failure
    cdef Py_ssize_t _piece_size
    cdef int _marked_text, _marked_binary
    cdef int _mask_bit, _granularity, _reserved_bits, _short, _short_limit
    cdef tuple _transforms, _active
    cdef object _message_limit, _frame_limit, _max_fragments
    cdef bytes _carry, _key, _control_payload
    cdef int _opcode, _fin, _turn
    cdef uint64_t _remaining, _received, _frames
    cdef bint _in_message
    cdef MessageBuffer _message

    cpdef list decode(self, data)
    @cython.locals(position=Py_ssize_t, end=Py_ssize_t, head=bytes)
    cdef bytes _take_large(self, data, list events)
    @cython.locals(length=int)
    cdef bint _announces_much(self, bytes head) except -1
    @cython.locals(end=Py_ssize_t, position=Py_ssize_t)
    cdef _decode(self, bytes data, list events)
    @cython.locals(
        body=Py_ssize_t, stop=Py_ssize_t,
        mask_bit=int, header_size=int, first=int, length=int, short=int, key_in=bytes,
    )
    cdef Py_ssize_t _frames_in(self, bytes data, Py_ssize_t position, Py_ssize_t end, list events) except -1
    @cython.locals(piece=bytes)
    cdef _transformed(self, bytes data, Py_ssize_t body, Py_ssize_t stop, bytes key_in, bint is_text, list events)
    cdef int _two_byte_length(self, bytes data, Py_ssize_t position, Py_ssize_t end) noexcept
    cdef Py_ssize_t _frame(self, bytes data, Py_ssize_t position, Py_ssize_t end, list events) except -1
    @cython.locals(first=int, second=int, length=uint64_t, key_end=Py_ssize_t, size=int)
    cdef Py_ssize_t _header(self, bytes data, Py_ssize_t position, Py_ssize_t end) except? -1
    @cython.locals(opcode=int, reserved=int)
    cdef _check_first(self, int first)
    @cython.locals(value=uint64_t, unknown_bits=int, minimum=uint64_t)
    cdef uint64_t _extended_length(self, bytes field, int size) except? 1
    cdef _check_control_size(self, uint64_t length, int first)
    cdef _check_size(self, uint64_t length, int first)
    cdef _check_message_size(self, uint64_t size)
    cdef _begin(self, int first, uint64_t length)
    cdef tuple _transforms_for(self, int first)
    cdef Py_ssize_t _pieces(self, bytes data, Py_ssize_t position, Py_ssize_t end, list events) except -1
    @cython.locals(stop=Py_ssize_t, left=uint64_t, size=uint64_t)
    cdef Py_ssize_t _payload(self, data, Py_ssize_t position, Py_ssize_t end, list events) except -1
    cdef _check_close(self, bytes payload)
    cdef Py_ssize_t _control(self, list events, Py_ssize_t stop, Py_ssize_t end) except -1
    @cython.locals(frame_ends=bint, final=bint, completeness=int, is_ready=bint, piece=bytes)
    cdef _data(self, data, Py_ssize_t position, Py_ssize_t stop, list events)
    cdef _gather(self, data, Py_ssize_t start, Py_ssize_t stop, bytes key_in, Py_ssize_t key_at, uint64_t more)
    cdef _hand_over(self, ready, bint final, list events)
    cdef _fail(self, violation, detail)
    cdef _release(self)

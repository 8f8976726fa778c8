"""C types for the traffic of a connection: compiled with them, ``traffic_py.py`` becomes ``traffic_c``.

The classes are not final: an engine is a :class:`Traffic`, and what follows its phases, sets its timers and counts its
control frames are its :class:`Standing`, its :class:`Timing` and its :class:`Allowing`.
"""

cimport cython
from libc.stdint cimport int64_t

from .codec_c cimport FrameDecoder
from .frames_c cimport FrameQueue
from .inbox_c cimport Inbox


cdef class Standing:
    cdef public bint is_open, may_receive, may_send, owes_close_frame


cdef class Timing:
    cdef public object next_deadline


cdef class Allowing:
    cdef public bint is_spent


cdef class Traffic:
    cdef public double _now, _last_activity, _last_life
    cdef public int64_t _bytes_received, _messages_received
    cdef public bint _is_plain, is_followed
    cdef public Standing _standing
    cdef public FrameDecoder _decoder
    cdef public FrameQueue _frames
    cdef public Inbox _inbox
    cdef public list _undelivered
    cdef public Allowing _control_rate
    cdef public Timing _timers
    cdef public object _backlog, _outbox

    @cython.locals(events=list)
    cpdef list receive_data(self, data, double now)
    cpdef bint send_at_once(self, message) except -1
    cpdef bint pass_frame(self, bytes frame) except -1
    @cython.locals(inbox=Inbox)
    cpdef list gather(self, events)
    cpdef message_at_hand(self)
    cpdef list data_to_send(self)
    cpdef next_deadline(self)
    cpdef bint flows(self) except -1
    cdef bint _flows(self) except -1
    cdef bytes _take_only(self)
    @cython.locals(decoder=FrameDecoder, events=list)
    cpdef list _decode_frames(self, data)
    cpdef list _with_undelivered(self, list events)

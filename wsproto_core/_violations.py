"""Every way in which a peer can break the rules, as one table.

Each :class:`Violation` knows the answer that the RFC names for it (a close code once the connection is open, an HTTP
status before), the section it offends and the offence in words. Code that finds an offence names the row; nothing
else decides what the peer is told.
"""

from __future__ import annotations

from enum import Enum, unique

from ._codes import CloseCode

__all__ = ["Violation"]


@unique
class Violation(Enum):
    """An offence of the peer: ``.answer`` (close code or HTTP status), ``.section``, ``.words``."""

    # --- frames (RFC 6455 §5) ---------------------------------------------------------------------------------------
    UNMASKED_FRAME = (1002, "RFC 6455 §5.1", "a client must mask every frame")
    MASKED_FRAME = (1002, "RFC 6455 §5.1", "a server must not mask a frame")
    RESERVED_BITS = (1002, "RFC 6455 §5.2", "a reserved bit is set that no negotiated extension defines")
    RESERVED_OPCODE = (1002, "RFC 6455 §5.2", "the opcode is reserved")
    NON_MINIMAL_LENGTH = (1002, "RFC 6455 §5.2", "the payload length is not encoded in the fewest bytes")
    LENGTH_OVERFLOW = (1002, "RFC 6455 §5.2", "the top bit of a 64-bit payload length is set")
    FRAGMENTED_CONTROL = (1002, "RFC 6455 §5.5", "a control frame must not be fragmented")
    CONTROL_TOO_LONG = (1002, "RFC 6455 §5.5", "a control frame carries at most 125 bytes")
    UNEXPECTED_CONTINUATION = (1002, "RFC 6455 §5.4", "a continuation frame without a message to continue")
    MESSAGE_INTERRUPTED = (1002, "RFC 6455 §5.4", "a new message began before the fragmented one had ended")
    # --- payloads ---------------------------------------------------------------------------------------------------
    INVALID_UTF8 = (1007, "RFC 6455 §8.1", "a text message is not valid UTF-8")
    CLOSE_PAYLOAD_TOO_SHORT = (1002, "RFC 6455 §5.5.1", "a close payload of one byte holds no close code")
    CLOSE_CODE_INVALID = (1002, "RFC 6455 §7.4", "the close code must not cross the wire")
    CLOSE_REASON_INVALID_UTF8 = (1007, "RFC 6455 §5.5.1", "the close reason is not valid UTF-8")
    # --- permessage-deflate (RFC 7692) ------------------------------------------------------------------------------
    RESERVED_BIT_ON_CONTINUATION = (1002, "RFC 7692 §6.1", "RSV1 may be set on the first frame of a message only")
    CORRUPT_COMPRESSION = (1007, "RFC 7692 §6.2", "the compressed payload cannot be inflated")
    # --- limits -----------------------------------------------------------------------------------------------------
    MESSAGE_TOO_BIG = (1009, "RFC 6455 §7.4.1", "the message is larger than Limits.message_size")
    FRAME_TOO_BIG = (1009, "RFC 6455 §7.4.1", "the frame is larger than Limits.frame_size")
    INFLATED_TOO_BIG = (1009, "RFC 7692 §8", "the message inflates to more than Limits.message_size")
    INFLATE_RATIO = (1009, "RFC 7692 §8", "the message inflates by more than Limits.inflate_ratio")
    TOO_MANY_FRAGMENTS = (1008, "RFC 6455 §10.4", "the message has more frames than Limits.max_fragments")
    CONTROL_FLOOD = (1008, "RFC 6455 §10.4", "more control frames a second than Limits.control_frame_rate")
    # --- opening handshake, found by a server (RFC 6455 §4.2.1; the answer is an HTTP status) -----------------------
    BAD_REQUEST = (400, "RFC 9112 §3", "the request is not well-formed HTTP/1.1")
    REQUEST_BODY = (400, "RFC 6455 §4.1", "an opening handshake carries no body")
    METHOD_NOT_GET = (405, "RFC 6455 §4.2.1", "the method of an opening handshake is GET")
    HTTP_VERSION = (505, "RFC 6455 §4.2.1", "an opening handshake needs HTTP/1.1 or higher")
    BAD_HOST = (400, "RFC 6455 §4.2.1", "there must be exactly one valid Host header")
    HOST_NOT_ALLOWED = (421, "RFC 9110 §15.5.20", "this server does not answer for that host")
    NO_UPGRADE = (426, "RFC 6455 §4.2.1", "this resource is a WebSocket; the request does not ask for an upgrade")
    BAD_CONNECTION = (400, "RFC 6455 §4.2.1", "the Connection header does not list upgrade")
    BAD_KEY = (400, "RFC 6455 §4.2.1", "Sec-WebSocket-Key must be present once and hold 16 bytes in base64")
    UNSUPPORTED_VERSION = (426, "RFC 6455 §4.4", "the only WebSocket version spoken here is 13")
    BAD_SUBPROTOCOLS = (400, "RFC 6455 §4.1", "the Sec-WebSocket-Protocol header is malformed")
    BAD_EXTENSIONS = (400, "RFC 6455 §9.1", "the Sec-WebSocket-Extensions header is malformed")
    ORIGIN_NOT_ALLOWED = (403, "RFC 6455 §4.2.2", "the origin is not on the allow-list")
    HEADERS_TOO_BIG = (431, "RFC 6585 §5", "the header section is larger than Limits.header_size")
    TOO_MANY_HEADERS = (431, "RFC 6585 §5", "there are more header lines than Limits.max_headers")
    TARGET_TOO_LONG = (414, "RFC 9110 §15.5.15", "the request target is too long")
    HANDSHAKE_TIMEOUT = (408, "RFC 9110 §15.5.9", "the request did not arrive within Timeouts.opening_timeout")
    # --- before the opening handshake (the connection is dropped; the code is only reported) ------------------------
    BAD_PROXY_HEADER = (1006, "PROXY protocol §2", "the connection does not begin with a valid PROXY header")
    # --- opening handshake, found by a client (RFC 6455 §4.1; a client answers by leaving: no code is sent) ---------
    BAD_RESPONSE = (1006, "RFC 9112 §4", "the response is not well-formed HTTP/1.1")
    RESPONSE_TOO_BIG = (1006, "RFC 6455 §4.1", "the response header is larger than the limits allow")
    RESPONSE_UPGRADE = (1006, "RFC 6455 §4.1", "the response does not say Upgrade: websocket")
    RESPONSE_CONNECTION = (1006, "RFC 6455 §4.1", "the response does not say Connection: upgrade")
    BAD_ACCEPT = (1006, "RFC 6455 §4.1", "Sec-WebSocket-Accept does not answer the key that was sent")
    SUBPROTOCOL_NOT_OFFERED = (1006, "RFC 6455 §4.1", "the server chose a subprotocol that was not offered")
    EXTENSION_NOT_OFFERED = (1006, "RFC 6455 §4.1", "the server chose an extension that was not offered")
    EXTENSION_PARAMETERS = (1006, "RFC 7692 §5.1", "the server answered an extension with unacceptable parameters")
    # --- codecs of message-oriented TCP (sections of wsproto_core/_packets/codec.py; the code is only reported) -----
    VARINT_NOT_MINIMAL = (1002, "stream codecs §2", "a varint length is not encoded in the fewest bytes")
    VARINT_OVERFLOW = (1002, "stream codecs §2", "a varint length needs more than 64 bits")
    NETSTRING_LENGTH = (1002, "stream codecs §3", "a netstring's length is not decimal, without leading zeros")
    NETSTRING_COMMA = (1002, "stream codecs §3", "a netstring does not end in a comma")
    TRUNCATED_MESSAGE = (1006, "stream codecs §6", "the stream ended within a message")
    # --- sealed messages (sections of wsproto_core/_pipeline/envelope.py) -------------------------------------------
    NOT_SEALED = (1008, "pipeline §1", "the message is not sealed as this side expects")
    UNKNOWN_KEY = (1008, "pipeline §2", "the message is sealed with a key that this side does not have")
    BROKEN_SEAL = (1008, "pipeline §2", "the message was changed, or sealed with another key or for another connection")
    REFLECTED_MESSAGE = (1008, "pipeline §3", "the message was sealed by the side that it came to")
    REPLAYED_MESSAGE = (1008, "pipeline §3", "the message is not the one that follows: repeated, moved or recorded")
    UNREADABLE_PAYLOAD = (1007, "pipeline §4", "the payload of a sealed message cannot be expanded")

    def __init__(self, answer: int, section: str, words: str) -> None:
        self.answer = answer
        self.section = section
        self.words = words

    @property
    def close_code(self) -> CloseCode:
        """The close code to send or report; before the connection is open that is 1006."""
        return CloseCode(self.answer) if self.answer >= 1000 else CloseCode.ABNORMAL_CLOSURE

    @property
    def http_status(self) -> int | None:
        """The HTTP status of the refusal, or ``None`` for an offence that HTTP does not answer."""
        return self.answer if self.answer < 1000 else None

    def __str__(self) -> str:
        return f"{self.words} ({self.section})"

"""A sealed message, byte by byte; the sections are those that violations refer to (network byte order).

1. **Envelope.** Not encrypted: version, flags, payload. Encrypted:

   ====== ============ ============================================================================================
   bytes  field        meaning
   ====== ============ ============================================================================================
   0      version      1
   1      flags        0x01 text; 0x06 compression: 0 none, 2 zlib (raw DEFLATE, RFC 1951), 4 zstd (RFC 8878);
                       0x18 cipher: 0 none, 8 AES-256-GCM, 16 ChaCha20-Poly1305; 0x20 sealed by a server;
                       0x40 bound, see 3; 0x80 is zero, and so are 0x20 and 0x40 where there is no cipher
   2-5    key id       which key of the ring
   6-21   session id   16 random bytes, made by the sender for this connection
   22-29  counter      0 for the first message of a session, one more for each
   30-    ciphertext   as long as the payload; the last 16 bytes are the tag
   ====== ============ ============================================================================================

2. **Keys.** A key of the ring encrypts nothing. Each session has its own::

       session key = HKDF-SHA-256(key, salt = session id, info = "wsproto_core pipeline 1" + cipher flag + context)
       nonce       = counter, as 12 bytes

   *Never a nonce twice*: within a session the counter does not repeat, and no two sessions share a session key, because
   no two draw the same 128 random bits. That holds across connections, and for both directions: each end is a session.
   The whole head is associated data, so no bit of it can be changed. The context is what the application knows at both
   ends, and may be empty. After a rotation the counter goes on.

3. **Order.** What is authentic may still be a recording. A receiver refuses:

   * what was sealed by its own role: nothing can be reflected, not even into another connection;
   * after the first message, any other session id: one connection, one sender;
   * over an ordered transport, any counter but the next one: nothing is repeated, moved or left out; over datagrams,
     what has come before and what is older than the latest 1024;
   * a *bound* message that is not for it. From the first message that a side has opened on, all that it seals is bound
     to the other's session: that session id is part of the associated data. So it opens nowhere else.

   What is left are *early* messages, those sealed before their sender had opened any. They hold nothing of the
   receiver's, for nothing had come: someone can record them and play them, in their order, to a receiver that is new.
   Three things take that away: the receiver does not accept early messages (``Encrypt.accepts_early``), and so speaks
   first; or the context holds something fresh from each end; or nothing is acted upon until ``peer_is_live``.

4. **Payload.** The message, text as UTF-8; compressed first, then encrypted. It expands to no more than ``Limits``
   allow, checked while it does.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from .._errors import RemoteProtocolError
from .._violations import Violation

__all__ = [
    "AES_256_GCM",
    "BOUND",
    "CHACHA20_POLY1305",
    "CIPHER",
    "COMPRESSION",
    "FROM_SERVER",
    "HEAD",
    "PLAIN_HEAD_SIZE",
    "SESSION_ID_SIZE",
    "TAG_SIZE",
    "TEXT",
    "VERSION",
    "ZLIB",
    "ZSTD",
    "overhead",
    "read_flags",
]

VERSION: Final = 1
TEXT: Final = 0x01
ZLIB: Final = 0x02
ZSTD: Final = 0x04
#: The bits that tell the compression.
COMPRESSION: Final = 0x06
AES_256_GCM: Final = 0x08
CHACHA20_POLY1305: Final = 0x10
#: The bits that tell the cipher.
CIPHER: Final = 0x18
FROM_SERVER: Final = 0x20
BOUND: Final = 0x40

PLAIN_HEAD_SIZE: Final = 2
SESSION_ID_SIZE: Final = 16
TAG_SIZE: Final = 16
#: Version, flags, key id, session id and counter of an encrypted message.
HEAD: Final = Struct(f"!BBI{SESSION_ID_SIZE}sQ")

_FLAGS: Final = TEXT | COMPRESSION | CIPHER | FROM_SERVER | BOUND


def overhead(*, is_encrypted: bool) -> int:
    """Bytes of an envelope beside its payload."""
    return HEAD.size + TAG_SIZE if is_encrypted else PLAIN_HEAD_SIZE


def read_flags(data: bytes) -> int:
    """The flags of an envelope. Raises :exc:`RemoteProtocolError` (``NOT_SEALED``) for what cannot be one."""
    if len(data) < PLAIN_HEAD_SIZE:
        raise RemoteProtocolError(Violation.NOT_SEALED, f"{len(data)} bytes")
    version, flags = data[0], data[1]
    if version != VERSION:
        raise RemoteProtocolError(Violation.NOT_SEALED, f"version {version}, not {VERSION}")
    if not _is_possible(flags):
        raise RemoteProtocolError(Violation.NOT_SEALED, f"flags 0x{flags:02x}")
    if flags & CIPHER and len(data) < HEAD.size + TAG_SIZE:
        raise RemoteProtocolError(Violation.NOT_SEALED, f"encrypted, and only {len(data)} bytes")
    return flags


def _is_possible(flags: int) -> bool:
    if flags & ~_FLAGS or flags & COMPRESSION == COMPRESSION or flags & CIPHER == CIPHER:
        return False
    return bool(flags & CIPHER) or not flags & (FROM_SERVER | BOUND)

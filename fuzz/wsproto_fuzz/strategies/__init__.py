"""Hypothesis strategies for everything that a WebSocket peer can say, right and wrong.

* how bytes arrive: :func:`chunkings`
* text: :func:`texts`, :func:`split_texts`, :func:`broken_texts`
* single frames: :func:`frames`, :func:`data_frames`, :func:`control_frames`, :func:`near_frames`, :func:`hostile_bytes`
* close frames: :func:`goodbyes`, :func:`close_codes`, :func:`close_payloads`, and the invalid ones
* messages in any fragments: :func:`sent_messages`, said by :func:`speakers`
* permessage-deflate: :func:`deflate_terms`, :func:`deflate_streams`
* whole conversations: :func:`conversations`
* opening handshakes: :func:`requests`, :func:`responses`, odd ones and bad ones
* message-oriented TCP, datagrams, proxies: :func:`stream_codecs`, :func:`datagrams`, :func:`proxy_headers`
* a hub of rooms: :func:`hub_talks`, :func:`hub_commands`, :func:`hub_limits`
* every rule and how to break it, as tables: :data:`FRAMING_OFFENCES`, :data:`REQUEST_OFFENCES`,
  :data:`RESPONSE_OFFENCES`, :data:`STREAM_OFFENCES`

``masked`` asks which side speaks: a client masks, a server does not (RFC 6455 §5.1). What is drawn is plain data that
reads well when an example fails; each docstring says what it shrinks towards.
"""

from __future__ import annotations

from .chunkings import Chunking, chunkings, cut_at
from .closing import (
    Goodbye,
    close_codes,
    close_payloads,
    close_reasons,
    goodbyes,
    invalid_close_codes,
    invalid_close_payloads,
)
from .conversations import Conversation, Operation, conversations
from .datagrams import datagrams, hostile_datagrams
from .deflate import (
    CORRUPT_DEFLATE,
    Deflater,
    DeflateTerms,
    Deflation,
    deflate_streams,
    deflate_terms,
    deflated,
    deflations,
)
from .frames import control_frames, data_frames, fragments, frames, hostile_bytes, keys, near_frames, payloads
from .handshake_offences import REQUEST_OFFENCES, RESPONSE_OFFENCES, BadHandshake, bad_requests, bad_responses
from .handshakes import (
    ACCEPT,
    HOST,
    ORIGIN,
    Head,
    HeaderLine,
    odd_requests,
    odd_responses,
    requests,
    responses,
    websocket_keys,
)
from .hub import HUB_ROOMS, HUB_SESSIONS, HubTalk, hub_commands, hub_limits, hub_messages, hub_talks
from .messages import (
    Control,
    Said,
    SentMessage,
    Speaker,
    Speech,
    controls,
    messages,
    plain_frames,
    sent_messages,
    speakers,
)
from .offences import FRAMING_OFFENCES, Offence, OffenceRow, offences
from .proxies import ProxyHeader, bad_proxy_headers, connect_answers, proxy_headers, socks5_answers
from .streams import (
    STREAM_CODECS,
    STREAM_OFFENCES,
    StreamOffence,
    stream_bytes,
    stream_codecs,
    stream_messages,
    stream_offences,
)
from .text import BOUNDARY_CHARACTERS, BROKEN_SEQUENCES, BrokenText, SplitText, broken_texts, split_texts, texts

__all__ = [
    "ACCEPT",
    "BOUNDARY_CHARACTERS",
    "BROKEN_SEQUENCES",
    "CORRUPT_DEFLATE",
    "FRAMING_OFFENCES",
    "HOST",
    "HUB_ROOMS",
    "HUB_SESSIONS",
    "ORIGIN",
    "REQUEST_OFFENCES",
    "RESPONSE_OFFENCES",
    "STREAM_CODECS",
    "STREAM_OFFENCES",
    "BadHandshake",
    "BrokenText",
    "Chunking",
    "Control",
    "Conversation",
    "DeflateTerms",
    "Deflater",
    "Deflation",
    "Goodbye",
    "Head",
    "HeaderLine",
    "HubTalk",
    "Offence",
    "OffenceRow",
    "Operation",
    "ProxyHeader",
    "Said",
    "SentMessage",
    "Speaker",
    "Speech",
    "SplitText",
    "StreamOffence",
    "bad_proxy_headers",
    "bad_requests",
    "bad_responses",
    "broken_texts",
    "chunkings",
    "close_codes",
    "close_payloads",
    "close_reasons",
    "connect_answers",
    "control_frames",
    "controls",
    "conversations",
    "cut_at",
    "data_frames",
    "datagrams",
    "deflate_streams",
    "deflate_terms",
    "deflated",
    "deflations",
    "fragments",
    "frames",
    "goodbyes",
    "hostile_bytes",
    "hostile_datagrams",
    "hub_commands",
    "hub_limits",
    "hub_messages",
    "hub_talks",
    "invalid_close_codes",
    "invalid_close_payloads",
    "keys",
    "messages",
    "near_frames",
    "odd_requests",
    "odd_responses",
    "offences",
    "payloads",
    "plain_frames",
    "proxy_headers",
    "requests",
    "responses",
    "sent_messages",
    "socks5_answers",
    "speakers",
    "split_texts",
    "stream_bytes",
    "stream_codecs",
    "stream_messages",
    "stream_offences",
    "texts",
    "websocket_keys",
]

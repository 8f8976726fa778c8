"""The opening handshake (RFC 6455 §4, RFC 8441): a pure function of the request, whoever parsed it.

``http11`` drives h11 and is the only file that knows it; ``server`` and ``client`` judge what was parsed; the other
files are the grammars and choices that they share. No frames, no timers and no connection state live here.
"""

"""Extensions of the protocol (RFC 6455 §9): what one is (``base``) and permessage-deflate (``permessage_deflate``).

Nothing is imported here, so that a program without compression never loads zlib.
"""

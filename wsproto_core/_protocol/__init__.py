"""RFC 6455 without a clock: which state follows which (``states``), how messages become frames (``sending``), how
received bytes become events and reactions (``receiving``), and how a connection ends (``closing``).
"""

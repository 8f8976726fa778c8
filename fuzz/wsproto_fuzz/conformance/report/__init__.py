"""What comes out of a run: a page for people, JSON for programs, JUnit XML for CI, text for a terminal.

``matrix`` puts several runs side by side; ``html`` (with ``details``, ``markup``, ``sections`` and the two files beside
them) makes the page; ``json`` writes a run and reads it back; ``junit``, ``terminal`` and ``markdown`` are the others;
``reproduction`` says how to see a failure again; ``progress`` shows how far a run has come; ``folder`` writes what
belongs together.
"""

"""The only place that prints.

``screen`` says on stderr how a job stands, ``answers`` and ``machine`` turn results
into text for people and for programs, ``prose`` shows a text while it is written,
``streams`` looks after stdout and stderr.
"""

from __future__ import annotations

"""A question that only a person may answer.

Knows who sits there and how they say yes. Knows nothing of what is asked.
"""

from __future__ import annotations

import sys

from ...errors import UsageError
from .clean import unbroken
from .streams import Errors


def agreed(question: str, instead: str) -> bool:
    """Whether the person at the terminal says yes; UsageError, with ``instead`` to do, where nobody sits."""
    stream = Errors()
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        raise UsageError(f"{question}: that needs a yes, and there is no terminal to ask at", instead)
    stream.write(f"{unbroken(question)}? [y/N] ")
    stream.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # Ctrl-D leaves the cursor behind the question
        stream.write("\n")
    return answer.strip().casefold() in ("y", "yes")

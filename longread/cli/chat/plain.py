"""Lines from a pipe, or from a terminal that cannot move its cursor.

Knows how a line is read. Prints no escape codes, and a prompt only where someone types.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress

from ...tasks.chat.replies import Status
from ..render import chat


class Plain:
    """One line a turn. At a terminal a backslash at a line's end joins it with the next."""

    def __init__(self) -> None:
        self.person = sys.stdin is not None and sys.stdin.isatty()

    def read(self, status: Status) -> str:
        line = self._line("> ")
        while self.person and line.endswith("\\"):
            line = line[:-1] + "\n" + self._line("... ")
        return line

    def _line(self, prompt: str) -> str:
        try:
            if self.person:
                chat.prompt(prompt)
                _wait()
            # As bytes: what is typed is UTF-8 whatever the locale says, and bad bytes are no reason to stop.
            data = sys.stdin.buffer.readline() if sys.stdin is not None else b""
        except KeyboardInterrupt:
            if self.person:
                chat.prompt("\n")
            raise
        if not data:
            if self.person:
                chat.prompt("\n")
            raise EOFError
        return data.decode("utf-8", "replace").rstrip("\r\n")


def _wait() -> None:
    """Until something was typed: a Ctrl-C just before a read that blocks is not noticed until it ends."""
    with suppress(OSError, ValueError):  # what is no file cannot be waited for
        while os.name == "posix" and not select.select([sys.stdin], [], [], 0.2)[0]:
            pass

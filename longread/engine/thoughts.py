"""What a model thinks before it answers is not its answer.

Knows the tags that thoughts stand between, and text that comes in pieces. Knows no model.
"""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class Thoughts:
    """Leaves out what stands between ``<think>`` and ``</think>`` at the very beginning of a text.

    Anywhere else the tags are words like any others: a book may hold them.
    """

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"  # "inside" of thoughts, "after" them, then "text"

    @property
    def going_on(self) -> bool:
        """Whether a thought has begun and not ended."""
        return self._state == "inside"

    def push(self, piece: str) -> str:
        """What of ``piece``, and of what was held back before it, belongs to the answer."""
        if self._state == "text":
            return piece
        self._held += piece
        if self._state == "start":
            begun = self._held.lstrip()
            if begun.startswith(OPEN):
                self._state = "inside"
            elif not OPEN.startswith(begun):
                return self.finish()
        if self._state == "inside":
            _, found, after = self._held.partition(CLOSE)
            if not found:
                return ""
            self._held, self._state = after, "after"
        if self._state == "after" and self._held.strip():
            self._held = self._held.lstrip()
            return self.finish()
        return ""

    def finish(self) -> str:
        """What was held back and is no thought."""
        held, inside = self._held, self._state == "inside"
        self._held, self._state = "", "text"
        return "" if inside else held

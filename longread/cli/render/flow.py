"""Text that comes letter by letter, in rows that end between words.

Knows the row at hand. Knows no terminal and nothing of where the text comes from.
"""

from __future__ import annotations

from .cells import breaks, width_of


class Flow:
    """Breaks a stream of text into rows of ``width`` columns at most; words are held back till they end."""

    def __init__(self, width: int) -> None:
        self._width = max(1, width)
        self._row = ""  # what stands in the row at hand, with what is held back
        self._shown = 0  # characters of it that were given out

    def push(self, text: str) -> str:
        """What can be shown now that ``text`` has come."""
        *lines, last = (self._row + text).split("\n")
        shown = "".join(self._until(line, len(line), over=True) + "\n" for line in lines)
        return shown + self._until(last, _whole(last, self._width), over=False)

    def finish(self) -> str:
        """What was held back; the row ends."""
        return self._until(self._row, len(self._row), over=True)

    def _until(self, line: str, end: int, *, over: bool) -> str:
        """Of ``line``, which begins where a row does, what was not shown before, up to ``end``; ``over`` if
        nothing follows in it."""
        at, start, pieces, end = self._shown, 0, [], max(end, self._shown)
        for cut in breaks(line[:end], self._width):
            start = max(cut, self._shown)  # what was shown stays where it is
            pieces.append(line[at:start].rstrip(" "))
            at = start
        pieces.append(line[at:end])
        self._row, self._shown = ("", 0) if over else (line[start:], end - start)
        return "\n".join(pieces)


def _whole(line: str, width: int) -> int:
    """Where the last word of ``line``, which may go on, and the space before it begin; the line's end if that
    word is longer than a row."""
    at = len(line)
    while at and not line[at - 1].isspace() and width_of(line[at - 1]) < 2:
        at -= 1
    if width_of(line[at:]) >= width:
        return len(line)
    return len(line[:at].rstrip(" "))  # a space behind a full row would begin another one

"""How many words a text has.

Knows that a word is a run of characters between white space, and that in Chinese and
Japanese each character is one. Counts piece by piece, as fast as the text is decoded.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded when something is counted: parsers in processes of their own count nothing
    import numpy as np

_MARKS = ((0x3000, 0x3040), (0xFF00, 0xFF21), (0xFF3B, 0xFF41), (0xFF5B, 0xFF66))
_CJK = (
    (0x3005, 0x3008),
    (0x3041, 0x3100),
    (0x3400, 0x4DC0),
    (0x4E00, 0xA000),
    (0xF900, 0xFB00),
    (0x20000, 0x30000),
)
_SPACE, _LETTER, _CHARACTER = range(3)


class Words:
    """A running count of words; ``count`` is right after every piece."""

    def __init__(self) -> None:
        self.count = 0
        self._inside = False  # whether the last piece ended within a word

    def add(self, piece: str) -> None:
        """Count one more piece of the text."""
        if not piece:
            return
        import numpy as np

        if piece.isascii():
            kinds = _kinds()[np.frombuffer(piece.encode("ascii"), dtype=np.uint8)]
        else:
            codes = np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), dtype="<u4")
            kinds = _kinds()[np.minimum(codes, 0x30000)]
        letters = kinds == _LETTER
        starts = np.count_nonzero(letters[1:] & ~letters[:-1]) + (bool(letters[0]) and not self._inside)
        self.count += int(np.count_nonzero(kinds == _CHARACTER)) + int(starts)
        self._inside = bool(letters[-1])


@functools.cache
def _kinds() -> np.ndarray:
    """The kind of every character up to the last CJK one, uint8."""
    import numpy as np

    table = np.full(0x30001, _LETTER, dtype=np.uint8)
    for low, high in _MARKS:
        table[low:high] = _SPACE
    for low, high in _CJK:
        table[low:high] = _CHARACTER
    for code in range(0x3001):
        if chr(code).isspace():
            table[code] = _SPACE
    return table

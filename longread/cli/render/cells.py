"""Text measured in cells: a Chinese character takes two columns, an accent none.

Knows widths. Knows nothing of what is written.
"""

from __future__ import annotations


def width_of(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int, right: bool = False) -> str:
    """``text`` filled up with spaces to ``width`` columns; ``right`` puts them before it."""
    space = " " * max(0, width - width_of(text))
    return space + text if right else text + space


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, its end replaced by "…" where it is longer."""
    from rich.cells import set_cell_size

    if width_of(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"

"""Text measured in cells: a Chinese character takes two columns, an accent none.

Knows widths and where a row may end. Knows nothing of what is written.
"""

from __future__ import annotations

# A row begins with none of these and ends with none of those.
_CLOSING = frozenset("。．，、；：！？…—·～％”’）〕】》〉」』!?,.;:)]}%")
_OPENING = frozenset("“‘（〔【《〈「『([{")


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


def breaks(text: str, width: int) -> list[int]:
    """Where the second and every further row of ``text`` begins, in rows of at most ``width`` columns.

    Rows end at white space, which may reach beyond ``width``, and between Chinese or Japanese characters,
    but not before a closing mark. What has no such place is cut where the row is full.
    """
    from rich.cells import cell_len

    cuts: list[int] = []
    start = used = last = 0  # of the row: where it begins, its columns, its latest place to end
    for at, character in enumerate(text):
        cells = cell_len(character)
        if _may_end(text, at, cells):
            last = at
        while used + cells > width and at > start and not character.isspace():
            start = last if last > start else at
            cuts.append(start)
            used = cell_len(text[start:at])
        used += cells
    return cuts


def _may_end(text: str, at: int, cells: int) -> bool:
    """Whether a row may end before the character at ``at``, which takes ``cells`` columns."""
    if not at or not cells or text[at].isspace():
        return False
    before = text[at - 1]
    if before.isspace():
        return True
    wide = cells > 1 or width_of(before) > 1
    return wide and text[at] not in _CLOSING and before not in _OPENING

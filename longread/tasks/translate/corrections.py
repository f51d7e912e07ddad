"""Translations that a person has corrected.

Knows the table that a run writes as TSV, and which of its rows were corrected by hand or
were right: all but those that failed and were left as they are.
"""

from __future__ import annotations

from pathlib import Path

from longread.errors import InputError
from longread.tasks.translate.segments import Piece
from longread.tasks.translate.tables import field, rows


class Corrections:
    """Pairs by their source. The same source may be translated differently in another paragraph."""

    def __init__(self) -> None:
        self._placed: dict[tuple[int, str], str] = {}
        self._anywhere: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._anywhere)

    def add(self, source: str, target: str, paragraph: int | None = None) -> None:
        """``source`` is to be translated as ``target``, word for word."""
        source = field(source)
        self._anywhere.setdefault(source, target)
        if paragraph is not None:
            self._placed[paragraph, source] = target

    def of(self, piece: Piece) -> str | None:
        """What ``piece`` is to be translated as; None where nobody corrected it."""
        source = field(piece.source)
        return self._placed.get((piece.paragraph, source)) or self._anywhere.get(source)

    def pairs(self) -> list[tuple[str, str]]:
        """Every source once, with its translation, in the order of the file."""
        return [*self._anywhere.items()]


def read_corrections(path: str) -> Corrections:
    """The pairs of a TSV file: source and target, in columns of these names or the first two.

    ``InputError`` for a file without one pair, or a line that is none.
    """
    found = Corrections()
    for line, row in rows(Path(path), ("source", "target")):
        source, target = field(row["source"]), field(row["target"])
        if not source:
            raise InputError(f"{path}, line {line} has no source sentence", "write it before the first tab")
        failed = row.get("ok", "").strip().lower() in ("no", "false", "0")
        if target and not (failed and target == source):
            paragraph = row.get("paragraph", "").strip()
            found.add(source, target, int(paragraph) if paragraph.isdecimal() else None)
    if not len(found):
        raise InputError(f"{path} holds no corrected pair", "write source, a tab, and its translation a line")
    return found

"""Translations that a person has corrected.

Knows the table that a run writes as TSV, and which of its rows were corrected by hand or
were right: all but those that failed and were left as they are. Knows that a spreadsheet
may have taken quotation marks from a sentence.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from longread.errors import InputError
from longread.tasks.translate.segments import Piece
from longread.tasks.translate.tables import field, rows


@dataclass(frozen=True)
class Row:
    """One row: ``target`` is None where the sentence is to be tried as before, ``paragraph`` where any will
    do."""

    source: str
    target: str | None
    paragraph: int | None


class Corrections:
    """Pairs by their source. The same source may be translated differently in another place."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def __len__(self) -> int:
        return len(self.pairs())

    def add(self, source: str, target: str | None, paragraph: int | None = None) -> None:
        """``source`` is to be translated as ``target``, word for word. Where it stands more than once in
        ``paragraph``, each has a row of its own, in order."""
        self._rows.append(Row(field(source), target, paragraph))

    def of(self, piece: Piece) -> str | None:
        """What ``piece`` by itself is to be translated as; None where nobody corrected it."""
        return self.among([piece])[0].get(piece.number)

    def among(self, pieces: Sequence[Piece]) -> tuple[dict[int, str], list[Row]]:
        """What each of ``pieces`` is to be translated as, by number; and the rows that match none."""
        if not self._rows:
            return {}, []
        known = {row.source for row in self._rows}
        there = {field(piece.source) for piece in pieces}
        found = _matched([row for row in self._rows if row.source in there], pieces, field)
        # What is left over on both sides may differ in marks alone.
        left = [row for row in self._rows if row.source not in there]
        others = [piece for piece in pieces if field(piece.source) not in known]
        letters = {_letters(piece.source) for piece in others} - {""}
        found |= _matched([row for row in left if _letters(row.source) in letters], others, _letters)
        return found, [row for row in left if row.target and _letters(row.source) not in letters]

    def pairs(self) -> list[tuple[str, str]]:
        """Every source once, with its translation, in the order of the file."""
        first: dict[str, str] = {}
        for row in self._rows:
            if row.target:
                first.setdefault(row.source, row.target)
        return [*first.items()]


def _matched(table: Iterable[Row], pieces: Iterable[Piece], key: Callable[[str], str]) -> dict[int, str]:
    """The translation of each piece whose source has the ``key`` of a row's: of the row of its place, else of
    the first row anywhere."""
    placed: defaultdict[tuple[int, str], list[str | None]] = defaultdict(list)
    anywhere: dict[str, str] = {}
    for row in table:
        name = key(row.source)
        if row.paragraph is not None:
            placed[row.paragraph, name].append(row.target)
        if row.target:
            anywhere.setdefault(name, row.target)
    seen: Counter[tuple[int, str]] = Counter()
    found = {}
    for piece in pieces:
        name = key(piece.source)
        place = (piece.paragraph, name)
        targets = placed.get(place, [None])
        target = targets[min(seen[place], len(targets) - 1)] or anywhere.get(name)
        seen[place] += 1
        if target:
            found[piece.number] = target
    return found


def _letters(text: str) -> str:
    """The letters and digits of ``text``: what a spreadsheet leaves as it is."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text)))


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
        right = target and not (failed and target == source)
        paragraph = row.get("paragraph", "").strip()
        found.add(source, target if right else None, int(paragraph) if paragraph.isdecimal() else None)
    if not len(found):
        raise InputError(f"{path} holds no corrected pair", "write source, a tab, and its translation a line")
    return found

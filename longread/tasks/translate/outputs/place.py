"""Translated paragraphs put back where they came from.

Knows how to find a paragraph again among the blocks of its source by its letters alone, since
white space and unseen characters are not what they were. Knows no format.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from longread.reader.files import Bytes, open_bytes
from longread.reader.formats import gz
from longread.reader.language import RIGHT_TO_LEFT, base_language

_BAR = re.compile(r"\s*\|\s*")  # what the readers put between the cells of a row
_AHEAD, _FAR = 50, 2000  # where a paragraph is not found: so many are looked for, in so many blocks


def rewrites(translation: Any, kind: str) -> bool:
    """Whether the source is of format ``kind`` and can be read again, which a pipe cannot."""
    return translation.document.get("format") == kind and translation.path != "-"


def pairs(translation: Any) -> list[tuple[str, str]]:
    """Source and translation of each paragraph, in order; a paragraph's translation is one text."""
    from longread.tasks.translate.outputs.txt import lines

    return [
        (
            " ".join(segment.source for segment in segments),
            " ".join(lines(segments, "target", translation.tgt)),
        )
        for _, segments in translation.by_paragraph()
    ]


def source(path: str | Path) -> Bytes:
    """The bytes of the book, unpacked."""
    return gz.unpack(open_bytes(path))


class Count(NamedTuple):
    """``placed`` blocks have their translation; of ``lost`` translated paragraphs none was found.

    ``left`` are the files of a book that its translation is without, each with what is wrong with it.
    """

    placed: int
    lost: int
    left: tuple[tuple[str, str], ...] = ()


def aligned(blocks: Sequence[str], paragraphs: Sequence[tuple[str, str]]) -> list[str | None]:
    """For each block of the source the translation that belongs there, None where there is none.

    A block that the reader cut in several paragraphs takes their translations together. Where
    only a part was translated, the first paragraph that is followed by the right one begins it.
    A paragraph that is not found is passed over, and so is a block.
    """
    return said(found(blocks, paragraphs), paragraphs)


def said(spans: Sequence[range], paragraphs: Sequence[tuple[str, str]]) -> list[str | None]:
    """The words for each of the ``spans`` of paragraphs, None for an empty one."""
    return [" ".join(paragraphs[at][1] for at in span) if span else None for span in spans]


def counted(spans: Iterable[range], paragraphs: Sequence[tuple[str, str]], blocks: Sequence[str]) -> Count:
    """What became of ``paragraphs``, of which those in ``spans`` were put into one of the ``blocks`` each.

    The last one is not lost where it begins a block: its other sentences are still to come.
    """
    placed = [span for span in spans if span]
    there = {at for span in placed for at in span}
    lost = sum(
        at not in there and source != target and bool(letters(source))
        for at, (source, target) in enumerate(paragraphs)
    )
    last = len(paragraphs) - 1
    if lost and last not in there:
        begun = letters(paragraphs[last][0])
        keys = map(letters, blocks)
        lost -= bool(begun) and any(key != begun and key.startswith(begun) for key in keys)
    return Count(len(placed), lost)


def found(blocks: Sequence[str], paragraphs: Sequence[tuple[str, str]]) -> list[range]:
    """For each block the paragraphs that it is made of, as ``aligned`` finds them; most often one."""
    search = _Search([letters(block) for block in blocks], [letters(text) for text, _ in paragraphs])
    spans = [range(0)] * len(blocks)
    for number, span in search.pairs():
        spans[number] = span
    return spans


class _Search:
    """Goes through blocks (``keys``) and paragraphs (``wanted``) side by side, by their letters."""

    def __init__(self, keys: list[str], wanted: list[str]) -> None:
        self._keys, self._wanted = keys, wanted
        self._count = Counter(keys)
        self._next = ""  # of the blocks after, the first that has letters
        self._after = [""] * len(keys)
        for number in range(len(keys) - 1, -1, -1):
            self._after[number] = self._next
            self._next = keys[number] or self._next

    def pairs(self) -> Iterator[tuple[int, range]]:
        """Each block that is found, and its paragraphs."""
        keys, wanted = self._keys, self._wanted
        begin = at = 0
        started = running = False
        while begin < len(keys) and at < len(wanted):
            if not keys[begin]:  # a line of signs is known by its neighbours alone
                if running and not wanted[at]:
                    yield begin, range(at, at + 1)
                    at += 1
                begin += 1
            elif not wanted[at]:
                at += 1
            else:
                number, span = begin, self._match(begin, at) if running else range(0)
                if not span:
                    number, span = self._nearest(begin, at, anywhere=not started)
                running = bool(span)
                if span:
                    yield number, span
                    begin, at, started = number + 1, span.stop, True
                else:
                    at += _AHEAD

    def _match(self, number: int, at: int) -> range:
        """The paragraphs from ``at`` on that block ``number`` is made of, if it is."""
        key, end, size = self._keys[number], at, 0
        while end < len(self._wanted) and size < len(key):
            if not key.startswith(self._wanted[end], size):
                return range(0)
            size += len(self._wanted[end])
            end += 1
        return range(at, end) if size == len(key) else range(0)

    def _nearest(self, begin: int, at: int, anywhere: bool) -> tuple[int, range]:
        """The block and the paragraphs from which on they go together again, passing over as few as can be.

        ``anywhere`` for the very first: a part of a book may begin where it likes.
        """
        best, cost = (begin, range(0)), len(self._keys) + _AHEAD if anywhere else _FAR
        for skipped in range(min(_AHEAD, len(self._wanted) - at)):
            first = self._wanted[at + skipped]
            for number in range(begin, min(len(self._keys), begin + cost - skipped)):
                if first and self._keys[number].startswith(first) and self._sure(number, at + skipped):
                    best, cost = (number, self._match(number, at + skipped)), number - begin + skipped
                    break
            if anywhere and best[1]:
                break
        return best

    def _sure(self, number: int, at: int) -> bool:
        """Whether block ``number`` is paragraph ``at``: there is none like it, or the right one follows."""
        span = self._match(number, at)
        if not span:
            return False
        after = self._after[number]
        ends = span.stop == len(self._wanted) or not after
        return ends or self._count[self._keys[number]] == 1 or after.startswith(self._wanted[span.stop])


def by_cells(source: str, target: str, cells: int) -> list[str] | None:
    """The ``target`` of a row of a table, for each of the ``cells`` with words; None where it has others."""
    before, after = _BAR.split(source.strip()), _BAR.split(target.strip())
    if cells < 2 or list(map(bool, before)) != list(map(bool, after)):
        return None
    new = list(filter(None, after))
    return new if len(new) == cells else None


def letters(text: str) -> str:
    """What of a text does not change on the way through reader and sentences."""
    return "".join(filter(str.isalnum, text))


def direction(language: str) -> str:
    """``rtl`` or ``ltr``."""
    return "rtl" if base_language(language) in RIGHT_TO_LEFT else "ltr"

"""``--part``: which stretch of a document is meant.

Knows chapters by number and shares in percent. Knows nothing of what is done with them.
"""

from __future__ import annotations

import re

from longread.errors import UsageError
from longread.reader.document import Document
from longread.reader.passages import LONGEST

_CHAPTERS = re.compile(r"(?P<first>\d+)?\s*(?P<dash>[-–])?\s*(?P<last>\d+)?$")
_SHARE = re.compile(r"(?:(?P<first>\d+(?:\.\d+)?)\s*%)?\s*(?P<dash>[-–])\s*(?:(?P<last>\d+(?:\.\d+)?)\s*%)?$")
_LINE_END, _BLANK_LINE, _SPACE = re.compile(r"\n"), re.compile(r"\n[^\S\n]*\n"), re.compile(r"\s")


def part(document: Document, wish: str) -> tuple[int, int]:
    """First and one past the last character of ``wish``: ``3-7``, ``5``, ``3-``, ``-7``, ``0%-10%``.

    Chapters count from 1. A share begins and ends at the end of the paragraph that it falls
    in, so that ``0%-10%`` and ``10%-20%`` meet. Raises ``UsageError`` naming what exists.
    """
    text = wish.strip()
    match = _SHARE.match(text) if "%" in text else None
    if match:
        return _share(document, wish, match["first"], match["last"])
    match = _CHAPTERS.match(text)
    if "%" in text or not match or not (match["first"] or match["last"]):
        raise UsageError(
            f"--part {wish!r} is neither chapters nor a share of the book",
            _what_exists(document),
        )
    first = int(match["first"] or 1)
    last = int(match["last"] or (len(document.chapters) if match["dash"] else first))
    if not document.chapters:
        raise UsageError(
            f"--part {wish}: no chapters were found in this book",
            _what_exists(document),
        )
    if not 1 <= first <= len(document.chapters) or last > len(document.chapters):
        raise UsageError(f"--part {wish}: there is no such chapter", _what_exists(document))
    if last < first:
        raise UsageError(f"--part {wish} ends before it begins", _what_exists(document))
    return document.chapters[first - 1].start, document.chapters[last - 1].end


def _share(document: Document, wish: str, first: str | None, last: str | None) -> tuple[int, int]:
    low, high = float(first or 0), float(last or 100)
    if not 0 <= low < high <= 100:
        raise UsageError(f"--part {wish}: shares go up, from 0% to 100%", _what_exists(document))
    start, end = _place(document, low), _place(document, high)
    if start >= end:
        raise UsageError(
            f"--part {wish} holds no text: the book is too short for it",
            _what_exists(document),
        )
    return start, end


def _place(document: Document, percent: float) -> int:
    """The paragraph's end at or after that share of the text; a word's end where none is near."""
    at = round(document.characters * percent / 100)
    if not 0 < at < document.characters:
        return at
    low = max(0, at - 2)
    near = "".join(document.text(low, at + LONGEST))
    for end in (_LINE_END if document.layout == "lines" else _BLANK_LINE, _SPACE):
        # One that ends just before is the end of what came before it.
        found = end.search(near, 0 if end is _BLANK_LINE else at - 1 - low)
        if found:
            return min(max(at, low + found.end()), document.characters)
    return at


def _what_exists(document: Document) -> str:
    count = len(document.chapters)
    if not count:
        return "name a share of the book instead, for example --part 0%-10%"
    chapters = "1 chapter" if count == 1 else f"chapters 1 to {count}"
    return f"this book has {chapters}; a share is written 0%-10%"

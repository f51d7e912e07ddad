"""What the reader hands out: a document, its chapters, passages and blocks.

Knows places in a text: character spans, chapters, shares of the book. Offsets are
Unicode code points of the text as read (decoded, line ends made ``\\n``, boilerplate
left out). Knows no file format, no model and no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Chapter:
    """A chapter. ``start`` is where its heading begins, ``end`` where the next one does.

    ``body`` is where its text begins, after the heading; ``start`` when that is not known.
    """

    index: int
    title: str
    start: int
    end: int
    body: int = -1

    def __post_init__(self) -> None:
        if self.body < 0:
            object.__setattr__(self, "body", self.start)


@dataclass(frozen=True)
class Mark:
    """A heading that the file itself names, in its contents, its outline or its markup.

    ``depth`` counts from 1, the highest. ``start`` is the heading's first character, ``body``
    where its text begins, ``start`` when that is not known.
    """

    title: str
    depth: int
    start: int
    body: int


@dataclass(frozen=True)
class Passage:
    """A paragraph or heading, whole, with its place.

    ``share`` is how much of the book lies before its end, 0 to 1. ``chapter`` is the
    chapter's index, None before the first heading or in a book without chapters.
    """

    text: str
    start: int
    end: int
    share: float
    chapter: int | None = None
    heading: bool = False


@dataclass(frozen=True)
class Block:
    """Consecutive tokens of a document.

    ``ids`` [n] int64 are token ids, ``starts`` [n] int64 the character at which each
    token begins. ``end`` is one past the block's last character.
    """

    index: int
    ids: np.ndarray
    starts: np.ndarray
    start: int
    end: int
    share: float
    chapter: int | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Source(Protocol):
    """A text that can be walked through from the start as often as needed, in constant memory."""

    def pieces(self) -> Iterator[str]:
        """The text as read, in order, in pieces of any size."""

    def close(self) -> None:
        """Give back whatever the source holds (a spooled pipe)."""


@dataclass(frozen=True)
class Document:
    """An opened text and its outline; the text itself stays on disk and is streamed.

    ``words`` counts CJK characters one by one. ``left_out`` says in words what of the
    file is not part of the text, ``notes`` what the user should know about the reading
    of it (bytes that could not be decoded). ``layout`` is "wrapped" where blank lines part
    the paragraphs, "lines" where every line is one. Use as a context manager.
    """

    name: str
    title: str
    author: str
    language: str
    encoding: str
    format: str
    characters: int
    words: int
    sha256: str
    chapters: tuple[Chapter, ...]
    left_out: tuple[str, ...]
    source: Source
    notes: tuple[str, ...] = ()
    layout: str = "wrapped"

    def __enter__(self) -> Document:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def chapter_at(self, offset: int) -> int | None:
        """Index of the chapter that holds the character at ``offset``."""
        low, high = 0, len(self.chapters)
        while low < high:
            middle = (low + high) // 2
            if self.chapters[middle].start <= offset:
                low = middle + 1
            else:
                high = middle
        return low - 1 if low else None

    def text(self, start: int = 0, end: int | None = None) -> Iterator[str]:
        """The text from ``start`` to ``end`` (characters), in pieces, in constant memory."""
        at = 0
        for piece in self.source.pieces():
            if end is not None and at >= end:
                return
            low = max(start - at, 0)
            high = len(piece) if end is None else min(len(piece), end - at)
            if low < high:
                yield piece[low:high]
            at += len(piece)

    def slices(self, spans: Sequence[tuple[int, int]]) -> list[str]:
        """The text of ``spans``, which are in order and do not overlap, in one pass over the document."""
        found = ["" for _ in spans]
        at = first = 0
        for piece in self.source.pieces():
            while first < len(spans) and spans[first][1] <= at:
                first += 1
            if first == len(spans):
                break
            for number in range(first, len(spans)):
                start, end = spans[number]
                if start >= at + len(piece):
                    break
                found[number] += piece[max(start - at, 0) : end - at]
            at += len(piece)
        return found

    def passages(self, start: int = 0, end: int | None = None) -> Iterator[Passage]:
        """The paragraphs and headings from ``start`` to ``end``, each with its place."""
        from longread.reader.passages import passages

        return passages(self, start, end)

    def as_dict(self) -> dict[str, Any]:
        """The ``document`` object of the JSON output."""
        return {
            "title": self.title,
            "author": self.author,
            "language": self.language,
            "encoding": self.encoding,
            "format": self.format,
            "chapters": len(self.chapters),
            "characters": self.characters,
            "sha256": self.sha256,
        }

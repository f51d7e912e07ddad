"""The text in stretches, each as long as a note's prompt has room for.

Knows paragraphs, chapters and tokens. Holds one stretch at a time. Knows no model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from longread.reader.document import Document, Passage
from longread.reader.sentences import sentences

_GAP = 2  # tokens that the blank line between two paragraphs may take


@dataclass(frozen=True)
class Stretch:
    """Consecutive paragraphs of one chapter, headings left out; ``start`` and ``end`` in characters."""

    text: str
    start: int
    end: int
    chapter: int | None


class Stretches:
    """Stretches of at most ``limit`` tokens between the characters ``start`` and ``end``.

    None goes beyond a chapter; those of one chapter are about equally long.
    """

    def __init__(self, document: Document, encoder: Any, start: int, end: int, limit: int) -> None:
        self._document = document
        self._encoder = encoder
        self._limit = limit
        self._bounds = (start, end)
        self._passages = document.passages(start, end)
        self._next = next(self._passages, None)
        self._held: list[tuple[str, int, int]] = []
        self._ready: list[Stretch] = []
        self._chapter: int | None = None
        self._tokens = 0
        self._met = [0, 0]  # characters and tokens so far

    def upto(self, end: int) -> Iterator[Stretch]:
        """The stretches that are complete once the text has been read up to character ``end``."""
        while self._next is not None and self._next.end <= end:
            passage = self._next
            self._next = next(self._passages, None)
            if self._held and passage.chapter != self._chapter:
                self._ready.append(self._close())
            self._chapter = passage.chapter
            for text, start, stop, tokens in () if passage.heading else self._pieces(passage):
                if self._held and self._tokens + tokens > self._target():
                    self._ready.append(self._close())
                self._held.append((text, start, stop))
                self._tokens += tokens
            # Given out when nothing of the passage is in hand: an interruption may come with each.
            while self._ready:
                yield self._ready.pop(0)

    def rest(self) -> Iterator[Stretch]:
        """What is left: the last stretch, up to where the reading came."""
        while self._ready:
            yield self._ready.pop(0)
        if self._held:
            yield self._close()

    def _close(self) -> Stretch:
        text = "\n\n".join(part for part, _, _ in self._held)
        found = Stretch(text, self._held[0][1], self._held[-1][2], self._chapter)
        self._held, self._tokens = [], 0
        return found

    def _target(self) -> float:
        """Tokens of a stretch here: the chapter in equal parts, with a little to spare."""
        start, end = self._bounds
        if self._chapter is not None:
            chapter = self._document.chapters[self._chapter]
            start, end = max(start, chapter.body), min(end, chapter.end)
        tokens = (end - start) * self._met[1] / max(self._met[0], 1)
        parts = max(1, math.ceil(1.05 * tokens / self._limit))
        return min(self._limit, 1.15 * tokens / parts)

    def _pieces(self, passage: Passage) -> Iterator[tuple[str, int, int, int]]:
        """A passage whole if it fits, else its sentences, else their halves: (text, start, end, tokens)."""
        tokens = self._count(passage.text)
        self._met[0] += len(passage.text)
        self._met[1] += tokens
        if tokens <= self._limit:
            yield passage.text, passage.start, passage.end, tokens
            return
        for low, high in sentences(passage.text, self._document.language):
            yield from self._halves(passage.text, low, high, passage.start)

    def _halves(self, text: str, low: int, high: int, offset: int) -> Iterator[tuple[str, int, int, int]]:
        part = text[low:high]
        tokens = self._count(part)
        if tokens <= self._limit or high - low < 2:
            yield part, offset + low, offset + high, tokens
            return
        middle = (low + high) // 2
        space = text.rfind(" ", low, middle)
        middle = space + 1 if space > low else middle
        yield from self._halves(text, low, middle, offset)
        yield from self._halves(text, middle, high, offset)

    def _count(self, text: str) -> int:
        return len(self._encoder.encode(text)) + _GAP

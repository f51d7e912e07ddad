"""A document as paragraphs and headings, each with its place.

Knows how paragraphs are set apart: by blank lines in a wrapped text, by line ends in a text
whose every line is one. Holds one paragraph at a time, of ``LONGEST`` characters at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from longread.reader import headings
from longread.reader.document import Document, Passage

LONGEST = 20_000  # a longer paragraph is cut, at a sentence's end if there is one
_WRAPPED = re.compile(r"\n(?=[^\S\n]*\n)")
_SENTENCE = re.compile(r"[.!?…][\"'”’»)]*\s|[。！？][」』”’）]*|\n")


def passages(document: Document, start: int = 0, end: int | None = None) -> Iterator[Passage]:
    """The passages of ``document`` from character ``start`` to ``end``, in order.

    Each is a paragraph or a heading without the white space around it; ``text[p.start:p.end]
    == p.text`` holds for every one, and every character that is not white space lies in
    exactly one. A passage never goes beyond ``LONGEST`` characters or into another chapter.
    """
    end = document.characters if end is None else min(end, document.characters)
    marks = _Marks(document, start)
    for at, text in _cut(document.text(start, end), max(start, 0), document.layout == "lines", marks):
        yield marks.passage(at, text)


class _Marks:
    """Where headings begin and end, walked along with the text."""

    def __init__(self, document: Document, start: int) -> None:
        self._chapters = document.chapters
        self._characters = max(document.characters, 1)
        self._next = document.chapter_at(start) or 0
        self._ahead = self._next

    def next_cut(self, at: int) -> int | None:
        """The first character after ``at`` at which a heading begins or ends; ``at`` only goes up."""
        while self._ahead < len(self._chapters):
            chapter = self._chapters[self._ahead]
            if chapter.start > at:
                return chapter.start
            if chapter.body > at:
                return chapter.body
            self._ahead += 1
        return None

    def passage(self, at: int, text: str) -> Passage:
        """The passage of ``text`` at ``at``; called with places that only go up."""
        while self._next < len(self._chapters) and self._chapters[self._next].start <= at:
            self._next += 1
        index = self._next - 1
        heading = index >= 0 and at < self._chapters[index].body
        return Passage(
            text=text,
            start=at,
            end=at + len(text),
            share=(at + len(text)) / self._characters,
            chapter=index if index >= 0 else None,
            heading=heading or _reads_like_heading(text),
        )


def _reads_like_heading(text: str) -> bool:
    """A line by itself that is no chapter's heading and still no prose: a contents entry, a part's name."""
    if len(text) > 120 or "\n" in text:
        return False
    said = headings.classify(text)
    if said:
        return said.length >= len(text) and not (
            said.kind == "numbered" and text.endswith((".", "!", "?", "。"))
        )
    return headings.is_caps(text)


def _cut(pieces: Iterator[str], at: int, by_line: bool, marks: _Marks) -> Iterator[tuple[int, str]]:
    """Paragraphs without the white space around them, each with its place."""
    held = ""
    mark = marks.next_cut(at - 1)
    for piece in pieces:
        held += piece
        done = 0
        while True:
            limit = len(held) if mark is None else min(len(held), mark - at)
            stop = _paragraph_end(held, done, limit, by_line)
            if stop is None and limit < len(held):
                stop = limit
            if stop is None and limit - done > LONGEST:
                stop = _sentence_end(held, done)
            if stop is None:
                break
            while stop - done > LONGEST:
                part = _sentence_end(held, done)
                yield from _bare(held, done, part, at)
                done = part
            yield from _bare(held, done, stop, at)
            done = stop
            if mark is not None and at + done >= mark:
                mark = marks.next_cut(at + done)
        held = held[done:]
        at += done
    done = 0
    while len(held) - done > LONGEST:
        part = _sentence_end(held, done)
        yield from _bare(held, done, part, at)
        done = part
    yield from _bare(held, done, len(held), at)


def _paragraph_end(text: str, start: int, limit: int, by_line: bool) -> int | None:
    """Where the paragraph that begins at ``start`` ends, None when ``text`` does not say."""
    if by_line:
        end = text.find("\n", start, limit)
        return None if end < 0 else end + 1
    match = _WRAPPED.search(text, start, limit)
    return match.end() if match else None


def _sentence_end(text: str, start: int) -> int:
    """The last sentence end in the longest stretch from ``start`` on, else the last space, else its end."""
    low, high = start + LONGEST // 2, start + LONGEST
    last = None
    for last in _SENTENCE.finditer(text, low, high):  # noqa: B007
        pass
    if last:
        return last.end()
    space = text.rfind(" ", low, high)
    return space + 1 if space > 0 else high


def _bare(text: str, start: int, end: int, at: int) -> Iterator[tuple[int, str]]:
    """The part of ``text`` without white space around it, with its place; nothing where it is blank."""
    part = text[start:end]
    bare = part.strip()
    if bare:
        yield at + start + part.index(bare[0]), bare

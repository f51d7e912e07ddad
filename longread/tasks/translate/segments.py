"""What a translation is made of: paragraphs, their sentences, and what became of each.

Knows how a text is cut into segments, one or a part of one sentence each, by the rules of
its language. Knows no model, no prompt and no file format that it is written to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from longread.events import Event, private
from longread.reader.document import Document
from longread.reader.sentences import sentences, unwrapped

# Longer ones are cut at a comma or a space: no window holds a page without a full stop.
LONGEST = 600  # characters; a Chinese one counts three times
_BREAK = re.compile(r"(?<=[,;:，、；：—])\s*|\s+")
# What opens a line of Markdown and is no part of its words.
_PREFIX = re.compile(r"[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|\d{1,3}[.)][ \t]+)+")
_ITEM = re.compile(r"\n(?=[ \t]*(?:[-*+]|\d{1,3}[.)]|#{1,6}|>)[ \t])")
# Control characters are never words, and a file must be able to hold what is written to it.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True)
class Segment:
    """A sentence and its translation. ``paragraph`` counts from 0 over the whole text.

    Where ``ok`` is False, ``target`` is the source, left as it was, and ``why`` says what
    was wrong with the last try. Where it is True, ``why`` may hold a remark.
    """

    paragraph: int
    source: str
    target: str
    ok: bool
    why: str


@dataclass(frozen=True)
class Paragraph:
    """Where a paragraph or heading lies in the text as read (characters [start, end)).

    ``prefix`` is what a line of Markdown opens with ("## "): it is not translated.
    ``chapter`` is the chapter's index, None before the first heading.
    """

    index: int
    start: int
    end: int
    heading: bool = False
    chapter: int | None = None
    prefix: str = ""


@dataclass(frozen=True)
class Piece:
    """A segment to be translated. ``number`` counts from 0 over the whole text."""

    number: int
    paragraph: int
    source: str

    @property
    def silent(self) -> bool:
        """Whether there is nothing to translate in it: no letter of any script."""
        return not any(map(str.isalpha, self.source))


@dataclass(frozen=True)
class Translation:
    """The result of ``translate``. ``glossary`` maps a name to its rendering and where it was first met.

    What is private is for those who write it to a file: ``paragraphs`` by index, the
    ``path`` of the source, ``document`` as in the JSON output, and both languages (BCP 47).
    """

    segments: tuple[Segment, ...]
    glossary: Mapping[str, Mapping[str, Any]]
    paragraphs: Mapping[int, Paragraph] = private()
    path: str = private()
    document: Mapping[str, Any] = private()
    src: str = private()
    tgt: str = private()

    def by_paragraph(self) -> Iterator[tuple[Paragraph, list[Segment]]]:
        """The segments of each paragraph, in order."""
        held: list[Segment] = []
        for segment in self.segments:
            if held and held[-1].paragraph != segment.paragraph:
                yield self.paragraphs[held[0].paragraph], held
                held = []
            held.append(segment)
        if held:
            yield self.paragraphs[held[0].paragraph], held


@dataclass(frozen=True)
class Translated(Event):
    """One more segment is done; ``number`` counts from 0 over the whole text."""

    number: int
    segment: Segment


@dataclass(frozen=True)
class Checkpoint(Event):
    """So far a valid whole: ``partial()`` is the ``Done`` of a job that would end here."""

    done: int
    total: int
    partial: Any = private()


def cut(
    document: Document, start: int, end: int, language: str, longest: int = LONGEST
) -> tuple[dict[int, Paragraph], list[Piece]]:
    """The paragraphs of the characters ``start`` to ``end`` and their pieces, numbered over the whole
    text. A paragraph belongs where it begins. In Markdown an item of a list is one of its own."""
    paragraphs: dict[int, Paragraph] = {}
    pieces: list[Piece] = []
    index = number = 0
    for passage in document.passages():
        items = _ITEM.split(passage.text) if document.format == "md" else [passage.text]
        at = passage.start
        for item in items:
            opening = _PREFIX.match(item) if document.format == "md" else None
            prefix = opening[0] if opening else ""
            texts = split(item[len(prefix) :], language, longest)
            if start <= at < end and texts:
                paragraphs[index] = Paragraph(
                    index, at, at + len(item), passage.heading, passage.chapter, prefix
                )
                pieces += [Piece(number + n, index, text) for n, text in enumerate(texts)]
            at += len(item) + 1
            index += 1
            number += len(texts)
    return paragraphs, pieces


def split(text: str, language: str, longest: int = LONGEST) -> list[str]:
    """The sentences of a paragraph on one line each; those whose weight is above ``longest``, in parts."""
    found = []
    for start, end in sentences(text, language):
        whole = unwrapped(_CONTROL.sub("", text[start:end]))
        found += _parts(whole, longest) if whole else []
    return found


def weight(text: str) -> int:
    """The length of ``text`` in letters of an alphabet: a Chinese, Japanese or Korean one says as much as
    three."""
    return sum(3 if "\u2e80" <= character <= "\ud7a3" else 1 for character in text)


def _parts(text: str, longest: int) -> list[str]:
    """``text`` in parts no heavier than ``longest``, cut after the last comma or space that fits."""
    parts = []
    while weight(text) > longest:
        low = high = 0
        for match in _BREAK.finditer(text):
            if weight(text[: match.start()]) > longest:
                break
            low, high = match.start(), match.end()
        if not low:  # not one place to cut: anywhere, then
            low = high = next(n for n in range(longest, 0, -1) if n == 1 or weight(text[:n]) <= longest)
        parts.append(text[:low].rstrip())
        text = text[high:]
    return [part for part in (*parts, text) if part]

"""The first pass through a text: everything about it that one streamed reading can tell.

Knows how to count, hash and outline a text in constant memory. Knows nothing of files,
formats or encodings: it is given pieces of text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from longread.reader import language, outline
from longread.reader.counts import Words
from longread.reader.document import Chapter
from longread.reader.finder import Finder

_OPENING = 40  # lines that are not blank, in which title and author are looked for
_FINAL = frozenset('.!?。！？…”"」』»:：')


@dataclass(frozen=True)
class Scan:
    """What the first pass found.

    ``opening`` holds the first lines that are not blank, ``blank`` whether there is none in
    the whole text, ``capped`` whether there were more headings than are told apart.
    """

    characters: int
    words: int
    sha256: str
    language: str
    layout: str
    chapters: tuple[Chapter, ...]
    opening: tuple[str, ...]
    blank: bool
    capped: bool


def scan(pieces: Iterable[str], markdown: bool = False, layout: str = "") -> Scan:
    """Read ``pieces`` once. Memory does not grow with the text, but for up to 20,000 headings.

    ``layout`` is the text's where its format knows it; else it is found.
    """
    digest = hashlib.sha256()
    words, finder, tally, lines = (
        Words(),
        Finder(markdown),
        language.Tally(),
        _Layout(),
    )
    opening: list[str] = []
    characters = index = 0
    for piece in pieces:
        if not piece:
            continue
        digest.update(piece.encode("utf-8", "surrogatepass"))
        words.add(piece)
        finder.add(piece)
        if len(opening) < _OPENING:
            opening.extend(line[:300] for line in piece[:50_000].split("\n") if line and not line.isspace())
        if index < 64:
            sample = piece[:4000] if index < 8 else piece[:1000]
            tally.add(sample)
            if not index:  # a short text may be one piece, and begin with words in another language
                tally.add(piece[len(piece) // 2 :][:4000])
            lines.add(piece[: 4 * len(sample)])
        characters += len(piece)
        index += 1
    candidates = finder.finish()
    layout = layout or lines.name()
    return Scan(
        characters=characters,
        words=words.count,
        sha256=digest.hexdigest(),
        language=tally.language(),
        layout=layout,
        chapters=outline.chapters(candidates, characters, layout),
        opening=tuple(opening[:_OPENING]),
        blank=not opening and not words.count,
        capped=finder.capped,
    )


class _Layout:
    """Tells texts of one paragraph a line from wrapped ones, where a line ends anywhere."""

    def __init__(self) -> None:
        self._pairs = self._final = 0

    def add(self, sample: str) -> None:
        lines = sample.split("\n")
        for line, following in pairwise(lines[1:-1]):
            if len(line) > 20 and following and not following.isspace():
                self._pairs += 1
                self._final += line.rstrip()[-1:] in _FINAL

    def name(self) -> str:
        """ "lines" where lines that follow one another mostly end as sentences do, else "wrapped"."""
        return "lines" if self._pairs >= 3 and self._final > 0.5 * self._pairs else "wrapped"

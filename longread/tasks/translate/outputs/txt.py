"""A translation as plain text: paragraphs with a blank line between them, or pairs of sentences.

Knows which languages put spaces between sentences. Knows no markup: there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from longread.tasks.extract.traits import counts_characters
from longread.tasks.translate.outputs import MARK
from longread.tasks.translate.segments import Segment, Translation

BINARY = False


def write(translation: Translation, layout: str) -> Iterator[str]:
    """The text, a paragraph or a pair at a time."""
    first = True
    for paragraph, segments in translation.by_paragraph():
        for text in lines(segments, layout, translation.tgt):
            yield ("" if first else "\n") + paragraph.prefix + text + "\n"
            first = False


def lines(segments: Sequence[Segment], layout: str, language: str) -> Iterator[str]:
    """A paragraph in one line; with "bilingual" each sentence, and its translation in the line below."""
    if layout == "bilingual":
        for segment in segments:
            yield f"{segment.source}\n{marked(segment)}"
        return
    yield ("" if counts_characters(language) else " ").join(marked(segment) for segment in segments)


def marked(segment: Segment) -> str:
    """The translation, or the source with a mark before it."""
    return segment.target if segment.ok else MARK + segment.source

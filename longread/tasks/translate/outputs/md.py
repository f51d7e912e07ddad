"""A translation as Markdown: as plain text, headings and lists marked as they were in the source.

Knows the marks of headings. What opens a line of a Markdown source stands in its
paragraph's ``prefix`` and is written as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from longread.tasks.translate.outputs.txt import lines
from longread.tasks.translate.segments import Translation

BINARY = False


def write(translation: Translation, layout: str) -> Iterator[str]:
    """The text, a paragraph or a pair at a time; a pair is one paragraph of two lines."""
    before = None
    for paragraph, segments in translation.by_paragraph():
        # Items of a list stand close together.
        item = paragraph.prefix.strip()[:1] not in ("", "#")
        prefix = paragraph.prefix or ("## " if paragraph.heading else "")
        for text in lines(segments, layout, translation.tgt):
            gap = "" if before is None or (item and before) else "\n"
            yield gap + prefix + text.replace("\n", "  \n") + "\n"
            before = item

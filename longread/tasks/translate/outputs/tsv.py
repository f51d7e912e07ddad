"""The pairs of a translation as a table: what ``--corrections`` reads again.

Knows the table's columns. A layout makes no difference to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from longread.tasks.translate.segments import Translation
from longread.tasks.translate.tables import field

BINARY = False


def write(translation: Translation, layout: str) -> Iterator[str]:
    """A heading, then a line for each segment."""
    yield "paragraph\tsource\ttarget\tok\twhy\n"
    for segment in translation.segments:
        texts = (segment.source, segment.target, "yes" if segment.ok else "no", segment.why)
        yield f"{segment.paragraph}\t" + "\t".join(map(field, texts)) + "\n"

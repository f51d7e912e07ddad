"""A translation as leaves, for books that are made anew: what stands on a page, chapter by chapter.

Knows which paragraphs make a chapter and how a pair is set as XHTML. Knows no archive. Everything that
comes from the text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from longread.tasks.extract.traits import counts_characters
from longread.tasks.translate.outputs.place import direction
from longread.tasks.translate.outputs.txt import marked
from longread.tasks.translate.segments import Paragraph, Segment, Translation

_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
STYLE = """\
body { margin: 5%; line-height: 1.5; }
h2 { margin: 2em 0 1em; }
p { margin: 0 0 0.8em; }
.source { color: #555; margin-bottom: 0.1em; }
"""


@dataclass
class Leaf:
    """A chapter. ``title`` is its heading in the new language, "" where it has none."""

    title: str = ""
    lines: list[str] = field(default_factory=list)  # XHTML, a block each


def leaves(translation: Translation, layout: str) -> list[Leaf]:
    """The chapters in order; one without a title holds what stands before the first heading."""
    found: list[Leaf] = []
    for paragraph, segments in translation.by_paragraph():
        if paragraph.heading or not found:
            found.append(Leaf(_said(segments) if paragraph.heading else ""))
        found[-1].lines += _blocks(translation, layout, paragraph, segments)
    return found


def page(title: str, language: str, lines: list[str], style: str) -> str:
    """A whole XHTML document; ``style`` is what its head says of its looks."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        f'<html xmlns="http://www.w3.org/1999/xhtml" lang="{escape(language)}" xml:lang="{escape(language)}" '
        f'dir="{direction(language)}">\n'
        f'<head><meta charset="utf-8"/><title>{text(title) or "-"}</title>{style}</head>\n<body>\n'
        + "\n".join(lines)
        + "\n</body>\n</html>\n"
    )


def text(words: str) -> str:
    """``words`` as XHTML."""
    return escape(allowed(words))


def allowed(words: str) -> str:
    """``words`` without what XML does not allow."""
    return _FORBIDDEN.sub("", words)


def name(translation: Translation) -> str:
    """The title: the heading that is the document's own, translated, else the document's."""
    whole = str(translation.document.get("title") or "")
    for segment in translation.segments[:5]:
        if segment.ok and segment.source.strip() == whole.strip():
            return segment.target
    return whole or "Untitled"


def _said(segments: list[Segment]) -> str:
    return " ".join(marked(segment) for segment in segments)


def _blocks(
    translation: Translation, layout: str, paragraph: Paragraph, segments: list[Segment]
) -> Iterator[str]:
    tag = "h2" if paragraph.heading else "p"
    if layout == "bilingual":
        for segment in segments:
            language = escape(translation.src)
            side = f'lang="{language}" xml:lang="{language}" dir="{direction(translation.src)}"'
            yield f'<p class="source" {side}>{text(segment.source)}</p>'
            yield f"<{tag}>{_set(segment, translation)}</{tag}>"
        return
    gap = "" if counts_characters(translation.tgt) else " "
    yield f"<{tag}>{gap.join(_set(segment, translation) for segment in segments)}</{tag}>"


def _set(segment: Segment, translation: Translation) -> str:
    """A sentence; one that was left in the source language says so to whoever reads it aloud."""
    words = text(marked(segment))
    if segment.ok:
        return words
    language = escape(translation.src)
    return f'<span lang="{language}" xml:lang="{language}">{words}</span>'

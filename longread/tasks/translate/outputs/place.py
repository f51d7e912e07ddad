"""Translated paragraphs put back where they came from.

Knows how to find a paragraph again among the blocks of its source by its letters alone, since
white space and unseen characters are not what they were. Knows no format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from longread.reader.files import Bytes, open_bytes
from longread.reader.formats import gz

RIGHT_TO_LEFT = ("ar", "fa", "he", "ur", "yi")


def rewrites(translation: Any, kind: str) -> bool:
    """Whether the source is of format ``kind`` and can be read again, which a pipe cannot."""
    return translation.document.get("format") == kind and translation.path != "-"


def pairs(translation: Any) -> list[tuple[str, str]]:
    """Source and translation of each paragraph, in order; a paragraph's translation is one text."""
    from longread.tasks.translate.outputs.txt import lines

    return [
        (
            " ".join(segment.source for segment in segments),
            " ".join(lines(segments, "target", translation.tgt)),
        )
        for _, segments in translation.by_paragraph()
    ]


def source(path: str | Path) -> Bytes:
    """The bytes of the book, unpacked."""
    return gz.unpack(open_bytes(path))


def aligned(blocks: Sequence[str], paragraphs: Sequence[tuple[str, str]]) -> list[str | None]:
    """For each block of the source the translation that belongs there, None where there is none.

    A block that the reader cut in several paragraphs takes their translations together. Where
    only a part was translated, the first paragraph that is followed by the right one begins it.
    """
    wanted = [(letters(text), target) for text, target in paragraphs]
    keys = [letters(block) for block in blocks]
    found: list[str | None] = [None] * len(blocks)
    at, running = 0, False
    for number, key in enumerate(keys):
        if at == len(wanted):
            break
        if not key:
            if not wanted[at][0] and running:
                found[number], at = wanted[at][1], at + 1
            continue
        while at < len(wanted) and not wanted[at][0]:
            at += 1
        end, whole = at, ""
        while end < len(wanted) and len(whole) < len(key):
            whole += wanted[end][0]
            end += 1
        if whole != key:
            running = False
            continue
        after = next((letter for letter in keys[number + 1 :] if letter), "")
        if running or end == len(wanted) or not after or after.startswith(wanted[end][0]):
            found[number] = " ".join(target for _, target in wanted[at:end])
            at, running = end, True
    return found


def letters(text: str) -> str:
    """What of a text does not change on the way through reader and sentences."""
    return "".join(filter(str.isalnum, text))


def direction(language: str) -> str:
    """``rtl`` or ``ltr``."""
    return "rtl" if language.split("-")[0].lower() in RIGHT_TO_LEFT else "ltr"

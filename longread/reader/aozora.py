"""The annotations of Aozora Bunko's texts: readings beside the characters, notes to the typesetter.

Knows 《ruby》, ｜ and ［＃note］, and the legend at the head that announces them. Only a text
with that legend is touched. A filter on streamed text; knows nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LEGEND = re.compile(r"^-{20,}\n【テキスト中に現れる記号について】\n.*?^-{20,}\n", re.M | re.S)
_MARKS = re.compile(r"《[^》\n]{1,60}》|［＃[^］\n]{1,200}］|｜")
_HEAD = 1 << 14


@dataclass
class Annotations:
    """How many characters were left out: of the legend, and of the marks."""

    legend: int = 0
    marks: int = 0

    def words(self) -> tuple[str, ...]:
        """What was left out, in words."""
        if not self.legend:
            return ()
        return (f"Aozora Bunko readings and notes ({self.legend + self.marks:,} characters)",)


def strip(pieces: Iterable[str], found: Annotations | None = None) -> Iterator[str]:
    """``pieces`` without annotations where a legend at the head announces them."""
    found = found if found is not None else Annotations()
    stream = iter(pieces)
    head = ""
    for piece in stream:
        head += piece
        if len(head) >= _HEAD:
            break
    legend = _LEGEND.search(head, 0, _HEAD)
    if not legend:
        if head:
            yield head
        yield from stream
        return
    found.legend = len(legend[0])
    held = head[: legend.start()] + head[legend.end() :]
    for piece in stream:
        held += piece
        cut = held.rfind("\n") + 1  # no mark goes beyond its line
        if not cut and len(held) > _HEAD:
            cut = len(held)
        if cut:
            yield _unmarked(held[:cut], found)
            held = held[cut:]
    if held:
        yield _unmarked(held, found)


def _unmarked(text: str, found: Annotations) -> str:
    clean = _MARKS.sub("", text)
    found.marks += len(text) - len(clean)
    return clean

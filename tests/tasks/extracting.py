"""The extractive summary of a text in memory, by the parts that the task uses passage by passage."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from longread.reader.document import Chapter
from longread.reader.names import name_counter
from longread.tasks.extract import Collector, choose, describe


def add(collector: Collector, *sentence: Any) -> None:
    """Keep a sentence, given as to ``Collector.row``."""
    collector.put(*collector.row(*sentence))


def summarize_extractive(
    text: str,
    language: str,
    chapters: Sequence[Chapter],
    vectors: np.ndarray,
    nll: Sequence[float],
    spans: Sequence[tuple[int, int]],
    length: int,
    every: bool = False,
) -> list[tuple[int, int]]:
    """Spans chosen among ``spans``, in book order.

    ``vectors`` [n, width] are mean hidden states and ``nll`` [n] mean surprisals of the sentences at
    ``spans``; ``every`` as in ``choose``.
    """
    collected, counter = Collector(vectors.shape[1] if len(spans) else 1), name_counter(language)
    starts = [chapter.start for chapter in chapters]
    at = 0
    for low, high in passages(text):
        first = at
        while at < len(spans) and spans[at][0] < high:
            at += 1
        inside = [(start - low, end - low) for start, end in spans[first:at]]
        for number, traits in enumerate(describe(text[low:high], inside, language), first):
            start, end = spans[number]
            place = int(np.searchsorted(starts, start, side="right")) - 1
            chapter = chapters[place].index if place >= 0 else None
            counter.add(text[start:end], chapter)
            add(collected, traits, start, end, chapter, vectors[number], float(nll[number]), 0)
    names = [name for name, _, _ in counter.top(40)]
    return choose(collected, length=length, language=language, chapters=chapters, names=names, every=every)


def passages(text: str) -> list[tuple[int, int]]:
    """Paragraphs: between empty lines, or each line where there are hardly any."""
    gap = r"\n\s*\n" if text.count("\n\n") * 2000 > len(text) else r"\n"
    edges = [0, *(match.end() for match in re.finditer(gap, text)), len(text)]
    return list(itertools.pairwise(edges))

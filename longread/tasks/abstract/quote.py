"""What stands in for a text that could not be written: sentences that exist.

Knows how to choose one sentence of a stretch, and how to thin out texts evenly. Knows no model.
"""

from __future__ import annotations

import re
from collections import Counter

from longread.reader.sentences import sentences, unwrapped
from longread.tasks.abstract.lengths import Meter
from longread.tasks.extract.traits import Mark, describe

_WORD = re.compile(r"[^\W\d_]{4,}|[\u3040-\u30ff\u3400-\u9fff]")
_UNFIT = Mark.HEADING | Mark.NOTE | Mark.BROKEN
_DEPENDENT = Mark.SPEECH | Mark.LEANS
_LONG = 45  # words, or three times as many characters


def quote(text: str, language: str) -> str:
    """The sentence of ``text`` that shares most words with the rest, sound ones first; "" for no sentence."""
    best, found = (-3.0, 0.0), ""
    words = Counter(word.lower() for word in _WORD.findall(text))
    for passage in text.split("\n\n"):
        spans = sentences(passage, language)
        for span, traits in zip(spans, describe(passage, spans, language), strict=True):
            sentence = passage[span[0] : span[1]]
            own = {word.lower() for word in _WORD.findall(sentence)}
            shared = sum(words[word] - 1 for word in own) / (len(own) + 3)
            size = len(sentence.split()) + len(sentence) / 18  # words, or nearly so, in any script
            sound = -2.0 * bool(traits.marks & _UNFIT) - bool(traits.marks & _DEPENDENT)
            rank = (sound, shared if size <= 2 * _LONG else shared / size)
            if rank > best:
                best, found = rank, unwrapped(sentence)
    return found


def condense(texts: list[str], length: int, meter: Meter) -> str:
    """About ``length`` of ``texts``: the first sentence of each, then the second, in the texts' order.

    All of them where there is no more; where not even the first ones fit, texts at even distances.
    """
    split = [meter.sentences(text) for text in texts]
    order = [(depth, i) for depth in range(max(map(len, split), default=0)) for i in range(len(split))]
    order = [(depth, i) for depth, i in order if depth < len(split[i])]
    firsts = [i for depth, i in order if depth == 0]
    if sum(meter.length(split[i][0]) for i in firsts) > length:
        mean = sum(meter.length(split[i][0]) for i in firsts) / len(firsts)
        count = max(1, min(len(firsts), round(length / mean)))
        order = [(0, firsts[int((k + 0.5) * len(firsts) / count)]) for k in range(count)]
    chosen: list[tuple[int, int]] = []
    size = 0
    for depth, i in order:
        grown = size + meter.length(split[i][depth])
        if chosen and abs(grown - length) > abs(size - length):
            break
        chosen.append((i, depth))
        size = grown
    return meter.join([split[i][depth] for i, depth in sorted(chosen)])

"""From blocks of tokens to sentences with a vector and a surprisal each.

Knows how the tokens of a reading lie in the text's passages and sentences. Knows
nothing of what the sentences are for; holds one passage's tokens at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from longread.events import BlockRead
from longread.reader.document import Document, Passage
from longread.reader.names import NameCounter
from longread.reader.sentences import sentences
from longread.tasks.extract import Collector, describe


class Gatherer:
    """Fed with the blocks of a reading, keeps every sentence as a row and counts the names.

    A sentence's vector is the mean of its tokens' last hidden states, its surprisal the
    mean of their NLL (nats a token).
    """

    def __init__(self, document: Document, start: int, end: int, width: int) -> None:
        self.collector = Collector(width)
        self.names = NameCounter(document.language)
        self._language = document.language
        self._passages: Iterator[Passage] = document.passages(start, end)
        self._passage = next(self._passages, None)
        self._starts = np.zeros(0, np.int64)
        self._nll = np.zeros(0, np.float32)
        self._hidden = np.zeros((0, width), np.float32)

    def feed(self, report: BlockRead) -> None:
        """Take in one block; the passages that it completes become rows."""
        self._starts = np.concatenate((self._starts, report.block.starts))
        self._nll = np.concatenate((self._nll, report.token_nll))
        self._hidden = np.concatenate((self._hidden, report.hidden))
        while self._passage is not None and self._passage.end <= report.block.end:
            self._take(self._passage)
            self._passage = next(self._passages, None)

    def _take(self, passage: Passage) -> None:
        spans = [] if passage.heading else sentences(passage.text, self._language)
        for span, traits in zip(spans, describe(passage.text, spans, self._language), strict=True):
            start, end = passage.start + span[0], passage.start + span[1]
            low, high = np.searchsorted(self._starts, (start, end))
            if low == high:  # shorter than the token that it shares with its neighbour
                continue
            self.names.add(passage.text[span[0] : span[1]], passage.chapter)
            self.collector.add(
                traits,
                start,
                end,
                passage.chapter,
                self._hidden[low:high].mean(axis=0),
                float(np.nan_to_num(self._nll[low:high]).mean()),
                int(high - low),
            )
        done = int(np.searchsorted(self._starts, passage.end))
        self._starts, self._nll, self._hidden = self._starts[done:], self._nll[done:], self._hidden[done:]

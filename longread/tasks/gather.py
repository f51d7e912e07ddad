"""From blocks of tokens to sentences with a vector and a surprisal each.

Knows how the tokens of a reading lie in the text's passages and sentences. Knows
nothing of what the sentences are for; holds one passage's tokens at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from longread.events import BlockRead
from longread.reader.document import Document, Passage
from longread.reader.names import name_counter
from longread.reader.sentences import sentences
from longread.tasks.extract import Collector, describe
from longread.tasks.extract.collect import ROW, Row

if TYPE_CHECKING:
    from longread.model.load import LoadedModel
    from longread.tasks.reading import Job


class Gatherer:
    """Fed with the blocks of a reading, makes a row of every sentence.

    A sentence's vector is the mean of its tokens' last hidden states, its surprisal the
    mean of their NLL (nats a token). With ``keep`` the rows pile up in ``fresh`` for whoever
    keeps them on disk and empties it; with ``hold`` they are in ``collector``, and the names
    are counted, for whoever makes something of them: memory then grows with the book.
    """

    def __init__(
        self, document: Document, start: int, end: int, width: int, *, hold: bool = True, keep: bool = True
    ) -> None:
        self.collector = Collector(width)
        self.names = name_counter(document.language)
        self.fresh: list[Row] = []
        self._hold, self._keep = hold, keep
        self._document, self._language = document, document.language
        self._passages: Iterator[Passage] = document.passages(start, end)
        self._passage = next(self._passages, None)
        self._starts = np.zeros(0, np.int64)
        self._nll = np.zeros(0, np.float32)
        self._hidden = np.zeros((0, width), np.float32)
        self._done = start  # the end of the last passage that was taken

    def state(self) -> dict[str, np.ndarray]:
        """What has been read of a passage that is not complete, and how far the rows reach."""
        place = np.array([self._done], np.int64)
        return {"place": place, "starts": self._starts, "nll": self._nll, "hidden": self._hidden}

    def load(self, state: dict[str, np.ndarray], rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up a ``state`` and the rows that were gathered before it, as bytes, in order."""
        self._done = int(state["place"][0])
        self._starts, self._nll, self._hidden = state["starts"], state["nll"], state["hidden"]
        if self._hold:
            self._take_up(rows)
        while self._passage is not None and self._passage.end <= self._done:
            self._passage = next(self._passages, None)

    def _take_up(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        spans, chapters = [], []
        for record, vector in rows:
            row = np.frombuffer(record, ROW).copy()[0]
            # By this document: the same text in another format may have other chapters.
            chapter = self._document.chapter_at(int(row["start"]))
            row["chapter"] = -1 if chapter is None else chapter
            self.collector.put(row, np.frombuffer(vector, np.float16))
            spans.append((int(row["start"]), int(row["end"])))
            chapters.append(chapter)
        # Counting names anew takes a pass over the text and no model.
        for low in range(0, len(spans), 4096):
            part = slice(low, low + 4096)
            for text, chapter in zip(self._document.slices(spans[part]), chapters[part], strict=True):
                self.names.add(text, chapter)

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
        edge = passage.start
        for span, traits in zip(spans, describe(passage.text, spans, self._language), strict=True):
            start, end = passage.start + span[0], passage.start + span[1]
            # From the end of the sentence before it: the space in front of a word is often its token's.
            low, high = np.searchsorted(self._starts, (edge, end))
            edge = end
            if low == high:  # shorter than the token that it shares with its neighbour
                continue
            row = self.collector.row(
                traits,
                start,
                end,
                passage.chapter,
                self._hidden[low:high].mean(axis=0),
                float(np.nan_to_num(self._nll[low:high]).mean()),
                int(high - low),
            )
            if self._keep:
                self.fresh.append(row)
            if self._hold:
                self.collector.put(*row)
                self.names.add(passage.text[span[0] : span[1]], passage.chapter)
        self._done = passage.end
        done = int(np.searchsorted(self._starts, passage.end))
        self._starts, self._nll, self._hidden = self._starts[done:], self._nll[done:], self._hidden[done:]


def gatherer_for(job: Job, loaded: LoadedModel, *, hold: bool = True) -> Gatherer:
    """A gatherer of the part of the text that the job reads.

    Where the job saves nothing there is no keeper, and nobody would empty ``fresh``.
    """
    width = loaded.backbone.model.get_output_embeddings().weight.shape[1]
    return Gatherer(job.document, job.start, job.end, width, hold=hold, keep=job.options.save)

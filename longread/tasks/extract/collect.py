"""Every sentence of a book as a row of numbers, while the book streams by.

Knows how to keep 100,000 sentences in some 70 MB and a book of any length in a bounded amount. The text
itself is not kept. Knows no model; vectors come from whoever read the book.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from longread.tasks.extract.traits import GRAMS, NAMES, Mark, Traits

WIDTH = 256
_CHUNK = 4096
ROW = np.dtype(
    [
        ("start", np.int64),
        ("end", np.int64),
        ("chapter", np.int32),  # -1: none
        ("tokens", np.int32),
        ("nll", np.float32),  # nats a token
        ("length", np.uint16),
        ("marks", np.uint16),
        ("names", np.uint32, NAMES),
        ("grams", np.uint32, GRAMS),
    ]
)

Row = tuple[np.ndarray, np.ndarray]  # a ``ROW`` and its vector [width] float16


class Collector:
    """Rows in book order, with one vector each.

    Parameters
    ----------
    width
        Width of the vectors given to ``add``. Above 256 they are projected to 256 by a fixed random
        matrix, which keeps their angles.
    capacity
        Above so many rows only one of each two neighbours is kept, then of each four, and so on: the
        easiest to quote. What is kept covers the book evenly.
    """

    def __init__(self, width: int, capacity: int = 160_000) -> None:
        self.capacity = max(2, capacity // 2 * 2)
        self._rows: list[np.ndarray] = []
        self._vectors: list[np.ndarray] = []
        self._count = self._met = 0
        self._stride, self._last_cost = 1, 0  # of so many neighbours one is kept, the easiest to quote
        self._projection = None
        if width > WIDTH:
            random = np.random.default_rng(0)
            self._projection = random.standard_normal((width, WIDTH), dtype=np.float32) / np.float32(
                WIDTH**0.5
            )
        self.width = min(width, WIDTH)

    def __len__(self) -> int:
        return self._count

    def row(
        self,
        traits: Traits,
        start: int,
        end: int,
        chapter: int | None,
        vector: np.ndarray,
        nll: float,
        tokens: int,
    ) -> Row:
        """The row of the sentence at characters [start, end) of the book, for ``put``.

        ``vector`` [width] is the mean hidden state of its ``tokens`` tokens, ``nll`` their mean surprisal
        in nats.
        """
        row = np.zeros((), ROW)
        row["start"], row["end"], row["tokens"], row["nll"] = start, end, tokens, nll
        row["chapter"] = -1 if chapter is None else chapter
        row["length"] = min(traits.length, 65_535)
        row["marks"] = int(traits.marks)
        row["names"][: len(traits.names)] = traits.names
        row["grams"][: len(traits.grams)] = traits.grams
        return row, self._direction(vector).astype(np.float16)

    def put(self, row: np.ndarray, direction: np.ndarray) -> None:
        """Keep a sentence's row; they come in book order."""
        if self._count >= self.capacity and self._met % self._stride == 0:
            self._thin()
        self._met += 1
        cost = _cost(int(row["marks"]))
        if self._stride == 1 or self._met % self._stride == 1:
            self._count += 1
            if self._count % _CHUNK == 1:
                self._rows.append(np.zeros(_CHUNK, ROW))
                self._vectors.append(np.zeros((_CHUNK, self.width), np.float16))
        elif cost >= self._last_cost:
            return
        self._last_cost = cost
        at = (self._count - 1) % _CHUNK
        self._rows[-1][at] = row
        self._vectors[-1][at] = direction

    def rows(self) -> np.ndarray:
        """All rows [n] of ``ROW``, a copy."""
        return np.concatenate([*self._rows, np.zeros(0, ROW)])[: self._count]

    def vectors(self, index: np.ndarray) -> np.ndarray:
        """Unit vectors [len(index), width] float32 of some rows; a row without a finite vector is zeros."""
        out = np.empty((len(index), self.width), np.float32)
        blocks = index // _CHUNK
        for block in set(blocks.tolist()):
            here = blocks == block
            out[here] = self._vectors[block][index[here] % _CHUNK]
        return out

    def blocks(self) -> Iterator[np.ndarray]:
        """The vectors in pieces [at most 4096, width] float32."""
        for number, block in enumerate(self._vectors):
            yield block[: min(_CHUNK, self._count - number * _CHUNK)].astype(np.float32)

    def _direction(self, vector: np.ndarray) -> np.ndarray:
        vector = np.asarray(vector, np.float32)
        if self._projection is not None:
            vector = vector @ self._projection
        norm = float(np.linalg.norm(vector))
        return vector / norm if np.isfinite(norm) and norm > 0 else np.zeros_like(vector)

    def _thin(self) -> None:
        """Keep of each two neighbours the one that is easier to quote."""
        rows = self.rows()
        cost = _cost(rows["marks"])
        keep = np.arange(0, len(rows), 2) + (cost[1::2] < cost[0::2])
        self._stride *= 2
        old_vectors, self._rows, self._vectors = self._vectors, [], []
        self._count = len(keep)
        for low in range(0, len(keep), _CHUNK):
            part = keep[low : low + _CHUNK]
            block, vectors = np.zeros(_CHUNK, ROW), np.zeros((_CHUNK, self.width), np.float16)
            block[: len(part)] = rows[part]
            for place, row in enumerate(part):
                vectors[place] = old_vectors[row // _CHUNK][row % _CHUNK]
            self._rows.append(block)
            self._vectors.append(vectors)


def _cost(marks: np.ndarray | int) -> np.ndarray | int:
    """How hard sentences are to quote, from their marks, one or many."""
    flawed = (marks & int(Mark.HEADING | Mark.NOTE | Mark.BROKEN)) > 0
    return 4 * flawed + 2 * ((marks & int(Mark.SPEECH)) > 0) + ((marks & int(Mark.LEANS)) > 0)

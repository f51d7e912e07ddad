"""Tokens of a document, cut into blocks of one size, each with its place.

Knows how to regroup a stream of tokens and where a token stands in the text. Knows no
model; an encoder is whatever has ``stream``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from longread.reader.document import Block, Document


class Encoder(Protocol):
    """What turns streamed text into tokens."""

    def stream(self, pieces: Iterable[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of ``ids`` [n] int64 and ``starts`` [n] int64: each token's first character, from 0."""


def blocks(
    document: Document,
    encoder: Encoder,
    size: int,
    *,
    start: int = 0,
    end: int | None = None,
) -> Iterator[Block]:
    """The tokens from character ``start`` to ``end`` in blocks of ``size``, the last one shorter.

    Blocks join without gaps: one ends where the next one's first token begins, the last at
    ``end``. ``share`` is the part of the whole book that lies before the block's end.
    """
    if size < 1:
        raise ValueError(f"a block holds at least one token, not {size}")
    start = max(start, 0)
    end = document.characters if end is None else min(end, document.characters)
    stream = encoder.stream(document.text(start, end))
    whole = max(document.characters, 1)
    before: tuple[np.ndarray, np.ndarray] | None = None
    index, begin = 0, start

    def block(pair: tuple[np.ndarray, np.ndarray], stop: int) -> Block:
        ids, starts = pair
        return Block(index, ids, starts, begin, stop, stop / whole, document.chapter_at(begin))

    for ids, starts in cut(stream, size):
        starts = starts + start
        if before is not None:
            stop = int(starts[0])
            yield block(before, stop)
            index, begin = index + 1, stop
        before = (ids, starts)
    if before is not None:
        yield block(before, end)


def cut(
    stream: Iterable[tuple[np.ndarray, np.ndarray]], size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of arrays of any length regrouped into pairs of exactly ``size``, the last one shorter."""
    held: list[tuple[np.ndarray, np.ndarray]] = []
    count = 0
    for pair in stream:
        if not len(pair[0]):
            continue
        held.append((np.asarray(pair[0], np.int64), np.asarray(pair[1], np.int64)))
        count += len(pair[0])
        if count < size:
            continue
        ids, starts = (np.concatenate(arrays) for arrays in zip(*held, strict=True))
        whole = count - count % size
        for at in range(0, whole, size):
            yield ids[at : at + size], starts[at : at + size]
        held, count = [(ids[whole:], starts[whole:])], count - whole
    if count:
        ids, starts = (np.concatenate(arrays) for arrays in zip(*held, strict=True))
        yield ids, starts

"""How surprising a book was to the model that read it, and where.

Knows the columns that a save keeps of every block: places and sums of NLL. Knows
nothing of how they were measured or are shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from longread.store.saves import Save


@dataclass(frozen=True)
class Sampled:
    """Perplexity with the adapter and without it, on the ``blocks`` that were scored both ways.

    Without it a block is scored but for its first token, on keys of its own that hold a little less.
    """

    blocks: int
    with_: float
    without: float


@dataclass(frozen=True)
class Blocks:
    """A reading's blocks in order, each column [blocks].

    ``nll`` is the sum over a block's ``tokens`` of -log p in nats, measured before the block was learned;
    ``without`` the same without the adapter, NaN where it was not measured. A block is the characters
    [start, end).
    """

    tokens: np.ndarray
    nll: np.ndarray
    without: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, save: Save) -> tuple[Blocks | None, str]:
        """The columns of ``save``, or None and what is wrong with them."""
        from safetensors import SafetensorError

        try:
            found = save.columns("blocks.")
            columns = cls(**{name: found[name].astype(np.float64) for name in cls.__dataclass_fields__})
        except (OSError, SafetensorError, KeyError, ValueError, AttributeError):
            return None, "the figures of its blocks cannot be read"
        sizes = {column.shape for column in vars(columns).values()}
        places = (
            np.stack((columns.start, columns.end), axis=-1).ravel() if len(sizes) == 1 else np.array([1, 0])
        )
        if columns.tokens.ndim != 1 or len(sizes) != 1 or (np.diff(places) < 0).any():
            return None, "the figures of its blocks contradict each other"
        return (columns, "") if len(columns.tokens) else (None, "")

    @property
    def reach(self) -> tuple[int, int]:
        """The characters from the first block's start to the last one's end."""
        return int(self.start[0]), int(self.end[-1])

    def perplexity(self) -> float | None:
        """exp(sum of NLL / tokens) over all blocks; None where no token was scored."""
        return _perplexity(self.nll.sum(), self.tokens.sum())

    def sampled(self) -> Sampled | None:
        """With the adapter and without it; None where no block was scored both ways."""
        both = ~np.isnan(self.without)
        with_ = _perplexity(self.nll[both].sum(), self.tokens[both].sum())
        without = _perplexity(self.without[both].sum(), (self.tokens[both] - 1).sum())
        if with_ is None or without is None:
            return None
        return Sampled(int(both.sum()), with_, without)

    def bits(self, spans: Sequence[tuple[int, int]]) -> list[float | None]:
        """Bits a token (the mean of -log2 p) in each span of characters; None where nothing was read.

        A block that lies across an edge counts on both sides by its share of characters.
        """
        places = np.stack((self.start, self.end), axis=-1).ravel()

        def between(values: np.ndarray) -> np.ndarray:
            sums = np.concatenate(([0.0], np.cumsum(values)))
            # The sum up to a character: level between blocks, rising evenly through each.
            heights = np.stack((sums[:-1], sums[1:]), axis=-1).ravel()
            low, high = (np.interp([span[side] for span in spans], places, heights) for side in (0, 1))
            return high - low

        tokens, nll = between(self.tokens), between(self.nll)
        known = (tokens > 0.5) & np.isfinite(nll)
        return [
            float(n / t / math.log(2)) if sure else None
            for n, t, sure in zip(nll, tokens, known, strict=True)
        ]


def _perplexity(nll: float, tokens: float) -> float | None:
    if tokens <= 0 or not math.isfinite(nll):
        return None
    return math.exp(min(nll / tokens, 700.0))

"""Which rows a step learns from.

Knows the mix of sources and in which order their rows come. Knows no model. What comes next follows from
the seed and from how many tokens of each source were taken, so that a resumed run goes on with the rows
that the unbroken one would have had.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from longread.errors import InputError
from longread.pocket.train.talk import SINK

GIVEN = 0.25  # weight of a token that is given, such as a question's; padding has none, all others 1
GROUP = 64  # rows whose parts are dealt out together: the two halves of one seldom meet in a step
_WEIGHTS = np.array([0.0, GIVEN, 1.0], np.float32)


@dataclass(frozen=True)
class Share:
    """So many ``rows`` of ``length`` tokens of a source."""

    source: str
    length: int
    rows: int

    @property
    def tokens(self) -> int:
        """How many tokens the share holds."""
        return self.rows * self.length


@dataclass(frozen=True)
class Batch:
    """A share's rows, each [rows, length]: ids begin with the sink, targets are one further."""

    source: str
    ids: Tensor
    targets: Tensor
    weights: Tensor


# 8,192 tokens a step either way: the long stable phase on short rows of books, and the decay on rows as
# long as the window, with questions among them.
STABLE = (Share("en", 512, 13), Share("zh", 512, 1), Share("pairs", 256, 4))
DECAY = (Share("en", 1024, 6), Share("zh", 512, 1), Share("lessons", 512, 1), Share("pairs", 256, 4))


class Rows:
    """The rows of all sources in ``folder``; ``taken`` is how many tokens of each have been used."""

    def __init__(self, folder: Path, seed: int, *, sink: bool = True) -> None:
        self._folder, self._seed, self._sink = folder, seed, sink
        self._rows: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
        self._orders: dict[str, tuple[int, np.ndarray]] = {}
        self.taken: dict[str, int] = {}

    @property
    def record(self) -> dict[str, Any]:
        """What `data` wrote down of the rows; empty where it wrote nothing."""
        try:
            return json.loads((self._folder / "data.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def take(self, share: Share) -> Batch:
        """The next rows of a source. They come in an order of their own in each pass."""
        ids, marks = self._load(share.source)
        parts, group = ids.shape[1] // share.length, min(GROUP, len(ids))
        # In tokens, so that a change of length repeats no more than one group.
        at = -(-self.taken.get(share.source, 0) // share.length)
        chosen, places = [], []
        for number in range(at, at + share.rows):
            whole, rest = divmod(number, group * parts)
            part, row = divmod(rest, group)
            row += whole * group
            chosen.append(self._order(share.source, row // len(ids), len(ids))[row % len(ids)])
            places.append(part * share.length)
        self.taken[share.source] = (at + share.rows) * share.length
        return self._batch(share, ids, marks, chosen, places)

    def held(self, share: Share) -> Batch:
        """The first rows of a source's validation texts: the same ones each time."""
        source = f"{share.source}-held"
        ids, marks = self._load(source)
        rows = min(share.rows, len(ids))
        step = len(ids) // rows
        return self._batch(share, ids, marks, [n * step for n in range(rows)], [0] * rows)

    def _batch(self, share: Share, ids, marks, chosen, places) -> Batch:
        cuts = [(row, slice(low, low + share.length)) for row, low in zip(chosen, places, strict=True)]
        targets = np.stack([ids[cut] for cut in cuts]).astype(np.int64)
        weights = np.ones(targets.shape, np.float32)
        if marks is not None:
            weights = _WEIGHTS[np.stack([marks[cut] for cut in cuts])]
        inputs = np.empty_like(targets)
        inputs[:, 0], inputs[:, 1:] = SINK, targets[:, :-1]
        if not self._sink:  # for the experiment without one: the first token is the text's own
            inputs, targets, weights = targets[:, :-1], targets[:, 1:], weights[:, 1:]
        return Batch(
            share.source, *(torch.from_numpy(np.ascontiguousarray(t)) for t in (inputs, targets, weights))
        )

    def _order(self, source: str, epoch: int, count: int) -> np.ndarray:
        known = self._orders.get(source)
        if known is None or known[0] != epoch:
            chance = np.random.default_rng([self._seed, zlib.crc32(source.encode()), epoch])
            self._orders[source] = known = (epoch, chance.permutation(count))
        return known[1]

    def _load(self, source: str) -> tuple[np.ndarray, np.ndarray | None]:
        if source not in self._rows:
            from safetensors.numpy import load_file

            try:
                tensors = load_file(self._folder / f"{source}.safetensors")
            except OSError as error:
                raise InputError(
                    f"{self._folder} has no rows of {source}: {error}",
                    "prepare them: python -m longread.pocket.train.data",
                ) from None
            self._rows[source] = tensors["ids"], tensors.get("marks")
        return self._rows[source]


def pieces(batch: Batch, tokens: int) -> Iterator[Batch]:
    """A batch in parts of at most ``tokens``, one row at least."""
    rows = max(1, tokens // batch.ids.shape[1])
    for low in range(0, len(batch.ids), rows):
        part = slice(low, low + rows)
        yield Batch(batch.source, batch.ids[part], batch.targets[part], batch.weights[part])

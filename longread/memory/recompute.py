"""The sliding window encoded anew for every block: no cache, the model as it was trained.

Knows the last tokens of the stream. Knows no keys and values: this is the yardstick
that a cache is measured against, and what serves a model whose attention cannot be ours.

A block of n tokens is run as [sinks | as many of the last tokens as fit | block], W
tokens in all, at positions 0 to W-1. Its first token therefore sees W-S-n tokens of
the past and its last W-S-1, where a cache gives every token W-S-1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longread.memory.policy import KVPolicy, framed


class Recompute(KVPolicy):
    """Stateless chunks with overlap. A block longer than the window is refused (ValueError)."""

    stateful = False

    def __init__(self, backbone, *, window: int, sinks: int) -> None:
        super().__init__(backbone, window=window, sinks=sinks)
        self._seen = 0
        self._first = torch.empty(0, dtype=torch.int64)
        self._past = torch.empty(0, dtype=torch.int64)
        self._staged = self._past

    @property
    def seen(self) -> int:
        return self._seen

    @property
    def nbytes(self) -> int:
        return self._past.nbytes + self._first.nbytes

    def forward(self, ids: Tensor) -> Tensor:
        if len(self._first) + len(ids) > self.window:
            raise ValueError(f"a block of {len(ids)} tokens does not fit a window of {self.window}")
        self._staged = ids
        whole = framed(self._first.to(ids.device), self._past.to(ids.device), ids, self.window)
        return self.backbone.hidden(whole)[-len(ids) :]

    def commit(self) -> None:
        ids = self._staged.to("cpu")
        self._seen += len(ids)
        if len(self._first) < self.sinks:
            take = self.sinks - len(self._first)
            self._first, ids = torch.cat((self._first, ids[:take])), ids[take:]
        self._past = torch.cat((self._past, ids))[-self.window :]
        self._staged = ids[:0]

    def narrow(self, window: int) -> None:
        self.window = window
        self._past = self._past[-window:]

    def reencode(self, ids: Tensor) -> None:
        """Nothing: no keys are kept."""

    def state(self) -> dict[str, Tensor]:
        return {"place": torch.tensor([self._seen]), "first": self._first.clone(), "past": self._past.clone()}

    def load(self, state: dict[str, Tensor]) -> None:
        self._seen = int(state["place"])
        self._first, self._past = state["first"].clone(), state["past"].clone()

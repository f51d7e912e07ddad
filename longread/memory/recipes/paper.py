"""The published recipe of Temp-LoRA (arXiv 2401.11504, section 3 and its code's settings).

Knows the last tokens read. After a block was scored it is encoded again behind L_T
tokens of prefix that are left out of the loss, and learned from in two steps with
dropout; the window's keys are made anew with the present adapter every few blocks.
The yardstick for ``fused``.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from longread.memory.behind import learn_behind
from longread.memory.policy import framed
from longread.memory.recipes import Recipe, Scored
from longread.memory.temp_lora import LoraOptions

EPOCHS = 2
REUSE = 7  # blocks that read keys of older adapters before the window is encoded again
DROPOUT = 0.05


class Paper(Recipe):
    """Two steps a block on [L_T tokens | block]; L_T fills the window: W - S - block."""

    rate = 1e-3
    steps = EPOCHS

    def __init__(self, lora, policy) -> None:
        super().__init__(lora, policy)
        self._first = torch.empty(0, dtype=torch.int64)
        self._past = torch.empty(0, dtype=torch.int64)
        self._since = 0

    @staticmethod
    def defaults(options: LoraOptions) -> LoraOptions:
        return replace(options, dropout=DROPOUT)

    def learn(self, scored: Scored) -> bool:
        window, device = self.policy.window, scored.ids.device
        ids = scored.ids[-(window - len(self._first)) :]  # a pass no longer than the window
        whole = framed(self._first.to(device), self._past.to(device), ids, window)
        return learn_behind(self.lora, self.policy.backbone, whole, len(ids), self.steps)

    def kept(self, ids: Tensor) -> None:
        ids = ids.to("cpu")
        if self._first.numel() < self.policy.sinks:
            self._first = ids[: self.policy.sinks]  # the stream's first block is the sinks, alone
            return
        self._past = torch.cat((self._past, ids))[-self.policy.window :]
        self._since += 1
        if self._since >= REUSE:
            self._since = 0
            self._encode_window()

    def _encode_window(self) -> None:
        """The window's keys made anew by the present adapter, from the last W - S - 1 tokens."""
        device = self.policy.backbone.device
        keep = self.policy.window - self.policy.sinks - 1
        with torch.no_grad():
            self.policy.reencode(self._past[-keep:].to(device))

    def state(self) -> dict[str, Tensor]:
        return {"first": self._first.clone(), "past": self._past.clone(), "since": torch.tensor(self._since)}

    def load(self, state: dict[str, Tensor]) -> None:
        self._first, self._past = state["first"].clone(), state["past"].clone()
        self._since = int(state["since"])

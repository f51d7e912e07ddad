"""Learning from the very pass that scored the block.

Knows the score's graph. The forward pass that gave the block's loss and its keys is
the one that is walked backward, so a block costs about 4 N FLOPs a token, where reading it alone
costs 2 N. Nothing may be random in it, hence no dropout.
"""

from __future__ import annotations

from dataclasses import replace

from longread.memory.recipes import Recipe, Scored
from longread.memory.temp_lora import LoraOptions


class Fused(Recipe):
    """One step a block, on the mean NLL that was reported for it.

    Its A begins four times as large as PEFT's: with one step where the published recipe has
    two, what is learned early is worth more. And AdamW has no first moment, as in dynamic
    evaluation (arXiv 1709.07432, section 3): what comes next resembles the block just read,
    and a mean over the ten before it comes too late (both in docs/log.md).
    """

    grad = True

    @staticmethod
    def defaults(options: LoraOptions) -> LoraOptions:
        return replace(options, dropout=0.0, spread=4.0, betas=(0.0, 0.99))

    def learn(self, scored: Scored) -> bool:
        return self.lora.step(scored.nll.mean())

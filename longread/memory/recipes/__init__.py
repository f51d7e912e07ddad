"""Ways to learn from a block that has been read, by name.

Knows what a recipe must do and where each stands. A new one is one file and one
line in ``RECIPES``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module

from torch import Tensor

from longread.memory.policy import KVPolicy
from longread.memory.temp_lora import LoraOptions, TempLora

# name -> "module:class"; imported when first asked for.
RECIPES = {
    "fused": "longread.memory.recipes.fused:Fused",
    "paper": "longread.memory.recipes.paper:Paper",
}


@dataclass(frozen=True)
class Scored:
    """A block after it was scored and before anything was learned from it.

    ``ids`` [n]; ``nll`` [n] nats a token, with gradients if the recipe's ``grad`` asked for them.
    """

    ids: Tensor
    nll: Tensor


class Recipe(ABC):
    """When and from what the adapter learns.

    ``grad`` tells the session to score with gradients on the adapter, so that the
    score can serve as the loss. ``rate`` is AdamW's where the user leaves it open, ``steps``
    how many it takes on a block.
    """

    grad = False
    rate = 2e-3
    steps = 1

    def __init__(self, lora: TempLora, policy: KVPolicy) -> None:
        self.lora = lora
        self.policy = policy

    @staticmethod
    @abstractmethod
    def defaults(options: LoraOptions) -> LoraOptions:
        """``options`` with what this recipe insists on (dropout)."""

    @abstractmethod
    def learn(self, scored: Scored) -> bool:
        """Learn from a block; False if a gradient was not finite and the step was skipped."""

    def kept(self, ids: Tensor) -> None:
        """Called when the block ``ids`` has been kept by the policy, learned from or not."""

    def state(self) -> dict[str, Tensor]:
        """What the recipe itself remembers, as tensors by name."""
        return {}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up a ``state``."""


def recipe_class(name: str) -> type[Recipe]:
    """The recipe called ``name``; KeyError for one that is not listed."""
    module, kind = RECIPES[name].split(":")
    return getattr(import_module(module), kind)

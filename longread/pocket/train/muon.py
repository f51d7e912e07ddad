"""The optimizer: Muon for the matrices of the layers, AdamW for everything else.

Knows gradients and moments by a parameter's name. Knows no schedule, no data and no file.

Muon (Keller Jordan, https://kellerjordan.github.io/posts/muon/) steps along the nearest
semi-orthogonal matrix to the momentum; AdamW is 1711.05101.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Five rounds of this polynomial bring every singular value near 1 (Jordan's coefficients).
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


@dataclass(frozen=True)
class Rates:
    """Steps at full rate; a schedule multiplies both. ``decay`` is decoupled, for matrices alone."""

    muon: float = 0.02
    adam: float = 3e-3
    momentum: float = 0.95
    warm: int = 300  # steps over which momentum rises from 0.85
    betas: tuple[float, float] = (0.9, 0.95)
    decay: float = 0.02


class Optimizer:
    """Both kinds of steps over ``named`` parameters of which some are matrices of layers."""

    def __init__(self, named: Iterable[tuple[str, nn.Parameter]], rates: Rates) -> None:
        self.rates = rates
        self.matrices, self.others = {}, {}
        for name, weight in named:
            (self.matrices if name.endswith("_proj.weight") else self.others)[name] = weight
        self._momentum = {name: torch.zeros_like(weight) for name, weight in self.matrices.items()}
        self._first = {name: torch.zeros_like(weight) for name, weight in self.others.items()}
        self._second = {name: torch.zeros_like(weight) for name, weight in self.others.items()}

    @torch.no_grad()
    def step(self, number: int, scale: float, spread: Callable[..., Iterable] = map) -> None:
        """One step at ``scale`` of the full rates; ``number`` counts from 0. Gradients are used up.

        ``spread`` calls a function on each of several arguments, at the same time if it can.
        """
        self._muon(number, scale, spread)
        self._adam(number, scale)
        for weight in (*self.matrices.values(), *self.others.values()):
            weight.grad = None

    def _muon(self, number: int, scale: float, spread: Callable[..., Iterable]) -> None:
        rates = self.rates
        share = min(1.0, number / max(1, rates.warm))
        momentum = 0.85 + (rates.momentum - 0.85) * share
        same: dict[tuple[int, ...], list[str]] = {}
        for name, weight in self.matrices.items():
            held = self._momentum[name]
            held.lerp_(weight.grad, 1 - momentum)
            weight.grad.lerp_(held, momentum)  # Nesterov's
            same.setdefault(tuple(weight.shape), []).append(name)
        # Matrices of one size in one product.
        stacks = [torch.stack([self.matrices[name].grad for name in names]) for names in same.values()]
        for ((tall, wide), names), steps in zip(same.items(), spread(orthogonal, stacks), strict=True):
            rate = scale * rates.muon * max(1.0, tall / wide) ** 0.5
            for name, step in zip(names, steps, strict=True):
                weight = self.matrices[name]
                weight.mul_(1 - scale * rates.muon * rates.decay).add_(step.to(weight.dtype), alpha=-rate)

    def _adam(self, number: int, scale: float) -> None:
        rates, (one, two) = self.rates, self.rates.betas
        fix_one, fix_two = 1 - one ** (number + 1), 1 - two ** (number + 1)
        for name, weight in self.others.items():
            first, second = self._first[name], self._second[name]
            first.lerp_(weight.grad, 1 - one)
            second.mul_(two).addcmul_(weight.grad, weight.grad, value=1 - two)
            root = (second / fix_two).sqrt_().add_(1e-10)
            weight.addcdiv_(first, root, value=-scale * rates.adam / fix_one)

    def state(self) -> dict[str, Tensor]:
        """What the next step depends on, by name."""
        return {f"{kind}.{name}": tensor for kind, table in self._tables() for name, tensor in table.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Bring back what ``state`` gave. KeyError where something is missing."""
        for kind, table in self._tables():
            for name, tensor in table.items():
                tensor.copy_(tensors[f"{kind}.{name}"])

    def _tables(self) -> tuple[tuple[str, dict[str, Tensor]], ...]:
        return ("momentum", self._momentum), ("first", self._first), ("second", self._second)


@torch.no_grad()
def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices [count, tall, wide] of the same singular vectors with all singular values between about 0.7
    and 1.2 (Newton-Schulz); in bf16 on a GPU."""
    x = matrices.bfloat16() if matrices.is_cuda else matrices.clone()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.mT if tall else x

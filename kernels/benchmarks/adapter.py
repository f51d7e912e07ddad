"""lora_linear on a GPU against the composition that PEFT computes, for a bf16 layer and a float32 adapter.

Knows both. Whether the engine uses the op there follows from this figure: only if it is faster.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from clock import milliseconds, peak
from longread_kernels.lora_linear import lora_linear
from rows import Row, measured
from torch import Tensor

TOKENS, WIDTH, OUT, RANK = 2048, 4096, 4096, 16
DEVICE = "cuda"


def composed(x: Tensor, weight: Tensor, bias: None, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """Layer by layer, as PEFT's forward has it."""
    y = torch.nn.functional.linear(x, weight, bias)
    return (y + torch.nn.functional.linear(torch.nn.functional.linear(x.float(), a), b) * scale).to(y.dtype)


def on_gpu() -> Iterator[Row]:
    """Forward, and forward with backward."""
    x = torch.randn(TOKENS, WIDTH, device=DEVICE, dtype=torch.bfloat16, requires_grad=True)
    weight = torch.randn(OUT, WIDTH, device=DEVICE, dtype=torch.bfloat16)
    a = torch.randn(RANK, WIDTH, device=DEVICE, requires_grad=True)
    b = torch.randn(OUT, RANK, device=DEVICE, requires_grad=True)
    gradient = torch.randn(TOKENS, OUT, device=DEVICE, dtype=torch.bfloat16)
    what = f"layer and adapter, {TOKENS} tokens, {WIDTH} to {OUT}, rank {RANK}, bf16 and float32"
    for how, way in {"lora_linear": lora_linear, "PEFT's composition": composed}.items():

        def forward(way=way) -> Tensor:
            with torch.no_grad():
                return way(x, weight, None, a, b, 1.0)

        def both(way=way) -> None:
            torch.autograd.grad(way(x, weight, None, a, b, 1.0), (x, a, b), gradient)

        yield measured(
            {"what": what, "how": how},
            forward_ms=lambda forward=forward: milliseconds(forward),
            both_ms=lambda both=both: milliseconds(both),
            peak_MiB=lambda both=both: peak(both) / 2**20,
        )

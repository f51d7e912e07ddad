"""A frozen linear layer and its LoRA in one node of the graph.

``implementation`` says which of two ways computes a case; ``dispatch.taken`` counts them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longread_kernels import dispatch
from longread_kernels.lora_linear import reference

__all__ = ["implementation", "lora_linear"]

# A tile of A or B is held in registers, of which 64 are too many.
LARGEST_RANK = 32


def lora_linear(x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """A linear layer with a LoRA beside it: see ``reference.lora_linear``."""

    if implementation(x, a) == "kernel":
        return reference.lora_linear(x, weight, bias, a, b, scale, _add)
    dispatch.taken["lora_linear.reference"] += 1
    return reference.lora_linear(x, weight, bias, a, b, scale)


def _add(y: Tensor, low: Tensor, up: Tensor, scale: float) -> Tensor:
    """The kernel, or torch where it fails: forward and backward launch it each in a way of its own."""

    def by_kernel() -> Tensor:
        from longread_kernels.lora_linear import kernel

        return kernel.add(y, low, up, scale)

    return dispatch.attempt(
        "lora_linear", y.device, by_kernel, lambda: reference.add_by_torch(y, low, up, scale)
    )


def implementation(x: Tensor, a: Tensor) -> str:
    """Which way computes a case: "kernel" or "reference".

    The kernel is for an adapter more exact than the model; in one dtype the sum is cuBLAS's
    own, at no pass of its own.
    """
    mixed = a.dtype == torch.float32 and x.dtype in (torch.float16, torch.bfloat16)
    fits = mixed and a.shape[0] <= LARGEST_RANK
    return "kernel" if fits and dispatch.kernels_run_on(x.device) else "reference"

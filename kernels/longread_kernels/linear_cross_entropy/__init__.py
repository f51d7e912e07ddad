"""Negative log-likelihood of tokens under a frozen head, never [tokens, vocabulary] at once.

``implementation`` says which of two ways computes a case; ``dispatch.taken`` counts them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from longread_kernels import dispatch
from longread_kernels.linear_cross_entropy import reference

__all__ = ["implementation", "linear_cross_entropy"]


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, *, chunk: int | None = None, **options: Any
) -> Tensor | tuple[Tensor, Tensor]:
    """Negative log-likelihood of each target: see ``reference.linear_cross_entropy``."""

    def by_reference() -> Tensor | tuple[Tensor, Tensor]:
        return reference.linear_cross_entropy(hidden, weight, targets, chunk=chunk, **options)

    def by_kernel() -> Tensor | tuple[Tensor, Tensor]:
        from longread_kernels.linear_cross_entropy import kernel

        most = chunk or kernel.CHUNK
        return reference.linear_cross_entropy(
            hidden, weight, targets, chunk=most, judge=kernel.judge, **options
        )

    if implementation(hidden, weight) == "kernel":
        return dispatch.attempt("linear_cross_entropy", hidden.device, by_kernel, by_reference)
    dispatch.taken["linear_cross_entropy.reference"] += 1
    return by_reference()


def implementation(hidden: Tensor, weight: Tensor) -> str:
    """Which way computes a case: "kernel" or "reference"."""
    known = (torch.float32, torch.float16, torch.bfloat16)
    fits = hidden.dtype == weight.dtype and hidden.dtype in known
    return "kernel" if fits and dispatch.kernels_run_on(hidden.device) else "reference"

"""What ``lora_linear`` computes, in plain torch: eight matrix products and nothing elementwise.

Knows a frozen weight and two small matrices beside it. Knows no PEFT.

    y = x W^T + bias + s (x A^T) B^T
    dx = g W + s (g B) A      dA = s (g B)^T x      dB = s g^T (x A^T)

Composed of three layers, the same takes two elementwise passes over the output forward
and as many backward, and six nodes of the graph where this is one: for a small model
most of the adapter's cost.
"""

from __future__ import annotations

import torch
from torch import Tensor


def lora_linear(x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """A linear layer with a LoRA (arXiv 2106.09685, section 4.1) beside it.

    Parameters
    ----------
    x : [..., width]
    weight : [out, width], frozen
    bias : [out], frozen
    a : [rank, width]
    b : [out, rank]
    scale
        alpha / rank.

    Returns
    -------
    [..., out], differentiable once for ``x``, ``a`` and ``b``. All tensors have one dtype.
    """
    flat = _LoraLinear.apply(x.reshape(-1, x.shape[-1]), weight, bias, a, b, scale)
    return flat.view(*x.shape[:-1], weight.shape[0])


class _LoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, a, b, scale):
        low = x @ a.T
        y = x @ weight.T if bias is None else torch.addmm(bias, x, weight.T)
        y.addmm_(low, b.T, alpha=scale)
        ctx.save_for_backward(x, low, weight, a, b)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx, g):
        x, low, weight, a, b = ctx.saved_tensors
        scale = ctx.scale
        need_x, _, _, need_a, need_b, _ = ctx.needs_input_grad
        back = g @ b if need_x or need_a else None
        dx = torch.addmm(g @ weight, back, a, alpha=scale) if need_x else None
        da = back.T @ x if need_a else None
        db = (low.T @ g).T if need_b else None  # the faster order of the two on a CPU
        if scale != 1.0:
            da = None if da is None else da.mul_(scale)
            db = None if db is None else db.mul_(scale)
        return dx, None, None, da, db, None

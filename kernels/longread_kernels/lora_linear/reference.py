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
    return _LoraLinear.apply(x, weight, bias, a, b, scale)


class _LoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, a, b, scale):
        # Flattened here, not outside, where it would be two nodes more.
        ctx.shape = x.shape
        x = x.reshape(-1, x.shape[-1])
        low = x @ a.t()
        y = x @ weight.t() if bias is None else torch.addmm(bias, x, weight.t())
        y.addmm_(low, b.t(), alpha=scale)
        ctx.save_for_backward(x, low, weight, a, b)
        ctx.scale = scale
        return y.view(*ctx.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(ctx, g):
        x, low, weight, a, b = ctx.saved_tensors
        scale = ctx.scale
        g = g.reshape(-1, g.shape[-1])
        need_x, _, _, need_a, need_b, _ = ctx.needs_input_grad
        back = g @ b if need_x or need_a else None
        dx = torch.addmm(g @ weight, back, a, alpha=scale) if need_x else None
        da = back.t() @ x if need_a else None
        db = (low.t() @ g).t() if need_b else None  # the faster order of the two on a CPU
        if scale != 1.0:
            da = None if da is None else da.mul_(scale)
            db = None if db is None else db.mul_(scale)
        dx = None if dx is None else dx.view(ctx.shape)
        return dx, None, None, da, db, None

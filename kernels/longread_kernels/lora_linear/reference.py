"""What ``lora_linear`` computes, in plain torch: eight matrix products, nothing elementwise in one dtype.

Knows a frozen weight and two small matrices beside it. Knows no PEFT.

    y = x W^T + bias + s (x A^T) B^T
    dx = g W + s (g B) A      dA = s (g B)^T x      dB = s g^T (x A^T)

Composed of three layers, the same takes two elementwise passes over the output forward
and as many backward, and six nodes of the graph where this is one: for a small model
most of the adapter's cost. A and B may be more exact than x and W: what goes through
them is then computed in their dtype and rounded once, in the sum.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: (y [tokens, out], low [tokens, rank], up [rank, out], s) -> y + s low up, in place if it likes.
AddLowRank = Callable[[Tensor, Tensor, Tensor, float], Tensor]


def lora_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    a: Tensor,
    b: Tensor,
    scale: float,
    add: AddLowRank | None = None,
) -> Tensor:
    """A linear layer with a LoRA (arXiv 2106.09685, section 4.1) beside it.

    Parameters
    ----------
    x : [..., width]
    weight : [out, width], frozen, of x's dtype
    bias : [out], frozen, of x's dtype
    a : [rank, width]
    b : [out, rank], of a's dtype, which is x's or float32
    scale
        alpha / rank.
    add
        What brings the two products together; torch where left out.

    Returns
    -------
    [..., out] in x's dtype, differentiable once for ``x``, ``a`` and ``b``.
    """
    return _LoraLinear.apply(x, weight, bias, a, b, scale, add or add_by_torch)


def add_by_torch(y: Tensor, low: Tensor, up: Tensor, scale: float) -> Tensor:
    """An ``AddLowRank``; where the dtypes differ, by way of a copy of ``y`` in the wider one."""
    if y.dtype == low.dtype:
        return y.addmm_(low, up, alpha=scale)
    return y.to(low.dtype).addmm_(low, up, alpha=scale).to(y.dtype)


class _LoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, a, b, scale, add):
        # Flattened here, not outside, where it would be two nodes more.
        ctx.shape = x.shape
        x = x.reshape(-1, x.shape[-1])
        low = x.to(a.dtype) @ a.t()
        y = x @ weight.t() if bias is None else torch.addmm(bias, x, weight.t())
        y = add(y, low, b.t(), scale)
        ctx.save_for_backward(x, low, weight, a, b)
        ctx.scale, ctx.add = scale, add
        return y.view(*ctx.shape[:-1], weight.shape[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        x, low, weight, a, b = ctx.saved_tensors
        scale = ctx.scale
        g = g.reshape(-1, g.shape[-1])
        need_x, _, _, need_a, need_b, *_ = ctx.needs_input_grad
        exact = g.to(b.dtype)
        back = exact @ b if need_x or need_a else None
        dx = ctx.add(g @ weight, back, a, scale) if need_x else None
        da = back.t() @ x.to(a.dtype) if need_a else None
        db = (low.t() @ exact).t() if need_b else None  # the faster order of the two on a CPU
        if scale != 1.0:
            da = None if da is None else da.mul_(scale)
            db = None if db is None else db.mul_(scale)
        dx = None if dx is None else dx.view(ctx.shape)
        return dx, None, None, da, db, None, None

"""``linear_cross_entropy``'s softmax by a Triton kernel: two walks over a row and nothing written twice.

Knows one chunk of products h W^T + b, which cuBLAS makes better than we could. Knows no
head and no graph: those are ``reference.py``'s, which takes ``judge`` in place of its own.
In torch the same takes about ten passes over the chunk and three copies of it in float32;
here the gradient replaces the products where they lie.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from longread_kernels import dispatch
from longread_kernels.floats import LEAST, LN2, LOG2E, tanh

# Half-precision logits of one chunk: 128 MB, so that some hundred tokens share a pass over the head.
CHUNK = 1 << 26


@triton.jit
def logits(ROW, columns, size, scale, cap, CAPPED: tl.constexpr):
    """Some of a row's logits in float32; -inf past its end."""
    z = tl.load(ROW + columns, mask=columns < size, other=0.0).to(tl.float32) * scale
    if CAPPED:
        z = cap * tanh(z / cap)
    return tl.where(columns < size, z, float("-inf"))


@triton.jit
def row_loss(
    PRODUCTS, TARGETS, NLL, ENTROPY, size, step, scale, cap,
    V: tl.constexpr, CAPPED: tl.constexpr, GRADIENT: tl.constexpr, ENTROPIES: tl.constexpr,
):  # fmt: skip
    """One row of PRODUCTS [tokens, size]: its NLL and entropy, its gradient in its place; grid (tokens)."""
    row = tl.program_id(0).to(tl.int64)
    PRODUCTS += row * step
    target = tl.load(TARGETS + row)
    # Read before the loop, whose reductions are barriers: the gradient is written over it by any warp.
    right = tl.load(PRODUCTS + target).to(tl.float32) * scale
    if CAPPED:
        right = cap * tanh(right / cap)
    top, total, spread = tl.full([], LEAST, tl.float32), 0.0, 0.0
    for at in range(0, size, V):
        z = logits(PRODUCTS, at + tl.arange(0, V), size, scale, cap, CAPPED)
        higher = tl.maximum(top, tl.max(z, 0))
        fade = tl.exp2((top - higher) * LOG2E)
        p = tl.exp2((z - higher) * LOG2E)
        if ENTROPIES:  # sum of p (z - top), moved along with top
            below = tl.where(p > 0, z - higher, 0.0)
            spread = fade * (spread + total * (top - higher)) + tl.sum(p * below, 0)
        total = total * fade + tl.sum(p, 0)
        top = higher
    log_total = tl.log2(total) * LN2
    tl.store(NLL + row, log_total + (top - right))
    if ENTROPIES:
        tl.store(ENTROPY + row, log_total - spread / total)
    if GRADIENT:
        for at in range(0, size, V):
            columns = at + tl.arange(0, V)
            z = logits(PRODUCTS, columns, size, scale, cap, CAPPED)
            pull = tl.exp2((z - top) * LOG2E) / total - tl.where(columns == target, 1.0, 0.0)
            if CAPPED:
                bend = tl.where(columns < size, z, 0.0) / cap
                pull = pull * (1.0 - bend * bend)
            tl.store(PRODUCTS + columns, pull.to(PRODUCTS.dtype.element_ty), mask=columns < size)


def judge(
    products: Tensor,
    targets: Tensor,
    scale: float,
    softcap: float | None,
    *,
    wants_gradient: bool,
    with_entropy: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """A ``reference.Judge``; overwrites ``products`` where a gradient is wanted."""
    tokens, size = products.shape
    nll = products.new_empty(tokens, dtype=torch.float32)
    entropy = torch.empty_like(nll) if with_entropy else None
    if tokens:
        width = 64 if dispatch.interpreted() else 4096
        row_loss[(tokens,)](
            *(products, targets, nll, nll if entropy is None else entropy),
            *(size, products.stride(0), scale, softcap or 0.0),
            V=width,
            CAPPED=softcap is not None,
            GRADIENT=wants_gradient,
            ENTROPIES=with_entropy,
            num_warps=8,
        )
    return nll, entropy, products if wants_gradient else None

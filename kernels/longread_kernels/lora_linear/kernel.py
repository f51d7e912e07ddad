"""``lora_linear``'s sum by a Triton kernel: y += s low up, in one pass over y, rounded once.

Knows three matrices. The large products are cuBLAS's, which ours would not beat; what is
left is bound by memory, and this reads and writes y once where PEFT's composition moves it
seven times, partly in float32. The same kernel serves y, where up is B^T, and dx, where it is A.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from longread_kernels import dispatch


@triton.jit(do_not_specialize=("tokens",))
def add_tile(
    Y,
    LOW,
    UP,
    tokens,
    width,
    rank,
    y_step,
    up_r,
    up_w,
    scale,
    M: tl.constexpr,
    N: tl.constexpr,
    R: tl.constexpr,
):
    """One [M, N] tile of Y [tokens, width]; grid (tiles of rows, tiles of columns). LOW is contiguous."""
    rows = (tl.program_id(0) * M + tl.arange(0, M)).to(tl.int64)
    columns = tl.program_id(1) * N + tl.arange(0, N)
    ranks = tl.arange(0, R)
    low_at = LOW + rows[:, None] * rank + ranks[None, :]
    low = tl.load(low_at, mask=(rows < tokens)[:, None] & (ranks < rank)[None, :], other=0.0)
    up_at = UP + ranks[:, None] * up_r + columns[None, :] * up_w
    up = tl.load(up_at, mask=(ranks < rank)[:, None] & (columns < width)[None, :], other=0.0)
    where = Y + rows[:, None] * y_step + columns[None, :]
    used = (rows < tokens)[:, None] & (columns < width)[None, :]
    more = tl.dot(low, up, input_precision="ieee") * scale
    y = tl.load(where, mask=used, other=0.0).to(tl.float32) + more
    tl.store(where, y.to(Y.dtype.element_ty), mask=used)


def add(y: Tensor, low: Tensor, up: Tensor, scale: float) -> Tensor:
    """A ``reference.AddLowRank``, in place; ``low`` and ``up`` float32, up to rank 256."""
    if not y.numel():
        return y
    low = low.contiguous()
    m, n = (16, 16) if dispatch.interpreted() else (32, 128)
    rank = low.shape[1]
    add_tile[(triton.cdiv(len(y), m), triton.cdiv(y.shape[1], n))](
        *(y, low, up, len(y), y.shape[1], rank, y.stride(0), *up.stride(), scale),
        M=m,
        N=n,
        R=max(16, triton.next_power_of_2(rank)),
    )
    return y

"""Triton: constants and functions that several kernels share.

Knows float32 arithmetic. Knows no op.
"""

from __future__ import annotations

import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)
# Where a row's maximum begins: finite, so that a row that has seen nothing yet subtracts no infinities.
LEAST = tl.constexpr(-1.0e30)


@triton.jit
def tanh(x):
    """tanh to float32's last bit but one: Lambert's fraction as a correction of x, and the form with exp."""
    square = x * x
    top = square * (45045.0 + square * (2772.0 + square * 27.0))
    bottom = 135135.0 + square * (62370.0 + square * (3150.0 + square * 28.0))
    size = tl.abs(x)
    far = 1.0 - 2.0 / (tl.exp2(tl.minimum(size, 20.0) * (2.0 * LOG2E)) + 1.0)
    return tl.where(size < 1.25, x - x * (top / bottom), tl.where(x < 0, -far, far))

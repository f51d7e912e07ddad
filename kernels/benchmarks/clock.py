"""Time and memory on a GPU.

Knows CUDA's clock and allocator. Knows no op.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def milliseconds(run: Callable[[], Any], *, repeat_ms: int = 300) -> float:
    """The median time of ``run`` with a cold L2 cache, after a warm-up."""
    from triton.testing import do_bench

    return do_bench(run, warmup=50, rep=repeat_ms, return_mode="median")


def peak(run: Callable[[], Any]) -> int:
    """The most bytes that ``run`` adds to what is allocated, at any moment."""
    run()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def matmul_rate() -> float:
    """FLOPs a second of a large bf16 product: what this chip gives in practice."""
    size = 8192
    a = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
    return 2 * size**3 / (milliseconds(lambda: a @ a) / 1e3)

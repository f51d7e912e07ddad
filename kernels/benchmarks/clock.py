"""Time and memory on a GPU.

Knows CUDA's clock, graphs and allocator. Knows no op.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

_WARM = 3  # runs before a recording, in which kernels are compiled and libraries set themselves up


def milliseconds(run: Callable[[], Any], *, repeat_ms: int = 300) -> float:
    """The median time of ``run`` with a cold L2 cache, after a warm-up.

    Between CUDA's events, that is: where Python takes longer than the GPU it is Python's, and what
    is timed should be ``recorded``.
    """
    from triton.testing import do_bench

    return do_bench(run, warmup=50, rep=repeat_ms, return_mode="median")


def recorded(run: Callable[[], Any]) -> Callable[[], None]:
    """What ``run`` does on the GPU as one launch of a CUDA graph, without Python's part in it."""
    usual, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(usual)
    with torch.cuda.stream(side):
        for _ in range(_WARM):
            run()
    usual.wait_stream(side)
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    try:
        # As in memory/token_graph.py: a recording that fails must leave stream and allocator as they
        # were, or the next rows are measured in what is left of it.
        with torch.cuda.stream(usual), torch.cuda.graph(graph, pool, side):
            run()
    except Exception:
        with suppress(Exception):
            torch._C._cuda_endAllocateToPool(torch.cuda.current_device(), pool)
        raise
    return graph.replay


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

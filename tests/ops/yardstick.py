"""How the checks of kernels judge a result: by the error that plain torch makes at the same precision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
# The interpreter computes bf16 wrongly without an error.
DTYPES = [torch.float32, torch.float16] if INTERPRETED else [torch.float32, torch.float16, torch.bfloat16]
# cuBLAS wants it before its first product, or it refuses to be deterministic.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def needs_a_place_to_run() -> pytest.MarkDecorator:
    """Skips where kernels can be neither compiled nor interpreted."""
    there = INTERPRETED or torch.cuda.is_available()
    return pytest.mark.skipif(not there, reason="no GPU, and TRITON_INTERPRET is not 1")


@contextmanager
def poisoned() -> Iterator[None]:
    """Memory that is allocated and not filled holds NaN within this context."""
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.empty(3).isnan().all()
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def assert_as_good(names: list[str], ours: list[Tensor], plain: list[Tensor], exact: list[Tensor]) -> None:
    """Each of ``ours`` is within twice ``plain``'s error, plus a few roundings of the largest value.

    ``exact`` is float64; ``plain`` is the same computation in torch at the precision of ``ours``. The
    roundings are one in the result's own dtype and eight in float32: with a handful of numbers
    ``plain`` may have been lucky.
    """
    assert len(names) == len(ours) == len(plain) == len(exact)
    for name, our, other, truth in zip(names, ours, plain, exact, strict=True):
        assert our.shape == truth.shape, name
        assert our.isfinite().all(), f"{name} is not finite"
        if not truth.numel():
            continue
        error = float((our.detach().double() - truth.detach()).abs().max())
        allowed = 2 * float((other.detach().double() - truth.detach()).abs().max())
        allowed += (torch.finfo(our.dtype).eps + 8 * torch.finfo(torch.float32).eps) * float(
            truth.detach().abs().max()
        )
        assert error <= allowed, f"{name} is {error:.2e} off, {allowed:.2e} allowed"

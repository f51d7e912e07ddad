"""Which implementation of an op ran, and what happens when a kernel does not.

Knows names, counts and reasons. Knows no op and no user: a failure is kept as a record
that whoever talks to the user collects with ``news``.

A kernel that fails once, because it does not compile or asks for more than the device
has, is not tried again in this process: the reference does its work from there on.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from importlib.util import find_spec
from typing import TypeVar

import torch

T = TypeVar("T")

#: How often each implementation ran: "sink_attention.kernel", "sink_attention.reference", ...
taken: Counter[str] = Counter()
#: What failed and why, by the name of the op.
failed: dict[str, str] = {}
_untold: list[str] = []

#: How the driver and cuBLAS say that memory has run out; a kernel that asks for more than a
#: multiprocessor has is "out of resource".
SHORT = ("out of memory", "alloc_failed")

# Triton 3 compiles for compute capability 7.5 on; tensor cores that take bf16 come with 8.0.
_OLDEST = (8, 0)


def kernels_run_on(device: torch.device) -> bool:
    """Whether Triton kernels can work on tensors of ``device``."""
    if not _has_triton():
        return False
    if interpreted():
        return True
    return device.type == "cuda" and torch.version.hip is None and _capable(device.index or 0)


def interpreted() -> bool:
    """Whether Triton's interpreter was asked for; tests do, to run kernels without a GPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


@cache
def _capable(index: int) -> bool:
    return torch.cuda.get_device_capability(index) >= _OLDEST


def attempt(
    op: str,
    device: torch.device,
    kernel: Callable[[], T],
    reference: Callable[[], T],
    *,
    instead: str = "a slower way that needs more memory is taken",
) -> T:
    """What ``kernel`` gives or, where it fails now or has failed before, what ``reference`` gives, of which
    ``instead`` tells the user.

    Triton launches on the current card, which need not be the tensors' ``device``. Running out of
    memory is no failure of the kernel, whose reference needs more, and is passed on.
    """
    if op not in failed:
        try:
            with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
                result = kernel()
        except Exception as error:  # compiler, assembler, linker and driver have kinds of their own
            if isinstance(error, torch.OutOfMemoryError) or any(w in str(error).lower() for w in SHORT):
                raise
            failed[op] = f"{type(error).__name__}: {_reason(error)}"
            _untold.append(f"{op} does not run on this machine's GPU as it should ({failed[op]}); {instead}")
        else:
            taken[f"{op}.kernel"] += 1
            return result
    taken[f"{op}.reference"] += 1
    return reference()


def news() -> list[str]:
    """A sentence for each kernel that has failed since the last call, for the user."""
    told = _untold[:]
    _untold.clear()
    return told


def _reason(error: BaseException) -> str:
    """The first line that says why: Triton's compiler quotes the kernel first, up to the line at fault."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    quoted = bool(lines) and lines[0].startswith("at ")
    return lines[-1 if quoted else 0][:200] if lines else "no reason given"

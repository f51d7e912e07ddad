"""linear_cross_entropy against cross_entropy over whole logits: peak memory and time.

Knows the two, and what arithmetic says of their memory. On the CPU each is run in a process of
its own, whose resident size before is taken from its largest after; on a GPU the allocator is asked.

    whole logits: three tensors of [tokens, vocabulary] float32 at the peak of the backward pass:
                  the log-softmax, the gradient that arrives at it, and the one that leaves it
    in chunks:    one of [rows, vocabulary], rows = chunk // vocabulary, and [tokens, width]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from longread_kernels.linear_cross_entropy import linear_cross_entropy, reference
from rows import Row, measured
from torch import Tensor

TOKENS, VOCABULARY = 2048, 150_000
WAYS = ("whole logits", "linear_cross_entropy")


def inputs(width: int, device: str, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states that want a gradient, a frozen head, targets."""
    make = torch.Generator(device).manual_seed(0)
    hidden = torch.randn(TOKENS, width, generator=make, device=device, dtype=dtype).requires_grad_()
    weight = torch.randn(VOCABULARY, width, generator=make, device=device, dtype=dtype)
    weight.mul_(width**-0.5)  # in place: memory given back would hide what the op takes
    return hidden, weight, torch.randint(0, VOCABULARY, (TOKENS,), generator=make, device=device)


def run(way: str, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """The mean loss's gradient [tokens, width] by one of ``WAYS``."""
    if way == WAYS[0]:
        loss = torch.nn.functional.cross_entropy((hidden @ weight.T).float(), targets)
    else:
        loss = linear_cross_entropy(hidden, weight, targets).mean()
    return torch.autograd.grad(loss, hidden)[0]


def arithmetic(way: str, width: int) -> int:
    """Bytes beside inputs at the peak, float32, by the formulas above."""
    if way == WAYS[0]:
        return 3 * 4 * TOKENS * VOCABULARY
    rows = max(1, reference.CHUNK // VOCABULARY)
    return 4 * rows * VOCABULARY + 2 * 4 * TOKENS * width


def resident_peak() -> int:
    """The largest resident size of this process so far (bytes)."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident() -> int:
    """The resident size now (bytes); where the system does not say, the largest so far."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return resident_peak()
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def alone(way: str, width: int) -> None:
    """In a process of its own: prints the bytes that a run needs at its peak, and the gradient's norm."""
    given = inputs(width, "cpu", torch.float32)
    small = [given[0][:8].detach().requires_grad_(), given[1], given[2][:8]]
    run(way, *small)  # what libraries set up once is not the op's
    before = resident()  # not the peak so far, which importing may have set
    gradient = run(way, *given)
    print(json.dumps({"bytes": resident_peak() - before, "norm": float(gradient.norm())}))


def on_cpu(width: int = 64) -> Iterator[Row]:
    """Peak memory of both ways for one block, and their ratio beside arithmetic's."""
    found = {}
    for way in WAYS:
        command = [sys.executable, __file__, way, str(width)]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        if done.returncode:
            last = (done.stderr.strip() or "nothing said").splitlines()[-1]
            raise RuntimeError(f"{way} ended with status {done.returncode}: {last}")
        found[way] = json.loads(done.stdout)
        what = f"loss and gradient, {TOKENS} tokens, vocabulary {VOCABULARY}, width {width}, float32, CPU"
        peak, expected = found[way]["bytes"] / 2**20, arithmetic(way, width) / 2**20
        yield {"what": what, "how": way, "peak_MiB": peak, "arithmetic_MiB": expected}
    plain, ours = (found[way] for way in WAYS)
    if abs(plain["norm"] - ours["norm"]) > 1e-4 * plain["norm"]:
        raise RuntimeError("the gate failed: the two gradients differ")
    expected = arithmetic(WAYS[0], width) / arithmetic(WAYS[1], width)
    yield {
        "what": "whole logits / in chunks",
        "measured": plain["bytes"] / ours["bytes"],
        "arithmetic": expected,
    }


def on_gpu(width: int = 4096) -> Iterator[Row]:
    """Time and peak memory of both ways in bf16."""
    from clock import milliseconds, peak

    given = inputs(width, "cuda", torch.bfloat16)
    what = f"loss and gradient, {TOKENS} tokens, vocabulary {VOCABULARY}, width {width}, bf16"
    for way in WAYS:
        yield measured(
            {"what": what, "how": way},
            ms=lambda way=way: milliseconds(lambda: run(way, *given)),
            peak_MiB=lambda way=way: peak(lambda: run(way, *given)) / 2**20,
        )


if __name__ == "__main__":
    alone(sys.argv[1], int(sys.argv[2]))

"""The Triton kernel of lora_linear against the reference in float64: a half layer, a float32 adapter."""

from __future__ import annotations

import pytest
import torch
from longread_kernels import dispatch
from longread_kernels.lora_linear import implementation, lora_linear, reference

from tests.ops.yardstick import DEVICE, DTYPES, assert_as_good, needs_a_place_to_run, poisoned

pytestmark = needs_a_place_to_run()


def composed(x, weight, bias, a, b, scale):
    """The same as PEFT composes it, layer by layer."""
    base = torch.nn.functional.linear(x, weight, bias)
    return (base + (x.to(a.dtype) @ a.T @ b.T) * scale).to(x.dtype)


@pytest.mark.gate
@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype != torch.float32], ids=str)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("shape", "out", "rank"), [((1, 20), 7, 3), ((2, 9, 33), 50, 16), ((0, 20), 7, 3)])
def test_agrees(shape, out, rank, bias, dtype):
    make = torch.Generator().manual_seed(8)

    def random(*shape, dtype=dtype):
        return torch.randn(*shape, generator=make).to(dtype).to(DEVICE)

    x, weight, offset = random(*shape), random(out, shape[-1]), random(out) if bias else None
    a, b = random(rank, shape[-1], dtype=torch.float32), random(out, rank, dtype=torch.float32)
    g = random(*shape[:-1], out)

    def run(function, base, adapter):
        learned = [x.to(base), a.to(adapter), b.to(adapter)]
        learned = [t.clone().requires_grad_() for t in learned]
        fixed = weight.to(base), None if offset is None else offset.to(base)
        y = function(learned[0], *fixed, *learned[1:], 0.7)
        return [y, *torch.autograd.grad(y, learned, g.to(base))]

    exact = run(reference.lora_linear, torch.float64, torch.float64)
    plain = run(composed, dtype, torch.float32)
    before = dispatch.taken["lora_linear.kernel"]
    with poisoned():
        ours = run(lora_linear, dtype, torch.float32)
    assert not dispatch.failed
    assert dispatch.taken["lora_linear.kernel"] == before + 2  # forward and backward
    assert_as_good(["y", "dx", "da", "db"], ours, plain, exact)


def test_one_dtype_is_left_to_the_reference():
    """There the products bring the sum with them."""
    x, a = torch.zeros(2, 4, device=DEVICE), torch.zeros(1, 4, device=DEVICE)
    assert implementation(x, a) == "reference"
    assert implementation(x.half(), a.half()) == "reference"
    assert implementation(x.half(), a) == "kernel"

"""The Triton kernel of linear_cross_entropy against the reference in float64."""

from __future__ import annotations

import pytest
import torch
from longread_kernels import dispatch
from longread_kernels.linear_cross_entropy import linear_cross_entropy, reference

from tests.ops.yardstick import DEVICE, DTYPES, assert_as_good, needs_a_place_to_run, poisoned

pytestmark = needs_a_place_to_run()


@pytest.mark.gate
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("tokens", "vocabulary", "bias", "scale", "softcap"),
    [
        (1, 97, False, 1.0, None),
        (5, 200, True, 0.25, None),
        (7, 64, True, 1.5, 4.0),
        (0, 50, False, 1.0, None),
    ],
)
def test_agrees(tokens, vocabulary, bias, scale, softcap, dtype):
    make = torch.Generator().manual_seed(7)

    def random(*shape):
        return torch.randn(*shape, generator=make).to(dtype).to(DEVICE)

    hidden, weight, upstream = random(tokens, 24), random(vocabulary, 24), random(tokens)
    offset = random(vocabulary) if bias else None
    targets = torch.randint(0, vocabulary, (tokens,), generator=make).to(DEVICE)

    def run(function, dtype):
        h = hidden.to(dtype).requires_grad_()
        options = {"bias": None if offset is None else offset.to(dtype), "scale": scale, "softcap": softcap}
        rows = {"chunk": 3 * vocabulary, "with_entropy": True}
        nll, entropy = function(h, weight.to(dtype), targets, **options, **rows)
        (gradient,) = torch.autograd.grad(nll, h, upstream.to(nll.dtype))
        with torch.no_grad():  # with as many rows at once, or the products' last bits differ
            alone = function(h, weight.to(dtype), targets, **options, chunk=rows["chunk"])
            assert torch.equal(alone, nll)
        return [nll, entropy, gradient]

    exact = run(reference.linear_cross_entropy, torch.float64)
    plain = run(reference.linear_cross_entropy, dtype)
    before = dispatch.taken["linear_cross_entropy.kernel"]
    with poisoned():
        ours = run(linear_cross_entropy, dtype)
    assert not dispatch.failed
    assert dispatch.taken["linear_cross_entropy.kernel"] == before + 2
    assert ours[0].dtype == ours[1].dtype == torch.float32
    assert_as_good(["nll", "entropy", "gradient"], ours, plain, exact)


def test_a_certain_distribution():
    """Far-apart logits: no overflow, and an entropy that is not the difference of two large numbers."""
    weight = torch.eye(40, device=DEVICE)
    hidden = torch.zeros(2, 40, device=DEVICE)
    hidden[0, 3], hidden[1] = 2000.0, 900.0
    targets = torch.tensor([3, 5], device=DEVICE)
    nll, entropy = linear_cross_entropy(hidden, weight, targets, with_entropy=True)
    even = torch.tensor(40.0).log().item()
    assert nll.tolist() == pytest.approx([0.0, even], abs=1e-5)
    assert entropy.tolist() == pytest.approx([0.0, even], abs=1e-5)

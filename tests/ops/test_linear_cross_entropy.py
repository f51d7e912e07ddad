"""The reference of linear_cross_entropy against float64 autograd over whole logits."""

from __future__ import annotations

import pytest
import torch
from longread_kernels.linear_cross_entropy import linear_cross_entropy


@pytest.mark.parametrize("tokens", [0, 1, 7])
@pytest.mark.parametrize("chunk", [1, 60, 10_000])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("scale", "softcap"), [(1.0, None), (0.25, None), (1.5, 4.0)])
def test_loss_and_gradient(tokens, chunk, bias, scale, softcap):
    make = torch.Generator().manual_seed(2)
    hidden = torch.randn(tokens, 5, generator=make, dtype=torch.float64).requires_grad_()
    weight = torch.randn(29, 5, generator=make, dtype=torch.float64)
    offset = torch.randn(29, generator=make, dtype=torch.float64) if bias else None
    targets = torch.randint(0, 29, (tokens,), generator=make)
    logits = (hidden @ weight.T + (0 if offset is None else offset)) * scale
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    options = {"bias": offset, "scale": scale, "softcap": softcap, "chunk": chunk}
    ours, entropy = linear_cross_entropy(hidden, weight, targets, **options, with_entropy=True)
    assert torch.allclose(ours, expected, atol=1e-12)
    assert torch.equal(linear_cross_entropy(hidden, weight, targets, **options), ours)
    assert not entropy.requires_grad
    share = torch.softmax(logits.detach(), -1)
    assert torch.allclose(entropy, -(share * share.log()).sum(-1), atol=1e-12)
    per_token = torch.randn(tokens, generator=make, dtype=torch.float64)
    (mine,) = torch.autograd.grad((ours * per_token).sum(), hidden)
    (theirs,) = torch.autograd.grad((expected * per_token).sum(), hidden)
    assert torch.allclose(mine, theirs, atol=1e-12)


def test_logits_are_never_held_in_one_piece():
    """The largest tensor that the op makes follows from ``chunk``, not from tokens x vocabulary."""
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = 0

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    hidden = torch.randn(64, 4, requires_grad=True)
    weight = torch.randn(5000, 4)
    with Watching():
        linear_cross_entropy(
            hidden, weight, torch.zeros(64, dtype=torch.int64), chunk=20_000
        ).sum().backward()
    assert largest == 5000 * 4

"""lora_linear against autograd over its parts, and PEFT's layer with it against PEFT's own."""

from __future__ import annotations

import pytest
import torch
from longread_kernels.lora_linear import lora_linear
from torch import nn

from longread.model import compat


@pytest.mark.parametrize("shape", [(1, 5), (7, 5), (2, 3, 5), (0, 5)])
@pytest.mark.parametrize("bias", [False, True])
def test_value_and_gradients(shape, bias):
    make = torch.Generator().manual_seed(4)

    def random(*size):
        return torch.randn(*size, generator=make, dtype=torch.float64)

    x, a, b = random(*shape).requires_grad_(), random(2, 5).requires_grad_(), random(4, 2).requires_grad_()
    weight, offset = random(4, 5), random(4) if bias else None
    expected = nn.functional.linear(x, weight, offset) + 0.7 * (x @ a.T @ b.T)
    ours = lora_linear(x, weight, offset, a, b, 0.7)
    assert torch.allclose(ours, expected, atol=1e-13)
    upstream = random(*expected.shape)
    mine = torch.autograd.grad((ours * upstream).sum(), (x, a, b))
    theirs = torch.autograd.grad((expected * upstream).sum(), (x, a, b))
    for left, right in zip(mine, theirs, strict=True):
        assert torch.allclose(left, right, atol=1e-12)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_an_adapter_more_exact_than_its_layer(half):
    """No worse than the composition in the same dtypes, judged in float64; A and B get float32 gradients."""
    make = torch.Generator().manual_seed(4)
    x, weight, upstream = (torch.randn(*s, generator=make).to(half) for s in [(9, 40), (30, 40), (9, 30)])
    a, b = torch.randn(3, 40, generator=make), torch.randn(30, 3, generator=make)

    def composed(x, weight, _, a, b, scale):
        return (nn.functional.linear(x, weight) + (x.to(a.dtype) @ a.T @ b.T) * scale).to(x.dtype)

    found = []
    for function, base, adapter in (
        (lora_linear, half, torch.float32),
        (composed, half, torch.float32),
        (composed, torch.float64, torch.float64),
    ):
        learned = [x.to(base), a.to(adapter), b.to(adapter)]
        learned = [t.clone().requires_grad_() for t in learned]
        y = function(learned[0], weight.to(base), None, *learned[1:], 0.7)
        found.append([y.detach(), *torch.autograd.grad(y, learned, upstream.to(base))])
    assert [t.dtype for t in found[0]] == [half, half, torch.float32, torch.float32]
    for ours, theirs, exact in zip(*found, strict=True):
        error, plain = ((t.double() - exact).abs().max() for t in (ours, theirs))
        assert error <= 2 * plain + 1e-6 * exact.abs().max()


class Toy(nn.Module):
    """Just enough of a causal model for PEFT."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3, bias=False)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))

    def prepare_inputs_for_generation(self):
        """PEFT looks for it."""


def _adapted(dropout: float = 0.0, dtype: torch.dtype = torch.float32):
    torch.manual_seed(0)
    model = Toy().to(dtype)
    peft = compat.inject_adapter(model, rank=2, alpha=3.0, dropout=dropout, targets=["first", "second"])
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    return model, peft.eval()


def _peft_own(model, x):
    from peft.tuners.lora import Linear

    first, second = model.first, model.second
    return Linear.forward(second, torch.tanh(Linear.forward(first, x)))


def test_the_layer_is_pefts_own_and_says_so(monkeypatch):
    """Same figures as PEFT's forward, and the branch was taken."""
    model, _ = _adapted()
    x = torch.randn(5, 6)
    assert torch.allclose(model(x), _peft_own(model, x), atol=1e-5)
    monkeypatch.setattr(
        type(model.first).__mro__[1], "forward", lambda *_: pytest.fail("PEFT's forward was called")
    )
    model(x)


def test_dropout_other_dtypes_and_the_switch_go_through_peft():
    model, peft = _adapted(dropout=0.5)
    x = torch.randn(64, 6)
    assert torch.equal(model(x), model(x))
    for name, module in peft.named_modules():
        if ".lora_dropout." in name:
            module.train()
    assert not torch.equal(model(x), model(x))
    model, peft = _adapted()
    with compat.adapter_switched_off(peft):
        bare = nn.functional.linear(x, model.first.base_layer.weight, model.first.base_layer.bias)
        assert torch.equal(model.first(x), bare)
    assert not torch.allclose(model.first(x), bare)
    model, _ = _adapted(dtype=torch.bfloat16)
    assert model.first.lora_A["default"].weight.dtype == torch.float32
    assert model(x.bfloat16()).dtype == torch.bfloat16

"""The engine on Triton's kernels: a tiny model reads block by block and learns, as it does without them."""

from __future__ import annotations

import pytest
import torch
from longread_kernels import dispatch

from tests.ops.yardstick import DEVICE, needs_a_place_to_run

pytest.importorskip("transformers")
pytestmark = needs_a_place_to_run()


@pytest.mark.parametrize("family", ["gemma2", pytest.param("llama", marks=pytest.mark.slow)])
def test_reading_and_learning(family, monkeypatch):
    """Hidden states, losses and the adapter's gradients of three blocks; every op by its kernel."""
    from longread.memory.policy import make_policy
    from longread.model import compat
    from longread.model.backbone import Backbone
    from tests.tiny import tiny_model

    def read(backbone):
        policy = make_policy("sink", backbone, window=20, sinks=3)
        found = []
        with backbone.attached():
            for at, n in ((0, 3), (3, 9), (12, 14), (26, 1)):
                hidden = policy.forward(ids[at : at + n])
                nll = backbone.nll(hidden, ids[at + 1 : at + n + 1])
                policy.commit()
                found += [hidden.detach(), nll.detach()]
                found += torch.autograd.grad(nll.sum(), learned)
        return found

    model = tiny_model(family, num_hidden_layers=2).to(DEVICE)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    torch.manual_seed(0)
    targets = compat.linear_names(model)[:7]
    peft = compat.inject_adapter(model, rank=2, alpha=2.0, dropout=0.0, targets=targets).eval()
    learned = [p for name, p in peft.named_parameters() if p.requires_grad and "lora_B" in name]
    ids = torch.randint(3, 97, (40,), device=DEVICE)
    dispatch.taken.clear()
    ours = read(Backbone(model))
    assert not dispatch.failed and not dispatch.news()
    attention = {name: count for name, count in dispatch.taken.items() if "lora" not in name}
    assert attention.keys() <= {
        *("sink_attention.kernel", "sink_attention's gradient.kernel", "sink_attention.split"),
        "linear_cross_entropy.kernel",
    }
    assert attention["sink_attention's gradient.kernel"] >= 4
    monkeypatch.setattr(dispatch, "kernels_run_on", lambda device: False)
    dispatch.taken.clear()
    for mine, plain in zip(ours, read(Backbone(model)), strict=True):
        assert torch.allclose(mine, plain, atol=2e-4 * float(plain.abs().max()) + 1e-6, rtol=0)
    assert not any(name.endswith("kernel") for name in dispatch.taken)

"""Checkpointed layers: the loss, the gradients and the cache are those of a run that keeps everything."""

from __future__ import annotations

import pytest
import torch

from longread.config import Memory
from longread.engine.session import Session
from longread.engine.shape import Shape
from longread.memory.policy import make_policy
from longread.memory.temp_lora import LoraOptions, TempLora
from longread.model import compat
from longread.model.backbone import Backbone
from tests.engine.test_session import assert_untouched, blocks, snapshot
from tests.tiny import tiny_model

KEPT = ["llama", "gemma2", "gpt_oss", "cohere2", "gpt_neox", "smollm3"]
CHUNKS = ["gpt2", "falcon", "mamba2", "qwen3_5_text"]


def _learned(family: str, *, checkpointed: bool) -> dict[str, torch.Tensor]:
    """Loss, gradients and what is kept after a block behind 40 tokens."""
    model = tiny_model(family, num_hidden_layers=4)
    backbone = Backbone(model, stateful=family in KEPT, checkpointed=checkpointed)
    name = "sink" if backbone.stateful else "recompute"
    ids = torch.randint(3, 97, (61,), generator=torch.Generator().manual_seed(3))
    with backbone.attached(), TempLora(model, LoraOptions(rank=2, spread=4.0)) as lora:
        for n, parameter in lora.parameters.items():  # an adapter that has learned something already
            if "lora_B" in n:
                parameter.data.normal_(0, 0.1, generator=torch.Generator().manual_seed(len(n)))
        policy = make_policy(name, backbone, window=32, sinks=3)
        with torch.no_grad():
            for part in (ids[:3], ids[3:25], ids[25:40]):
                policy.forward(part)
                policy.commit()
        hidden = policy.forward(ids[40:])
        loss = backbone.nll(hidden[:-1], ids[41:]).mean()
        loss.backward()
        policy.commit()
        found = {f"kept.{key}": value for key, value in policy.state().items()}
        found |= {f"gradient.{n}": p.grad.clone() for n, p in lora.parameters.items()}
        return {**found, "loss": loss.detach()}


@pytest.mark.parametrize("family", [*KEPT, *CHUNKS])
def test_nothing_but_memory_differs(family):
    plain, found = (_learned(family, checkpointed=wanted) for wanted in (False, True))
    assert plain.keys() == found.keys()
    for name, value in plain.items():
        assert torch.equal(found[name], value), name
    assert any(value.abs().sum() > 0 for name, value in found.items() if "gradient" in name)


def test_every_layer_runs_twice_and_writes_its_keys_once(monkeypatch):
    model = tiny_model("llama", num_hidden_layers=3)
    backbone = Backbone(model, checkpointed=True)
    said: list[tuple[int, bool]] = []
    with backbone.attached(), TempLora(model, LoraOptions(rank=2)):
        policy = make_policy("sink", backbone, window=32, sinks=3)
        with torch.no_grad():
            policy.forward(torch.arange(3, 6))
        policy.commit()
        attend = policy._attend

        def watched(layer, q, k, v, **options):
            before = policy._buffers[layer.layer_idx][0].clone()
            out = attend(layer, q, k + 1e-3 * backbone.replaying, v, **options)
            said.append((layer.layer_idx, bool((policy._buffers[layer.layer_idx][0] != before).any())))
            return out

        monkeypatch.setattr(policy, "_attend", watched)
        hidden = policy.forward(torch.arange(6, 20))
        assert said == [(0, True), (1, True), (2, True)]
        backbone.nll(hidden[:-1], torch.arange(7, 20)).mean().backward()
        assert said[3:] == [(2, False), (1, False), (0, False)]


@pytest.mark.parametrize("recipe", ["fused", "paper"])
def test_a_reading_is_the_same_and_leaves_the_model_alone(recipe):
    """Dropout included: ``paper`` draws it again for the second run."""
    states = []
    for wanted in (False, True):
        model = tiny_model("llama", num_hidden_layers=3)
        before = snapshot(model)
        memory = Memory(recipe=recipe, rank=2)
        with Session(Backbone(model, checkpointed=wanted), [1], Shape(16, 48, 4), memory) as session:
            for block in blocks(9):
                session.step(block)
            states.append(session.state())
        assert_untouched(model, before)
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.equal(states[1][name], value), name


def test_without_a_gradient_nothing_runs_twice(monkeypatch):
    model = tiny_model("llama", num_hidden_layers=2)
    monkeypatch.setattr("longread.model.backbone.checkpointed", None)
    backbone = Backbone(model, checkpointed=True)
    with torch.no_grad():
        backbone.hidden(torch.arange(5))


def test_the_layers_of_every_family_are_found():
    for family in (*KEPT, *CHUNKS):
        model = tiny_model(family, num_hidden_layers=4)
        assert len(compat.layers(compat.decoder(model))) == 4, family

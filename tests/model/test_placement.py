"""A model in several places: which part goes where, and that learning does not notice."""

from __future__ import annotations

import pytest
import torch

from longread.config import Memory
from longread.engine.session import Session
from longread.engine.shape import Shape
from longread.memory import temp_lora
from longread.memory.policy import make_policy
from longread.model import compat
from longread.model.backbone import Backbone
from longread.model.find import find_model
from longread.model.fit import Needs
from longread.model.load import _from_pretrained, outline
from longread.model.placement import device_map
from longread.model.probe import probe
from tests.engine.test_session import blocks
from tests.tiny import tiny_folder

SHAPE = Shape(16, 48, 4)


def _needs(model, *, beside: int = 0) -> Needs:
    weights = 4 * sum(p.numel() for p in model.parameters())
    return Needs(weights, beside, 0, beside)


def test_layers_fill_the_cards_in_order_and_the_rest_waits(tmp_path):
    model = outline(find_model(str(tiny_folder(tmp_path / "model", "llama"))))
    layers = compat.layers(compat.decoder(model))
    one = 4 * sum(p.numel() for p in layers[0].parameters())
    rest = _needs(model).weights - 4 * one
    assert set(device_map(model, [rest + 4 * one], _needs(model)).values()) == {0}
    found = device_map(model, [rest + 2 * one, one], _needs(model))
    assert [found[f"model.layers.{i}"] for i in range(4)] == [0, 0, 1, "cpu"]
    assert {found["model.embed_tokens"], found["model.norm"], found["lm_head"]} == {0}
    crowded = device_map(model, [rest + 2 * one, one], _needs(model, beside=one // 2))
    assert [crowded[f"model.layers.{i}"] for i in range(4)] == [0, "cpu", "cpu", "cpu"]
    # Nothing waits that has room, and no card holds more than it has: keys and adapter lie by their layer.
    each = one + one // 4
    roomy = device_map(model, [rest + 2 * each, 2 * each], _needs(model, beside=one // 2))
    assert [roomy[f"model.layers.{i}"] for i in range(4)] == [0, 0, 1, 1]
    close = device_map(model, [rest + 2 * each, 2 * each - 4], _needs(model, beside=one // 2))
    assert [close[f"model.layers.{i}"] for i in range(4)] == [0, 1, "cpu", "cpu"]


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt_neox"])
def test_weights_that_wait_on_the_disk_are_learned_with_all_the_same(family, tmp_path):
    """Loss, adapter and cache are those of the model in one place, bit for bit; afterwards the weights
    wait where they did."""
    folder = tiny_folder(tmp_path / "model", family)
    found = find_model(str(folder))
    parts = device_map(outline(found), [0], _needs(outline(found)))
    names = [name for name, at in parts.items() if at == "cpu"]
    where = {name: "disk" if name in names[1:3] else "cpu" for name in parts}
    states, losses = [], []
    for more in (
        {},
        {"device_map": {"": "cpu"}},
        {"device_map": where, "offload_folder": str(tmp_path / "off")},
    ):
        model = _from_pretrained(found, torch.float32, **more).eval().requires_grad_(False)
        waiting = {name for name, p in model.named_parameters() if p.is_meta}
        assert bool(waiting) == ("offload_folder" in more)
        assert probe(model, make_policy).agrees
        backbone = Backbone(model, checkpointed=bool(waiting))
        with Session(backbone, [1], SHAPE, Memory(rank=2)) as session:
            losses.append([session.step(block)[-1].nll for block in blocks(6)])
            states.append(session.state())
            assert {n for n, p in model.named_parameters() if p.is_meta} >= {
                n for n in waiting if "norm" in n
            }
        assert {name for name, p in model.named_parameters() if p.is_meta} == waiting
        assert not any("lora" in name or "base_layer" in name for name, _ in model.named_modules())
    assert losses[0] == losses[1] == losses[2]
    for state in states[1:]:
        assert state.keys() == states[0].keys()
        for name, value in states[0].items():
            assert torch.equal(state[name], value), name


def test_an_adapter_on_two_devices_learns_and_is_saved_as_on_one(monkeypatch):
    """There is one device here; the adapter is divided as if every second matrix lay on another."""
    from tests.tiny import tiny_model

    ends = []
    for divided in (False, True):
        if divided:
            sides: dict[int, int] = {}
            monkeypatch.setattr(
                temp_lora, "_device_of", lambda p, sides=sides: sides.setdefault(id(p), len(sides)) % 2
            )
        with Session(
            Backbone(tiny_model("llama", num_hidden_layers=2)), [1], SHAPE, Memory(rank=2)
        ) as session:
            for block in blocks(5):
                session.step(block)
            state, sha = session.state(), session.lora.sha256()
            session.load(state)
            assert session.lora.sha256() == sha
            report = session.step(blocks(6)[5])[-1]
            ends.append((session.state(), report.nll))
            assert len(session.lora._flats.parts) == 1 + divided
    for name, value in ends[0][0].items():
        assert torch.allclose(ends[1][0][name].double(), value.double(), atol=1e-5), name
    assert ends[1][1] == pytest.approx(ends[0][1], rel=1e-6)

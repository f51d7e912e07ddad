"""Every family against its own stock forward: inside the window, past its edge, and its head."""

from __future__ import annotations

import pytest
import torch

from longread.memory.policy import make_policy
from longread.model.backbone import Backbone
from longread.model.probe import probe
from tests.tiny import FAMILIES, tiny_model

TOLERANCE = 5e-4  # of the logits' spread, float32, 8 layers with weights times 4


def _ids(model, n: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(3, model.config.vocab_size, (n,), generator=torch.Generator().manual_seed(seed))


def _run(backbone: Backbone, ids: torch.Tensor, *, window: int, sinks: int, block: int) -> torch.Tensor:
    policy = make_policy("sink", backbone, window=window, sinks=sinks)
    parts = [ids[:sinks], *ids[sinks:].split(block)] if sinks else ids.split(block)
    logits = []
    for part in parts:
        logits.append(backbone.logits(policy.forward(part)))
        policy.commit()
    return torch.cat(logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_inside_the_window_it_is_the_stock_forward(family):
    model = tiny_model(family)
    backbone = Backbone(model)
    ids = _ids(model, 60)
    with torch.no_grad():
        stock = model(input_ids=ids[None], use_cache=False).logits[0]
        with backbone.attached():
            ours = _run(backbone, ids, window=60, sinks=4, block=13)
            plain = backbone.logits(backbone.hidden(ids))
    spread = stock.std()
    assert (ours - stock).abs().max() / spread < TOLERANCE
    assert (plain - stock).abs().max() / spread < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_past_the_edge_blocks_agree_with_one_token_at_a_time(family):
    model = tiny_model(family)
    backbone = Backbone(model)
    ids = _ids(model, 150)  # past the 64 of the trained length, many windows of 24, 13 sliding windows of 11
    with torch.no_grad(), backbone.attached():
        one = _run(backbone, ids, window=24, sinks=3, block=1)
        for block in (7, 40):
            many = _run(backbone, ids, window=24, sinks=3, block=block)
            assert (many - one).abs().max() / one.std() < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_past_the_edge_it_is_the_stock_forward_on_the_same_cache(family):
    verdict = probe(tiny_model(family), make_policy)
    assert verdict.agrees, verdict
    assert verdict.past > 0 or verdict.inside > 0  # something was compared


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_in_chunks_is_the_stock_loss(family):
    model = tiny_model(family)
    backbone = Backbone(model)
    ids = _ids(model, 40)
    with torch.no_grad():
        logits = model(input_ids=ids[None], use_cache=False).logits[0].double()
        hidden = model.base_model(input_ids=ids[None], use_cache=False).last_hidden_state[0]
        expected = torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none")
        assert torch.allclose(backbone.nll(hidden[:-1], ids[1:]).double(), expected, atol=1e-3, rtol=1e-4)
        assert torch.allclose(backbone.logits(hidden).double(), logits, atol=1e-3, rtol=1e-4)


def test_a_model_that_turns_queries_otherwise_is_found_out(monkeypatch):
    """The probe must be able to fail: a cache that gives the sinks a wrong distance is turned down."""
    from longread.memory.sink_cache import SinkCache

    monkeypatch.setattr(SinkCache, "_turned", lambda self, layer, q: q)
    verdict = probe(tiny_model("llama"), make_policy)
    assert not verdict.agrees
    assert verdict.past > 0.01


def test_a_model_with_learned_positions_is_turned_down_and_served_in_chunks():
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "gpt2", vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    verdict = probe(model, make_policy)
    assert not verdict.agrees
    assert verdict.why

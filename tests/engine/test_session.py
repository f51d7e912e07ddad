"""The order of the block loop, and what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from longread.config import Memory
from longread.engine.session import Session
from longread.engine.shape import Shape, shape_for
from longread.errors import ModelError
from longread.events import BlockRead, Note
from longread.memory.policy import make_policy
from longread.memory.recipes.paper import REUSE
from longread.memory.temp_lora import LoraOptions, TempLora
from longread.memory.watch import PATIENCE, Watch
from longread.model.backbone import Backbone
from longread.reader.document import Block
from tests.tiny import tiny_model

SHAPE = Shape(block=16, window=48, sinks=4)
PREFIX = [1]


def blocks(count: int, size: int = 16, seed: int = 7, tail: int = 0) -> list[Block]:
    """A text that repeats itself with noise, so that there is something to learn."""
    random = np.random.default_rng(seed)
    phrase = random.integers(3, 97, 40)
    ids = np.resize(phrase, count * size + tail)
    noise = random.random(len(ids)) < 0.1
    ids = np.where(noise, random.integers(3, 97, len(ids)), ids).astype(np.int64)
    cuts = [ids[at : at + size] for at in range(0, len(ids), size)]
    return [
        Block(i, part, np.arange(len(part)) + i * size, i * size, i * size + len(part), (i + 1) / len(cuts))
        for i, part in enumerate(cuts)
    ]


def snapshot(model) -> dict:
    """Everything about a model that a job could leave changed."""
    return {
        "state": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "modules": [(name, type(module), module.training) for name, module in model.named_modules()],
        "flags": [(name, p.requires_grad, p.grad is None, id(p)) for name, p in model.named_parameters()],
        "hooks": [
            (name, len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks))
            for name, m in model.named_modules()
        ],
        "attributes": [(name, sorted(vars(module))) for name, module in model.named_modules()],
        "config": model.config.to_dict(),
        "attention": model.config._attn_implementation,
    }


def assert_untouched(model, before: dict) -> None:
    after = snapshot(model)
    for name, tensor in before.pop("state").items():
        assert torch.equal(after["state"][name], tensor), name
    after.pop("state")
    assert after == before


@pytest.fixture
def model():
    model = tiny_model("llama", num_hidden_layers=3)
    model.model.layers[0].mlp.gate_proj.weight.requires_grad_(
        False
    )  # flags that differ must come back differing
    return model


@pytest.mark.parametrize("recipe", ["fused", "paper"])
@pytest.mark.parametrize("reading_adapter", [True, False])
def test_the_base_model_is_bit_for_bit_what_it_was(model, recipe, reading_adapter):
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    names = set(ALL_ATTENTION_FUNCTIONS.valid_keys())
    before = snapshot(model)
    memory = Memory(recipe=recipe, rank=4, reading_adapter=reading_adapter)
    with Session(Backbone(model), PREFIX, SHAPE, memory) as session:
        for block in blocks(20):
            session.step(block)
        assert session.lora.steps > 0
        changed = [p for n, p in session.lora.parameters.items() if "lora_B" in n]
        assert all(p.abs().max() > 0 for p in changed), "nothing was learned, so nothing was tested"
    assert_untouched(model, before)
    assert set(ALL_ATTENTION_FUNCTIONS.valid_keys()) == names


def test_an_error_inside_leaves_the_model_as_it_was(model, monkeypatch):
    before = snapshot(model)
    with (
        pytest.raises(RuntimeError, match="in the middle"),
        Session(Backbone(model), PREFIX, SHAPE, Memory(rank=4)) as session,
    ):
        for block in blocks(3):
            session.step(block)

        def fail(*_):
            raise RuntimeError("in the middle of a backward pass")

        monkeypatch.setattr(session.lora, "step", fail)
        session.step(blocks(4)[-1])
    assert_untouched(model, before)


def test_an_error_while_the_adapter_goes_in_leaves_the_model_as_it_was(model, monkeypatch):
    before = snapshot(model)

    def fail(*_, **__):
        raise RuntimeError("no optimizer today")

    monkeypatch.setattr(torch.optim, "AdamW", fail)
    with pytest.raises(RuntimeError), Session(Backbone(model), PREFIX, SHAPE, Memory(rank=4)):
        pass
    assert_untouched(model, before)


def test_an_adapter_that_is_put_in_by_half_is_taken_out(model, monkeypatch):
    from peft.tuners.lora import Linear

    before, made = snapshot(model), []
    init = Linear.__init__

    def short(self, *given, **named):
        made.append(self)
        if len(made) == 4:
            raise torch.OutOfMemoryError("at the fourth layer")
        init(self, *given, **named)

    monkeypatch.setattr(Linear, "__init__", short)
    with pytest.raises(torch.OutOfMemoryError), Session(Backbone(model), PREFIX, SHAPE, Memory(rank=4)):
        pass
    assert_untouched(model, before)


def test_keys_made_without_the_adapter_are_those_of_the_model_alone(model):
    kept = []
    for memory in (Memory(learn=False), Memory(rank=4, reading_adapter=False), Memory(rank=4)):
        with Session(Backbone(model), PREFIX, SHAPE, memory) as session:
            for block in blocks(6):
                session.step(block)
            kept.append({name: t for name, t in session.state().items() if name.startswith("kv.")})
    alone, off, on = kept
    assert alone.keys() == off.keys() and all(torch.equal(alone[name], off[name]) for name in alone)
    assert any(not torch.equal(alone[name], on[name]) for name in alone)


def test_keys_that_paper_makes_anew_without_the_adapter_do_not_depend_on_it(model):
    kept = []
    for rate in (1e-1, 1e-6):
        memory = Memory(recipe="paper", rank=4, rate=rate, reading_adapter=False)
        with Session(Backbone(model), PREFIX, SHAPE, memory) as session:
            for block in blocks(REUSE + 3):
                session.step(block)
            kept.append({name: t for name, t in session.state().items() if name.startswith("kv.")})
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


@pytest.mark.parametrize("learn", [True, False])
def test_scores_that_are_no_numbers_are_an_error_and_never_left_out(model, monkeypatch, learn):
    with Session(Backbone(model), PREFIX, SHAPE, Memory(rank=2, learn=learn)) as session:
        first, second = blocks(2)
        session.step(first)
        whole = session.backbone.hidden
        monkeypatch.setattr(session.backbone, "hidden", lambda *given: whole(*given) * float("nan"))
        with pytest.raises(ModelError, match="not numbers") as error:
            session.step(second)
    assert "block 2:" in error.value.message and "--lr" in error.value.hint  # it is float32 already


@pytest.mark.parametrize("recipe", ["fused", "paper"])
@pytest.mark.parametrize("shape", [SHAPE, Shape(block=90, window=48, sinks=4)])
def test_no_pass_of_its_own_is_longer_than_the_window(model, monkeypatch, recipe, shape):
    """The watch's yardstick fills the window and does not pass it, and neither does what ``paper`` learns."""
    monkeypatch.setattr("longread.memory.watch.EVERY", 1)
    with Session(Backbone(model), PREFIX, shape, Memory(recipe=recipe, rank=2)) as session:
        whole, lengths = session.backbone.hidden, []

        def hidden(ids, *more):
            lengths.extend([] if more else [len(ids)])  # without a policy's positions: a pass of its own
            return whole(ids, *more)

        monkeypatch.setattr(session.backbone, "hidden", hidden)
        reports = [session.step(block)[-1] for block in blocks(6, size=shape.block)]
    assert max(lengths, default=0) <= shape.window
    fits = shape.block <= shape.window - shape.sinks
    assert [report.nll_without is not None for report in reports] == [fits] * 6
    assert not fits or lengths[-1] == shape.window


@pytest.mark.parametrize("recipe", ["fused", "paper"])
def test_a_block_is_scored_before_it_is_learned(model, recipe):
    """The oracle scores each block with the adapter as it stood before the step, on a cache of its own.

    Swapping score and learn in the session gives smaller figures than the oracle's, and fails.
    """
    texts = blocks(12)
    memory = Memory(recipe=recipe, rank=4, rate=2e-2)
    backbone = Backbone(model)
    reported, expected, leaked = [], [], []
    with Session(backbone, PREFIX, SHAPE, memory) as session:
        for block in texts:
            ids = torch.from_numpy(block.ids)
            if session.policy is not None:
                oracle = make_policy("sink", backbone, window=48, sinks=4)
                last = session._last
                with torch.no_grad():
                    oracle.load(session.policy.state())
                    hidden = oracle.forward(ids)
                    before = backbone.nll(torch.cat((last, hidden[:-1])), ids).sum()
                    state = oracle.state()
            (report,) = (e for e in session.step(block) if isinstance(e, BlockRead))
            if block.index:
                with torch.no_grad():
                    oracle.load(state)
                    after = backbone.nll(torch.cat((last, oracle.forward(ids)[:-1])), ids).sum()
                expected.append(float(before))
                leaked.append(float(after))
                reported.append(report.nll)
    assert reported == pytest.approx(expected, rel=1e-5)
    assert sum(leaked) < 0.995 * sum(expected), "learning changed too little for this test to notice a swap"


def test_perplexity_is_lower_with_the_adapter_on_a_text_that_repeats(model):
    def total(memory: Memory) -> float:
        with Session(Backbone(model), PREFIX, SHAPE, memory) as session:
            return sum(session.step(block)[-1].nll for block in blocks(40))

    plain = total(Memory(learn=False))
    assert total(Memory(rank=4, rate=2e-2)) < 0.95 * plain


def test_every_token_is_scored_once_whatever_the_block(model):
    """The sum does not depend on the block size, the text's first tokens serving as sinks included."""
    text = np.concatenate([block.ids for block in blocks(6)])
    sums = []
    for size in (5, 16, 96):
        with Session(Backbone(model), PREFIX, Shape(size, 48, 4), Memory(learn=False)) as session:
            parts = [text[at : at + size] for at in range(0, len(text), size)]
            reports = [
                session.step(Block(i, part, np.arange(len(part)), 0, 0, 0.0))[-1]
                for i, part in enumerate(parts)
            ]
        assert sum(r.tokens for r in reports) == len(text)
        sums.append(sum(r.nll for r in reports))
    assert sums == pytest.approx([sums[0]] * 3, rel=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
@pytest.mark.parametrize("prefix", [[], [1]])
@pytest.mark.parametrize("sinks", [0, 1, 4])
def test_the_shortest_texts(model, length, prefix, sinks):
    ids = np.arange(3, 3 + length)
    with Session(Backbone(model), prefix, Shape(16, 48, sinks), Memory(rank=2), keep_hidden=True) as session:
        report = session.step(Block(0, ids, np.arange(length), 0, length, 1.0))[-1]
    assert report.tokens == (length if prefix else length - 1)
    assert report.hidden.shape[0] == report.token_nll.shape[0] == length
    assert np.isnan(report.token_nll).sum() == (0 if prefix else 1)


def test_a_short_tail_is_scored_and_not_learned(model):
    with Session(Backbone(model), PREFIX, SHAPE, Memory(rank=2)) as session:
        reports = [session.step(block)[-1] for block in blocks(3, tail=3)]
    assert [r.learned for r in reports] == [True, True, True, False]
    assert reports[-1].tokens == 3


def test_the_warm_up_begins_above_zero(model):
    with TempLora(model, LoraOptions(rank=2, rate=1e-3, warm_up=4)) as lora:
        rates = []
        for _ in range(6):
            loss = sum((p * p).sum() for p in lora.parameters.values())
            lora.step(loss)
            rates.append(lora._optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([2.5e-4, 5e-4, 7.5e-4, 1e-3, 1e-3, 1e-3])


def test_a_gradient_that_is_not_finite_is_skipped_and_said(model, monkeypatch):
    with Session(Backbone(model), PREFIX, SHAPE, Memory(rank=2)) as session:
        first, second = blocks(2)
        session.step(first)
        before = session.lora.state()
        whole = session.backbone.nll
        monkeypatch.setattr(session.backbone, "nll", lambda h, t: whole(h, t) * torch.tensor(float("inf")))
        events = session.step(second)
        after = session.lora.state()
    assert any(isinstance(e, Note) and "not finite" in e.text for e in events)
    assert not events[-1].learned
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_watch_brings_the_last_good_adapter_back(model):
    with TempLora(model, LoraOptions(rank=2, rate=1e-2)) as lora:
        watch = Watch(lora)

        def disturb():
            lora.step(sum((p - 1).square().sum() for p in lora.parameters.values()))

        disturb()
        assert watch.judge(1.0, 2.0, 100) is None
        good = lora.state()
        for _ in range(PATIENCE - 1):
            disturb()
            assert watch.judge(3.0, 2.0, 100) is None
        disturb()
        said = watch.judge(3.0, 2.0, 100)
        assert said and "half the rate" in said
        back = lora.state()
        assert back["rate"].item() == pytest.approx(5e-3)
        assert all(torch.equal(good[n], back[n]) for n in good if n != "rate")


def test_the_watch_waits_until_there_are_enough_tokens(model):
    """Of two tokens the better adapter loses nearly as often as it wins: blocks of 2 would halve the rate for
    ever."""
    with TempLora(model, LoraOptions(rank=2, rate=1e-2)) as lora:
        watch, said = Watch(lora), []
        for number in range(3 * 32):
            said.append(watch.judge(3.0 if number % 3 else 1.0, 2.0, 2))
            if number == 40:
                state, watch = watch.state(), Watch(lora)
                watch.load(state)
        assert [at for at, words in enumerate(said) if words] == [3 * 32 - 1]  # 3 verdicts of 64 tokens
        for _ in range(3 * 32):
            assert watch.judge(1.9, 2.0, 2) is None


def test_a_rate_far_too_high_is_caught_while_reading(monkeypatch):
    """On a trained model and a real text: a random model cannot become worse than it is."""
    monkeypatch.setattr("longread.memory.watch.EVERY", 2)
    from longread.model.load import load_model
    from longread.reader import open_document
    from longread.reader.blocks import blocks as cut

    loaded = load_model("pocket", make_policy)
    memory = Memory(rank=4, rate=1.0)
    with (
        open_document("sample:en") as document,
        Session(loaded.backbone, loaded.prefix, Shape(16, 64, 1), memory) as session,
    ):
        said = []
        for block in islice(cut(document, loaded.encoder, 16), 120):
            said += [e.text for e in session.step(block) if isinstance(e, Note)]
        assert session.lora.rate < 1.0
    assert any("last good state" in text for text in said)


def test_the_same_seed_gives_the_same_adapter(model):
    def digest(seed: int) -> str:
        with Session(Backbone(model), PREFIX, SHAPE, Memory(rank=2), seed=seed) as session:
            for block in blocks(4):
                session.step(block)
            return session.lora.sha256()

    state = torch.random.get_rng_state()
    assert digest(1) == digest(1) != digest(2)
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random state was used up"


def test_shapes_come_from_the_model(model):
    backbone = Backbone(model)
    assert shape_for(backbone, Memory(), 1, learned_sink=True) == Shape(16, 64, 1)
    assert shape_for(backbone, Memory(), 1, learned_sink=False) == Shape(16, 64, 4)
    with pytest.raises(ModelError, match="trained on"):
        shape_for(backbone, Memory(window=65), 1, learned_sink=True)
    with pytest.raises(ModelError, match="sinks"):
        shape_for(backbone, Memory(sinks=64), 1, learned_sink=True)
    with pytest.raises(ModelError, match="20 sinks are more than a first block of 16 tokens holds"):
        shape_for(backbone, Memory(sinks=20), 1, learned_sink=True)
    paper = Memory(sinks=4, window=32, block=30, recipe="paper")
    with pytest.raises(ModelError, match="more than paper learns at once in a window of 32") as error:
        shape_for(backbone, paper, 1, learned_sink=True)
    assert error.value.hint == "use --block 28 or less"
    shape_for(backbone, replace(paper, block=28), 1, learned_sink=True)
    shape_for(backbone, replace(paper, recipe="fused"), 1, learned_sink=True)

"""The cache against a naive StreamingLLM loop, in float64, token by token."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from longread.config import Memory
from longread.engine.decode import generate_ids
from longread.engine.shape import shape_for
from longread.errors import ModelError
from longread.memory.policy import make_policy
from longread.memory.sink_cache import SinkCache
from longread.model.backbone import Backbone
from tests.tiny import tiny_model

WINDOW, TOKENS = 20, 90


@pytest.fixture(scope="module")
def exact():
    """A tiny Llama with grouped queries, in float64 down to its angles."""
    model = tiny_model("llama", dtype=torch.float64)
    table = model.model.rotary_emb
    frequencies = table.inv_freq.double()

    def forward(x, position_ids):
        phase = position_ids[..., None].double() * frequencies
        return torch.cat((phase, phase), -1).cos(), torch.cat((phase, phase), -1).sin()

    table.forward = forward
    table.inv_freq = frequencies
    return model


def _ids(n: int = TOKENS) -> torch.Tensor:
    return torch.randint(3, 97, (n,), generator=torch.Generator().manual_seed(5))


def naive_streaming(model, ids: torch.Tensor, *, window: int, sinks: int) -> torch.Tensor:
    """Logits [tokens, vocabulary] of StreamingLLM as published.

    Keys are kept before rotation and all rotated anew for every token, at their places in
    the cache; the oldest but the sinks is dropped before each token.
    """
    raw: list[dict[str, list[torch.Tensor]]] = [{"k": [], "v": []} for _ in model.model.layers]
    hooks = []
    for index, layer in enumerate(model.model.layers):
        for name, linear in (("k", layer.self_attn.k_proj), ("v", layer.self_attn.v_proj)):

            def keep(module, args, out, kept=raw[index][name]):
                kept.append(out[0, 0].view(-1, model.config.head_dim))

            hooks.append(linear.register_forward_hook(keep))
    out = []
    try:
        for token in ids:
            cache = DynamicCache()
            kept = len(raw[0]["k"])
            if kept == window:
                for entry in raw:
                    del entry["k"][sinks], entry["v"][sinks]
                kept -= 1
            for index, entry in enumerate(raw if kept else []):
                keys = torch.stack(entry["k"], dim=1)[None]  # [1, heads, kept, dim]
                cos, sin = model.model.rotary_emb(keys, torch.arange(kept)[None])
                half = keys.shape[-1] // 2
                turned = torch.cat((-keys[..., half:], keys[..., :half]), -1)
                cache.update(keys * cos + turned * sin, torch.stack(entry["v"], dim=1)[None], index)
            place = torch.tensor([[kept]])
            out.append(model(token[None, None], position_ids=place, past_key_values=cache).logits[0, -1])
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(out)


def _stream(
    backbone: Backbone, ids: torch.Tensor, *, sinks: int, block: int, window: int = WINDOW
) -> torch.Tensor:
    policy = make_policy("sink", backbone, window=window, sinks=sinks)
    logits = []
    for part in [ids[:sinks], *ids[sinks:].split(block)] if sinks else ids.split(block):
        hidden = policy.forward(part)
        policy.commit()
        logits.append(torch.nn.functional.linear(hidden, backbone.model.lm_head.weight))
    return torch.cat(logits)


@pytest.mark.parametrize("sinks", [0, 1, 4])
@pytest.mark.parametrize("block", [1, 2, 7, 16, 33])
def test_any_block_size_gives_the_token_by_token_cache(exact, sinks, block):
    ids = _ids()
    with torch.no_grad():
        expected = naive_streaming(exact, ids, window=WINDOW, sinks=sinks)
        backbone = Backbone(exact)
        with backbone.attached():
            ours = _stream(backbone, ids, sinks=sinks, block=block)
    assert ours.dtype == torch.float64
    assert (ours - expected).abs().max() < 1e-11 * expected.abs().max()


def _by_length(kind: str):
    """A model of trained length 64 whose frequencies follow from the length."""
    rope, more = {"rope_type": kind, "rope_theta": 10000.0, "factor": 4.0}, {"max_position_embeddings": 64}
    if kind == "longrope":
        rope |= {"original_max_position_embeddings": 64, "short_factor": [1.0] * 4, "long_factor": [3.0] * 4}
        more = {"max_position_embeddings": 256, "original_max_position_embeddings": 64}
    family = "phi3" if kind == "longrope" else "llama"
    return tiny_model(family, rope_parameters=rope, sliding_window=None, **more)


def _highest(backbone: Backbone, monkeypatch) -> list[int]:
    """Filled, while the test runs, with the highest position of each pass."""
    whole, highest = backbone.hidden, []

    def hidden(ids, positions, attend):
        highest.append(int(positions.max()))
        return whole(ids, positions, attend)

    monkeypatch.setattr(backbone, "hidden", hidden)
    return highest


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_where_frequencies_depend_on_length_no_block_leaves_it(kind, monkeypatch):
    """At the sizes that such a model is given. Past its length the newest keys would be rotated by other
    frequencies than the rest, and a block would not be what its tokens are one by one."""
    model = _by_length(kind)
    backbone, ids = Backbone(model), _ids(300)
    shape = shape_for(backbone, Memory(), 1, learned_sink=False)
    highest = _highest(backbone, monkeypatch)
    with torch.no_grad(), backbone.attached():
        blocks, tokens = (
            _stream(backbone, ids, sinks=4, block=size, window=shape.window) for size in (shape.block, 1)
        )
    assert max(highest) < backbone.trained_length == 64 and 2 * shape.window > 64
    assert (blocks - tokens).abs().max() < 1e-4 * tokens.std()
    with pytest.raises(ModelError, match="positions mean the same"):
        shape_for(backbone, Memory(window=64), 1, learned_sink=False)


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_where_frequencies_depend_on_length_no_prompt_leaves_it(kind, monkeypatch):
    """A prompt is run in larger steps than a text is read in."""
    backbone, ids = Backbone(_by_length(kind)), _ids(300).tolist()
    shape = shape_for(backbone, Memory(), 1, learned_sink=False)
    highest = _highest(backbone, monkeypatch)
    policy = make_policy("sink", backbone, window=shape.window, sinks=4)
    with backbone.attached():
        assert len(list(generate_ids(policy, backbone, ids, max_tokens=2))) == 2
    assert max(highest) < backbone.trained_length == 64
    assert make_policy("sink", Backbone(tiny_model("llama")), window=48, sinks=4).stride == 22


def test_rebasing_the_running_positions_changes_nothing(exact, monkeypatch):
    ids = _ids()
    backbone = Backbone(exact)
    with torch.no_grad(), backbone.attached():
        far = _stream(backbone, ids, sinks=2, block=7)
        monkeypatch.setattr("longread.memory.sink_cache.REBASE", 0)
        near = _stream(backbone, ids, sinks=2, block=7)
        policy = make_policy("sink", backbone, window=WINDOW, sinks=2)
        for part in (ids[:2], *ids[2:].split(7)):
            policy.forward(part)
            policy.commit()
        assert policy._base > 0, "the base was never moved, so nothing was tested"
    assert (far - near).abs().max() < 1e-10 * far.abs().max()


def test_the_sinks_are_seen_from_every_token_of_a_long_block(exact):
    """A published implementation drops them there: a changed sink must change the last logits."""
    ids = _ids()
    other = ids.clone()
    other[0] = (ids[0] + 1 - 3) % 94 + 3
    backbone = Backbone(exact)
    with torch.no_grad(), backbone.attached():
        a = _stream(backbone, ids, sinks=1, block=80)
        b = _stream(backbone, other, sinks=1, block=80)
        # Without sinks the first token is out of reach: 8 layers of a 6-token window see 40 back.
        c = _stream(backbone, ids, sinks=0, block=80, window=6)
        d = _stream(backbone, other, sinks=0, block=80, window=6)
    assert (a[-1] - b[-1]).abs().max() > 1e-3
    assert torch.equal(c[-1], d[-1])


def test_a_saved_cache_goes_on_as_if_nothing_had_happened(exact):
    ids = _ids()
    backbone = Backbone(exact)
    with torch.no_grad(), backbone.attached():
        policy = make_policy("sink", backbone, window=WINDOW, sinks=4)
        for part in (ids[:4], *ids[4:60].split(9)):
            policy.forward(part)
            policy.commit()
        again = make_policy("sink", backbone, window=WINDOW, sinks=4)
        again.load(policy.state())
        assert again.seen == policy.seen == 60
        for part in ids[60:].split(11):
            assert torch.equal(policy.forward(part), again.forward(part))
            policy.commit()
            again.commit()
        with pytest.raises(ValueError, match="window"):
            make_policy("sink", backbone, window=WINDOW + 1, sinks=4).load(policy.state())


def test_forward_keeps_nothing_until_commit(exact):
    ids = _ids()
    backbone = Backbone(exact)
    with torch.no_grad(), backbone.attached():
        policy = make_policy("sink", backbone, window=WINDOW, sinks=1)
        for part in (ids[:1], ids[1:30]):
            policy.forward(part)
            policy.commit()
        first = policy.forward(ids[30:37])
        policy.forward(ids[50:61])
        assert torch.equal(policy.forward(ids[30:37]), first)
        assert policy.seen == 30


def test_memory_stays_bounded(exact):
    backbone = Backbone(exact)
    ids = _ids(600)
    sizes = set()
    with torch.no_grad(), backbone.attached():
        policy = make_policy("sink", backbone, window=WINDOW, sinks=4)
        for part in (ids[:4], *ids[4:].split(1)):
            policy.forward(part)
            policy.commit()
            sizes.add(policy.nbytes)
    assert max(sizes) <= 2 * min(sizes)
    assert len(sizes) < 4


def test_a_first_block_that_is_not_the_sinks_is_refused(exact):
    policy = make_policy("sink", Backbone(exact), window=WINDOW, sinks=4)
    with pytest.raises(ValueError, match="sinks alone"):
        policy.forward(_ids(5))
    with pytest.raises(ValueError, match="no room"):
        SinkCache(Backbone(exact), window=4, sinks=4)


def test_gradients_reach_the_block_and_never_the_past(exact):
    """The oracle is the stock forward on a cache that was filled without gradients."""
    ids = _ids()
    backbone = Backbone(exact)
    weights = [exact.model.layers[i].self_attn.k_proj.weight for i in (0, 3, 7)]
    flags = [weight.requires_grad for weight in weights]
    for weight in weights:
        weight.requires_grad_(True)
    try:
        cache = DynamicCache()
        with torch.no_grad():
            exact(ids[None, :40], past_key_values=cache)
        out = exact.model(ids[None, 40:50], position_ids=torch.arange(40, 50)[None], past_key_values=cache)
        expected = torch.autograd.grad(backbone.nll(out.last_hidden_state[0, :-1], ids[41:50]).sum(), weights)
        with backbone.attached():
            policy = make_policy("sink", backbone, window=60, sinks=2)
            with torch.no_grad():
                for part in (ids[:2], ids[2:40]):
                    policy.forward(part)
                    policy.commit()
            hidden = policy.forward(ids[40:50])
            ours = torch.autograd.grad(backbone.nll(hidden[:-1], ids[41:50]).sum(), weights)
    finally:
        for weight, flag in zip(weights, flags, strict=True):
            weight.requires_grad_(flag)
    for mine, theirs in zip(ours, expected, strict=True):
        assert theirs.abs().max() > 1e-4
        # The model's norms are float32 inside, whatever its dtype.
        assert (mine - theirs).abs().max() < 1e-5 * theirs.abs().max()

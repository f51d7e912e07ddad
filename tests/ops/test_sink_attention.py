"""The reference of sink_attention against one mask over everything, in float64."""

from __future__ import annotations

import weakref

import pytest
import torch
from longread_kernels.sink_attention import one_node, reference, sink_attention
from longread_kernels.sink_attention.one_query import one_query


def plain(q, k, v, *, start, window, scale, q_sink, k_sink, v_sink, sliding, softcap, sink_logits):
    """[queries, keys] in one piece, the rule of visibility written out token by token."""
    heads, n, sums = q.shape[1], q.shape[2], torch.empty(q.shape[:3], dtype=q.dtype)
    groups = heads // k.shape[1]
    cached = k.shape[2] - n
    sinks = 0 if k_sink is None else k_sink.shape[2]
    out = torch.empty_like(q)
    for h in range(heads):
        for i in range(n):
            p, scores, values = start + i, [], []
            for s in range(sinks):
                if sliding is None or min(p, window - 1) - s < sliding:
                    scores.append(q_sink[0, h, i] @ k_sink[0, h // groups, s])
                    values.append(v_sink[0, h // groups, s])
            for j in range(cached + n):
                distance = p - (start - cached + j)
                if 0 <= distance < window - sinks and (sliding is None or distance < sliding):
                    scores.append(q[0, h, i] @ k[0, h // groups, j])
                    values.append(v[0, h // groups, j])
            z = torch.stack(scores) * scale
            if softcap is not None:
                z = softcap * torch.tanh(z / softcap)
            if sink_logits is not None:
                z = torch.cat((z, sink_logits[h, None]))
            sums[0, h, i] = torch.logsumexp(z, 0)
            weights = torch.softmax(z, 0)[: len(values)]
            out[0, h, i] = weights @ torch.stack(values)
    return out, sums


CASES = [
    # n, cached, sinks, window, start, sliding, softcap, learned sink, tile
    (5, 0, 0, 12, 0, None, None, False, 256),
    (1, 7, 2, 10, 40, None, None, False, 256),
    (9, 7, 2, 10, 40, None, None, False, 256),
    (23, 7, 2, 10, 40, None, None, False, 4),  # a block longer than the window
    (9, 7, 3, 11, 3, None, None, False, 3),
    (9, 8, 3, 12, 11, 5, None, False, 4),  # the sliding window hides the sinks
    (9, 4, 3, 20, 7, 9, None, False, 4),  # and here loses them one by one
    (6, 7, 2, 10, 40, None, 3.0, False, 256),
    (6, 7, 2, 10, 40, None, None, True, 4),
    (6, 7, 2, 10, 40, 4, 3.0, True, 4),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("groups", [1, 3])
def test_reference_is_the_rule_written_out(case, groups):
    n, cached, sinks, window, start, sliding, softcap, learned, tile = case
    make = torch.Generator().manual_seed(3)
    dim, kv = 6, 2

    def random(*shape):
        return torch.randn(*shape, generator=make, dtype=torch.float64).requires_grad_()

    q, q_sink = random(1, kv * groups, n, dim), random(1, kv * groups, n, dim)
    k, v = random(1, kv, cached + n, dim), random(1, kv, cached + n, dim)
    k_sink, v_sink = (random(1, kv, sinks, dim), random(1, kv, sinks, dim)) if sinks else (None, None)
    logits = random(kv * groups) if learned else None
    options = {
        "start": start,
        "window": window,
        "scale": 0.7,
        "q_sink": q_sink if sinks else None,
        "k_sink": k_sink,
        "v_sink": v_sink,
        "sliding": sliding,
        "softcap": softcap,
        "sink_logits": logits,
    }
    expected, sums = plain(q, k, v, **options)
    ours, lse = reference.sink_attention(q, k, v, **options, with_lse=True, tile=tile)
    assert torch.allclose(ours, expected, atol=1e-12, rtol=0)
    assert torch.allclose(lse, sums, atol=1e-12, rtol=0)
    inputs = [x for x in (q, k, v, q_sink if sinks else None, k_sink, v_sink, logits) if x is not None]
    weight = torch.randn(ours.shape, generator=make, dtype=torch.float64)
    also = torch.randn(lse.shape, generator=make, dtype=torch.float64)
    mine = torch.autograd.grad((ours * weight).sum() + (lse * also).sum(), inputs, allow_unused=True)
    theirs = torch.autograd.grad((expected * weight).sum() + (sums * also).sum(), inputs, allow_unused=True)
    for a, b, x in zip(mine, theirs, inputs, strict=True):
        zero = torch.zeros_like(x)
        assert torch.allclose(zero if a is None else a, zero if b is None else b, atol=1e-11, rtol=0)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("groups", [1, 3])
def test_one_query_agrees_with_the_reference_wherever_its_keys_lie(case, groups):
    _, cached, sinks, window, start, sliding, softcap, learned, _ = case
    make = torch.Generator().manual_seed(6)
    dim, kv, before, behind = 6, 2, 5, 3

    def random(*shape):
        return torch.randn(*shape, generator=make, dtype=torch.float64)

    q, q_sink = random(2, kv * groups, 1, dim), random(2, kv * groups, 1, dim)
    k, v = random(2, kv, before + cached + 1 + behind, dim), random(2, kv, before + cached + 1 + behind, dim)
    options = {"scale": 0.7, "sliding": sliding, "softcap": softcap}
    if sinks:
        options |= {
            "q_sink": q_sink,
            "k_sink": random(2, kv, sinks, dim),
            "v_sink": random(2, kv, sinks, dim),
        }
    if learned:
        options["sink_logits"] = random(kv * groups)
    here = slice(before, before + cached + 1)
    expected = reference.sink_attention(
        q, k[:, :, here], v[:, :, here], start=start, window=window, **options
    )
    low = before + max(0, cached + 1 - (window - sinks))
    numbers = [torch.tensor([x]) for x in (low, before + cached, min(start, window - 1))]
    ours = one_query(q, k, v, low=numbers[0], last=numbers[1], distance=numbers[2], **options)
    assert torch.allclose(ours, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("case", [case for case in CASES if case[6] is None and not case[7]])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("batch", [1, 2])
def test_one_node_agrees_with_the_reference(case, groups, batch):
    n, cached, sinks, window, start, sliding, _, _, tile = case
    make = torch.Generator().manual_seed(4)
    dim, kv = 6, 2

    def random(*shape):
        return torch.randn(*shape, generator=make, dtype=torch.float64)

    learned = [random(batch, kv * groups, n, dim), random(batch, kv, n, dim), random(batch, kv, n, dim)]
    options = {"start": start, "window": window, "scale": 0.7, "sliding": sliding, "tile": tile}
    if sinks:
        learned.append(random(batch, kv * groups, n, dim))
        options |= {"k_sink": random(batch, kv, sinks, dim), "v_sink": random(batch, kv, sinks, dim)}
    # What stands in the cache for the block is never looked at where gradients are wanted.
    past = [torch.cat((random(batch, kv, cached, dim), new), dim=2) for new in learned[1:3]]
    upstream = random(batch, kv * groups, n, dim)
    found = []
    for function in (one_node.sink_attention, reference.sink_attention):
        q, k_new, v_new, *q_sink = (x.clone().requires_grad_() for x in learned)
        out = function(q, *past, k_new=k_new, v_new=v_new, q_sink=q_sink[0] if q_sink else None, **options)
        found.append([out, *torch.autograd.grad(out, (q, k_new, v_new, *q_sink), upstream)])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-11, rtol=0)
    with torch.no_grad():
        q, _, _, *q_sink = learned
        plain_call = sink_attention(q, *past, q_sink=q_sink[0] if q_sink else None, **options)
    assert torch.allclose(plain_call, found[1][0], atol=1e-12, rtol=0)


@pytest.mark.parametrize(("learns", "most"), [(False, 2), (True, 8)])
def test_one_node_holds_a_tile_at_a_time_unless_it_will_go_back(learns, most, monkeypatch):
    softmax, made, held = torch.softmax, [], []

    def spied(*args, **kwargs):
        result = softmax(*args, **kwargs)
        made.append(weakref.ref(result))
        held.append(sum(one() is not None for one in made))
        return result

    monkeypatch.setattr(torch, "softmax", spied)
    q, k = torch.randn(1, 2, 32, 8), torch.randn(1, 1, 48, 8)
    out = one_node.sink_attention(q.requires_grad_(learns), k, k, start=16, window=40, scale=1.0, tile=4)
    assert len(made) == 8 and max(held) <= most and (held[-1] == 8) is learns
    assert out.requires_grad is learns


@pytest.mark.parametrize("function", [reference.sink_attention, one_node.sink_attention])
@pytest.mark.parametrize("ring", [1, 6])
def test_a_cache_that_wraps_around(function, ring):
    """The oldest cached key may lie anywhere; the block comes after what is cached."""
    make = torch.Generator().manual_seed(5)
    q, k, v = (torch.randn(1, 2, n, 6, generator=make, dtype=torch.float64) for n in (3, 10, 10))
    place = {"start": 40, "window": 9, "scale": 0.7}
    rolled = [torch.cat((x[:, :, :7].roll(ring, 2), x[:, :, 7:]), 2) for x in (k, v)]
    assert torch.equal(function(q, *rolled, ring=ring, **place), function(q, k, v, **place))


def test_one_node_knows_what_it_can_do():
    q = torch.zeros(1, 2, 3, 4)
    wanting = torch.zeros(1, 2, 3, 4, requires_grad=True)
    assert one_node.fits(q, (q, q, None, None))
    for place in range(4):
        assert not one_node.fits(wanting, [wanting if at == place else q for at in range(4)])
    assert one_node.fits(wanting, (q, q, q, q))
    assert not one_node.fits(q, (q, q), 50.0)
    assert not one_node.fits(q, (q, q), None, torch.zeros(2))
    assert not one_node.fits(q.bfloat16(), (q, q))


@pytest.mark.parametrize("which", ["k", "v", "k_new", "v_new"])
def test_each_of_keys_and_values_may_want_a_gradient_alone(which):
    make = torch.Generator().manual_seed(4)
    q, k, v = (torch.randn(1, 2, 5, 6, generator=make, dtype=torch.float64) for _ in range(3))
    place = {"start": 0, "window": 9, "scale": 0.4}
    found = []
    for attend in (sink_attention, reference.sink_attention):
        learned = (k if which.startswith("k") else v).clone().requires_grad_()
        given = {"k": k, "v": v, "k_new": None, "v_new": None} | {which: learned}
        if which.endswith("_new"):  # the block's own, beside what is kept of it
            other = "v_new" if which == "k_new" else "k_new"
            given[other] = v if which == "k_new" else k
        keys, values = given.pop("k"), given.pop("v")
        out = attend(q, keys, values, **place, **given)
        found.append(torch.autograd.grad((out * torch.arange(6.0)).sum(), learned)[0])
    assert found[0].abs().max() > 0
    torch.testing.assert_close(found[0], found[1])

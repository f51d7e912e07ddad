"""The Triton kernels of sink_attention against the reference in float64, forward and gradients."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
import torch
from longread_kernels import dispatch
from longread_kernels.sink_attention import implementation, reference, sink_attention

from tests.ops.yardstick import DEVICE, DTYPES, INTERPRETED, assert_as_good, needs_a_place_to_run, poisoned

pytestmark = needs_a_place_to_run()


@dataclass(frozen=True)
class Case:
    """Sizes of a call, in tokens; ``capped`` has a soft cap, ``learned`` a logit for each head."""

    n: int
    cached: int
    sinks: int
    window: int
    start: int
    sliding: int | None = None
    ring: int = 0
    groups: int = 1
    dim: int = 32
    kv: int = 1
    batch: int = 1
    capped: bool = False
    learned: bool = False
    shares: int | None = None
    interleave: bool = False


CASES = {
    "empty cache": Case(5, 0, 0, 12, 0),
    "one query, one key": Case(1, 0, 0, 8, 0),
    "one query, shares": Case(1, 70, 3, 80, 200, groups=4, ring=9),
    "more shares than tiles": Case(2, 20, 2, 30, 90, shares=5),
    "block beyond the window": Case(19, 7, 2, 10, 40, groups=2, dim=40),
    "wrapped around": Case(9, 37, 2, 40, 80, ring=30, groups=2),
    "whole tiles between": Case(20, 60, 4, 90, 300, shares=1),
    "sinks lost one by one": Case(9, 4, 3, 20, 7, sliding=9, groups=2),
    "sinks hidden, soft cap": Case(6, 7, 2, 10, 40, sliding=4, capped=True),
    "learned logits": Case(7, 12, 0, 30, 12, learned=True, groups=2),
    "batch and heads": Case(6, 5, 2, 12, 30, kv=2, batch=2, groups=2, interleave=True),
    "many sinks": Case(3, 5, 19, 30, 40),
    # Of one tile of keys the first queries see some, the next all, the last none any more.
    "keys lost sight of": Case(70, 9, 2, 38, 60),
}
SWEEP = {
    f"n{n} cached{cached} sinks{sinks} groups{groups} dim{dim}": Case(
        *(n, cached, sinks, sinks + 33, 150),
        sliding=17 if (n + sinks) % 2 else None,
        ring=cached // 2,
        groups=groups,
        dim=dim,
        capped=(n + dim) % 3 == 0,
        learned=cached % 2 == 1,
    )
    for (n, cached, sinks), groups, dim in itertools.product(
        [(1, 31, 4), (17, 32, 0), (33, 5, 1), (50, 32, 17)], [1, 3, 8], [32, 72, 96, 128, 256]
    )
}
LARGE = {  # for a GPU
    "a book's block": Case(700, 1500, 4, 1600, 9000, groups=4, kv=2, dim=128),
    "decoding": Case(1, 4095, 4, 4100, 9000, groups=4, kv=8, dim=128, ring=1000),
    "decoding, wide heads": Case(1, 2000, 4, 2100, 9000, groups=8, kv=1, dim=256, sliding=1024),
}


def made(case: Case, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Inputs in ``dtype``, keys and values lying in a buffer whose other rows are NaN."""
    make = torch.Generator().manual_seed(5)

    def random(*shape):
        return torch.randn(*shape, generator=make).to(dtype).to(DEVICE)

    heads, keys = case.kv * case.groups, case.cached + case.n
    laid_out = (case.batch, heads, case.n, case.dim)
    found = {"q": random(*laid_out), "g": random(*laid_out)}
    if case.interleave:  # as a model gives them: the heads of a token side by side
        shape = (case.batch, case.n, heads, case.dim)
        found = {name: random(*shape).transpose(1, 2) for name in found}
    for name in ("k", "v"):
        buffer = torch.full((case.batch, case.kv, keys + 9, case.dim), float("nan"), dtype=dtype).to(DEVICE)
        buffer[:, :, 5 : 5 + keys] = random(case.batch, case.kv, keys, case.dim)
        found[name] = buffer[:, :, 5 : 5 + keys]
    found["g_lse"] = random(case.batch, heads, case.n)
    if case.sinks:
        found["q_sink"] = random(*laid_out)
        found["k_sink"], found["v_sink"] = (
            random(case.batch, case.kv, case.sinks, case.dim) for _ in range(2)
        )
    if case.learned:
        found["sink_logits"] = random(heads)
    return found


def run(function, case: Case, inputs: dict[str, torch.Tensor], dtype: torch.dtype, **more):
    """Names and tensors: output, log-sum-exp and the gradients of whatever has one."""
    given = {name: x.to(dtype) for name, x in inputs.items()}
    g, g_lse = given.pop("g"), given.pop("g_lse")
    q, k, v = (given.pop(name) for name in "qkv")
    learned = {"q": q, "k_new": k[:, :, case.cached :], "v_new": v[:, :, case.cached :]}
    learned |= {name: given.pop(name) for name in ("q_sink", "sink_logits") if name in given}
    learned = {name: x.clone().requires_grad_() for name, x in learned.items()}
    options = {name: x for name, x in learned.items() if name != "q"} | given
    out, lse = function(
        *(learned["q"], k, v),
        start=case.start,
        window=case.window,
        scale=case.dim**-0.5,
        sliding=case.sliding,
        softcap=3.0 if case.capped else None,
        ring=case.ring,
        with_lse=True,
        **options,
        **more,
    )
    gradients = torch.autograd.grad((out, lse), list(learned.values()), (g, g_lse.to(lse.dtype)))
    return ["out", "lse", *learned], [out, lse, *gradients]


def agrees(case: Case, dtype: torch.dtype) -> None:
    """The dispatched op, which must be the kernel, is as good as the reference at its precision."""
    inputs = made(case, dtype)
    _, exact = run(reference.sink_attention, case, inputs, torch.float64)
    names, plain = run(reference.sink_attention, case, inputs, dtype)
    before = dispatch.taken.copy()
    more = {} if case.shares is None else {"shares": case.shares}
    with poisoned():
        _, ours = run(sink_attention, case, inputs, dtype, **more)
    assert not dispatch.failed
    assert dispatch.taken["sink_attention.kernel"] == before["sink_attention.kernel"] + 1
    assert (
        dispatch.taken["sink_attention's gradient.kernel"] == before["sink_attention's gradient.kernel"] + 1
    )
    split = dispatch.taken["sink_attention.split"] - before["sink_attention.split"]
    assert split == 1 if (case.shares or 0) > 1 else split in (0, 1)
    assert_as_good(names, ours, plain, exact)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_agrees(name, dtype):
    if dtype != torch.float32 and INTERPRETED and name not in ("wrapped around", "sinks hidden, soft cap"):
        pytest.skip("in the sweep: the interpreter is slow")
    agrees(CASES[name], dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CASES | SWEEP)
def test_agrees_everywhere(name, dtype):
    agrees((CASES | SWEEP)[name], dtype)


@pytest.mark.gate
@pytest.mark.skipif(INTERPRETED, reason="sizes for a GPU")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LARGE)
def test_agrees_at_size(name, dtype):
    agrees(LARGE[name], dtype)


def test_one_query_is_split():
    """Decoding keeps more than one program a head busy."""
    case = CASES["one query, shares"]
    inputs = made(case, torch.float32)
    before = dispatch.taken["sink_attention.split"]
    run(sink_attention, case, inputs, torch.float32)
    assert dispatch.taken["sink_attention.split"] == before + 1


def test_without_a_cache_the_keys_have_the_gradient():
    """Where all of k is the block, its own graph is used, as in a plain causal pass."""
    make = torch.Generator().manual_seed(6)
    q, k, v, g = (torch.randn(1, 2, 7, 32, generator=make).to(DEVICE) for _ in range(4))
    found = []
    for function, dtype in ((sink_attention, torch.float32), (reference.sink_attention, torch.float64)):
        learned = [x.to(dtype).requires_grad_() for x in (q, k, v)]
        assert implementation(*learned) == ("kernel" if dtype == torch.float32 else "reference")
        out = function(*learned, start=0, window=7, scale=0.2)
        found.append([out, *torch.autograd.grad(out, learned, g.to(dtype))])
    for ours, exact in zip(*found, strict=True):
        assert torch.allclose(ours.double(), exact, atol=2e-6, rtol=0)


def test_the_same_bits_twice():
    """No sums in whatever order programs happen to end."""
    case = CASES["wrapped around"]
    inputs = made(case, torch.float32)
    _, once = run(sink_attention, case, inputs, torch.float32)
    _, twice = run(sink_attention, case, inputs, torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(once, twice, strict=True))


@pytest.fixture
def forgetful():
    """What failed is forgotten before and after."""
    dispatch.failed.clear()
    dispatch.news()
    yield
    dispatch.failed.clear()
    dispatch.news()


@pytest.mark.parametrize("where", ["forward", "gradient"])
def test_a_kernel_that_does_not_compile_gives_way(where, forgetful, monkeypatch):
    """The reference does its work, one sentence says why, and it is not tried again."""
    from longread_kernels.sink_attention import kernel

    calls = []

    def tiles(kind, *rest):
        calls.append(kind)
        bad = (kind == "forward") == (where == "forward")
        return kernel.Tiles(10, 16) if bad else kernel.Tiles(16, 16)  # no power of two

    monkeypatch.setattr(kernel, "tiles", tiles)
    case = Case(5, 6, 2, 12, 30)
    inputs = made(case, torch.float32)
    _, exact = run(reference.sink_attention, case, inputs, torch.float32)
    for _ in range(2):
        _, ours = run(sink_attention, case, inputs, torch.float32)
        assert all(torch.allclose(a, b, atol=2e-6) for a, b in zip(ours, exact, strict=True))
    assert calls.count("forward" if where == "forward" else "queries") == 1
    (sentence,) = dispatch.news()
    assert "sink_attention" in sentence and "power of 2" in sentence
    assert dispatch.news() == []


def test_what_the_kernel_leaves_to_others():
    """Float64, mixed dtypes, heads beyond 256, and gradients for what is kept."""

    def choice(dim=32, dtype=torch.float32, keys=3, **changes):
        q = torch.zeros(1, 2, 3, dim, dtype=dtype, device=DEVICE)
        k = torch.zeros(1, 2, keys, dim, dtype=dtype, device=DEVICE)
        q, k, v = (changes.pop(name, x) for name, x in (("q", q), ("k", k), ("v", k)))
        return implementation(q, k, v, **changes)

    wanting = torch.zeros(1, 2, 3, 32, device=DEVICE, requires_grad=True)
    longer = torch.zeros(1, 2, 5, 32, device=DEVICE, requires_grad=True)
    assert choice() == choice(dim=256) == choice(k=wanting) == choice(keys=9, k_new=wanting) == "kernel"
    assert choice(softcap=3.0, with_lse=True, sink_logits=wanting[0, :, 0, 0]) == "kernel"
    assert choice(dtype=torch.float64) == choice(dim=257) == "one_node"
    assert choice(v=torch.zeros(1, 2, 3, 16, device=DEVICE)) == "one_node"
    assert choice(k_sink=wanting) == choice(keys=5, k=longer) == choice(dtype=torch.float64, softcap=1.0)
    assert choice(k_sink=wanting) == "reference"

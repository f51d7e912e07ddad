"""``sink_attention`` by Triton's kernels: tiles for the device, buffers, and one node of the graph.

Knows torch on one side and ``forward.py`` and ``backward.py`` on the other. Nothing of size
[queries, keys] is held: the forward pass keeps one log-sum-exp a row, the backward pass
computes the probabilities anew. Keys are frozen but for the block's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import triton
from torch import Tensor

from longread_kernels import dispatch
from longread_kernels.sink_attention import backward, forward

# A layer without a sliding window has one that nothing reaches beyond.
NO_LIMIT = 1 << 30
MOST_SHARES = 32
# A tile of rows for few queries; tl.dot wants 16.
FEW = 16
# Shared memory a block (bytes) above which a device takes larger tiles: A100 and H100 have it, cards for
# playing do not.
ROOMY = 160_000


@dataclass(frozen=True)
class Tiles:
    """M rows of queries by N keys a program, and how it is compiled."""

    m: int
    n: int
    warps: int = 4
    stages: int = 2


@dataclass(frozen=True)
class Case:
    """The numbers of a call, all in tokens but the last three."""

    start: int
    window: int
    recent: int
    sliding: int
    ring: int
    cached: int
    sinks: int
    groups: int
    scale: float
    cap: float


def sink_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    start: int,
    window: int,
    scale: float,
    q_sink: Tensor | None = None,
    k_sink: Tensor | None = None,
    v_sink: Tensor | None = None,
    k_new: Tensor | None = None,
    v_new: Tensor | None = None,
    sliding: int | None = None,
    softcap: float | None = None,
    sink_logits: Tensor | None = None,
    ring: int = 0,
    shares: int | None = None,
) -> tuple[Tensor, Tensor]:
    """As in ``reference.py``, where the op's ``implementation`` says so: output and log-sum-exp.

    ``shares`` is into how many parts the keys are split; left out, as many as keep the device busy.
    """
    n, heads, kv = q.shape[2], q.shape[1], k.shape[1]
    # Where nothing is cached the whole of k is the block.
    if (k.requires_grad or v.requires_grad) and k_new is None:
        k_new, v_new, k, v = k, v, k.detach(), v.detach()
    sinks = 0 if k_sink is None else k_sink.shape[2]
    recent = window - sinks if sliding is None else min(window - sinks, sliding)
    limit = NO_LIMIT if sliding is None else sliding
    cached = k.shape[2] - n
    cap = softcap or 0.0
    case = Case(start, window, recent, limit, ring, cached, sinks, heads // kv, scale, cap)
    if sinks:
        k_sink, v_sink = k_sink.contiguous(), v_sink.contiguous()
    q, q_sink, k, v = (None if x is None else _rows(x) for x in (q, q_sink, k, v))
    out, lse = _SinkAttention.apply(q, q_sink, k_new, v_new, k, v, k_sink, v_sink, case, shares)
    if sink_logits is None:
        return out, lse
    # A logit without a value only takes its share of the softmax away.
    logit = sink_logits.float()[None, :, None]
    kept = torch.sigmoid(lse - logit)[..., None].to(out.dtype)
    return out * kept, torch.logaddexp(lse, logit)


def _rows(x: Tensor) -> Tensor:
    """``x`` with its last dimension next to each other in memory."""
    return x if x.stride(-1) == 1 else x.contiguous()


def padded(dim: int) -> int:
    """Triton's tiles have powers of two."""
    return max(16, triton.next_power_of_2(dim))


def tiles(kind: str, rows: int, dim: int, itemsize: int, roomy: bool) -> Tiles:
    """Tiles for a pass ("forward", "queries", "block_keys"), by shared memory and registers; no autotune.

    ``dim`` is padded. ``roomy`` says whether the device has over 160 kB of shared memory a block.
    """
    if dispatch.interpreted():
        return Tiles(16, 16)
    if itemsize == 4:  # no tensor cores at full precision: registers decide
        if kind == "block_keys" and dim > 128 and not roomy:
            return Tiles(16, 16, 8)
        return Tiles(FEW if rows <= FEW and kind == "forward" else 32, 32 if dim <= 64 else 16, 8)
    wide, warps = dim > 128, 8 if dim > 128 else 4
    if kind == "forward":
        if rows <= FEW:
            return Tiles(FEW, 32 if wide else 64, 4, 3 if roomy else 2)
        return Tiles(64 if wide else 128, 32 if wide or not roomy else 64, 8, 3 if roomy else 2)
    small = wide and not roomy
    if kind == "queries":
        return Tiles(32 if small else 64, 16 if small else 32, warps)
    # Compute capability 9.0 has faster products of matrices, from 64 rows on.
    return Tiles(64 if roomy and not wide else 32, 32 if small else 64, warps)


@cache
def _units(index: int | None) -> int:
    """Multiprocessors of a device; a few in the interpreter, so that keys are split there too."""
    return 4 if index is None else torch.cuda.get_device_properties(index).multi_processor_count


@cache
def _roomy(index: int | None) -> bool:
    if index is None:
        return True
    return torch.cuda.get_device_properties(index).shared_memory_per_block_optin > ROOMY


def _share_count(programs: int, keys: int, tile: int, index: int | None) -> int:
    """How many parts the keys are split into: two programs a multiprocessor, two tiles a part at least."""
    wanted = min(2 * _units(index) // programs, triton.cdiv(keys, 2 * tile), MOST_SHARES)
    return max(1, wanted)


def _flags(q: Tensor, case: Case) -> dict[str, Any]:
    return {"GROUPS": case.groups, "D": padded(q.shape[3]), "CAPPED": case.cap > 0, "PRECISION": "ieee"}


def _numbers(case: Case, n: int, kv: int, dim: int) -> tuple[Any, ...]:
    return (
        *(n, case.cached, case.start, case.ring, case.recent, case.window, case.sinks, case.sliding),
        *(kv, dim, case.scale, case.cap),
    )


def _attend(q, q_sink, k, v, k_sink, v_sink, case: Case, shares: int | None) -> tuple[Tensor, Tensor]:
    batch, heads, n, dim = q.shape
    kv, rows, flags = k.shape[1], n * case.groups, _flags(q, case)
    pick = tiles("forward", rows, flags["D"], q.element_size(), _roomy(q.device.index))
    grid = triton.cdiv(rows, pick.m), batch * kv
    if shares is None:
        keys = min(case.cached + n, case.recent + n)
        shares = _share_count(grid[0] * grid[1], keys, pick.n, q.device.index)
    # As the model's next layer wants it: the heads of a token side by side.
    out = q.new_empty(batch, n, heads, dim).transpose(1, 2)
    lse = q.new_empty(batch, heads, n, dtype=torch.float32)
    part, part_lse = (out[None], lse[None]) if shares == 1 else (
        q.new_empty(shares, batch, heads, n, dim, dtype=torch.float32),
        lse.new_empty(shares, batch, heads, n),
    )  # fmt: skip
    far = q if q_sink is None else q_sink
    k_sink, v_sink = (k, v) if k_sink is None else (k_sink, v_sink)
    forward.attend[(*grid, shares)](
        *(q, far, k, v, k_sink, v_sink, part, part_lse),
        *(*q.stride()[:3], *far.stride()[:3], *k.stride()[:3], *v.stride()[:3], *part.stride()[:4]),
        part_lse.stride(0),
        *_numbers(case, n, kv, dim),
        **flags,
        M=pick.m,
        N=pick.n,
        S=16,
        RING=case.ring > 0,
        num_warps=pick.warps,
        num_stages=pick.stages,
    )
    if shares > 1:
        dispatch.taken["sink_attention.split"] += 1
        forward.join[(batch * heads * n,)](
            *(part, part_lse, out, lse, shares, heads, n, dim, *out.stride()[:3]),
            SHARES=MOST_SHARES,
            D=flags["D"],
        )
    return out, lse


def _gradients(g, g_lse, q, q_sink, k, v, k_sink, v_sink, out, lse, case: Case, wants_keys: bool):
    batch, _, n, dim = q.shape
    kv, rows, flags = k.shape[1], n * case.groups, _flags(q, case)
    room = _roomy(q.device.index)
    pick = tiles("queries", rows, flags["D"], q.element_size(), room)
    dq, dq_sink = torch.empty_like(out), None if q_sink is None else torch.empty_like(out)
    delta = torch.empty_like(lse)
    g, g_lse = _rows(g), torch.zeros_like(lse) if g_lse is None else g_lse.contiguous()
    far = q if q_sink is None else q_sink
    sinks = (k, v) if k_sink is None else (k_sink, v_sink)
    backward.queries[(triton.cdiv(rows, pick.m), batch * kv)](
        *(q, far, k, v, *sinks, out, lse, g, g_lse, dq, dq if dq_sink is None else dq_sink, delta),
        *(*q.stride()[:3], *far.stride()[:3], *k.stride()[:3], *v.stride()[:3]),
        *(*out.stride()[:3], *g.stride()[:3]),
        *_numbers(case, n, kv, dim),
        **flags,
        M=pick.m,
        N=pick.n,
        S=16,
        RING=case.ring > 0,
        num_warps=pick.warps,
        num_stages=pick.stages,
    )
    if not wants_keys:
        return dq, dq_sink, None, None
    pick = tiles("block_keys", rows, flags["D"], q.element_size(), room)
    dk, dv = (q.new_empty(batch, kv, n, dim) for _ in range(2))
    backward.block_keys[(triton.cdiv(n, pick.n), batch * kv)](
        *(q, k, v, lse, g, delta, dk, dv),
        *(*q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *g.stride()[:3]),
        *(n, case.cached, case.recent, kv, dim, case.scale, case.cap),
        **flags,
        M=pick.m,
        N=pick.n,
        num_warps=pick.warps,
        num_stages=pick.stages,
    )
    return dq, dq_sink, dk, dv


class _SinkAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, q_sink, k_new, v_new, k, v, k_sink, v_sink, case, shares):
        out, lse = _attend(q, q_sink, k, v, k_sink, v_sink, case, shares)
        ctx.save_for_backward(q, q_sink, k, v, k_sink, v_sink, out, lse)
        ctx.case = case
        ctx.set_materialize_grads(False)
        return out, lse

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g, g_lse):
        *inputs, out, lse = ctx.saved_tensors
        g = torch.zeros_like(out) if g is None else g
        wants_keys = ctx.needs_input_grad[2] or ctx.needs_input_grad[3]
        found = dispatch.attempt(
            "sink_attention's gradient",
            g.device,
            lambda: _gradients(g, g_lse, *inputs, out, lse, ctx.case, wants_keys),
            lambda: _by_reference(g, g_lse, *inputs, ctx.case),
        )
        wanted = (x if needed else None for x, needed in zip(found, ctx.needs_input_grad, strict=False))
        return *wanted, None, None, None, None, None, None


def _by_reference(g, g_lse, q, q_sink, k, v, k_sink, v_sink, case: Case):
    """The same gradients by autograd through the reference."""
    from longread_kernels.sink_attention import reference

    n = q.shape[2]
    block = [k[:, :, -n:], v[:, :, -n:]]
    learned = [None if x is None else x.detach().requires_grad_() for x in (q, q_sink, *block)]
    q, q_sink, k_new, v_new = learned
    with torch.enable_grad():
        both = reference.sink_attention(
            *(q, k, v),
            start=case.start,
            window=case.window,
            scale=case.scale,
            q_sink=q_sink,
            k_sink=k_sink,
            v_sink=v_sink,
            k_new=k_new,
            v_new=v_new,
            sliding=None if case.sliding == NO_LIMIT else case.sliding,
            softcap=case.cap or None,
            ring=case.ring,
            with_lse=True,
        )
        given = (g, torch.zeros_like(both[1]) if g_lse is None else g_lse)
        wanted = [x for x in learned if x is not None]
        found = iter(torch.autograd.grad(both, wanted, given, allow_unused=True))
    return tuple(None if x is None else next(found) for x in learned)

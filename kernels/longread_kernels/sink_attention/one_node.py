"""``sink_attention`` as one node of the graph, its gradient written out.

Knows the plain case: float32 or float64, no soft cap, no learned sink logit, gradients
for the block's queries, keys and values only. What it saves over the composition in
``reference.py`` is small: a slice's gradient is a buffer of zeros as large as what was
sliced, and there are a dozen of them a layer.

    P = softmax(S)      dV = P^T dO      dP = dO V^T
    dS = P * (dP - rowsum(dO * O))       dQ = scale dS K      dK = scale dS^T Q

(FlashAttention, arXiv 2205.14135, appendix B.4; the rows' P are kept, not recomputed.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from longread_kernels.sink_attention.reference import TILE, hidden_sinks, unrolled, visibility


def fits(
    q: Tensor, kept: Sequence[Tensor | None], softcap: float | None = None, logits: Tensor | None = None
) -> bool:
    """Whether this implementation computes the case; ``kept`` are k, v and the sinks' own."""
    frozen = not any(x is not None and x.requires_grad for x in kept)
    return frozen and softcap is None and logits is None and q.dtype in (torch.float32, torch.float64)


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
    ring: int = 0,
    tile: int = TILE,
) -> Tensor:
    """As in ``reference.py``, where ``fits`` holds."""
    if ring:
        cached = k.shape[2] - q.shape[2]
        k, v = unrolled(k, cached, ring), unrolled(v, cached, ring)
    place = (start, window, scale, sliding, tile)
    return _SinkAttention.apply(q, q_sink, k_new, v_new, k, v, k_sink, v_sink, place)


class _SinkAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, q_sink, k_new, v_new, k, v, k_sink, v_sink, place):
        start, window, scale, sliding, tile = place
        batch, heads, n, _ = q.shape
        kv = k.shape[1]
        groups = heads // kv
        cached = k.shape[2] - n
        sinks = 0 if k_sink is None else k_sink.shape[2]
        recent = window - sinks if sliding is None else min(window - sinks, sliding)
        out = q.new_empty(batch, heads, n, v.shape[3])
        ctx.place, ctx.tiles, saved = (scale, cached, sinks, groups), [], []
        learns = any(ctx.needs_input_grad)
        for low in range(0, n, tile):
            high = min(low + tile, n)
            first, last = max(0, cached + low - recent + 1), cached + high
            rows, keys = high - low, last - first
            hidden = hidden_sinks(start + low, rows, window, sinks, sliding)
            offset = cached + low - first
            bias = visibility(rows, keys, offset, recent, sinks, groups, hidden, q.dtype, q.device)
            values = v[:, :, first:last]
            query, near = _stacked(q, low, high, kv), k[:, :, first:last].flatten(0, 1)
            if sinks:
                # The sinks' columns are computed with the wrong query and then overwritten: joining keys
                # moves a tenth of what joining scores would.
                near = torch.cat((k_sink.flatten(0, 1), near), dim=1)
                values = torch.cat((v_sink, values), dim=2)
            if bias is None:
                scores = torch.bmm(query, near.transpose(1, 2)).mul_(scale)
            else:
                scores = torch.baddbmm(bias, query, near.transpose(1, 2), alpha=scale)
            if sinks:
                far = _stacked(q_sink, low, high, kv)
                mine = torch.bmm(far, near[:, :sinks].transpose(1, 2)).mul_(scale)
                scores[..., :sinks] = mine if bias is None else mine.add_(bias[:, :sinks])
            weights = torch.softmax(scores, dim=-1)
            del scores
            values = values.flatten(0, 1)
            mixed = torch.bmm(weights, values)
            out[:, :, low:high] = mixed.view(batch, heads, rows, -1)
            if learns:  # or all tiles' weights would be held until the last is done
                ctx.tiles.append((low, high, first))
                saved += [query, near, values, weights]
        if saved:
            ctx.save_for_backward(out, *saved)
        return out

    @staticmethod
    def backward(ctx, g):
        out, *saved = ctx.saved_tensors
        scale, cached, sinks, groups = ctx.place
        batch, heads, n, _ = out.shape
        kv = heads // groups
        delta = (g * out).sum(dim=-1, keepdim=True)
        dq = g.new_empty(batch, heads, n, saved[0].shape[-1])
        dq_sink = torch.empty_like(dq) if ctx.needs_input_grad[1] else None
        wants_keys = ctx.needs_input_grad[2] or ctx.needs_input_grad[3]
        dk = g.new_zeros(batch * kv, n, dq.shape[-1]) if wants_keys else None
        dv = g.new_zeros(batch * kv, n, g.shape[-1]) if wants_keys else None
        for number, (low, high, first) in enumerate(ctx.tiles):
            query, near, values, weights = saved[4 * number : 4 * number + 4]
            rows = high - low
            mine = _stacked(g, low, high, kv)
            slope = torch.bmm(mine, values.transpose(1, 2))
            slope.sub_(_stacked(delta, low, high, kv)).mul_(weights)
            if dq_sink is not None:
                part = torch.bmm(slope[..., :sinks], near[:, :sinks])
                dq_sink[:, :, low:high] = part.view(batch, heads, rows, -1)
            part = torch.bmm(slope[..., sinks:], near[:, sinks:])
            dq[:, :, low:high] = part.view(batch, heads, rows, -1)
            if wants_keys:
                at = max(first, cached)  # the block's keys in this tile are [at, cached + high)
                columns = slice(sinks + at - first, None)
                block = slice(at - cached, high)
                dk[:, block].baddbmm_(slope[..., columns].transpose(1, 2), query)
                dv[:, block].baddbmm_(weights[..., columns].transpose(1, 2), mine)
        dq.mul_(scale)
        if dq_sink is not None:
            dq_sink.mul_(scale)
        if wants_keys:
            dk, dv = (t.view(batch, kv, n, -1) for t in (dk.mul_(scale), dv))
        return dq, dq_sink, dk, dv, None, None, None, None, None


def _stacked(x: Tensor, low: int, high: int, kv: int) -> Tensor:
    """[batch * kv_heads, groups * rows, dim]: the heads that share a key stand one below the other."""
    return x[:, :, low:high].reshape(x.shape[0] * kv, -1, x.shape[3])

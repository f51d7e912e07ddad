"""What ``sink_attention`` computes, in plain torch, tile by tile over the queries.

Knows one rule of visibility and nothing of rotation: queries and keys arrive rotated,
the query once for the window and once for the sinks.

The query at stream position p sees itself, the W-S-1 positions before it and the S
sinks (StreamingLLM, arXiv 2309.17453, section 3.2, the cache it would have had if the
tokens had come one by one). In a layer with a sliding window of its own it sees of
those only what is nearer than that, the distance to sink i being min(p, W-1) - i
(LM-Infinite, 2308.16137, section 3.2: the distance ceiling).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

TILE = 256


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
    with_lse: bool = False,
    tile: int = TILE,
) -> Tensor | tuple[Tensor, Tensor]:
    """Attend from a block of queries to the sinks, the window and the block itself.

    Parameters
    ----------
    q : [batch, heads, n, dim]
        The block's queries, rotated at the positions that the keys ``k`` were rotated at.
    k, v : [batch, kv_heads, cached + n, dim]
        What is cached of the window, then the block, consecutive in the stream.
    k_new, v_new : [batch, kv_heads, n, dim]
        The block's own keys and values once more, as the graph knows them: they stand for
        the last n of ``k`` and ``v`` and take their gradient, so that a cache can be passed
        as it is.
    start
        Stream position of the first query, the sinks counted (tokens).
    window
        W, all that a query may see, sinks and itself included (tokens).
    scale
        Factor on q.k.
    q_sink : [batch, heads, n, dim]
        The same queries turned to the distance that they keep from the sinks.
    k_sink, v_sink : [batch, kv_heads, S, dim]
        The sinks, rotated at positions 0 to S-1. None together with ``q_sink`` for S = 0.
    sliding
        The layer's own sliding window (tokens), None for none.
    softcap
        Gemma 2's bound on the scores: cap * tanh(score / cap).
    sink_logits : [heads]
        gpt-oss's learned logit per head that takes part in the softmax and has no value.
    ring
        Where the oldest cached key lies in ``k``, if what is cached wraps around: the keys
        [ring, cached) and then [0, ring), and the block behind them.
    with_lse
        Whether to return the log-sum-exp of each row's scores, too, the learned logit's included.
    tile
        Queries worked on at a time; memory is tile * (window + tile) scores a head.

    Returns
    -------
    [batch, heads, n, dim], differentiable for every input, and [batch, heads, n] at least float32
    with ``with_lse``. Time and memory grow with n * window, not with n squared.
    """
    batch, heads, n, dim = q.shape
    groups = heads // k.shape[1]
    cached = k.shape[2] - n
    if ring:
        k, v = unrolled(k, cached, ring), unrolled(v, cached, ring)
    if k_new is not None:
        k, v = torch.cat((k[:, :, :cached], k_new), dim=2), torch.cat((v[:, :, :cached], v_new), dim=2)
    sinks = 0 if k_sink is None else k_sink.shape[2]
    recent = window - sinks if sliding is None else min(window - sinks, sliding)
    out, sums = [], []
    for low in range(0, n, tile):
        high = min(low + tile, n)
        rows = high - low
        first, last = max(0, cached + low - recent + 1), cached + high
        bias = visibility(
            rows,
            last - first,
            cached + low - first,
            recent,
            sinks,
            groups,
            hidden_sinks(start + low, rows, window, sinks, sliding),
            q.dtype,
            q.device,
        )
        parts = [(q[:, :, low:high], k[:, :, first:last], v[:, :, first:last])]
        if sinks:
            parts.insert(0, (q_sink[:, :, low:high], k_sink, v_sink))
        scores, at = [], 0
        for query, keys, _ in parts:
            mine = None if bias is None else bias[:, at : at + keys.shape[2]]
            scores.append(_scores(query, keys, groups, scale, softcap, mine))
            at += keys.shape[2]
        if sink_logits is not None:
            column = sink_logits.view(1, k.shape[1], groups, 1).to(q.dtype)
            column = column.expand(batch, -1, -1, rows).reshape(batch, k.shape[1], groups * rows, 1)
            scores.append(column)
        joined = scores[0] if len(scores) == 1 else torch.cat(scores, dim=-1)
        exact = torch.promote_types(joined.dtype, torch.float32)
        if with_lse:
            sums.append(torch.logsumexp(joined.to(exact), dim=-1).view(batch, heads, rows))
        weights = torch.softmax(joined, dim=-1, dtype=exact).to(v.dtype)
        mixed, at = None, 0
        for _, keys, values in parts:
            share = weights[..., at : at + keys.shape[2]]
            mixed = share @ values if mixed is None else mixed + share @ values
            at += keys.shape[2]
        out.append(mixed.view(batch, heads, rows, dim))
    result = out[0] if len(out) == 1 else torch.cat(out, dim=2)
    return (result, torch.cat(sums, dim=2)) if with_lse else result


def unrolled(x: Tensor, cached: int, ring: int) -> Tensor:
    """``x`` [batch, heads, cached + n, dim] with its first ``cached`` rows in the stream's order."""
    return torch.cat((x[:, :, ring:cached], x[:, :, :ring], x[:, :, cached:]), dim=2)


def _scores(
    q: Tensor, k: Tensor, groups: int, scale: float, softcap: float | None, bias: Tensor | None
) -> Tensor:
    """[batch, kv_heads, groups * rows, keys]: the heads that share a key stand one below the other."""
    batch, heads, rows, dim = q.shape
    q = q.reshape(batch, heads // groups, groups * rows, dim)
    if softcap is None and bias is not None:
        flat = torch.baddbmm(bias, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=scale)
        return flat.view(batch, heads // groups, groups * rows, -1)
    scores = (q @ k.transpose(2, 3)) * scale
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    return scores if bias is None else scores + bias


def hidden_sinks(start: int, rows: int, window: int, sinks: int, sliding: int | None) -> tuple[int, ...]:
    """For each row, how many of the first sinks lie beyond the layer's sliding window; () for none.

    Only a sliding layer can lose sight of a sink, and only its distance from the start says which.
    """
    if not sinks or sliding is None:
        return ()
    hidden = tuple(min(sinks, max(0, min(start + row, window - 1) - sliding + 1)) for row in range(rows))
    return hidden if any(hidden) else ()


@lru_cache(maxsize=16)  # up to tens of MB each
def visibility(
    rows: int,
    keys: int,
    offset: int,
    recent: int,
    sinks: int,
    groups: int,
    hidden: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor | None:
    """[groups * rows, sinks + keys]: 0 where a key is visible, minus infinity elsewhere; None if all are.

    Row i stands ``offset`` + i keys after the first key. One mask serves all layers and
    every block of the same shape, hence the cache.
    """
    distance = (offset + torch.arange(rows))[:, None] - torch.arange(keys)[None, :]
    visible = (distance >= 0) & (distance < recent)
    sink = torch.arange(sinks)[None, :] >= torch.tensor(hidden or (0,) * rows)[:, None]
    visible = torch.cat((sink, visible), dim=1)
    if visible.all():
        return None
    bias = torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, float("-inf"))
    return bias.repeat(groups, 1).to(device)

"""Attention of one query whose place is told by tensors, so that a recording of it can be played again.

Knows that what a CUDA graph repeats are pointers, shapes and numbers handed to kernels. Whatever changes
from token to token is therefore read from tensors: all of a cache's buffer is looked at and what
is not visible is masked.
"""

from __future__ import annotations

import torch
from torch import Tensor


def one_query(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    low: Tensor,
    last: Tensor,
    distance: Tensor,
    scale: float,
    q_sink: Tensor | None = None,
    k_sink: Tensor | None = None,
    v_sink: Tensor | None = None,
    sliding: int | None = None,
    softcap: float | None = None,
    sink_logits: Tensor | None = None,
) -> Tensor:
    """What ``reference.sink_attention`` gives for n = 1, with keys anywhere in a buffer.

    Parameters
    ----------
    q : [batch, heads, 1, dim]
    k, v : [batch, kv_heads, capacity, dim]
        The whole buffer, finite everywhere.
    low, last : [1] int64
        The oldest key that the query sees, and its own: both are counted from the buffer's beginning.
    distance : [1] int64
        From the first sink, at most W-1.
    scale, q_sink, k_sink, v_sink, sliding, softcap, sink_logits
        As in ``reference.sink_attention``.

    Returns [batch, heads, 1, dim]. Time is that of the whole buffer.
    """
    batch, heads, _, dim = q.shape
    kv_heads = k.shape[1]
    places = torch.arange(k.shape[2], device=k.device)
    visible = (places >= low) & (places <= last)
    if sliding is not None:
        visible &= last - places < sliding
    parts = [(q, k, v, visible)]
    if k_sink is not None:
        sinks = torch.arange(k_sink.shape[2], device=k.device)
        near = distance - sinks < (torch.iinfo(torch.int64).max if sliding is None else sliding)
        parts.insert(0, (q_sink, k_sink, v_sink, near))
    scores = []
    for query, keys, _, seen in parts:
        found = _products(query.reshape(batch, kv_heads, -1, dim), keys) * scale
        if softcap is not None:
            found = softcap * torch.tanh(found / softcap)
        scores.append(found.masked_fill(~seen, float("-inf")))
    if sink_logits is not None:
        column = sink_logits.view(1, kv_heads, -1, 1).to(scores[0].dtype)
        scores.append(column.expand(batch, -1, -1, -1))
    weights = torch.softmax(torch.cat(scores, dim=-1), dim=-1).to(v.dtype)
    mixed, at = 0.0, 0
    for _, keys, values, _ in parts:
        mixed = mixed + weights[..., at : at + keys.shape[2]] @ values
        at += keys.shape[2]
    return mixed.reshape(batch, heads, 1, v.shape[3])


def _products(q: Tensor, k: Tensor) -> Tensor:
    """q k^T, at least float32: before they are scaled, products of half precision may leave its range."""
    if q.dtype not in (torch.float16, torch.bfloat16):
        return q @ k.transpose(2, 3)
    if q.device.type != "cuda":
        return q.float() @ k.float().transpose(2, 3)
    flat = torch.bmm(q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), out_dtype=torch.float32)
    return flat.unflatten(0, q.shape[:2])

"""Attention over [sinks | window | new block] with StreamingLLM's in-cache positions."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from longread_kernels.sink_attention import one_node, reference

__all__ = ["sink_attention"]


def sink_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    softcap: float | None = None,
    sink_logits: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """Attend from a block of queries to sinks, window and block: see ``reference.sink_attention``."""
    if one_node.fits(q, k, options.get("k_sink"), softcap, sink_logits):
        return one_node.sink_attention(q, k, v, **options)
    return reference.sink_attention(q, k, v, softcap=softcap, sink_logits=sink_logits, **options)

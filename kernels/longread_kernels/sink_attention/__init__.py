"""Attention over [sinks | window | new block] with StreamingLLM's in-cache positions.

``implementation`` says which of three ways computes a case; ``dispatch.taken`` counts them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from longread_kernels import dispatch
from longread_kernels.sink_attention import one_node, reference

__all__ = ["implementation", "sink_attention"]

# Head sizes whose tiles fit a GPU's shared memory.
LARGEST_HEAD = 256


def sink_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    softcap: float | None = None,
    sink_logits: Tensor | None = None,
    with_lse: bool = False,
    **options: Any,
) -> Tensor | tuple[Tensor, Tensor]:
    """Attend from a block of queries to sinks, window and block: see ``reference.sink_attention``."""
    everything = {"softcap": softcap, "sink_logits": sink_logits, **options}

    def by_reference() -> Tensor | tuple[Tensor, Tensor]:
        return reference.sink_attention(q, k, v, with_lse=with_lse, **everything)

    def by_kernel() -> Tensor | tuple[Tensor, Tensor]:
        # Triton decides between compiler and interpreter as it is imported, and is slow to import.
        from longread_kernels.sink_attention import kernel

        given = {name: value for name, value in everything.items() if name != "tile"}  # the reference's own
        out, lse = kernel.sink_attention(q, k, v, **given)
        return (out, lse) if with_lse else out

    match implementation(q, k, v, with_lse=with_lse, **everything):
        case "kernel":
            return dispatch.attempt("sink_attention", q.device, by_kernel, by_reference)
        case "one_node":
            dispatch.taken["sink_attention.one_node"] += 1
            return one_node.sink_attention(q, k, v, **options)
        case _:
            dispatch.taken["sink_attention.reference"] += 1
            return by_reference()


def implementation(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    k_sink: Tensor | None = None,
    v_sink: Tensor | None = None,
    k_new: Tensor | None = None,
    softcap: float | None = None,
    sink_logits: Tensor | None = None,
    with_lse: bool = False,
    **_: Any,
) -> str:
    """Which way computes a case: "kernel", "one_node" or "reference"."""
    frozen = not any(x is not None and x.requires_grad for x in (k_sink, v_sink))
    # Without a cache all of k is the block, and its gradient the block's.
    whole = k_new is None and k.shape[2] == q.shape[2]
    fits = (
        frozen
        and (whole or not (k.requires_grad or v.requires_grad))
        and q.dtype == k.dtype == v.dtype
        and q.dtype in (torch.float32, torch.float16, torch.bfloat16)
        and q.shape[3] == v.shape[3] <= LARGEST_HEAD
    )
    if fits and dispatch.kernels_run_on(q.device):
        return "kernel"
    if not with_lse and one_node.fits(q, (k, v, k_sink, v_sink), softcap, sink_logits):
        return "one_node"
    return "reference"

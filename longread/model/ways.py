"""Which implementation of attention would run on a device, and why.

Knows the ways that ``longread_kernels`` has and what each asks for. Runs nothing.
"""

from __future__ import annotations

import longread_kernels.sink_attention as op
import torch

_WHY = {
    "kernel": "Triton's kernel, which keeps no matrix of scores",
    "one_node": "torch in one node of the graph, which is the fastest without a GPU kernel",
    "reference": "torch operations one by one, since no faster way takes this device and number format",
}


def way_of_attention(device: torch.device, dtype: torch.dtype) -> tuple[str, str]:
    """The name of the way that a block of a plain model would take on ``device``, and why."""
    q = torch.zeros(1, 2, 1, 64, dtype=dtype, device=device)
    k = q[:, :1]
    way = op.implementation(q, k, k)
    return way, _WHY[way]

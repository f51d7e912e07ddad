"""What ``linear_cross_entropy`` computes, in plain torch, a few tokens at a time.

Knows a head's weight, bias, logit scale and soft cap. Knows no model. The head is
frozen, so the only gradient is the hidden states'; it is found in the forward pass,
while a chunk's probabilities are at hand, and kept instead of them:

    z = cap * tanh(scale * (h W^T + b) / cap)     nll_i = logsumexp(z_i) - z_i[t_i]
    d nll_i / d h_i = scale * ((softmax(z_i) - onehot(t_i)) * (1 - (z_i / cap)^2)) W
"""

from __future__ import annotations

import torch
from torch import Tensor

# Scores held at once: 64 MB in float32, whatever the vocabulary.
CHUNK = 1 << 24


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    scale: float = 1.0,
    softcap: float | None = None,
    chunk: int = CHUNK,
) -> Tensor:
    """Negative log-likelihood of each target, in nats.

    Parameters
    ----------
    hidden : [tokens, width]
    weight : [vocabulary, width], frozen
    targets : [tokens], int64
    bias : [vocabulary]
    scale
        Factor on the logits (granite, cohere).
    softcap
        Gemma 2's bound on the logits.
    chunk
        Most logits held at once (elements, float32).

    Returns
    -------
    [tokens], at least float32; differentiable for ``hidden`` under any weight per token.
    """
    return _LinearCrossEntropy.apply(hidden, weight, targets, bias, scale, softcap, chunk)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, targets, bias, scale, softcap, chunk):
        exact = torch.promote_types(hidden.dtype, torch.float32)
        wants_gradient = ctx.needs_input_grad[0]
        nll = torch.empty(len(hidden), dtype=exact, device=hidden.device)
        gradient = torch.empty_like(hidden) if wants_gradient else None
        rows = max(1, chunk // weight.shape[0])
        for low in range(0, len(hidden), rows):
            part = slice(low, low + rows)
            logits = torch.nn.functional.linear(hidden[part], weight, bias).to(exact)
            if scale != 1.0:
                logits *= scale
            if softcap is not None:
                logits = logits.div_(softcap).tanh_().mul_(softcap)
            index = targets[part, None]
            slope = None if softcap is None or gradient is None else 1 - (logits / softcap) ** 2
            right = logits.gather(1, index)
            # One pass of exp serves the loss and its gradient.
            most = logits.amax(dim=-1, keepdim=True)
            pull = logits.sub_(most).exp_()
            total = pull.sum(dim=-1, keepdim=True)
            nll[part] = (total.log() + most - right)[:, 0]
            if gradient is not None:
                pull /= total
                pull.scatter_add_(1, index, torch.full_like(total, -1.0))
                if slope is not None:
                    pull *= slope
                gradient[part] = (pull.to(weight.dtype) @ weight).mul_(scale)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return nll

    @staticmethod
    def backward(ctx, upstream):
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[:, None].to(gradient.dtype), None, None, None, None, None, None

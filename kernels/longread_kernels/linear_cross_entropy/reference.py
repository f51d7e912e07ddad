"""What ``linear_cross_entropy`` computes, in plain torch, a few tokens at a time.

Knows a head's weight, bias, logit scale and soft cap. Knows no model. The head is
frozen, so the only gradient is the hidden states'; it is found in the forward pass,
while a chunk's probabilities are at hand, and kept instead of them:

    z = cap * tanh(scale * (h W^T + b) / cap)     nll_i = logsumexp(z_i) - z_i[t_i]
    d nll_i / d h_i = scale * ((softmax(z_i) - onehot(t_i)) * (1 - (z_i / cap)^2)) W
    entropy_i = logsumexp(z_i) - sum_v softmax(z_i)_v z_iv
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Scores held at once: 64 MB in float32, whatever the vocabulary.
CHUNK = 1 << 24

#: From a chunk's products h W^T + b, which it may overwrite, and the chunk's targets: NLL and entropy
#: [tokens], and the products' gradient, each None where it is not wanted.
Judge = Callable[..., tuple[Tensor, Tensor | None, Tensor | None]]


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    scale: float = 1.0,
    softcap: float | None = None,
    chunk: int | None = None,
    with_entropy: bool = False,
    judge: Judge | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
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
        Most logits held at once (elements); ``CHUNK`` where left out.
    with_entropy
        Whether to return the entropy of each token's distribution (nats), too.
    judge
        What turns a chunk's products into losses and slopes; torch where left out.

    Returns
    -------
    [tokens], at least float32; differentiable for ``hidden`` under any weight per token. With
    ``with_entropy`` a second [tokens], which has no gradient.
    """
    options = (bias, scale, softcap, chunk or CHUNK, with_entropy, judge or by_torch)
    nll, entropy = _LinearCrossEntropy.apply(hidden, weight, targets, *options)
    return (nll, entropy) if with_entropy else nll


def by_torch(
    products: Tensor,
    targets: Tensor,
    scale: float,
    softcap: float | None,
    *,
    wants_gradient: bool,
    with_entropy: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """A ``Judge`` of whole rows; logits and sums at least in float32."""
    logits = products.to(torch.promote_types(products.dtype, torch.float32))
    if scale != 1.0:
        logits *= scale
    if softcap is not None:
        logits = logits.div_(softcap).tanh_().mul_(softcap)
    index = targets[:, None]
    bend = None if softcap is None or not wants_gradient else 1 - (logits / softcap) ** 2
    right = logits.gather(1, index)
    most = logits.amax(dim=-1, keepdim=True)
    logits = logits.sub_(most)
    # One pass of exp serves the loss and its gradient.
    pull = logits.exp() if with_entropy else logits.exp_()
    total = pull.sum(dim=-1, keepdim=True)
    nll = (total.log() + most - right)[:, 0]
    entropy = None
    if with_entropy:
        # A word that cannot come has a logit of -inf and adds nothing.
        entropy = (total.log() - logits.mul_(pull).nan_to_num_(nan=0.0).sum(-1, keepdim=True) / total)[:, 0]
    if not wants_gradient:
        return nll, entropy, None
    pull /= total
    pull.scatter_add_(1, index, torch.full_like(total, -1.0))
    if bend is not None:
        pull *= bend
    return nll, entropy, pull


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, targets, bias, scale, softcap, chunk, with_entropy, judge):
        exact = torch.promote_types(hidden.dtype, torch.float32)
        wants_gradient = ctx.needs_input_grad[0]
        nll = torch.empty(len(hidden), dtype=exact, device=hidden.device)
        entropy = torch.empty_like(nll) if with_entropy else None
        gradient = torch.empty_like(hidden) if wants_gradient else None
        rows = max(1, chunk // weight.shape[0])
        for low in range(0, len(hidden), rows):
            part = slice(low, low + rows)
            products = torch.nn.functional.linear(hidden[part], weight, bias)
            wanted = {"wants_gradient": wants_gradient, "with_entropy": with_entropy}
            nll[part], spread, pull = judge(products, targets[part], scale, softcap, **wanted)
            if spread is not None:
                entropy[part] = spread
            if pull is not None:
                gradient[part] = (pull.to(weight.dtype) @ weight).mul_(scale)
            del products, pull
        if gradient is not None:
            ctx.save_for_backward(gradient)
        if entropy is not None:
            ctx.mark_non_differentiable(entropy)
        return nll, entropy

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, upstream, _):
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[:, None].to(gradient.dtype), *([None] * 8)

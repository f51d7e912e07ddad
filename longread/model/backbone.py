"""A model as the memory sees it: ids in, hidden states out, attention ours to supply.

Knows how to run a decoder with an attention function of our own and what a head
makes of a hidden state. Knows no cache: whoever keeps keys passes an ``Attend``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Protocol

import torch
from longread_kernels.linear_cross_entropy import linear_cross_entropy
from longread_kernels.sink_attention import sink_attention
from torch import Tensor, nn

from longread.model import compat
from longread.model.checkpoint import checkpointed
from longread.model.fit import Sizes


class Attend(Protocol):
    """What a KV policy supplies: attention of a block over whatever the policy kept."""

    def __call__(self, layer: nn.Module, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        """``q`` [1, heads, n, dim], ``k`` and ``v`` [1, kv_heads, n, dim], rotated at the block's
        positions; options ``scale``, ``sliding``, ``softcap``, ``sink_logits`` as in
        ``sink_attention``. Returns [1, heads, n, dim]."""


class Backbone:
    """A causal language model, opened for reading.

    Parameters
    ----------
    model
        A transformers causal language model in evaluation mode.
    stateful
        Whether attention may be ours; False for a model that the probe turned down,
        which then runs its own forward on whole chunks only.
    checkpointed
        Whether layers run again for the gradient rather than keep what it needs: half as much time
        again for a learned block, and a layer's memory instead of all layers'.

    ``replaying`` is True while a layer runs again: its keys are in the cache by then. ``sizes`` are the
    largest block and window for which there is memory; None where there is enough.
    """

    def __init__(self, model: nn.Module, *, stateful: bool = True, checkpointed: bool = False) -> None:
        self.model = model
        self.checkpointed = checkpointed
        self.replaying = False
        self.sizes: Sizes | None = None
        self.decoder = compat.decoder(model)
        self.stateful = stateful
        self.rotations = compat.Rotations(model)
        self.layers = compat.attention_layers(model)
        self.trained_length, self.length_dependent = compat.lengths(model.config)
        self._attend: Attend | None = None

    @property
    def device(self) -> torch.device:
        return self.model.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.get_input_embeddings().weight.dtype

    @property
    def on_one_card(self) -> bool:
        """Whether all of it lies on one NVIDIA card."""
        devices = {p.device for p in self.model.parameters()} | {b.device for b in self.model.buffers()}
        return len(devices) == 1 and devices.pop().type == "cuda" and torch.version.hip is None

    @contextmanager
    def attached(self) -> Iterator[Backbone]:
        """While this is open the model's attention is ours; afterwards it is what it was."""
        if not self.stateful:
            yield self
            return
        with compat.attention_function(self.model, self._attention):
            yield self

    def hidden(self, ids: Tensor, positions: Tensor | None = None, attend: Attend | None = None) -> Tensor:
        """Last hidden states, after the final norm, of one run of the decoder.

        Parameters
        ----------
        ids : [n] int64
        positions : [n] int64
            Where the model rotates each token; 0 to n-1 when left out.
        attend
            Attention over kept keys; plain causal attention when left out.

        Returns
        -------
        [n, width]
        """
        if attend is not None and not self.stateful:
            raise ValueError("a model that failed the probe reads whole chunks only")
        if positions is None:
            positions = torch.arange(len(ids), device=ids.device)
        with ExitStack() as stack:
            stack.enter_context(self._attending(attend, replaying=False))
            if self.checkpointed and torch.is_grad_enabled():
                again = partial(self._attending, attend, replaying=True)
                stack.enter_context(checkpointed(self.decoder, again))
            out = self.decoder(input_ids=ids[None], position_ids=positions[None], use_cache=False)
        return out.last_hidden_state[0]

    @contextmanager
    def _attending(self, attend: Attend | None, *, replaying: bool) -> Iterator[None]:
        before = self._attend, self.replaying
        self._attend, self.replaying = attend, replaying
        try:
            yield
        finally:
            self._attend, self.replaying = before

    def _attention(self, module, query, key, value, attention_mask, scaling=None, **kwargs):
        options = {
            "scale": query.shape[-1] ** -0.5 if scaling is None else scaling,
            "sliding": kwargs.get("sliding_window"),
            "softcap": kwargs.get("softcap"),
            "sink_logits": kwargs.get("s_aux"),
        }
        if self._attend is None:
            out = sink_attention(query, key, value, start=0, window=key.shape[2], **options)
        else:
            out = self._attend(module, query, key, value, **options)
        return out.transpose(1, 2), None

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores [n, vocabulary] float32 of the next token after each hidden state [n, width]."""
        head = compat.head_parts(self.model)
        logits = nn.functional.linear(hidden, head.weight, head.bias).float() * head.scale
        return logits if head.softcap is None else head.softcap * torch.tanh(logits / head.softcap)

    def nll(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """-log p [n] float32, nats, of ``targets`` [n] after the hidden states [n, width], differentiable
        for ``hidden``; the head is applied in chunks."""
        head = compat.head_parts(self.model)
        return linear_cross_entropy(
            hidden, head.weight, targets, bias=head.bias, scale=head.scale, softcap=head.softcap
        )

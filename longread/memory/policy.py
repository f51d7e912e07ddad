"""The seam between the block loop and a way to keep keys and values.

Knows what a policy must do. Knows no policy: those stand in their own files and
are listed in ``POLICIES``, by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor

from longread.model.backbone import Backbone

# name -> "module:class"; imported when first asked for. A new policy is one file and one line here.
POLICIES = {
    "sink": "longread.memory.sink_cache:SinkCache",
    "recompute": "longread.memory.recompute:Recompute",
}


class KVPolicy(ABC):
    """What is kept of the tokens read so far, and how a block sees it.

    ``forward`` looks, ``commit`` keeps: a block may be run several times (with and
    without the adapter) before one of the runs is kept, and always exactly one is.

    Parameters
    ----------
    backbone
        The model, already ``attached``.
    window
        All that a token may see, itself included (tokens).
    sinks
        How many of the stream's first tokens stay for ever (tokens).
    """

    #: Whether the model's attention must be ours (see ``Backbone.stateful``).
    stateful = True
    #: False while what is kept is being moved: an error in the middle of that leaves it in pieces.
    whole = True

    def __init__(self, backbone: Backbone, *, window: int, sinks: int) -> None:
        self.backbone = backbone
        self.window = window
        self.sinks = sinks

    @abstractmethod
    def forward(self, ids: Tensor) -> Tensor:
        """Hidden states [n, width] of the next n tokens of the stream; keeps nothing yet.

        The first block of a stream is its sinks, alone. Gradients flow to whatever in the
        model wants them, never into what was kept before.
        """

    @abstractmethod
    def commit(self) -> None:
        """Keep the last ``forward``'s tokens and drop what has left the window."""

    @abstractmethod
    def reencode(self, ids: Tensor) -> None:
        """Make the keys of the stream's last tokens ``ids`` anew, with the model as it is now; where none are
        kept there is nothing to do."""

    @abstractmethod
    def narrow(self, window: int) -> None:
        """Keep no more than a smaller ``window`` from now on."""

    def recorded(self) -> Callable[[int], Tensor] | None:
        """A way to ``forward`` one token at a time, without gradients, whose work is recorded once and then
        played; None where there is none. Good until another adapter, or none, is at work."""
        return None

    @property
    def stride(self) -> int:
        """Tokens of a prompt that are run at once: half a window, so that attention's memory stays small and
        a policy without a cache has room for the past; fewer where the frequencies of rotation follow from
        the length, which kept keys and new ones together must then not exceed."""
        half = max(1, (self.window - self.sinks) // 2)
        if self.stateful and self.backbone.length_dependent:
            return max(1, min(half, self.backbone.trained_length - self.window))
        return half

    @property
    @abstractmethod
    def seen(self) -> int:
        """Tokens of the stream committed so far."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory held (bytes)."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """All that is kept, as tensors by name."""

    @abstractmethod
    def load(self, state: dict[str, Tensor]) -> None:
        """Take up a ``state`` of a policy made with the same model, window and sinks."""


def framed(first: Tensor, past: Tensor, ids: Tensor, window: int) -> Tensor:
    """[first | as many of the last tokens of ``past`` as fit | ids], the ids [at most ``window``] of a pass
    without a cache; ``ids`` and ``first`` stay whole."""
    room = max(0, window - len(first) - len(ids))
    return torch.cat((first, past[len(past) - min(room, len(past)) :], ids))


def make_policy(name: str, backbone: Backbone, *, window: int, sinks: int) -> KVPolicy:
    """The policy called ``name``; KeyError for one that is not listed."""
    module, kind = POLICIES[name].split(":")
    return getattr(import_module(module), kind)(backbone, window=window, sinks=sinks)


def fresh_policy(backbone: Backbone, *, window: int, sinks: int, tokens: int) -> KVPolicy:
    """For a stream of its own that begins with ``tokens`` tokens: the sink cache, or chunks where the model's
    attention cannot be ours. One token at least is left that is no sink."""
    name = "sink" if backbone.stateful else "recompute"
    return make_policy(name, backbone, window=window, sinks=max(0, min(sinks, tokens - 1)))

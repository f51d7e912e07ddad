"""Layers that run again for the gradient instead of keeping what it needs (arXiv 1604.06174).

Knows a decoder's layers and torch's checkpoint. Knows no cache: whoever supplied attention to the first run
supplies it to the second, in the context that ``again`` makes, and writes nothing there.

transformers' own checkpointing drops the cache in silence, and only works in training mode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from longread.model import compat


@contextmanager
def checkpointed(decoder: nn.Module, again: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    """Within the context each of the decoder's layers keeps nothing but its input.

    Backward runs a layer a second time, inside ``again()``, when it comes to it. Random numbers are drawn
    as the first time. Afterwards the layers are what they were.
    """
    with ExitStack() as stack:
        for layer in compat.layers(decoder):
            stack.enter_context(_replaced(layer, _twice(layer.forward, again)))
        yield


def _twice(forward: Callable[..., Any], again: Callable[[], AbstractContextManager[Any]]) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        # A run that is cut short would leave weights on the device that are brought there for one layer.
        with set_checkpoint_early_stop(False):
            return checkpoint(
                forward, *args, use_reentrant=False, context_fn=lambda: (nullcontext(), again()), **kwargs
            )

    return run


@contextmanager
def _replaced(layer: nn.Module, forward: Any) -> Iterator[None]:
    own = vars(layer).get("forward")  # accelerate puts one there
    layer.forward = forward
    try:
        yield
    finally:
        if own is None:
            del layer.forward
        else:
            layer.forward = own

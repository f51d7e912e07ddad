"""A CUDA graph on the CPU: the operations of a run, repeated on the very tensors that they worked on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class _Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple] = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if operation in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default):
            raise RuntimeError(f"{operation} waits for the device, which no recording can")
        out = operation(*args, **kwargs)
        given = {id(t) for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)}
        memory = {_memory(t) for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)}
        made = [t for t in tree_flatten(out)[0] if isinstance(t, Tensor)]
        in_place = any(id(t) in given for t in made)
        if in_place or not made or not all(_memory(t) in memory for t in made):
            self.steps.append((operation, args, kwargs, None if in_place else made))
        return out


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def recorded(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """As ``memory.token_graph.cuda_graph``: pointers, shapes and numbers are those of the one run."""
    with _Recording() as recording:
        out = run()

    def play() -> Tensor:
        for operation, args, kwargs, made in recording.steps:
            again = operation(*args, **kwargs)
            for old, new in zip(made or (), tree_flatten(again)[0], strict=False):
                old.copy_(new)
        return out

    return play

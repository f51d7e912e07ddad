"""One token's way through a model and its sink cache, recorded once and played for each token: CUDA graphs.

Knows what changes from one token to the next, and keeps it in tensors that stay where they are. A
small model's token on a GPU costs more time in Python than on the card; a recording costs none.

The numbers of a token are its id, its running position, where the window begins and where the token's own
key goes in the buffers, and how far it is from the first sink. Everything else follows from them
on the device. When the buffers themselves are replaced, it is recorded anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from longread_kernels.sink_attention.one_query import one_query
from torch import Tensor, nn

from longread.memory.sink_cache import SinkCache

_WARM = 2  # runs before the recording, in which libraries set themselves up


def cuda_graph(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """``run``'s work on the current card as one launch; each call gives the same tensor, filled anew."""
    # A stream of its own: cuBLAS's memory for it is the recording's, and goes when that goes.
    usual, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(usual)
    with torch.cuda.stream(side):
        for _ in range(_WARM):
            run()
    usual.wait_stream(side)
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    try:
        # If something in it cannot be recorded, ``graph`` raises at its end, leaves its stream the
        # current one, and what is allocated from then on goes to its pool.
        with torch.cuda.stream(usual), torch.cuda.graph(graph, pool, side, "thread_local"):
            out = run()
    except BaseException:
        with suppress(Exception):
            torch._C._cuda_endAllocateToPool(torch.cuda.current_device(), pool)
        raise

    def play() -> Tensor:
        graph.replay()
        return out

    return play


class TokenGraph:
    """``SinkCache.forward`` for one token at a time, without gradients.

    Good for as long as the model stays as it is but for the values of its weights: another adapter, or the
    same one switched on or off, wants another recording.
    """

    def __init__(self, cache: SinkCache) -> None:
        self._cache = cache
        self._play: Callable[[], Tensor] | None = None
        self._where: list[tuple[int, int]] = []
        device = cache.backbone.device
        self._numbers = torch.zeros(5, dtype=torch.int64, device=device)
        found = {layer: cache.backbone.rotations.of(layer) for layer in cache.backbone.layers.values()}
        near = {id(r): replace(r, frequencies=r.frequencies.to(device)) for r in found.values() if r}
        self._rotations = {layer: near[id(r)] if r else None for layer, r in found.items()}
        self._turns: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, token: int) -> Tensor:
        """Hidden state [1, width] after ``token``, which ``SinkCache.commit`` keeps."""
        place = self._cache.stage(1)
        numbers = [token, place.position, place.low, place.high, place.distance]
        self._numbers.copy_(torch.tensor(numbers))
        buffers, sinks = self._cache.held
        held = (t for pair in (*buffers.values(), *sinks.values()) for t in pair)
        where = [(t.data_ptr(), t.shape[2]) for t in held]
        if self._play is None or self._where != where:
            self._play = None  # its memory first
            self._play, self._where = cuda_graph(self._run), where
        return self._play().clone()

    def _run(self) -> Tensor:
        self._turns = {}
        return self._cache.backbone.hidden(self._numbers[:1], self._numbers[1:2], self._attend)

    def _attend(self, layer: nn.Module, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        buffers, sinks = self._cache.held
        keys, values = buffers[layer.layer_idx]
        low, high, distance = self._numbers[2:3], self._numbers[3:4], self._numbers[4:5]
        keys.index_copy_(2, high, k)
        values.index_copy_(2, high, v)
        if sinks:
            options["k_sink"], options["v_sink"] = sinks[layer.layer_idx]
            options["q_sink"] = self._turned(layer, q)
        return one_query(q, keys, values, low=low, last=high, distance=distance, **options)

    def _turned(self, layer: nn.Module, q: Tensor) -> Tensor:
        """The query at the distance that it keeps from the sinks."""
        rotation = self._rotations[layer]
        if rotation is None:
            return q
        if id(rotation) not in self._turns:  # once a token, not once a layer
            angle = self._numbers[4:5] - self._numbers[1:2]
            self._turns[id(rotation)] = tuple(t.to(q.dtype) for t in rotation.table(angle))
        return rotation.turn(q, *self._turns[id(rotation)])

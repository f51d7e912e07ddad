"""Attention sinks and a rolling window of keys and values (StreamingLLM, arXiv 2309.17453).

Knows what is kept of each layer and at which position it was rotated. Knows nothing
of adapters, losses or text.

A key is rotated once, by the model, at its running position: its place in the stream
less a base that is moved up now and then so that angles stay small. The sinks' keys
keep positions 0 to S-1. A query is rotated by the model at its running position, which
gives the true distances within the window, and turned once more for the sinks, to the
distance min(p, W-1) - i that StreamingLLM's in-cache positions give them (and
LM-Infinite's ceiling, 2308.16137). The result is the token-by-token cache at any block size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from longread_kernels.sink_attention import sink_attention
from torch import Tensor, nn

from longread.memory.policy import KVPolicy

# The model computes cos and sin of (position * frequency) in float32: past a few thousand positions the
# angle's last bits begin to matter.
REBASE = 2048


class Place(NamedTuple):
    """Where the tokens to come belong: the first one's running ``position``, the kept window [low, high) of
    each layer's buffer, behind which their keys go, and the first one's ``distance`` from sink 0."""

    position: int
    low: int
    high: int
    distance: int


class SinkCache(KVPolicy):
    """N sinks and a rolling window, for blocks of any length and tokens without end.

    The first block of a stream is the sinks, alone (ValueError otherwise); the window
    holds at least one token beside them.
    """

    def __init__(self, backbone, *, window: int, sinks: int) -> None:
        if window <= sinks:
            raise ValueError(f"a window of {window} tokens has no room beside {sinks} sinks")
        super().__init__(backbone, window=window, sinks=sinks)
        self._seen = 0
        self._base = 0
        self._low = 0  # the kept window is [low, high) of each layer's buffer
        self._high = 0
        self._staged = 0
        self._buffers: dict[int, tuple[Tensor, Tensor]] = {}
        self._sinks: dict[int, tuple[Tensor, Tensor]] = {}
        self._turns: dict[tuple[int, torch.device], tuple[Tensor, Tensor] | None] = {}

    @property
    def seen(self) -> int:
        return self._seen

    @property
    def nbytes(self) -> int:
        pairs = [*self._buffers.values(), *self._sinks.values()]
        return sum(tensor.nbytes for pair in pairs for tensor in pair)

    def forward(self, ids: Tensor) -> Tensor:
        if self._seen == 0 and self.sinks and len(ids) != self.sinks:
            raise ValueError(
                f"the first block has {len(ids)} tokens and must be the {self.sinks} sinks alone"
            )
        place = self.stage(len(ids))
        self._turns = {}
        positions = torch.arange(place.position, place.position + len(ids), device=ids.device)
        return self.backbone.hidden(ids, positions, self._attend)

    def stage(self, n: int) -> Place:
        """Make room for the keys of ``n`` tokens, which the next ``commit`` keeps."""
        self.whole = False
        self._make_room(n)
        self.whole = True
        self._staged = n
        return Place(self._seen - self._base, self._low, self._high, min(self._seen, self.window - 1))

    def recorded(self) -> Callable[[int], Tensor] | None:
        if not self.backbone.on_one_card or self.backbone.length_dependent:
            return None
        from longread.memory.token_graph import TokenGraph

        return TokenGraph(self).forward

    @property
    def held(self) -> tuple[dict[int, tuple[Tensor, Tensor]], dict[int, tuple[Tensor, Tensor]]]:
        """The buffers, [1, kv_heads, capacity, dim], and the sinks, keys and values of each layer."""
        return self._buffers, self._sinks

    def commit(self) -> None:
        first = self._seen == 0
        self._seen += self._staged
        self._high += self._staged
        self._staged = 0
        if first and self.sinks:
            for index, (keys, values) in self._buffers.items():
                cut = slice(self._low, self._low + self.sinks)
                self._sinks[index] = (keys[:, :, cut].clone(), values[:, :, cut].clone())
            self._low += self.sinks
        # The next query sees itself and W - S - 1 before it.
        self._low = max(self._low, self._high - (self.window - self.sinks - 1))

    def reencode(self, ids: Tensor) -> None:
        self._low = self._high = 0
        self._seen -= len(ids)
        for part in ids.split(self.stride):  # as a prompt is run: a whole window at once takes more memory
            self.forward(part)
            self.commit()

    def narrow(self, window: int) -> None:
        low = max(self._low, self._high - (window - self.sinks - 1))
        kept = {
            index: tuple(_placed(t[:, :, low : self._high], 0, window + window // 4) for t in pair)
            for index, pair in self._buffers.items()
        }
        self.window, self._buffers = window, kept
        self._low, self._high = 0, self._high - low

    def _make_room(self, n: int) -> None:
        """Before a block of ``n``: move the kept window to the front if the buffer would run over, and the
        base of running positions if they have grown."""
        kept = self._high - self._low
        if self._buffers:
            capacity = next(iter(self._buffers.values()))[0].shape[2]
            if self._high + n > capacity:
                wanted = max(capacity, kept + n)
                for index, pair in self._buffers.items():
                    self._buffers[index] = tuple(_moved(t, self._low, self._high, wanted) for t in pair)
                self._low, self._high = 0, kept
        limit = max(REBASE, 2 * self.window + n)
        if self.backbone.length_dependent:
            limit = self.backbone.trained_length
        if self._seen - self._base + n > limit:
            base = self._seen - kept
            self._rotate_window(self._base - base)
            self._base = base

    def _rotate_window(self, by: int) -> None:
        """Turn the window's keys by ``by`` positions (negative: towards 0)."""
        for index, (keys, _) in self._buffers.items():
            rotation = self.backbone.rotations.of(self.backbone.layers[index])
            if rotation is None:
                continue
            part = keys[:, :, self._low : self._high]
            exact = torch.promote_types(keys.dtype, torch.float32)
            cos, sin = (table.to(part.device, exact) for table in rotation.table(torch.tensor([by])))
            part.copy_(rotation.turn(part.to(exact), cos, sin))

    def _attend(self, layer: nn.Module, q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
        index, n = layer.layer_idx, k.shape[2]
        if index not in self._buffers:
            slack = max(n, self.window // 4)
            shape = (*k.shape[:2], max(n, self.window) + slack, k.shape[3])
            self._buffers[index] = (k.new_zeros(shape), v.new_zeros((*shape[:3], v.shape[3])))
        keys, values = self._buffers[index]
        end = self._high + n
        if not self.backbone.replaying:  # a layer that runs again finds them there
            keys[:, :, self._high : end] = k.detach()
            values[:, :, self._high : end] = v.detach()
        if k.requires_grad:  # the block's own keys carry gradients, the kept ones never do
            options["k_new"], options["v_new"] = k, v
        k, v = keys[:, :, self._low : end], values[:, :, self._low : end]
        if not self._sinks:
            return sink_attention(q, k, v, start=self._seen, window=self.window, **options)
        k_sink, v_sink = self._sinks[index]
        q_sink = self._turned(layer, q)
        return sink_attention(
            q,
            k,
            v,
            start=self._seen,
            window=self.window,
            q_sink=q_sink,
            k_sink=k_sink,
            v_sink=v_sink,
            **options,
        )

    def _turned(self, layer: nn.Module, q: Tensor) -> Tensor:
        """The queries at the distance that they keep from the sinks."""
        rotation = self.backbone.rotations.of(layer)
        if rotation is None:
            return q
        key = (id(rotation), q.device)
        if key not in self._turns:  # once a block, not once a layer
            place = torch.arange(self._seen, self._seen + q.shape[2])
            angle = place.clamp(max=self.window - 1) - (place - self._base)
            table = rotation.table(angle)
            self._turns[key] = tuple(t.to(q.device, q.dtype) for t in table) if bool(angle.any()) else None
        turn = self._turns[key]
        return q if turn is None else rotation.turn(q, *turn)

    def state(self) -> dict[str, Tensor]:
        capacity = next(iter(self._buffers.values()))[0].shape[2] if self._buffers else 0
        place = [self._seen, self._base, self.window, self.sinks, self._low, capacity]
        found = {"place": torch.tensor(place)}
        for index, (keys, values) in self._buffers.items():
            found[f"{index}.keys"] = keys[:, :, self._low : self._high].clone()
            found[f"{index}.values"] = values[:, :, self._low : self._high].clone()
        for index, (keys, values) in self._sinks.items():
            found[f"{index}.sink_keys"], found[f"{index}.sink_values"] = keys.clone(), values.clone()
        return found

    def load(self, state: dict[str, Tensor]) -> None:
        seen, base, window, sinks, low, capacity = state["place"].tolist()
        if (window, sinks) != (self.window, self.sinks):
            raise ValueError(
                f"kept with window {window} and {sinks} sinks, not {self.window} and {self.sinks}"
            )
        layers = sorted({int(name.split(".")[0]) for name in state if name != "place"})
        self._seen, self._base, self._low, self._high, self._staged = seen, base, low, low, 0
        # At the very place it had: a product's last bits may follow from where its factors lie in memory.
        self._buffers = {
            i: tuple(
                _placed(state[f"{i}.{name}"].to(self._device(i)), low, capacity)
                for name in ("keys", "values")
            )
            for i in layers
        }
        self._sinks = {
            i: tuple(state[f"{i}.sink_{name}"].to(self._device(i), copy=True) for name in ("keys", "values"))
            for i in layers
            if f"{i}.sink_keys" in state
        }
        if layers:
            self._high = low + state[f"{layers[0]}.keys"].shape[2]

    def _device(self, index: int) -> torch.device:
        """Where a layer computes: a model may lie on several cards."""
        device = next(self.backbone.layers[index].parameters()).device
        return self.backbone.device if device.type == "meta" else device


def _placed(kept: Tensor, low: int, capacity: int) -> Tensor:
    """A buffer of ``capacity`` tokens with ``kept`` in it from ``low``."""
    buffer = kept.new_zeros((*kept.shape[:2], capacity, kept.shape[3]))
    buffer[:, :, low : low + kept.shape[2]] = kept
    return buffer


def _moved(buffer: Tensor, low: int, high: int, capacity: int) -> Tensor:
    """``buffer``'s [low, high) at the front of a buffer that holds at least ``capacity``."""
    kept = buffer[:, :, low:high]
    if buffer.shape[2] < capacity:
        grown = buffer.new_zeros((*buffer.shape[:2], capacity + max(capacity // 4, 1), buffer.shape[3]))
        grown[:, :, : high - low] = kept
        return grown
    buffer[:, :, : high - low] = kept.clone()
    return buffer

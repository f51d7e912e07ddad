"""The sizes that a session runs with, and how they follow from a model.

Knows block, window and sinks. Knows no text, and of a model only its sizes; no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from longread.config import Memory
from longread.errors import ModelError
from longread.model.fit import Sizes


class Sized(Protocol):
    """What of a model decides its sizes; ``Backbone`` is one. ``sizes`` are the largest that fit memory."""

    @property
    def trained_length(self) -> int | None: ...
    @property
    def length_dependent(self) -> bool: ...
    @property
    def stateful(self) -> bool: ...
    @property
    def sizes(self) -> Sizes | None: ...


@dataclass(frozen=True)
class Shape:
    """The sizes that a session runs with, all in tokens."""

    block: int
    window: int
    sinks: int


def shape_for(backbone: Sized, memory: Memory, prefix: int, *, learned_sink: bool) -> Shape:
    """Sizes for a model, taken from it wherever ``memory`` leaves them open.

    The window is the trained length at most 4,096, the block a quarter of it, less where
    memory asks for it (``backbone.sizes``). What is written needs no room beside it: the
    window moves along, and no distance exceeds the window's. Where frequencies depend on length
    (dynamic NTK, longrope) a block must end within the trained length too: the window is three
    quarters of it. Sinks are the ``prefix`` (BOS and the template's head), four at least unless
    the model learned one. ``ModelError`` for sizes that cannot work.
    """
    trained = backbone.trained_length or 2048
    room = backbone.sizes
    most = trained * 3 // 4 if backbone.length_dependent else trained
    window = memory.window or min(most, room.window if room else 4096)
    quarter = max(1, window // 4)
    block = memory.block or (min(room.block, quarter) if room else quarter)
    sinks = memory.sinks if memory.sinks is not None else (prefix if learned_sink else max(4, prefix))
    if window > trained:
        raise ModelError(
            f"a window of {window} tokens is more than the {trained} that this model was trained on",
            f"use --window {trained} or less",
        )
    if backbone.length_dependent and window + block > trained:
        raise ModelError(
            f"a window of {window} tokens and a block of {block} go beyond the {trained} up to which this "
            "model's positions mean the same",
            f"use --window {most} or less, and a block of a quarter of it",
        )
    if sinks >= window - 1:
        raise ModelError(f"{sinks} sinks leave no room in a window of {window} tokens", "use fewer sinks")
    if sinks > prefix + block:
        raise ModelError(
            f"{sinks} sinks are more than a first block of {block} tokens holds",
            f"use --sinks {prefix + block} or less, or larger blocks",
        )
    if memory.learn and memory.recipe == "paper" and block > window - sinks:
        raise ModelError(
            f"a block of {block} tokens is more than paper learns at once in a window of {window}",
            f"use --block {window - sinks} or less",
        )
    shape = Shape(block, window, sinks)
    if not backbone.stateful:
        room_to_recompute(shape, prefix)
    return shape


def room_to_recompute(shape: Shape, prefix: int) -> None:
    """``ModelError`` where a block and the sinks leave no room for what came before: without a cache a whole
    window is encoded at once."""
    if shape.block + max(shape.sinks, prefix) >= shape.window:
        raise ModelError(
            f"a block of {shape.block} tokens does not fit a window of {shape.window} without a cache",
            f"use --block {max(1, shape.window // 4)} or less",
        )

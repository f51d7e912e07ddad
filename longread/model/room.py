"""The sizes with which a model fits a machine, and what is given up for them.

Knows what a reading takes (``fit.py``) and what there is (``machine.py``). Loads nothing; no torch.

First the layers run twice, which costs half as much time again and changes no figure; then the block shrinks,
then the window; then, beside an accelerator, weights stay in the machine's memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from longread.config import Memory
from longread.model import cached
from longread.model.families import why_in_chunks
from longread.model.find import Found
from longread.model.fit import Needs, Sizes, default_sizes, figures, needs, of_text
from longread.model.machine import Machine, memory_on

SMALLEST_WINDOW, SMALLEST_BLOCK = 512, 32


@dataclass(frozen=True)
class Fit:
    """How a model does on a machine. ``sizes`` are the largest that fit, ``needs`` what they take; ``fits``
    is False where even the smallest do not, ``shrunk`` says that memory made them smaller,
    ``checkpointed`` that layers run again for the gradient, ``offloaded`` that weights wait in the
    machine's memory for their turn. ``wanted`` is what it would take without any of that."""

    fits: bool
    shrunk: bool
    sizes: Sizes
    needs: Needs
    checkpointed: bool = False
    offloaded: bool = False
    wanted: int = 0

    def says(self, room: int) -> str:
        """A line for the user on what ``room`` bytes made of the reading; "" where nothing was given up."""
        if not (self.shrunk or self.checkpointed or self.offloaded) and self.fits:
            return ""
        short = f"reading would take {_gb(self.wanted)} and there is room for {_gb(room)}"
        if not self.fits:
            return f"{short}: memory may run out; a smaller model or --no-learn takes less"
        done = ["layers run twice for the gradient"] if self.checkpointed else []
        if self.shrunk:
            done.append(f"a window of {self.sizes.window:,} and blocks of {self.sizes.block:,} tokens")
        if self.offloaded:
            done.append("some weights wait in the machine's own memory, which is slow")
        return f"{short}: {', '.join(done)}"


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def fit(
    config: Mapping[str, Any],
    machine: Machine,
    memory: Memory = Memory(),  # noqa: B008  (frozen)
    *,
    bytes_a_value: int | None = None,
    parameters: int | None = None,
    stateful: bool | None = None,
) -> Fit:
    """The largest sizes with which the model reads on ``machine``, learning where ``memory`` says so.

    Sizes that ``memory`` names are not changed. ``bytes_a_value`` of a weight is the
    machine's usual where left out, ``stateful`` what is known of the family.
    """
    if stateful is None:
        stateful = not why_in_chunks(of_text(config).get("model_type"))
    first = default_sizes(config, memory.window, memory.block)
    value = bytes_a_value or machine.bytes_a_value
    wanted = 0
    for sizes, checkpointed, offloaded in _ways(first, memory, machine):
        took = needs(
            config,
            sizes,
            bytes_a_value=value,
            rank=memory.rank,
            learn=memory.learn,
            stateful=stateful,
            checkpointed=checkpointed,
            behind=memory.recipe == "paper",
            kernel=machine.kernels,
            parameters=parameters,
        )
        wanted = wanted or took.total
        on_card = took.total - (_movable(config, took) if offloaded else 0)
        fits = on_card <= machine.room and took.weights <= machine.room + machine.spare
        last = Fit(fits, sizes != first, sizes, took, checkpointed, offloaded, wanted)
        if fits:
            break
    return last


def fitted(
    found: Found, memory: Memory, *, device: str = "auto", dtype: str = "auto", stateful: bool | None = None
) -> tuple[Fit, Machine]:
    """The same for a model's files and the user's choice of device and number format, with what was found
    of the machine."""
    machine = memory_on(device)
    how = fit(
        found.config,
        machine,
        memory,
        bytes_a_value=bytes_a_value(machine, dtype),
        parameters=cached.parameters_in(found.folder),
        stateful=stateful,
    )
    return how, machine


def bytes_a_value(machine: Machine, dtype: str) -> int:
    """Of a weight in the number format called ``dtype``; "auto" is bf16 on an accelerator, else float32."""
    return machine.bytes_a_value if dtype == "auto" else 4 if dtype == "float32" else 2


def _ways(first: Sizes, memory: Memory, machine: Machine) -> Iterator[tuple[Sizes, bool, bool]]:
    """Sizes, whether checkpointed, whether offloaded; what costs the user least comes first."""
    yield first, False, False
    for offloaded in (False, True) if machine.spare else (False,):
        for sizes in _smaller(first, memory):
            yield sizes, memory.learn, offloaded


def _smaller(first: Sizes, memory: Memory) -> Iterator[Sizes]:
    """``first``, then ever smaller: blocks down to a sixteenth of the window, then half the window."""
    window = first.window
    while True:
        block = memory.block or max(1, window // 4)
        yield Sizes(block, window)
        while not memory.block and block // 2 >= max(SMALLEST_BLOCK, window // 16):
            block //= 2
            yield Sizes(block, window)
        if memory.window or window // 2 < SMALLEST_WINDOW:
            return
        window //= 2


def _movable(config: Mapping[str, Any], took: Needs) -> int:
    """Bytes of the weights that need not lie on the card: all layers but the two at work."""
    m = figures(config)
    whole = m.layers * m.layer + m.vocabulary * m.width * (1 if m.tied else 2)
    return int(took.weights * max(0, m.layers - 2) * m.layer / max(whole, 1))

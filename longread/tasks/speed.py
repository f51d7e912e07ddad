"""How fast this machine reads: the bundled model on the bundled novella, for a few seconds.

Knows how to time the block loop without the warm-up, and where speeds are remembered for
estimates. Knows nothing of what is made of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from longread.config import Memory, Options
from longread.reader import open_document
from longread.reader.blocks import blocks
from longread.tasks import estimate

if TYPE_CHECKING:
    from longread.model.load import LoadedModel

_WARM_UP = 2  # blocks: the first carries the sinks, and a kernel may be compiled in it


def reading_speeds(loaded: LoadedModel, seconds: float) -> Iterator[tuple[bool, float]]:
    """(learning, tokens a second), without learning and then with it; each takes half of ``seconds``.

    Both are remembered as the speed of such a reading here.
    """
    from longread.engine.session import Session
    from longread.engine.shape import shape_for

    for learn in (False, True):
        memory = Memory(learn=learn)
        shape = shape_for(loaded.backbone, memory, len(loaded.prefix), learned_sink=loaded.learned_sink)
        tokens, busy, end = 0, 0.0, time.perf_counter() + seconds / 2
        with (
            open_document("sample:en") as document,
            Session(loaded.backbone, loaded.prefix, shape, memory) as session,
        ):
            stream = blocks(document, loaded.encoder, shape.block, start=0, end=document.characters)
            for number, block in enumerate(stream):
                began = time.perf_counter()
                session.step(block)
                if number >= _WARM_UP:
                    tokens, busy = tokens + len(block), busy + time.perf_counter() - began
                if number > _WARM_UP and time.perf_counter() > end:
                    break
        speed = tokens / max(busy, 1e-9)
        how = estimate.as_loaded(Options(memory=memory), loaded)
        estimate.remember_speed(loaded.found, shape, how, speed)
        yield learn, speed


def card_rate(name: str) -> float:
    """FLOP/s of a bf16 matrix product on the first card, called ``name``; remembered for estimates."""
    import torch

    from longread.model.fingerprint import remember

    size, rounds = 4096, 20
    a = torch.ones(size, size, dtype=torch.bfloat16, device="cuda")
    for count in (3, rounds):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(count):
            _ = a @ a
        torch.cuda.synchronize()
    rate = rounds * 2 * size**3 / (time.perf_counter() - began)
    remember("rates.json", name, rate)
    return rate

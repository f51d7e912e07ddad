"""``--dry-run``: what a command would do, without reading anything into a model.

Knows the text, the model's config and the speeds measured before. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from longread.config import Options
from longread.events import Done, Event, Planned
from longread.model.find import Found, find_model
from longread.tasks import estimate, reading


@dataclass(frozen=True)
class Sizes:
    """Block, window and sinks, in tokens."""

    block: int
    window: int
    sinks: int


def plan(command: str, path: str, options: Options, *, passes: float = 1, writes: int = 0) -> Iterator[Event]:
    """Tokens, blocks, memory, share of the book and estimated time; the result is an ``estimate.Plan``.

    ``passes`` is how often a model reads the text, 0 for a job that looks things up in it; ``writes`` how
    many tokens the model writes after that.
    """
    with reading.opened(path, options) as job:
        yield from reading.announce(job)
        found = find_model(options.model)
        from longread.model.tokens import load_encoder

        with job.tally.phase("load"):
            encoder = load_encoder(found.folder)
        sizes = _sizes(found, options)
        planned = estimate.plan(job, found, encoder, sizes)
        seconds = planned.seconds * passes
        if writes:
            seconds += estimate.writing_seconds(found, sizes, options, writes)
        planned = replace(planned, seconds=seconds, blocks=planned.blocks if passes else 0)
        yield Planned(**vars(planned))
        job.tally.unread = planned.tokens
        yield Done(command, options.model, job.document.as_dict(), planned, job.tally.as_dict())


def _sizes(found: Found, options: Options) -> Sizes:
    memory, config = options.memory, found.config
    trained = config.get("max_position_embeddings") or 2048
    window = memory.window or min(trained, 4096)
    learned = found.entry is not None and found.entry.learned_sink is not None
    sinks = memory.sinks if memory.sinks is not None else (1 if learned else 4)
    return Sizes(memory.block or max(1, window // 4), window, sinks)

"""``--dry-run``: what a command would do, without reading anything into a model.

Knows the text, the model's config and the speeds measured before. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from longread.config import Options
from longread.events import Done, Event, Planned
from longread.model.families import why_in_chunks
from longread.model.find import Found, find_model
from longread.model.fit import Sizes
from longread.model.room import fitted
from longread.tasks import estimate, reading


def plan(
    command: str,
    path: str,
    options: Options,
    *,
    passes: float = 1,
    ways: Sequence[estimate.Way] = (),
    writes: int = 0,
) -> Iterator[Event]:
    """Tokens, blocks, memory, share of the book and estimated time; the result is an ``estimate.Plan``.

    ``passes`` is how often a model reads the text, 0 for a job that looks things up in it, each time in all
    ``ways``; ``writes`` how many tokens the model writes after that.
    """
    with reading.opened(path, options) as job:
        yield from reading.announce(job)
        found = find_model(options.model)
        from longread.model.tokens import load_encoder

        with job.tally.phase("load"):
            encoder = load_encoder(found.folder)
        how, machine = fitted(found, options.memory, device=options.device, dtype=options.dtype)
        said = how.says(machine.room)
        if said and passes:
            yield job.warn(said)
        chunks = why_in_chunks(found.config.get("model_type"))
        if chunks and passes:
            yield job.warn(f"{found.name} is read in chunks without a cache: {chunks}")
        sizes = Sizes(how.sizes.block, how.sizes.window, _sinks(found, options))
        planned = estimate.plan(
            job, found, encoder, sizes, ways=ways, stateful=not chunks, checkpointed=how.checkpointed
        )
        seconds = planned.seconds * passes
        if writes:
            seconds += estimate.writing_seconds(found, sizes, options, writes)
        planned = replace(planned, seconds=seconds, blocks=planned.blocks if passes else 0)
        yield Planned(**vars(planned))
        job.tally.unread = planned.tokens
        yield Done(
            command,
            options.model,
            job.document.as_dict(),
            planned,
            job.tally.as_dict(),
            warnings=tuple(job.warnings),
        )


def _sinks(found: Found, options: Options) -> int:
    learned = found.entry is not None and found.entry.learned_sink is not None
    return options.memory.sinks if options.memory.sinks is not None else (1 if learned else 4)

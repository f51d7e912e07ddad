"""``--dry-run``: what a command would do, without reading anything into a model.

Knows the text, the model's config and the speeds measured before. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from longread.config import Options
from longread.engine.shape import room_to_recompute, shape_for
from longread.errors import LongreadError
from longread.events import Done, Event
from longread.model.families import why_in_chunks
from longread.model.find import Found, find_model
from longread.model.fit import Sizes, lengths
from longread.model.machine import refuse_device
from longread.model.prefix import prefix_of
from longread.model.room import fitted
from longread.tasks import estimate, reading
from longread.tasks.keep import foreseen


@dataclass(frozen=True)
class _Known:
    """What of a model decides its sizes, as far as its config says it: ``engine.shape.Sized``."""

    trained_length: int
    length_dependent: bool
    stateful: bool
    sizes: Sizes | None


def plan(
    command: str,
    path: str,
    options: Options,
    *,
    passes: float = 1,
    ways: Sequence[estimate.Way] = (),
    writes: int = 0,
    notes: Callable[[reading.Job, Found, Any, estimate.Sizes], estimate.Notes | None] | None = None,
    keeps: Callable[[reading.Job, Found], bool] = lambda job, found: False,
    check: Callable[[reading.Job], None] | None = None,
) -> Iterator[Event]:
    """Tokens, blocks, memory, share of the book and estimated time; the result is the ``Planned`` among them.

    ``passes`` is how often a model reads the text, 0 for a job that looks things up in it, each time in all
    ``ways``; ``writes`` how many tokens the model writes after that, ``notes`` what it writes beside. A job
    that ``keeps`` its reading has less to do where one is there. ``check`` raises what the job itself would,
    as far as that can be told now; so do a device and sizes that cannot be.
    """
    with reading.opened(path, options) as job:
        if check is not None:
            check(job)
        yield from reading.announce(job)
        found = _model(options.model, needed=bool(passes))
        from longread.model.tokens import load_encoder

        with job.tally.phase("load"):
            encoder = load_encoder(found.folder)
        if passes:
            refuse_device(options.device)
        how, machine = fitted(found, options.memory, device=options.device, dtype=options.dtype)
        said = how.says(machine.room)
        if said and passes:
            yield job.warn(said)
        chunks = why_in_chunks(found.config.get("model_type"))
        if chunks and passes:
            yield job.warn(f"{found.name} is read in chunks without a cache: {chunks}")
        trained, dependent = lengths(found.config)
        prefix, learned = prefix_of(found)
        trained = trained or max(2048, options.memory.window or 0)  # what no config says refuses nothing
        known = _Known(trained, dependent, not chunks, how.sizes if how.shrunk else None)
        if passes:
            sizes = shape_for(known, options.memory, len(prefix), learned_sink=learned)
            if any(not way.cached for way in ways):
                room_to_recompute(sizes, len(prefix))
        else:  # nothing is read: no size can be wrong
            sizes = how.sizes
        planned = estimate.plan(
            job,
            found,
            encoder,
            sizes,
            ways=ways,
            stateful=not chunks,
            checkpointed=how.checkpointed,
            passes=passes,
            read=foreseen(job, found, sizes) if keeps(job, found) else 0.0,
            writes=writes,
            notes=None if notes is None else notes(job, found, encoder, sizes),
        )
        yield planned
        job.tally.unread = planned.tokens - planned.read
        yield Done(
            command,
            options.model,
            job.document.as_dict(),
            planned,
            job.tally.as_dict(),
            warnings=tuple(job.warnings),
        )


def _model(name: str, *, needed: bool) -> Found:
    """The model's files. Where it is not ``needed``, the bundled one's count the tokens if it is not here:
    what ``check`` has let through looks things up and needs none."""
    try:
        return find_model(name)
    except LongreadError:
        if needed:
            raise
        return find_model(Options().model)

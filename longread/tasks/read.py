"""``read``: the text through the model, kept for the commands that use it later.

Knows only the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from longread.config import Options
from longread.errors import Interrupted
from longread.events import Done, Event, Text
from longread.tasks import reading
from longread.tasks.gather import gatherer_for


@dataclass(frozen=True)
class Reading:
    """What was read. ``reading`` and ``path`` are the id and folder of what was saved, None for nothing.

    ``resumed_at`` is the number of blocks that an earlier run had read. ``adapter_sha256`` is
    of the adapter's tensors in sorted order of name; None without one.
    """

    reading: str | None
    path: str | None
    blocks: int
    resumed_at: int
    adapter_sha256: str | None


def read(path: str, options: Options) -> Iterator[Event]:
    """Read the text at ``path`` once; the result is a ``Reading``."""
    with reading.opened(path, options) as job:
        yield from reading.announce(job)
        loaded = reading.load(job)
        yield from reading.introduce(job, loaded, keeps=True)
        gatherer = gatherer_for(job, loaded, hold=False) if options.save else None
        partial = False
        with reading.session_for(job, loaded, gatherer=gatherer) as (session, keeper):
            try:
                yield from reading.read_blocks(job, loaded, session, keeper=keeper)
            except Interrupted:
                partial = True
            adapter = session.lora.sha256() if session.lora else None
        stats = job.tally.as_dict() | {"nll": job.tally.nll}
        kept = keeper.reading if keeper else None
        result = Reading(
            kept.id if kept else None,
            str(kept.folder) if kept else None,
            job.tally.blocks,
            keeper.resumed_at if keeper else 0,
            adapter,
        )
        yield Done(
            "read",
            loaded.name,
            job.document.as_dict(),
            result,
            stats,
            partial=partial,
            warnings=tuple(job.warnings),
        )


def text(path: str, options: Options) -> Iterator[Event]:
    """What the text is, then the text as read in ``Text`` events: what spans in other commands' answers
    count in."""
    with reading.opened(path, options) as job:
        yield from reading.announce(job)
        yield from map(Text, job.document.text(job.start, job.end))

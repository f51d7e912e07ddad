"""``read``: the text through the model, and nothing made of it yet.

Knows only the reading. Saving it comes with the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from longread.config import Options
from longread.errors import Interrupted
from longread.events import Done, Event
from longread.tasks import reading


@dataclass(frozen=True)
class Reading:
    """What was read. ``reading`` and ``path`` stay None until readings are saved.

    ``adapter_sha256`` is of the adapter's tensors in sorted order of name; None without one.
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
        yield from reading.introduce(job, loaded)
        from longread.engine.session import Session

        shape = reading.shape_of(loaded, options)
        partial = False
        with Session(loaded.backbone, loaded.prefix, shape, options.memory, seed=options.seed) as session:
            try:
                yield from reading.read_blocks(job, loaded, session)
            except Interrupted:
                partial = True
            adapter = session.lora.sha256() if session.lora else None
        stats = job.tally.as_dict() | {"nll": job.tally.nll}
        result = Reading(None, None, job.tally.blocks, 0, adapter)
        yield Done(
            "read",
            loaded.name,
            job.document.as_dict(),
            result,
            stats,
            partial=partial,
            warnings=tuple(job.warnings),
        )


def text(path: str, options: Options) -> Iterator[str]:
    """The text as read: what spans in other commands' answers count in."""
    with reading.opened(path, options) as job:
        yield from job.document.text(job.start, job.end)

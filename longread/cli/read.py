"""``longread read``: read a text as the other commands do, or print what they would read."""

from __future__ import annotations

import importlib
from functools import partial
from itertools import chain, islice
from typing import Any

from ..config import Setting
from ..errors import UsageError
from ..jobs import JOBS
from .app import Command, app
from .interrupt import Stop
from .job import INTERRUPTED, Place, Run
from .options import FILES, takes
from .render import streams
from .render.clean import same_length

TEXT = Setting("text", bool, help="print the text as read, without any model", panel="Options")


@app.command(cls=Command)
@takes(TEXT)
def read(files: FILES = None, **given: Any) -> partial[int]:
    """Read a text through the model, learning from it, and keep the reading for the other commands.

    With --text the text itself is printed instead, as the model would read it. The spans of other commands
    count its characters.
    """
    return partial(_run, files, given)


def _run(files: list[str] | None, given: dict[str, Any]) -> int:
    if not given.pop("text", False):
        work = Run(JOBS["read"], files, given)
        return work.each(work.perform)
    for name in ("json", "jsonl", "dry-run"):
        if given.get(name):
            raise UsageError(f"--text and --{name} contradict each other", "give one of them")
    work = Run(JOBS["read"], files, given)
    return work.each(partial(_print, work))


def _print(work: Run, file: str, place: Place, stop: Stop) -> int:
    task = importlib.import_module("longread.tasks.read")
    pieces = iter(task.text(file, work.options))
    first = list(islice(pieces, 1))  # so that a file that cannot be read starts no pager
    target = streams.pager() if isinstance(place, streams.Stdout) else place
    partial = False
    try:
        for piece in chain(first, pieces):
            if partial := stop.asked:
                break
            target.write(same_length(piece))
        target.commit(partial)
    finally:
        target.discard()
    return INTERRUPTED if partial else 0

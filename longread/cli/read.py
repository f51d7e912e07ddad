"""``longread read``: read a text as the other commands do, or print what they would read."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from ..config import Setting
from ..errors import Interrupted, UsageError
from ..events import Text
from ..jobs import JOBS
from .app import Command, app
from .interrupt import Stop, follow
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
    target: Place | None = None
    partial = False
    try:
        try:
            for event in follow(task.text(file, work.options), stop):
                if not isinstance(event, Text):
                    work.screen.show(event)
                    continue
                # The pager only now: a file that cannot be read starts none.
                target = target or (streams.pager() if isinstance(place, streams.Stdout) else place)
                target.write(same_length(event.text))
        except Interrupted:
            partial = True
        work.tell_place((target or place).commit(partial), partial)
    finally:
        if target is not None:
            target.discard()
    return INTERRUPTED if partial else 0

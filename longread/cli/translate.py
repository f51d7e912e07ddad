"""``longread translate``."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from typing import Any

from ..jobs import JOBS
from .app import Command, app
from .options import FILES, takes


@app.command(cls=Command)
@takes(*JOBS["translate"].settings)
def translate(files: FILES = None, **given: Any) -> partial[int]:
    """Translate a text sentence by sentence, its names the same from first chapter to last.

    What is done stays done: the same command goes on where it stopped. The output's ending chooses its
    format; at a terminal without FILE what is typed is translated, line by line.
    """
    return partial(_run, files, given)


def _run(files: list[str] | None, given: dict[str, Any]) -> int:
    typed = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    if typed and not files and not {"output", "json", "jsonl", "dry-run"} & given.keys():
        return importlib.import_module("longread.cli.typed").converse(given)
    from .translated import Translating

    work = Translating(JOBS["translate"], files, given)
    return work.each(work.perform)

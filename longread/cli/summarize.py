"""``longread summarize``."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..jobs import JOBS
from .app import Command, app
from .job import run
from .options import FILES, takes


@app.command(cls=Command)
@takes(*JOBS["summarize"].settings)
def summarize(files: FILES = None, **given: Any) -> partial[int]:
    """Summarize a text, with the place of everything in the book.

    The bundled model quotes the book and does not write about it; a model that can write does.
    """
    return partial(run, "summarize", files, given)

"""``longread score``."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..jobs import JOBS
from .app import Command, app
from .job import run
from .options import FILES, takes


@app.command(cls=Command)
@takes(*JOBS["score"].settings)
def score(files: FILES = None, **given: Any) -> partial[int]:
    """Measure how well the model predicts a text: streaming perplexity, arm by arm.

    An arm is a way to keep the text: window (no sinks), sink, recompute (the window encoded again for every
    block), each also with an adapter that learns while reading (+lora, +paper).
    """
    return partial(run, "score", files, given)

"""``longread continue``."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from ..jobs import JOBS
from .app import Command, app
from .job import run
from .options import takes

FILE = Annotated[str | None, typer.Argument(metavar="FILE", show_default=False)]


@app.command("continue", cls=Command)
@takes(*JOBS["continue"].settings)
def continue_(file: FILE = None, **given: Any) -> partial[int]:
    """Write on from where a text ends, block by block; the model learns each block that it has written.

    The text appears as it is written and starts at the very next character: append it to the text and it
    goes on. The bundled model has the manner of a text, not the sense.
    """
    return partial(run, "continue", None if file is None else [file], given)

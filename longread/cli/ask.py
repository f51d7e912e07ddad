"""``longread ask``."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..jobs import JOBS
from .app import Command, app
from .asked import is_question
from .job import run
from .options import takes

FILE = Annotated[str | None, typer.Argument(metavar="FILE", show_default=False)]
QUESTIONS = Annotated[list[str] | None, typer.Argument(metavar="QUESTION…", show_default=False)]


@app.command(cls=Command)
@takes(*(setting for setting in JOBS["ask"].settings if setting.name != "question"))
def ask(file: FILE = None, texts: QUESTIONS = None, **given: Any) -> partial[int]:
    """Answer questions from a text, each answer with the passages that it rests on.

    The bundled model quotes, and often not the sentence that answers: read the passages. A model that can
    write answers in its own words and cites them. Where nothing in the text bears on a question it says so.
    """
    asked = list(texts or ())
    if file is not None and is_question(file, bool(asked)):
        file, asked = None, [file, *asked]
    if not asked and "questions" not in given:
        raise UsageError(
            "longread ask needs a question", 'try: longread ask sample:en "Who is the dredgemaster?"'
        )
    return partial(run, "ask", None if file is None else [file], {**given, "question": asked or None})

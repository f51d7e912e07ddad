"""``longread ask``."""

from __future__ import annotations

import os
import re
import sys
from functools import partial
from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..jobs import JOBS
from .app import Command, app
from .job import run
from .options import takes

FILE = Annotated[str | None, typer.Argument(metavar="FILE", show_default=False)]
QUESTIONS = Annotated[list[str] | None, typer.Argument(metavar="QUESTION…", show_default=False)]

_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # they hold few spaces or none


@app.command(cls=Command)
@takes(*(setting for setting in JOBS["ask"].settings if setting.name != "question"))
def ask(file: FILE = None, texts: QUESTIONS = None, **given: Any) -> partial[int]:
    """Answer questions from a text, each answer with the passages that it rests on.

    The bundled model's answers are quotations; a model that can write answers in its own words and cites
    the passages. A question that the text does not answer is refused.
    """
    asked = list(texts or ())
    if file is not None and _is_question(file, bool(asked)):
        file, asked = None, [file, *asked]
    if not asked and "questions" not in given:
        raise UsageError(
            "longread ask needs a question", 'try: longread ask sample:en "Who is the dredgemaster?"'
        )
    return partial(run, "ask", None if file is None else [file], {**given, "question": asked or None})


def _is_question(word: str, others: bool) -> bool:
    """Whether the first argument is no file: ``cat novel.txt | longread ask "Who is Ahab?" "And Ishmael?"``.

    Where nothing but a space speaks for a question, what ends as a file's name does, ``others`` behind it, is
    a file that is missing.
    """
    piped = sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()
    word = word.strip()
    if not piped or word == "-" or word.startswith("sample:") or os.path.exists(word):
        return False
    if word.endswith(("?", "？")):
        return True
    ending = re.search(r"\.\w{1,5}$", word, re.ASCII)
    if any(map(str.isspace, word)):
        return not (ending and others)
    return bool(_CJK.search(word)) and not ending and not {"/", os.sep} & set(word)

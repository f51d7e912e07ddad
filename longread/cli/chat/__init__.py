"""``longread chat``: the command; what happens in it stands in the files beside this one."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Annotated, Any

import typer

from ...config import Setting
from ..app import Command, app
from ..options import takes

SETTINGS = (
    Setting("resume", bool, help="take up the latest conversation, or the one about FILE or called NAME",
            panel="Options"),
)  # fmt: skip


@app.command(cls=Command)
@takes(*SETTINGS, output=())
def chat(
    file: Annotated[str | None, typer.Argument(metavar="FILE|NAME", show_default=False)] = None, **given: Any
) -> partial[int]:
    """Talk about a book: a prompt with history, multi-line input and /commands; /help lists them.

    A model that cannot hold a conversation, such as the bundled one, answers each line with passages of the
    book. From a pipe, one line is one turn.
    """
    return partial(_run, file, given)


def _run(file: str | None, given: dict[str, Any]) -> int:
    resume = bool(given.pop("resume", False))
    loop = importlib.import_module("longread.cli.chat.loop")
    return loop.converse(file, given, resume=resume)

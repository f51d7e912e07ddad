"""``longread models pull``: fetch a model from the Hugging Face hub."""

from __future__ import annotations

import shlex
from functools import partial
from typing import Annotated

import typer

from ...events import Done
from ..app import Command
from ..interrupt import Stop, follow
from ..render import screen, streams
from . import NAME, group


@group.command(cls=Command)
def pull(
    name: NAME,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="print the folder and errors only")] = False,
) -> partial[int]:
    """Fetch a model, safetensors only, and print the folder it went to.

    NAME is one of the list or any owner/name of the hub. A cut download goes on where it stopped, and every
    file is verified. HF_HOME says where models are kept, HF_ENDPOINT names another hub.
    """
    return partial(_pull, name, quiet)


def _pull(name: str, quiet: bool) -> int:
    from ...model import hub

    shown = screen.choose("auto", quiet, verbose=False)
    with shown, Stop(lambda: shown.say("stopping (Ctrl-C again stops at once)")) as stop:
        for event in follow(hub.pull(name), stop):
            shown.show(event)
    assert isinstance(event, Done)
    fetched = screen.words.size(event.result.fetched)
    shown.say(f"{fetched} fetched, every file verified; it is in")
    streams.show(f"{screen.unbroken(event.result.folder)}\n")
    shown.say(f"make it the default: longread models use {screen.unbroken(shlex.quote(name))}")
    return 0

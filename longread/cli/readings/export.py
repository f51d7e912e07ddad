"""``longread readings export``: the adapter as a folder that PEFT loads."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ...errors import OutputError
from ..app import Command
from ..output import OutputFile
from ..render import screen
from . import FORCE, NAME, group, library


@group.command(cls=Command)
def export(
    name: NAME,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FOLDER", help="the folder to write", show_default=False)
    ],
    force: FORCE = False,
) -> partial[int]:
    """Write a reading's adapter as a PEFT folder, for PeftModel.from_pretrained."""
    return partial(_export, name, output, force)


def _export(name: str, output: str, force: bool) -> int:
    from ...tasks.adapter import peft_files

    found = peft_files(library().find(name))
    folder = Path(os.path.expanduser(output))
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be a folder: {error.strerror}", "name another --output") from None
    places = [(OutputFile(folder / file, force, binary=True), data) for file, data in found.items()]
    for place, data in places:
        place.write(data)
        place.commit()
    screen.Plain().say(f"written in {screen.unbroken(folder.resolve())}")
    return 0

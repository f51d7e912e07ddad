"""``longread readings show``: all that is known of a reading, or the map of its book."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from ...errors import UsageError
from ..app import Command
from ..output import OutputFile
from ..render import answers, screen, shelf, streams
from . import AS_JSON, FORCE, NAME, as_record, group, library


@group.command(cls=Command)
def show(
    name: NAME,
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="draw the map of the book: a web page", show_default=False
        ),
    ] = None,
    as_json: AS_JSON = False,
    force: FORCE = False,
) -> partial[int]:
    """Show all that is known of a reading, or draw the map of its book.

    NAME is a title, a file, or the start of an id.
    """
    if output is not None and as_json:
        raise UsageError("--output and --json contradict each other", "give one of them")
    return partial(_show, name, output, as_json, force)


def _show(name: str, output: str | None, as_json: bool, force: bool) -> int:
    from ...tasks.shelf import account

    place = OutputFile(output, force) if output is not None and output != "-" else streams.Stdout()
    about = account(library().find(name))
    if as_json:
        return as_record("show", reading=about)
    if output is None:
        answers.deliver(place, lambda width: shelf.described(about, shelf.now()))
    else:
        from ...tasks.book_map import page

        place.write(page(about))
    if written := place.commit():
        screen.Plain().say(f"written in {screen.unbroken(written)}")
    return 0

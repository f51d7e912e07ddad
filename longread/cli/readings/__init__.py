"""``longread readings``: what is kept of texts, readings and all else, and how to be rid of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..app import Commands, app
from ..render import machine, streams

group = typer.Typer(cls=Commands, rich_markup_mode=None, context_settings=app.info.context_settings)
app.add_typer(group, name="readings", help="List, show, drop or export the readings that are kept.")

NAME = Annotated[str, typer.Argument(metavar="NAME")]
AS_JSON = Annotated[bool, typer.Option("--json", help="the answer as one JSON object")]
FORCE = Annotated[bool, typer.Option("--force", help="replace a file that longread did not write")]


def library() -> Any:
    """This user's readings."""
    from ...store.library import Library

    return Library()


def as_record(command: str, **values: Any) -> int:
    """Print the one JSON object of a subcommand."""
    record = {"schema": machine.SCHEMA, "command": f"readings {command}", **machine.plain(values)}
    return streams.show(machine.dumps(record))


from . import listing, show, path, export, rm  # noqa: E402, F401, I001  each adds itself to ``group``, in this order

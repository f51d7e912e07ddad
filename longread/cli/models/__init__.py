"""``longread models``: which models there are, which of them suit this machine, and how to get one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..app import Commands, app
from ..render import machine, streams

group = typer.Typer(cls=Commands, rich_markup_mode=None, context_settings=app.info.context_settings)
app.add_typer(group, name="models", help="List models, fetch one, choose the default, drop one.")

NAME = Annotated[str, typer.Argument(metavar="NAME")]
AS_JSON = Annotated[bool, typer.Option("--json", help="the answer as one JSON object")]


def as_record(command: str, key: str, value: Any) -> int:
    """Print the one JSON object of a subcommand."""
    record = {"schema": machine.SCHEMA, "command": f"models {command}", key: machine.plain(value)}
    return streams.show(machine.dumps(record))


from . import listing, show, pull, use, rm  # noqa: E402, F401, I001  each adds itself to ``group``, in this order

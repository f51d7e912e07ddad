"""``longread config``: where the settings are, what they are, and how to change them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from .. import config as settings
from ..places import config_file
from .app import Command, Commands, app
from .folder import from_anywhere
from .options import takes
from .render import streams
from .render.cells import padded, width_of
from .render.clean import printable, unbroken

group = typer.Typer(cls=Commands, rich_markup_mode=None, context_settings=app.info.context_settings)
app.add_typer(group, name="config", help="Show or change the settings that are kept.")


@group.command(cls=Command)
def path() -> partial[int]:
    """Print the path of config.toml."""
    return partial(streams.show, f"{printable(str(config_file()))}\n")


@group.command(cls=Command)
@takes(output=())
def show(**given: Any) -> partial[int]:
    """Print every setting, its value, and where the value comes from."""
    return partial(_show, given)


def _show(given: dict[str, Any]) -> int:
    rows = []
    for name, found in settings.resolve(given).items():
        shown = str(found.value).lower() if isinstance(found.value, bool) else str(found.value)
        if found.value is None:
            shown = "auto" if settings.BY_NAME[name].auto else "(none)"
        rows.append((name, unbroken(shown), found.origin))
    left, middle = (max(width_of(row[at]) for row in rows) for at in (0, 1))
    return streams.show(
        "".join(f"{padded(name, left)}  {padded(shown, middle)}  {origin}\n" for name, shown, origin in rows)
    )


@group.command("set", cls=Command)
def set_(
    key: Annotated[str, typer.Argument(metavar="KEY")],
    value: Annotated[str | None, typer.Argument(metavar="VALUE")] = None,
) -> partial[int]:
    """Keep a setting in config.toml. Without VALUE the setting is removed from it."""
    return partial(_set, key, value)


def _set(key: str, value: str | None) -> int:
    settings.write(key, from_anywhere(value) if key == "model" and value else value)
    return 0

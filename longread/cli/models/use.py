"""``longread models use``: choose the default model."""

from __future__ import annotations

import os
from functools import partial

from ... import config
from ..app import Command
from ..folder import from_anywhere
from ..render import screen
from . import NAME, group


@group.command(cls=Command)
def use(name: NAME) -> partial[int]:
    """Make a model the default of every command. Readings already made stay as they are."""
    return partial(_use, name)


def _use(name: str) -> int:
    from ...model.find import find_model

    find_model(name)  # or it says what is wrong with it
    chosen = from_anywhere(name)
    path = config.write("model", chosen)
    shown = screen.Plain()
    shown.say(f"{screen.unbroken(chosen)} is the default now, as {screen.unbroken(path)} says")
    variable = config.BY_NAME["model"].variable
    if os.environ.get(variable) not in (None, "", chosen):
        shown.say(
            f"note: {variable} is set to {screen.unbroken(os.environ[variable])} and comes first", "bold"
        )
    return 0

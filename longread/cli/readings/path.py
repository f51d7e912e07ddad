"""``longread readings path``."""

from __future__ import annotations

from functools import partial

from ..app import Command
from ..render import streams
from ..render.clean import unbroken
from . import NAME, group, library


@group.command(cls=Command)
def path(name: NAME) -> partial[int]:
    """Print a reading's folder."""
    return partial(_path, name)


def _path(name: str) -> int:
    return streams.show(f"{unbroken(library().find(name).folder)}\n")

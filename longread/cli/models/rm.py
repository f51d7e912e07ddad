"""``longread models rm``: delete a model from the Hugging Face cache."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ... import config
from ...errors import UsageError
from ..app import Command
from ..render import screen, streams, words
from ..render.question import agreed
from . import NAME, group


@group.command(cls=Command)
def rm(
    name: NAME, yes: Annotated[bool, typer.Option("--yes", help="do not ask first")] = False
) -> partial[int]:
    """Delete a model's files, those of a cut download too. It asks first."""
    return partial(_rm, name, yes)


def _rm(name: str, yes: bool) -> int:
    from ...model import cached
    from ...model.catalog import listed

    entry = listed(name)
    if entry is not None and entry.folder is not None:
        raise UsageError(
            f"{name} comes with the program and stays", "choose another with `longread models use`"
        )
    repo = (entry.repo if entry is not None else None) or name
    if not cached.is_repo(repo) or not cached.repo_folder(repo).is_dir():
        hint = (
            "delete that folder yourself" if Path(name).is_dir() else "`longread models list` shows which are"
        )
        raise UsageError(f"{name} is not in {cached.cache_folder()}", hint)
    about = f"{repo} ({words.size(cached.bytes_of(repo))})"
    if not yes and not agreed(f"delete {about} from {cached.cache_folder()}", "add --yes"):
        return streams.show("nothing was deleted\n")
    cached.remove(repo)
    streams.show(f"deleted {screen.unbroken(about)}\n")
    if config.read_file().get("model") in (name, repo, entry.name if entry else name):
        config.write("model", None)
        screen.Plain().say("it was the default; now that is pocket again")
    return 0

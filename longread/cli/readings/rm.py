"""``longread readings rm``: by name, by age, or all of them."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

import typer

from ...errors import LongreadError, PartialError, UsageError
from ..app import Command
from ..render import screen, shelf, streams
from ..render.question import agreed
from . import group, library

_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


@group.command(cls=Command)
def rm(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", show_default=False)] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="those last saved so long ago: 30d, 12h, 8w", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="every reading, every text's passages")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask first")] = False,
) -> partial[int]:
    """Delete readings. With --older-than or --all it asks first."""
    if bool(names) + (older_than is not None) + everything != 1:
        raise UsageError(
            "readings rm needs one of NAME…, --older-than and --all",
            "`longread readings list` shows the names",
        )
    return partial(_rm, names or [], None if older_than is None else seconds(older_than), everything, yes)


def _rm(names: list[str], oldest: float | None, everything: bool, yes: bool) -> int:
    from ...store import passages
    from ...tasks.readings import entry

    shelved, now = library(), shelf.now()
    # Every name is looked up before anything is deleted; two names may mean the same reading.
    chosen = {one.id: one for one in ([shelved.find(name) for name in names] if names else shelved.all())}
    told = {id: entry(one) for id, one in chosen.items()}
    if oldest is not None:
        ages = {id: about.age(now) for id, about in told.items()}
        chosen = {id: one for id, one in chosen.items() if (age := ages[id]) is not None and age > oldest}
    indexes = len(passages.indexed()) if everything else 0
    if not chosen and not indexes:
        return streams.show("no readings to delete\n")
    if not names and not yes:
        for id in chosen:
            screen.Plain().say(shelf.dropped(told[id]))
        what = ["this reading" if len(chosen) == 1 else f"these {len(chosen)} readings"] if chosen else []
        if indexes:
            what.append(f"the passages kept of {indexes} {'text' if indexes == 1 else 'texts'} asked about")
        if not agreed(f"delete {' and '.join(what)}", "add --yes"):
            return streams.show("nothing was deleted\n")
    failed: list[LongreadError] = []
    for id, one in chosen.items():
        try:
            shelved.remove(one)
            streams.show(f"deleted {shelf.dropped(told[id])}\n")
        except LongreadError as error:
            failed.append(error)
            if len(chosen) > 1:
                screen.Plain().error(error)
    if indexes:
        passages.drop()
        streams.show(f"deleted the passages of {indexes} {'text' if indexes == 1 else 'texts'}\n")
    if failed and len(chosen) == 1:
        raise failed[0]
    if failed:
        kind = PartialError if len(failed) < len(chosen) else LongreadError
        raise kind(f"{len(failed)} of {len(chosen)} readings could not be deleted")
    return 0


def seconds(text: str) -> float:
    """An age such as 30d, 12h or 8w in seconds; UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,6})([hdw])", text.strip().lower())
    if match is None:
        raise UsageError(f"--older-than: {text!r} is not an age", "write 12h, 30d or 8w")
    return int(match[1]) * _SECONDS[match[2]]

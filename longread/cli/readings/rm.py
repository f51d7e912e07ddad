"""``longread readings rm``: by name, by age, or all of them."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

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
        typer.Option(metavar="AGE", help="readings last saved so long ago: 30d, 12h, 8w", show_default=False),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="every reading, every text's index; no conversation and no translation"),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask first")] = False,
) -> partial[int]:
    """Delete readings. With --older-than or --all it asks first.

    A conversation, a translation or an index goes by its id, or the start of it, as the list shows it.
    """
    if bool(names) + (older_than is not None) + everything != 1:
        raise UsageError(
            "readings rm needs one of NAME…, --older-than and --all",
            "`longread readings list` shows the names",
        )
    return partial(_rm, names or [], None if older_than is None else seconds(older_than), everything, yes)


def _rm(names: list[str], oldest: float | None, everything: bool, yes: bool) -> int:
    from ...store import passages
    from ...store.reading import Reading
    from ...tasks import kept
    from ...tasks.shelf import entry

    shelved, now = library(), shelf.now()
    # Every name is looked up before anything is deleted; two names may mean the same reading.
    found = [_called(shelved, name) for name in names] if names else shelved.all()
    chosen = {one.id: one for one in found if isinstance(one, Reading)}
    things = {one.id: one for one in found if isinstance(one, kept.Thing)}
    told = {id: entry(one) for id, one in chosen.items()}
    if oldest is not None:
        ages = {id: about.age(now) for id, about in told.items()}
        chosen = {id: one for id, one in chosen.items() if (age := ages[id]) is not None and age > oldest}
    indexes = len(passages.indexed()) if everything else 0
    if not chosen and not things and not indexes:
        return streams.show("no readings to delete\n")
    if not names and not yes:
        for id in chosen:
            screen.Plain().say(shelf.dropped(told[id]))
        what = ["this reading" if len(chosen) == 1 else f"these {len(chosen)} readings"] if chosen else []
        if indexes:
            what.append(f"the passages kept of {indexes} {'text' if indexes == 1 else 'texts'} asked about")
        if not agreed(f"delete {' and '.join(what)}", "add --yes"):
            return streams.show("nothing was deleted\n")
    removals = [(partial(shelved.remove, one), told[id]) for id, one in chosen.items()]
    removals += [(partial(kept.remove, one), one) for one in things.values()]
    failed: list[LongreadError] = []
    for remove, about in removals:
        try:
            remove()
            streams.show(f"deleted {shelf.dropped(about)}\n")
        except LongreadError as error:
            failed.append(error)
            if len(removals) > 1:
                screen.Plain().error(error)
    if indexes:
        passages.drop()
        streams.show(f"deleted the passages of {indexes} {'text' if indexes == 1 else 'texts'}\n")
    if failed and len(removals) == 1:
        raise failed[0]
    if failed:
        kind = PartialError if len(failed) < len(removals) else LongreadError
        what = " readings" if not things else ""
        raise kind(f"{len(failed)} of {len(removals)}{what} could not be deleted")
    return 0


def _called(shelved: Any, name: str) -> Any:
    """The one reading, or other thing, that ``name`` names; UsageError where it is none, or more than one."""
    from ...tasks import kept

    readings, others = shelved.called(name), kept.called(name)
    if not others:
        return shelved.find(name)
    if len(others) + len(readings) > 1:
        ids = ", ".join(one.id[:20] for one in [*readings, *others])
        raise UsageError(f"{name!r} names {len(readings) + len(others)} things: {ids}", "give more of the id")
    return others[0]


def seconds(text: str) -> float:
    """An age such as 30d, 12h or 8w in seconds; UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,6})([hdw])", text.strip().lower())
    if match is None:
        raise UsageError(f"--older-than: {text!r} is not an age", "write 12h, 30d or 8w")
    return int(match[1]) * _SECONDS[match[2]]

"""``longread readings``: what is kept of the texts that were read, and how to be rid of it."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import LongreadError, OutputError, PartialError, UsageError
from .app import Command, Commands, app
from .output import OutputFile
from .render import answers, machine, screen, shelf, streams
from .render.clean import unbroken
from .render.question import agreed

group = typer.Typer(cls=Commands, rich_markup_mode=None, context_settings=app.info.context_settings)
app.add_typer(group, name="readings", help="List, show, drop or export the readings that are kept.")

NAME = Annotated[str, typer.Argument(metavar="NAME")]
AS_JSON = Annotated[bool, typer.Option("--json", help="the answer as one JSON object")]
FORCE = Annotated[bool, typer.Option("--force", help="replace a file that longread did not write")]
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


@group.command("list", cls=Command)
def list_(as_json: AS_JSON = False) -> partial[int]:
    """List the readings, the one used last first.

    "perplexity" is with the adapter, "without" without it, both on the blocks that were scored both ways
    (every 16th); a reading that has none shows that of all it has read. Without the adapter only the block
    before was in sight: longread score compares the two on equal terms.
    """
    return partial(_list, as_json)


def _list(as_json: bool) -> int:
    from ..tasks.readings import entry

    entries = [entry(one) for one in _library().all()]
    if as_json:
        return _json("list", "readings", entries)
    answers.deliver(streams.Stdout(), partial(shelf.listed, entries, shelf.now()))
    return 0


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
    from ..tasks.readings import account

    place = OutputFile(output, force) if output is not None and output != "-" else streams.Stdout()
    about = account(_library().find(name))
    if as_json:
        return _json("show", "reading", about)
    if output is None:
        answers.deliver(place, lambda width: shelf.described(about, shelf.now()))
    else:
        from ..tasks.book_map import page

        place.write(page(about))
    if written := place.commit():
        screen.Plain().say(f"written in {screen.unbroken(written)}")
    return 0


@group.command(cls=Command)
def path(name: NAME) -> partial[int]:
    """Print a reading's folder."""
    return partial(_path, name)


def _path(name: str) -> int:
    return streams.show(f"{unbroken(_library().find(name).folder)}\n")


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
    from ..tasks.adapter import peft_files

    found = peft_files(_library().find(name))
    folder = Path(output).expanduser()
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


@group.command(cls=Command)
def rm(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", show_default=False)] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="those last saved so long ago: 30d, 12h, 8w", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="every reading")] = False,
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
    from ..tasks.readings import entry

    library, now = _library(), shelf.now()
    # Every name is looked up before anything is deleted; two names may mean the same reading.
    chosen = {one.id: one for one in ([library.find(name) for name in names] if names else library.all())}
    told = {id: entry(one) for id, one in chosen.items()}
    if oldest is not None:
        ages = {id: about.age(now) for id, about in told.items()}
        chosen = {id: one for id, one in chosen.items() if (age := ages[id]) is not None and age > oldest}
    if not chosen:
        return streams.show("no readings to delete\n")
    if not names and not yes:
        for id in chosen:
            screen.Plain().say(shelf.dropped(told[id]))
        count = "this reading" if len(chosen) == 1 else f"these {len(chosen)} readings"
        if not agreed(f"delete {count}", "add --yes"):
            return streams.show("nothing was deleted\n")
    failed: list[LongreadError] = []
    for id, one in chosen.items():
        try:
            library.remove(one)
            streams.show(f"deleted {shelf.dropped(told[id])}\n")
        except LongreadError as error:
            failed.append(error)
            if len(chosen) > 1:
                screen.Plain().error(error)
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


def _library() -> Any:
    from ..store.library import Library

    return Library()


def _json(command: str, key: str, value: Any) -> int:
    record = {"schema": machine.SCHEMA, "command": f"readings {command}", key: machine.plain(value)}
    return streams.show(machine.dumps(record))
